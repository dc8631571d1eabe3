// Seeded generators of Markdown documents, for the property test and the bench.
// Here, beside the renderer, so both draw from the same mix. Never imported by the app. Must not know the DOM.

export type Random = () => number

/** A small repeatable generator (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T
}

const WORDS = ("the model reads a prompt and writes one token after another while the cache grows memory bandwidth decides how fast " +
  "a small Mac answers so keep what was read before").split(" ")

function words(random: Random, count: number): string {
  return Array.from({ length: count }, () => pick(random, WORDS)).join(" ")
}

function inline(random: Random): string {
  const text = words(random, 2 + Math.floor(random() * 5))
  return pick(random, [
    text, text, text, `**${text}**`, `*${text}*`, `\`${text}\``, `[${text}](https://example.org/a)`, `~~${text}~~`, `\\(x_1^2\\)`,
    `<b>${text}</b>`, `https://example.org/${text.length}`, `![${text}](https://example.org/a.png)`, `[${text}][ref]`, "$$y = x$$", "<br>", "a\\*b",
  ])
}

function sentence(random: Random): string {
  return Array.from({ length: 1 + Math.floor(random() * 4) }, () => inline(random)).join(" ")
}

function lines(random: Random, count: number, prefix: string): string {
  return Array.from({ length: count }, () => prefix + sentence(random)).join("\n")
}

/** Blocks as a model writes them. */
export function block(random: Random): string {
  const few = 1 + Math.floor(random() * 3)
  const makers: (() => string)[] = [
    () => sentence(random),
    () => lines(random, few, ""),
    () => `${"#".repeat(1 + Math.floor(random() * 4))} ${sentence(random)}`,
    () => `${sentence(random)}\n===`,
    () => lines(random, few, "- "),
    () => lines(random, few, "1. "),
    () => `- ${sentence(random)}\n\n  ${sentence(random)}\n\n- ${sentence(random)}\n  - ${sentence(random)}`,
    () => `- [x] ${sentence(random)}\n- [ ] ${sentence(random)}`,
    () => `\`\`\`rust\nfn main() {\n    let a = 1;\n\n    println!("{a}");\n}\n\`\`\``,
    () => `~~~\n${words(random, 6)}\n\n\`\`\`\n${words(random, 3)}\n~~~`,
    () => `1. ${sentence(random)}\n\n   \`\`\`js\n   const a = 1\n\n   \`\`\`\n2. ${sentence(random)}`,
    () => `| a | b |\n|---|:-:|\n| ${inline(random).replace(/\|/g, "")} | 2 |\n| 3 | 4 |`,
    () => lines(random, few, "> "),
    () => `> - ${sentence(random)}\n> - b\n${sentence(random)}`,
    () => `$$\na + b\n- c = d\n$$`,
    () => `\\[ \\frac{1}{2} \\]`,
    () => "---",
    () => `    indented ${words(random, 3)}\n\n    more`,
    () => `<div>\n${sentence(random)}\n</div>`,
  ]
  return pick(random, makers)()
}

/** Fragments that sit on the edge of the grammar. */
const EDGES = [
  "\n", "\n\n", "\n \n", "  \n", "\t", " ", "- ", "* ", "+ ", "1. ", "2) ", "> ", "# ", "```", "```js\n", "~~~\n", "````", "    ", "|", "|-|", "---", "===", "**", "*", "_", "`",
  "[", "](", ")", "[a]: https://example.org\n", "[a]", "![", "<", ">", "<div>", "</div>", "<!--", "-->", "<script>", "<br>", "$$", "\\[", "\\]", "\\(", "\\)", "\\", "&amp;", "é", "😀", "\r\n",
  "a", "b c", "1", "[ ] ", "[x] ", "~~", "://", "https://x.org", "\n\n\n", "\n- ", "\n> ", "\n    x", "\n```\n", "\n\n  y",
]

export function noise(random: Random, count: number): string {
  return Array.from({ length: count }, () => pick(random, EDGES)).join("")
}

export function documentOf(random: Random, blocks: number): string {
  const separators = ["\n\n", "\n\n", "\n\n", "\n", "\n\n\n", "\n \n"]
  let text = ""
  for (let index = 0; index < blocks; index += 1) text += block(random) + pick(random, separators)
  return text
}

/** A plain answer of at least `bytes`, without edge cases: what the bench streams. */
export function answerOf(random: Random, bytes: number): string {
  let text = ""
  while (text.length < bytes) text += `${block(random)}\n\n`
  return text
}

/** Cuts text into pieces of 1 to `longest` code units, also inside surrogate pairs and line ends. */
export function split(random: Random, text: string, longest: number): string[] {
  const parts: string[] = []
  for (let at = 0; at < text.length; ) {
    const size = 1 + Math.floor(random() * longest)
    parts.push(text.slice(at, at + size))
    at += size
  }
  return parts
}
