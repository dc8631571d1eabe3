// What to paste into programs that people use with a server such as this one, with what is in force here filled in.
// Each follows the program's own documentation of autumn 2026; what is not known to work is said in words beside it. Must not know components.

import { quoted } from "./snippets"

export const PROGRAMS = ["zed", "continue", "openWebui", "claudeCode", "codex", "xcode"] as const
export type Program = (typeof PROGRAMS)[number]

export const NAMES: Record<Program, string> = { zed: "Zed", continue: "Continue", openWebui: "Open WebUI", claudeCode: "Claude Code", codex: "Codex", xcode: "Xcode" }

/** What the settings of a program are filled with. */
export type Facts = {
  /** Without a path, such as `http://127.0.0.1:8100`. */
  address: string
  port: number
  model: string
  title: string
  /** Tokens the model reads as it is loaded here; null when its file does not say. */
  contextTokens: number | null
  keyed: boolean
}

/** A piece to paste: into a file, whose `place` it names, a terminal, or a field of the program. */
export type Piece = { place: string | null; text: string; kind: "file" | "terminal" | "field" | "docker" }

/** When a model does not say how much it can read. */
const USUAL_CONTEXT = 8192

function zed({ address, model, title, contextTokens }: Facts): Piece[] {
  const entry = {
    name: model, display_name: title, max_tokens: contextTokens ?? USUAL_CONTEXT,
    capabilities: { tools: true, images: false, parallel_tool_calls: true, prompt_cache_key: false },
  }
  // The name of the provider also names the variable of its key: HEARTH_API_KEY.
  const settings = { language_models: { openai_compatible: { Hearth: { api_url: `${address}/v1`, available_models: [entry] } } } }
  return [{ kind: "file", place: "settings.json", text: JSON.stringify(settings, null, 2) }]
}

function continueDev({ address, model, title, keyed }: Facts): Piece[] {
  const key = keyed ? "${{ secrets.HEARTH_API_KEY }}" : "any"
  const lines = [
    "name: Hearth", "version: 0.0.1", "schema: v1", "models:",
    `  - name: ${JSON.stringify(title)}`, "    provider: openai", `    model: ${JSON.stringify(model)}`, `    apiBase: ${address}/v1`, `    apiKey: ${key}`, "    roles: [chat, edit, apply]",
    "  - name: Hearth embedder", "    provider: openai", "    model: embedder", `    apiBase: ${address}/v1`, `    apiKey: ${key}`, "    roles: [embed]",
  ]
  return [{ kind: "file", place: "~/.continue/config.yaml", text: lines.join("\n") }]
}

function openWebui({ address, port }: Facts): Piece[] {
  return [{ kind: "field", place: null, text: `${address}/v1` }, { kind: "docker", place: null, text: `http://host.docker.internal:${port}/v1` }]
}

function claudeCode({ address, model, keyed }: Facts): Piece[] {
  const token = keyed ? '"$HEARTH_API_KEY"' : "any"
  const name = /^[\w./:-]+$/.test(model) ? model : quoted(model)
  // Its background tasks ask for a small model of Anthropic's unless another one is named.
  const lines = [`export ANTHROPIC_BASE_URL=${address}`, `export ANTHROPIC_AUTH_TOKEN=${token}`, `export ANTHROPIC_DEFAULT_HAIKU_MODEL=${name}`, `claude --model ${name}`]
  return [{ kind: "terminal", place: null, text: lines.join("\n") }]
}

function codex({ address, model, contextTokens, keyed }: Facts): Piece[] {
  const lines = [
    `model = ${JSON.stringify(model)}`, 'model_provider = "hearth"', `model_context_window = ${contextTokens ?? USUAL_CONTEXT}`, "",
    "[model_providers.hearth]", 'name = "Hearth"', `base_url = "${address}/v1"`, 'wire_api = "responses"', ...(keyed ? ['env_key = "HEARTH_API_KEY"'] : []),
  ]
  return [{ kind: "file", place: "~/.codex/config.toml", text: lines.join("\n") }]
}

function xcode({ address, port, keyed }: Facts): Piece[] {
  return [{ kind: "field", place: null, text: keyed ? address : String(port) }]
}

export function setup(program: Program, facts: Facts): Piece[] {
  return { zed, continue: continueDev, openWebui, claudeCode, codex, xcode }[program](facts)
}
