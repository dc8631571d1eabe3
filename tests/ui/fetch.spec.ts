// Before and while a model is fetched: whether it fits, what is asked, who needs a token, and what is offered; and a model that is loaded whatever its verdict.
import { afterAll, beforeAll, expect, test } from "vitest"
import { newHome, removeHome } from "./support/driver"
import { Hearth } from "./support/hearth"
import { GATED, GIANT, Hub, SMALL, TOKEN } from "./support/hub"
import { addGiant } from "./support/models"

const home = newHome()
const LONG = 60_000
let hub: Hub
let hearth: Hearth

beforeAll(async () => {
  hub = await Hub.start()
  addGiant(home)
  hearth = await Hearth.open({ home, env: { HF_ENDPOINT: hub.address, HF_TOKEN: undefined, HEARTH_DISK_RESERVE_GB: "0" } })
})
afterAll(async () => {
  await hearth.close({ keep: true })
  await hub.close()
  removeHome(home)
})

const settings = async () => ((await hearth.invoke("get_settings")).ok as { settings: Record<string, unknown> }).settings
const card = (name: string) => hearth.browser.$(`[data-testid="model"][data-model="${name}"]`)
const verdict = async (name: string) => card(name).$('[data-testid="fit-badge"]').getAttribute("data-verdict")

async function open(page: "installed" | "discover"): Promise<void> {
  if (!(await hearth.has("models"))) await hearth.click("nav-models")
  await hearth.click(`models-tab-${page}`)
}

async function want(name: string): Promise<void> {
  await open("discover")
  await hearth.fill(name, "fetch-name")
  await hearth.click("fetch-other")
}

test("the best model is offered after the first answer, once", async () => {
  await hearth.ask("hello")
  await hearth.at("offer").waitForExist({ timeout: LONG })
  expect(await hearth.textOf("offer")).toMatch(/suits this computer best/)
  await hearth.click("offer-later")
  await hearth.at("offer").waitForExist({ reverse: true })
  await hearth.until("remembered", async () => (await settings())["modelOffered"] === true)
  await hearth.ask("hello again")
  expect(await hearth.has("offer")).toBe(false)
}, 2 * LONG)

test("every model says whether it fits", async () => {
  await open("installed")
  await card("giant").waitForExist({ timeout: LONG })
  expect(await verdict("giant")).toBe("too_big")
  expect(await verdict("starter")).not.toBe("too_big")
  await open("discover")
  await hearth.at("suggested").waitForExist()
  const badges = await hearth.browser.execute(() => [...document.querySelectorAll('[data-testid="suggested"]')].map((row) => row.querySelector('[data-testid="fit-badge"]') !== null))
  expect(badges.length).toBeGreaterThan(10)
  expect(badges).not.toContain(false)
}, 2 * LONG)

test("what a model takes is shown before it is fetched", async () => {
  await want(SMALL)
  await hearth.at("fetch-dialog").waitForExist({ timeout: LONG })
  expect(await hearth.textOf("fetch-dialog")).toMatch(/Small-Q4_0[\s\S]*17 MB to download[\s\S]*It fits/)
  expect(hub.sent[SMALL]).toBeLessThanOrEqual(2 ** 20)
  await hearth.click("fetch-confirm")
  await open("installed")
  await card("small-q4_0").waitForExist({ timeout: LONG })
}, 2 * LONG)

test("what fits nowhere is fetched only after a question", async () => {
  await want(GIANT)
  await hearth.at("fetch-dialog").waitForExist({ timeout: LONG })
  expect(await hearth.textOf("fetch-dialog")).toContain("too big for this machine")
  expect(await hearth.textOf("fetch-confirm")).toBe("Download anyway")
  await hearth.browser.keys("Escape")
  await hearth.at("fetch-dialog").waitForExist({ reverse: true })
  const { downloads } = (await hearth.invoke("model_work")).ok as { downloads: { title: string; state: { type: string } }[] }
  expect(downloads.filter(({ title }) => title.includes("Giant"))).toEqual([])
}, 2 * LONG)

test("a token is asked for where it is needed, kept, and forgotten", async () => {
  await want(GATED)
  await hearth.at("sign-in").waitForExist({ timeout: LONG })
  await hearth.fill(TOKEN, "token-field")
  await hearth.click("token-keep")
  await hearth.at("fetch-dialog").waitForExist({ timeout: LONG })
  await hearth.browser.keys("Escape")
  await hearth.at("fetch-dialog").waitForExist({ reverse: true })
  expect(await settings()).toMatchObject({ hubTokenKept: true })
  expect(JSON.stringify([await settings(), await hearth.invoke("model_work")])).not.toContain(TOKEN)
  await hearth.click("close-models")
  await hearth.settings("advanced")
  await hearth.at("token-kept").waitForExist()
  await hearth.click("token-forget")
  await hearth.at("token-kept").waitForExist({ reverse: true })
  expect(await settings()).toMatchObject({ hubTokenKept: false })
  await hearth.click("close-settings")
}, 2 * LONG)

test("a model that does not fit can be loaded anyway", async () => {
  await hearth.set("model", "giant")
  const refused = await hearth.ask("hello", LONG)
  expect(refused.status).toBe("failed")
  await hearth.click("error-other")
  await hearth.until("an answer", async () => (await hearth.answer()).status === "complete", LONG)
  await hearth.set("model", "starter")
}, 2 * LONG)
