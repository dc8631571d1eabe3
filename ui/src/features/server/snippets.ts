// Examples of how to ask this server from one's own code, with what is in force here filled in.
// Pure, so that each can be tested by running it. Must not know components.

export type Library = "openai" | "ollama" | "anthropic"
export type Language = "curl" | "python" | "javascript"

/** What an example is filled with. */
export type Facts = {
  /** Without a path, such as `http://127.0.0.1:8100`. */
  address: string
  model: string
  /** Whether requests need an API key. */
  keyed: boolean
  question: string
}

/** In single quotes of a shell. */
export const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

function curl({ address, model, keyed, question }: Facts, path: string, header: string, more: object): string {
  const body = JSON.stringify({ model, messages: [{ role: "user", content: question }], ...more })
  const lines = [`curl ${address}${path}`, ...(keyed ? [`-H "${header}$HEARTH_API_KEY"`] : []), `-d ${quoted(body)}`]
  return lines.join(" \\\n  ")
}

/** The key as an expression of the language; libraries want some key even where none is checked. */
const pythonKey = (keyed: boolean) => (keyed ? 'os.environ["HEARTH_API_KEY"]' : '"any"')
const scriptKey = (keyed: boolean) => (keyed ? "process.env.HEARTH_API_KEY" : '"any"')
const imports = (keyed: boolean, line: string) => (keyed ? `import os\n${line}` : line)

function openai(language: Language, facts: Facts): string {
  const { address, model, keyed, question } = facts
  const messages = `[{"role": "user", "content": ${JSON.stringify(question)}}]`
  if (language === "curl") return curl(facts, "/v1/chat/completions", "Authorization: Bearer ", {})
  if (language === "python") {
    return `# pip install openai\n${imports(keyed, "from openai import OpenAI")}\n\nclient = OpenAI(base_url="${address}/v1", api_key=${pythonKey(keyed)})\nanswer = client.chat.completions.create(\n    model=${JSON.stringify(model)},\n    messages=${messages},\n)\nprint(answer.choices[0].message.content)`
  }
  return `// npm install openai\nimport OpenAI from "openai"\n\nconst client = new OpenAI({ baseURL: "${address}/v1", apiKey: ${scriptKey(keyed)} })\nconst answer = await client.chat.completions.create({\n  model: ${JSON.stringify(model)},\n  messages: ${messages},\n})\nconsole.log(answer.choices[0].message.content)`
}

function ollama(language: Language, facts: Facts): string {
  const { address, model, keyed, question } = facts
  const messages = `[{"role": "user", "content": ${JSON.stringify(question)}}]`
  if (language === "curl") return curl(facts, "/api/chat", "Authorization: Bearer ", { stream: false })
  if (language === "python") {
    const headers = keyed ? `, headers={"Authorization": "Bearer " + ${pythonKey(true)}}` : ""
    return `# pip install ollama\n${imports(keyed, "from ollama import Client")}\n\nclient = Client(host="${address}"${headers})\nanswer = client.chat(\n    model=${JSON.stringify(model)},\n    messages=${messages},\n)\nprint(answer.message.content)`
  }
  const headers = keyed ? `, headers: { Authorization: "Bearer " + ${scriptKey(true)} }` : ""
  return `// npm install ollama\nimport { Ollama } from "ollama"\n\nconst client = new Ollama({ host: "${address}"${headers} })\nconst answer = await client.chat({\n  model: ${JSON.stringify(model)},\n  messages: ${messages},\n})\nconsole.log(answer.message.content)`
}

function anthropic(language: Language, facts: Facts): string {
  const { address, model, keyed, question } = facts
  const messages = `[{"role": "user", "content": ${JSON.stringify(question)}}]`
  if (language === "curl") return curl(facts, "/v1/messages", "x-api-key: ", { max_tokens: 256 })
  if (language === "python") {
    return `# pip install anthropic\n${imports(keyed, "from anthropic import Anthropic")}\n\nclient = Anthropic(base_url="${address}", api_key=${pythonKey(keyed)})\nanswer = client.messages.create(\n    model=${JSON.stringify(model)},\n    max_tokens=256,\n    messages=${messages},\n)\nprint(answer.content[0].text)`
  }
  return `// npm install @anthropic-ai/sdk\nimport Anthropic from "@anthropic-ai/sdk"\n\nconst client = new Anthropic({ baseURL: "${address}", apiKey: ${scriptKey(keyed)} })\nconst answer = await client.messages.create({\n  model: ${JSON.stringify(model)},\n  max_tokens: 256,\n  messages: ${messages},\n})\nconsole.log(answer.content[0].text)`
}

export function snippet(library: Library, language: Language, facts: Facts): string {
  return { openai, ollama, anthropic }[library](language, facts)
}
