// What the mock shows: chats with real-looking content, long names, a very long answer, errors.
// Here so that mock.ts is behaviour only. Development and tests only. Must not know views.

import type { MockKind } from "./mock"
import type { AnswerStats, AppInfo, ChatSummary, Download, Fit, Importing, IpcError, Message, ModelSummary, Prospect, Provider, RequestEntry, Settings, Suggested } from "./bindings"

const HOUR = 3_600_000
const DAY = 24 * HOUR

export const DEFAULTS: Settings = {
  launchAtLogin: false, showInMenuBar: true, showInDock: true, shortcut: "", sendKey: "enter", theme: "system", textSize: "normal",
  language: "system", model: "starter", systemPrompt: "You are a helpful assistant.", temperature: 0.7, topP: 0.95, maxTokens: 2048, contextTokens: 8192, kvCache: "f16", modelFolders: "", downloadLimitMb: 0, downloadParallel: 2, diskReserveGb: 20, hubTokenKept: false, modelOffered: false, preloadModel: true, readAhead: true, keepChatsReady: true,
  server: true, serverPort: 8100, serverExtraPort: 0, serverLan: false, serverNeedsKey: false, serverOrigins: "", serverHosts: "",
  serverParallel: 4, serverQueue: 10, serverTimeoutMinutes: 30, serverKeepAnswers: true, serverKeepVectors: true,
  heatSlows: "balanced", lowPowerSlows: true, onBattery: "same", batteryFloorPercent: 0, quiet: "off", quietHours: "22:00-07:00", quietWatts: 0, quietTokensPerSecond: 0, keepAwake: true, trayText: "none",
  alerts: true, alertsMuted: "", alertMemoryPercent: 95, alertAnswerSeconds: 120, alertCachePercent: 70, alertErrorsPercent: 2, alertQueue: 10, alertDiskPercent: 20, providerHosts: "", providerKeyed: "",
}

export const MODELS: ModelSummary[] = [
  { name: "starter", title: "SmolLM2 135M Instruct", sizeBytes: 144_800_000, quantisation: "Q8_0", contextTokens: 8192, source: "bundled", places: ["bundled"], aliases: ["quick"], purpose: "chat", problem: null, fit: { verdict: { kind: "fits" }, sentence: "It fits: it takes 1.1 GB of the 11.5 GB that models may use." } },
  { name: "embedder", title: "all-MiniLM-L6-v2", sizeBytes: 46_223_456, quantisation: "F16", contextTokens: 512, source: "bundled", places: ["bundled"], aliases: [], purpose: "embed", problem: null, fit: { verdict: { kind: "fits" }, sentence: "It fits: it takes 118 MB of the 11.5 GB that models may use." } },
  { name: "qwen3-4b-instruct-2507-q4_k_m", title: "Qwen3 4B Instruct 2507 with a rather long file name", sizeBytes: 2_497_280_000, quantisation: "Q4_K_M", contextTokens: 32768, source: "own", places: ["own"], aliases: [], purpose: "chat", problem: null, fit: { verdict: { kind: "fits_if_unloaded", models: ["starter"] }, sentence: "It fits once `starter` is unloaded: it takes 11.2 GB, and of the 11.5 GB that models may use 1.1 GB are taken." } },
  { name: "damaged", title: "mistral-7b-instruct-v0.3", sizeBytes: 1_073_741_824, quantisation: null, contextTokens: null, source: "own", places: ["own"], aliases: [], purpose: null,
    problem: { code: "model_invalid", message: "The file ends in the middle of a tensor: 1.1 GB of 4.4 GB are there.", hint: "Copy the file again." }, fit: null },
]

export const INFO: AppInfo = {
  version: "0.1.0", platform: "macos", language: "en-GB", hasTray: true,
  paths: { settings: "~/Library/Application Support/Hearth/settings.toml", data: "~/Library/Application Support/Hearth", models: "~/Library/Application Support/Hearth/models", logs: "~/Library/Logs/Hearth" },
  notices: [{ part: "shortcut", message: "Global shortcuts are not available in this session. Use the menu bar item instead." }],
}

