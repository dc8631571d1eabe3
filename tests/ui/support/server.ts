// What the Server screen is filled with for its pictures: requests of every kind, keys, and a model with a long name.
import { mkdirSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Hearth } from "./hearth"

const STARTER = fileURLToPath(new URL("../../../target/debug/resources/models/SmolLM2-135M-Instruct.Q4_1.gguf", import.meta.url))
export const LONG_NAME = "Qwen3-Coder-30B-A3B-Instruct-UD-Q4_K_XL"
const USES = ["Editor", "Laptop in the kitchen", "Notes about the garden, indexed every night at half past three", "Shell scripts", "Continuous integration"]

/** A model whose file has a long name; call it before the program starts. */
export function addLongModel(home: string): void {
  mkdirSync(join(home, "models"), { recursive: true })
  symlinkSync(STARTER, join(home, "models", `${LONG_NAME}.gguf`))
}

/** Makes keys and sends requests as programs would; the fake model is told how much to say. */
export async function fillServer(hearth: Hearth, { requests, keys }: { requests: number; keys: number }): Promise<void> {
  const { addresses } = (await hearth.invoke("server_status")).ok as { addresses: string[] }
  const models = (await hearth.invoke("list_models")).ok as { name: string }[]
  const long = models.find((model) => model.name.toLowerCase().startsWith("qwen3"))?.name ?? "starter"
  let secret = "any"
  for (let at = 0; at < keys; at += 1) {
    const scopes = at % 4 === 3 ? ["inference", "models"] : ["inference"]
    const made = (await hearth.invoke("create_api_key", { name: USES[at % USES.length], scopes })).ok as { secret: string }
    secret = made.secret
  }
  const text = (count: number, slowly = false) => `${slowly ? "!slow 4" : "!say"} ${"word ".repeat(count)}`
  const say = (count: number, slowly = false) => [{ role: "user", content: text(count, slowly) }]
  type Kind = [agent: string, path: string, body: object | null, headers?: Record<string, string>]
  const kinds: Kind[] = [
    ["Zed/1.19.2", "/v1/chat/completions", { model: "starter", messages: say(30, true), stream: true }],
    ["OpenAI/Python", "/v1/chat/completions", { model: "starter", messages: say(40) }],
    ["OpenAI/Python", "/v1/embeddings", { model: "embedder", input: text(60) }],
    ["curl/8.7.1", "/api/chat", { model: "starter", stream: false, messages: say(9) }],
    ["node", "/v1/models", null],
    ["claude-cli/2.1.270", "/v1/messages", { model: long, max_tokens: 900, messages: say(150) }],
    ["Mozilla/5.0", "/v1/chat/completions", { model: "starter", messages: [] }, { origin: "https://recipes.example" }],
    ["ollama-python/0.6.1", "/api/generate", { model: long, stream: false, prompt: text(60) }],
    ["OpenAI/JS", "/v1/chat/completions", { model: "gpt-5", messages: say(1) }],
    ["codex_cli_rs/0.162.1", "/v1/responses", { model: "starter", input: text(80) }],
  ]
  for (let at = 0; at < requests; at += 1) {
    const [agent, path, body, more] = kinds[at % kinds.length] as Kind
    const headers = { "user-agent": agent, "content-type": "application/json", authorization: `Bearer ${secret}`, ...more }
    const reply = await fetch(`${addresses[0]}${path}`, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers })
    await reply.text()
  }
  await hearth.browser.pause(1200)
}
