// Colours code of closed fences, when the page is idle: highlight.js core with twelve languages, loaded on first use.
// Here so that no other file knows the highlighter. Must not know streaming or Tauri.

import type { HLJSApi } from "highlight.js"
import { toFragment } from "./sanitise"

/** Longer code is left plain: colouring 40 KB takes about 32 ms. */
const MAX_CHARS = 40_000

const ALIASES: Record<string, string> = {
  rs: "rust", py: "python", js: "javascript", jsx: "javascript", mjs: "javascript", ts: "typescript", tsx: "typescript", sh: "bash", shell: "bash", zsh: "bash", console: "bash",
  html: "xml", svg: "xml", golang: "go", c: "cpp", "c++": "cpp", h: "cpp", hpp: "cpp", yml: "yaml", jsonc: "json",
}

let loading: Promise<HLJSApi> | null = null

function load(): Promise<HLJSApi> {
  loading ??= import("./highlight_languages").then((module) => module.highlighter)
  return loading
}

/** Colours the code element in place; unknown languages stay plain. */
export async function highlightCode(code: HTMLElement, language: string): Promise<void> {
  const text = code.textContent
  if (language === "" || text.length > MAX_CHARS) return
  const highlighter = await load()
  const name = ALIASES[language] ?? language
  if (!highlighter.getLanguage(name) || !code.isConnected || code.textContent !== text) return
  const { value } = highlighter.highlight(text, { language: name, ignoreIllegals: true })
  code.replaceChildren(toFragment(value))
}
