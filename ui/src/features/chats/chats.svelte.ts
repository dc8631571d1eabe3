// The list of chats: search, grouping by day, rename, delete with undo.
// Here because the sidebar is only a view of it. Must not know components or the open chat's messages.

import { asIpcError, type ChatSummary, type Client, type IpcError } from "../../ipc/client"

export type Group = { label: "today" | "yesterday" | "earlier"; chats: ChatSummary[] }

const SEARCH_MS = 80

export class ChatList {
  chats = $state.raw<ChatSummary[]>([])
  query = $state("")
  loaded = $state(false)
  error = $state.raw<IpcError | null>(null)
  readonly groups = $derived(groupByDay(this.chats, new Date()))

  #client: Client
  #timer: ReturnType<typeof setTimeout> | undefined
  #asked = 0

  constructor(client: Client) {
    this.#client = client
  }

  async start(): Promise<() => void> {
    await this.reload()
    return this.#client.onAppEvent((event) => {
      if (event.type === "chats_changed") void this.reload()
    })
  }

  search(query: string): void {
    this.query = query
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.reload(), SEARCH_MS)
  }

  async reload(): Promise<void> {
    const asked = (this.#asked += 1)
    try {
      const chats = await this.#client.listChats(this.query.trim())
      // A slower answer to an older question must not replace a newer one.
      if (asked !== this.#asked) return
      this.chats = chats
      this.error = null
    } catch (thrown) {
      if (asked === this.#asked) this.error = asIpcError(thrown)
    }
    this.loaded = true
  }

  async rename(chatId: string, title: string): Promise<void> {
    const clean = title.replace(/\s+/g, " ").trim()
    const chat = this.chats.find((item) => item.id === chatId)
    if (clean === "" || !chat || clean === chat.title) return
    this.chats = this.chats.map((item) => (item.id === chatId ? { ...item, title: clean } : item))
    await this.#settle(() => this.#client.renameChat(chatId, clean))
  }

  /** Removes the chat at once; it can be restored until it is purged. Answers whether it worked. */
  async remove(chatId: string): Promise<boolean> {
    this.chats = this.chats.filter((item) => item.id !== chatId)
    return this.#settle(() => this.#client.deleteChat(chatId))
  }

  async restore(chatId: string): Promise<boolean> {
    return this.#settle(() => this.#client.restoreChat(chatId))
  }

  async #settle(call: () => Promise<unknown>): Promise<boolean> {
    let failed: IpcError | null = null
    try {
      await call()
    } catch (thrown) {
      failed = asIpcError(thrown)
    }
    await this.reload()
    this.error = failed ?? this.error
    return failed === null
  }
}

/** Newest first, by the local calendar day. */
export function groupByDay(chats: ChatSummary[], now: Date): Group[] {
  const today = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime()
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1).getTime()
  const groups: Group[] = [{ label: "today", chats: [] }, { label: "yesterday", chats: [] }, { label: "earlier", chats: [] }]
  for (const chat of chats) {
    const index = chat.updatedAtMs >= today ? 0 : chat.updatedAtMs >= yesterday ? 1 : 2
    groups[index]?.chats.push(chat)
  }
  return groups.filter((group) => group.chats.length > 0)
}
