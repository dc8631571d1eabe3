// Sets formulas with KaTeX, loaded with its fonts the first time an answer holds one.
// Here so that no other file knows KaTeX, and no chat without formulas pays for it. Must not know streaming or Tauri.

let loading: Promise<typeof import("katex").default> | null = null

function load() {
  loading ??= Promise.all([import("katex"), import("katex/dist/katex.min.css")]).then(([module]) => module.default)
  return loading
}

/** Replaces the source in `span` by the formula; what KaTeX cannot read stays as it was written. */
export async function setFormula(span: HTMLElement): Promise<void> {
  const tex = span.textContent
  const katex = await load()
  if (!span.isConnected || span.textContent !== tex) return
  const target = document.createElement("span")
  try {
    katex.render(tex, target, {
      displayMode: span.dataset["display"] === "true",
      output: "htmlAndMathml",
      trust: false,
      strict: "ignore",
      throwOnError: true,
      maxSize: 20,
      maxExpand: 200,
    })
  } catch {
    span.dataset["failed"] = "true"
    return
  }
  span.dataset["done"] = "true"
  span.replaceChildren(...target.childNodes)
}
