// What the Models screen shows beside the list: the work on models, looked at while there is any.
// Here because copies and downloads go on when the screen is closed, and its state lives in the shell. Must not know components.

import type { Client, ModelWork } from "../../ipc/client"

const BUSY_MS = 500

export class ModelsWatch {
  work = $state.raw<ModelWork | null>(null)
  #client: Client
  #timer: ReturnType<typeof setTimeout> | undefined
  #open = false

  constructor(client: Client) {
    this.#client = client
  }

  /** Begins to look; gives the way to end it. `onLoaded` hears of models that are loaded or let go. */
  start(onLoaded: () => void = () => undefined): () => void {
    this.#open = true
    let stop: (() => void) | null = null
    void this.#client.onAppEvent((event) => {
      if (event.type === "downloads_changed") void this.look()
      if (event.type === "loaded_models_changed") onLoaded()
    }).then((off) => { if (this.#open) stop = off; else off() })
    void this.look()
    return () => {
      this.#open = false
      stop?.()
      clearTimeout(this.#timer)
    }
  }

  /** Looks now, and again soon while anything is being done. */
  async look(): Promise<void> {
    clearTimeout(this.#timer)
    try {
      this.work = await this.#client.modelWork()
    } catch {
      // The next look may do better; what is shown stays.
    }
    const { copying, downloads, imports } = this.work ?? {}
    const busy = (copying && !copying.made && !copying.error) || downloads?.some(({ state }) => !["paused", "failed", "cancelled", "done"].includes(state.type))
    const adds = imports?.some(({ state }) => ["waiting", "comparing", "copying"].includes(state.type))
    if (this.#open && (busy || adds)) this.#timer = setTimeout(() => void this.look(), BUSY_MS)
  }
}
