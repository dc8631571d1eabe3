// The client on top of the generated bindings: turns callbacks into channels and the shell's event into a listener.
// Here, beside the bindings, because it is the only caller of Tauri. Must not know state or views.

import { Channel } from "@tauri-apps/api/core"
import { listen } from "@tauri-apps/api/event"
import { commands, type AppEvent, type ChatEvent } from "./bindings"
import type { Client, Following, OnChatEvent } from "./client"

const APP_EVENT = "app-event"

function follow<T>(onEvent: OnChatEvent, call: (channel: Channel<ChatEvent>) => Promise<T>): Following<T> {
  let open = true
  const channel = new Channel<ChatEvent>()
  channel.onmessage = (event) => {
    if (open) onEvent(event)
  }
  return { done: call(channel), close: () => { open = false } }
}

export function createShellClient(): Client {
  return {
    ...commands,
    deleteChat: (chatId) => commands.setChatDeleted(chatId, true),
    restoreChat: (chatId) => commands.setChatDeleted(chatId, false),
    deleteAllChats: async () => (await commands.clearChats("chats")).chats,
    clearKeptChats: () => commands.clearChats("kept"),
    showMainWindow: (chatId, section) => commands.actOnWindow({ type: "show_main", chatId, section }),
    hideWindow: () => commands.actOnWindow({ type: "hide" }),
    setPinned: (pinned) => commands.actOnWindow({ type: "pin", pinned }),
    sendMessage: (chatId, text, replaces, onEvent) => follow(onEvent, (channel) => commands.sendMessage(chatId, text, replaces, channel)),
    regenerate: (chatId, messageId, onEvent) => follow(onEvent, (channel) => commands.regenerate(chatId, messageId, channel)),
    followChat: (chatId, onEvent) => follow(onEvent, (channel) => commands.followChat(chatId, channel)),
    onAppEvent: (listener) => listen<AppEvent>(APP_EVENT, (event) => listener(event.payload)),
  }
}
