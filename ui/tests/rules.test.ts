// @vitest-environment jsdom
// Small rules in one place: keys, chords, days, links, errors, languages.
// Here because each is a line or two. Must not know components.

import { describe, expect, it } from "vitest"
import { actionFor, asSentence } from "../src/errors"
import { groupByDay } from "../src/features/chats/chats.svelte"
import { safeUrl } from "../src/features/chat/markdown/links"
import { chordOf, showChord } from "../src/features/settings/chord"
import { asIpcError } from "../src/ipc/client"
import { actionOf, isComposing, KEYS } from "../src/shared/keys"
import { de } from "../src/strings/de"
import { en } from "../src/strings/en"

const press = (init: KeyboardEventInit & { keyCode?: number }) => new KeyboardEvent("keydown", init)

describe("keys", () => {
  it("use Cmd on a Mac and Ctrl elsewhere", () => {
    expect(actionOf(press({ key: "n", metaKey: true }), "macos")).toBe("newChat")
    expect(actionOf(press({ key: "n", ctrlKey: true }), "macos")).toBeNull()
    expect(actionOf(press({ key: "n", ctrlKey: true }), "linux")).toBe("newChat")
    expect(actionOf(press({ key: "n", ctrlKey: true, shiftKey: true }), "linux")).toBeNull()
    expect(actionOf(press({ key: "C", metaKey: true, shiftKey: true }), "macos")).toBe("copyLast")
    expect(actionOf(press({ key: "c", metaKey: true }), "macos")).toBeNull()
    expect(actionOf(press({ key: "/", ctrlKey: true, shiftKey: true }), "linux")).toBe("shortcuts")
  })
  it("leave composing to the input method", () => {
    expect(actionOf(press({ key: "Escape", isComposing: true }), "macos")).toBeNull()
    expect(isComposing(press({ key: "Enter", keyCode: 229 }))).toBe(true)
  })
  it("are each in the table once, with a word in every language", () => {
    const actions = KEYS.flatMap((row) => row.actions)
    expect(new Set(actions).size).toBe(actions.length)
    for (const row of KEYS) expect(en.keys[row.label] && de.keys[row.label]).toBeTruthy()
  })
})

describe("the shortcut recorder", () => {
  const base = { metaKey: false, ctrlKey: false, altKey: false, shiftKey: false }
  it("writes chords by place and order", () => {
    expect(chordOf({ ...base, key: "˙", code: "KeyH", altKey: true, shiftKey: true })).toBe("Alt+Shift+H")
    expect(chordOf({ ...base, key: " ", code: "Space", metaKey: true })).toBe("Cmd+Space")
    expect(chordOf({ ...base, key: "F6", code: "F6" })).toBe("F6")
  })
  it("waits for a key and refuses a bare one", () => {
    expect(chordOf({ ...base, key: "Meta", code: "MetaLeft", metaKey: true })).toBe("incomplete")
    expect(chordOf({ ...base, key: "a", code: "KeyA", shiftKey: true })).toBe("bare")
    expect(showChord("Alt+Shift+Space", "macos")).toBe("⌥ ⇧ Space")
  })
})

describe("days", () => {
  it("follow the calendar and not 24 hours", () => {
    const now = new Date(2026, 2, 2, 0, 30)
    const chat = (id: string, at: Date) => ({ id, title: id, createdAtMs: 0, updatedAtMs: at.getTime(), generating: false })
    const groups = groupByDay([chat("a", new Date(2026, 2, 2, 0, 10)), chat("b", new Date(2026, 2, 1, 23, 50)), chat("c", new Date(2026, 1, 28, 23, 59))], now)
    expect(groups.map((group) => [group.label, group.chats.map((item) => item.id)])).toEqual([["today", ["a"]], ["yesterday", ["b"]], ["earlier", ["c"]]])
  })
})

describe("links", () => {
  it("may be http, https and mailto only", () => {
    expect(safeUrl("https://example.org/a b")).toBeNull()
    expect(safeUrl("HTTPS://Example.org")).toBe("https://example.org/")
    expect(safeUrl("mailto:a@b.example")).toBe("mailto:a@b.example")
    expect(safeUrl("javascript:alert(1)")).toBeNull()
    expect(safeUrl("https://apple.com@evil.example/")).toBeNull()
  })
})

describe("errors", () => {
  it("keep their code, or become internal", () => {
    expect(asIpcError({ code: "busy", message: "m", hint: null }).code).toBe("busy")
    expect(asIpcError({ code: "made_up", message: "m" }).code).toBe("internal")
    expect(asIpcError(new Error("x"))).toEqual({ code: "internal", message: "x", hint: null })
    expect(actionFor("insufficient_memory")).toBe("settings")
    expect(asSentence("No full stop")).toBe("No full stop.")
  })
})

describe("languages", () => {
  const shape = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shape)
    if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shape(inner)]))
    return typeof value
  }
  const texts = (value: unknown): string[] => (typeof value === "string" ? [value] : typeof value === "object" && value !== null ? Object.values(value).flatMap(texts) : [])
  it("say the same things", () => expect(shape(de)).toEqual(shape(en)))
  it("never shout", () => {
    for (const text of [...texts(en), ...texts(de)]) expect(text).not.toContain("!")
  })
})
