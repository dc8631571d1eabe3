// Asks how the engine is: once a second while something runs, every five seconds while idle, never while the window is hidden.
// Here because the main window and the popover show the same line. Must not know chats or components.

import type { Client, EngineState } from "../ipc/client"

const ACTIVE_MS = 1000
const IDLE_MS = 5000

export class EngineWatch {
  state = $state.raw<EngineState | null>(null)
  /** Set by the chat while an answer is on its way. */
  active = $state(false)
  #client: Client
  #timer: ReturnType<typeof setTimeout> | undefined
  #running = false

  constructor(client: Client) {
    this.#client = client
  }

  start(): () => void {
    this.#running = true
    const onVisibility = () => this.poke()
    document.addEventListener("visibilitychange", onVisibility)
    this.poke()
    return () => {
      this.#running = false
      clearTimeout(this.#timer)
      document.removeEventListener("visibilitychange", onVisibility)
    }
  }

  /** Asks now, and plans the next time. */
  poke(): void {
    clearTimeout(this.#timer)
    if (!this.#running || document.visibilityState !== "visible") return
    void this.#ask()
  }

  async #ask(): Promise<void> {
    try {
      const next = await this.#client.engineState()
      // The same state again must not redraw anything.
      if (JSON.stringify(next) !== JSON.stringify(this.state)) this.state = next
    } catch {
      this.state = null
    }
    clearTimeout(this.#timer)
    if (!this.#running || document.visibilityState !== "visible") return
    const busy = this.active || this.state?.type === "loading" || this.state?.type === "generating"
    this.#timer = setTimeout(() => void this.#ask(), busy ? ACTIVE_MS : IDLE_MS)
  }
}
