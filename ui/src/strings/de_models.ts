// German for the Models screen: a part of de.ts.
// Here because it is long and read by one screen only. Must not know components or state.

import type { models as english } from "./en_models"

export const models: typeof english = {
  title: "Modelle", nav: "Modelle", search: "Modelle suchen", none: "Kein Modell heißt so", folder: "Modellordner öffnen",
  folderNote: "Jede GGUF-Datei in diesem Ordner ist ein Modell. Nichts wird kopiert oder verändert.",
  tabs: { installed: "Vorhanden", discover: "Entdecken" }, tabsLabel: "Welche Modelle",
  source: { bundled: "Eingebaut", own: "In deinem Ordner", hugging_face: "Aus dem Cache von Hugging Face", lm_studio: "Von LM Studio", ollama: "Von Ollama", added: "In einem deiner Ordner" },
  list: "Modelle auf diesem Computer", inUse: "Antwortet in deinen Chats", use: "Für Chats verwenden", details: "Einzelheiten",
  purpose: { chat: "Chat", embed: "Vektoren", rerank: "Rangfolge" }, damaged: "Nicht verwendbar", abilities: { tools: "Ruft Werkzeuge auf", sees: "Sieht Bilder", thinks: "Denkt zuerst nach" },
  context: (tokens) => `Kontext von ${tokens} Tokens`, facts: (parts) => parts.filter(Boolean).join(" · "),
  page: {
    name: "Name für Programme", architecture: "Architektur", parameters: "Gewichte", layers: "Schichten", trained: "Kontext beim Training", loaded: "Kontext beim Laden", template: "Chatvorlage", ownTemplate: "Seine eigene", noTemplate: "Keine: eine einfache wird verwendet", abilities: "Fähigkeiten", files: "Dateien",
    tokens: (count) => `${count} Tokens`, noAbilities: "Schreibt Text", failed: "Dieses Modell konnte nicht angesehen werden.",
  },
  memory: {
    title: (bytes, context) => `Braucht ${bytes} mit einem Kontext von ${context} Tokens`, budget: (bytes) => `${bytes} für Modelle`, weights: "Gewichte", projector: "Bildteil", cache: "Kontext", copies: "Kopien davon", compute: "Arbeitsspeicher", output: "Ausgabe",
    speed: (tokens) => `Etwa ${tokens} Tokens je Sekunde.`,
    verdict: { fits: "Es passt.", tight: "Es passt gerade so.", fits_if_unloaded: "Es passt, wenn ein anderes Modell entladen wird.", fits_at_context: "Es passt mit einem kürzeren Kontext.", too_big: "Es ist zu groß für diesen Computer.", unknown: "Wie viel Speicher Modelle hier belegen dürfen, ist nicht bekannt." },
  },
  badge: { fits: "Passt", tight: "Passt gerade so", unloaded: (models) => `Passt ohne ${models}`, context: (tokens) => `Passt bis ${tokens} Tokens`, too_big: "Zu groß" },
  anyway: "Trotzdem laden",
  token: {
    field: "Token für Hugging Face", another: "Ein anderes Token für Hugging Face", keep: "Token behalten", forget: "Token vergessen", kept: "Ein Token liegt im Schlüsselbund. Es wird nie wieder gezeigt.", steps: "Nimm auf seiner Seite die Bedingungen an und füge hier ein Token desselben Kontos ein.", page: "Seite öffnen…",
  },
  discover: {
    label: "Modelle, die geholt werden können", other: "Name eines Modells bei Hugging Face", placeholder: "Ein anderes: owner/name oder owner/name:Q4_K_M", fetch: "Holen", about: (size) => `etwa ${size}`, speed: (tokens) => `etwa ${tokens} Tokens je Sekunde`,
    here: (model) => `${model} ist schon da`, note: "Wird von Hugging Face geholt, wenn du es verlangst, und vor der Verwendung geprüft. Die Liste ist ein Teil von Hearth; sie anzusehen fragt niemanden. Wird ein Modell darin geöffnet, so wird dort der Anfang seiner Datei gelesen.",
    reason: {
      too_big: (takes, budget) => `Zu groß: etwa ${takes}, und Modelle dürfen ${budget} belegen.`, unknown: (takes) => `Belegt etwa ${takes}.`, no_chat: "Für Suche und Dokumente; es chattet nicht.", slow: "Passt, antwortet aber langsamer, als du liest.",
      fits: (takes, budget) => `Passt: etwa ${takes} der ${budget}, die Modelle belegen dürfen.`, would_not: (finer) => `${finer} würde nicht passen.`,
    },
    looking: "Der Anfang seiner Datei wird gelesen…", onItsWay: "Es ist da oder unterwegs.", anyway: "Trotzdem herunterladen", ask: (model) => `${model} holen?`, askNote: (size) => `${size} herunterzuladen.`,
  },
  download: {
    label: (model) => `Download von ${model}`, part: (done, total) => `${done} von ${total}`, pace: (speed, left) => `${speed} je Sekunde, noch ${left}`, pause: "Anhalten", resume: "Fortsetzen", cancel: "Abbrechen",
    state: { queued: "Wartet, bis es dran ist", checking: "Liest, was da ist", fetching: "Wird geholt", retrying: "Versucht es erneut", verifying: "Wird geprüft", paused: "Angehalten", failed: "Abgebrochen", cancelled: "Abgebrochen", done: "Fertig" }, retrying: (seconds) => `Neuer Versuch in ${seconds} s`,
  },
  alias: { name: "Kurznamen", label: (model) => `Neuer Kurzname für ${model}`, placeholder: "Kurzname", add: "Hinzufügen", remove: (alias) => `Kurznamen ${alias} entfernen` },
  import: {
    drop: "Loslassen, um das Modell aufzunehmen", dropNote: "Eine GGUF-Datei. Sie wird zuerst geprüft und teilt sich den Platz mit dem Original, wo das geht.", label: (file) => `${file} wird aufgenommen`, part: (done, total) => `${done} von ${total}`, cancel: "Abbrechen", dismiss: "Schließen",
    state: { waiting: "Wird geprüft", comparing: "Wird mit dem verglichen, was da ist", copying: "Wird kopiert", failed: "Nicht aufgenommen" }, done: (model) => `Aufgenommen als ${model}`, here: (model) => `Schon da als ${model}; nichts wurde kopiert`,
  },
  remove: {
    name: "Löschen…", title: (model) => `${model} löschen?`, note: (size) => `Die Dateien werden aus deinem Modellordner entfernt. Das gibt ${size} frei. Sie kommen nicht in den Papierkorb.`, chats: "Deine Chats bleiben.", confirm: "Löschen",
    done: (model, size) => `${model} gelöscht, ${size} frei`,
  },
  copy: {
    name: "Kleinere Kopie machen…", title: (model) => `Eine kleinere Kopie von ${model}`, note: "Die Gewichte werden auf weniger Bits gerundet. Das braucht weniger Speicher und antwortet schneller, und je weniger Bits bleiben, desto mehr Fehler entstehen.", kinds: "Bits", measure: "Messen, was es kostet", measureNote: "Original und Kopie lesen je einen Text; das dauert eine Minute oder länger.",
    bits: { Q8_0: "8 Bits: kaum Verlust", Q6_K: "6 Bits: sehr wenig Verlust", Q5_K_M: "5 Bits: wenig Verlust", Q4_K_M: "4 Bits: die übliche Wahl", Q3_K_M: "3 Bits: deutlich schlechter", Q2_K: "2 Bits: nur, wenn sonst nichts passt" },
    sizes: (after, before, percent) => `${after} statt ${before} (${percent})`, sizing: "Größe wird ermittelt…", twice: "Dieses Modell wurde schon gerundet. Eine Kopie des ungerundeten wäre besser.", confirm: "Kopie machen",
    making: (model) => `${model} wird kopiert`, stage: { starting: "Beginnt…", importance: "Findet heraus, was zählt", convert: "Rundet die Gewichte", measure_source: "Misst das Original", measure_copy: "Misst die Kopie" },
    part: (stage, done, total) => `${stage}: ${done} von ${total}`, cancel: "Abbrechen", dismiss: "Schließen",
    made: (name, after, before) => `${name} ist fertig: ${after} statt ${before}.`,
    cost: (after, before, percent) => `Perplexität ${after} statt ${before} (${percent}): wie sehr ein Text es überrascht; weniger ist besser.`, failed: "Es wurde keine Kopie gemacht.",
  },
}
