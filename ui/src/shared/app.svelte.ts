// What every part of a window shares: the client, facts about this computer, settings, toast, announcements and open layers.
// Here because both windows need it. Must not know chats or any component.

import { getContext, setContext } from "svelte"
import { asIpcError, type AppInfo, type Client, type IpcError, type ModelSummary, type SettingChange, type SettingKey, type SettingsView } from "../ipc/client"
import { words } from "../strings/language.svelte"
import { rememberLook } from "./look"
import type { Platform } from "./keys"

export type Toast = { text: string; action?: { label: string; run: () => void; testId?: string }; forMs: number }

const TOAST_MS = 5000

export class App {
  readonly client: Client
  info = $state.raw<AppInfo>() as AppInfo
  settings = $state.raw<SettingsView>() as SettingsView
  models = $state.raw<ModelSummary[]>([])
  toast = $state.raw<Toast | null>(null)
  announcement = $state("")
  linkToConfirm = $state<string | null>(null)
  keysOpen = $state(false)
  #toastTimer: ReturnType<typeof setTimeout> | undefined
  #reloads = 0

  constructor(client: Client) {
    this.client = client
  }

  get platform(): Platform {
    return this.info.platform
  }

  /** Everything a window needs before its first paint. */
  async start(): Promise<void> {
    const [info, settings] = await Promise.all([this.client.appInfo(), this.client.getSettings()])
    this.info = info
    document.documentElement.dataset["platform"] = info.platform
    this.#apply(settings)
    await this.client.onAppEvent((event) => {
      if (event.type === "settings_changed") void this.reloadSettings()
      if (event.type === "models_changed") void this.reloadModels()
    })
    void this.reloadModels()
  }

  async reloadSettings(): Promise<void> {
    this.#apply(await this.client.getSettings())
  }

  /** Of two reloads at the same time the one that was begun later counts, whichever comes back first. */
  async reloadModels(): Promise<void> {
    const number = ++this.#reloads
    const models = await this.client.listModels().catch(() => [])
    if (number === this.#reloads) this.models = models
  }

  /** Applies a setting at once; null when it took effect, else why not. */
  async set(change: SettingChange): Promise<IpcError | null> {
    return this.#settle(() => this.client.setSetting(change))
  }

  async reset(key: SettingKey): Promise<IpcError | null> {
    return this.#settle(() => this.client.resetSetting(key))
  }

  modelTitle(name: string): string {
    return this.models.find((model) => model.name === name)?.title ?? name
  }

  show(text: string, action?: Toast["action"], forMs = TOAST_MS): void {
    clearTimeout(this.#toastTimer)
    this.toast = action ? { text, action, forMs } : { text, forMs }
    this.#toastTimer = setTimeout(() => this.hideToast(), forMs)
  }

  hideToast(): void {
    clearTimeout(this.#toastTimer)
    this.toast = null
  }

  /** Says something in the one polite live region of the window. */
  announce(text: string): void {
    this.announcement = text
  }

  async #settle(call: () => Promise<SettingsView>): Promise<IpcError | null> {
    try {
      this.#apply(await call())
      return null
    } catch (thrown) {
      return asIpcError(thrown)
    }
  }

  #apply(view: SettingsView): void {
    this.settings = view
    const { theme, textSize, language } = view.settings
    words.choose(language, this.info.language)
    rememberLook(theme, textSize, words.language)
  }
}

const KEY = Symbol("app")

export function provideApp(app: App): App {
  return setContext(KEY, app)
}

export function useApp(): App {
  return getContext<App>(KEY)
}
