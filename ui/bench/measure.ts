// Measures one flush of a streamed answer, tail-freezing against parsing everything, at three lengths.
// Here so that the bench in Node and the one in a real web view run the same code. Never part of a production build.

import { answerOf, seeded } from "../src/features/chat/markdown/documents"
import { AnswerPage } from "../src/features/chat/markdown/page"
import { renderBlocks, TailRenderer } from "../src/features/chat/markdown/tail"
import { toFragment } from "../src/features/chat/markdown/sanitise"

export type Row = { way: string; answerKb: number; flushes: number; p50Ms: number; p95Ms: number; maxMs: number }

const SIZES_KB = [4, 12, 48]
/** About one flush at 100 tokens a second and 30 flushes a second. */
const DELTA_CHARS = 16
/** Only the last part is measured, where the answer has its full length. */
const MEASURED = 300
const PARSE_ALL_SAMPLES = 30

function quantile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

function row(way: string, answerKb: number, times: number[]): Row {
  const sorted = [...times].sort((a, b) => a - b)
  const round = (value: number) => Math.round(value * 1000) / 1000
  return { way, answerKb, flushes: times.length, p50Ms: round(quantile(sorted, 0.5)), p95Ms: round(quantile(sorted, 0.95)), maxMs: round(sorted.at(-1) ?? Number.NaN) }
}

/** Reading the box's height makes the web view lay out, so that its cost is counted too. */
function settle(root: HTMLElement | null): void {
  void root?.offsetHeight
}

function tailFreezing(root: HTMLElement | null, text: string, timed: boolean): number[] {
  root?.replaceChildren()
  const page = root && new AnswerPage(root, { copy: "Copy", copied: "Copied", code: "Code", table: "Table" }, { onLink: () => undefined, onCopy: async () => undefined })
  const renderer = new TailRenderer()
  const start = Math.max(0, text.length - MEASURED * DELTA_CHARS)
  const first = renderer.push(text.slice(0, start))
  page?.apply(first)
  const times: number[] = []
  for (let at = start; at < text.length; at += DELTA_CHARS) {
    const before = performance.now()
    const patch = renderer.push(text.slice(at, at + DELTA_CHARS))
    page?.apply(patch)
    settle(root)
    if (timed) times.push(performance.now() - before)
  }
  page?.destroy()
  return times
}

function parseAll(root: HTMLElement | null, text: string): number[] {
  const times: number[] = []
  for (let index = 0; index < PARSE_ALL_SAMPLES; index += 1) {
    const part = text.slice(0, text.length - index * DELTA_CHARS)
    const before = performance.now()
    const html = renderBlocks(part).join("")
    root?.replaceChildren(toFragment(html))
    settle(root)
    times.push(performance.now() - before)
  }
  return times
}

/** Without a root only parsing and writing HTML are measured, not sanitising, DOM and layout. */
export function measure(root: HTMLElement | null): Row[] {
  const rows: Row[] = []
  for (const size of SIZES_KB) {
    const text = answerOf(seeded(size), size * 1024)
    tailFreezing(root, text, false)
    rows.push(row("freeze, parse the tail", size, tailFreezing(root, text, true)))
    rows.push(row("parse all", size, parseAll(root, text)))
  }
  const code = `Some code:\n\n\`\`\`rust\n${"    let value = compute(&input, 42)?;\n".repeat(1300)}`
  rows.push(row("one open 48 KB code fence", 48, tailFreezing(root, code, true)))
  const list = Array.from({ length: 700 }, (_, index) => `${index + 1}. An item of one very long list, with *emphasis* and text.`).join("\n")
  rows.push(row("one 48 KB list (worst case)", Math.round(list.length / 1024), tailFreezing(root, list, true)))
  root?.replaceChildren()
  return rows
}
