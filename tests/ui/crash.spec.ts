// What breaks in the middle of an answer: the engine gives up, is killed or fails, the whole program dies.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { newHome, removeHome } from "./support/driver"
import { Hearth } from "./support/hearth"
import { kill } from "./support/processes"

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

async function answersWithin(ms: number): Promise<void> {
  const began = Date.now()
  const answer = await hearth.ask("Are you there?")
  expect(answer).toMatchObject({ status: "complete", text: "You said: Are you there?" })
  expect(Date.now() - began).toBeLessThan(ms)
}

test("an engine that aborts costs the rest of one answer and nothing else", async () => {
  const broken = await hearth.ask("!abort and some words to lose")
  expect(broken).toMatchObject({ status: "interrupted", text: "You said: !abort an" })
  expect(await hearth.textOf("message-ended")).toMatch(/^Interrupted: .*engine/i)
  await answersWithin(2000)
})

test("an engine killed from outside is replaced, and what was streamed stays", async () => {
  await hearth.send(`!slow 10 ${LONG}`)
  const seen = await hearth.streamed(30)
  const engine = hearth.engine()
  if (!engine) throw new Error("no engine runs")
  kill(engine.pid, "SIGKILL")
  const answer = await hearth.ended("interrupted")
  expect(answer.text.startsWith(seen)).toBe(true)
  expect(await hearth.textOf("message-ended")).toMatch(/^Interrupted: .*engine/i)
  await answersWithin(2000)
  expect(hearth.engine()?.pid).not.toBe(engine.pid)
})

test("a failed step is told with its reason, and can be tried again", async () => {
  const failed = await hearth.ask("!error please")
  expect(failed.status).toBe("interrupted")
  expect(await hearth.textOf("message-ended")).toContain("asked for by the prompt")
  await hearth.click("regenerate")
  await hearth.until("a second try", async () => (await hearth.has("branch-previous")))
  await answersWithin(2000)
})

test("a program that dies in the middle of an answer still has both messages", async () => {
  await hearth.send(`!slow 10 ${LONG}`)
  await hearth.streamed(60)
  // Running answers are stored every second at the latest.
  await hearth.browser.pause(1200)
  await hearth.crash()
  hearth = await Hearth.open({ home })
  await hearth.at("chat-item").click()
  await hearth.until("both messages", async () => (await hearth.messages()).length === 2)
  const [question, answer] = await hearth.messages()
  expect(question?.text).toBe(`!slow 10 ${LONG}`)
  expect(answer?.status).toBe("interrupted")
  expect(answer?.text.length).toBeGreaterThan(20)
  expect(LONG.startsWith(answer?.text ?? "")).toBe(true)
  expect(await hearth.textOf("message-ended")).toMatch(/^Interrupted/)
  await answersWithin(4000)
})
