/// <reference types="node" />
// How a request is read, and what is filled into examples and into settings of other programs.
// Here because these are texts that people paste: a slip in one costs them an evening. Must not know components.

import { execFileSync } from "node:child_process"
import { describe, expect, it } from "vitest"
import type { RequestEntry } from "../../ipc/client"
import { en } from "../../strings/en"
import { clientOf, dialectOf, isError, reasonOf } from "./entries"
import { PROGRAMS, setup, type Facts } from "./setup"
import { snippet, type Language, type Library } from "./snippets"

const ENTRY: RequestEntry = { id: 1, atMs: 0, method: "POST", path: "/v1/chat/completions", client: "curl/8.7.1", remote: null, status: 200, reason: null, tookMs: 10, model: "starter", promptTokens: 5, tokens: 7, ttftMs: 3 }
const FACTS: Facts = { address: "http://127.0.0.1:8101", port: 8101, model: "my model's \"Q4\"", title: "Mine", contextTokens: 40_960, keyed: false }

describe("an entry of the log", () => {
  it("belongs to an API by its path", () => {
    const paths = { "/v1/chat/completions": "OpenAI", "/v1/messages": "Anthropic", "/v1/messages/count_tokens": "Anthropic", "/api/chat": "Ollama", "/": "Ollama", "/api/v0/models": "LM Studio", "/health": "Hearth" }
    for (const [path, dialect] of Object.entries(paths)) expect(dialectOf(path)).toBe(dialect)
  })
  it("is an error when it was refused, broke off, or nobody waited", () => {
    expect([ENTRY, { ...ENTRY, status: 404 }, { ...ENTRY, reason: "engine_crashed" }, { ...ENTRY, status: null }].map(isError)).toEqual([false, true, true, true])
  })
  it("names who asked and why not", () => {
    const t = en.server.log
    expect(clientOf({ ...ENTRY, client: "Mozilla/5.0" }, t)).toBe("Web browser")
    expect(clientOf({ ...ENTRY, client: null, remote: "192.168.1.7" }, t)).toBe("Not named from 192.168.1.7")
    expect(reasonOf({ ...ENTRY, reason: "busy" }, t)).toBe("Too many at once")
    expect(reasonOf({ ...ENTRY, reason: "this Origin is not allowed" }, t)).toBe("This Origin is not allowed")
    expect(reasonOf({ ...ENTRY, reason: "method_not_allowed" }, t)).toBe("Method not allowed")
  })
})

const LIBRARIES: Library[] = ["openai", "ollama", "anthropic"]
const question = "What's \"up\"?"

describe("examples", () => {
  it.each(LIBRARIES)("of %s with curl are one shell command with valid JSON, whatever the names", (library) => {
    for (const keyed of [false, true]) {
      const script = snippet(library, "curl", { ...FACTS, keyed, question }).replace(/^curl/, 'printf "%s\\n"')
      const words = execFileSync("sh", ["-c", script], { env: { HEARTH_API_KEY: "secret" } }).toString().trim().split("\n")
      expect(words[0]).toMatch(/^http:\/\/127\.0\.0\.1:8101\//)
      expect(words.some((word) => word.endsWith("secret"))).toBe(keyed)
      expect(JSON.parse(words.at(-1) ?? "")).toMatchObject({ model: FACTS.model, messages: [{ role: "user", content: question }] })
    }
  })
  it("ask for a key only where one is needed, and never hold one", () => {
    for (const library of LIBRARIES) for (const language of ["curl", "python", "javascript"] as Language[]) {
      const text = (keyed: boolean) => snippet(library, language, { ...FACTS, keyed, question })
      expect(text(true)).toContain("HEARTH_API_KEY")
      expect(text(false)).not.toContain("HEARTH_API_KEY")
      expect(text(false)).toContain(FACTS.address)
    }
  })
  it("of Python compile", () => {
    const all = LIBRARIES.flatMap((library) => [false, true].map((keyed) => snippet(library, "python", { ...FACTS, keyed, question })))
    execFileSync("python3", ["-c", "import ast, json, sys; [ast.parse(text) for text in json.load(sys.stdin)]"], { input: JSON.stringify(all) })
  })
})

describe("settings of other programs", () => {
  const texts = (facts: Facts) => Object.fromEntries(PROGRAMS.map((program) => [program, setup(program, facts).map((piece) => piece.text)]))
  it("have this address", () => {
    for (const [program, pieces] of Object.entries(texts(FACTS))) expect(pieces.join("\n"), program).toContain("8101")
    expect(texts(FACTS)["claudeCode"]?.[0]).toContain("ANTHROPIC_BASE_URL=http://127.0.0.1:8101\n")
    expect(texts(FACTS)["openWebui"]).toEqual(["http://127.0.0.1:8101/v1", "http://host.docker.internal:8101/v1"])
  })
  it("are JSON for Zed, with what the model can read", () => {
    const provider = JSON.parse(setup("zed", FACTS)[0]?.text ?? "").language_models.openai_compatible.Hearth
    expect(provider).toMatchObject({ api_url: "http://127.0.0.1:8101/v1", available_models: [{ name: FACTS.model, max_tokens: 40_960, capabilities: { tools: true, images: false } }] })
  })
  it("are TOML for Codex, its own keys before the table", () => {
    expect(setup("codex", { ...FACTS, keyed: true })[0]?.text.split("\n")).toEqual([
      'model = "my model\'s \\"Q4\\""', 'model_provider = "hearth"', "model_context_window = 40960", "",
      "[model_providers.hearth]", 'name = "Hearth"', 'base_url = "http://127.0.0.1:8101/v1"', 'wire_api = "responses"', 'env_key = "HEARTH_API_KEY"',
    ])
    expect(setup("codex", FACTS)[0]?.text).not.toContain("env_key")
  })
  it("change where a key is needed", () => {
    expect(texts({ ...FACTS, keyed: true })["continue"]?.[0]).toContain("${{ secrets.HEARTH_API_KEY }}")
    expect(texts(FACTS)["xcode"]).toEqual(["8101"])
    expect(texts({ ...FACTS, keyed: true })["xcode"]).toEqual(["http://127.0.0.1:8101"])
    expect(texts(FACTS)["claudeCode"]?.[0]).toContain("--model 'my model'\\''s \"Q4\"'")
  })
})
