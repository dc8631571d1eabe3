// The stretch of the time line that is shown: ranges, what a moment adds to it, levels, gaps and the columns that plots take.
// Here, apart from drawing and asking, because all of it can be tested. Must not know uPlot, the client or components.

import type { History, Level, Moment, Series } from "../../ipc/client"

export type Range = "minute" | "hour" | "day" | "month"
export type Figure = keyof Series
type Values = Record<Figure, number | null>

/** `live` ranges grow with every moment; the others are read again. */
export const RANGES: Record<Range, { spanMs: number; points: number; reloadMs: number; live: boolean }> = {
  minute: { spanMs: 60_000, points: 60, reloadMs: 30_000, live: true },
  hour: { spanMs: 3_600_000, points: 720, reloadMs: 60_000, live: true },
  day: { spanMs: 24 * 3_600_000, points: 1440, reloadMs: 10_000, live: false },
  month: { spanMs: 30 * 24 * 3_600_000, points: 1500, reloadMs: 60_000, live: false },
}

/** The range of this name, or an hour. */
export const rangeOf = (name: string | null): Range => (name !== null && Object.hasOwn(RANGES, name) ? (name as Range) : "hour")

const THERMAL = { nominal: 0, fair: 1, serious: 2, critical: 3 }
const PRESSURE = { normal: 0, warning: 1, critical: 2 }
/** Of these a point keeps the highest, of the others the mean: as the time line does when it is read. */
const PEAKS = new Set<Figure>(["ttftMs", "waiting", "cpuCelsius", "gpuCelsius", "thermal", "pressure"])
/** Points farther apart than so many steps have a gap between them. */
const GAP_STEPS = 2.5

/** The figures of one moment, as the time line names them. What was not measured is null, never 0. */
export function figuresOf({ reading, work, decision }: Moment): Values {
  return {
    tokensPerSecond: work?.tokensPerSecond ?? null, coolTokensPerSecond: work?.coolTokensPerSecond ?? null, ttftMs: work?.ttftMs ?? null, running: work?.running ?? null, waiting: work?.waiting ?? null,
    systemWatts: reading?.systemWatts ?? null, cpuWatts: reading?.cpuWatts ?? null, gpuWatts: reading?.gpuWatts ?? null, cpuCelsius: reading?.cpuCelsius ?? null, gpuCelsius: reading?.gpuCelsius ?? null,
    cpuUsage: reading?.cpuUsage ?? null, gpuUsage: reading?.gpuUsage ?? null, memoryUsedBytes: reading?.memory?.usedBytes ?? null, swapUsedBytes: reading?.memory?.swapUsedBytes ?? null,
    thermal: reading?.thermal ? THERMAL[reading.thermal] : null, pressure: reading?.pressure ? PRESSURE[reading.pressure] : null, batteryPercent: reading?.battery?.percent ?? null, duty: decision?.limits.duty ?? null,
  }
}

/** The figures at one point. */
export function valuesAt(history: History, index: number): Values {
  const values = {} as Values
  for (const figure of Object.keys(history.series) as Figure[]) values[figure] = history.series[figure][index] ?? null
  return values
}

/** A stretch that grows at its end. Knows how many moments its last point stands for. */
export class Growing {
  readonly history: History
  #inLast = new Map<Figure, number>()
  #lastMs: number

  constructor(history: History) {
    this.history = history
    this.#lastMs = (history.atMs.at(-1) ?? 0) + history.stepMs - 1
  }

  /** Takes a moment in, in place: as a part of the last point, or as a new one. False when it was known already. */
  add(moment: Moment, spanMs: number): boolean {
    const at = moment.reading?.atMs ?? 0
    const { atMs, stepMs, series } = this.history
    const last = atMs.at(-1)
    if (at === 0 || at <= this.#lastMs) return false
    this.#lastMs = at
    const begin = at - (at % stepMs)
    const values = figuresOf(moment)
    if (last === undefined || begin > last) {
      atMs.push(begin)
      this.#inLast.clear()
      for (const figure of Object.keys(series) as Figure[]) series[figure].push(null)
    }
    for (const figure of Object.keys(series) as Figure[]) this.#join(figure, values[figure])
    this.history.toMs = at
    this.history.fromMs = at - spanMs
    this.#forget(at - spanMs)
    return true
  }

  #join(figure: Figure, value: number | null): void {
    if (value === null) return
    const list = this.history.series[figure]
    const count = this.#inLast.get(figure) ?? 0
    const before = list.at(-1) ?? value
    list[list.length - 1] = PEAKS.has(figure) ? Math.max(before, value) : (before * count + value) / (count + 1)
    this.#inLast.set(figure, count + 1)
  }

