// The commands of the desktop shell and their types, one to one with Rust. Replaced by the generated file: do not edit by hand.
// Here because the wire has one description. Must not know views or state.

import { invoke as __TAURI_INVOKE, type Channel } from "@tauri-apps/api/core"

export const commands = {
  appInfo: () => __TAURI_INVOKE<AppInfo>("app_info"),
  listChats: (query: string) => __TAURI_INVOKE<ChatSummary[]>("list_chats", { query }),
  createChat: () => __TAURI_INVOKE<ChatSummary>("create_chat"),
  openChat: (chatId: string) => __TAURI_INVOKE<ChatView>("open_chat", { chatId }),
  renameChat: (chatId: string, title: string) => __TAURI_INVOKE<ChatSummary>("rename_chat", { chatId, title }),
  deleteChat: (chatId: string) => __TAURI_INVOKE<void>("delete_chat", { chatId }),
  restoreChat: (chatId: string) => __TAURI_INVOKE<ChatSummary>("restore_chat", { chatId }),
  saveDraft: (chatId: string, text: string) => __TAURI_INVOKE<void>("save_draft", { chatId, text }),
  sendMessage: (chatId: string, text: string, replaces: string | null, onEvent: Channel<ChatEvent>) => __TAURI_INVOKE<SendReceipt>("send_message", { chatId, text, replaces, onEvent }),
  regenerate: (chatId: string, messageId: string, onEvent: Channel<ChatEvent>) => __TAURI_INVOKE<SendReceipt>("regenerate", { chatId, messageId, onEvent }),
  followChat: (chatId: string, onEvent: Channel<ChatEvent>) => __TAURI_INVOKE<boolean>("follow_chat", { chatId, onEvent }),
  stopGeneration: (chatId: string) => __TAURI_INVOKE<void>("stop_generation", { chatId }),
  selectBranch: (chatId: string, messageId: string) => __TAURI_INVOKE<ChatView>("select_branch", { chatId, messageId }),
  engineState: () => __TAURI_INVOKE<EngineState>("engine_state"),
  listModels: () => __TAURI_INVOKE<ModelSummary[]>("list_models"),
  getSettings: () => __TAURI_INVOKE<SettingsView>("get_settings"),
  setSetting: (change: SettingChange) => __TAURI_INVOKE<SettingsView>("set_setting", { change }),
  resetSetting: (key: SettingKey) => __TAURI_INVOKE<SettingsView>("reset_setting", { key }),
  openFolder: (kind: FolderKind) => __TAURI_INVOKE<void>("open_folder", { kind }),
  exportChats: (format: ExportFormat) => __TAURI_INVOKE<string>("export_chats", { format }),
  deleteAllChats: () => __TAURI_INVOKE<number>("delete_all_chats"),
  openLink: (url: string) => __TAURI_INVOKE<void>("open_link", { url }),
  showMainWindow: (chatId: string | null, section: Section | null) => __TAURI_INVOKE<void>("show_main_window", { chatId, section }),
  hideWindow: () => __TAURI_INVOKE<void>("hide_window"),
  setPinned: (pinned: boolean) => __TAURI_INVOKE<void>("set_pinned", { pinned }),
  quitApp: () => __TAURI_INVOKE<void>("quit_app"),
}

export type Code =
  | "invalid_input" | "not_found" | "model_missing" | "model_invalid" | "model_unsupported" | "model_unreadable"
  | "insufficient_memory" | "context_overflow" | "engine_crashed" | "engine_unresponsive" | "engine_unavailable" | "busy"
  | "disk_full" | "storage" | "storage_read_only" | "storage_newer" | "settings" | "unsupported" | "network" | "internal"
