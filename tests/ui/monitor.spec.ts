// The Monitor screen and what heat does, on a recorded machine: it is cool for a moment, then hot. No figure here is this machine's.
import { existsSync, readFileSync } from "node:fs"
import { afterAll, beforeAll, expect, test } from "vitest"
import { COOL, HOT, record } from "./support/afternoon"
import { newHome, removeHome } from "./support/driver"
import { Hearth } from "./support/hearth"

const home = newHome()
let hearth: Hearth
beforeAll(async () => {
  hearth = await Hearth.open({ home, env: { HEARTH_REPLAY: record(home, [COOL, 6], [HOT, 900]) } })
  await hearth.monitor()
})
afterAll(async () => {
  await hearth.close({ keep: true })
  removeHome(home)
})

const tile = (id: string) => hearth.browser.execute((name) => document.querySelector<HTMLElement>(`[data-tile="${name}"]`)?.innerText ?? "", id)
const figure = (id: string) => hearth.browser.execute((name) => document.querySelector<HTMLElement>(`[data-figure="${name}"] dd`)?.innerText ?? "", id)
const points = async () => Number(await hearth.at("plots").getAttribute("data-points"))
const level = () => hearth.at("level").getAttribute("data-level")
const focusPlots = () => hearth.browser.execute(() => document.querySelector<HTMLElement>('[data-testid="plot-area"]')?.focus())
/** Whether something is drawn in a plot: its canvas has pixels that are not clear. */
const drawn = (plot: string) => hearth.browser.execute((name) => {
  const canvas = document.querySelector<HTMLCanvasElement>(`[data-plot="${name}"] canvas`)
  const pixels = canvas?.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? []
  return pixels.some((value) => value !== 0)
}, plot)

test("the head says what the machine says, and n/a where it says nothing", async () => {
  await hearth.until("the recorded figures", async () => (await tile("watts")).includes(" W"))
  expect(await tile("memory")).toContain("11.0 GB")
  expect(await tile("memory")).toContain("of 16.0 GB")
  expect(await tile("celsius")).toMatch(/5\d °C|97 °C/)
  await hearth.until("it to be hot", async () => (await tile("celsius")).includes("97 °C"), 20_000)
  expect(await tile("celsius")).toContain("Hot")
})

test("heat slows, and the screen says why and shows since when", async () => {
  await hearth.until("slowed", async () => ["slowed", "held"].includes((await level()) ?? ""), 30_000)
  expect(await hearth.textOf("level")).toMatch(/^Answers are written at \d+% of full speed.* because the computer is hot \(97 °C\)/)
  // The alert about heat falls on the same moment, and gives the sign of both.
  await hearth.until("the mark", async () => hearth.browser.$('[data-testid="mark"][title*="Answers are written at"]').isExisting(), 20_000)
  expect(await hearth.textOf("legend")).toContain("Slowed")
})

test("all plots grow by themselves, each second", async () => {
  await hearth.at("range-minute").click()
  await hearth.until("points", async () => (await points()) > 3)
  const before = await points()
  await hearth.until("more points", async () => (await points()) > before + 2)
  for (const plot of ["speed", "heat", "memory", "queue"]) expect([plot, await drawn(plot)]).toEqual([plot, true])
})

test("arrow keys read moments, in figures and a sentence; Escape lets go and stays", async () => {
  await focusPlots()
  await hearth.browser.keys("End")
  await hearth.at("cursor-time").waitForExist()
  expect(await figure("cpuCelsius")).toBe("97 °C")
  await hearth.until("the sentence", async () => (await hearth.at("explanation").getAttribute("data-ready")) === "true")
  expect(await hearth.textOf("explanation")).toContain("the computer is hot (97 °C)")
  const at = await hearth.textOf("cursor-time")
  await hearth.browser.keys("ArrowLeft")
  await hearth.until("another time", async () => (await hearth.textOf("cursor-time")) !== at)
  await hearth.browser.keys("Home")
  await hearth.until("the cool beginning", async () => (await figure("cpuCelsius")) === "52 °C")
  await hearth.browser.keys("Escape")
  await hearth.until("no cursor", async () => !(await hearth.has("cursor-time")))
  expect(await hearth.has("monitor")).toBe(true)
})

