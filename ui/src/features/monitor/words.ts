// Turns limits, reasons, happenings and alerts into sentences of the language shown.
// Here because the Monitor screen, the settings, the chat and the popover must say the same thing. Must not know components.

import type { Alert, AnswerStats, Decision, Explanation, Happening, Moment, Reason } from "../../ipc/client"
import { numbers } from "../../strings/formats"
import { words } from "../../strings/language.svelte"

type NameOf = (model: string) => string
const asIs: NameOf = (model) => model
const MOST_REASONS = 2
const MOST_MARKS = 3
/** Nearer to the cool speed than this is as fast as when cool. */
const AS_COOL = 0.93

const capital = (text: string) => text.slice(0, 1).toLocaleUpperCase(words.locale) + text.slice(1)
const list = (parts: string[]) => new Intl.ListFormat(words.locale, { type: "conjunction" }).format(parts)

/** Tokens a second, with a digit more where it counts. */
export const speed = (value: number) => words.number(value, value < 10 ? 1 : 0)
export const celsius = (value: number) => words.t.monitor.units.celsius(words.number(value))
export const watts = (value: number) => words.t.monitor.units.watts(words.number(value, value < 10 ? 1 : 0))
const percent = (value: number) => words.percent(value / 100)

/** A time in its largest fitting unit. */
export function lasting(seconds: number): string {
  const [value, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"]
  return numbers(words.locale, { style: "unit", unit: String(unit), unitDisplay: "short", maximumFractionDigits: 0 }).format(Number(value))
}

/** A reason as a clause that follows "because". */
export function because(reason: Reason, nameOf: NameOf = asIs): string {
  const t = words.t.monitor.reasons
  const unknown = words.t.monitor.none
  switch (reason.type) {
    case "heat":
      return reason.celsius === null ? t.heat[reason.state] : `${t.heat[reason.state]} (${celsius(reason.celsius)})`
    case "slower_than_cool":
      return t.slowerThanCool(nameOf(reason.model), reason.now === null ? unknown : speed(reason.now), reason.cool === null ? unknown : speed(reason.cool))
    case "memory":
      return reason.used === null ? t.memory[reason.pressure] : `${t.memory[reason.pressure]} (${t.used(words.percent(reason.used))})`
    case "low_power_mode":
      return t.lowPower
    case "battery":
      return t.battery(reason.percent === null ? unknown : percent(reason.percent))
    case "quiet_watts": {
      const cap = reason.cap === null ? unknown : watts(reason.cap)
      return reason.now === null ? t.quietWatts(cap) : t.quietWattsNow(cap, watts(reason.now))
    }
    case "quiet_speed":
      return t.quietSpeed(reason.cap === null ? unknown : speed(reason.cap))
    case "no_sensors":
      return t.noSensors
  }
}

const why = (reasons: Reason[], nameOf: NameOf, most = MOST_REASONS) => list(reasons.slice(0, most).map((reason) => because(reason, nameOf)))

function extras({ limits }: Decision): string[] {
  const t = words.t.monitor.decision
  const parallel = limits.parallel === null ? "" : limits.parallel === 1 ? t.one : t.parallel(words.number(limits.parallel))
  return [limits.background ? "" : t.background, limits.load ? "" : t.load, limits.keepIdle ? "" : t.idle, parallel].filter(Boolean)
}

/** Whether anything differs from no limits at all. */
export function holdsBack(decision: Decision): boolean {
  return decision.limits.duty < 1 || extras(decision).length > 0
}

function clause(decision: Decision, nameOf: NameOf, would: boolean): string {
  const t = words.t.monitor.decision
  if (!holdsBack(decision)) return t.nothing
  const { duty } = decision.limits
  const share = words.percent(duty)
  const first = duty < 1 ? (would ? t.wouldAnswers(share) : t.answers(share)) : would ? t.wouldAnswersFull : t.answersFull
  const what = [first, ...extras(decision)].join(", ")
  return decision.reasons.length === 0 ? what : t.because(what, why(decision.reasons, nameOf, would ? 1 : MOST_REASONS))
}

/** What holds, and why: one sentence. */
export function decided(decision: Decision, nameOf: NameOf = asIs): string {
  return `${capital(clause(decision, nameOf, false))}.`
}

/** What a value of a setting would do now: one sentence. */
export function previewed(decision: Decision, nameOf: NameOf = asIs): string {
  return words.t.monitor.decision.now(clause(decision, nameOf, true))
}

export function alerted(alert: Alert): string {
  const t = words.t.monitor.alerts
  switch (alert.type) {
    case "memory": return t.memory(percent(alert.percent))
    case "long_answer": return t.longAnswer(lasting(alert.seconds))
    case "cache_hits": return t.cache(percent(alert.percent))
    case "errors": return t.errors(percent(alert.percent))
    case "queue": return t.queue(words.number(alert.waiting))
    case "disk": return t.disk(percent(alert.percent))
    case "heat": return t.heat[alert.state]
  }
}

/** What happened, without a full stop. */
export function happened(what: Happening, nameOf: NameOf = asIs): string {
  const t = words.t.monitor.happening
  switch (what.type) {
    case "started": return t.started
    case "loaded": return t.loaded(nameOf(what.model))
    case "unloaded": return t.unloaded(nameOf(what.model))
    case "limits": return capital(clause(what.decision, nameOf, false))
    case "slept": return t.slept
    case "woke": return t.woke(lasting(what.asleepS))
    case "client": return t.client(what.name)
    case "alert": return alerted(what.alert)
    case "other_engine": return t.other(what.name)
  }
}

function speedThen({ tokensPerSecond: now, coolTokensPerSecond: cool, reasons, sharing }: Explanation, nameOf: NameOf): string {
  const t = words.t.monitor.explained
  const cause = reasons.length > 0 ? why(reasons, nameOf) : ""
  if (now === null) return cause ? `${t.idle} ${t.heldBack(cause)}` : t.idle
  const slower = cool !== null && now < cool * AS_COOL
  const what = slower ? t.slower(speed(now), speed(cool)) : words.t.monitor.units.speed(speed(now))
  if (cause) return t.because(what, cause)
  if (slower) return sharing > 0 ? `${what}.` : t.unknown(what)
  return cool === null ? t.speed(speed(now)) : t.full(speed(now))
}

/** Why it was as fast or slow as it was. What is said in English only stands where there are no figures to say it with. */
export function explained(explanation: Explanation, nameOf: NameOf = asIs): string {
  const t = words.t.monitor.explained
  const { tokensPerSecond, reasons, sharing, marks, sentence } = explanation
  if (tokensPerSecond === null && reasons.length === 0 && sharing === 0 && marks.length === 0 && words.language === "en" && sentence !== "") return sentence
  // What limits hold then is told by the reasons already.
  const around = marks.filter((mark) => mark.what.type !== "limits" || reasons.length === 0).slice(0, MOST_MARKS).map((mark) => happened(mark.what, nameOf))
  return [speedThen(explanation, nameOf), sharing > 0 ? t.sharing(sharing) : "", around.length > 0 ? t.around(list(around)) : ""].filter(Boolean).join(" ")
}

/** Under an answer: what held it back, with the evidence; empty when nothing did. */
export function slowedLine(stats: AnswerStats): string {
  if (!stats.slowed) return ""
  const t = words.t.monitor
  const { reason, coolTokensPerSecond: cool } = stats.slowed
  const what = t.slowedBy[reason.type]
  if (stats.tokensPerSecond === null) return what
  return cool === null ? t.slowedTo(what, speed(stats.tokensPerSecond)) : t.instead(what, speed(stats.tokensPerSecond), speed(cool))
}

/** While answers are slowed: in short what slows them, with the evidence where there is some; empty when nothing does. */
export function heldNow({ decision, work }: Moment): string {
  if (!decision || (decision.level !== "slowed" && decision.level !== "held")) return ""
  const t = words.t.monitor
  const [first] = decision.reasons
  const what = first ? t.slowedBy[first.type] : t.level[decision.level]
  const now = work?.tokensPerSecond ?? null
  const cool = work?.coolTokensPerSecond ?? null
  return now !== null && cool !== null && now < cool * AS_COOL ? t.instead(what, speed(now), speed(cool)) : what
}
