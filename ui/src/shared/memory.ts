// With what a window opens: the part and the chat its address names, else what it remembers itself, the last chat, range and the sidebar.
// Here because a view may be destroyed at any time. Everything else lives in the shell. Must not know components.

import type { Section } from "../ipc/client"

const CHAT = "hearth.lastChat"
const SIDEBAR = "hearth.sidebar"
const RANGE = "hearth.range"

function read(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

function write(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key)
    else localStorage.setItem(key, value)
  } catch {
    // Forgetting is fine.
  }
}

export const lastChat = (): string | null => {
  const asked = new URLSearchParams(window.location.hash.slice(1)).get("chat")
  const inMock = import.meta.env.DEV ? new URLSearchParams(window.location.search).get("chat") : null
  return asked ?? inMock ?? read(CHAT)
}
/** The part with which a window that is built new opens: the shell says so in its address. */
export const sectionAsked = (): Section => {
  const place = window.location.hash.slice(1)
  return place === "models" || place === "monitor" || place === "server" || place === "settings" ? place : "chats"
}
export const rememberChat = (chatId: string | null): void => write(CHAT, chatId)
export const sidebarShown = (): boolean => read(SIDEBAR) !== "hidden"
export const rememberSidebar = (shown: boolean): void => write(SIDEBAR, shown ? null : "hidden")
/** The stretch of time that the Monitor showed last. */
export const lastRange = (): string | null => read(RANGE)
export const rememberRange = (range: string): void => write(RANGE, range)
