// Which field of the settings each key of the wire changes. Here because rows need both names. Must not know components.

import type { SettingKey, Settings } from "../../ipc/client"

export const FIELDS = {
  launch_at_login: "launchAtLogin", show_in_menu_bar: "showInMenuBar", show_in_dock: "showInDock", shortcut: "shortcut", send_key: "sendKey",
  theme: "theme", text_size: "textSize", language: "language", model: "model", system_prompt: "systemPrompt",
  temperature: "temperature", top_p: "topP", max_tokens: "maxTokens", context_tokens: "contextTokens", preload_model: "preloadModel", read_ahead: "readAhead", keep_chats_ready: "keepChatsReady",
  server: "server", server_port: "serverPort", server_extra_port: "serverExtraPort", server_lan: "serverLan", server_needs_key: "serverNeedsKey",
  server_origins: "serverOrigins", server_hosts: "serverHosts", server_parallel: "serverParallel", server_queue: "serverQueue",
  server_timeout_minutes: "serverTimeoutMinutes", server_keep_answers: "serverKeepAnswers", server_keep_vectors: "serverKeepVectors",
} as const satisfies Record<SettingKey, keyof Settings>
