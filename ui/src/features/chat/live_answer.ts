// The text of a running answer: grows by deltas and tells its one view, without going through reactive state.
// Here because a string in reactive state would be copied and compared on every token. Must not know the DOM or Tauri.

export class LiveAnswer {
  readonly messageId: string
  text: string
  #listener: ((delta: string) => void) | null = null

  constructor(messageId: string, text: string) {
    this.messageId = messageId
    this.text = text
  }

  append(delta: string): void {
    this.text += delta
    this.#listener?.(delta)
  }

  /** The view gets everything so far at once, then each delta. */
  listen(listener: (delta: string) => void): () => void {
    this.#listener = listener
    if (this.text !== "") listener(this.text)
    return () => {
      if (this.#listener === listener) this.#listener = null
    }
  }
}
