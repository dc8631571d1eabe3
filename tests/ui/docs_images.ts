// Makes the pictures of the README: node run.mjs docs_images.ts [folder [monitor]]. A set conversation, shown by the real window.
// The speed line is taken out, since the fake model's figures mean nothing.
// Run under a virtual screen of at least 2200 x 1500: xvfb-run --server-args="-screen 0 2400x1600x24".
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { fillMonth, HOT, record } from "./support/afternoon"
import { newHome, removeHome } from "./support/driver"
import { Hearth } from "./support/hearth"
import { resize } from "./support/screen"

const DOCS = fileURLToPath(new URL("../../docs/images", import.meta.url))
const SCALE = 2
const SHORTCUT = "Alt+Shift+Space"

type Turn = { title: string; question: string; answer: string }

const TURNS: Turn[] = [
  { title: "Note to the neighbours", question: "Write a short note to the neighbours.", answer: "Hello, and thank you for the lovely evening." },
  { title: "What to plant in March", question: "What can I plant on a balcony in March?", answer: "Peas, spinach and radishes." },
  { title: "Packing list for a week in the mountains", question: "What do I need for a week in the mountains?", answer: "Good boots first." },
  {
    title: "How a heat pump works", question: "Explain in plain words how a heat pump works.",
    answer: "A heat pump is a refrigerator turned around: it takes warmth from the air outside and brings it in.\n\n1. A liquid that boils far below freezing takes up the warmth.\n2. A compressor squeezes the vapour, which makes it **hot**.\n3. Inside, it gives the heat away and turns liquid again.\n\nOne kilowatt-hour of power brings about *three* of warmth.",
  },
  {
    title: "Count words in a text", question: "How do I count the most frequent words of a text in Python?",
    answer: "`collections.Counter` does most of the work:\n\n```python\nimport re\nfrom collections import Counter\n\ndef frequent_words(text, how_many=10):\n    words = re.findall(r\"\\w+\", text.lower())\n    return Counter(words).most_common(how_many)\n```\n\nThe choices in it:\n\n| Part | Why |\n|---|---|\n| `\\w+` | takes letters and digits, leaves punctuation out |\n| `lower()` | counts *The* and *the* as one word |\n| `most_common` | sorts by count, highest first |\n\nFor a large file, feed it line by line with `counter.update(...)`.",
  },
]

const EDIT = `
import sqlite3, sys, json
db = sqlite3.connect(sys.argv[1])
for question, answer in json.loads(sys.argv[2]):
    db.execute("UPDATE messages SET text = ? WHERE id = (SELECT parent_id FROM messages WHERE role = 'assistant' AND text = ?)", (question, answer))
db.execute("UPDATE messages SET model = NULL, prompt_tokens = NULL, cached_tokens = NULL, tokens = NULL, ttft_ms = NULL, tokens_per_second = NULL, finish_reason = NULL")
db.commit()
`

async function prepare(home: string): Promise<void> {
  const hearth = await Hearth.open({ home })
  for (const { title, answer } of TURNS) {
    await hearth.click("new-chat")
    await hearth.at("empty-chat").waitForExist()
    await hearth.ask(`!say ${answer}`)
    const [chat] = (await hearth.invoke("list_chats", { query: "" })).ok as { id: string }[]
    await hearth.invoke("rename_chat", { chatId: chat?.id, title })
  }
  await hearth.close({ keep: true })
  execFileSync("python3", ["-c", EDIT, join(home, "data/chats.db"), JSON.stringify(TURNS.map(({ question, answer }) => [question, answer]))])
}

/** A palette keeps a window's picture small and looks the same. */
function save(file: string, geometry: string): void {
  execFileSync("import", ["-window", "root", "-crop", geometry, "+repage", "-dither", "None", "-colors", "200", "-define", "png:compression-level=9", `PNG8:${file}`])
}

