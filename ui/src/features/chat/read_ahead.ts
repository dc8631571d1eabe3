// Decides when a message that is being typed is worth reading ahead, so that the work that may be wasted has a bound.
// Here, apart from the session, because it is a rule that can be read and tested alone. Must not know the client or the DOM.

/** Fewer new characters than this are read quickly enough after sending. */
const NEW_CHARACTERS = 16
/**
 * The most often one message is read ahead. Only what is new in it is computed each time, so writing straight on costs no more than
 * the message itself; a message whose beginning is changed each time costs this many times its own length at most.
 */
const MOST = 12

export class ReadAhead {
  #read = ""
  #count = 0

  /** Another message begins. */
  reset(): void {
    this.#read = ""
    this.#count = 0
  }

  isWorth(draft: string): boolean {
    const text = draft.trim()
    return this.#count < MOST && text.length - commonLength(text, this.#read) >= NEW_CHARACTERS
  }

  /** The model has begun to read this. */
  begun(draft: string): void {
    this.#read = draft.trim()
    this.#count += 1
  }
}

function commonLength(a: string, b: string): number {
  let length = 0
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1
  return length
}
