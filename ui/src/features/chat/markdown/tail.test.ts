// The property that makes freezing safe: any split of any document gives the HTML of one-shot rendering.
// Here beside the renderer. Must not know the DOM.

import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { documentOf, noise, seeded, split } from "./documents"
import { renderBlocks, TailRenderer, type Patch } from "./tail"

/** Applies patches the way the page does, so that patches are tested and not only the renderer's own list. */
class Page {
  blocks: string[] = []
  code: string | null = null

  apply(patch: Patch): void {
    if ("appended" in patch) {
      const last = this.blocks[patch.from] ?? ""
      const escaped = patch.appended.replace(/[&<>"']/g, (char) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[char] ?? char)
      this.blocks[patch.from] = last.replace(/<\/code><\/pre><\/div>$/, () => `${escaped}</code></pre></div>`)
      return
    }
    this.blocks = [...this.blocks.slice(0, patch.from), ...patch.blocks]
  }
}

function hasDefinition(text: string): boolean {
  return /\[[^\]]*\]:/.test(text)
}

/** Streams `parts`; at every step the page must show the one-shot HTML of the text so far, and frozen blocks must never change. */
function stream(parts: string[]): { final: string[]; frozenAtEnd: number } {
  const renderer = new TailRenderer()
  const page = new Page()
  let frozen: string[] = []
  for (const part of parts) {
    page.apply(renderer.push(part))
    if (!hasDefinition(renderer.text)) {
      expect(page.blocks).toEqual(renderBlocks(renderer.text))
    }
    expect(page.blocks.slice(0, frozen.length)).toEqual(frozen)
    frozen = page.blocks.slice(0, renderer.frozen)
  }
  const frozenAtEnd = renderer.frozen
  page.apply(renderer.finish())
  return { final: page.blocks, frozenAtEnd }
}

/** The same cases every time; VITE_SOAK=20 npx vitest run … looks for new ones, twenty times as many. */
const soak = Number(import.meta.env["VITE_SOAK"] ?? 0)
const runs = (count: number) => (soak > 0 ? { numRuns: count * soak } : { numRuns: count, seed: 20 })
const LIMIT_MS = 120_000 * Math.max(1, soak)

const seed = fc.integer({ min: 0, max: 0x7fffffff })

describe("streaming gives the HTML of one-shot rendering", () => {
  it("for documents as models write them", () => {
    fc.assert(fc.property(seed, (value) => {
      const random = seeded(value)
      const text = documentOf(random, 3 + Math.floor(random() * 10))
      expect(stream(split(random, text, 40)).final).toEqual(renderBlocks(text))
    }), runs(400))
  }, LIMIT_MS)

  it("for noise on the edges of the grammar", () => {
    fc.assert(fc.property(seed, (value) => {
      const random = seeded(value)
      const text = noise(random, 5 + Math.floor(random() * 60))
      expect(stream(split(random, text, 8)).final).toEqual(renderBlocks(text))
    }), runs(1500))
  }, LIMIT_MS)

  it("for documents with noise between blocks", () => {
    fc.assert(fc.property(seed, (value) => {
      const random = seeded(value)
      const text = documentOf(random, 3) + noise(random, 8) + documentOf(random, 4) + noise(random, 8)
      expect(stream(split(random, text, 24)).final).toEqual(renderBlocks(text))
    }), runs(500))
  }, LIMIT_MS)

  it("for any string", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.integer({ min: 1, max: 9 }), (text, size) => {
      expect(stream(split(seeded(size), text, size)).final).toEqual(renderBlocks(text))
    }), runs(300))
  }, LIMIT_MS)
})

describe("freezing", () => {
  it("freezes almost all of a long answer", () => {
    const random = seeded(7)
    const text = documentOf(random, 120)
    const { final, frozenAtEnd } = stream(split(random, text, 200))
    expect(frozenAtEnd).toBeGreaterThan(final.length * 0.8)
  })

  it("appends to an open code fence instead of parsing it again", () => {
    const renderer = new TailRenderer()
    renderer.push("Look:\n\n```rust\nfn main() {\n")
    const patch = renderer.push('    println!("<hi>");\n}\n')
    expect(patch).toEqual({ from: 1, appended: '\n    println!("<hi>");\n}' })
    expect(renderer.html()).toEqual(renderBlocks(renderer.text))
  })

  it("does not freeze a list that a later line continues", () => {
    const renderer = new TailRenderer()
    renderer.push("- a\n\n- b\n\n")
    renderer.push("1")
    expect(renderer.frozen).toBe(0)
  })

  it("repairs a reference link whose definition comes last", () => {
    const renderer = new TailRenderer()
    renderer.push("See [this][1].\n\nMore.\n\nMore.\n\nMore.\n\n")
    expect(renderer.html()[0]).toContain("[this][1]")
    renderer.push("[1]: https://example.org/x\n")
    const patch = renderer.finish()
    expect(patch.from).toBe(0)
    expect(renderer.html()[0]).toContain('data-href="https://example.org/x"')
  })

  it("joins a line end that arrives in two pieces", () => {
    expect(stream(["a\r", "\nb\r", "\n\r", "\nc"]).final).toEqual(renderBlocks("a\nb\n\nc"))
  })
})