  /** What lies before the stretch goes. */
  #forget(fromMs: number): void {
    const { atMs, series } = this.history
    const first = atMs.findIndex((at) => at >= fromMs)
    if (first > 0) {
      atMs.splice(0, first)
      for (const figure of Object.keys(series) as Figure[]) series[figure].splice(0, first)
    }
  }
}

/** A stretch that was read anew, with the points at its end that only the shown one has yet. */
export function joined(shown: History | null, fresh: History): History {
  if (!shown || shown.stepMs !== fresh.stepMs) return fresh
  const last = fresh.atMs.at(-1) ?? fresh.fromMs
  const from = shown.atMs.findIndex((at) => at >= last + fresh.stepMs)
  if (from < 0) return fresh
  const series = {} as Series
  for (const figure of Object.keys(fresh.series) as Figure[]) series[figure] = [...fresh.series[figure], ...shown.series[figure].slice(from)]
  return { ...fresh, toMs: Math.max(fresh.toMs, shown.toMs), atMs: [...fresh.atMs, ...shown.atMs.slice(from)], series }
}

/** How far the engines were held back at each point: by the marks, and before the first of them by the share of time. */
export function levels({ atMs, stepMs, marks, series }: History): Level[] {
  const changes = marks.filter(({ what }) => what.type === "limits" || what.type === "started")
  let next = 0
  let level: Level | null = null
  return atMs.map((at, index) => {
    for (let mark = changes[next]; mark && mark.atMs < at + stepMs; mark = changes[++next]) level = mark.what.type === "limits" ? mark.what.decision.level : "free"
    const duty = series.duty[index] ?? 1
    return level ?? (duty < 1 ? "slowed" : "free")
  })
}

export type Band = { fromMs: number; toMs: number; kind: "slowed" | "held" | "gap" }

/** Stretches to be shaded: slowed, held, and those in which Hearth did not run. */
export function bands(history: History): Band[] {
  const found: Band[] = []
  const { atMs, stepMs } = history
  const at = levels(history)
  atMs.forEach((begin, index) => {
    const level = at[index]
    const before = atMs[index - 1]
    const last = found.at(-1)
    if (before !== undefined && begin - before > stepMs * GAP_STEPS) found.push({ fromMs: before + stepMs, toMs: begin, kind: "gap" })
    if (level !== "slowed" && level !== "held") return
    const next = atMs[index + 1]
    const toMs = next !== undefined && next - begin <= stepMs * GAP_STEPS ? next : begin + stepMs
    if (last && last.kind === level && last.toMs >= begin) last.toMs = toMs
    else found.push({ fromMs: begin, toMs, kind: level })
  })
  return found
}

/** One list of times and one a figure, with empty points at both ends of every gap, so that no line crosses it and the cursor finds nothing in it. */
export function columns({ atMs, stepMs, series }: History, figures: Figure[], scale: Partial<Record<Figure, number>> = {}): [number[], ...(number | null)[][]] {
  const times: number[] = []
  const lists: (number | null)[][] = figures.map(() => [])
  atMs.forEach((at, index) => {
    const before = atMs[index - 1]
    if (before !== undefined && at - before > stepMs * GAP_STEPS) {
      times.push(before + stepMs, at - stepMs)
      for (const list of lists) list.push(null, null)
    }
    times.push(at)
    figures.forEach((figure, place) => {
      const value = series[figure][index] ?? null
      lists[place]?.push(value === null ? null : value * (scale[figure] ?? 1))
    })
  })
  return [times, ...lists]
}