export const STATS: AnswerStats = { model: "starter", promptTokens: 412, cachedTokens: 380, tokens: 212, ttftMs: 210, tokensPerSecond: 38.4, finishReason: "stop", slowed: null }

export const CRASHED: IpcError = { code: "engine_crashed", message: "The engine stopped while answering. The text so far is kept.", hint: "It is already starting again; what was written is kept." }
export const NO_MEMORY: IpcError = { code: "insufficient_memory", message: "Qwen3 4B needs 3.1 GB and 2.2 GB are free.", hint: "Close other programs, or choose a smaller model." }

export const ANSWER = `A **B-tree** keeps its keys sorted in wide nodes, so one read from disk answers many comparisons. A binary tree of a million keys is about twenty levels deep; a B-tree with 200 keys a node is three.

### Why databases use it

1. Nodes are as large as a disk page, usually 4 or 8 KB.
2. All leaves are on the same level, so every look-up costs the same.
3. Neighbouring keys are stored together, which makes ranges cheap.

\`\`\`rust
/// Position of \`key\` among the sorted keys of a node.
fn find(keys: &[u64], key: u64) -> Result<usize, usize> {
    keys.binary_search(&key)
}

fn main() {
    let keys = [3, 8, 21, 34];
    println!("{:?}", find(&keys, 21)); // Ok(2)
}
\`\`\`

| Structure | Look-up | Range of *k* | Typical depth for 10⁶ keys |
|---|---|---|--:|
| Binary tree | \`O(log₂ n)\` | slow | 20 |
| B-tree | \`O(log n)\` | fast | 3 |
| Hash table | \`O(1)\` | not possible | 1 |

The depth is \\(h = \\lceil \\log_{m} n \\rceil\\), and the number of keys a tree of height *h* can hold is

$$
n_{max} = (m + 1)^{h + 1} - 1
$$

- [x] Sorted keys in wide nodes
- [ ] Copy-on-write pages, as in [LMDB](https://www.symas.com/lmdb)

> A good rule: if the data is larger than memory, count page reads and not comparisons.
`

const PARAGRAPH = "When the page is not in memory the engine waits for the disk, and nothing else it does in that time matters. That is why the layout of the data decides the speed of a query long before any clever code does, and why the same query can be a hundred times slower on a cold cache than on a warm one. "

export function longAnswer(wordCount: number): string {
  const perSection = PARAGRAPH.split(" ").length * 3
  const sections = Math.ceil(wordCount / perSection)
  const parts: string[] = []
  for (let index = 1; index <= sections; index += 1) {
    parts.push(`## ${index}. Pages, caches and what they cost`, PARAGRAPH.repeat(2).trim(), PARAGRAPH.trim())
    if (index % 6 === 0) parts.push("```sql\nSELECT title, updated_at\nFROM chats\nWHERE deleted_at IS NULL\nORDER BY updated_at DESC\nLIMIT 50;\n```")
    if (index % 9 === 0) parts.push("| Cache | Reads per second | Latency |\n|---|--:|--:|\n| cold | 9,400 | 2.1 ms |\n| warm | 412,000 | 18 µs |")
  }
  return parts.join("\n\n")
}

export const TITLES = [
  "Why databases use B-trees", "Letter to the landlord about the heating that has been broken since the beginning of November",
  "Regex for ISO dates", "Pasta without a recipe", "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen", "Swift actors and reentrancy",
  "Plan for the garden", "Summary of the meeting notes", "What is a monad", "Birthday speech", "Cron expressions", "Learning Italian",
]

export function chatsFor(now: number): ChatSummary[] {
  return TITLES.map((title, index) => {
    const age = index < 4 ? index * HOUR * 0.4 : index < 7 ? DAY + index * HOUR * 0.2 : DAY * index
    return { id: `chat-${index + 1}`, title, createdAtMs: now - age - HOUR, updatedAtMs: now - age, generating: index === 2 }
  })
}

