// @vitest-environment jsdom
// What is said about limits, moments and alerts, in both languages.
// Here because a wrong sentence about one's own computer is worse than none. Must not know components.

import { beforeEach, describe, expect, it } from "vitest"
import type { Alert, AnswerStats, Decision, Explanation, Happening, Limits, Moment, Reason } from "../../ipc/client"
import { words } from "../../strings/language.svelte"
import { alerted, because, decided, explained, happened, heldNow, holdsBack, lasting, previewed, slowedLine } from "./words"

const NONE: Limits = { duty: 1, threads: null, parallel: null, queue: null, background: true, keepIdle: true, load: true }
const HOT: Reason = { type: "heat", state: "serious", celsius: 96.4 }
const FREE: Decision = { level: "free", limits: NONE, reasons: [] }
const SLOWED: Decision = { level: "slowed", limits: { ...NONE, duty: 0.6, background: false }, reasons: [HOT] }
const THEN: Explanation = { atMs: 0, tokensPerSecond: null, coolTokensPerSecond: null, reasons: [], marks: [], sharing: 0, sentence: "" }
const STATS: AnswerStats = { model: "m", promptTokens: 1, cachedTokens: 0, tokens: 9, ttftMs: 1, tokensPerSecond: 31, finishReason: "stop", slowed: null }

const REASONS: Reason[] = [
  HOT, { type: "heat", state: "critical", celsius: null }, { type: "slower_than_cool", model: "m", now: 31, cool: 44 }, { type: "memory", pressure: "warning", used: 0.91 }, { type: "memory", pressure: "critical", used: null },
  { type: "low_power_mode" }, { type: "battery", percent: 18 }, { type: "quiet_watts", now: 52, cap: 40 }, { type: "quiet_watts", now: null, cap: 40 }, { type: "quiet_speed", cap: 20 }, { type: "no_sensors" },
]
const ALERTS: Alert[] = [
  { type: "memory", percent: 96 }, { type: "long_answer", seconds: 130 }, { type: "cache_hits", percent: 40 }, { type: "errors", percent: 5 }, { type: "queue", waiting: 12 }, { type: "disk", percent: 8 }, { type: "heat", state: "serious" },
]
const HAPPENINGS: Happening[] = [
  { type: "started" }, { type: "loaded", model: "m" }, { type: "unloaded", model: "m" }, { type: "limits", decision: SLOWED }, { type: "slept" }, { type: "woke", asleepS: 7200 }, { type: "client", name: "Zed" },
  { type: "alert", alert: ALERTS[0] as Alert }, { type: "other_engine", name: "ollama" },
]

const english = () => words.choose("en", "en-GB")
const german = () => words.choose("de", "de-DE")
beforeEach(english)

describe("limits", () => {
  it("are said with their reason, and what they would do is said as such", () => {
    expect(decided(FREE)).toBe("Nothing is held back.")
    expect(decided(SLOWED)).toBe("Answers are written at 60% of full speed, without background work, because the computer is hot (96 °C).")
    expect(previewed(SLOWED)).toBe("Now: answers would be written at 60% of full speed, without background work, because the computer is hot (96 °C).")
    expect(previewed(FREE)).toBe("Now: nothing is held back.")
    german()
    expect(decided(SLOWED)).toBe("Antworten werden mit 60\u00a0% des vollen Tempos geschrieben, ohne Hintergrundarbeit, weil der Computer heiß ist (96 °C).")
    expect(previewed(FREE)).toBe("Jetzt: nichts wird gebremst.")
  })
  it("do not claim slower answers when only loading waits", () => {
    const held: Decision = { level: "held", limits: { ...NONE, load: false, keepIdle: false, parallel: 1 }, reasons: [{ type: "memory", pressure: "critical", used: 0.97 }] }
    expect(decided(held)).toBe("Answers are written at full speed, without loading another model, without keeping unused models loaded, with one request at a time, because memory is short (97% used).")
    expect(holdsBack(held)).toBe(true)
    expect(holdsBack({ ...FREE, limits: { ...NONE, threads: 4 } })).toBe(false)
  })
  it("name the two weightiest reasons", () => {
    expect(decided({ ...SLOWED, reasons: [HOT, { type: "low_power_mode" }, { type: "quiet_speed", cap: 20 }] })).toMatch(/because the computer is hot \(96 °C\) and Low Power Mode is on\.$/)
  })
})

