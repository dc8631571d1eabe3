// The list of chats: renaming, searching, deleting and having it back.
import { afterAll, beforeAll, expect, test } from "vitest"
import { Hearth } from "./support/hearth"

let hearth: Hearth

async function shown(titles: string[]): Promise<void> {
  await hearth.until(`the list to be ${titles.join(", ")}`, async () => JSON.stringify(await hearth.chats()) === JSON.stringify(titles))
}

async function menuOf(title: string): Promise<void> {
  await hearth.browser.$(`[aria-label="More for ${title}"]`).click()
  await hearth.at("chat-menu").waitForDisplayed()
}

beforeAll(async () => {
  hearth = await Hearth.open()
  for (const name of ["Apples", "Bread", "Cheese"]) {
    await hearth.click("new-chat")
    await hearth.at("empty-chat").waitForExist()
    await hearth.ask(name)
  }
})
afterAll(async () => hearth.close())

test("chats are listed newest first, titled by their first words", async () => {
  await shown(["Cheese", "Bread", "Apples"])
})

test("a chat is renamed in place", async () => {
  await menuOf("Bread")
  await hearth.click("menu-rename")
  await hearth.at("rename-input").waitForExist()
  // All of it is selected, so typing replaces it.
  await hearth.browser.keys("Sourdough")
  await hearth.browser.keys("Enter")
  await hearth.until("the new title", async () => (await hearth.chats()).includes("Sourdough"))
  expect(await hearth.chats()).not.toContain("Bread")
})

test("Escape leaves the title as it was", async () => {
  await menuOf("Apples")
  await hearth.click("menu-rename")
  await hearth.at("rename-input").waitForExist()
  await hearth.browser.keys("Pears")
  await hearth.browser.keys("Escape")
  await hearth.at("rename-input").waitForExist({ reverse: true })
  expect(await hearth.chats()).toContain("Apples")
})

test("search narrows the list as one types, and says when nothing fits", async () => {
  await hearth.at("chat-search").setValue("sour")
  await shown(["Sourdough"])
  await hearth.at("chat-search").setValue("zzz")
  await shown([])
  expect(await hearth.browser.execute(() => document.querySelector("nav")?.innerText)).toContain("No title contains “zzz”")
  await hearth.browser.$('[aria-label="Clear search"]').click()
  await hearth.until("all chats", async () => (await hearth.chats()).length === 3)
})

test("a deleted chat is gone at once and comes back with Undo", async () => {
  await menuOf("Cheese")
  await hearth.click("menu-delete")
  await hearth.until("the chat to leave", async () => !(await hearth.chats()).includes("Cheese"))
  expect(await hearth.textOf("toast")).toContain("“Cheese” deleted")
  await hearth.click("undo")
  await hearth.until("the chat to come back", async () => (await hearth.chats()).includes("Cheese"))
  await hearth.browser.$('[data-testid="chat-item"][title="Cheese"]').click()
  await hearth.until("its messages", async () => (await hearth.answer()).text === "You said: Cheese")
})

test("the keyboard alone deletes and moves on", async () => {
  await hearth.browser.keys(["Control", "k"])
  await hearth.until("the search to have the focus", async () => (await hearth.browser.execute(() => document.activeElement?.getAttribute("data-testid"))) === "chat-search")
  await hearth.browser.keys("ArrowDown")
  const [first] = await hearth.chats()
  await hearth.browser.keys("Delete")
  await hearth.until("the first chat to leave", async () => (await hearth.chats()).length === 2)
  expect(await hearth.chats()).not.toContain(first)
})
