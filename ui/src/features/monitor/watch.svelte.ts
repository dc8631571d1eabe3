// What the Monitor screen shows: the moment, the stretch of the time line and the cursor with its explanation.
// Asks once a second while the screen is in view and the window visible. Must not know uPlot or components.

import { asIpcError, type AppEvent, type Client, type Explanation, type History, type IpcError, type Moment } from "../../ipc/client"
import { nearest } from "./cursor"
import { Growing, joined, RANGES, type Range } from "./series"

const EVERY_MS = 1000
/** A mark is on the time line a little after its event. */
const SETTLED_MS = 700
const POINTING_MS = 120

export class MonitorWatch {
  moment = $state.raw<Moment | null>(null)
  /** Grows in place: whoever shows it also reads `version`. */
  history = $state.raw<History | null>(null)
  version = $state(0)
  range = $state<Range>() as Range
  error = $state.raw<IpcError | null>(null)
  /** Time under the cursor, and whether it stays there. */
  at = $state<number | null>(null)
  held = $state(false)
  explanation = $state.raw<Explanation | null>(null)
  #client: Client
  #growing: Growing | null = null
  #loadedAt = 0
  #open = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #soon: ReturnType<typeof setTimeout> | undefined
  #pointing: ReturnType<typeof setTimeout> | undefined

  constructor(client: Client, range: Range = "hour") {
    this.#client = client
    this.range = range
  }

  /** Begins to look; gives the way to end it. */
  start(): () => void {
    this.#open = true
    const onVisibility = () => this.#next()
    document.addEventListener("visibilitychange", onVisibility)
    let stop: (() => void) | null = null
    void this.#client.onAppEvent((event) => this.#onEvent(event)).then((off) => { if (this.#open) stop = off; else off() })
    this.#next()
    return () => {
      this.#open = false
      for (const timer of [this.#timer, this.#soon, this.#pointing]) clearTimeout(timer)
      document.removeEventListener("visibilitychange", onVisibility)
      stop?.()
    }
  }

  choose(range: Range): void {
    this.range = range
    this.free()
    this.#growing = null
    void this.load()
  }

  /** Reads the stretch anew. */
  async load(): Promise<void> {
    const { range } = this
    const { spanMs, points } = RANGES[range]
    this.#loadedAt = Date.now()
    try {
      const fresh = await this.#client.getHistory({ fromMs: this.#loadedAt - spanMs, toMs: this.#loadedAt, points })
      if (range !== this.range) return
      this.#growing = new Growing(joined(this.#growing?.history ?? null, fresh))
      this.history = this.#growing.history
      this.error = null
      this.version += 1
    } catch (thrown) {
      if (range === this.range) this.error = asIpcError(thrown)
    }
  }

  /** Moves the cursor; `hold` keeps it there. */
  point(at: number | null, hold = false): void {
    if (this.held && !hold) return
    this.held = hold && at !== null
    if (at === this.at) return
    this.at = at
    clearTimeout(this.#pointing)
    this.explanation = null
    if (at !== null) this.#pointing = setTimeout(() => void this.#explain(at), POINTING_MS)
  }

  free(): void {
    this.held = false
    this.point(null)
  }

  /** Index of the point under the cursor; null without one, -1 where Hearth did not run. */
  get index(): number | null {
    if (this.at === null || !this.history) return null
    const index = nearest(this.history.atMs, this.at)
    const found = this.history.atMs[index]
    return found === undefined || Math.abs(found - this.at) > this.history.stepMs * 1.5 ? -1 : index
  }

  async #explain(at: number): Promise<void> {
    try {
      const explanation = await this.#client.explainMoment({ atMs: Math.round(at) })
      if (this.at === at) this.explanation = explanation
    } catch {
      // The figures stand there all the same.
    }
  }

  #onEvent(event: AppEvent): void {
    if (event.type !== "limits_changed" && event.type !== "alerted" && event.type !== "loaded_models_changed") return
    clearTimeout(this.#soon)
    this.#soon = setTimeout(() => { if (document.visibilityState === "visible") void this.load() }, SETTLED_MS)
  }

  #next(): void {
    clearTimeout(this.#timer)
    if (this.#open && document.visibilityState === "visible") void this.#look()
  }

  async #look(): Promise<void> {
    if (Date.now() - this.#loadedAt >= RANGES[this.range].reloadMs) void this.load()
    try {
      this.moment = await this.#client.getMoment()
      const { live, spanMs } = RANGES[this.range]
      if (live && this.#growing?.add(this.moment, spanMs)) this.version += 1
    } catch {
      // The next look may do better; what is shown stays.
    }
    clearTimeout(this.#timer)
    if (this.#open) this.#timer = setTimeout(() => this.#next(), EVERY_MS)
  }
}
