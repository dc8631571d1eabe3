// A long answer in the real window: all of it arrives, the window never hangs, and the view stays where the reader wants it.
import { afterAll, beforeAll, expect, test } from "vitest"
import { longAnswer } from "./support/content"
import { Hearth } from "./support/hearth"

type Timed = Window & { __frames: number[]; __watching: boolean }

/** Question and answer must both fit the fake model's context, in which each byte is a token. */
const CHARACTERS = 7500
const LONGEST_FRAME_MS = 1000

let hearth: Hearth
beforeAll(async () => {
  hearth = await Hearth.open()
  await hearth.set("max_tokens", 32_768)
})
afterAll(async () => hearth.close())

test("while a long answer streams the window stays responsive and ends at the bottom", async () => {
  await hearth.browser.execute(() => {
    const timed = window as unknown as Timed
    timed.__frames = []
    timed.__watching = true
    let last = performance.now()
    const tick = () => {
      const now = performance.now()
      timed.__frames.push(now - last)
      last = now
      if (timed.__watching) setTimeout(tick, 5)
    }
    tick()
  })
  const text = longAnswer(CHARACTERS)
  await hearth.ask(`!slow 0 ${text}`, 40_000)
  const frames = await hearth.browser.execute(() => {
    (window as unknown as Timed).__watching = false
    return (window as unknown as Timed).__frames.slice().sort((a, b) => a - b)
  })
  const p95 = frames[Math.floor(frames.length * 0.95)] ?? 0
  const longest = frames.at(-1) ?? 0
  console.log(`${frames.length} turns of the page's loop: p95 ${p95.toFixed(1)} ms, longest ${longest.toFixed(1)} ms`)
  expect(longest).toBeLessThan(LONGEST_FRAME_MS)
  const parts = text.match(/^## Part \d+$/gm) ?? []
  expect(await hearth.browser.execute(() => document.querySelectorAll('[data-testid="answer-text"] h2').length)).toBe(parts.length)
  expect(await hearth.has("jump-latest")).toBe(false)
})

test("who scrolls up stays there, and one button leads back", async () => {
  await hearth.click("new-chat")
  await hearth.at("empty-chat").waitForExist()
  await hearth.send(`!slow 1 ${longAnswer(CHARACTERS)}`)
  await hearth.streamed(1500)
  await hearth.browser.execute(() => {
    const log = document.querySelector('[data-testid="transcript"]')
    if (!log) return
    log.dispatchEvent(new WheelEvent("wheel", { deltaY: -500, bubbles: true }))
    log.scrollTop = 100
  })
  await hearth.at("jump-latest").waitForDisplayed()
  await hearth.browser.pause(500)
  expect(await hearth.browser.execute(() => document.querySelector('[data-testid="transcript"]')?.scrollTop)).toBe(100)
  await hearth.click("jump-latest")
  await hearth.at("jump-latest").waitForExist({ reverse: true })
  await hearth.click("stop")
})