async function open(hearth: Hearth, title: string): Promise<void> {
  await hearth.browser.$(`[data-testid="chat-item"][title="${title}"]`).click()
  await hearth.until("the chat", async () => (await hearth.messages()).length === 2)
  await hearth.until("the model", async () => (await hearth.at("engine-status").getAttribute("data-state")) === "ready", 30_000)
  // The pointer must not rest on a row.
  spawnSync("xdotool", ["mousemove", "2390", "1590"])
  await hearth.browser.pause(1200)
}

/** What programs need, in the dark. Not the log: its figures would be this machine's. */
async function server(hearth: Hearth, file: string): Promise<void> {
  await hearth.server("connect")
  await hearth.at("language-python").click()
  spawnSync("xdotool", ["mousemove", "2390", "1590"])
  await hearth.browser.pause(700)
  save(file, `${1080 * SCALE}x${720 * SCALE}+0+0`)
}

/** A recorded hot afternoon: the time line in both themes, and what can be set about heat. */
async function monitor(folder: string): Promise<void> {
  const home = newHome()
  const env = { GDK_SCALE: String(SCALE), HEARTH_REPLAY: record(home, [HOT, 900]) }
  const geometry = `${1080 * SCALE}x${720 * SCALE}+0+0`
  await (await Hearth.open({ home, env })).close({ keep: true })
  fillMonth(home)
  const hearth = await Hearth.open({ home, env })
  try {
    resize(1080 * SCALE, 720 * SCALE)
    await hearth.monitor()
    await hearth.at("range-hour").click()
    await hearth.until("heat to slow", async () => (await hearth.at("level").getAttribute("data-level")) === "slowed", 30_000)
    await hearth.browser.$('[data-plot="heat"] .u-over').click()
    spawnSync("xdotool", ["mousemove", "2390", "1590"])
    for (const theme of ["light", "dark"]) {
      await hearth.set("theme", theme)
      await hearth.browser.pause(1200)
      save(join(folder, `monitor-${theme}.png`), geometry)
    }
    await hearth.set("theme", "light")
    await hearth.settings("heat")
    await hearth.at("heat-now").waitForExist()
    await hearth.browser.pause(1200)
    save(join(folder, "heat-settings.png"), geometry)
  } finally {
    await hearth.close({ keep: true })
    removeHome(home)
  }
}

async function popover(hearth: Hearth, file: string): Promise<void> {
  await hearth.set("shortcut", SHORTCUT)
  const [main] = windows()
  spawnSync("xdotool", ["key", "alt+shift+space"])
  await hearth.until("the popover", async () => windows().length === 2)
  await hearth.browser.pause(2500)
  const shown = windows().find((id) => id !== main) ?? ""
  const { X, Y, WIDTH, HEIGHT } = Object.fromEntries(execFileSync("xdotool", ["getwindowgeometry", "--shell", shown]).toString().trim().split("\n").map((line) => line.split("=")))
  save(file, `${WIDTH}x${HEIGHT}+${X}+${Y}`)
}

function windows(): string[] {
  return spawnSync("xdotool", ["search", "--onlyvisible", "--name", "^Hearth$"]).stdout.toString().trim().split("\n").filter(Boolean)
}

export async function main([folder = DOCS, only = ""]: string[]): Promise<void> {
  mkdirSync(folder, { recursive: true })
  await monitor(folder)
  if (only === "monitor") return
  const home = newHome()
  await prepare(home)
  const hearth = await Hearth.open({ home, engine: "real", env: { GDK_SCALE: String(SCALE) } })
  try {
    resize(1080 * SCALE, 720 * SCALE)
    for (const theme of ["light", "dark"]) {
      await hearth.set("theme", theme)
      await open(hearth, "Count words in a text")
      save(join(folder, `main-window-${theme}.png`), `${1080 * SCALE}x${720 * SCALE}+0+0`)
    }
    await server(hearth, join(folder, "server.png"))
    await hearth.set("theme", "light")
    await open(hearth, "How a heat pump works")
    await popover(hearth, join(folder, "popover.png"))
  } finally {
    await hearth.close({ keep: true })
    removeHome(home)
  }
}