export type IpcError = { code: Code; message: string; hint: string | null }
export type Role = "user" | "assistant"
export type MessageStatus = "complete" | "streaming" | "stopped" | "interrupted" | "failed"
export type FinishReason = "stop" | "length" | "cancelled"
export type AnswerStats = {
  model: string; promptTokens: number; cachedTokens: number; tokens: number
  ttftMs: number | null; tokensPerSecond: number | null; finishReason: FinishReason | null
}
// `index` of `count` answers to the same question (or versions of the same question); ids to step to.
export type Branch = { index: number; count: number; previousId: string | null; nextId: string | null }
export type Message = {
  id: string; chatId: string; role: Role; text: string; status: MessageStatus
  createdAtMs: number; branch: Branch
  stats: AnswerStats | null      // assistant only
  error: IpcError | null         // status failed or interrupted: why
  notice: string | null          // a visible warning, e.g. "This model has no chat template; ChatML is used."
}
export type ChatSummary = {
  id: string; title: string; createdAtMs: number; updatedAtMs: number
  generating: boolean
}
export type ChatView = { chat: ChatSummary; messages: Message[] /* the active branch, oldest first */; draft: string }
export type SendReceipt = { user: Message | null /* null when regenerating */; assistant: Message }
// What a generation sends, at most 30 times a second. A view that (re)opens a running chat first gets `snapshot`.
export type ChatEvent =
  | { type: "loading"; model: string; progress: number | null }   // model being loaded, 0..1
  | { type: "prefill"; done: number; total: number }              // tokens of the prompt read so far
  | { type: "snapshot"; message: Message }                        // whole answer so far
  | { type: "delta"; messageId: string; text: string }            // text to append
  | { type: "finished"; message: Message }                        // final state: complete, stopped, interrupted or failed; last event
export type EngineState =
  | { type: "unloaded" }
  | { type: "loading"; model: string; progress: number | null }
  | { type: "ready"; model: string; contextTokens: number; offload: string /* in plain words, e.g. "CPU, 2 threads" */ }
  | { type: "generating"; model: string; contextTokens: number; offload: string }
  | { type: "failed"; model: string; error: IpcError }
export type ModelSummary = {
  name: string /* e.g. "starter" */; title: string; sizeBytes: number; quantisation: string | null; contextTokens: number | null
  source: "bundled" | "own"; problem: IpcError | null /* file is damaged: why */
}
export type Theme = "system" | "light" | "dark"
export type TextSize = "small" | "normal" | "large"
export type Language = "system" | "en" | "de"
export type SendKey = "enter" | "mod_enter"
export type Settings = {
  launchAtLogin: boolean; showInMenuBar: boolean; showInDock: boolean; shortcut: string /* "" = none, else e.g. "Alt+Shift+Space" */
  sendKey: SendKey
  theme: Theme; textSize: TextSize; language: Language
  model: string; systemPrompt: string; temperature: number /* 0..2 */; topP: number /* 0..1 */; maxTokens: number /* 1..32768 */
}
export type SettingChange =
  | { key: "launch_at_login"; value: boolean } | { key: "show_in_menu_bar"; value: boolean } | { key: "show_in_dock"; value: boolean }
  | { key: "shortcut"; value: string } | { key: "send_key"; value: SendKey }
  | { key: "theme"; value: Theme } | { key: "text_size"; value: TextSize } | { key: "language"; value: Language }
  | { key: "model"; value: string } | { key: "system_prompt"; value: string } | { key: "temperature"; value: number }
  | { key: "top_p"; value: number } | { key: "max_tokens"; value: number }
export type SettingKey = SettingChange["key"]
export type SettingsView = {
  settings: Settings; defaults: Settings
  repaired: string[]   // plain sentences: what was damaged in the settings file, reset, and where the backup is
}
// One missing or degraded part of this machine, one line each ("No tray host: the tray icon is not shown. Use ...").
export type PartNotice = { part: string; message: string }
export type Paths = { settings: string; data: string; models: string; logs: string }
export type AppInfo = {
  version: string; platform: "macos" | "linux"; language: string /* e.g. "de-DE" from the system */
  paths: Paths; notices: PartNotice[]; hasTray: boolean
}
export type FolderKind = "settings" | "data" | "models" | "logs"
export type ExportFormat = "markdown" | "json"
export type Section = "chats" | "settings"
// Rare events (emit): only this one.
export type AppEvent =
  | { type: "chats_changed" } | { type: "settings_changed" } | { type: "new_chat" } | { type: "show_section"; section: Section; chatId: string | null }
