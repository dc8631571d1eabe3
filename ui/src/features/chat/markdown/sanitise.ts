// The second wall: whatever HTML the writer made passes DOMPurify with the same short list of elements and attributes.
// Here because it is the only place where HTML text becomes DOM. Must not know Markdown or Tauri.

import createDOMPurify, { type Config } from "dompurify"

const config: Config = {
  ALLOWED_TAGS: [
    "a", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "input", "li", "ol", "p",
    "pre", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul", "#text",
  ],
  ALLOWED_ATTR: ["align", "checked", "class", "data-display", "data-href", "data-lang", "disabled", "role", "start", "tabindex", "type"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOW_UNKNOWN_PROTOCOLS: false,
  KEEP_CONTENT: true,
  RETURN_DOM_FRAGMENT: true,
}

const purify = createDOMPurify(window)

purify.addHook("uponSanitizeElement", (node, data) => {
  if (data.tagName !== "input") return
  const input = node as HTMLInputElement
  if (input.getAttribute("type") !== "checkbox" || !input.hasAttribute("disabled")) input.remove()
})

/** A fragment that can run nothing and fetch nothing. */
export function toFragment(html: string): DocumentFragment {
  return purify.sanitize(html, config) as unknown as DocumentFragment
}
