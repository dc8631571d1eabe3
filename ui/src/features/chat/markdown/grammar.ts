// The Markdown grammar of answers: GFM without raw HTML, plus math fences, with limits on nesting.
// Here because what is not in the grammar cannot reach the page. Must not know HTML output, the DOM or streaming.

import { Lexer, Marked, Tokenizer, type MarkedExtension, type Token, type Tokens } from "marked"

/** Quotes and lists inside each other; deeper ones are shown as text. */
const MAX_BLOCK_DEPTH = 16
/** Emphasis and links inside each other. */
const MAX_INLINE_DEPTH = 16
/** A formula longer than this is shown as text. */
const MAX_MATH_CHARS = 4000
/** A run of one mark longer than this is decoration, not emphasis. */
const MAX_MARK_RUN = 12

export type Links = Lexer["tokens"]["links"]
export type MathToken = Tokens.Generic & { type: "math"; tex: string; display: boolean }

/** marked's tokenizer without HTML, and with a floor under recursion. */
class InertTokenizer extends Tokenizer {
  #blockDepth = 0
  #inlineDepth = 0

  override html(): undefined {
    return undefined
  }

  // Only <br> is understood: models write it inside table cells, where Markdown has no line break.
  override tag(): undefined {
    return undefined
  }

  override blockquote(src: string): Tokens.Blockquote | undefined {
    return this.#block(() => super.blockquote(src))
  }

  override list(src: string): Tokens.List | undefined {
    return this.#block(() => super.list(src))
  }

  override emStrong(src: string, masked: string, prev?: string): Tokens.Em | Tokens.Strong | undefined {
    return this.#inline(() => super.emStrong(src, masked, prev))
  }

  override del(src: string, masked: string, prev?: string): Tokens.Del | undefined {
    return this.#inline(() => super.del(src, masked, prev))
  }

  override link(src: string): Tokens.Link | Tokens.Image | undefined {
    return this.#inline(() => super.link(src))
  }

  override reflink(src: string, links: Links): Tokens.Link | Tokens.Image | Tokens.Text | undefined {
    return this.#inline(() => super.reflink(src, links))
  }

  #block<T>(read: () => T | undefined): T | undefined {
    if (this.#blockDepth >= MAX_BLOCK_DEPTH) return undefined
    this.#blockDepth += 1
    try {
      return read()
    } finally {
      this.#blockDepth -= 1
    }
  }

  #inline<T>(read: () => T | undefined): T | undefined {
    if (this.#inlineDepth >= MAX_INLINE_DEPTH) return undefined
    this.#inlineDepth += 1
    try {
      return read()
    } finally {
      this.#inlineDepth -= 1
    }
  }
}

function markRun(src: string): number {
  const first = src.charCodeAt(0)
  let end = 1
  while (end <= MAX_MARK_RUN && src.charCodeAt(end) === first) end += 1
  return end
}

/** Reads `open … close` at the start of `src`. A formula never spans a blank line, so a stray mark cannot swallow a page. */
function readMath(src: string, open: string, close: string): { raw: string; tex: string } | null {
  if (!src.startsWith(open)) return null
  const room = src.slice(0, MAX_MATH_CHARS)
  const end = room.indexOf(close, open.length)
  if (end < 0) return null
  const tex = room.slice(open.length, end)
  if (tex.trim() === "" || /\n[ \t]*\n/.test(tex)) return null
  return { raw: room.slice(0, end + close.length), tex: tex.trim() }
}

const mathBlock = {
  name: "mathBlock",
  level: "block" as const,
  // Where a formula may interrupt a paragraph: only before the next blank line, so looking costs no more than the paragraph.
  start(src: string): number | undefined {
    const stop = src.indexOf("\n\n")
    const found = /\n {0,3}(?:\$\$|\\\[)/.exec(stop < 0 ? src : src.slice(0, stop))
    return found?.index
  },
  tokenizer(src: string): MathToken | undefined {
    const indent = /^ {0,3}(?=\$\$|\\\[)/.exec(src)
    if (!indent) return undefined
    const body = src.slice(indent[0].length)
    const math = readMath(body, "$$", "$$") ?? readMath(body, "\\[", "\\]")
    if (!math) return undefined
    const rest = /^[ \t]*(?:\n|$)/.exec(body.slice(math.raw.length))
    if (!rest) return undefined
    return { type: "math", raw: indent[0] + math.raw + rest[0], tex: math.tex, display: true }
  },
}

const mathInline = {
  name: "mathInline",
  level: "inline" as const,
  start(src: string): number | undefined {
    const at = src.indexOf("$$")
    return at < 0 ? undefined : at
  },
  tokenizer(src: string): MathToken | undefined {
    const first = src[0]
    if (first !== "$" && first !== "\\") return undefined
    const display = readMath(src, "$$", "$$") ?? readMath(src, "\\[", "\\]")
    if (display) return { type: "math", raw: display.raw, tex: display.tex, display: true }
    const inline = readMath(src, "\\(", "\\)")
    return inline ? { type: "math", raw: inline.raw, tex: inline.tex, display: false } : undefined
  },
}

const lineBreak = {
  name: "lineBreak",
  level: "inline" as const,
  tokenizer(src: string): Tokens.Generic | undefined {
    const found = /^<br *\/?>/i.exec(src)
    return found ? { type: "br", raw: found[0] } : undefined
  },
}

/** A long run of one mark is taken whole as text, instead of being tried as emphasis once for every mark in it. */
const longRun = {
  name: "longRun",
  level: "inline" as const,
  tokenizer(src: string): Tokens.Text | undefined {
    if (!"*_~[".includes(src[0] ?? "") || markRun(src) <= MAX_MARK_RUN) return undefined
    const first = src.charCodeAt(0)
    let end = MAX_MARK_RUN
    while (src.charCodeAt(end) === first) end += 1
    const raw = src.slice(0, end)
    return { type: "text", raw, text: raw, escaped: false }
  },
}

const extension: MarkedExtension = { gfm: true, extensions: [mathBlock, mathInline, lineBreak, longRun] }
/** The options every parse and render uses. */
export const grammar = new Marked(extension).defaults

/** Line ends as one character, so that offsets mean the same everywhere. */
export function normalise(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text
}

/** Top-level tokens of `text`, whose `raw` parts add up to it. `known` are reference definitions from earlier text; new ones are added. */
export function lex(text: string, known: Links): Token[] {
  const lexer = new Lexer({ ...grammar, tokenizer: new InertTokenizer() })
  const links = lexer.tokens.links
  for (const name of Object.keys(known)) {
    const link = known[name]
    if (link) links[name] = link
  }
  const tokens = [...lexer.lex(text)]
  return tokens
}
