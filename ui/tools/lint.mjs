// `npm run lint`: the house rules a compiler does not check. Reads the sources as text; needs nothing installed.
// Here because a rule that is not checked is not kept.
import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const MAX_LINES = 800
const BANNED_NAMES = /(?:manager|service|helper|util|common|misc)/i
const problems = []

function files(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? files(path) : [path]
  })
}

function report(path, line, text) {
  problems.push(`${path}:${line}: ${text}`)
}

const generated = join("src", "ipc", "bindings.ts")
const sources = ["src", "bench", "public", "tools"].flatMap(files).filter((path) => /\.(?:ts|svelte|css|js|mjs)$/.test(path))

for (const path of sources) {
  const text = readFileSync(join(root, path), "utf8")
  const lines = text.split("\n")
  if (BANNED_NAMES.test(relative("src", path))) report(path, 1, "a name that says nothing")
  if (path !== generated && !/^(?:\/\/|\/\*|<!--)/.test(text)) report(path, 1, "no opening comment")
  if (path !== generated && lines.length > MAX_LINES) report(path, lines.length, `longer than ${MAX_LINES} lines`)
  lines.forEach((line, index) => {
    const at = index + 1
    if (path.startsWith("tools")) return
    if (/@tauri-apps/.test(line) && !path.startsWith(join("src", "ipc"))) report(path, at, "only src/ipc knows Tauri")
    if (/\{@html\b|\.innerHTML\s*=/.test(line) && !path.endsWith(".test.ts")) report(path, at, "HTML text becomes DOM only in sanitise.ts")
    if (!path.endsWith(".svelte")) return
    if (/#[0-9a-f]{3,8}\b|(?:rgb|hsl|oklch)a?\(/i.test(line) && !/\{#|href="#/.test(line)) report(path, at, "a colour outside theme.css")
    if (/\b\d+(?:px|rem)\b/.test(line)) report(path, at, "a size outside theme.css")
    if (/\bstyle[:=]/.test(line)) report(path, at, "a style outside theme.css")
    if (/-\[[^\]]*(?:px|rem|#|%)[^\]]*\]/.test(line)) report(path, at, "an arbitrary value instead of a token")
    const literal = /(?:aria-label|placeholder|title|alt)="([^"{]*[a-z][^"{]*)"/.exec(line)
    if (literal && !line.includes("testid")) report(path, at, `a string outside strings/: ${literal[1]}`)
    const words = />([A-Z][a-z]+(?: [a-z]+)*)</.exec(line)
    if (words) report(path, at, `a string outside strings/: ${words[1]}`)
  })
}

for (const problem of problems) console.error(problem)
console.log(`${sources.length} files read, ${problems.length} problems`)
process.exit(problems.length === 0 ? 0 : 1)
