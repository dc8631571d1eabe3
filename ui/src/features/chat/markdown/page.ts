// Puts blocks of HTML on the page: only changed ones are replaced, code gets its bar, then colours and formulas when idle.
// Here because it is the only code that touches an answer's DOM. Must not know Markdown, chats or Tauri.

import { highlightCode } from "./highlight"
import { setFormula } from "./math"
import { toFragment } from "./sanitise"
import type { Patch } from "./tail"

export type Labels = { copy: string; copied: string; code: string; table: string }
export type PageEvents = { onLink: (url: string, from: HTMLElement) => void; onCopy: (text: string) => Promise<void> }

const TICK_MS = 1500
const LABEL_CHARS = 80
const whenIdle = (work: () => void) => ("requestIdleCallback" in window ? window.requestIdleCallback(work, { timeout: 500 }) : setTimeout(work, 50))

export class AnswerPage {
  #root: HTMLElement
  #labels: Labels
  #events: PageEvents
  #html: string[] = []
  #enhanceFrom = 0
  #scheduled = false
  #ended = false

  constructor(root: HTMLElement, labels: Labels, events: PageEvents) {
    this.#root = root
    this.#labels = labels
    this.#events = events
    root.addEventListener("click", this.#onClick)
    root.addEventListener("keydown", this.#onKey)
  }

  /** Replaces what changed. Blocks that read the same keep their nodes, so a selection in them survives. */
  apply(patch: Patch): void {
    if ("appended" in patch) {
      if (patch.appended === "") return
      const code = this.#root.children[patch.from]?.querySelector("code")
      code?.append(patch.appended)
      // The stored text of this block is stale now; it will differ from whatever replaces it.
      this.#html[patch.from] = ""
      return
    }
    const fresh = patch.blocks
    let same = 0
    while (same < fresh.length && fresh[same] === this.#html[patch.from + same]) same += 1
    const from = patch.from + same
    while (this.#root.children.length > from) this.#root.lastElementChild?.remove()
    for (const html of fresh.slice(same)) this.#root.append(this.#element(html))
    this.#html.length = patch.from
    this.#html.push(...fresh)
    this.#enhanceFrom = Math.min(this.#enhanceFrom, from)
    this.#schedule()
  }

  /** The answer is complete: the last block may be coloured too. */
  end(): void {
    this.#ended = true
    this.#schedule()
  }

  /** The answer grows again, so its last block stays plain. */
  reopen(): void {
    this.#ended = false
  }

  destroy(): void {
    this.#root.removeEventListener("click", this.#onClick)
    this.#root.removeEventListener("keydown", this.#onKey)
  }

  /** One element per block, whatever the sanitiser left. */
  #element(html: string): Element {
    const fragment = toFragment(html)
    const only = fragment.childElementCount === 1 && fragment.childNodes.length === 1 ? fragment.firstElementChild : null
    const element = only ?? document.createElement("div")
    if (!only) element.append(fragment)
    const blocks = element.matches(".code-block") ? [element] : [...element.querySelectorAll(".code-block")]
    for (const block of blocks) this.#addBar(block as HTMLElement)
    for (const table of element.matches(".table-block") ? [element] : element.querySelectorAll(".table-block")) table.setAttribute("aria-label", this.#labels.table)
    for (const box of element.querySelectorAll("input")) box.setAttribute("aria-label", (box.closest("li")?.textContent ?? "").trim().slice(0, LABEL_CHARS))
    return element
  }

  #addBar(block: HTMLElement): void {
    const language = block.dataset["lang"] ?? ""
    const bar = document.createElement("div")
    bar.className = "code-bar"
    const name = document.createElement("span")
    name.textContent = language
    const button = document.createElement("button")
    button.type = "button"
    button.className = "code-copy"
    button.dataset["testid"] = "copy-code"
    button.textContent = this.#labels.copy
    bar.append(name, button)
    const pre = block.querySelector("pre")
    pre?.setAttribute("tabindex", "0")
    pre?.setAttribute("role", "group")
    pre?.setAttribute("aria-label", language === "" ? this.#labels.code : `${this.#labels.code}: ${language}`)
    block.prepend(bar)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    whenIdle(() => {
      this.#scheduled = false
      this.#enhance()
    })
  }

  // The last block may still grow, so it stays plain until the end.
  #enhance(): void {
    const stop = this.#ended ? this.#root.children.length : this.#root.children.length - 1
    for (let index = this.#enhanceFrom; index < stop; index += 1) {
      const block = this.#root.children[index]
      if (!block) continue
      const codes = block.matches(".code-block") ? [block] : [...block.querySelectorAll(".code-block")]
      for (const owner of codes) {
        const code = owner.querySelector("code")
        if (code) void highlightCode(code, (owner as HTMLElement).dataset["lang"] ?? "")
      }
      for (const span of block.querySelectorAll<HTMLElement>("span.math:not([data-done]):not([data-failed])")) void setFormula(span)
    }
    this.#enhanceFrom = Math.max(0, stop)
  }

  #onClick = (event: Event) => {
    const target = event.target as HTMLElement
    const button = target.closest<HTMLButtonElement>(".code-copy")
    if (button) {
      void this.#copy(button)
      return
    }
    const link = target.closest<HTMLElement>("[data-href]")
    if (link?.dataset["href"]) {
      event.preventDefault()
      this.#events.onLink(link.dataset["href"], link)
    }
  }

  #onKey = (event: KeyboardEvent) => {
    const link = (event.target as HTMLElement).closest<HTMLElement>("[data-href]")
    if (event.key === "Enter" && link?.dataset["href"]) {
      event.preventDefault()
      this.#events.onLink(link.dataset["href"], link)
    }
  }

  async #copy(button: HTMLButtonElement): Promise<void> {
    const code = button.closest(".code-block")?.querySelector("code")?.textContent ?? ""
    await this.#events.onCopy(code)
    button.textContent = this.#labels.copied
    button.dataset["done"] = "true"
    setTimeout(() => {
      button.textContent = this.#labels.copy
      delete button.dataset["done"]
    }, TICK_MS)
  }
}
