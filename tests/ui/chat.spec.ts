// One chat: stopping, answering again, editing, stepping between versions, and the draft.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { newHome, removeHome } from "./support/driver"
import { Hearth } from "./support/hearth"

const LONG = "word ".repeat(200).trim()
const home = newHome()
let hearth: Hearth

beforeAll(async () => {
  hearth = await Hearth.open({ home })
})
beforeEach(async () => {
  await hearth.click("new-chat")
  await hearth.at("empty-chat").waitForExist()
})
afterAll(async () => {
  await hearth.close({ keep: true })
  removeHome(home)
})

test("Enter sends, and the answer ends with its figures", async () => {
  await hearth.at("composer").setValue("Good morning")
  await hearth.browser.keys("Enter")
  const answer = await hearth.ended("complete")
  expect(answer.text).toBe("You said: Good morning")
  expect(await hearth.textOf("answer-stats")).toContain("tokens")
  expect(await hearth.at("composer").getValue()).toBe("")
})

test("Shift+Enter makes a new line and does not send", async () => {
  await hearth.at("composer").click()
  await hearth.browser.keys("one")
  await hearth.browser.keys(["Shift", "Enter"])
  await hearth.browser.keys("two")
  expect(await hearth.at("composer").getValue()).toBe("one\ntwo")
  expect(await hearth.messages()).toEqual([])
})

test("stopping keeps the text so far and says that it was stopped", async () => {
  await hearth.send(`!slow 10 ${LONG}`)
  const seen = await hearth.streamed(30)
  await hearth.click("stop")
  const answer = await hearth.ended("stopped", 2000)
  expect(answer.text.startsWith(seen)).toBe(true)
  expect(answer.text.length).toBeLessThan(LONG.length)
  expect(await hearth.textOf("message-ended")).toBe("Stopped")
  await hearth.at("send").waitForExist()
})

test("Escape stops a running answer too", async () => {
  await hearth.send(`!slow 10 ${LONG}`)
  await hearth.streamed(10)
  await hearth.browser.keys("Escape")
  await hearth.ended("stopped", 2000)
})

test("answering again gives a second answer, and the arrows step between both", async () => {
  await hearth.send(`!slow 10 ${LONG}`)
  await hearth.streamed(20)
  await hearth.click("stop")
  const first = await hearth.ended("stopped")
  await hearth.click("regenerate")
  await hearth.streamed(first.text.length + 40)
  await hearth.click("stop")
  const second = await hearth.ended("stopped")
  expect(second.text.length).toBeGreaterThan(first.text.length)
  expect(await hearth.messages()).toHaveLength(2)
  await hearth.click("branch-previous")
  await hearth.until("the first answer", async () => (await hearth.answer()).text === first.text)
  await hearth.click("branch-next")
  await hearth.until("the second answer", async () => (await hearth.answer()).text === second.text)
})

test("editing a message asks again and keeps the earlier version", async () => {
  await hearth.ask("!say first")
  await hearth.ask("!say later")
  const edit = await hearth.browser.$$('[data-testid="edit-message"]')[0]
  await edit?.click()
  await hearth.at("cancel-edit").waitForExist()
  expect(await hearth.at("composer").getValue()).toBe("!say first")
  await hearth.send("!say second")
  await hearth.until("the answer to the edited message", async () => (await hearth.answer()).text === "second")
  expect((await hearth.messages()).map((message) => message.text)).toEqual(["!say second", "second"])
  await hearth.click("branch-previous")
  await hearth.until("the earlier version with all that followed", async () => (await hearth.messages()).length === 4)
  expect((await hearth.messages()).map((message) => message.text)).toEqual(["!say first", "first", "!say later", "later"])
})

test("an edit can be called off", async () => {
  await hearth.ask("!say stays")
  await hearth.at("edit-message").click()
  await hearth.click("cancel-edit")
  expect(await hearth.at("composer").getValue()).toBe("")
  expect((await hearth.messages()).map((message) => message.text)).toEqual(["!say stays", "stays"])
})

test("a chat left while it answers goes on, and shows all of it on return", async () => {
  await hearth.send(`!slow 4 ${LONG}`)
  await hearth.streamed(20)
  await hearth.click("new-chat")
  await hearth.at("empty-chat").waitForExist()
  await hearth.at("chat-item").click()
  const seen = await hearth.streamed(40)
  expect(LONG).toContain(seen)
  expect(LONG.startsWith(seen)).toBe(true)
  expect((await hearth.ended("complete", 20_000)).text).toBe(LONG)
})

test("an answer that did not see the whole chat says so, also after the end of the program", async () => {
  // The fake model's window holds 16,384 letters.
  for (let count = 0; count < 3; count += 1) await hearth.ask(`!say ${"x".repeat(4000)}`)
  await hearth.ask("!say and now")
  const told = await hearth.textOf("message-cut")
  expect(told).toMatch(/^The \d oldest messages no longer fit this model's context window and were left out\.$/)
  await hearth.crash()
  hearth = await Hearth.open({ home })
  await hearth.at("chat-item").click()
  await hearth.at("message-cut").waitForExist()
  expect(await hearth.textOf("message-cut")).toBe(told)
})

test("a draft survives the end of the program", async () => {
  await hearth.ask("!say the draft belongs here")
  await hearth.fill("Half a thought")
  // Drafts are stored a moment after the last key.
  await hearth.browser.pause(800)
  await hearth.crash()
  hearth = await Hearth.open({ home })
  await hearth.at("chat-item").click()
  await hearth.until("the draft", async () => (await hearth.at("composer").getValue()) === "Half a thought")
  expect((await hearth.answer()).text).toBe("the draft belongs here")
})
