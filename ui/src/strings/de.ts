// German, in the shape of the English file.
// Here so that a missing sentence is a type error. Must not know components or state.

import { heat } from "./de_heat"
import { models } from "./de_models"
import { monitor } from "./de_monitor"
import { server } from "./de_server"
import type { Strings } from "./en"

export const de: Strings = {
  app: { name: "Hearth", loading: "Wird geöffnet…", mainLabel: "Chat", retryStart: "Erneut versuchen", startFailed: "Das Fenster konnte nicht eingerichtet werden." },
  sidebar: {
    label: "Chats", search: "Titel durchsuchen", newChat: "Neuer Chat", settings: "Einstellungen", chats: "Chats", today: "Heute", yesterday: "Gestern", earlier: "Früher",
    none: "Noch keine Chats", noneFound: (query) => `Kein Titel enthält „${query}“`, generating: "Antwortet", more: (title) => `Mehr zu ${title}`, untitled: "Neuer Chat",
    rename: "Umbenennen…", remove: "Löschen", renameLabel: "Titel des Chats", deleted: (title) => `„${title}“ gelöscht`, undo: "Widerrufen", toggle: "Seitenleiste ein- oder ausblenden", showAll: (count) => `${count} weitere anzeigen`,
    clearSearch: "Suche leeren",
  },
  chat: {
    offer: { label: "Ein besseres Modell", text: (model, size) => `${model} passt am besten zu diesem Computer (etwa ${size}). Das mitgelieferte ist sehr klein.`, get: "Holen", later: "Nicht jetzt" },
    transcript: "Unterhaltung", composer: "Nachricht", placeholder: "Frag etwas", send: "Senden", stop: "Anhalten", copy: "Kopieren", copied: "Kopiert", regenerate: "Neu antworten", edit: "Bearbeiten",
    editing: "Du bearbeitest deine Nachricht. Die frühere Fassung bleibt erhalten.", cancelEdit: "Abbrechen", jump: "Zum Neuesten", you: "Du", answer: "Antwort", earlier: "Frühere Nachrichten anzeigen",
    previousBranch: "Vorige Fassung", nextBranch: "Nächste Fassung", branchOf: (index, count) => `${index}/${count}`, branchLabel: (index, count) => `Fassung ${index} von ${count}`,
    loading: (model) => `${model} wird geladen…`, loadingPart: (model, percent) => `${model} wird geladen… ${percent}`,
    prefill: (done, total) => `Deine Nachricht wird gelesen… ${done} von ${total} Token`, starting: "Startet…", waiting: "Denkt nach…",
    generating: "Antwort wird geschrieben", complete: "Antwort fertig", failedSpoken: "Die Antwort ist fehlgeschlagen", stopped: "Angehalten", cutOff: "Die längste erlaubte Antwort ist erreicht", interrupted: "Unterbrochen",
    cutMessages: (count) => (count === 1 ? "Die älteste Nachricht passt nicht mehr in das Kontextfenster dieses Modells und wurde weggelassen." : `Die ${count} ältesten Nachrichten passen nicht mehr in das Kontextfenster dieses Modells und wurden weggelassen.`),
    interruptedBy: (why) => `Unterbrochen: ${why}`, tokensPerSecond: (value) => `${value} Token/s`, firstToken: (value) => `erstes Token ${value}`, tokens: (value) => `${value} Token`,
    statsTitle: (prompt, cached) => `${prompt} Token gelesen, davon ${cached} aus dem Zwischenspeicher`, openFailed: "Der Chat konnte nicht geöffnet werden.", sendFailed: "Deine Nachricht wurde nicht gesendet.",
    codeCopy: "Code kopieren", codeLabel: "Code", tableLabel: "Tabelle", mathFailed: "Diese Formel kann nicht gezeigt werden",
    greeting: "Womit kann ich helfen?", greetingNote: "Die Antworten entstehen auf diesem Computer. Nichts wird versendet.", greetingNoteMac: "Die Antworten entstehen auf diesem Mac. Nichts wird versendet.",
    starters: [
      { title: "Erklären", text: "Erkläre in einfachen Worten, wie eine Wärmepumpe funktioniert, mit einem Vergleich aus dem Alltag." },
      { title: "Schreiben", text: "Schreibe eine kurze, freundliche Bitte an die Nachbarn, die Musik nach zehn leiser zu stellen." },
      { title: "Programmieren", text: "Schreibe eine Python-Funktion, die doppelte Dateien in einem Ordner nach Größe und Prüfsumme findet." },
    ],
  },
  engine: {
    unloaded: "Modell nicht geladen", unloadedNote: "Es lädt mit deiner ersten Nachricht", loading: (percent) => `Lädt ${percent}`, ready: "Bereit", generating: "Antwortet", failed: "Modell fehlgeschlagen",
    context: (used, limit) => `${used} von ${limit} Token`, contextLimit: (limit) => `Kontext ${limit} Token`, label: "Modell",
  },
  popover: { open: "Im Fenster öffnen", pin: "Offen halten", unpin: "Nicht mehr offen halten" },
  links: { title: "Diesen Link öffnen?", note: "Er öffnet sich im Browser. Die Seite sieht deinen Besuch.", open: "Link öffnen", cancel: "Abbrechen", copy: "Adresse kopieren" },
  dialog: { close: "Schließen", details: "Einzelheiten" },
  keys: {
    title: "Tastenkürzel", send: "Senden", newline: "Neue Zeile", sendAlways: "Senden, unabhängig von der Einstellung", newChat: "Neuer Chat", search: "Chats suchen", settings: "Einstellungen", sidebar: "Seitenleiste ein- oder ausblenden", shortcuts: "Diese Liste",
    stop: "Antwort anhalten", escape: "Schließen, anhalten, dann Fenster ausblenden", regenerate: "Neu antworten", copyLast: "Letzte Antwort kopieren", editLast: "Letzte Nachricht bearbeiten, wenn das Feld leer ist", branch: "Vorige oder nächste Fassung",
  },
  server,
  models,
  monitor,
  heat,
  settings: {
    title: "Einstellungen", sections: { general: "Allgemein", appearance: "Darstellung", generation: "Antworten", heat: "Wärme und Strom", server: "Server", privacy: "Datenschutz", advanced: "Erweitert" }, back: "Zurück zu den Chats", reset: "Zurücksetzen", resetLabel: (name) => `${name} auf den Standard zurücksetzen`,
    repaired: "Einige Einstellungen waren beschädigt und sind zurückgesetzt", failed: "Die Einstellung wurde nicht geändert.",
    on: "Ein", off: "Aus",
    launchAtLogin: { name: "Bei der Anmeldung öffnen", note: "Hearth startet mit deinem Mac und wartet in der Menüleiste.", noteOther: "Hearth startet mit deinem Computer und wartet im Infobereich." },
    showInMenuBar: { name: "In der Menüleiste zeigen", nameOther: "Im Infobereich zeigen", note: "Die Flamme in der Menüleiste öffnet einen kleinen Chat.", noteOther: "Die Flamme im Infobereich öffnet ein Menü.", last: "Schalte zuerst „Im Dock zeigen“ ein: Hearth braucht einen Ort, von dem es sich öffnen lässt." },
    showInDock: { name: "Im Dock zeigen", note: "Hearth hat ein Symbol im Dock und erscheint im App-Umschalter.", last: "Schalte zuerst „In der Menüleiste zeigen“ ein: Hearth braucht einen Ort, von dem es sich öffnen lässt." },
    shortcut: { name: "Globales Tastenkürzel", note: "Öffnet den kleinen Chat aus jeder App.", record: "Kürzel aufnehmen", recording: "Tasten drücken…", clear: "Entfernen", none: "Keines", needsModifier: "Nimm mindestens eine der Tasten Cmd, Ctrl oder Option zusammen mit einer anderen.", failed: (chord) => `${chord} kann nicht benutzt werden.` },
    sendKey: { name: "Senden mit", note: "Die andere Taste beginnt eine neue Zeile.", enter: "Eingabetaste", modEnter: "Cmd–Eingabetaste", modEnterOther: "Strg–Eingabetaste", enterOther: "Eingabetaste" },
    theme: { name: "Erscheinungsbild", note: "System folgt dem Rest deines Computers.", system: "System", light: "Hell", dark: "Dunkel" },
    textSize: { name: "Textgröße", note: "Gilt sofort in allen Fenstern.", small: "Klein", normal: "Normal", large: "Groß" },
    language: { name: "Sprache", note: "Menüs und Meldungen; das Modell antwortet in deiner Sprache.", system: "System", en: "English", de: "Deutsch" },
    model: { name: "Modell", note: "Gilt ab der nächsten Nachricht.", sources: { bundled: "Enthalten", own: "Eigene Datei", hugging_face: "Hugging Face", lm_studio: "LM Studio", ollama: "Ollama", added: "Eigener Ordner" }, details: (size, quantisation, context) => [size, quantisation, context].filter(Boolean).join(" · "), context: (tokens) => `Kontext ${tokens} Token` },
    others: {
      name: "Andere Programme", note: "Modelle anderer Programme antworten in Chats wie Hearths eigene. Programme, die Hearths Server fragen, erreichen sie nie.",
      looking: "Ollama, LM Studio und andere werden gesucht …", none: "Auf diesem Computer antwortet kein anderes Programm.", again: "Erneut suchen", loaded: "im Speicher",
      here: "Auf diesem Computer", elsewhere: (host: string) => `Chats mit diesen Modellen gehen an ${host}.`, open: (host: string) => `Chats mit diesen Modellen gehen an ${host} und können unterwegs gelesen werden: Die Adresse beginnt mit http.`,
      noModels: "Es antwortet, hat aber kein Modell für Chats.",
      hosts: { name: "Rechner", note: "Ein größerer Computer oder ein Dienst mit OpenAIs Schnittstelle.", placeholder: "http://studio.local:8000", add: "Hinzufügen", none: "" },
      key: (host: string) => `Schlüssel für ${host}`, keep: "Schlüssel behalten", forget: "Schlüssel vergessen", hasKey: "Der Schlüssel liegt im Schlüsselbund.",
      privacy: (hosts: string) => `Chats mit einem Modell eines anderen Rechners gehen dorthin, sonst geht nichts hinaus: ${hosts}.`,
    },
    systemPrompt: { name: "Anweisungen", note: "Gehen vor jeder Unterhaltung an das Modell." },
    temperature: { name: "Temperatur", note: "Niedriger ist vorhersehbarer, höher ist vielfältiger." },
    topP: { name: "Top P", note: "Nur die wahrscheinlichsten Wörter mit zusammen diesem Anteil kommen in Frage." },
    maxTokens: { name: "Längste Antwort", note: "Eine Antwort endet nach so vielen Token; ein Token sind etwa vier Buchstaben." },
    contextTokens: { name: "Kontextlänge", note: "So viele Token liest ein Modell höchstens von einem Chat oder einer Anfrage, soweit es dafür trainiert ist. Mehr braucht mehr Speicher; gilt für Modelle, die ab jetzt geladen werden." },
    kvCache: { name: "Gedächtnis des Gelesenen", note: "So genau hält ein Modell einen Chat, während es antwortet (sein KV-Cache). Gerundet braucht es den halben Speicher, grob ein Viertel, und das merkt man den Antworten an. Gilt für Modelle, die ab jetzt geladen werden.", f16: "Genau (F16)", q8_0: "Gerundet (Q8_0)", q4_0: "Grob (Q4_0)" },
    modelFolders: { name: "Weitere Modellordner", note: "Modelle in diesen Ordnern werden benutzt, wo sie liegen, und nie verändert. Die von Hugging Face, LM Studio und Ollama findet Hearth selbst.", placeholder: "/Volumes/Disk/models", add: "Hinzufügen", none: "Keine" },
    downloads: {
      title: "Downloads", limit: { name: "Höchste Geschwindigkeit", note: "Megabytes je Sekunde für alle Downloads zusammen; 0 heißt keine Grenze. Gilt sofort." }, parallel: { name: "Gleichzeitig", note: "Weitere Downloads warten, bis sie dran sind." },
      reserve: { name: "Auf der Festplatte frei lassen", note: "Gigabytes, die Downloads nie belegen; auf einer kleinen genügt ein Zehntel." }, token: { name: "Token für Hugging Face", note: "Für Modelle, deren Bedingungen du dort angenommen hast. Es liegt im Schlüsselbund des Systems und geht nur an Hugging Face." },
    },
    preloadModel: { name: "Modell beim Start laden", note: "Die erste Antwort kommt früher. Das Modell belegt seinen Speicher auch, wenn du nicht chattest." },
    readAhead: { name: "Beim Tippen mitlesen", note: "Das Modell liest deine Nachricht schon vor dem Senden, damit die Antwort früher beginnt. Das kostet etwas Strom; gespeichert wird davon nichts." },
    keepChatsReady: { name: "Chats auf der Festplatte bereithalten", note: "Ein wieder geöffneter Chat antwortet sofort. Was das Modell gelesen hat, bleibt in Dateien, die den Text deiner Chats in anderer Form enthalten, höchstens 4 GB." },
    clearKept: { name: "Bereitgehaltenes löschen", note: "Die nächste Antwort in jedem Chat dauert länger. Die Chats bleiben.", button: "Löschen", done: (size) => `${size} freigegeben` },
    privacy: {
      headline: "Was diesen Mac verlässt: nichts.", headlineOther: "Was diesen Computer verlässt: nichts.",
      facts: [
        "Modelle laufen in dieser App. Deine Nachrichten und die Antworten werden nirgendwohin gesendet.",
        "Chats und Einstellungen sind Dateien in deinem eigenen Ordner, nur für dich lesbar.",
        "Es gibt kein Konto, keine Telemetrie, keine Absturzberichte und keine Suche nach Updates.",
        "Bilder und andere Inhalte aus dem Netz werden nie geladen; sie erscheinen als Links.",
        "Ein Link öffnet sich nur, wenn du klickst und die volle Adresse bestätigst, im Browser und nicht in dieser App.",
        "Andere Programme können deine Modelle nur fragen, solange das unter Server eingeschaltet ist, und Webseiten nur, wenn du sie dort einträgst.",
        "Die Fenster der App sind vom Netz getrennt: sie erreichen nur die App selbst.",
      ],
      deleteNote: "Gelöschte Chats verschwinden von der Festplatte, wenn die Zeit zum Widerrufen vorbei ist.",
    },
    advanced: {
      folders: "Ordner", settings: "Einstellungsdatei", data: "Chats", models: "Modelle", logs: "Protokolle", open: "Ordner öffnen", openLabel: (name) => `Ordner öffnen: ${name}`,
      export: { name: "Chats exportieren", note: "Schreibt alle Chats in einen Ordner, der ohne Hearth lesbar ist.", markdown: "Markdown", json: "JSON", done: (place) => `Gespeichert unter ${place}` },
      deleteAll: { name: "Alle Chats löschen", note: "Entfernt alle Chats von diesem Computer. Das lässt sich nicht widerrufen.", button: "Alle löschen…", title: "Alle Chats löschen?", type: (word) => `Tippe ${word}, um es zu bestätigen.`, word: "löschen", confirm: "Alle Chats löschen", done: (count) => (count === 1 ? "1 Chat gelöscht" : `${count} Chats gelöscht`) },
      notices: "Auf diesem Computer", version: "Version",
    },
  },
  errors: {
    actions: { retry: "Erneut versuchen", settings: "Modell wählen", folder: "Modellordner öffnen", data: "Datenordner öffnen", newChat: "Neuen Chat beginnen", anyway: "Trotzdem laden", dismiss: "Ausblenden" },
    advice: {
      invalid_input: "Ändere es und versuche es erneut.", not_found: "Vielleicht wurde es gelöscht.", model_missing: "Wähle ein anderes Modell.", model_invalid: "Wähle ein anderes Modell oder ersetze die Datei.",
      model_unsupported: "Wähle ein anderes Modell.", model_unreadable: "Prüfe, ob du die Datei lesen darfst.", insufficient_memory: "Wähle ein kleineres Modell oder schließe andere Apps.",
      context_overflow: "Beginne einen neuen Chat oder kürze die Nachricht.", engine_crashed: "Versuche es erneut.", engine_unresponsive: "Versuche es erneut.", engine_unavailable: "Versuche es gleich noch einmal.",
      busy: "Warte auf die andere Antwort oder halte sie an.", disk_full: "Schaffe Platz und versuche es erneut.", storage: "Versuche es erneut.", storage_read_only: "Mache den Datenordner beschreibbar.",
      storage_newer: "Installiere die neuere Version von Hearth.", settings: "Wähle einen anderen Wert.", unsupported: "Das gibt es hier nicht.", network: "Versuche es erneut.", refused: "Erfülle zuerst, was dort verlangt wird.", internal: "Versuche es erneut.",
    },
  },
}
