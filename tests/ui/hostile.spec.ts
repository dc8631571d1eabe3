// Answers written to break out, in the real web view: nothing runs, nothing is fetched, nothing leaves the page.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { hostileDocuments } from "../../ui/src/features/chat/markdown/hostile"
import { Hearth } from "./support/hearth"

const LONGEST_DOCUMENT = 2000
/** Fits the context of the fake model, in which each byte is a token. */
const PER_ANSWER = 7500
/** Each payload stands in the list once for every position; a step that shares no factor with them visits all of both. */
const EVERY = 3

type Watched = Window & { __ran: string[]; __violations: string[] }

let hearth: Hearth

function answers(): string[] {
  const packed: string[] = []
  let answer = ""
  for (const [index, text] of hostileDocuments().entries()) {
    if (index % EVERY !== 0 || text.length > LONGEST_DOCUMENT) continue
    if (answer.length + text.length > PER_ANSWER) {
      packed.push(answer)
      answer = ""
    }
    answer += `${text}\n\n`
  }
  return [...packed, answer]
}

beforeAll(async () => {
  hearth = await Hearth.open()
  await hearth.set("max_tokens", 32_768)
  await hearth.browser.execute(() => {
    const watched = window as unknown as Watched
    watched.__ran = []
    watched.__violations = []
    for (const name of ["alert", "confirm", "prompt", "print"] as const) window[name] = (() => { watched.__ran.push(name) }) as never
    document.addEventListener("securitypolicyviolation", (event) => watched.__violations.push(`${event.violatedDirective} ${event.blockedURI}`))
  })
})
beforeEach(async () => {
  await hearth.click("new-chat")
  await hearth.at("empty-chat").waitForExist()
})
afterAll(async () => hearth.close())

async function harm() {
  return hearth.browser.execute(() => {
    const answers = [...document.querySelectorAll('[data-testid="answer-text"]')]
    const all = answers.flatMap((answer) => [...answer.querySelectorAll("*")])
    const inFormula = (element: Element) => element.closest(".katex") !== null
    return {
      ran: (window as unknown as Watched).__ran,
      violations: (window as unknown as Watched).__violations,
      elements: all.filter((element) => !inFormula(element) && element.matches("script, img, iframe, object, embed, svg, video, audio, link, meta, base, form, style, template, picture, source, textarea, select, math, portal, frame, frameset, input:not([type=checkbox][disabled])")).map((element) => element.outerHTML.slice(0, 120)),
      inFormulas: all.filter((element) => inFormula(element) && element.matches("script, img, iframe, a, style")).map((element) => element.outerHTML.slice(0, 120)),
      attributes: all.flatMap((element) => [...element.attributes].filter((attribute) => /^on|^(src|srcset|href|action|formaction|background|ping|poster|srcdoc|xlink:href)$/i.test(attribute.name)).filter((attribute) => !(inFormula(element) && attribute.name === "href")).map((attribute) => `${element.tagName} ${attribute.name}=${attribute.value.slice(0, 80)}`)),
      styles: all.filter((element) => !inFormula(element) && element.hasAttribute("style")).map((element) => element.outerHTML.slice(0, 120)),
      links: all.flatMap((element) => (element as HTMLElement).dataset?.["href"] ?? []).filter((url) => !/^(https?|mailto):/.test(url)),
      fetched: performance.getEntriesByType("resource").map((entry) => entry.name).filter((url) => !/^(tauri|ipc):\/\/localhost\//.test(url)),
      address: window.location.href,
    }
  })
}

const NO_HARM = { ran: [], violations: [], elements: [], inFormulas: [], attributes: [], styles: [], links: [], fetched: [] }

test.each(answers().map((text, index) => [index + 1, text] as const))("packed answer %i does no harm, while it streams and after", async (_, text) => {
  const where = await hearth.browser.getUrl()
  const shown = await hearth.ask(`!say ${text}\n\n${"`".repeat(9)}\n\n# The end`, 30_000)
  expect(shown.text, "the whole answer is there").toMatch(/The end$/)
  // Colours and formulas are added when the page is idle.
  await hearth.browser.pause(300)
  expect(await harm()).toEqual({ ...NO_HARM, address: where })
})

test("every link of an answer asks first, with the whole address, and does not leave the page", async () => {
  const url = `https://example.org/${"long/".repeat(30)}?and=a&query=${"x".repeat(60)}#end`
  await hearth.ask(`!say A [harmless looking text](${url}) and <${url}2>.`)
  const before = await hearth.browser.getUrl()
  for (const [index, wanted] of [url, `${url}2`].entries()) {
    await hearth.browser.execute((at) => document.querySelectorAll<HTMLElement>("[data-href]")[at]?.click(), index)
    await hearth.at("link-dialog").waitForDisplayed()
    expect(await hearth.textOf("link-dialog")).toContain(wanted)
    await hearth.browser.keys("Escape")
    await hearth.at("link-dialog").waitForExist({ reverse: true })
    expect(await hearth.browser.getUrl()).toBe(before)
  }
})

test("the watch itself notices a script, a picture and a fetch", async () => {
  await hearth.ask("!say harmless")
  await hearth.browser.execute(() => {
    const answer = document.querySelector('[data-testid="answer-text"]')
    answer?.insertAdjacentHTML("beforeend", '<img src="https://example.org/x.png"><p style="color:red" onclick="alert(1)">x</p>')
    window.alert("noticed")
  })
  await hearth.browser.pause(300)
  const seen = await harm()
  expect(seen.ran).toEqual(["alert"])
  expect(seen.elements).toHaveLength(1)
  expect(seen.styles).toHaveLength(1)
  expect(seen.attributes).toHaveLength(2)
  expect(seen.violations.join()).toContain("img-src")
})
