// How fast the Monitor screen is in the real web view: npm run monitor-speed, with HEARTH_PROGRAM=…/target/release/hearth-desktop. Opens on 30 days and draws ticks of an hour; prints milliseconds.
// Not part of npm test: figures need a quiet machine. Drawing is timed at the canvas, from the first call of a tick to its last.
import { fillMonth } from "./support/afternoon"
import { newHome, removeHome } from "./support/driver"
import { Hearth } from "./support/hearth"

const OPENINGS = 12
const TICKS = 20
const TARGETS = { open: 150, tick: 12 }

const middle = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
const text = (values: number[]) => `median ${middle(values).toFixed(1)} ms, worst ${Math.max(...values).toFixed(1)} ms`

/** From the click to the frame after the plots have their points. */
async function open(hearth: Hearth, range: string): Promise<{ ms: number; points: number }> {
  return hearth.browser.execute(async (testid) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done))
    const begin = performance.now()
    document.querySelector<HTMLElement>(testid)?.click()
    while (!document.querySelector('[data-plot="queue"] canvas')) await frame()
    await frame()
    return { ms: performance.now() - begin, points: Number(document.querySelector<HTMLElement>('[data-testid="plots"]')?.dataset["points"]) }
  }, range)
}

/** How long each of the next ticks draws. */
async function ticks(hearth: Hearth, count: number): Promise<number[]> {
  await hearth.browser.execute(() => {
    const page = window as unknown as { spans: [number, number][] }
    const canvas = CanvasRenderingContext2D.prototype
    page.spans = []
    for (const name of ["clearRect", "stroke", "fill", "fillText"] as const) {
      const original = canvas[name] as (...given: unknown[]) => void
      Object.defineProperty(canvas, name, {
        value(this: CanvasRenderingContext2D, ...given: unknown[]) {
          const begin = performance.now()
          original.apply(this, given)
          const last = page.spans.at(-1)
          if (last && begin - last[1] < 50) last[1] = performance.now()
          else page.spans.push([begin, performance.now()])
        },
      })
    }
  })
  await hearth.until("ticks", async () => hearth.browser.execute((many) => (window as unknown as { spans: unknown[] }).spans.length > many, count), (count + 10) * 1000)
  return hearth.browser.execute(() => (window as unknown as { spans: [number, number][] }).spans.slice(0, -1).map(([begin, end]) => end - begin))
}

/** What of an opening is the shell's answer: reading, putting together and handing over, without drawing. Asked in the page, since the way of the driver takes longer than all that. */
async function asked(hearth: Hearth): Promise<number> {
  const toMs = Date.now()
  return hearth.browser.execute(async (span) => {
    const page = window as unknown as { __TAURI_INTERNALS__: { invoke(name: string, given: object): Promise<unknown> } }
    const begin = performance.now()
    await page.__TAURI_INTERNALS__.invoke("get_history", { span })
    return performance.now() - begin
  }, { fromMs: toMs - 30 * 24 * 3_600_000, toMs, points: 1500 })
}

export async function main(): Promise<void> {
  const home = newHome()
  const first = await Hearth.open({ home })
  await first.browser.pause(3000)
  await first.close({ keep: true })
  fillMonth(home)
  const hearth = await Hearth.open({ home })
  try {
    const cold = await open(hearth, '[data-testid="nav-monitor"]')
    console.log(`first opening, code included, an hour with ${cold.points} points: ${cold.ms.toFixed(1)} ms`)
    await hearth.at("range-month").click()
    await hearth.until("a month", async () => Number(await hearth.at("plots").getAttribute("data-points")) > 500)
    const opened: number[] = []
    let points = 0
    for (let time = 0; time < OPENINGS; time += 1) {
      await hearth.click("close-monitor")
      const { ms, points: found } = await open(hearth, '[data-testid="nav-monitor"]')
      points = found
      opened.push(ms)
    }
    console.log(`opening on 30 days, ${points} points: ${text(opened)} (target ${TARGETS.open} ms)`)
    const answers: number[] = []
    for (let time = 0; time < OPENINGS; time += 1) answers.push(await asked(hearth))
    console.log(`  of it the shell's answer: ${text(answers)}`)
    await hearth.at("range-hour").click()
    console.log(`tick of four plots, an hour: ${text(await ticks(hearth, TICKS))} (target ${TARGETS.tick} ms)`)
  } finally {
    await hearth.close()
    removeHome(home)
  }
}
