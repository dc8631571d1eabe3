// Says "Generating" and "Response complete" once each, in the window's one polite region.
// Here because a screen reader must not read every token, yet must know. Must not know components.

import type { App } from "../../shared/app.svelte"
import { words } from "../../strings/language.svelte"
import type { ChatSession } from "./chat.svelte"

/** Call while a component is set up. */
export function announceAnswers(app: App, session: ChatSession): void {
  let was = false
  $effect(() => {
    const running = session.running
    const t = words.t.chat
    if (running && !was) app.announce(t.generating)
    if (!running && was) {
      const status = session.lastAnswer?.status
      app.announce(status === "stopped" ? t.stopped : status === "failed" || status === "interrupted" ? t.failedSpoken : t.complete)
    }
    was = running
  })
}
