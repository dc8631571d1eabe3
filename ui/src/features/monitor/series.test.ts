// @vitest-environment jsdom
// The stretch that is shown, the cursor in it and the signs on it, as pure rules, and what the watch asks for.
// Here because a point at the wrong time would explain the wrong moment. Must not know components.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { AppEvent, Client, Decision, History, Mark, Moment, Series } from "../../ipc/client"
import { moved, nearest, stepOf } from "./cursor"
import { grouped, kindsIn } from "./marks"
import { bands, columns, figuresOf, Growing, joined, levels, type Figure } from "./series"
import { MonitorWatch } from "./watch.svelte"

const FIGURES = Object.keys(figuresOf({})) as Figure[]
const LIMITS = { duty: 1, threads: null, parallel: null, queue: null, background: true, keepIdle: true, load: true }
const decision = (level: Decision["level"]): Decision => ({ level, limits: LIMITS, reasons: [] })
const limits = (atMs: number, level: Decision["level"]): Mark => ({ atMs, what: { type: "limits", decision: decision(level) } })
const moment = (atMs: number, tokensPerSecond: number | null, cpuCelsius: number | null = null): Moment => ({ reading: { atMs, cpuCelsius }, work: { tokensPerSecond, running: 1 } })

function history(atMs: number[], stepMs: number, given: Partial<Series> = {}, marks: Mark[] = []): History {
  const series = Object.fromEntries(FIGURES.map((figure) => [figure, given[figure] ?? atMs.map(() => null)])) as unknown as Series
  return { fromMs: atMs[0] ?? 0, toMs: (atMs.at(-1) ?? 0) + stepMs, stepMs, atMs, series, marks }
}

describe("a growing stretch", () => {
  it("gets a point a second, and loses those that lie before it", () => {
    const grown = new Growing(history([1000, 2000, 3000], 1000))
    expect(grown.add(moment(4010, 30), 2500)).toBe(true)
    expect(grown.history.atMs).toEqual([2000, 3000, 4000])
    expect(grown.history.series.tokensPerSecond).toEqual([null, null, 30])
    for (const figure of FIGURES) expect(grown.history.series[figure]).toHaveLength(3)
    expect([grown.history.fromMs, grown.history.toMs]).toEqual([1510, 4010])
  })
  it("takes no moment twice, nor one that the stretch has", () => {
    const grown = new Growing(history([1000, 2000], 1000))
    expect(grown.add(moment(2400, 30), 9000)).toBe(false)
    expect(grown.add(moment(3000, 30), 9000)).toBe(true)
    expect(grown.add(moment(3000, 30), 9000)).toBe(false)
    expect(grown.add({}, 9000)).toBe(false)
  })
  it("keeps the mean of a longer point, or the highest, of what was measured only", () => {
    const grown = new Growing(history([], 5000))
    grown.add(moment(10_000, 30), 60_000)
    grown.add(moment(11_000, null, 90), 60_000)
    grown.add(moment(12_000, 40, 96), 60_000)
    grown.add(moment(15_000, 10), 60_000)
    expect(grown.history.atMs).toEqual([10_000, 15_000])
    expect(grown.history.series.tokensPerSecond).toEqual([35, 10])
    expect(grown.history.series.cpuCelsius).toEqual([96, null])
    expect(grown.history.series.swapUsedBytes).toEqual([null, null])
  })
  it("keeps its newest points when an older stretch is read", () => {
    const shown = history([1000, 2000, 3000, 4000], 1000, { ttftMs: [1, 2, 3, 4] })
    const both = joined(shown, history([1000, 2000], 1000, { ttftMs: [10, 20] }))
    expect(both.atMs).toEqual([1000, 2000, 3000, 4000])
    expect(both.series.ttftMs).toEqual([10, 20, 3, 4])
    expect(joined(shown, history([5000], 1000)).atMs).toEqual([5000])
    expect(joined(shown, history([1000], 5000)).atMs).toEqual([1000])
  })
})

describe("levels and shades", () => {
  const at = [0, 1000, 2000, 3000, 4000, 5000]
  it("follow the marks, from the first; a new start lets go", () => {
    const marks: Mark[] = [limits(1500, "slowed"), limits(3200, "held"), { atMs: 5000, what: { type: "started" } }]
    expect(levels(history(at, 1000, {}, marks))).toEqual(["free", "slowed", "slowed", "held", "held", "free"])
  })
  it("go by the share of time before the first mark", () => {
    expect(levels(history(at, 1000, { duty: [0.6, 0.6, 1, 1, 1, 1] }))).toEqual(["slowed", "slowed", "free", "free", "free", "free"])
  })
  it("are one stretch each, and end where Hearth did", () => {
    const found = bands(history([0, 1000, 2000, 60_000, 61_000], 1000, {}, [limits(0, "slowed"), limits(61_000, "free")]))
    expect(found).toEqual([{ fromMs: 0, toMs: 3000, kind: "slowed" }, { fromMs: 3000, toMs: 60_000, kind: "gap" }, { fromMs: 60_000, toMs: 61_000, kind: "slowed" }])
  })
})

describe("columns", () => {
  it("break the line in a gap and scale what is asked", () => {
    const [times, heat, memory] = columns(history([0, 1000, 9000], 1000, { cpuCelsius: [50, null, 70], memoryUsedBytes: [2048, 4096, 8192] }), ["cpuCelsius", "memoryUsedBytes"], { memoryUsedBytes: 1 / 1024 })
    expect(times).toEqual([0, 1000, 2000, 8000, 9000])
    expect(heat).toEqual([50, null, null, null, 70])
    expect(memory).toEqual([2, 4, null, null, 8])
  })
})

