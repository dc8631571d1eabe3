// One open chat: its messages, draft, the running answer and what may be done with them.
// Here so that views are disposable: a new view calls open() and has everything again. Must not know components or the DOM.

import { asIpcError, type ChatEvent, type Client, type Following, type IpcError, type Message, type SendReceipt } from "../../ipc/client"
import { LiveAnswer } from "./live_answer"
import { ReadAhead } from "./read_ahead"

export type Wait =
  | { type: "starting" }
  | { type: "loading"; model: string; progress: number | null }
  | { type: "prefill"; done: number; total: number }

export type ChatError = { error: IpcError; during: "open" | "send" }

const DRAFT_MS = 300
const PENDING = "pending"

export class ChatSession {
  chatId = $state<string | null>(null)
  title = $state("")
  messages = $state.raw<Message[]>([])
  draft = $state("")
  /** The user message being edited. */
  editing = $state.raw<Message | null>(null)
  wait = $state.raw<Wait | null>(null)
  live = $state.raw<LiveAnswer | null>(null)
  opening = $state(false)
  error = $state.raw<ChatError | null>(null)
  /** Counts up when the reader should be at the end again: after opening and sending. */
  toEnd = $state(0)
  onActivity: (active: boolean) => void = () => undefined
  onFinished: (message: Message) => void = () => undefined
  /** Whether the user lets the model read while they type. */
  readsAhead: () => boolean = () => false

  readonly running = $derived(this.live !== null || this.wait !== null)
  readonly lastAnswer = $derived(this.messages.findLast((message) => message.role === "assistant") ?? null)
  readonly lastUser = $derived(this.messages.findLast((message) => message.role === "user") ?? null)

  #client: Client
  #stream: Following<unknown> | null = null
  #early: ChatEvent[] | null = null
  #draftTimer: ReturnType<typeof setTimeout> | undefined
  #draftSaved = ""
  #ahead = new ReadAhead()
  #creating: Promise<string> | null = null

  constructor(client: Client) {
    this.#client = client
  }

  /** Shows a chat and follows its running answer; null is a new chat, which is stored with its first words. */
  async open(chatId: string | null): Promise<void> {
    await this.#leave()
    this.chatId = chatId
    this.error = null
    if (chatId === null) {
      this.#show([], "", "")
      return
    }
    this.opening = true
    try {
      const view = await this.#client.openChat(chatId)
      if (this.chatId !== chatId) return
      this.#show(view.messages, view.draft, view.chat.title)
      await this.#followRunning(chatId)
    } catch (thrown) {
      if (this.chatId === chatId) this.error = { error: asIpcError(thrown), during: "open" }
    } finally {
      if (this.chatId === chatId) this.opening = false
    }
  }

  type(text: string): void {
    this.draft = text
    if (this.editing) return
    clearTimeout(this.#draftTimer)
    this.#draftTimer = setTimeout(() => void this.#pause(), DRAFT_MS)
  }

  /** The user has stopped typing for a moment. */
  async #pause(): Promise<void> {
    await this.flushDraft()
    const { chatId, draft } = this
    if (chatId === null || this.running || this.editing || !this.readsAhead() || !this.#ahead.isWorth(draft)) return
    try {
      if (await this.#client.readAhead(chatId, draft)) this.#ahead.begun(draft)
    } catch {
      // Only speed is lost; sending says what is wrong.
    }
  }

  async flushDraft(): Promise<void> {
    clearTimeout(this.#draftTimer)
    if (this.editing || this.draft === this.#draftSaved) return
    const text = this.draft
    try {
      const chatId = await this.#ensureChat()
      await this.#client.saveDraft(chatId, text)
      if (this.chatId === chatId) this.#draftSaved = text
    } catch {
      // A draft that cannot be stored stays in the box; sending says what is wrong.
    }
  }

  async send(): Promise<void> {
    const text = this.draft.trim()
    if (text === "" || this.running) return
    const replaces = this.editing
    const before = this.messages
    clearTimeout(this.#draftTimer)
    this.#ahead.reset()
    this.editing = null
    this.draft = ""
    this.#draftSaved = ""
    const cut = replaces ? before.findIndex((message) => message.id === replaces.id) : before.length
    this.messages = [...before.slice(0, cut), pendingMessage(this.chatId ?? "", text)]
    this.toEnd += 1
    const done = await this.#run(async (onEvent) => {
      const chatId = await this.#ensureChat()
      return this.#client.sendMessage(chatId, text, replaces?.id ?? null, onEvent)
    }, (receipt) => [...this.messages.filter((message) => message.id !== PENDING), ...(receipt.user ? [receipt.user] : []), receipt.assistant])
    if (done) return
    this.messages = before
    this.editing = replaces
    if (this.draft === "") this.draft = text
  }

  async regenerate(messageId: string): Promise<void> {
    if (this.running) return
    const chatId = this.chatId
    const at = this.messages.findIndex((message) => message.id === messageId)
    const target = this.messages[at]
    if (chatId === null || !target) return
    const before = this.messages
    this.messages = before.slice(0, target.role === "user" ? at + 1 : at)
    this.toEnd += 1
    const done = await this.#run(
      async (onEvent) => this.#client.regenerate(chatId, messageId, onEvent),
      (receipt) => [...this.messages, receipt.assistant],
    )
    if (!done) this.messages = before
  }

  async stop(): Promise<void> {
    if (this.chatId === null || !this.running) return
    try {
      await this.#client.stopGeneration(this.chatId)
    } catch (thrown) {
      this.error = { error: asIpcError(thrown), during: "send" }
    }
  }

  startEdit(message: Message): void {
    if (this.running || message.role !== "user") return
    void this.flushDraft()
    this.editing = message
    this.draft = message.text
  }

  cancelEdit(): void {
    if (!this.editing) return
    this.editing = null
    this.draft = this.#draftSaved
  }

  async step(messageId: string | null): Promise<void> {
    if (messageId === null || this.chatId === null || this.running) return
    try {
      const view = await this.#client.selectBranch(this.chatId, messageId)
      if (view.chat.id === this.chatId) this.messages = view.messages
    } catch (thrown) {
      this.error = { error: asIpcError(thrown), during: "open" }
    }
  }

  close(): void {
    void this.#leave()
  }

  async #leave(): Promise<void> {
    this.#ahead.reset()
    this.editing = null
    const saving = this.draft === this.#draftSaved ? null : this.flushDraft()
    this.#stream?.close()
    this.#stream = null
    this.#early = null
    this.#setIdle()
    await saving
  }

  #show(messages: Message[], draft: string, title: string): void {
    this.messages = messages
    this.draft = draft
    this.#draftSaved = draft
    this.title = title
    this.toEnd += 1
  }

