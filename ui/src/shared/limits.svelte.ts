// What holds the engines back now, for the lines in the chat and the popover: asked when it changes, and once a second only while
// an answer is being written and its speed is shown. Here because both windows show it. Must not know chats or components.

import type { Client, Moment } from "../ipc/client"

const ACTIVE_MS = 1000

export class LimitsWatch {
  moment = $state.raw<Moment | null>(null)
  #client: Client
  #active = false
  #running = false
  #timer: ReturnType<typeof setTimeout> | undefined

  #showsSpeed: boolean

  /** With `showsSpeed` the speed is wanted of every answer, else only of one that is held back. */
  constructor(client: Client, { showsSpeed = false } = {}) {
    this.#client = client
    this.#showsSpeed = showsSpeed
  }

  start(): () => void {
    this.#running = true
    const ask = () => void this.#ask()
    document.addEventListener("visibilitychange", ask)
    const events = this.#client.onAppEvent((event) => { if (event.type === "limits_changed") ask() })
    ask()
    return () => {
      this.#running = false
      clearTimeout(this.#timer)
      document.removeEventListener("visibilitychange", ask)
      void events.then((off) => off())
    }
  }

  /** Whether an answer is being written: the figures move then. */
  set active(active: boolean) {
    if (active === this.#active) return
    this.#active = active
    void this.#ask()
  }

  async #ask(): Promise<void> {
    clearTimeout(this.#timer)
    if (!this.#running || document.visibilityState !== "visible") return
    try {
      this.moment = await this.#client.getMoment()
    } catch {
      this.moment = null
    }
    clearTimeout(this.#timer)
    const level = this.moment?.decision?.level
    if (this.#running && this.#active && (this.#showsSpeed || level === "slowed" || level === "held")) this.#timer = setTimeout(() => void this.#ask(), ACTIVE_MS)
  }
}
