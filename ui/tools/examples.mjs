// Prints the examples of the Server screen as JSON, filled with an address and a model: node tools/examples.mjs URL MODEL.
// Here so that the clients' tests can run each of them against the real server.
import { fileURLToPath } from "node:url"
import { runnerImport } from "vite"

const [address, model] = process.argv.slice(2)
const source = fileURLToPath(new URL("../src/features/server/snippets.ts", import.meta.url))
const { module } = await runnerImport(source, { logLevel: "error", configFile: false })
const examples = ["openai", "ollama", "anthropic"].flatMap((library) =>
  ["curl", "python", "javascript"].flatMap((language) =>
    [false, true].map((keyed) => ({ library, language, keyed, text: module.snippet(library, language, { address, model, keyed, question: "Why is the sky blue?" }) })),
  ),
)
process.stdout.write(JSON.stringify(examples))
