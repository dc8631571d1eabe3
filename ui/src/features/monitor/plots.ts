// Four plots over one time axis, drawn with uPlot: lines, shaded stretches, marks and one cursor through all of them.
// Loaded with the Monitor screen only. Here because only this file knows uPlot. Must not know the client or components.

import uPlot from "uplot"
import "uplot/dist/uPlot.min.css"
import type { History, Mark } from "../../ipc/client"
import { times } from "../../strings/formats"
import { words } from "../../strings/language.svelte"
import { bands, columns, type Band, type Figure } from "./series"

export const PLOTS = ["speed", "heat", "memory", "queue"] as const
export type Plot = (typeof PLOTS)[number]

/** Room for the numbers at both sides, the same in every plot, so that times are above each other. */
const SIDE = 40
const TIMES_HEIGHT = 22
const BYTES_PER_GB = 2 ** 30
const HOUR_MS = 3_600_000
const SYNC = "monitor"
/** Above so many points lines are thinner, and first tokens are a line too. */
const MANY = 500
/** Lines of marks nearer than this would be a wall. */
const MARKS_APART = 8

type Line = { figure: Figure; colour: string; side: "left" | "right"; fill?: string; dash?: number[]; dots?: boolean; steps?: boolean; scale?: number }
type Axis = { least: number; most?: (whole: number) => number; whole?: boolean; from?: number }
type Drawn = { lines: Line[]; left: Axis; right?: Axis }

const DRAWN: Record<Plot, Drawn> = {
  speed: {
    lines: [
      { figure: "coolTokensPerSecond", colour: "--plot-cool", side: "left", dash: [4, 4] },
      { figure: "tokensPerSecond", colour: "--plot-speed", fill: "--plot-speed-fill", side: "left" },
      { figure: "ttftMs", colour: "--plot-first", side: "right", dots: true, scale: 1 / 1000 },
    ],
    left: { least: 10 }, right: { least: 1 },
  },
  heat: {
    lines: [
      { figure: "systemWatts", colour: "--plot-power", fill: "--plot-power-fill", side: "left" },
      { figure: "gpuCelsius", colour: "--plot-gpu", side: "right", dash: [4, 3] },
      { figure: "cpuCelsius", colour: "--plot-heat", side: "right" },
    ],
    left: { least: 10 }, right: { least: 105, from: 25 },
  },
  memory: {
    lines: [
      { figure: "memoryUsedBytes", colour: "--plot-memory", fill: "--plot-memory-fill", side: "left", scale: 1 / BYTES_PER_GB },
      { figure: "swapUsedBytes", colour: "--plot-swap", side: "left", scale: 1 / BYTES_PER_GB },
    ],
    left: { least: 4, most: (whole) => whole / BYTES_PER_GB },
  },
  queue: {
    lines: [
      { figure: "running", colour: "--plot-running", fill: "--plot-running-fill", side: "left", steps: true },
      { figure: "waiting", colour: "--plot-waiting", side: "left", steps: true },
    ],
    left: { least: 4, whole: true },
  },
}

export type Shown = { history: History; fromMs: number; toMs: number; totalBytes: number }
export type Pointing = { over: (at: number | null) => void; press: (at: number) => void }

export class Plots {
  #plots: uPlot[] = []
  #hosts: HTMLElement[]
  #bands: Band[] = []
  #marks: Mark[] = []
  #held: number | null = null
  #totalBytes = 0
  #pointing: Pointing
  #page: CSSStyleDeclaration
  /** Asking the page again for each stretch would make it work out its styles anew. */
  #colours = new Map<string, string>()

  /** One element a plot, in the order of [`PLOTS`]. */
  constructor(hosts: HTMLElement[], shown: Shown, pointing: Pointing) {
    this.#hosts = hosts
    this.#pointing = pointing
    this.#page = getComputedStyle(document.documentElement)
    this.#take(shown)
    this.#plots = PLOTS.map((plot, index) => this.#make(plot, hosts[index] as HTMLElement, index === PLOTS.length - 1, shown))
  }

