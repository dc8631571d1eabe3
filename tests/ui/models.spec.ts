// The Models screen on real files: what is there and what is wrong with it, which one answers, deleting, and a smaller copy of the starter model.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { newHome, removeHome } from "./support/driver"
import { Hearth } from "./support/hearth"
import { addLongModel, LONG_NAME } from "./support/server"

const home = newHome()
const models = join(home, "models")
let hearth: Hearth

beforeAll(async () => {
  mkdirSync(models, { recursive: true })
  writeFileSync(join(models, "letter.gguf"), "this is a letter, not a model")
  addLongModel(home)
  hearth = await Hearth.open({ home })
  await hearth.click("nav-models")
  await hearth.at("models").waitForExist()
})
afterAll(async () => {
  await hearth.close({ keep: true })
  removeHome(home)
})

const card = (name: string) => hearth.browser.$(`[data-testid="model"][data-model="${name}"]`)
const names = async () => hearth.browser.execute(() => [...document.querySelectorAll<HTMLElement>('[data-testid="model"]')].map((row) => row.dataset["model"]))
const inCard = async (name: string, testid: string) => card(name).$(`[data-testid="${testid}"]`)
/** Clicks what may only just have appeared. */
async function press(name: string, testid: string): Promise<void> {
  const button = await inCard(name, testid)
  await button.waitForClickable()
  await button.click()
}
const long = LONG_NAME.toLowerCase()

test("every model is there, and a damaged one says what is wrong", async () => {
  await hearth.until("all models", async () => (await names()).length === 4)
  expect(await names()).toEqual(expect.arrayContaining(["starter", "letter", long]))
  await press("letter", "model-toggle")
  const problem = await inCard("letter", "model-problem")
  await problem.waitForExist()
  expect(await problem.getText()).toContain("GGUF")
  expect(await (await inCard("letter", "model-use")).isExisting()).toBe(false)
  await press("starter", "model-toggle")
  const facts = await inCard("starter", "model-facts")
  await facts.waitForExist()
  expect(await facts.getText()).toMatch(/llama[\s\S]*135 M[\s\S]*8,192 tokens/)
  expect(await (await inCard("starter", "model-remove")).isExisting()).toBe(false)
})

test("a file that somebody else adds shows by itself, and goes again", async () => {
  const file = join(models, "second-letter.gguf")
  writeFileSync(file, "another letter")
  await hearth.until("it shows", async () => (await names()).includes("second-letter"))
  rmSync(file)
  await hearth.until("it is gone", async () => !(await names()).includes("second-letter"))
})

test("a model gets an alias and loses it again", async () => {
  await (await inCard("starter", "alias-new")).setValue("letter")
  await press("starter", "alias-add")
  const trouble = await inCard("starter", "alias-trouble")
  await trouble.waitForExist()
  expect(await trouble.getText()).toContain("letter")
  await (await inCard("starter", "alias-new")).setValue("quick")
  await press("starter", "alias-add")
  const alias = await inCard("starter", "alias")
  await alias.waitForExist()
  expect(await alias.getText()).toBe("quick")
  expect(await card("starter").getText()).toContain("· quick")
  await press("starter", "alias-remove")
  await hearth.until("it is gone", async () => !(await (await inCard("starter", "alias")).isExisting()))
})

test("a search leaves what is called so", async () => {
  await hearth.fill("letter", "models-search")
  await hearth.until("one", async () => (await names()).length === 1)
  await hearth.fill("nobody is called that", "models-search")
  await hearth.at("models-none").waitForExist()
  await hearth.fill("", "models-search")
  await hearth.until("all", async () => (await names()).length === 4)
})

test("another model answers the chats from the click on", async () => {
  await press(long, "model-use")
  await (await inCard(long, "model-in-use")).waitForExist()
  const view = (await hearth.invoke("get_settings")).ok as { settings: { model: string } }
  expect(view.settings.model).toBe(long)
  await press("starter", "model-use")
  await (await inCard("starter", "model-in-use")).waitForExist()
})

test("a model is deleted after a question, and nothing else is", async () => {
  await press("letter", "model-toggle")
  await press("letter", "model-remove")
  await hearth.at("remove-dialog").waitForExist()
  expect(existsSync(join(models, "letter.gguf"))).toBe(true)
  await hearth.click("remove-confirm")
  await hearth.until("gone", async () => !(await names()).includes("letter"))
  expect(readdirSync(models)).toEqual([`${LONG_NAME}.gguf`])
})

test("a smaller copy says its size first, is made in the background, and is a model then", async () => {
  if (!(await (await inCard("starter", "model-copy")).isExisting())) await press("starter", "model-toggle")
  await press("starter", "model-copy")
  await hearth.at("copy-dialog").waitForExist()
  await hearth.at("copy-Q8_0").click()
  await hearth.at("copy-error").waitForExist({ timeout: 60_000 })
  expect(await hearth.textOf("copy-error")).toContain("the original has")
  expect(await hearth.at("copy-confirm").isEnabled()).toBe(false)
  await hearth.at("copy-Q2_K").click()
  await hearth.at("copy-sizes").waitForExist({ timeout: 60_000 })
  expect(await hearth.textOf("copy-sizes")).toMatch(/\d+ MB instead of \d+ MB/)
  await hearth.at("copy-measure").click()
  await hearth.click("copy-confirm")
  await hearth.at("copying").waitForExist({ timeout: 60_000 })
  // It does not depend on the screen.
  await hearth.click("close-models")
  await hearth.click("nav-models")
  await hearth.at("copying-made").waitForExist({ timeout: 300_000 })
  await hearth.until("the copy", async () => (await names()).includes("starter-q2_k"))
  expect(existsSync(join(models, "starter-q2_k.gguf"))).toBe(true)
  await hearth.click("copying-end")
  await hearth.at("copying").waitForExist({ reverse: true })
}, 400_000)

test("a copy that is cancelled leaves nothing behind", async () => {
  await press("starter-q2_k", "model-toggle")
  await press("starter-q2_k", "model-remove")
  await hearth.click("remove-confirm")
  await hearth.until("gone", async () => !(await names()).includes("starter-q2_k"))
  const started = await hearth.invoke("change_models", { change: { type: "copy", name: "starter", quantisation: "Q2_K", measure: false } })
  expect(started).toHaveProperty("ok")
  expect(((await hearth.invoke("change_models", { change: { type: "copy", name: "starter", quantisation: "Q3_K_M", measure: false } })).refused)).toContain("busy")
  expect(await hearth.invoke("change_models", { change: { type: "end_copy" } })).toHaveProperty("ok")
  await hearth.until("nothing left", async () => readdirSync(models).length === 1)
}, 120_000)
