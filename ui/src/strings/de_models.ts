// German for the Models screen: a part of de.ts.
// Here because it is long and read by one screen only. Must not know components or state.

import type { models as english } from "./en_models"

export const models: typeof english = {
  title: "Modelle", nav: "Modelle", search: "Modelle suchen", none: "Kein Modell heißt so", folder: "Modellordner öffnen",
  folderNote: "Jede GGUF-Datei in diesem Ordner ist ein Modell. Nichts wird kopiert oder verändert.",
  list: "Modelle auf diesem Computer", bundled: "Eingebaut", own: "In deinem Ordner", inUse: "Antwortet in deinen Chats", use: "Für Chats verwenden", details: "Einzelheiten",
  purpose: { chat: "Chat", embed: "Vektoren", rerank: "Rangfolge" }, damaged: "Nicht verwendbar", abilities: { tools: "Ruft Werkzeuge auf", sees: "Sieht Bilder", thinks: "Denkt zuerst nach" },
  context: (tokens) => `Kontext von ${tokens} Tokens`, facts: (parts) => parts.filter(Boolean).join(" · "),
  page: {
    name: "Name für Programme", architecture: "Architektur", parameters: "Gewichte", layers: "Schichten", trained: "Kontext beim Training", loaded: "Kontext beim Laden", template: "Chatvorlage", ownTemplate: "Seine eigene", noTemplate: "Keine: eine einfache wird verwendet", abilities: "Fähigkeiten", files: "Dateien",
    tokens: (count) => `${count} Tokens`, noAbilities: "Schreibt Text", failed: "Dieses Modell konnte nicht angesehen werden.",
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
