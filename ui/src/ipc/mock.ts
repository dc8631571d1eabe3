// A shell in the browser: the same client with invented data and simulated streaming, for development, tests and screenshots.
// Here beside the real one so that both have one type. Loaded only in development builds. Must not know views.
// Address parameters: ?mock=normal|empty|long|error|loading|prefill|stream|repaired|hot &platform=linux &language=de

import type { ChatSummary, Copying, EngineState, IpcError, Message, Settings, SettingChange, SettingKey } from "./bindings"
import type { ApiKey, Client, Following, OnChatEvent } from "./client"
import { fieldOf } from "./fields"
import { ANSWER, chatsFor, CRASHED, DEFAULTS, DOWNLOADS, FIT, GATED, IMPORTS, INFO, longAnswer, message, MODELS, NO_MEMORY, prospectOf, providers, requests, STATS, SUGGESTED } from "./mock_data"
import { explainedAt, historyOf, momentAt, preview } from "./mock_monitor"

export type MockKind = "normal" | "empty" | "long" | "error" | "loading" | "prefill" | "stream" | "repaired" | "hot"
export type MockOptions = { kind: MockKind; platform: "macos" | "linux"; language: string; tokensPerSecond: number; startupMs: number }

export function mockOptionsFrom(search: string): MockOptions {
  const query = new URLSearchParams(search)
  return {
    kind: (query.get("mock") as MockKind | null) ?? "normal",
    platform: query.get("platform") === "linux" ? "linux" : "macos",
    language: query.get("language") ?? INFO.language,
    tokensPerSecond: Number(query.get("speed") ?? 60),
    startupMs: 400,
  }
}

function transcript(kind: MockKind, chatId: string): Message[] {
  const branch = { index: 1, count: 3, previousId: "b0", nextId: "b2" }
  const asked = message(chatId, "user", "Why do databases use B-trees and not binary trees? A short example in Rust would help.")
  if (kind === "long") return [message(chatId, "user", "Write 5,000 words on how databases read pages."), message(chatId, "assistant", longAnswer(5000), { stats: { ...STATS, tokens: 6980 } })]
  if (kind === "error") {
    return [
      asked, message(chatId, "assistant", "A **B-tree** keeps its keys sorted in wide nodes, so one read from disk", { status: "interrupted", error: CRASHED }),
      message(chatId, "user", "Try again with the larger model."), message(chatId, "assistant", "", { status: "failed", error: NO_MEMORY, stats: null }),
    ]
  }
  const slowed = kind === "hot" ? { reason: { type: "heat", state: "serious", celsius: 97 } as const, coolTokensPerSecond: 44 } : null
  return [
    asked, message(chatId, "assistant", ANSWER, { branch, stats: { ...STATS, tokensPerSecond: slowed ? 31 : STATS.tokensPerSecond, slowed } }),
    message(chatId, "user", "And on an SSD?"),
    message(chatId, "assistant", "Less than on a disk that turns, but the rule stays: a page is read as a whole, so", { status: "stopped", stats: { ...STATS, tokens: 19, finishReason: "cancelled" }, cutMessages: 4, notice: "This model has no chat template; ChatML is used." }),
  ]
}

