// Machines that lack something, and those that have it: no session bus, an odd locale, a tray.
import { spawnSync } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { afterEach, expect, test } from "vitest"
import { newHome } from "./support/driver"
import { Hearth } from "./support/hearth"
import { isAlive } from "./support/processes"
import { TrayHost } from "./support/tray_host"

let hearth: Hearth | null = null
let tray: TrayHost | null = null

afterEach(async () => {
  await hearth?.close()
  tray?.stop()
  hearth = null
  tray = null
})

test("without a session bus the window opens, answers, and Settings names what is missing", async () => {
  hearth = await Hearth.open({ env: { DBUS_SESSION_BUS_ADDRESS: undefined, XDG_RUNTIME_DIR: undefined } })
  expect(await hearth.ask("Hello")).toMatchObject({ text: "You said: Hello", status: "complete" })
  await hearth.settings("advanced")
  expect(await hearth.textOf("notices")).toContain("D-Bus")
})

test("without a key store no key is made, and it is said why", async () => {
  // The fake model keeps secrets in memory; the real one's program asks the system.
  hearth = await Hearth.open({ engine: "real", env: { DBUS_SESSION_BUS_ADDRESS: undefined, XDG_RUNTIME_DIR: undefined } })
  await hearth.server("access")
  await hearth.click("create-key")
  await hearth.fill("Editor", "key-name")
  await hearth.click("key-confirm")
  expect(await hearth.textOf("key-error")).toMatch(/key store cannot be used: .*Unlock it/)
  await hearth.browser.keys("Escape")
  await hearth.click("lan-switch")
  await hearth.click("lan-confirm")
  expect(await hearth.textOf("lan-error")).toContain("key store cannot be used")
  expect(await hearth.at("lan-switch").isSelected()).toBe(false)
  const reached = await fetch(`${await hearth.textOf("server-address")}/v1/models`)
  expect(reached.status).toBe(200)
})

test("a desktop without tray is told of too, and closing the last window would not hide it for good", async () => {
  hearth = await Hearth.open()
  await hearth.settings("advanced")
  expect(await hearth.textOf("notices")).toContain("no tray icons")
  expect(await hearth.invoke("app_info")).toMatchObject({ ok: { hasTray: false } })
})

test.each(["C", "C.UTF-8", "xx_YY.UTF-8", "de_DE.UTF-8"])("the locale %s does not keep the window shut", async (locale) => {
  hearth = await Hearth.open({ env: { LANG: locale, LC_ALL: undefined } })
  expect(await hearth.ask("Hello")).toMatchObject({ text: "You said: Hello" })
  await hearth.settings("general")
  const german = locale.startsWith("de")
  expect(await hearth.textOf("nav-settings")).toBe(german ? "Einstellungen" : "Settings")
})

test("with a tray the icon is registered, and a hidden window comes back on a second start", async () => {
  tray = await TrayHost.start()
  hearth = await Hearth.open()
  expect(await hearth.invoke("app_info")).toMatchObject({ ok: { hasTray: true, notices: [] } })
  await hearth.until("the icon to be registered", async () => (tray?.icons ?? 0) > 0)
  const visible = (wanted: boolean) => hearth?.until(`the window to be ${wanted ? "shown" : "hidden"}`, async () => (await hearth?.browser.execute(() => !document.hidden)) === wanted)
  await visible(true)
  await hearth.invoke("act_on_window", { action: { type: "hide" } })
  await visible(false)
  expect(isAlive(hearth.running.program)).toBe(true)
  const second = spawnSync(hearth.running.path, { env: { ...process.env, HEARTH_HOME: hearth.home, HEARTH_ENGINE: "fake" }, timeout: 10_000 })
  expect(second.status).toBe(0)
  await visible(true)
})

const hasXdotool = spawnSync("xdotool", ["version"]).status === 0

test.skipIf(!hasXdotool)("the global shortcut opens the popover and closes it again", async () => {
  hearth = await Hearth.open()
  const windows = () => spawnSync("xdotool", ["search", "--onlyvisible", "--name", "^Hearth$"]).stdout.toString().trim().split("\n").filter(Boolean).length
  const press = () => spawnSync("xdotool", ["key", "alt+shift+space"])
  await hearth.set("shortcut", "Alt+Shift+Space")
  press()
  await hearth.until("the popover", async () => windows() === 2)
  press()
  await hearth.until("the popover to close", async () => windows() === 1)
  expect((await hearth.invoke("set_setting", { change: { key: "shortcut", value: "Nonsense+Q" } })).refused).toBeDefined()
  await hearth.set("shortcut", "")
  press()
  await hearth.browser.pause(500)
  expect(windows()).toBe(1)
})

test("turning the tray off and on again leaves it in force", async () => {
  tray = await TrayHost.start()
  hearth = await Hearth.open()
  await hearth.set("show_in_menu_bar", false)
  expect(await hearth.invoke("app_info")).toMatchObject({ ok: { hasTray: false } })
  await hearth.set("show_in_menu_bar", true)
  expect(await hearth.invoke("app_info")).toMatchObject({ ok: { hasTray: true } })
})

test("a confirmed link reaches the browser as it was shown, and only then", async () => {
  const home = newHome()
  const [bin, opened] = [join(home, "bin"), join(home, "opened")]
  mkdirSync(bin)
  writeFileSync(join(bin, "xdg-open"), `#!/bin/sh\nprintf '%s' "$1" > '${opened}'\n`)
  chmodSync(join(bin, "xdg-open"), 0o755)
  hearth = await Hearth.open({ home, env: { PATH: `${bin}:${join(homedir(), ".cargo/bin")}:${process.env["PATH"] ?? ""}` } })
  await hearth.ask("!say [the page](https://example.org/a/path?with=query#part)")
  await hearth.browser.$("[data-href]").click()
  await hearth.at("link-dialog").waitForDisplayed()
  expect(existsSync(opened)).toBe(false)
  await hearth.click("open-link")
  await hearth.until("the browser to be asked", async () => existsSync(opened) && readFileSync(opened, "utf8") !== "")
  expect(readFileSync(opened, "utf8")).toBe("https://example.org/a/path?with=query#part")
  await hearth.at("link-dialog").waitForExist({ reverse: true })
})

test("all of its files lie in the one folder it was given", async () => {
  const began = new Date()
  hearth = await Hearth.open()
  await hearth.ask("Hello")
  await hearth.settings("appearance")
  await hearth.at("setting-theme").$("select").selectByAttribute("value", "dark")
  await hearth.browser.pause(500)
  // The program may be gone before it can answer.
  await hearth.invoke("quit_app").catch(() => undefined)
  await hearth.browser.pause(1500)
  const places = [".local/share", ".config", ".cache", ".local/state"].map((name) => join(process.env["HOME"] ?? "/", name))
  const written = spawnSync("find", [...places, "-ipath", "*hearth*", "-type", "f", "-newermt", began.toISOString()]).stdout.toString()
  expect(written).toBe("")
})
