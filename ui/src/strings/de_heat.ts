// German for the page about heat, power and alerts in the settings: a part of de.ts.
// Here because it is long and read by one page only. Must not know components or state.

import type { heat as english } from "./en_heat"

export const heat: typeof english = {
  now: "Was jetzt gilt", unknown: "Was das jetzt bewirken würde, ist noch nicht bekannt.",
  groups: { heat: "Wärme", power: "Strom", quiet: "Ruhe", tray: "Menüleiste", trayOther: "Infobereich", alerts: "Warnungen" },
  heatSlows: { name: "Bei Hitze bremsen", note: "Als heiß gilt, was das System so nennt oder wenn ein Modell langsamer schreibt als auf dem kühlen Computer.", early: "Früh", balanced: "Ausgewogen", late: "Spät" },
  lowPowerSlows: { name: "Im Stromsparmodus", note: "Mit dem Stromsparmodus des Systems hält die Batterie länger.", on: "Bremsen", off: "Wie immer" },
  onBattery: { name: "Auf Batterie", note: "Was sich ändert, solange kein Netzteil angeschlossen ist.", same: "Wie immer", gentle: "Schonend", least: "Nur das Nötigste" },
  batteryFloor: { name: "Fast leere Batterie", note: "Unter dieser Ladung geschieht auf Batterie nur das Nötigste. In Prozent; 0 heißt nie." },
  quiet: { name: "Ruhe", note: "Grenzen, die die Lüfter leise halten, immer oder zu bestimmten Stunden.", off: "Aus", always: "Immer", hours: "Zu diesen Stunden" },
  quietHours: { name: "Ruhestunden", note: "Nach der Uhr dieses Computers; sie dürfen über Mitternacht gehen.", from: "Von", to: "Bis" },
  quietWatts: { name: "Höchste Leistung bei Ruhe", note: "Watt des ganzen Computers; 0 ist keine Grenze." },
  quietSpeed: { name: "Höchstes Tempo bei Ruhe", note: "Token in der Sekunde; 0 ist keine Grenze. Etwa 10 sind so schnell, wie die meisten lesen." },
  keepAwake: { name: "Beim Antworten wach bleiben", note: "Der Computer geht nicht von selbst in den Ruhezustand, solange eine Antwort geschrieben wird. Der Bildschirm darf." },
  trayText: { name: "Neben der Flamme", note: "Ein Wert neben dem Symbol, höchstens einmal in der Sekunde.", none: "Nichts", speed: "Token/s", temperature: "Temperatur", power: "Leistung", memory: "Speicher" },
  alerts: { name: "Mit einer Mitteilung melden", note: "Aufzeichnung und Protokoll enthalten jede Warnung ohnehin." },
  tell: (name) => `Melden: ${name}`, limit: (name) => `Grenze: ${name}`,
  units: { percent: "%", seconds: "s", requests: "" },
  alert: {
    memory: { name: "Der Speicher ist voll", note: "Es ist mehr davon belegt." }, long_answer: { name: "Eine Antwort dauert lange", note: "Es wird schon länger an ihr geschrieben." },
    cache_hits: { name: "Anfragen werden neu gelesen", note: "Von Anfragen, die sich wiederholen, war weniger schon gelesen." }, errors: { name: "Antworten schlagen fehl", note: "Es schlagen mehr Antworten fehl." },
    queue: { name: "Anfragen warten", note: "Es warten mehr Anfragen." }, disk: { name: "Die Festplatte ist voll", note: "Es ist weniger davon frei." }, heat: { name: "Der Computer ist heiß", note: "Das System meldet, dass er heiß ist oder mehr." },
  },
}
