// What the Models screen shows beside the list: the work on models, looked at while there is any.
// Here because a copy goes on when the screen is closed, and its state lives in the shell. Must not know components.

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

  /** Begins to look; gives the way to end it. */
  start(): () => void {
    this.#open = true
    void this.look()
    return () => {
      this.#open = false
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
    const copying = this.work?.copying
    if (this.#open && copying && !copying.made && !copying.error) this.#timer = setTimeout(() => void this.look(), BUSY_MS)
  }
}
