// Renders a growing answer at a cost that does not grow with it: finished blocks are frozen, only the tail is parsed.
// Here because streaming and one-shot rendering must give the same HTML, which a property test checks.
// Must not know the DOM, timers or Tauri: it turns text into a list of blocks of HTML.

import type { Token } from "marked"
import { lex, normalise, type Links } from "./grammar"
import { blockHtml, codeEnd, codeHtml, fenceLanguage, plainHtml } from "./html"

/** Blocks `from` onwards are now `blocks`; or only `appended` was added to the code of the last block. */
export type Patch = { from: number; blocks: string[] } | { from: number; appended: string }

/** Tokens that must follow a block before it is frozen: the last may still grow, the one before it may still merge. */
const TOKENS_AFTER = 2

type OpenFence = { mark: string; language: string; bodyAt: number; lineAt: number; shownTo: number }

export class TailRenderer {
  #text = ""
  #heldReturn = false
  #frozenAt = 0
  #frozen = 0
  #blocks: string[] = []
  #links: Links = Object.create(null) as Links
  #fence: OpenFence | null = null

  /** How many leading blocks can no longer change while the answer grows. */
  get frozen(): number {
    return this.#frozen
  }

  get text(): string {
    return this.#text
  }

  /** Adds text and says what changed. */
  push(delta: string): Patch {
    this.#text += this.#lineEnds(delta)
    return this.#appendToFence() ?? this.#parseTail()
  }

  /** The answer is complete: everything is parsed once more, so that a reference defined last works in the first paragraph. */
  finish(): Patch {
    if (this.#heldReturn) this.#text += "\n"
    this.#heldReturn = false
    this.#fence = null
    const before = this.html()
    const after = renderBlocks(this.#text)
    let same = 0
    while (same < after.length && after[same] === before[same]) same += 1
    this.#blocks = after
    this.#frozen = after.length
    return { from: same, blocks: after.slice(same) }
  }

  /** Every block as it stands, for tests and for comparing. */
  html(): string[] {
    if (!this.#fence) return this.#blocks
    const body = this.#text.slice(this.#fence.bodyAt, this.#fence.shownTo)
    return [...this.#blocks.slice(0, -1), codeHtml(body, this.#fence.language)]
  }

  // "\r\n" may arrive in two pieces, so a trailing "\r" waits for what follows.
  #lineEnds(delta: string): string {
    let text = this.#heldReturn ? `\r${delta}` : delta
    this.#heldReturn = text.endsWith("\r")
    if (this.#heldReturn) text = text.slice(0, -1)
    return normalise(text)
  }

  /** While a code fence is open at the end, new text is only appended to it. */
  #appendToFence(): Patch | null {
    const fence = this.#fence
    if (!fence) return null
    const closer = new RegExp(`^ {0,3}${fence.mark}[\`~]* *$`)
    let lineAt = fence.lineAt
    for (;;) {
      const end = this.#text.indexOf("\n", lineAt)
      const line = this.#text.slice(lineAt, end < 0 ? undefined : end)
      if (closer.test(line)) {
        this.#fence = null
        return null
      }
      if (end < 0) break
      lineAt = end + 1
    }
    fence.lineAt = lineAt
    const fresh = this.#text.slice(fence.shownTo)
    const appended = fresh.slice(0, codeEnd(fresh))
    fence.shownTo += appended.length
    return { from: this.#blocks.length - 1, appended }
  }

  #parseTail(): Patch {
    const tail = this.#text.slice(this.#frozenAt)
    const tokens = readTokens(tail, this.#links)
    const from = this.#frozen
    const fresh: string[] = []
    const freezeTo = freezeCount(tokens, tail)
    let at = this.#frozenAt
    tokens.forEach((token, index) => {
      const html = tokenHtml(token)
      if (html !== "") fresh.push(html)
      at += token.raw.length
      if (index + 1 === freezeTo) {
        this.#frozenAt = at
        this.#frozen = from + fresh.length
      }
      if (index < freezeTo && token.type === "def") this.#learn(token)
    })
    this.#blocks.length = from
    this.#blocks.push(...fresh)
    this.#enterFence(tokens.at(-1), tail)
    return { from, blocks: fresh }
  }

  #learn(token: Token): void {
    const { tag, href, title } = token as { tag: string; href: string; title?: string } & Token
    this.#links[tag] ??= { href, title }
  }

  #enterFence(last: Token | undefined, tail: string): void {
    const opener = last ? openFence(last, tail) : null
    if (!opener || !last) return
    const start = this.#text.length - last.raw.length
    const bodyAt = start + opener.length
    const shownTo = bodyAt + codeEnd(this.#text.slice(bodyAt))
    const lineAt = Math.max(bodyAt, this.#text.lastIndexOf("\n") + 1)
    this.#fence = { mark: opener.mark, language: opener.language, bodyAt, lineAt, shownTo }
  }
}

/** The blocks of a complete text. */
export function renderBlocks(text: string): string[] {
  const clean = normalise(text)
  return readTokens(clean, Object.create(null) as Links).map(tokenHtml).filter((html) => html !== "")
}

function readTokens(text: string, links: Links): Token[] {
  try {
    return lex(text, links)
  } catch {
    // Nothing a model writes may stop the page: what cannot be parsed is shown as it came.
    return [{ type: "unparsed", raw: text }]
  }
}

function tokenHtml(token: Token): string {
  if (token.type === "unparsed") return plainHtml(token.raw)
  try {
    return blockHtml(token)
  } catch {
    return plainHtml(token.raw)
  }
}

/** How many leading tokens are final: followed by a blank line and at least two more blocks, or by an open code fence. */
function freezeCount(tokens: Token[], tail: string): number {
  const last = tokens.at(-1)
  if (last && openFence(last, tail)) return tokens.length - 1
  let end = tail.length
  let after = 0
  for (let index = tokens.length - 1; index >= 0; index -= 1) {
    const token = tokens[index]
    if (!token) break
    if (after >= TOKENS_AFTER && /\n[ \t]*\n$/.test(tail.slice(Math.max(0, end - 64), end))) return index + 1
    if (token.type !== "space") after += 1
    end -= token.raw.length
  }
  return 0
}

/** The opener of a fence that ends `tail` and is not closed yet, when its line is complete and not indented. */
function openFence(token: Token, tail: string): { mark: string; language: string; length: number } | null {
  if (token.type !== "code") return null
  const opener = /^(`{3,}|~{3,})([^\n]*)\n/.exec(token.raw)
  if (!opener?.[1]) return null
  const closed = new RegExp(`\\n {0,3}${opener[1]}[\`~]* *(?:\\n+)?$`).test(token.raw)
  if (closed) return null
  // A formula begun in the lines just above may still close further down and take the fence into itself.
  const before = tail.slice(0, tail.length - token.raw.length)
  const paragraph = before.split(/\n[ \t]*\n/).at(-1) ?? ""
  if (paragraph.includes("$$") || paragraph.includes("\\[")) return null
  return { mark: opener[1], language: fenceLanguage(opener[2]), length: opener[0].length }
}
