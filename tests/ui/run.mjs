// Runs one of the TypeScript programs here outside the test runner: node run.mjs screenshots.ts [arguments].
import { fileURLToPath } from "node:url"
import { runnerImport } from "vite"

const { module } = await runnerImport(fileURLToPath(new URL(process.argv[2], import.meta.url)), { logLevel: "error", configFile: false })
await module.main(process.argv.slice(3))
