// What axe finds wrong in the real web view: every screen, dark and light.
import { AxeBuilder } from "@axe-core/webdriverio"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { CODE_AND_TABLE } from "./support/content"
import { Hearth } from "./support/hearth"

let hearth: Hearth
beforeAll(async () => {
  hearth = await Hearth.open()
})
afterAll(async () => hearth.close())

async function faults(except: string[] = []): Promise<string[]> {
  // Legacy mode: the other one opens a second window, which this driver cannot.
  const axe = new AxeBuilder({ client: hearth.browser as never }).setLegacyMode(true).disableRules(except)
  const { violations } = await axe.analyze()
  return violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")} ${node.failureSummary ?? ""}`))
}

/** Colours that are still changing would be measured on their way. */
async function settled(): Promise<void> {
  await hearth.browser.pause(350)
}

test("axe notices a fault when there is one", async () => {
  await hearth.browser.execute(() => {
    const picture = document.createElement("button")
    picture.id = "fault"
    document.querySelector("main")?.append(picture)
  })
  expect(await faults()).toEqual([expect.stringContaining("button-name")])
  await hearth.browser.execute(() => document.getElementById("fault")?.remove())
})

describe.each(["light", "dark"])("%s", (theme) => {
  beforeAll(async () => {
    await hearth.set("theme", theme)
    await hearth.until(theme, async () => hearth.browser.execute((name) => document.documentElement.dataset["theme"] === name, theme))
  })

  test("a new chat", async () => {
    await hearth.click("new-chat")
    await hearth.at("empty-chat").waitForExist()
    await settled()
    expect(await faults()).toEqual([])
  })

  test("an answer with headings, a list, code, a table, a formula and a link", async () => {
    await hearth.ask(`!say ${CODE_AND_TABLE}`)
    await settled()
    expect(await faults()).toEqual([])
  })

  test("a running answer", async () => {
    await hearth.send(`!slow 10 ${"word ".repeat(300)}`)
    await hearth.streamed(20)
    await settled()
    expect(await faults()).toEqual([])
    await hearth.click("stop")
    await hearth.ended("stopped")
  })

  test("an answer that broke off", async () => {
    await hearth.ask("!abort and tell")
    await settled()
    expect(await faults()).toEqual([])
  })

  test("the dialog before a link", async () => {
    await hearth.ask("!say [a link](https://example.org/somewhere)")
    await hearth.browser.execute(() => [...document.querySelectorAll<HTMLElement>("[data-href]")].at(-1)?.click())
    await hearth.at("link-dialog").waitForDisplayed()
    await settled()
    expect(await faults()).toEqual([])
    await hearth.browser.keys("Escape")
    await hearth.at("link-dialog").waitForExist({ reverse: true })
  })

  test("the list of keys", async () => {
    await hearth.browser.keys(["Control", "/"])
    await hearth.browser.$("dialog[open]").waitForDisplayed()
    await settled()
    expect(await faults()).toEqual([])
    await hearth.browser.keys("Escape")
    await hearth.browser.$("dialog[open]").waitForExist({ reverse: true })
  })

  test("the menu of a chat", async () => {
    await hearth.browser.$('[data-testid="chat-more"]').click()
    await hearth.at("chat-menu").waitForDisplayed()
    await settled()
    const found = await faults(["region"]) // A menu is a layer over the landmarks, not part of one.
    await hearth.browser.keys("Escape")
    await hearth.at("chat-menu").waitForExist({ reverse: true })
    expect(found).toEqual([])
  })

  test.each(["general", "appearance", "generation", "heat", "server", "privacy", "advanced"])("settings: %s", async (tab) => {
    await hearth.settings(tab)
    await settled()
    // To this rule a label that is scrolled out of the window is one that nobody sees; that there is a label is another rule's.
    expect(await faults(["label-title-only"])).toEqual([])
  })

  test.each(["requests", "connect", "access", "limits"])("the server: %s", async (page) => {
    await hearth.server(page)
    await settled()
    expect(await faults()).toEqual([])
  })

  test("the server with requests, keys and the dialog for another key", async () => {
    const { addresses } = (await hearth.invoke("server_status")).ok as { addresses: string[] }
    const { key, secret } = (await hearth.invoke("create_api_key", { name: "Editor", scopes: ["inference"] })).ok as { key: { id: string }; secret: string }
    for (const authorization of [`Bearer ${secret}`, "Bearer wrong"]) await fetch(`${addresses[0]}/v1/models`, { headers: { authorization } })
    await hearth.server("requests")
    await hearth.at("request-reason").waitForExist()
    await settled()
    expect(await faults()).toEqual([])
    await hearth.server("access")
    await hearth.click("create-key")
    await hearth.at("key-dialog").waitForDisplayed()
    await settled()
    expect(await faults()).toEqual([])
    await hearth.browser.keys("Escape")
    await hearth.at("key-dialog").waitForExist({ reverse: true })
    await hearth.invoke("revoke_api_key", { id: key.id })
  })

  test("the Monitor as plots, with its cursor held, and as a table", async () => {
    await hearth.monitor()
    await hearth.at("plot-area").waitForExist()
    await hearth.browser.execute(() => document.querySelector<HTMLElement>('[data-testid="plot-area"]')?.focus())
    await hearth.browser.keys("ArrowLeft")
    await hearth.at("held").waitForExist()
    await settled()
    expect(await faults()).toEqual([])
    await hearth.browser.keys("Escape")
    await hearth.click("as-table")
    await hearth.at("monitor-row").waitForExist()
    await settled()
    expect(await faults()).toEqual([])
  })

  test("the models with what one takes, the dialog for a smaller copy, and what could be fetched", async () => {
    await hearth.click("nav-models")
    await hearth.browser.$('[data-testid="model"][data-model="starter"] [data-testid="model-toggle"]').click()
    await hearth.at("memory-bar").waitForExist()
    await settled()
    expect(await faults()).toEqual([])
    await hearth.click("model-copy")
    await hearth.at("copy-dialog").waitForDisplayed()
    await settled()
    expect(await faults()).toEqual([])
    await hearth.browser.keys("Escape")
    await hearth.at("copy-dialog").waitForExist({ reverse: true })
    await hearth.click("models-tab-discover")
    await hearth.at("suggested").waitForExist()
    await settled()
    expect(await faults()).toEqual([])
    await hearth.click("close-models")
  })

  test("the dialog before all chats are deleted", async () => {
    await hearth.settings("advanced")
    await hearth.click("delete-all")
    await hearth.browser.$("dialog[open]").waitForDisplayed()
    await settled()
    expect(await faults()).toEqual([])
    await hearth.browser.keys("Escape")
    await hearth.browser.$("dialog[open]").waitForExist({ reverse: true })
  })

  test("the popover, empty and with a chat", async () => {
    await hearth.visit("popover.html")
    await hearth.ask(`!say ${CODE_AND_TABLE}`)
    await settled()
    expect(await faults()).toEqual([])
    await hearth.click("new-chat")
    await hearth.at("empty-chat").waitForExist()
    await settled()
    expect(await faults()).toEqual([])
    await hearth.visit("index.html")
  })
})

test("the transcript is quiet while streaming, and one region says when the answer is complete", async () => {
  await hearth.click("new-chat")
  await hearth.at("empty-chat").waitForExist()
  await hearth.send(`!slow 5 ${"word ".repeat(60)}`)
  await hearth.until("the start to be said", async () => (await hearth.textOf("announcer")) === "Generating")
  expect(await hearth.at("transcript").getAttribute("aria-live")).toBe("off")
  await hearth.ended("complete")
  await hearth.until("the end to be said", async () => (await hearth.textOf("announcer")) === "Response complete")
})

test("focus goes back to where it was when a dialog closes", async () => {
  await hearth.at("composer").click()
  await hearth.browser.keys(["Control", "/"])
  await hearth.browser.$("dialog[open]").waitForDisplayed()
  expect(await hearth.browser.execute(() => document.activeElement?.closest("dialog") !== null)).toBe(true)
  await hearth.browser.keys("Escape")
  await hearth.browser.$("dialog[open]").waitForExist({ reverse: true })
  expect(await hearth.browser.execute(() => document.activeElement?.getAttribute("data-testid"))).toBe("composer")
})
