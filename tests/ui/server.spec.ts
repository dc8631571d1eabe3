// The Server screen against the real server: what is switched, made and listed there holds for programs that ask.
import { execFileSync, spawnSync } from "node:child_process"
import { createServer, type AddressInfo, type Server } from "node:net"
import { afterAll, afterEach, beforeAll, expect, test } from "vitest"
import { Hearth } from "./support/hearth"

let hearth: Hearth
beforeAll(async () => {
  hearth = await Hearth.open()
})
afterAll(async () => hearth.close())

type Key = { id: string; name: string; scopes: string[] }

/** Where the screen says that the server is. */
const address = () => hearth.textOf("server-address")
const status = async (path: string, headers: Record<string, string> = {}) => {
  const reached = await fetch(`${await address()}${path}`, { headers, signal: AbortSignal.timeout(5000) })
  await reached.text()
  return reached.status
}
/** What the log shows of requests, the newest first. */
const rows = () => hearth.browser.execute(() => [...document.querySelectorAll<HTMLElement>('[data-testid="request"]')].map((row) => row.innerText.replace(/\s+/g, " ").trim()))
const keys = async () => (await hearth.invoke("list_api_keys")).ok as Key[]

async function closeDialogs(): Promise<void> {
  while (await hearth.browser.$("dialog[open]").isExisting()) await hearth.browser.keys("Escape")
}

afterEach(async () => {
  await closeDialogs()
  await hearth.set("server_lan", false)
  for (const { id } of await keys()) await hearth.invoke("revoke_api_key", { id })
})

test("the empty log shows a command that works as it stands, and then the request it made", async () => {
  await hearth.server("requests")
  const command = await hearth.textOf("first-example")
  const answer = JSON.parse(execFileSync("sh", ["-c", command], { stdio: ["ignore", "pipe", "ignore"] }).toString())
  expect(answer.choices[0].message.content).toContain("You said")
  await hearth.at("request").waitForExist()
  const [row] = await rows()
  expect(row).toMatch(/^\d\d:\d\d:\d\d curl\/\S+ \/v1\/chat\/completions POST · OpenAI starter 200 \d+ → \d+ .*m?s .*m?s$/)
  expect(row).not.toContain("sky")
})