test("a click holds the cursor where it is while time goes on", async () => {
  await hearth.browser.$('[data-plot="heat"] .u-over').click()
  await hearth.at("held").waitForExist()
  const at = await hearth.textOf("cursor-time")
  const before = await points()
  await hearth.until("time to go on", async () => (await points()) !== before, 5000).catch(() => undefined)
  expect(await hearth.textOf("cursor-time")).toBe(at)
  await hearth.browser.$('[data-plot="heat"] .u-over').click()
  await hearth.until("free", async () => !(await hearth.has("held")))
})

test("the table has the same figures", async () => {
  await hearth.click("as-table")
  const rows = () => hearth.browser.execute(() => [...document.querySelectorAll<HTMLElement>('[data-testid="monitor-row"]')].map((row) => row.innerText.replace(/\s+/g, " ")))
  await hearth.until("rows", async () => (await rows()).length > 3)
  expect((await rows())[0]).toMatch(/^\d\d:\d\d:\d\d .* 44 W 97 °C 93 °C 11\.0 GB 0 GB /)
  await hearth.click("as-table")
})

test("an export lies where it is said, in both forms", async () => {
  for (const format of ["csv", "json"]) {
    await hearth.click(`export-${format}`)
    await hearth.until(`the ${format}`, async () => (await hearth.textOf("toast")).includes(`.${format}`))
    const place = /Written to (\S.*\.(?:csv|json))/.exec(await hearth.textOf("toast"))?.[1] ?? ""
    expect([place, existsSync(place)]).toEqual([place, true])
    const text = readFileSync(place, "utf8")
    if (format === "json") expect(JSON.parse(text)).toHaveProperty("history.series.cpuCelsius")
    else expect(text.split("\n")[0]).toContain("cpu_celsius")
    expect(await hearth.has("open-exports")).toBe(true)
  }
})

test("an answer that heat slows says so while it is written, and afterwards", async () => {
  await hearth.click("new-chat")
  await hearth.at("empty-chat").waitForExist()
  await hearth.send(`!slow 20 ${"word ".repeat(200)}`)
  await hearth.streamed(20)
  await hearth.at("slowed-now").waitForExist()
  expect(await hearth.textOf("slowed-now")).toContain("Slowed by heat")
  await hearth.ended("complete", 60_000)
  expect(await hearth.has("slowed-now")).toBe(false)
  expect(await hearth.textOf("answer-slowed")).toMatch(/^Slowed by heat/)
})

test("the settings tell of each choice what it would do now", async () => {
  await hearth.settings("heat")
  const previews = () => hearth.browser.execute(() => [...document.querySelectorAll<HTMLElement>('[data-testid="choice-heat_slows"] [data-testid="preview"]')].map((line) => line.innerText))
  await hearth.until("the previews", async () => (await previews()).every((line) => line.startsWith("Now: ")))
  expect((await previews())[1]).toMatch(/^Now: answers would be written at \d+% of full speed.* because the computer is hot/)
  expect(await hearth.textOf("heat-now")).toContain("because the computer is hot")
  await hearth.browser.$('[data-testid="choice-heat_slows"][data-value="late"] input').click()
  await hearth.at("reset-heat_slows").waitForExist()
  expect(readFileSync(`${home}/config.toml`, "utf8")).toMatch(/\[heat\][^[]*slows = "late"/)
})

test("an alert can be muted alone, and its limit set", async () => {
  await hearth.settings("heat")
  await hearth.browser.execute(() => document.querySelector<HTMLElement>('[data-testid="tell-queue"]')?.click())
  await hearth.until("it to be muted", async () => /muted = "queue"/.test(readFileSync(`${home}/config.toml`, "utf8")))
  expect(await hearth.at("tell-memory").isSelected()).toBe(true)
})

test("without sensors nothing is 0", async () => {
  await hearth.close({ keep: true })
  const silent = record(home, [{ ...COOL, celsius: null, watts: null }, 300])
  hearth = await Hearth.open({ home, env: { HEARTH_REPLAY: silent } })
  await hearth.monitor()
  await hearth.until("the memory", async () => (await tile("memory")).includes("11.0 GB"))
  expect(await tile("watts")).toContain("n/a")
  expect(await tile("celsius")).toContain("n/a")
  await hearth.until("the figures", async () => (await figure("memoryUsedBytes")) === "11.0 GB")
  expect([await figure("systemWatts"), await figure("gpuCelsius")]).toEqual(["n/a", "n/a"])
})
