// What the server does, as the screen shows it: its state, its keys and its last requests.
// Asks once a second while the screen is in view and the window visible, and only for what is new. Must not know components.

import { asIpcError, type ApiKey, type Client, type IpcError, type RequestEntry, type ServerStatus } from "../../ipc/client"

const EVERY_MS = 1000
/** As many as the program keeps. */
const MOST = 200

export class ServerWatch {
  status = $state.raw<ServerStatus | null>(null)
  keys = $state.raw<ApiKey[]>([])
  /** Why the keys cannot be listed: the system's key store is closed or missing. */
  keysError = $state.raw<IpcError | null>(null)
  /** The newest first. */
  requests = $state.raw<RequestEntry[]>([])
  running = $state(0)
  waiting = $state(0)
  #client: Client
  #last = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #open = false

  constructor(client: Client) {
    this.#client = client
  }

  /** Begins to look; gives the way to end it. */
  start(): () => void {
    this.#open = true
    const onVisibility = () => this.#tick()
    document.addEventListener("visibilitychange", onVisibility)
    let stop: (() => void) | null = null
    void this.#client.onAppEvent((event) => { if (event.type === "server_changed") void this.reload() }).then((off) => { if (this.#open) stop = off; else off() })
    void this.reload()
    this.#tick()
    return () => {
      this.#open = false
      clearTimeout(this.#timer)
      document.removeEventListener("visibilitychange", onVisibility)
      stop?.()
    }
  }

  /** State and keys, which change rarely. */
  async reload(): Promise<void> {
    try {
      this.status = await this.#client.serverStatus()
      await this.#reloadKeys()
    } catch {
      this.status = null
    }
  }

  async #reloadKeys(): Promise<void> {
    try {
      this.keys = await this.#client.listApiKeys()
      this.keysError = null
    } catch (thrown) {
      this.keysError = asIpcError(thrown)
    }
  }

  #tick(): void {
    clearTimeout(this.#timer)
    if (this.#open && document.visibilityState === "visible") void this.#look()
  }

  async #look(): Promise<void> {
    try {
      const { running, waiting, ended } = await this.#client.listRequests(this.#last)
      this.running = running
      this.waiting = waiting
      const last = ended.at(-1)
      if (last) {
        this.#last = last.id
        this.requests = [...ended.toReversed(), ...this.requests].slice(0, MOST)
        // When a key was used last is shown beside it.
        if (this.keys.length > 0) void this.#reloadKeys()
      }
    } catch {
      // The next look may do better; what is shown stays.
    }
    clearTimeout(this.#timer)
    if (this.#open) this.#timer = setTimeout(() => this.#tick(), EVERY_MS)
  }
}
