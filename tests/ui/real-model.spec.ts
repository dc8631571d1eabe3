// The whole way with the model that comes with Hearth: a person asks, reads along, and finds the chat again later.
import { afterAll, beforeAll, expect, test } from "vitest"
import { newHome, removeHome } from "./support/driver"
import { Hearth } from "./support/hearth"

const home = newHome()
let hearth: Hearth
let said = ""

beforeAll(async () => {
  hearth = await Hearth.open({ home, engine: "real" })
})
afterAll(async () => {
  await hearth.close({ keep: true })
  removeHome(home)
})

test("an answer of the real model streams into the window and ends with its figures", async () => {
  await hearth.at("composer").setValue("Write three sentences about the sea.")
  await hearth.click("send")
  const lengths: number[] = []
  await hearth.until("the answer to end", async () => {
    const { text, status } = await hearth.answer()
    if (text.length > (lengths.at(-1) ?? 0)) lengths.push(text.length)
    return status === "complete"
  }, 60_000)
  expect(lengths.length, `lengths seen: ${lengths.join(", ")}`).toBeGreaterThan(2)
  said = (await hearth.answer()).text
  expect(said.length).toBeGreaterThan(20)
  expect(await hearth.textOf("answer-stats")).toMatch(/\d tok\/s · first token [\d.,]+ m?s · \d+ tokens/)
  expect(await hearth.at("engine-status").getAttribute("data-state")).toBe("ready")
})

test("after a restart the chat is there with the same words", async () => {
  await hearth.close({ keep: true })
  hearth = await Hearth.open({ home, engine: "real" })
  await hearth.until("the chat in the sidebar", async () => (await hearth.chats()).length === 1)
  await hearth.at("chat-item").click()
  await hearth.until("its messages", async () => (await hearth.messages()).length === 2)
  const [question, answer] = await hearth.messages()
  expect(question).toMatchObject({ role: "user", text: "Write three sentences about the sea." })
  expect(answer).toMatchObject({ role: "assistant", status: "complete", text: said })
})
