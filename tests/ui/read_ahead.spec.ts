// Reading ahead: the model reads a message while it is typed, unless an answer runs or the user has switched it off.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { newHome, removeHome } from "./support/driver"
import { Hearth } from "./support/hearth"

const DRAFT = "A message that is typed with some care"
const home = newHome()
let hearth: Hearth

beforeAll(async () => {
  hearth = await Hearth.open({ home })
  // The model is loaded from here on.
  await hearth.ask("!say hello")
})
beforeEach(async () => {
  await hearth.click("new-chat")
  await hearth.at("empty-chat").waitForExist()
  await watch()
})
afterAll(async () => {
  await hearth.close({ keep: true })
  removeHome(home)
})

type Spy = Window & { __drafts?: string[] }

/** Notes every call of the command from here on. The door itself cannot be replaced, but what goes through it is a request. */
async function watch(): Promise<void> {
  await hearth.browser.execute(() => {
    const page = window as Spy
    if (page.__drafts === undefined) {
      const { fetch } = window
      window.fetch = (input, options) => {
        if (String(input).endsWith("/read_ahead")) page.__drafts?.push((JSON.parse(String(options?.body)) as { draft: string }).draft)
        return fetch(input, options)
      }
    }
    page.__drafts = []
  })
}

const drafts = () => hearth.browser.execute(() => (window as Spy).__drafts ?? [])

test("a message is read while it is typed, and not stored as a message", async () => {
  await hearth.fill(DRAFT)
  await hearth.until("the draft to be read", async () => (await drafts()).length > 0)
  await hearth.fill(`${DRAFT}, and then`)
  await hearth.browser.pause(800)
  expect(await drafts()).toEqual([DRAFT])
  expect(await hearth.messages()).toEqual([])
})

test("nothing is read while an answer runs", async () => {
  await hearth.send(`!slow 10 ${"word ".repeat(200).trim()}`)
  await hearth.streamed(20)
  await watch()
  await hearth.fill(DRAFT)
  await hearth.browser.pause(800)
  expect(await drafts()).toEqual([])
  await hearth.click("stop")
  await hearth.ended("stopped")
})

test("nothing is read when it is switched off", async () => {
  expect(await hearth.invoke("set_setting", { change: { key: "read_ahead", value: false } })).toHaveProperty("ok")
  await hearth.browser.pause(300)
  await hearth.fill(DRAFT)
  await hearth.browser.pause(800)
  expect(await drafts()).toEqual([])
  expect(await hearth.invoke("reset_setting", { key: "read_ahead" })).toHaveProperty("ok")
})