let count = 0
export function message(chatId: string, role: Message["role"], text: string, extra: Partial<Message> = {}): Message {
  count += 1
  return {
    id: `m${count}`, chatId, role, text, status: "complete", createdAtMs: Date.now(), branch: { index: 0, count: 1, previousId: null, nextId: null },
    stats: role === "assistant" ? STATS : null, error: null, notice: null, cutMessages: 0, ...extra,
  }
}

/** A log with a bit of everything; none for the empty mock. */
export function requests(kind: string): RequestEntry[] {
  if (kind === "empty") return []
  const base: RequestEntry = { id: 0, atMs: 0, method: "POST", path: "/v1/chat/completions", client: "OpenAI/Python", remote: null, status: 200, reason: null, tookMs: 2310, model: "starter", promptTokens: 412, tokens: 208, ttftMs: 96 }
  const more: Partial<RequestEntry>[] = [
    {}, { client: "curl/8.7.1", path: "/api/chat", tokens: 61, tookMs: 840 }, { client: "https://app.example", status: 403, reason: "this Origin is not allowed", model: null, promptTokens: null, tokens: null, ttftMs: null, tookMs: 1 },
    { client: "claude-cli/2.1.270", path: "/v1/messages", model: "qwen3-4b-instruct-2507-q4_k_m", promptTokens: 18_204, tokens: 1033, tookMs: 48_200, ttftMs: 2100 }, { method: "GET", path: "/v1/models", model: null, promptTokens: null, tokens: null, ttftMs: null, tookMs: 3 },
    { path: "/v1/embeddings", model: "embedder", promptTokens: 1200, tokens: null, ttftMs: null, tookMs: 64 }, { status: 429, reason: "busy", model: null, promptTokens: null, tokens: null, ttftMs: null, tookMs: 1, remote: "192.168.1.23" }, { status: null, reason: "cancelled", tookMs: 5400 },
  ]
  return Array.from({ length: 100 }, (_, index) => ({ ...base, ...more[index % more.length], id: index + 1, atMs: Date.now() - (100 - index) * 7000 }))
}

