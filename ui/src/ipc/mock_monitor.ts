// What the mock's Monitor shows: an afternoon on which a laptop gets hot, as a function of time, so that every range agrees.
// Here beside the mock. Development and tests only. Must not know views.

import type { Decision, Explanation, History, Limits, Mark, Moment, Series, SettingChange, Span } from "./bindings"

const MODEL = "qwen3-4b-instruct-2507-q4_k_m"
const COOL = 44
const GB = 2 ** 30
const NO_LIMITS: Limits = { duty: 1, threads: null, parallel: null, queue: null, background: true, keepIdle: true, load: true }
const FREE: Decision = { level: "free", limits: NO_LIMITS, reasons: [] }
/** One round of cool, hot and cool again. */
const ROUND_MS = 40 * 60_000

/** The same number for the same second, 0 to 1. */
function noise(at: number, salt: number): number {
  const x = Math.sin(Math.floor(at / 1000) * 12.9898 + salt * 78.233) * 43758.5453
  return x - Math.floor(x)
}

/** How hot it is at a time, 0 to 1.  It is cool at night. */
function heatAt(at: number): number {
  const hour = (at / 3_600_000) % 24
  const day = Math.max(0.12, Math.sin(((hour - 7) / 15) * Math.PI))
  return Math.max(0, Math.min(1, day * (0.62 + 0.6 * Math.sin((at / ROUND_MS) * 2 * Math.PI))))
}

function hotDecision(celsius: number): Decision {
  const limits = { ...NO_LIMITS, duty: 0.6, background: false, load: false }
  return { level: "slowed", limits, reasons: [{ type: "heat", state: "serious", celsius }, { type: "slower_than_cool", model: MODEL, now: 31, cool: COOL }] }
}

export function momentAt(kind: string, at: number): Moment {
  const heat = kind === "hot" ? 0.95 : heatAt(at)
  const busy = kind === "hot" || (kind !== "empty" && noise(at - (at % 90_000), 1) > 0.3)
  const celsius = Math.round(46 + heat * 51 + noise(at, 2) * 2)
  const slowed = heat > 0.8
  const speed = busy ? COOL * (1 - Math.max(0, heat - 0.55) * 0.75) + noise(at, 3) * 2 - 1 : null
  const used = (17 + heat * 9 + noise(at, 5) * 0.3) * GB
  return {
    reading: {
      atMs: at, cpuUsage: busy ? 0.7 : 0.06, coreTiers: [], gpuUsage: busy ? 0.95 : 0.04, cpuWatts: busy ? 9 : 0.6, gpuWatts: busy ? 22 : 0.2, aneWatts: 0, systemWatts: (busy ? 38 : 6) * (1 - heat * 0.2) + noise(at, 4) * 3,
      cpuCelsius: celsius, gpuCelsius: celsius - 4, fans: [], memory: { totalBytes: 32 * GB, usedBytes: used, swapTotalBytes: 4 * GB, swapUsedBytes: heat > 0.6 ? (heat - 0.6) * 4 * GB : 0 },
      pressure: heat > 0.9 ? "warning" : "normal", thermal: heat > 0.8 ? "serious" : heat > 0.55 ? "fair" : "nominal", battery: { percent: 82, charging: true, watts: -20, minutesLeft: 40 }, onMains: true, lowPower: false, disk: null,
      diskBytesPerSecond: null, networkBytesPerSecond: null, speedLimit: null, failed: [],
    },
    work: { model: MODEL, tokensPerSecond: speed, ttftMs: busy && noise(at, 6) > 0.92 ? 180 + heat * 900 : null, running: busy ? 1 + Math.round(noise(at - (at % 20_000), 7) * 2) : 0, waiting: busy && slowed ? Math.round(noise(at - (at % 30_000), 8) * 4) : 0, coolTokensPerSecond: COOL, cacheHits: 0.8 },
    decision: slowed ? hotDecision(celsius) : FREE,
  }
}

