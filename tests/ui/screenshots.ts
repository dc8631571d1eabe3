// Pictures of the real window, to be looked at: npm run screenshots [-- folder [monitor|models]]. Light and dark, at 1x and 2x.
// Run under a virtual screen of at least 2200 x 1500: xvfb-run --server-args="-screen 0 2400x1600x24".
import { mkdirSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { fillMonth, HOT, record } from "./support/afternoon"
import { CODE_AND_TABLE, longAnswer } from "./support/content"
import { newHome, removeHome } from "./support/driver"
import { Hearth } from "./support/hearth"
import { GATED, GIANT, Hub, SMALL } from "./support/hub"
import { addGiant } from "./support/models"
import { resize, shoot } from "./support/screen"
import { addLongModel, fillServer } from "./support/server"

const MAIN = [1080, 720] as const
const POPOVER = [420, 560] as const
const TITLES = ["Packing list for a week in the mountains", "Explain how a heat pump works", "Invoice reminder, friendly but firm and with the right dates", "What to plant in March"]

/** A long log, many keys and long names, and what there is to see without them. */
async function serverPictures(hearth: Hearth, picture: (name: string) => Promise<void>): Promise<void> {
  await hearth.server("requests")
  await picture("server-empty")
  await fillServer(hearth, { requests: 100, keys: 20 })
  for (const page of ["requests", "connect", "access", "limits"]) {
    await hearth.server(page)
    await picture(`server-${page}`)
  }
  await hearth.server("connect")
  for (const program of ["openWebui", "claudeCode"]) {
    await hearth.at(`program-${program}`).click()
    await hearth.browser.execute(() => document.querySelector('[data-testid="program"]')?.scrollIntoView())
    await picture(`server-connect-${program}`)
  }
  await hearth.server("access")
  await hearth.browser.execute(() => document.getElementById("server-page")?.scrollTo(0, 9999))
  await hearth.fill("https://app.example/page", "server_origins-box")
  await hearth.click("server_origins-add")
  await hearth.at("error-server_origins").waitForExist()
  await picture("server-origin-refused")
  await hearth.click("lan-switch")
  await picture("server-lan-dialog")
  await hearth.click("lan-confirm")
  await hearth.at("lan-banner").waitForExist()
  await picture("server-lan")
  await hearth.set("server_lan", false)
  await hearth.browser.execute(() => document.getElementById("server-page")?.scrollTo(0, 0))
  await hearth.click("create-key")
  await picture("server-key-dialog")
  await hearth.fill("Editor", "key-name")
  await hearth.click("key-confirm")
  await hearth.at("key-secret").waitForExist()
  await picture("server-key-made")
  await hearth.click("key-done")
  await hearth.set("server", false)
  await hearth.server("requests")
  await picture("server-off")
  await hearth.set("server", true)
  const { port } = (await hearth.invoke("server_status")).ok as { port: number }
  const held = createServer()
  await new Promise<void>((done) => held.listen(port + 1, "127.0.0.1", done))
  await hearth.set("server_port", port + 1)
  await hearth.at("server-notice").waitForExist()
  await picture("server-port-held")
  held.close()
}

/** What is here, what it takes, what is wrong with a file; a smaller copy from the question to what it cost; what could be fetched. */
async function modelsPictures(scale: number, theme: string, folder: string): Promise<void> {
  const home = newHome()
  const [width, height] = MAIN
  addLongModel(home)
  writeFileSync(join(home, "models", "letter.gguf"), "this is a letter, not a model")
  addGiant(home)
  const hub = await Hub.start()
  const hearth = await Hearth.open({ home, env: { GDK_SCALE: String(scale), HF_ENDPOINT: hub.address } })
  const picture = async (name: string) => {
    await hearth.browser.pause(700)
    shoot(join(folder, `${name}-${theme}${scale === 1 ? "" : `@${scale}x`}.png`), width * scale, height * scale)
  }
  const card = (name: string, testid: string) => hearth.browser.$(`[data-testid="model"][data-model="${name}"]`).$(`[data-testid="${testid}"]`)
  try {
    await hearth.set("theme", theme)
    resize(width * scale, height * scale)
    await hearth.ask("!say A shopping list for four people")
    await hearth.at("offer").waitForExist()
    await picture("models-offer")
    await hearth.click("offer-later")
    await hearth.click("nav-models")
    await picture("models")
    await card("giant", "model-toggle").click()
    await card("giant", "model-facts").waitForExist()
    await picture("models-too-big")
    await card("letter", "model-toggle").click()
    await picture("models-damaged")
    await card("starter", "model-toggle").click()
    await card("starter", "model-facts").waitForExist()
    await picture("models-details")
    await card("starter", "model-copy").click()
    await hearth.at("copy-Q2_K").click()
    await hearth.at("copy-sizes").waitForExist({ timeout: 60_000 })
    await picture("models-copy-dialog")
    await hearth.click("copy-confirm")
    await hearth.at("copying").waitForExist({ timeout: 60_000 })
    await picture("models-copying")
    await hearth.at("copying-made").waitForExist({ timeout: 300_000 })
    await picture("models-copied")
    await card("starter-q2_k", "model-toggle").click()
    await card("starter-q2_k", "model-remove").click()
    await picture("models-remove")
    await hearth.click("remove-confirm")
    await hearth.click("copying-end")
    await hearth.click("models-tab-discover")
    await hearth.at("suggested").waitForExist()
    await hearth.at("toast").waitForExist({ reverse: true, timeout: 30_000 })
    await picture("models-discover")
    await hearth.fill("nobody/nothing:Q4_K_M", "fetch-name")
    await hearth.click("fetch-other")
    await hearth.at("fetch-error").waitForExist({ timeout: 60_000 })
    await picture("models-fetch-failed")
    for (const [wanted, shows, name] of [[SMALL, "fetch-dialog", "fetch-dialog"], [GIANT, "fetch-dialog", "fetch-too-big"], [GATED, "sign-in", "fetch-gated"]] as const) {
      await hearth.fill(wanted, "fetch-name")
      await hearth.click("fetch-other")
      await hearth.at(shows).waitForExist({ timeout: 60_000 })
      await picture(`models-${name}`)
      await hearth.browser.keys("Escape")
      if (!(await hearth.has("models"))) await hearth.click("nav-models")
      await hearth.click("models-tab-discover")
    }
    await hearth.set("language", "de")
    await picture("models-discover-de")
    await hearth.click("close-models")
    await hearth.settings("advanced")
    await picture("settings-downloads-de")
    for (const language of ["de", "en"]) {
      await hearth.set("language", language)
      await hearth.settings("generation")
      await hearth.browser.execute(() => document.querySelector('[data-testid="setting-kv_cache"]')?.scrollIntoView())
      await picture(`settings-generation-${language}`)
    }
  } finally {
    await hearth.close()
    await hub.close()
    removeHome(home)
  }
}

/** A hot afternoon after a month of use: every range, the cursor, the table, a slowed answer, and what can be set; German too. */
async function monitorPictures(scale: number, theme: string, folder: string): Promise<void> {
  const home = newHome()
  const env = { GDK_SCALE: String(scale), HEARTH_REPLAY: record(home, [HOT, 900]) }
  const [width, height] = MAIN
  let hearth = await Hearth.open({ home, env })
  const picture = async (name: string) => {
    await hearth.browser.pause(700)
    shoot(join(folder, `${name}-${theme}${scale === 1 ? "" : `@${scale}x`}.png`), width * scale, height * scale)
  }
  try {
    await hearth.set("theme", theme)
    resize(width * scale, height * scale)
    await hearth.monitor()
    await hearth.at("range-month").click()
    await picture("monitor-empty")
    await hearth.close({ keep: true })
    fillMonth(home)
    hearth = await Hearth.open({ home, env })
    resize(width * scale, height * scale)
    await hearth.click("new-chat")
    await hearth.send(`!slow 50 ${longAnswer(600)}`)
    await hearth.at("slowed-now").waitForExist({ timeout: 30_000 })
    await picture("chat-slowed")
    await hearth.monitor()
    for (const range of ["minute", "hour", "day", "month"]) {
      await hearth.at(`range-${range}`).click()
      await picture(`monitor-${range}`)
    }
    await hearth.at("range-hour").click()
    await hearth.browser.$('[data-plot="heat"] .u-over').click()
    await picture("monitor-cursor")
    await hearth.set("language", "de")
    await picture("monitor-cursor-de")
    await hearth.click("as-table")
    await picture("monitor-table-de")
    await hearth.set("language", "en")
    await picture("monitor-table")
    await hearth.settings("heat")
    await hearth.at("heat-now").waitForExist()
    await picture("settings-heat")
    await hearth.browser.execute(() => document.getElementById("settings-page")?.scrollTo(0, 9999))
    await picture("settings-heat-alerts")
  } finally {
    await hearth.close()
    removeHome(home)
  }
}

async function pictures(scale: number, theme: string, folder: string): Promise<void> {
  const home = newHome()
  addLongModel(home)
  const hearth = await Hearth.open({ home, env: { GDK_SCALE: String(scale) } })
  let size: readonly [number, number] = MAIN
  const picture = async (name: string) => {
    // Colours, formulas and things that slide in need a moment.
    await hearth.browser.pause(700)
    shoot(join(folder, `${name}-${theme}${scale === 1 ? "" : `@${scale}x`}.png`), size[0] * scale, size[1] * scale)
  }
  const newChat = async () => {
    await hearth.click("new-chat")
    await hearth.at("empty-chat").waitForExist()
  }
  try {
    await hearth.set("theme", theme)
    resize(size[0] * scale, size[1] * scale)
    for (const title of TITLES) {
      await newChat()
      await hearth.ask(`!say ${title}`)
      const [chat] = (await hearth.invoke("list_chats", { query: "" })).ok as { id: string }[]
      await hearth.invoke("rename_chat", { chatId: chat?.id, title })
    }
    await newChat()
    await picture("empty")
    await hearth.ask(`!say ${CODE_AND_TABLE}`)
    await picture("chat-end")
    await hearth.browser.execute(() => { const log = document.querySelector('[data-testid="transcript"]'); if (log) log.scrollTop = 200 })
    await picture("chat")
    await hearth.ask("!abort and something that is lost")
    await picture("error")
    await hearth.send(`!slow 5 ${longAnswer(3000)}`)
    await hearth.streamed(900)
    await picture("streaming")
    await hearth.click("stop")
    await hearth.ended("stopped")
    await picture("stopped")
    await serverPictures(hearth, picture)
    for (const tab of ["general", "appearance", "generation", "server", "privacy", "advanced"]) {
      await hearth.settings(tab)
      await picture(`settings-${tab}`)
    }
    await hearth.click("delete-all")
    await picture("delete-all")
    await hearth.browser.keys("Escape")
    await hearth.visit("popover.html")
    size = POPOVER
    resize(size[0] * scale, size[1] * scale)
    await newChat()
    await picture("popover-empty")
    await hearth.ask("!say A heat pump is a refrigerator turned around: it takes warmth from the air outside and brings it in.\n\n1. A liquid that boils far below freezing takes up the warmth.\n2. A compressor squeezes the vapour, which makes it **hot**.\n3. Inside it gives the heat away and turns liquid again.\n\nOne kilowatt-hour of power brings about *three* of warmth.")
    await picture("popover")
  } finally {
    await hearth.close()
    removeHome(home)
  }
}

export async function main([folder = "/tmp/hearth-shots", only = ""]: string[]): Promise<void> {
  mkdirSync(folder, { recursive: true })
  for (const scale of [1, 2]) {
    for (const theme of ["light", "dark"]) {
      if (only === "") await pictures(scale, theme, folder)
      if (only !== "models") await monitorPictures(scale, theme, folder)
      if (only !== "monitor") await modelsPictures(scale, theme, folder)
    }
  }
  console.log(folder)
}
