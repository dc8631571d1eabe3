// German for the Monitor screen and for what is said about heat, power and memory elsewhere: a part of de.ts.
// Here because it is long. A reason is a clause that can follow "weil". Must not know components or state.

import type { monitor as english } from "./en_monitor"

export const monitor: typeof english = {
  title: "Monitor", nav: "Monitor", back: "Zurück zu den Chats", none: "k. A.", noneTitle: "Kein Sensor hier sagt das", nothing: "–",
  range: { label: "Gezeigte Zeit", minute: "60 s", hour: "1 h", day: "24 h", month: "30 T" },
  figures: {
    label: "Werte", tokensPerSecond: "Token/s", cool: "Wenn kühl", ttft: "Erstes Token", watts: "Leistung", cpu: "CPU", gpu: "GPU", memory: "Speicher", swap: "Auslagerung", running: "Laufend", waiting: "Wartend",
    temperature: "Temperatur", time: "Zeit", limits: "Grenzen",
  },
  units: { speed: (value) => `${value} Token/s`, celsius: (value) => `${value} °C`, watts: (value) => `${value} W`, of: (part, whole) => `${part} von ${whole}` },
  plots: { speed: "Tempo", heat: "Leistung und Wärme", memory: "Speicher", queue: "Warteschlange" },
  axes: { speed: "Tok/s", watts: "W", celsius: "°C", gigabytes: "GB", seconds: "s" },
  idle: "Gerade wird keine Antwort geschrieben", coolSpeed: (value) => `${value}, wenn kühl`,
  thermal: { nominal: "Kühl", fair: "Warm", serious: "Heiß", critical: "Sehr heiß" },
  pressure: { normal: "Genug", warning: "Wird knapp", critical: "Knapp" },
  level: { free: "Nichts wird gebremst", eased: "Hintergrundarbeit wartet", slowed: "Antworten sind gebremst", held: "Nur das Nötigste" },
  power: { mains: "Am Netz", battery: (percent) => `Auf Batterie, noch ${percent}`, charging: (percent) => `Lädt, ${percent}` },
  failed: (names) => `Diese Sensoren haben nicht geantwortet: ${names}`,
  reasons: {
    heat: { nominal: "der Computer warm wird", fair: "der Computer warm ist", serious: "der Computer heiß ist", critical: "der Computer sehr heiß ist" },
    slowerThanCool: (model, now, cool) => `${model} nur ${now} statt ${cool} Token/s wie auf dem kühlen Computer schreibt`,
    memory: { normal: "viel vom Speicher belegt ist", warning: "der Speicher knapp wird", critical: "der Speicher knapp ist" }, used: (percent) => `${percent} belegt`,
    lowPower: "der Stromsparmodus an ist", battery: (percent) => `der Computer auf Batterie läuft, mit noch ${percent}`,
    quietWatts: (cap) => `deine Ruhegrenze von ${cap} gilt`, quietWattsNow: (cap, now) => `deine Ruhegrenze von ${cap} gilt und der Computer ${now} braucht`, quietSpeed: (cap) => `deine Ruhegrenze von ${cap} Token/s gilt`,
    noSensors: "kein Sensor sagt, wie heiß der Computer ist",
  },
  slowedBy: { heat: "Durch Hitze gebremst", slower_than_cool: "Durch Hitze gebremst", memory: "Durch knappen Speicher gebremst", low_power_mode: "Vom Stromsparmodus gebremst", battery: "Auf Batterie gebremst", quiet_watts: "Von deiner Ruhegrenze gebremst", quiet_speed: "Von deiner Ruhegrenze gebremst", no_sensors: "Gebremst" },
  instead: (what, now, cool) => `${what}: ${now} statt ${cool} Token/s`,
  slowedTo: (what, now) => `${what}: ${now} Token/s`,
  decision: {
    answers: (share) => `Antworten werden mit ${share} des vollen Tempos geschrieben`, answersFull: "Antworten werden mit vollem Tempo geschrieben",
    wouldAnswers: (share) => `Antworten würden mit ${share} des vollen Tempos geschrieben`, wouldAnswersFull: "Antworten würden mit vollem Tempo geschrieben",
    background: "ohne Hintergrundarbeit", load: "ohne ein weiteres Modell zu laden", idle: "ohne unbenutzte Modelle geladen zu halten",
    parallel: (count) => `mit höchstens ${count} Anfragen zugleich`, one: "mit einer Anfrage zur Zeit",
    nothing: "nichts wird gebremst", because: (what, why) => `${what}, weil ${why}`, now: (what) => `Jetzt: ${what}.`,
  },
  happening: {
    started: "Hearth wurde geöffnet", loaded: (model) => `${model} geladen`, unloaded: (model) => `${model} entladen`, slept: "Der Computer ging in den Ruhezustand", woke: (time) => `Der Computer wachte nach ${time} auf`,
    client: (name) => `${name} fragte zum ersten Mal`, other: (name) => `${name} antwortete zum ersten Mal`,
  },
  kinds: { started: "Geöffnet", model: "Modell", limits: "Grenzen", sleep: "Ruhezustand", client: "Neues Programm", alert: "Warnung", other: "Andere Engine" },
  bands: { slowed: "Gebremst", held: "Nur das Nötigste", gap: "Lief nicht" },
  alerts: {
    memory: (percent) => `${percent} des Speichers sind belegt`, longAnswer: (time) => `An einer Antwort wird seit ${time} geschrieben`, cache: (percent) => `Nur ${percent} der Anfragen waren schon gelesen`,
    errors: (percent) => `${percent} der Antworten sind fehlgeschlagen`, queue: (count) => `${count} Anfragen warten`, disk: (percent) => `${percent} der Festplatte sind frei`,
    heat: { nominal: "Der Computer ist abgekühlt", fair: "Der Computer ist warm", serious: "Der Computer ist heiß", critical: "Der Computer ist sehr heiß" },
  },
  explained: {
    idle: "Gerade wird keine Antwort geschrieben.", speed: (now) => `${now} Token/s.`, full: (now) => `${now} Token/s, so schnell wie auf dem kühlen Computer.`, slower: (now, cool) => `${now} statt ${cool} Token/s`,
    because: (what, why) => `${what}, weil ${why}.`, heldBack: (why) => `Gebremst, weil ${why}.`, unknown: (what) => `${what}; nichts wurde gebremst.`,
    sharing: (count) => (count === 1 ? "Zugleich wird eine andere Antwort geschrieben." : `Zugleich werden ${count} andere Antworten geschrieben.`), around: (what) => `Um diese Zeit: ${what}.`,
    looking: "Wird nachgesehen…", hint: "Zeige auf die Kurven oder nimm die Pfeiltasten, um einen Moment zu lesen. Ein Klick hält ihn fest.", pinned: "Festgehalten. Esc löst.", gap: "Hearth lief nicht.",
  },
  plotsLabel: "Kurven über die Zeit. Pfeiltasten bewegen den Zeiger, mit Umschalt zehn Schritte; Esc löst ihn.", marksLabel: "Was geschah", legend: "Was die Zeichen bedeuten", mark: (time, what) => `${time}: ${what}`, more: (count) => `und ${count} weitere`,
  empty: "Noch nichts aufgezeichnet", emptyNote: "Ab jetzt hält Hearth jede Sekunde die Werte fest. Lass es eine Weile offen und sieh dann wieder nach.", failedLead: "Die Aufzeichnung konnte nicht gelesen werden.",
  table: { label: "Werte als Tabelle", show: "Als Tabelle", hide: "Als Kurven", caption: (from, to) => `Werte von ${from} bis ${to}, das Neueste zuerst`, newer: "Neuere", older: "Ältere", page: (from, to, all) => `${from}–${to} von ${all}` },
  export: { label: "Gezeigtes exportieren", csv: "CSV exportieren", json: "JSON exportieren", done: (place) => `Gespeichert unter ${place}`, open: "Datenordner öffnen" },
}
