// Pictures of the real window, to be looked at: npm run screenshots [-- folder]. Light and dark, at 1x and 2x.
// Run under a virtual screen of at least 2200 x 1500: xvfb-run --server-args="-screen 0 2400x1600x24".
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { CODE_AND_TABLE, longAnswer } from "./support/content"
import { newHome, removeHome } from "./support/driver"
import { Hearth } from "./support/hearth"
import { resize, shoot } from "./support/screen"

const MAIN = [1080, 720] as const
const POPOVER = [420, 560] as const
const TITLES = ["Packing list for a week in the mountains", "Explain how a heat pump works", "Invoice reminder, friendly but firm and with the right dates", "What to plant in March"]

async function pictures(scale: number, theme: string, folder: string): Promise<void> {
  const home = newHome()
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

export async function main([folder = "/tmp/hearth-shots"]: string[]): Promise<void> {
  mkdirSync(folder, { recursive: true })
  for (const scale of [1, 2]) for (const theme of ["light", "dark"]) await pictures(scale, theme, folder)
  console.log(folder)
}