export function createMock(options: MockOptions): Client {
  const now = Date.now()
  let chats: ChatSummary[] = options.kind === "empty" ? [] : chatsFor(now)
  const gone = new Map<string, ChatSummary>()
  const messages = new Map<string, Message[]>()
  const drafts = new Map<string, string>()
  const running = new Map<string, () => void>()
  let keys: ApiKey[] = []
  let copying: Copying | null = null
  let settings: Settings = { ...DEFAULTS, model: "starter" }
  let repaired = options.kind === "repaired" ? ["The temperature in the settings file was not a number and is 0.7 again. The old file is kept as settings.toml.bak."] : []
  const listeners = new Set<(event: { type: "chats_changed" } | { type: "settings_changed" }) => void>()
  const ready = { type: "ready", model: "starter", contextTokens: 8192, offload: "Metal, all 30 layers" } as const
  let engine: EngineState = options.kind === "loading" ? { type: "loading", model: "starter", progress: 0.43 } : ready

  const changed = () => listeners.forEach((listener) => listener({ type: "chats_changed" }))
  const fail = (code: IpcError["code"], text: string): never => {
    throw { code, message: text, hint: null } satisfies IpcError
  }
  const find = (id: string) => chats.find((chat) => chat.id === id) ?? fail("not_found", "This chat no longer exists.")
  const list = (chatId: string) => {
    const known = messages.get(chatId)
    if (known) return known
    const fresh = chatId === "chat-1" || chatId === "chat-2" ? transcript(options.kind, chatId) : []
    messages.set(chatId, fresh)
    return fresh
  }
  const view = (chatId: string) => ({ chat: find(chatId), messages: [...list(chatId)], draft: drafts.get(chatId) ?? "" })
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

  async function generate(chatId: string, answer: Message, onEvent: OnChatEvent): Promise<void> {
    let stopped = false
    running.set(chatId, () => { stopped = true })
    const chat = find(chatId)
    chat.generating = true
    engine = { ...ready, type: "generating" }
    changed()
    if (options.kind === "loading") {
      engine = { type: "loading", model: "starter", progress: 0.43 }
      onEvent({ type: "loading", model: "starter", progress: 0.43 })
      while (!stopped) await wait(50)
    }
    if (options.kind === "prefill") {
      onEvent({ type: "prefill", done: 120, total: 1400 })
      while (!stopped) await wait(50)
    }
    await wait(options.startupMs)
    const words = (options.kind === "long" ? longAnswer(5000) : ANSWER).split(/(?<=\s)/)
    const perTick = Math.max(1, Math.round(options.tokensPerSecond / 30))
    for (let at = 0; at < words.length && !stopped; at += perTick) {
      if (options.kind === "stream" && at > words.length * 0.55) { await wait(100); at -= perTick; continue }
      const text = words.slice(at, at + perTick).join("")
      answer.text += text
      onEvent({ type: "delta", messageId: answer.id, text })
      await wait(33)
    }
    answer.status = stopped ? "stopped" : "complete"
    answer.stats = { ...STATS, tokens: answer.text.split(/\s+/).length, finishReason: stopped ? "cancelled" : "stop" }
    engine = ready
    running.delete(chatId)
    chat.generating = false
    onEvent({ type: "finished", message: { ...answer } })
    changed()
  }

  function begin(chatId: string, text: string | null, cut: number, onEvent: OnChatEvent) {
    const kept = cut < 0 ? list(chatId) : list(chatId).slice(0, cut)
    const branch = { index: cut < 0 ? 0 : 1, count: cut < 0 ? 1 : 2, previousId: cut < 0 ? null : "older", nextId: null }
    const user = text === null ? null : message(chatId, "user", text, { branch })
    const answer = message(chatId, "assistant", "", { status: "streaming", stats: null, branch: text === null ? branch : { ...branch, index: 0, count: 1, previousId: null } })
    messages.set(chatId, [...kept, ...(user ? [user] : []), answer])
    const chat = find(chatId)
    if (chat.title === "New chat" && text) chat.title = text.slice(0, 60)
    chat.updatedAtMs = Date.now()
    void generate(chatId, answer, onEvent)
    return { user, assistant: { ...answer } }
  }

  const follow = <T>(onEvent: OnChatEvent, call: (events: OnChatEvent) => Promise<T>): Following<T> => {
    let open = true
    return { done: call((event) => { if (open) onEvent(event) }), close: () => { open = false } }
  }

  function apply(change: SettingChange) {
    const next = { ...settings, [fieldOf(change.key)]: change.value }
    if (change.key === "shortcut" && change.value === "Cmd+Space") fail("settings", "Cmd+Space is used by Spotlight.")
    if (!next.showInDock && !next.showInMenuBar) fail("settings", "One of menu bar and Dock must stay on.")
    settings = next
    return { settings, defaults: DEFAULTS, repaired }
  }

  return {
    appInfo: async () => ({ ...INFO, platform: options.platform, language: options.language }),
    listChats: async (query) => chats.filter((chat) => chat.title.toLowerCase().includes(query.toLowerCase())).sort((a, b) => b.updatedAtMs - a.updatedAtMs).map((chat) => ({ ...chat })),
    createChat: async () => {
      const chat = { id: `chat-${crypto.randomUUID()}`, title: "New chat", createdAtMs: Date.now(), updatedAtMs: Date.now(), generating: false }
      chats = [chat, ...chats]
      changed()
      return { ...chat }
    },
    openChat: async (chatId) => view(chatId),
    renameChat: async (chatId, title) => { find(chatId).title = title; changed(); return { ...find(chatId) } },
    deleteChat: async (chatId) => { gone.set(chatId, find(chatId)); chats = chats.filter((chat) => chat.id !== chatId); changed() },
    restoreChat: async (chatId) => {
      const chat = gone.get(chatId) ?? fail("not_found", "This chat no longer exists.")
      chats = [...chats, chat]
      changed()
    },
    saveDraft: async (chatId, text) => { drafts.set(chatId, text) },
    readAhead: async () => settings.readAhead,
    sendMessage: (chatId, text, replaces, onEvent) => follow(onEvent, async (events) => begin(chatId, text, replaces ? list(chatId).findIndex((item) => item.id === replaces) : -1, events)),
    regenerate: (chatId, messageId, onEvent) => follow(onEvent, async (events) => {
      const at = list(chatId).findIndex((item) => item.id === messageId)
      return begin(chatId, null, list(chatId)[at]?.role === "user" ? at + 1 : at, events)
    }),
    followChat: (chatId, onEvent) => follow(onEvent, async () => running.has(chatId)),
    stopGeneration: async (chatId) => { running.get(chatId)?.() },
    selectBranch: async (chatId, messageId) => {
      const items = list(chatId)
      messages.set(chatId, items.map((item) => item.branch.previousId === messageId || item.branch.nextId === messageId
        ? { ...item, branch: messageId === "b0" ? { index: 0, count: 3, previousId: null, nextId: "b1" } : { index: 2, count: 3, previousId: "b1", nextId: null } } : item))
      return view(chatId)
    },
    engineState: async () => engine,
    listModels: async () => MODELS,
    modelPage: async (name) => ({
      name, architecture: "llama", parameters: 134_515_008, layers: 30, trainedTokens: 8192, contextTokens: 8192, callsTools: true, sees: false, thinks: false, hasTemplate: true, files: 1, fit: FIT,
    }),
    changeModels: async (change) => {
      const size = MODELS.find((model) => "name" in change && model.name === change.name)?.sizeBytes ?? 0
      const preview = change.type === "preview_copy" || change.type === "copy" ? { name: `${change.name}-${change.quantisation.toLowerCase()}`, sourceBytes: size, bytes: Math.round(size * 0.7), roundedTwice: true } : null
      if (change.type === "copy" && preview) copying = { model: change.name, preview, stage: "convert", done: 129, total: 272, made: null, error: null }
      if (change.type === "end_copy") copying = null
      if (change.type === "keep_token") apply({ key: "hub_token_kept", value: change.token !== null })
      if (change.type === "look_at_hub" && change.wanted.startsWith("meta-llama/")) throw GATED
      return { freedBytes: change.type === "remove" ? size : null, preview, here: null, prospect: change.type === "look_at_hub" ? prospectOf(change.wanted) : null }
    },
    discoverModels: async () => SUGGESTED,
    modelWork: async () => ({ copying, downloads: options.kind === "empty" ? [] : DOWNLOADS, imports: options.kind === "empty" ? [] : IMPORTS }),
    getSettings: async () => ({ settings, defaults: DEFAULTS, repaired }),
    setSetting: async (change) => apply(change),
    resetSetting: async (key: SettingKey) => apply({ key, value: DEFAULTS[fieldOf(key)] } as SettingChange),
    openFolder: async () => undefined,
    exportChats: async (format) => `~/Downloads/Hearth chats.${format === "json" ? "json" : "zip"}`,
    deleteAllChats: async () => { const count = chats.length; chats = []; changed(); return count },
    clearKeptChats: async () => ({ chats: 0, bytes: 734_003_200 }),
    serverStatus: async () => settings.server
      ? { running: true, addresses: ["http://127.0.0.1:8100", "http://[::1]:8100"], lanAddresses: [], port: 8100, extraPort: null, notice: null }
      : { running: false, addresses: [], lanAddresses: [], port: null, extraPort: null, notice: null },
    listRequests: async (after) => ({ running: 1, waiting: 0, ended: requests(options.kind).filter(({ id }) => id > after) }),
    listApiKeys: async () => [...keys],
    createApiKey: async (name, scopes) => {
      const key = { id: `key-${keys.length}`, name, scopes, createdAtMs: Date.now(), lastUsedAtMs: null }
      keys = [...keys, key]
      return { key, secret: "hearth-0123456789abcdef" }
    },
    revokeApiKey: async (id) => { keys = keys.filter((key) => key.id !== id) },
    getMoment: async () => momentAt(options.kind, Date.now()),
    getHistory: async (span) => historyOf(options.kind, span),
    explainMoment: async ({ atMs }) => explainedAt(options.kind, atMs),
    exportHistory: async (_, format) => `~/Library/Application Support/Hearth/exports/monitor.${format}`,
    previewSetting: async (change) => preview(change),
    listProviders: async () => providers(options.kind, settings),
    setProviderKey: async (id, key) => { apply({ key: "provider_keyed", value: [...settings.providerKeyed.split(" ").filter((other) => other && other !== id), ...(key ? [id] : [])].join(" ") }) },
    openLink: async () => undefined,
    showMainWindow: async () => undefined,
    hideWindow: async () => undefined,
    setPinned: async () => undefined,
    quitApp: async () => { repaired = [] },
    onAppEvent: async (listener) => { listeners.add(listener); return () => listeners.delete(listener) },
  }
}
