// The thin, typed door to the desktop shell: every call the views may make, with channels and events as plain callbacks.
// Here because only this folder knows Tauri; a view gets a `Client` and cannot tell the shell from the mock. Must not know state or views.

import type {
  ApiKey, AppEvent, AppInfo, At, ChatEvent, ChatSummary, ChatView, Code, Decision, EngineState, Explanation, ExportAs, ExportFormat, FolderKind,
  Freed, History, IpcError, ModelPage, ModelsChange, ModelsChanged, ModelSummary, ModelWork, Moment, NewApiKey, Provider, Requests, Scope, Section, SendReceipt, ServerStatus, SettingChange, SettingKey, SettingsView, Span, Suggested,
} from "./bindings"

export type * from "./bindings"

export type OnChatEvent = (event: ChatEvent) => void
/** A running call and the way to stop listening to its events. Closing does not stop the generation. */
export type Following<T> = { done: Promise<T>; close: () => void }

/** A command that answers with nothing: null over the wire. */
export type Done = void | null

export interface Client {
  appInfo(): Promise<AppInfo>
  listChats(query: string): Promise<ChatSummary[]>
  createChat(): Promise<ChatSummary>
  openChat(chatId: string): Promise<ChatView>
  renameChat(chatId: string, title: string): Promise<ChatSummary>
  deleteChat(chatId: string): Promise<Done>
  restoreChat(chatId: string): Promise<Done>
  saveDraft(chatId: string, text: string): Promise<Done>
  /** Lets the model read a message that is not finished; whether it does. */
  readAhead(chatId: string, draft: string): Promise<boolean>
  sendMessage(chatId: string, text: string, replaces: string | null, onEvent: OnChatEvent): Following<SendReceipt>
  regenerate(chatId: string, messageId: string, onEvent: OnChatEvent): Following<SendReceipt>
  followChat(chatId: string, onEvent: OnChatEvent): Following<boolean>
  stopGeneration(chatId: string): Promise<Done>
  selectBranch(chatId: string, messageId: string): Promise<ChatView>
  engineState(): Promise<EngineState>
  listModels(): Promise<ModelSummary[]>
  /** Well-known models that could be fetched, the best for this machine first. */
  discoverModels(): Promise<Suggested[]>
  modelPage(name: string): Promise<ModelPage>
  changeModels(change: ModelsChange): Promise<ModelsChanged>
  /** The copy that is being made: asked for while something shows it. */
  modelWork(): Promise<ModelWork>
  getSettings(): Promise<SettingsView>
  setSetting(change: SettingChange): Promise<SettingsView>
  resetSetting(key: SettingKey): Promise<SettingsView>
  openFolder(kind: FolderKind): Promise<Done>
  exportChats(format: ExportFormat): Promise<string>
  deleteAllChats(): Promise<number>
  clearKeptChats(): Promise<Freed>
  serverStatus(): Promise<ServerStatus>
  /** What runs now, and the requests that ended with a higher id than this. */
  listRequests(after: number): Promise<Requests>
  listApiKeys(): Promise<ApiKey[]>
  /** The only time that a key can be seen. */
  createApiKey(name: string, scopes: Scope[]): Promise<NewApiKey>
  revokeApiKey(id: string): Promise<Done>
  /** The newest moment: asked for once a second, and only while something shows it. */
  getMoment(): Promise<Moment>
  getHistory(span: Span): Promise<History>
  explainMoment(at: At): Promise<Explanation>
  /** Where the file is. */
  exportHistory(span: Span, format: ExportAs): Promise<string>
  /** What would be decided now with another value of one setting. */
  previewSetting(change: SettingChange): Promise<Decision>
  /** Other programs that run models; takes up to a few seconds. */
  listProviders(): Promise<Provider[]>
  /** Keeps a key in the system's key store, or forgets it. */
  setProviderKey(id: string, key: string | null): Promise<Done>
  openLink(url: string): Promise<Done>
  showMainWindow(chatId: string | null, section: Section | null): Promise<Done>
  hideWindow(): Promise<Done>
  setPinned(pinned: boolean): Promise<Done>
  quitApp(): Promise<Done>
  /** Rare events for every window; answers with the way to stop listening. */
  onAppEvent(listener: (event: AppEvent) => void): Promise<() => void>
}

/** True inside the desktop shell. */
export function insideShell(): boolean {
  return "__TAURI_INTERNALS__" in window
}

/** The client of this window. Outside the shell, and only in development, it is the mock. */
export async function connect(): Promise<Client> {
  if (import.meta.env.DEV && !insideShell()) {
    const { createMock, mockOptionsFrom } = await import("./mock")
    return createMock(mockOptionsFrom(window.location.search))
  }
  const { createShellClient } = await import("./shell")
  return createShellClient()
}

const CODES: Record<Code, true> = {
  invalid_input: true, not_found: true, model_missing: true, model_invalid: true, model_unsupported: true, model_unreadable: true,
  insufficient_memory: true, context_overflow: true, engine_crashed: true, engine_unresponsive: true, engine_unavailable: true,
  busy: true, disk_full: true, storage: true, storage_read_only: true, storage_newer: true, settings: true, unsupported: true,
  network: true, refused: true, internal: true,
}

/** Whatever was thrown, as the one error shape the views know. */
export function asIpcError(thrown: unknown): IpcError {
  if (typeof thrown === "object" && thrown !== null && "code" in thrown && "message" in thrown) {
    const { code, message, hint } = thrown as { code: unknown; message: unknown; hint?: unknown }
    if (typeof code === "string" && Object.hasOwn(CODES, code)) {
      return { code: code as Code, message: String(message), hint: typeof hint === "string" ? hint : null }
    }
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return { code: "internal", message, hint: null }
}