test("each API and each refusal is seen, the newest first, and errors can be picked out", async () => {
  await hearth.server("requests")
  const before = (await rows()).length
  const post = async (path: string, body: object) => fetch(`${await address()}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }).then((reply) => reply.text())
  const messages = [{ role: "user", content: "!say canary" }]
  await post("/api/chat", { model: "starter", messages })
  await post("/v1/messages", { model: "starter", max_tokens: 20, messages })
  await post("/v1/chat/completions", { model: "no-such-model", messages })
  await hearth.until("three more requests", async () => (await rows()).length === before + 3)
  const shown = await rows()
  expect(shown[0]).toMatch(/completions No such model – 404/)
  expect(shown[1]).toMatch(/\/v1\/messages POST · Anthropic starter 200/)
  expect(shown[2]).toMatch(/\/api\/chat POST · Ollama starter 200/)
  expect(shown.join()).not.toContain("canary")
  expect(shown.join()).not.toContain("no-such-model")
  await hearth.at("requests-filter-errors").click()
  await hearth.until("only the errors", async () => (await rows()).length === 1)
  await hearth.at("requests-filter-all").click()
})

test("off closes the port at once, on opens it again", async () => {
  await hearth.server("requests")
  const where = await address()
  await hearth.click("server-switch")
  await hearth.at("server-address").waitForExist({ reverse: true })
  await expect(fetch(`${where}/health`)).rejects.toThrow()
  await hearth.click("server-switch")
  await hearth.at("server-address").waitForExist()
  expect(await status("/health")).toBe(200)
})

test("the address is copied", async () => {
  await hearth.server("access")
  await hearth.click("copy-address")
  await hearth.until("the tick", async () => (await hearth.textOf("toast")) === "Copied")
  await hearth.at("server_origins-box").click()
  await hearth.browser.keys(["Control", "v"])
  expect(await hearth.at("server_origins-box").getValue()).toBe(await address())
  await hearth.fill("", "server_origins-box")
})

test("a key is made with what it may, shown once, asked for, and refused from its revoking on", async () => {
  await hearth.server("access")
  await hearth.click("create-key")
  await hearth.fill("Editor on the desk", "key-name")
  await hearth.click("key-confirm")
  const secret = await hearth.textOf("key-secret")
  expect(secret).toMatch(/^hearth-[0-9a-f]{64}$/)
  await hearth.click("key-done")
  expect(await hearth.browser.execute((text) => document.body.innerHTML.includes(text), secret)).toBe(false)
  expect(await keys()).toMatchObject([{ name: "Editor on the desk", scopes: ["inference"] }])
  expect(await hearth.textOf("key")).toMatch(/Editor on the desk\s+Ask models · Made .* · never used/)

  const bearer = { authorization: `Bearer ${secret}` }
  expect([await status("/v1/models"), await status("/v1/models", bearer), await status("/metrics", bearer)]).toEqual([401, 200, 403])
  await hearth.until("its last use", async () => (await hearth.textOf("key")).includes("used this minute"))
  await hearth.server("connect")
  expect(await hearth.textOf("example")).toContain('-H "Authorization: Bearer $HEARTH_API_KEY"')
  const command = await hearth.textOf("example")
  expect(spawnSync("sh", ["-c", command], { env: { ...process.env, HEARTH_API_KEY: secret } }).stdout.toString()).toContain("You said")

  await hearth.server("access")
  await hearth.click("revoke-key")
  expect(await hearth.textOf("revoke-dialog")).toContain("your last key")
  await hearth.click("revoke-confirm")
  await hearth.at("key").waitForExist({ reverse: true })
  expect(await keys()).toEqual([])
  await hearth.until("no key to be asked for", async () => (await status("/v1/models")) === 200)
})

test("an origin that is none is refused with the reason, a real one counts from the next request on", async () => {
  await hearth.server("access")
  const page = { origin: "https://app.example" }
  expect(await status("/v1/models", page)).toBe(403)
  for (const [wrong, reason] of [["*", "any web page"], ["https://app.example/path", "no path"], ["app.example", "is not an origin"]] as const) {
    await hearth.fill(wrong, "server_origins-box")
    await hearth.click("server_origins-add")
    await hearth.until(wrong, async () => (await hearth.textOf("error-server_origins")).includes(reason))
    expect(await hearth.at("server_origins-box").getValue()).toBe(wrong)
  }
  // With the slash that a browser shows.
  await hearth.fill("https://app.example/", "server_origins-box")
  await hearth.browser.keys("Enter")
  await hearth.at("server_origins-list").waitForExist()
  expect((await hearth.textOf("server_origins-list")).trim()).toBe("https://app.example")
  await hearth.until("the page to be let in", async () => (await status("/v1/models", page)) === 200)
  await hearth.click("server_origins-remove")
  await hearth.at("server_origins-list").waitForExist({ reverse: true })
  await hearth.until("the page to be kept out", async () => (await status("/v1/models", page)) === 403)
  await hearth.server("requests")
  await hearth.until("the reason in the log", async () => (await rows()).some((row) => row.includes("https://app.example") && row.includes("Origin is not allowed")))
})

test("the local network is answered only with a key, after a warning, and says so as long as it is", async () => {
  const tried = await hearth.invoke("set_setting", { change: { key: "server_lan", value: true } })
  expect(tried.refused).toContain("only with an API key")
  await hearth.server("access")
  expect(await status("/v1/models")).toBe(200)
  await hearth.click("lan-switch")
  expect(await hearth.textOf("lan-dialog")).toContain("unencrypted")
  expect(await keys()).toEqual([])
  await hearth.click("lan-confirm")
  const secret = await hearth.textOf("key-secret")
  await hearth.click("lan-done")
  await hearth.at("lan-banner").waitForExist()
  expect(await hearth.at("lan-switch").isSelected()).toBe(true)
  expect([await status("/v1/models"), await status("/v1/models", { authorization: `Bearer ${secret}` })]).toEqual([401, 200])
  await hearth.click("revoke-key")
  expect(await hearth.textOf("revoke-dialog")).toContain("not answered any more")
  await hearth.click("revoke-confirm")
  await hearth.at("lan-banner").waitForExist({ reverse: true })
  await hearth.until("this computer to be answered without a key", async () => (await status("/v1/models")) === 200)
})

test("when the port is held, the screen says by whom, and which one is used", async () => {
  const held: Server = createServer()
  await new Promise<void>((done) => held.listen(0, "127.0.0.1", done))
  const { port } = held.address() as AddressInfo
  try {
    await hearth.set("server_port", port)
    await hearth.server("limits")
    await hearth.until("the holder", async () => (await hearth.textOf("server-notice")).includes(`(process ${process.pid})`))
    const used = Number(new URL(await address()).port)
    expect(used).not.toBe(port)
    expect(await hearth.textOf("server-notice")).toMatch(new RegExp(`Port ${port} is taken by .* listens on port ${used} instead`))
    expect(await status("/health")).toBe(200)
  } finally {
    held.close()
    await hearth.invoke("reset_setting", { key: "server_port" })
  }
})

test("the second port is a choice, and what is remembered can be switched off", async () => {
  await hearth.server("limits")
  await hearth.at("setting-server_extra_port").$("select").selectByAttribute("value", "11434")
  // Where Ollama runs, it keeps its port and the screen says so.
  await hearth.until("the second port", async () => (await hearth.textOf("server-status")).includes("127.0.0.1:11434") || ((await hearth.has("server-notice")) && (await hearth.textOf("server-notice")).includes("11434")))
  await hearth.at("setting-server_extra_port").$("select").selectByAttribute("value", "0")
  const settings = async () => ((await hearth.invoke("get_settings")).ok as { settings: Record<string, unknown> }).settings
  await hearth.at("setting-server_keep_answers").$("input").click()
  await hearth.until("answers to be forgotten", async () => (await settings())["serverKeepAnswers"] === false)
  expect((await settings())["serverKeepVectors"]).toBe(true)
  await hearth.click("reset-server_keep_answers")
})

test("settings lead to the screen, and it can be used without a mouse", async () => {
  await hearth.settings("server")
  await hearth.click("open-server")
  await hearth.at("server-tab-requests").waitForExist()
  await hearth.browser.execute(() => document.querySelector<HTMLElement>('[data-testid="server-tab-requests"]')?.focus())
  await hearth.browser.keys("ArrowRight")
  expect(await hearth.at("server-tab-connect").getAttribute("aria-selected")).toBe("true")
  const reached = async () => hearth.browser.execute(() => document.activeElement?.closest("[data-testid]")?.getAttribute("data-testid") ?? "")
  const seen: string[] = []
  for (let step = 0; step < 12; step += 1) {
    await hearth.browser.keys("Tab")
    seen.push(await reached())
  }
  expect(seen).toEqual(expect.arrayContaining(["example-model", "library-openai", "language-curl", "example", "example-copy", "program-zed", "setup-0-copy"]))
  await hearth.browser.keys("Escape")
  await hearth.at("composer").waitForExist()
})
