// @vitest-environment jsdom
// The open chat: sending, early events, failing, stopping, editing, drafts and coming back to a running answer.
// Here beside the session. Must not know components.

import { flushSync } from "svelte"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { ChatEvent, ChatView, Client, Message, OnChatEvent } from "../../ipc/client"
import { message } from "../../ipc/mock_data"
import { ChatSession } from "./chat.svelte"

type Calls = { sent: [string, string, string | null][]; drafts: [string, string][]; ahead: [string, string][]; stopped: string[] }
let calls: Calls
let emit: OnChatEvent
let receipt: { resolve: (value: { user: Message | null; assistant: Message }) => void; reject: (error: unknown) => void }
let view: ChatView
let runs = false
let loaded = true

function fakeClient(): Client {
  const following = (onEvent: OnChatEvent) => {
    emit = onEvent
    const done = new Promise<{ user: Message | null; assistant: Message }>((resolve, reject) => { receipt = { resolve, reject } })
    return { done, close: () => { emit = () => undefined } }
  }
  return {
    openChat: async () => view,
    createChat: async () => ({ id: "new", title: "New chat", createdAtMs: 0, updatedAtMs: 0, generating: false }),
    saveDraft: async (chatId: string, text: string) => { calls.drafts.push([chatId, text]) },
    readAhead: async (chatId: string, draft: string) => { calls.ahead.push([chatId, draft]); return loaded },
    sendMessage: (chatId: string, text: string, replaces: string | null, onEvent: OnChatEvent) => { calls.sent.push([chatId, text, replaces]); return following(onEvent) },
    regenerate: (_chatId: string, _messageId: string, onEvent: OnChatEvent) => following(onEvent),
    followChat: (_chatId: string, onEvent: OnChatEvent) => { emit = onEvent; return { done: Promise.resolve(runs), close: () => undefined } },
    stopGeneration: async (chatId: string) => { calls.stopped.push(chatId) },
  } as unknown as Client
}

const settle = () => new Promise((resolve) => setTimeout(resolve))
const answer = (extra: Partial<Message> = {}) => message("c", "assistant", "", { id: "a1", status: "streaming", stats: null, ...extra })
let session: ChatSession

beforeEach(() => {
  calls = { sent: [], drafts: [], ahead: [], stopped: [] }
  view = { chat: { id: "c", title: "T", createdAtMs: 0, updatedAtMs: 0, generating: false }, messages: [], draft: "half a thought" }
  runs = false
  loaded = true
  session = new ChatSession(fakeClient())
})

describe("sending", () => {
  it("shows the question at once and the answer as it comes", async () => {
    await session.open("c")
    session.type("Hello")
    void session.send()
    expect(session.messages.map((item) => item.text)).toEqual(["Hello"])
    expect(session.draft).toBe("")
    expect(session.running).toBe(true)
    await settle()
    const early: ChatEvent = { type: "delta", messageId: "a1", text: "Hi" }
    emit({ type: "prefill", done: 1, total: 2 })
    emit(early)
    expect(session.wait).toEqual({ type: "prefill", done: 1, total: 2 })
    receipt.resolve({ user: message("c", "user", "Hello", { id: "u1" }), assistant: answer() })
    await settle()
    expect(session.messages.map((item) => item.id)).toEqual(["u1", "a1"])
    expect(session.live?.text).toBe("Hi")
    emit({ type: "delta", messageId: "a1", text: " there" })
    expect(session.live?.text).toBe("Hi there")
    emit({ type: "finished", message: answer({ text: "Hi there", status: "complete" }) })
    flushSync()
    expect(session.running).toBe(false)
    expect(session.lastAnswer?.status).toBe("complete")
  })

  it("gives the words back when it fails", async () => {
    await session.open("c")
    session.type("Hello")
    void session.send()
    await settle()
    receipt.reject({ code: "busy", message: "Another answer is being written.", hint: null })
    await settle()
    expect(session.draft).toBe("Hello")
    expect(session.messages).toEqual([])
    expect(session.error?.error.code).toBe("busy")
    expect(session.running).toBe(false)
  })

  it("creates the chat with the first message only", async () => {
    await session.open(null)
    expect(session.chatId).toBeNull()
    session.type("Hello")
    void session.send()
    await settle()
    expect(session.chatId).toBe("new")
    expect(calls.sent).toEqual([["new", "Hello", null]])
  })

  it("does not send nothing, nor twice", async () => {
    await session.open("c")
    session.type("  \n ")
    await session.send()
    session.type("Hello")
    void session.send()
    session.type("again")
    void session.send()
    await settle()
    expect(calls.sent.length).toBe(1)
  })

  it("replaces an edited message and keeps what came before it", async () => {
    view.messages = [message("c", "user", "One", { id: "u1" }), answer({ id: "a0", status: "complete", text: "Two" }), message("c", "user", "Three", { id: "u2" })]
    await session.open("c")
    const third = session.lastUser
    if (third) session.startEdit(third)
    expect(session.draft).toBe("Three")
    session.type("Changed")
    void session.send()
    await settle()
    expect(calls.sent).toEqual([["c", "Changed", "u2"]])
    expect(session.messages.map((item) => item.text)).toEqual(["One", "Two", "Changed"])
  })

  it("cancelling an edit brings the draft back", async () => {
    view.messages = [message("c", "user", "One", { id: "u1" })]
    await session.open("c")
    if (session.lastUser) session.startEdit(session.lastUser)
    session.cancelEdit()
    expect(session.draft).toBe("half a thought")
  })
})