  /** Draws what is there now. */
  show(shown: Shown): void {
    this.#take(shown)
    this.#plots.forEach((plot, index) => {
      plot.batch(() => {
        plot.setData(this.#data(PLOTS[index] as Plot, shown.history), false)
        plot.setScale("x", { min: shown.fromMs, max: shown.toMs })
      })
    })
    if (this.#held !== null) this.hold(this.#held)
  }

  /** Puts the cursor at a time and keeps it there; null lets it follow the pointer. */
  hold(at: number | null): void {
    this.#held = at
    for (const plot of this.#plots) plot.setCursor(at === null ? { left: -10, top: -10 } : { left: plot.valToPos(at, "x"), top: 0 }, false)
  }

  resize(): void {
    this.#plots.forEach((plot, index) => {
      const { clientWidth: width, clientHeight: height } = this.#hosts[index] as HTMLElement
      // An observer calls once at its begin, when nothing has changed.
      if (width > 0 && height > 0 && (width !== plot.width || height !== plot.height)) plot.setSize({ width, height })
    })
  }

  end(): void {
    for (const plot of this.#plots) plot.destroy()
  }

  #take({ history, totalBytes }: Shown): void {
    this.#bands = bands(history)
    this.#marks = history.marks
    this.#totalBytes = totalBytes
  }

  #data(plot: Plot, history: History): uPlot.AlignedData {
    const { lines } = DRAWN[plot]
    const scale = Object.fromEntries(lines.map((line) => [line.figure, line.scale ?? 1]))
    return columns(history, lines.map((line) => line.figure), scale)
  }

  #colour(name: string): string {
    const colour = this.#colours.get(name) ?? this.#page.getPropertyValue(name).trim()
    this.#colours.set(name, colour)
    return colour
  }

  #make(plot: Plot, host: HTMLElement, last: boolean, shown: Shown): uPlot {
    const { lines, left, right } = DRAWN[plot]
    const scales: uPlot.Scales = { x: { time: true, auto: false, range: (_, min, max) => [min, max] }, left: { range: (_, __, max) => this.#reach(left, max) } }
    if (right) scales["right"] = { range: (_, __, max) => this.#reach(right, max) }
    const options: uPlot.Options = {
      width: host.clientWidth, height: host.clientHeight, ms: 1, padding: [8, right ? 0 : SIDE, last ? 0 : 4, 0], legend: { show: false }, scales,
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: SYNC }, points: { size: 6 }, bind: { mousemove: this.#unlessHeld, mouseleave: this.#unlessHeld } },
      axes: [this.#times(last), this.#numbers("left", 3, left), ...(right ? [this.#numbers("right", 1, right)] : [])],
      series: [{}, ...lines.map((line) => this.#line(line, shown.history.atMs.length))],
      hooks: { drawClear: [(made) => this.#shade(made)], draw: [(made) => this.#rule(made)], setCursor: [(made) => this.#over(made)], ready: [(made) => this.#listen(made)] },
    }
    const made = new uPlot(options, this.#data(plot, shown.history), host)
    made.setScale("x", { min: shown.fromMs, max: shown.toMs })
    return made
  }

  #reach({ least, most, whole, from = 0 }: Axis, max: number | null): [number, number] {
    const top = Math.max(least, (max ?? 0) * 1.08)
    if (whole) return [0, 2 * Math.ceil(top / 2)]
    return [from, most && this.#totalBytes > 0 ? Math.max(top, most(this.#totalBytes)) : top]
  }

  #line({ colour, side, fill, dash, dots, steps }: Line, points: number): uPlot.Series {
    const stroke = this.#colour(colour)
    const series: uPlot.Series = { scale: side, stroke, width: points < MANY ? 1.5 : 1, points: { show: false } }
    if (fill) series.fill = this.#colour(fill)
    if (dash) series.dash = dash
    if (steps) series.paths = uPlot.paths.stepped?.({ align: 1 }) as uPlot.Series.PathBuilder
    if (dots) {
      series.points = { show: (made) => made.data[0].length < MANY, size: 5, fill: stroke, stroke }
      series.paths = (made, index, from, to) => (made.data[0].length < MANY ? null : (uPlot.paths.linear?.()(made, index, from, to) ?? null))
    }
    return series
  }

  #font(): string {
    const { fontSize, fontFamily } = getComputedStyle(this.#hosts[0] as HTMLElement)
    return `${fontSize} ${fontFamily}`
  }

  #times(last: boolean): uPlot.Axis {
    const line = this.#colour("--line")
    return {
      show: true, size: last ? TIMES_HEIGHT : 0, stroke: this.#colour("--muted"), font: this.#font(), space: 90, gap: 4, grid: { stroke: line, width: 1 }, ticks: { show: false },
      values: (made, times) => (last ? times.map((time) => timeLabel(time, (made.scales["x"]?.max ?? 0) - (made.scales["x"]?.min ?? 0))) : times.map(() => "")),
    }
  }

  #numbers(scale: "left" | "right", side: uPlot.Axis.Side, { whole }: Axis): uPlot.Axis {
    return {
      scale, side, size: SIDE, stroke: this.#colour("--muted"), font: this.#font(), space: 26, gap: 6, ticks: { show: false }, grid: { show: scale === "left", stroke: this.#colour("--line"), width: 1 },
      ...(whole ? { splits: (_: uPlot, __: number, ___: number, top: number) => [0, top / 2, top] } : {}),
      values: (_, numbers) => numbers.map((number) => words.number(number, Number.isInteger(number) ? 0 : 1)),
    }
  }

  #unlessHeld = (_: uPlot, __: HTMLElement, handler: (event: MouseEvent) => null) => (event: MouseEvent) => (this.#held === null ? handler(event) : null)

  /** Shaded stretches, below the lines. */
  #shade(made: uPlot): void {
    const { ctx, bbox } = made
    ctx.save()
    for (const { fromMs, toMs, kind } of this.#bands) {
      const left = Math.max(bbox.left, made.valToPos(fromMs, "x", true))
      const right = Math.min(bbox.left + bbox.width, made.valToPos(toMs, "x", true))
      if (right <= left) continue
      ctx.fillStyle = this.#colour(`--band-${kind}`)
      ctx.fillRect(left, bbox.top, Math.max(1, right - left), bbox.height)
    }
    ctx.restore()
  }

  /** A line for each mark, over all. */
  #rule(made: uPlot): void {
    const { ctx, bbox } = made
    ctx.save()
    ctx.strokeStyle = this.#colour("--plot-mark")
    ctx.lineWidth = devicePixelRatio
    ctx.setLineDash([2 * devicePixelRatio, 2 * devicePixelRatio])
    ctx.beginPath()
    let before = -Infinity
    for (const { atMs } of this.#marks) {
      const x = Math.round(made.valToPos(atMs, "x", true)) + 0.5
      if (x < bbox.left || x > bbox.left + bbox.width || x - before < MARKS_APART * devicePixelRatio) continue
      before = x
      ctx.moveTo(x, bbox.top)
      ctx.lineTo(x, bbox.top + bbox.height)
    }
    ctx.stroke()
    ctx.restore()
  }

  #over(made: uPlot): void {
    if (this.#held !== null) return
    const { left = -1 } = made.cursor
    this.#pointing.over(left < 0 ? null : made.posToVal(left, "x"))
  }

  #listen(made: uPlot): void {
    made.over.addEventListener("click", (event) => this.#pointing.press(made.posToVal(event.offsetX, "x")))
  }
}

function timeLabel(time: number, spanMs: number): string {
  const parts: Intl.DateTimeFormatOptions = spanMs > 48 * HOUR_MS ? { day: "numeric", month: "short" } : spanMs > HOUR_MS / 30 ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } : { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }
  return times(words.locale, parts).format(time)
}

/** Where a time is in the plots, as a part of the element that holds them: its numbers are left and right. */
export function placeOf(at: number, { fromMs, toMs }: Pick<Shown, "fromMs" | "toMs">, width: number): number {
  return SIDE + ((at - fromMs) / Math.max(1, toMs - fromMs)) * Math.max(0, width - 2 * SIDE)
}
