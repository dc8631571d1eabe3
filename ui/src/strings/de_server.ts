// German for the Server screen: a part of de.ts.
// Here because it is long and read by one screen only. Must not know components or state.

import type { server as english } from "./en_server"

export const server: typeof english = {
  title: "Server", nav: "Server", pages: { requests: "Anfragen", connect: "Verbinden", access: "Zugang", limits: "Ports und Grenzen" }, pagesLabel: "Teile des Servers",
  on: { name: "Anderen Programmen antworten", note: "Editoren, Agenten und Skripte auf diesem Computer können deine Modelle über HTTP benutzen. Webseiten nicht, wenn du sie nicht einträgst." }, listening: "Erreichbar", off: "Aus", notListening: "Nicht erreichbar", offNote: "Kein Programm kann deine Modelle über HTTP fragen.",
  address: "Adresse", also: (addresses) => `Auch ${addresses}`, copy: "Kopieren", copyAddress: "Adresse kopieren", copied: "Kopiert",
  load: (running, waiting) => `${running} laufen, ${waiting} warten`,
  lanBanner: (address) => `Das lokale Netz kann unter ${address} fragen, mit einem API-Schlüssel. Was gesendet wird, ist nicht verschlüsselt.`, lanBannerNoAddress: "Das lokale Netz kann fragen, mit einem API-Schlüssel. Was gesendet wird, ist nicht verschlüsselt.", lanOff: "Ausschalten",
  log: {
    filter: "Welche Anfragen", all: "Alle", errors: "Fehler", time: "Zeit", client: "Programm", request: "Anfrage", model: "Modell", status: "Status", tokens: "Token", firstToken: "Erstes Token", duration: "Dauer",
    none: "Noch keine Anfragen", noneNote: "Eine Anfrage erscheint hier, sobald sie beantwortet ist. Versuche eine im Terminal:", noErrors: "Keine Fehler unter den letzten Anfragen", off: "Der Server ist aus", offNote: "Schalte ihn ein, damit Programme fragen können.",
    kept: "Die letzten 200, seit Hearth offen ist. Was gefragt und geantwortet wurde, wird nicht festgehalten.", browser: "Webbrowser", unknown: "Ohne Namen", from: (client, address) => `${client} von ${address}`, gone: "weg", tokensTitle: (prompt, answer) => `${prompt} gelesen, ${answer} geschrieben`,
    reasons: {
      invalid_input: "Etwas darin war falsch", not_found: "Diese Route gibt es nicht", model_missing: "Dieses Modell gibt es nicht", model_invalid: "Die Modelldatei ist beschädigt", model_unsupported: "Das Modell kann nicht laufen", model_unreadable: "Die Modelldatei ist nicht lesbar",
      insufficient_memory: "Zu wenig Speicher", context_overflow: "Zu lang für das Modell", engine_crashed: "Das Modellprogramm ist abgestürzt", engine_unresponsive: "Das Modellprogramm hing", engine_unavailable: "Das Modellprogramm war nicht verfügbar", busy: "Zu viele auf einmal",
      disk_full: "Die Festplatte ist voll", storage: "Konnte nicht gespeichert werden", storage_read_only: "Der Datenordner ist schreibgeschützt", storage_newer: "Die Daten sind von einem neueren Hearth", settings: "Eine Einstellung verbietet es", unsupported: "Wird nicht unterstützt", network: "Kein Netz", refused: "Dort wird mehr verlangt", internal: "In Hearth ist etwas schiefgegangen",
      cancelled: "Das Programm hat nicht bis zum Ende gewartet",
    },
  },
  access: {
    origins: { name: "Webseiten, die fragen dürfen", note: "Keine Webseite kann den Server benutzen, wenn ihr Ursprung hier nicht steht, etwa https://app.example. Es gilt ab der nächsten Anfrage.", placeholder: "https://app.example", add: "Hinzufügen", none: "Keine" },
    hosts: { name: "Weitere Namen dieses Computers", note: "Eine Anfrage muss diesen Computer nennen. Trage einen Namen ein, wenn Programme ihn unter einem anderen erreichen, etwa mac.local oder host.docker.internal.", placeholder: "mac.local", add: "Hinzufügen", none: "Keine" },
    addLabel: (name) => `Hinzufügen zu: ${name}`, remove: (word) => `${word} entfernen`, twice: (word) => `${word} steht schon in der Liste.`,
    lan: {
      name: "Dem lokalen Netz antworten", note: "Andere Geräte in deinem Netz können fragen, mit einem Schlüssel.", title: "Dem lokalen Netz antworten?",
      warnings: ["Jedes Gerät in diesem Netz kann Hearth erreichen und Schlüssel ausprobieren.", "Fragen und Antworten gehen unverschlüsselt durchs Netz: nur für Netze, denen du vertraust.", "Nur Anfragen mit einem deiner API-Schlüssel werden beantwortet, auch von diesem Computer."],
      makesKey: "Du hast noch keinen Schlüssel, deshalb wird jetzt einer angelegt.", confirm: "Dem Netz antworten", keyName: "Lokales Netz", done: "Fertig",
    },
    keys: {
      name: "API-Schlüssel", none: "Ohne Schlüssel darf jedes Programm auf diesem Computer fragen.", note: "Jedes Programm muss einen davon senden, auch auf diesem Computer.", create: "Neuer Schlüssel…", label: "API-Schlüssel", keyLabel: "Name", namePlaceholder: "Wofür er ist, etwa Editor", scopes: "Er darf",
      title: "Neuer API-Schlüssel", confirm: "Schlüssel anlegen", once: "Jetzt kopieren. Er wird nur einmal gezeigt und kann nicht wieder gelesen werden.", secretLabel: "Neuer API-Schlüssel", made: (date) => `Angelegt ${date}`, used: (ago) => `benutzt ${ago}`, unused: "nie benutzt",
      revoke: "Widerrufen", revokeTitle: (name) => `„${name}“ widerrufen?`, revokeNote: "Programme, die ihn senden, werden ab der nächsten Anfrage abgewiesen.", revokeLast: "Es ist dein letzter Schlüssel: danach darf jedes Programm auf diesem Computer ohne einen fragen.", revokeLastLan: "Es ist dein letzter Schlüssel: danach darf jedes Programm auf diesem Computer ohne einen fragen, und dem lokalen Netz wird nicht mehr geantwortet.",
      revokeLabel: (name) => `${name} widerrufen`,
    },
    scope: {
      inference: { name: "Modelle fragen", note: "und sehen, welche es gibt" }, models: { name: "Modelle verwalten", note: "laden, entladen und löschen" }, admin: { name: "Alles", note: "auch die Zahlen des Servers" },
    },
  },
  limits: {
    port: { name: "Port", note: "Wenn ein anderes Programm ihn hat, wird der nächste freie benutzt." },
    extra: { name: "Zweiter Port", note: "Manche Programme suchen nur dort, wo ein anderes Produkt antwortet. Hearth kann auch dort antworten, wenn dieses Produkt nicht läuft.", none: "Keiner", ollama: "11434, wie Ollama", lmStudio: "1234, wie LM Studio" },
    parallel: { name: "Anfragen zur gleichen Zeit", note: "Jede weitere macht die anderen langsamer. Deine eigenen Chats warten nie auf sie." },
    queue: { name: "Wartende Anfragen", note: "Darüber hinaus wird eine Anfrage abgewiesen und darf es noch einmal versuchen." },
    timeout: { name: "Längste Anfrage, in Minuten", note: "Dann wird sie angehalten, damit nichts für immer läuft." },
    answers: { name: "Antworten merken", note: "Die gleiche Frage ohne Zufall (Temperatur 0 oder ein Startwert) wird aus dem Speicher beantwortet. Höchstens 64 MB, weg beim Beenden." },
    vectors: { name: "Vektoren merken", note: "Der gleiche Text bekommt seinen Vektor aus dem Speicher. Höchstens 64 MB, weg beim Beenden." },
  },
  connect: {
    model: "Modell", code: "Aus eigenem Code", codeNote: "Die Bibliotheken von OpenAI, Ollama und Anthropic funktionieren alle; nur die Adresse ist eine andere.", dialect: "Bibliothek", language: "Sprache", program: "Programm", programs: "In einem Programm", codeLabel: "Beispiel",
    keyNote: "Anfragen brauchen einen Schlüssel: lege einen von deinen in die Umgebungsvariable HEARTH_API_KEY.", offNote: "Der Server ist aus. Schalte ihn zuerst ein.", paste: (place) => `In ${place} einfügen`, run: "Im Terminal ausführen", question: "Warum ist der Himmel blau?",
    small: (tokens) => `Agenten brauchen ein Modell, das Werkzeuge kennt und Eingaben von 32.000 Token oder mehr liest; dieses liest ${tokens}. Die Grenze steht in den Einstellungen unter Antworten.`,
    zed: {
      steps: ["Füge dies der Einstellungsdatei hinzu, die zed: open settings file in der Befehlspalette öffnet.", "Wähle das Modell im Agent-Panel."],
      keyed: "Zed nimmt den Schlüssel aus der Umgebungsvariable HEARTH_API_KEY oder aus Settings, AI, LLM Providers.", unkeyed: "Zed verlangt irgendeinen Schlüssel, obwohl hier keiner nötig ist: starte es mit HEARTH_API_KEY=any, oder tippe irgendein Wort unter LLM Providers ein.",
      notes: ["Edit Prediction hat eigene Einstellungen und benutzt diese nicht."],
    },
    continue: {
      steps: ["Sichere dies als die Datei, oder füge die beiden Modelle deiner hinzu; Continue liest sie sofort."], keyed: "Schreibe eine Zeile HEARTH_API_KEY=… in ~/.continue/.env; Continue liest die Variablen deiner Shell nicht.", unkeyed: "",
      notes: ["Vervollständigung beim Tippen braucht ein Modell, das dafür trainiert ist, deshalb fehlt sie hier."],
    },
    openWebui: {
      steps: ["Öffne Admin Settings, Connections und füge unter OpenAI eine Verbindung hinzu.", "Füge die URL von unten ein, und irgendein Wort als Schlüssel.", "Lass die Verbindung extern, damit ihr Server fragt und nicht dein Browser."], keyStep: "Füge die URL von unten ein, und einen deiner API-Schlüssel.",
      urlLabel: "URL", dockerLabel: "URL, wenn Open WebUI in Docker läuft", notes: ["In Docker ist 127.0.0.1 der Container selbst. Mit Docker Desktop nimm die zweite Adresse und füge host.docker.internal unter Zugang, Weitere Namen dieses Computers hinzu. Mit Docker unter Linux muss auch dem lokalen Netz geantwortet werden."],
    },
    claudeCode: {
      steps: ["Führe diese Zeilen in dem Terminal aus, in dem du arbeitest."], keyed: "", unkeyed: "Es braucht irgendein Token, obwohl hier keines geprüft wird.",
      notes: ["Die Adresse hat am Ende kein /v1.", "Wenn ANTHROPIC_API_KEY in deiner Shell gesetzt ist, entferne es zuerst: es würde statt dessen gesendet.", "Dieselben Zeilen können unter env in ~/.claude/settings.json stehen."],
    },
    codex: {
      steps: ["Füge diese Zeilen der Datei hinzu; die ersten drei gehören an ihren Anfang.", "Starte codex; /status zeigt den Anbieter."], keyed: "", unkeyed: "",
      notes: ["Codex warnt, dass es keine Metadaten zum Modell hat; das schadet nicht.", "Werkzeuge, die bei OpenAI laufen, etwa die Websuche, werden weggelassen."],
    },
    xcode: {
      steps: ["Öffne Settings, Intelligence und füge einen Modellanbieter hinzu.", "Wähle Locally Hosted und trage den Port von unten ein.", "Wähle das Modell im Coding Assistant."], keyStep: "Wähle Internet Hosted und trage die URL von unten und einen deiner API-Schlüssel ein.", portLabel: "Port", keyed: "Ein lokal gehosteter Anbieter sendet keinen Schlüssel, deshalb würde Xcode abgewiesen, solange du Schlüssel hast.", unkeyed: "",
      notes: ["Ab Xcode 26. Wir konnten es noch nicht mit einem echten Xcode versuchen."],
    },
  },
  settings: { open: "Server öffnen", note: "Anfragen, Schlüssel, Webseiten, Beispiele und Grenzen haben einen eigenen Bereich.", more: "Mehr" },
}
