// @vitest-environment jsdom
// Nothing a model writes may run, fetch or leave the page: hostile Markdown through the whole way to the DOM, with colours and formulas.
// Here beside the renderer. Must not know chats.

import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { seeded, split } from "./documents"
import { BOMBS, hostileDocuments, PAYLOADS, RAW_HTML } from "./hostile"
import { safeUrl } from "./links"
import { setFormula } from "./math"
import { AnswerPage } from "./page"
import { toFragment } from "./sanitise"
import { TailRenderer } from "./tail"

const FORBIDDEN = "script, img, iframe, object, embed, style, form, link, meta, base, video, audio, source, track, picture, portal, template, textarea, select, frame, frameset, body body, title, noscript, applet, foreignObject"
const FETCHING = ["src", "srcset", "href", "xlink:href", "action", "formaction", "poster", "data", "background", "ping", "srcdoc", "cite", "longdesc", "manifest", "profile", "usemap", "codebase", "archive"]
const BUDGET_MS = 2500

let root: HTMLElement
let page: AnswerPage
const opened: string[] = []

beforeEach(() => {
  root = document.createElement("div")
  document.body.replaceChildren(root)
  page = new AnswerPage(root, { copy: "Copy", copied: "Copied", code: "Code", table: "Table" }, { onLink: (url) => { opened.push(url) }, onCopy: async () => undefined })
})
afterEach(() => page.destroy())

function show(parts: string[]): void {
  root.replaceChildren()
  page.destroy()
  page = new AnswerPage(root, { copy: "Copy", copied: "Copied", code: "Code", table: "Table" }, { onLink: (url) => { opened.push(url) }, onCopy: async () => undefined })
  const renderer = new TailRenderer()
  for (const part of parts) page.apply(renderer.push(part))
  renderer.finish()
  page.apply({ from: 0, blocks: renderer.html() })
}

/** The rules of an inert answer; formulas may hold KaTeX's own svg and style. */
function expectInert(text: string): void {
  const note = JSON.stringify(text.slice(0, 200))
  expect(root.querySelector(FORBIDDEN), note).toBeNull()
  for (const element of root.querySelectorAll("*")) {
    const inFormula = element.closest(".katex") !== null
    if (element.localName === "input") {
      expect(element.getAttribute("type"), note).toBe("checkbox")
      expect(element.hasAttribute("disabled"), note).toBe(true)
    }
    if (element.localName === "svg") expect(inFormula, note).toBe(true)
    if (element.localName === "button") expect(element.className, note).toBe("code-copy")
    for (const { name, value } of element.attributes) {
      expect(name.startsWith("on"), `${note} ${name}`).toBe(false)
      expect(FETCHING.includes(name), `${note} ${name}`).toBe(false)
      if (name === "style") {
        expect(inFormula, `${note} style`).toBe(true)
        expect(/url|expression|import/i.test(value), `${note} ${value}`).toBe(false)
      }
      if (name === "id" || name === "name") expect.fail(`${note} has ${name}`)
      if (name === "data-href") expect(safeUrl(value), `${note} ${value}`).toBe(value)
    }
  }
}

describe("hostile Markdown is inert", () => {
  it("has at least 150 payloads", () => {
    expect(PAYLOADS).toBeGreaterThanOrEqual(150)
  })

  it("and these rules would notice", () => {
    const dangers = ["<img src=x>", "<p onclick=a>x</p>", "<a href='https://a.example'>x</a>", "<p style='color:red'>x</p>", "<svg></svg>", "<input type=text>", "<button>x</button>", "<a data-href='javascript:a'>x</a>", "<p id=app>x</p>"]
    for (const html of dangers) {
      root.innerHTML = html
      expect(() => expectInert(html), html).toThrow()
    }
  })

  it("at the second wall alone, should the first one fail", () => {
    for (const html of RAW_HTML) {
      root.replaceChildren(toFragment(html))
      for (const link of root.querySelectorAll("[data-href]")) link.remove()
      for (const button of root.querySelectorAll(".code-copy")) button.remove()
      expectInert(html)
    }
  })

  const documents = hostileDocuments()
  it(`in every position (${documents.length} documents)`, () => {
    for (const text of documents) {
      show([text])
      expectInert(text)
    }
  }, 120_000)

  it("while it streams in", () => {
    const random = seeded(11)
    for (const text of documents.filter((_, index) => index % 5 === 0)) {
      const renderer = new TailRenderer()
      root.replaceChildren()
      page.destroy()
      page = new AnswerPage(root, { copy: "", copied: "", code: "", table: "" }, { onLink: () => undefined, onCopy: async () => undefined })
      for (const part of split(random, text.slice(0, 400), 12)) {
        page.apply(renderer.push(part))
        expectInert(text)
      }
    }
  }, 120_000)

  it("in formulas that KaTeX sets", async () => {
    for (const text of documents.filter((item) => item.includes("$$") || item.includes("\\(") || item.includes("\\["))) {
      show([text])
      for (const span of root.querySelectorAll<HTMLElement>("span.math")) {
        const started = performance.now()
        await setFormula(span)
        expect(performance.now() - started, text).toBeLessThan(BUDGET_MS)
      }
      expectInert(text)
    }
  }, 120_000)

  it("shows raw HTML as text", () => {
    show(["A <b>bold</b> <script>alert(1)</script> claim."])
    expect(root.textContent).toBe("A <b>bold</b> <script>alert(1)</script> claim.")
  })

  it("turns pictures into links and bad links into text", () => {
    show(["![chart](https://example.org/a.png) [x](javascript:alert(1))"])
    const links = root.querySelectorAll("[data-href]")
    expect(links.length).toBe(1)
    expect(links[0]?.textContent).toBe("chart (https://example.org/a.png)")
    expect(root.textContent).toContain("x")
  })

  it("opens a link only through its callback", () => {
    opened.length = 0
    show(["[x](https://example.org/a)"])
    root.querySelector<HTMLElement>("[data-href]")?.click()
    expect(opened).toEqual(["https://example.org/a"])
  })
})

describe("size does not stop the page", () => {
  for (const [name, text] of Object.entries(BOMBS)) {
    it(name, () => {
      const renderer = new TailRenderer()
      const started = performance.now()
      renderer.push(text)
      renderer.finish()
      expect(performance.now() - started).toBeLessThan(BUDGET_MS)
      show([text.slice(0, 20_000)])
      expectInert(text)
    }, 60_000)
  }
})
