// What the one button under an error does, for every error code.
// Here because views switch on the code and never on the text. Must not know components or Tauri.

import type { Code } from "./ipc/client"

export type ErrorAction = "retry" | "settings" | "folder" | "data" | "newChat" | "anyway" | "dismiss"

const ACTIONS: Record<Code, ErrorAction> = {
  invalid_input: "dismiss", not_found: "newChat", model_missing: "settings", model_invalid: "settings", model_unsupported: "settings",
  model_unreadable: "folder", insufficient_memory: "settings", context_overflow: "newChat", engine_crashed: "retry", engine_unresponsive: "retry",
  engine_unavailable: "retry", busy: "retry", disk_full: "data", storage: "retry", storage_read_only: "data", storage_newer: "data",
  settings: "dismiss", unsupported: "dismiss", network: "retry", refused: "dismiss", internal: "retry",
}

export function actionFor(code: Code): ErrorAction {
  return ACTIONS[code]
}

/** What can be done besides: a verdict is a guess, and the user may know better. */
export function otherActionFor(code: Code): ErrorAction | null {
  return code === "insufficient_memory" ? "anyway" : null
}

/** Ends a sentence, so that the advice can follow it. */
export function asSentence(text: string): string {
  const trimmed = text.trim()
  return trimmed === "" || /[.?…]$/.test(trimmed) ? trimmed : `${trimmed}.`
}