describe("coming back", () => {
  it("resumes a running answer from its snapshot", async () => {
    runs = true
    view.messages = [message("c", "user", "One", { id: "u1" }), answer()]
    await session.open("c")
    expect(session.running).toBe(true)
    emit({ type: "snapshot", message: answer({ text: "So far" }) })
    emit({ type: "delta", messageId: "a1", text: ", so good" })
    expect(session.live?.text).toBe("So far, so good")
    await session.stop()
    expect(calls.stopped).toEqual(["c"])
  })

  it("ignores events of a chat that was left", async () => {
    await session.open("c")
    session.type("Hello")
    void session.send()
    await settle()
    const old = emit
    receipt.resolve({ user: null, assistant: answer() })
    await settle()
    await session.open(null)
    old({ type: "finished", message: answer({ text: "late", status: "complete" }) })
    expect(session.live).toBeNull()
  })
})

describe("drafts", () => {
  it("are saved after a pause and when the chat is left", async () => {
    vi.useFakeTimers()
    await session.open("c")
    session.type("a")
    session.type("ab")
    await vi.advanceTimersByTimeAsync(299)
    expect(calls.drafts).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(calls.drafts).toEqual([["c", "ab"]])
    session.type("abc")
    await session.open(null)
    expect(calls.drafts).toEqual([["c", "ab"], ["c", "abc"]])
    vi.useRealTimers()
  })
})

describe("reading ahead", () => {
  const LONG = "a message that is long enough"
  const pause = () => vi.advanceTimersByTimeAsync(300)
  beforeEach(async () => {
    vi.useFakeTimers()
    session.readsAhead = () => true
    await session.open("c")
  })
  afterEach(() => { vi.useRealTimers() })

  it("happens after a pause, and again only for enough new words", async () => {
    session.type(LONG.slice(0, 15))
    await pause()
    expect(calls.ahead).toEqual([])
    session.type(LONG)
    await vi.advanceTimersByTimeAsync(299)
    expect(calls.ahead).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    session.type(`${LONG} and`)
    await pause()
    session.type(`${LONG} and then some more`)
    await pause()
    expect(calls.ahead).toEqual([["c", LONG], ["c", `${LONG} and then some more`]])
  })

  it("happens in a new chat too, once it is stored", async () => {
    await session.open(null)
    session.type(LONG)
    await pause()
    expect(calls.ahead).toEqual([["new", LONG]])
  })

  it("never happens when it is switched off, while an answer runs or a message is edited", async () => {
    session.readsAhead = () => false
    session.type(LONG)
    await pause()
    session.readsAhead = () => true
    void session.send()
    session.type(`${LONG} next`)
    await pause()
    receipt.resolve({ user: message("c", "user", LONG, { id: "u1" }), assistant: answer() })
    await pause()
    session.type(`${LONG} next one`)
    await pause()
    emit({ type: "finished", message: answer({ text: "Hi", status: "complete" }) })
    if (session.lastUser) session.startEdit(session.lastUser)
    session.type(`${LONG} changed`)
    await pause()
    expect(calls.ahead).toEqual([])
  })

  it("has a bound for each message", async () => {
    for (let count = 0; count < 30; count += 1) {
      session.type(`${String(count).padStart(2, "0")} ${LONG}`)
      await pause()
    }
    expect(calls.ahead.length).toBe(12)
    await session.open("c")
    session.type(LONG)
    await pause()
    expect(calls.ahead.length).toBe(13)
  })

  it("is tried again when the model was not loaded", async () => {
    loaded = false
    session.type(LONG)
    await pause()
    loaded = true
    session.type(`${LONG}!`)
    await pause()
    session.type(`${LONG}!!`)
    await pause()
    expect(calls.ahead).toEqual([["c", LONG], ["c", `${LONG}!`]])
  })
})
