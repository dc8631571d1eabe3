// Settings: what is changed takes effect at once, is on disk as plain text, and survives a damaged file.
import { readFileSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { newHome, removeHome } from "./support/driver"
import { Hearth } from "./support/hearth"

const home = newHome()
const file = join(home, "config.toml")
let hearth: Hearth

beforeAll(async () => {
  hearth = await Hearth.open({ home })
})
afterAll(async () => {
  await hearth.close({ keep: true })
  removeHome(home)
})

type Look = { theme: string | undefined; background: string; colour: string }

async function look(): Promise<Look> {
  return hearth.browser.execute(() => {
    const style = getComputedStyle(document.body)
    return { theme: document.documentElement.dataset["theme"], background: style.backgroundColor, colour: style.color }
  })
}

async function choose(key: string, value: string): Promise<void> {
  await hearth.at(`setting-${key}`).$("select").selectByAttribute("value", value)
}

async function number(key: string, value: string): Promise<void> {
  await hearth.browser.execute((id, text) => {
    const input = document.querySelector<HTMLInputElement>(`[data-testid="setting-${id}"] input[type="number"]`)
    if (!input) throw new Error(`no ${id}`)
    input.value = text
    input.dispatchEvent(new Event("change", { bubbles: true }))
  }, key, value)
}

const numberOf = (key: string) => hearth.at(`setting-${key}`).$('input[type="number"]').getValue()

test("the theme changes colours at once and survives a restart", async () => {
  await hearth.settings("appearance")
  await choose("theme", "light")
  await hearth.until("light", async () => (await look()).theme === "light")
  const light = await look()
  await choose("theme", "dark")
  await hearth.until("dark", async () => (await look()).theme === "dark")
  const dark = await look()
  expect(dark.background).not.toBe(light.background)
  expect(dark.colour).not.toBe(light.colour)
  await hearth.close({ keep: true })
  hearth = await Hearth.open({ home })
  expect(await look()).toEqual(dark)
})

test("text size and language change the window at once", async () => {
  await hearth.settings("appearance")
  const size = () => hearth.browser.execute(() => parseFloat(getComputedStyle(document.querySelector('[data-testid="nav-settings"]') as Element).fontSize))
  const normal = await size()
  await choose("text_size", "large")
  await hearth.until("larger text", async () => (await size()) > normal)
  await choose("language", "de")
  await hearth.until("German", async () => (await hearth.textOf("nav-settings")) === "Einstellungen")
  expect(await hearth.browser.execute(() => document.documentElement.lang)).toBe("de")
  await choose("language", "en")
  await choose("text_size", "normal")
  await hearth.until("normal text", async () => (await size()) === normal)
})

test("the temperature is written to config.toml, and its row takes it back", async () => {
  await hearth.settings("generation")
  const before = await numberOf("temperature")
  await number("temperature", "0.9")
  await hearth.until("the file to say so", async () => /^temperature = 0\.9$/m.test(readFileSync(file, "utf8")))
  await hearth.click("reset-temperature")
  await hearth.until("the default", async () => (await numberOf("temperature")) === before)
  await hearth.until("the file to be clean", async () => !/^temperature = 0\.9$/m.test(readFileSync(file, "utf8")))
  await hearth.at("reset-temperature").waitForExist({ reverse: true })
})

test("a value out of range is brought into it by the row, and refused from anyone else", async () => {
  await hearth.settings("generation")
  await number("temperature", "9")
  await hearth.until("the highest value", async () => (await numberOf("temperature")) === "2")
  expect((await hearth.invoke("set_setting", { change: { key: "temperature", value: 9 } })).refused).toContain("invalid_input")
  expect(readFileSync(file, "utf8")).not.toMatch(/temperature = 9/)
  await hearth.click("reset-temperature")
  await hearth.at("reset-temperature").waitForExist({ reverse: true })
})

test("the tray can be switched off where there is no Dock", async () => {
  expect(await hearth.invoke("set_setting", { change: { key: "show_in_menu_bar", value: false } })).toHaveProperty("ok")
  expect(await hearth.invoke("reset_setting", { key: "show_in_menu_bar" })).toHaveProperty("ok")
})

test("a damaged settings file is repaired, kept aside and told of", async () => {
  await hearth.close({ keep: true })
  const text = readFileSync(file, "utf8").replace(/^temperature.*\n/m, "")
  writeFileSync(file, /^\[generation\]$/m.test(text) ? text.replace(/^\[generation\]$/m, '[generation]\ntemperature = "hot"') : `temperature = "hot"\n${text}`)
  hearth = await Hearth.open({ home })
  await hearth.settings("generation")
  expect(await hearth.textOf("repaired")).toContain("temperature")
  expect(Number((await numberOf("temperature")).replace(",", "."))).toBeGreaterThan(0)
  expect(readdirSync(home).filter((name) => name.startsWith("config") && name !== "config.toml")).toHaveLength(1)
  expect((await look()).theme).toBe("dark")
})

test("a settings file that is no TOML at all does not keep the window shut", async () => {
  await hearth.close({ keep: true })
  writeFileSync(file, "\u0000 not [ toml")
  hearth = await Hearth.open({ home })
  await hearth.settings("general")
  expect((await hearth.textOf("repaired")).length).toBeGreaterThan(20)
})