describe("the cursor", () => {
  const times = [1000, 2000, 4000, 8000]
  it("finds the nearest point", () => {
    expect([0, 1400, 1600, 3000, 3001, 9999].map((at) => nearest(times, at))).toEqual([0, 0, 1, 1, 2, 3])
    expect(nearest([], 5)).toBe(-1)
  })
  it("moves by points, begins at the newest and stays inside", () => {
    expect(moved(times, null, -1)).toBe(8000)
    expect(moved(times, 8000, -1)).toBe(4000)
    expect(moved(times, 4000, -10)).toBe(1000)
    expect(moved(times, 1000, Infinity)).toBe(8000)
    expect(moved([], null, 1)).toBeNull()
  })
  it("takes arrows, with Shift ten steps, and no other key", () => {
    expect(stepOf({ key: "ArrowLeft", shiftKey: false })).toBe(-1)
    expect(stepOf({ key: "ArrowRight", shiftKey: true })).toBe(10)
    expect(stepOf({ key: "Home", shiftKey: false })).toBe(-Infinity)
    expect(stepOf({ key: "a", shiftKey: false })).toBeNull()
  })
})

describe("signs", () => {
  const marks: Mark[] = [{ atMs: 0, what: { type: "client", name: "Zed" } }, { atMs: 5, what: { type: "alert", alert: { type: "queue", waiting: 12 } } }, { atMs: 100, what: { type: "slept" } }]
  it("too close to each other are one, shown as the weightiest", () => {
    const groups = grouped(marks, (at) => at, 20)
    expect(groups.map(({ kind, x, marks: all }) => [kind, x, all.length])).toEqual([["alert", 0, 2], ["sleep", 100, 1]])
  })
  it("are explained only where they are", () => expect(kindsIn(marks)).toEqual(["alert", "sleep", "client"]))
})

describe("the watch", () => {
  beforeEach(() => { vi.useFakeTimers({ now: 1_000_000 }) })
  afterEach(() => { vi.useRealTimers() })

  function stand() {
    const asked = { moments: 0, histories: [] as number[], explained: [] as number[] }
    let tell: (event: AppEvent) => void = () => undefined
    const client = {
      getMoment: async () => { asked.moments += 1; return moment(Date.now(), 30) },
      getHistory: async ({ fromMs, toMs }: { fromMs: number; toMs: number }) => { asked.histories.push(toMs - fromMs); return history([Date.now() - 5000], 5000) },
      explainMoment: async ({ atMs }: { atMs: number }) => { asked.explained.push(atMs); return { atMs, tokensPerSecond: 1, coolTokensPerSecond: null, reasons: [], marks: [], sharing: 0, sentence: "" } },
      onAppEvent: async (listener: (event: AppEvent) => void) => { tell = listener; return () => undefined },
    } as unknown as Client
    return { asked, tell: (event: AppEvent) => tell(event), watch: new MonitorWatch(client) }
  }

  it("asks once a second, ends when it is closed, and reads anew after a change", async () => {
    const { asked, tell, watch } = stand()
    const stop = watch.start()
    await vi.advanceTimersByTimeAsync(3500)
    expect(asked.moments).toBe(4)
    expect(asked.histories).toEqual([3_600_000])
    tell({ type: "limits_changed" })
    tell({ type: "loaded_models_changed" })
    await vi.advanceTimersByTimeAsync(1000)
    expect(asked.histories).toHaveLength(2)
    stop()
    const { moments } = asked
    await vi.advanceTimersByTimeAsync(9000)
    expect(asked.moments).toBe(moments)
  })
  it("asks nothing while the window is hidden", async () => {
    const { asked, watch } = stand()
    const hidden = vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden")
    const stop = watch.start()
    await vi.advanceTimersByTimeAsync(5000)
    expect(asked.moments).toBe(0)
    hidden.mockRestore()
    document.dispatchEvent(new Event("visibilitychange"))
    await vi.advanceTimersByTimeAsync(10)
    expect(asked.moments).toBe(1)
    stop()
  })
  it("grows live ranges only, and reads a day every ten seconds", async () => {
    const { asked, watch } = stand()
    const stop = watch.start()
    await vi.advanceTimersByTimeAsync(2100)
    const { version } = watch
    expect(version).toBeGreaterThan(2)
    watch.choose("day")
    await vi.advanceTimersByTimeAsync(9000)
    expect(watch.version).toBe(version + 1)
    await vi.advanceTimersByTimeAsync(2000)
    expect(asked.histories.filter((span) => span === 24 * 3_600_000)).toHaveLength(2)
    stop()
  })
  it("explains a moment once the pointer rests, and keeps a held one", async () => {
    const { asked, watch } = stand()
    const stop = watch.start()
    await vi.advanceTimersByTimeAsync(10)
    watch.point(995_000)
    watch.point(996_000)
    await vi.advanceTimersByTimeAsync(200)
    expect(asked.explained).toEqual([996_000])
    watch.point(996_000, true)
    watch.point(null)
    expect([watch.at, watch.held]).toEqual([996_000, true])
    watch.free()
    expect([watch.at, watch.held, watch.explanation]).toEqual([null, false, null])
    stop()
  })
})
