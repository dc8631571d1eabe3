// Writes HTML for parsed Markdown: a fixed set of elements, everything else escaped, links inert.
// Here so that the page's HTML has one author. Must not know the DOM, streaming or Tauri.

import { Parser, Renderer, type Token, type Tokens } from "marked"
import { grammar, type MathToken } from "./grammar"
import { safeUrl } from "./links"

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" }

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
}

/** The language a fence names, as one harmless word. */
export function fenceLanguage(info: string | undefined): string {
  const word = /^[A-Za-z0-9+#._-]{1,24}/.exec((info ?? "").trim())
  return word ? word[0].toLowerCase() : ""
}

/** Where the visible part of code ends. Trailing white space is not shown, so text that streams in only ever appends. */
export function codeEnd(text: string): number {
  let end = text.length
  while (end > 0 && " \t\n".includes(text[end - 1] ?? "")) end -= 1
  return end
}

export function codeHtml(code: string, language: string): string {
  const text = code.slice(0, codeEnd(code))
  const named = language === "" ? "" : ` data-lang="${escapeHtml(language)}"`
  return `<div class="code-block"${named}><pre><code>${escapeHtml(text)}</code></pre></div>`
}

function linkHtml(url: string, inner: string): string {
  return `<a class="answer-link" role="link" tabindex="0" data-href="${escapeHtml(url)}">${inner}</a>`
}

class InertRenderer extends Renderer {
  override code(token: Tokens.Code): string {
    return codeHtml(token.text, fenceLanguage(token.lang))
  }

  override html(token: Tokens.HTML | Tokens.Tag): string {
    return escapeHtml(token.raw)
  }

  override hr(): string {
    return "<hr>"
  }

  override blockquote(token: Tokens.Blockquote): string {
    return `<blockquote>${this.parser.parse(token.tokens)}</blockquote>`
  }

  override heading(token: Tokens.Heading): string {
    return `<h${token.depth}>${this.parser.parseInline(token.tokens)}</h${token.depth}>`
  }

  override paragraph(token: Tokens.Paragraph): string {
    return `<p>${this.parser.parseInline(token.tokens)}</p>`
  }

  override list(token: Tokens.List): string {
    const name = token.ordered ? "ol" : "ul"
    const start = token.ordered && typeof token.start === "number" && token.start !== 1 ? ` start="${token.start}"` : ""
    return `<${name}${start}>${token.items.map((item) => this.listitem(item)).join("")}</${name}>`
  }

  override listitem(item: Tokens.ListItem): string {
    const task = item.task ? ' class="task"' : ""
    return `<li${task}>${this.parser.parse(item.tokens)}</li>`
  }

  override checkbox(token: Tokens.Checkbox): string {
    return `<input type="checkbox" disabled${token.checked ? " checked" : ""}> `
  }

  override table(token: Tokens.Table): string {
    const head = token.header.map((cell) => this.tablecell(cell)).join("")
    const rows = token.rows.map((row) => `<tr>${row.map((cell) => this.tablecell(cell)).join("")}</tr>`).join("")
    const body = rows === "" ? "" : `<tbody>${rows}</tbody>`
    return `<div class="table-block" tabindex="0" role="group"><table><thead><tr>${head}</tr></thead>${body}</table></div>`
  }

  override tablecell(token: Tokens.TableCell): string {
    const name = token.header ? "th" : "td"
    const align = token.align ? ` align="${token.align}"` : ""
    return `<${name}${align}>${this.parser.parseInline(token.tokens)}</${name}>`
  }

  override codespan(token: Tokens.Codespan): string {
    return `<code>${escapeHtml(token.text)}</code>`
  }

  override br(): string {
    return "<br>"
  }

  override link(token: Tokens.Link): string {
    const inner = this.parser.parseInline(token.tokens)
    const url = safeUrl(token.href)
    if (url === null) return inner
    // A link inside a link would be taken apart by the HTML parser.
    return inner.includes("<a ") ? inner : linkHtml(url, inner === "" ? escapeHtml(url) : inner)
  }

  /** A picture is never loaded: it becomes a link with its text and address. */
  override image(token: Tokens.Image): string {
    const url = safeUrl(token.href)
    const words = token.text.trim()
    if (url === null) return escapeHtml(words)
    return linkHtml(url, words === "" ? escapeHtml(url) : `${escapeHtml(words)} (${escapeHtml(url)})`)
  }
}

function mathHtml(token: MathToken): string {
  const inner = `<span class="math" data-display="${token.display}">${escapeHtml(token.tex)}</span>`
  return inner
}

const renderers = {
  ...(grammar.extensions?.renderers ?? {}),
  math: (token: Tokens.Generic) => mathHtml(token as MathToken),
}

function freshParser(): Parser {
  const extensions = { ...(grammar.extensions ?? { childTokens: {} }), renderers } as typeof grammar.extensions
  return new Parser({ ...grammar, extensions: extensions ?? null, renderer: new InertRenderer() })
}

const parser = freshParser()

/** HTML of one top-level token: exactly one element, or "" for what shows nothing. */
export function blockHtml(token: Token): string {
  if (token.type === "space" || token.type === "def") return ""
  if (token.type === "math") return `<div class="math-block">${mathHtml(token as MathToken)}</div>`
  const html = parser.parse([token])
  return token.type === "text" || token.type === "checkbox" ? `<p>${html}</p>` : html
}

/** What is shown when a block cannot be parsed: its text, as it came. */
export function plainHtml(text: string): string {
  return `<p class="plain">${escapeHtml(text)}</p>`
}