/** Ollama with a few models, and the hosts of the settings: the first answers, the others do not. */
export function providers(kind: MockKind, settings: Settings): Provider[] {
  const model = (name: string, id: string, gigabytes: number, loaded: boolean) =>
    ({ name: `${name}@${id}`, title: name, sizeBytes: gigabytes * 1e9, quantisation: "Q4_K_M", contextTokens: loaded ? 4096 : null, loaded })
  const ollama: Provider = {
    id: "ollama", kind: "ollama", title: "Ollama", address: "http://127.0.0.1:11434", local: true, open: false, added: false, hasKey: false, version: "0.9.6", problem: null,
    models: [model("llama3.2:3b", "ollama", 2, true), model("qwen3:8b", "ollama", 5.2, false)],
  }
  const hosts = settings.providerHosts.split(" ").filter(Boolean).map((address, at): Provider => {
    const id = address.replace(/^https?:\/\//, "")
    return {
      id, kind: at === 0 ? "open_ai" : null, title: id, address, local: false, open: address.startsWith("http:"), added: true, hasKey: settings.providerKeyed.split(" ").includes(id), version: null,
      models: at === 0 ? [model("meta-llama/Llama-3.3-70B-Instruct-with-a-long-name", id, 42.5, true)] : [],
      problem: at === 0 ? null : { code: "engine_unavailable", message: `Nothing answers at ${address} (connection refused).`, hint: "Start that program, or choose another model." },
    }
  })
  return kind === "empty" ? hosts : [ollama, ...hosts]
}

export const FIT: Fit = {
  verdict: { kind: "fits" }, sum: { weights: 2_497_280_000, projector: 0, cache: 1_207_959_552, copies: 268_435_456, compute: 318_767_104, output: 19_447_808 }, totalBytes: 4_311_889_920, budgetBytes: 11_453_246_122, loadedBytes: 0,
  contextTokens: 8192, tokensPerSecond: 38, sentence: "It fits: 4.3 of 11.5 GB.",
}

export const SUGGESTED: Suggested[] = [
  { title: "Qwen3 8B", wanted: "Qwen/Qwen3-8B-GGUF:Q4_K_M", licence: "Apache-2.0", quantisation: "Q4_K_M", contextTokens: 40_960, bytes: 4_960_000_000, callsTools: true, sees: false, thinks: true, chats: true, fit: { verdict: { kind: "fits" }, sentence: "It fits." }, tokensPerSecond: 19, takesBytes: 6_900_000_000, budgetBytes: 11_500_000_000, reason: { kind: "fits", wouldNot: null } },
  { title: "Gemma 3 4B", wanted: "ggml-org/gemma-3-4b-it-GGUF:Q8_0", licence: "Gemma", quantisation: "Q8_0", contextTokens: 131_072, bytes: 4_130_000_000, callsTools: false, sees: true, thinks: false, chats: true, fit: { verdict: { kind: "fits" }, sentence: "It fits." }, tokensPerSecond: 22, takesBytes: 5_800_000_000, budgetBytes: 11_500_000_000, reason: { kind: "fits", wouldNot: null } },
  { title: "Llama 3.3 70B", wanted: "bartowski/Llama-3.3-70B-Instruct-GGUF:Q4_K_S", licence: "Llama 3.3", quantisation: "Q4_K_S", contextTokens: 131_072, bytes: 40_300_000_000, callsTools: true, sees: false, thinks: false, chats: true, fit: { verdict: { kind: "too_big" }, sentence: "It is too big for this machine." }, tokensPerSecond: 2, takesBytes: 44_000_000_000, budgetBytes: 11_500_000_000, reason: { kind: "too_big" } },
]

export const IMPORTS: Importing[] = [
  { id: 1, file: "gemma-3-4b-it-Q4_K_M.gguf", doneBytes: 870_000_000, totalBytes: 2_490_000_000, state: { type: "copying" } },
  { id: 2, file: "holiday.gguf", doneBytes: 0, totalBytes: 0, state: { type: "failed", error: { code: "model_invalid", message: "This is not a GGUF file: it starts with `\\xff\\xd8\\xff\\xe0`.", hint: "Hearth runs models in the GGUF format." } } },
]

export const GATED: IpcError = { code: "refused", message: "`meta-llama/Llama-3.3` is given only to those who accepted its terms.", hint: "Accept the terms on that page, and give Hearth a token of the same account." }

/** A look at a model before it is fetched: those of the list that are too big are so here too. */
export function prospectOf(wanted: string): Prospect {
  const listed = SUGGESTED.find((one) => one.wanted === wanted)
  const bytes = listed?.bytes ?? 5_027_000_000
  const sum = { ...FIT.sum, weights: bytes }
  const totalBytes = Object.values(sum).reduce((all, part) => all + part, 0)
  return { title: wanted.split("/").at(-1) ?? wanted, bytes, fit: { ...FIT, ...(listed?.fit ?? { verdict: { kind: "fits" }, sentence: "It fits." }), sum, totalBytes } }
}

export const DOWNLOADS: Download[] = [
  { id: "qwen3-8b", wanted: "Qwen/Qwen3-8B-GGUF:Q4_K_M", title: "Qwen3-8B-Q4_K_M", digest: null, doneBytes: 2_161_000_000, totalBytes: 5_027_000_000, bytesPerSecond: 18_400_000, state: { type: "fetching" } },
  { id: "mistral", wanted: "bartowski/Mistral-7B-Instruct-v0.3-GGUF:Q5_K_M", title: "Mistral-7B-Instruct-v0.3-Q5_K_M", digest: null, doneBytes: 1_200_000_000, totalBytes: 5_136_000_000, bytesPerSecond: null, state: { type: "paused", reason: { code: "disk_full", message: "The disk has 21 GB left, of which 20 GB stay free.", hint: "Free some space, then resume." } } },
]
