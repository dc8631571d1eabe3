// How one request of the log is read: whose words it spoke, whether it failed, who sent it.
// Here because these are rules and not looks. Must not know components.

import type { RequestEntry } from "../../ipc/client"
import type { Strings } from "../../strings/en"

export type Dialect = "OpenAI" | "Ollama" | "Anthropic" | "LM Studio" | "Hearth"

/** The API that a path belongs to. */
export function dialectOf(path: string): Dialect {
  if (path.startsWith("/api/v0/")) return "LM Studio"
  if (path.startsWith("/api/") || path === "/") return "Ollama"
  if (path.startsWith("/v1/messages")) return "Anthropic"
  return path.startsWith("/v1/") ? "OpenAI" : "Hearth"
}

/** Refused, failed, or left by its client. */
export function isError(entry: RequestEntry): boolean {
  return entry.status === null || entry.status >= 400 || entry.reason !== null
}

export function clientOf(entry: RequestEntry, t: Strings["server"]["log"]): string {
  const name = entry.client === null ? t.unknown : entry.client.startsWith("Mozilla/") ? t.browser : entry.client
  return entry.remote === null ? name : t.from(name, entry.remote)
}

/** Why it failed; words that are not known are shown as they came, from the gate. */
export function reasonOf(entry: RequestEntry, t: Strings["server"]["log"]): string | null {
  if (entry.reason === null) return null
  const words = t.reasons[entry.reason] ?? entry.reason.replaceAll("_", " ")
  return words.charAt(0).toUpperCase() + words.slice(1)
}