describe("every word", () => {
  it("is there for each reason, alert and happening, in both languages, and differs", () => {
    const all = () => [...REASONS.map((reason) => because(reason)), ...ALERTS.map(alerted), ...HAPPENINGS.map((what) => happened(what))]
    const en = all()
    german()
    const de = all()
    en.forEach((sentence, index) => {
      expect(sentence.length).toBeGreaterThan(7)
      expect(`${sentence} ${de[index]}`).not.toMatch(/undefined|null|NaN|\[object/)
      expect(de[index]).not.toBe(sentence)
    })
    expect(de[4]).toBe("der Speicher knapp ist")
  })
  it("uses the model's title", () => expect(happened({ type: "loaded", model: "m" }, () => "Qwen3 4B")).toBe("Qwen3 4B loaded"))
  it("writes times in their largest unit", () => expect([lasting(30), lasting(130), lasting(7200)]).toEqual(["30 sec", "2 min", "2 hr"].map((text) => expect.stringContaining(text.split(" ")[0] ?? ""))))
})

describe("a moment", () => {
  it("is explained by speed and reason", () => {
    expect(explained({ ...THEN, tokensPerSecond: 31, coolTokensPerSecond: 44, reasons: [HOT] })).toBe("31 instead of 44 tokens/s, because the computer is hot (96 °C).")
    german()
    expect(explained({ ...THEN, tokensPerSecond: 31, coolTokensPerSecond: 44, reasons: [HOT] })).toBe("31 statt 44 Token/s, weil der Computer heiß ist (96 °C).")
  })
  it("at full speed says so, also a little below it", () => {
    expect(explained({ ...THEN, tokensPerSecond: 43, coolTokensPerSecond: 44 })).toBe("43 tokens/s, as fast as on the cool computer.")
    expect(explained({ ...THEN, tokensPerSecond: 43 })).toBe("43 tokens/s.")
  })
  it("that is slow without a reason does not invent one", () => {
    expect(explained({ ...THEN, tokensPerSecond: 20, coolTokensPerSecond: 44 })).toBe("20 instead of 44 tokens/s; nothing was held back.")
    expect(explained({ ...THEN, tokensPerSecond: 20, coolTokensPerSecond: 44, sharing: 2 })).toBe("20 instead of 44 tokens/s. 2 other answers are written at the same time.")
  })
  it("tells what happened around it, but limits not twice", () => {
    const marks = [{ atMs: 0, what: { type: "limits", decision: SLOWED } as Happening }, { atMs: 1, what: { type: "client", name: "Zed" } as Happening }]
    expect(explained({ ...THEN, reasons: [HOT], marks })).toBe("No answer is being written. Held back, because the computer is hot (96 °C). At that time: Zed asked for the first time.")
  })
  it("without figures is told in the program's own English, and in German in German", () => {
    expect(explained({ ...THEN, sentence: "Nothing ran." })).toBe("Nothing ran.")
    german()
    expect(explained({ ...THEN, sentence: "Nothing ran." })).toBe("Gerade wird keine Antwort geschrieben.")
  })
})

describe("a slowed answer", () => {
  it("shows the evidence, as far as there is some", () => {
    expect(slowedLine(STATS)).toBe("")
    expect(slowedLine({ ...STATS, slowed: { reason: HOT, coolTokensPerSecond: 44 } })).toBe("Slowed by heat: 31 instead of 44 tokens/s")
    expect(slowedLine({ ...STATS, slowed: { reason: { type: "low_power_mode" }, coolTokensPerSecond: null } })).toBe("Slowed by Low Power Mode: 31 tokens/s")
    expect(slowedLine({ ...STATS, tokensPerSecond: null, slowed: { reason: HOT, coolTokensPerSecond: 44 } })).toBe("Slowed by heat")
  })
  it("is spoken of while it is written only from slowed on", () => {
    const moment = (decision: Decision): Moment => ({ decision, work: { tokensPerSecond: 31, coolTokensPerSecond: 44 } })
    expect(heldNow(moment(SLOWED))).toBe("Slowed by heat: 31 instead of 44 tokens/s")
    expect(heldNow(moment({ ...SLOWED, level: "eased" }))).toBe("")
    expect(heldNow({ decision: { ...SLOWED, level: "held", reasons: [] } })).toBe("Held to the least")
  })
})
