import { Hearth } from "./support/hearth"
import { readdirSync, readFileSync } from "node:fs"
export async function main() {
  const hearth = await Hearth.open()
  try {
  await hearth.ask("Cheese")
  const [c] = (await hearth.invoke("list_chats", { query: "" })).ok as any
  await hearth.browser.$(`[aria-label="More for Cheese"]`).click()
  await hearth.click("menu-delete")
  await hearth.browser.pause(400)
  await hearth.browser.execute(() => { (window as any).__c = []; addEventListener("click", (e) => (window as any).__c.push((e.target as any).outerHTML), true) })
  await hearth.click("undo")
  await hearth.browser.pause(300)
  console.log(await hearth.browser.execute(() => (window as any).__c), await hearth.chats(), await hearth.has("toast"))
  console.log(await hearth.invoke("restore_chat", { chatId: c.id }))
  console.log(await hearth.invoke("list_chats", { query: "" }))
  await hearth.browser.pause(300)
  console.log(await hearth.chats())
  for (const f of readdirSync(hearth.home + "/logs")) console.log(readFileSync(hearth.home + "/logs/" + f, "utf8").slice(-1500))
  } finally { await hearth.close() }
}
