// Feeds a running answer to the page: collects deltas and flushes them at most every 33 ms, slower when a flush is dear.
// Here because pace is neither parsing nor DOM. Must not know chats or Tauri.

import type { AnswerPage } from "./page"
import { TailRenderer } from "./tail"

const FLUSH_MS = 33
/** A flush may take at most this share of the time. */
const MAX_SHARE = 0.25

export class AnswerStream {
  #renderer = new TailRenderer()
  #page: AnswerPage
  #waiting = ""
  #timer: ReturnType<typeof setTimeout> | undefined
  #notBefore = 0

  constructor(page: AnswerPage) {
    this.#page = page
  }

  /** The next push is the start of the text. What is on the page stays until then. */
  restart(): void {
    this.cancel()
    this.#renderer = new TailRenderer()
    this.#page.reopen()
  }

  push(delta: string): void {
    this.#waiting += delta
    this.#timer ??= setTimeout(() => this.#flush(), Math.max(0, this.#notBefore - performance.now()))
  }

  /** Shows the final text. What was streamed should be its start; if not, it is simply rendered. */
  finish(text: string): void {
    this.cancel()
    if (!text.startsWith(this.#renderer.text)) {
      this.#renderer = new TailRenderer()
      this.#renderer.push(text)
    } else {
      this.#renderer.push(text.slice(this.#renderer.text.length))
    }
    const patch = this.#renderer.finish()
    // From 0, so that the page finds what changed whatever it shows.
    this.#page.apply("appended" in patch ? patch : { from: 0, blocks: this.#renderer.html() })
    this.#page.end()
  }

  cancel(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#waiting = ""
  }

  #flush(): void {
    this.#timer = undefined
    const started = performance.now()
    const delta = this.#waiting
    this.#waiting = ""
    this.#page.apply(this.#renderer.push(delta))
    const cost = performance.now() - started
    this.#notBefore = started + Math.max(FLUSH_MS, cost / MAX_SHARE)
  }
}