function marksOf({ fromMs, toMs }: Span): Mark[] {
  const marks: Mark[] = []
  const step = Math.max(20_000, (toMs - fromMs) / 400)
  let level = momentAt("normal", fromMs).decision?.level
  for (let at = fromMs; at < toMs; at += step) {
    const decision = momentAt("normal", at).decision ?? FREE
    if (decision.level !== level) marks.push({ atMs: at, what: { type: "limits", decision } })
    level = decision.level
  }
  const part = (share: number) => fromMs + (toMs - fromMs) * share
  const others: Mark[] = [
    { atMs: part(0.08), what: { type: "loaded", model: MODEL } }, { atMs: part(0.21), what: { type: "client", name: "Zed" } }, { atMs: part(0.215), what: { type: "client", name: "claude-cli" } },
    { atMs: part(0.55), what: { type: "alert", alert: { type: "heat", state: "serious" } } }, { atMs: part(0.37), what: { type: "slept" } }, { atMs: part(0.43), what: { type: "woke", asleepS: Math.round((toMs - fromMs) * 0.00006) } },
    { atMs: part(0.82), what: { type: "unloaded", model: "starter" } }, { atMs: part(0.9), what: { type: "other_engine", name: "ollama" } },
  ]
  return [...marks, ...others].sort((a, b) => a.atMs - b.atMs)
}

const FIGURES: { [Key in keyof Series]: (moment: Moment) => number | null | undefined } = {
  tokensPerSecond: ({ work }) => work?.tokensPerSecond, coolTokensPerSecond: ({ work }) => work?.coolTokensPerSecond, ttftMs: ({ work }) => work?.ttftMs, running: ({ work }) => work?.running, waiting: ({ work }) => work?.waiting,
  systemWatts: ({ reading }) => reading?.systemWatts, cpuWatts: ({ reading }) => reading?.cpuWatts, gpuWatts: ({ reading }) => reading?.gpuWatts, cpuCelsius: ({ reading }) => reading?.cpuCelsius, gpuCelsius: ({ reading }) => reading?.gpuCelsius,
  cpuUsage: ({ reading }) => reading?.cpuUsage, gpuUsage: ({ reading }) => reading?.gpuUsage, memoryUsedBytes: ({ reading }) => reading?.memory?.usedBytes, swapUsedBytes: ({ reading }) => reading?.memory?.swapUsedBytes,
  thermal: () => null, pressure: () => null, batteryPercent: ({ reading }) => reading?.battery?.percent, duty: ({ decision }) => decision?.limits.duty,
}

export function historyOf(kind: string, span: Span): History {
  const stepMs = Math.max(1000, Math.round((span.toMs - span.fromMs) / span.points / 1000) * 1000)
  const atMs: number[] = []
  const series = Object.fromEntries(Object.keys(FIGURES).map((key) => [key, [] as (number | null)[]])) as unknown as Series
  const gap = (at: number) => (at - span.fromMs) / (span.toMs - span.fromMs)
  for (let at = Math.ceil(span.fromMs / stepMs) * stepMs; at < span.toMs && kind !== "empty"; at += stepMs) {
    if (span.toMs - span.fromMs > 120_000 && gap(at) > 0.37 && gap(at) < 0.43) continue
    const moment = momentAt(kind === "hot" ? "normal" : kind, at)
    atMs.push(at)
    for (const key of Object.keys(FIGURES) as (keyof Series)[]) series[key].push(FIGURES[key](moment) ?? null)
  }
  return { fromMs: span.fromMs, toMs: span.toMs, stepMs, atMs, series, marks: kind === "empty" ? [] : marksOf(span) }
}

export function explainedAt(kind: string, atMs: number): Explanation {
  const { work, decision } = momentAt(kind === "hot" ? "normal" : kind, atMs)
  return { atMs, tokensPerSecond: work?.tokensPerSecond ?? null, coolTokensPerSecond: COOL, reasons: decision?.reasons ?? [], marks: [], sharing: Math.max(0, (work?.running ?? 0) - 1), sentence: "" }
}

export function preview(change: SettingChange): Decision {
  if (change.key === "heat_slows" && change.value !== "late") return { ...hotDecision(91), limits: { ...NO_LIMITS, duty: change.value === "early" ? 0.6 : 0.8, background: false } }
  if (change.key === "on_battery" && change.value === "least") return { level: "held", limits: { ...NO_LIMITS, duty: 0.5, background: false, parallel: 1, load: false }, reasons: [{ type: "battery", percent: 38 }] }
  return FREE
}