  async #ensureChat(): Promise<string> {
    if (this.chatId !== null) return this.chatId
    this.#creating ??= this.#client.createChat().then((chat) => {
      this.chatId = chat.id
      this.title = chat.title
      return chat.id
    }).finally(() => { this.#creating = null })
    return this.#creating
  }

  /** Starts a generation; events that arrive before the receipt wait for it. Answers whether it started. */
  async #run(call: (onEvent: (event: ChatEvent) => void) => Promise<Following<SendReceipt>>, place: (receipt: SendReceipt) => Message[]): Promise<boolean> {
    this.error = null
    this.wait = { type: "starting" }
    this.onActivity(true)
    const early: ChatEvent[] = []
    this.#early = early
    let stream: Following<SendReceipt> | null = null
    try {
      stream = await call((event) => (this.#early === early ? this.#receiveEarly(event) : this.#receive(event)))
      this.#stream = stream
      const receipt = await stream.done
      if (this.#early !== early) return true
      this.messages = place(receipt)
      this.live = new LiveAnswer(receipt.assistant.id, receipt.assistant.text)
      this.#early = null
      for (const event of early) this.#receive(event)
      return true
    } catch (thrown) {
      if (this.#early !== early) return true
      this.#early = null
      this.#setIdle()
      this.error = { error: asIpcError(thrown), during: "send" }
      return false
    }
  }

  #receiveEarly(event: ChatEvent): void {
    if (event.type === "loading" || event.type === "prefill") this.#receive(event)
    else this.#early?.push(event)
  }

  async #followRunning(chatId: string): Promise<void> {
    const stream = this.#client.followChat(chatId, (event) => this.#receive(event))
    this.#stream = stream
    const running = await stream.done
    if (this.chatId !== chatId || this.#stream !== stream) return stream.close()
    const last = this.messages.at(-1)
    if (!running) {
      if (last?.status === "streaming") this.messages = (await this.#client.openChat(chatId)).messages
      return
    }
    if (this.live === null && last?.status === "streaming") this.#begin(last)
  }

  #begin(message: Message): void {
    this.live = new LiveAnswer(message.id, message.text)
    this.wait ??= message.text === "" ? { type: "starting" } : null
    this.onActivity(true)
  }

  #receive(event: ChatEvent): void {
    switch (event.type) {
      case "loading":
      case "prefill":
        this.wait = event
        this.onActivity(true)
        return
      case "snapshot":
        this.#put(event.message)
        this.wait = null
        this.#begin(event.message)
        return
      case "delta":
        if (this.live?.messageId !== event.messageId) return
        this.wait = null
        this.live.append(event.text)
        return
      case "finished":
        this.#put(event.message)
        this.#stream = null
        this.#setIdle()
        this.onFinished(event.message)
    }
  }

  #put(message: Message): void {
    const at = this.messages.findIndex((known) => known.id === message.id)
    this.messages = at < 0 ? [...this.messages, message] : this.messages.with(at, message)
  }

  #setIdle(): void {
    this.wait = null
    this.live = null
    this.onActivity(false)
  }
}

function pendingMessage(chatId: string, text: string): Message {
  return {
    id: PENDING, chatId, role: "user", text, status: "complete", createdAtMs: Date.now(),
    branch: { index: 0, count: 1, previousId: null, nextId: null }, stats: null, error: null, notice: null, cutMessages: 0,
  }
}
