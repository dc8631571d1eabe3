// Hearth as a test sees it: what a person would do in the window, and what they would read there.
import { setTimeout as sleep } from "node:timers/promises"
import type { Browser } from "webdriverio"
import { endAll, removeHome, start, type Running, type StartOptions } from "./driver"
import { descendants, gone, kill, type Process } from "./processes"

export type Shown = { role: string; status: string; text: string }
type Invoke = (command: string, payload: unknown) => Promise<unknown>
type Page = Window & { __TAURI_INTERNALS__: { invoke: Invoke } }

export class Hearth {
  private constructor(readonly running: Running) {}

  /** Opens the window and waits until it can be used. */
  static async open(options: StartOptions = {}): Promise<Hearth> {
    const hearth = new Hearth(await start(options))
    await hearth.ready()
    return hearth
  }

  get browser(): Browser {
    return this.running.browser
  }

  get home(): string {
    return this.running.home
  }

  /** Waits for the message box: the window is set up then. */
  async ready(): Promise<void> {
    await this.at("composer").waitForExist({ timeout: 20_000 })
  }

  at(testid: string) {
    return this.browser.$(`[data-testid="${testid}"]`)
  }

  async click(testid: string): Promise<void> {
    const element = this.at(testid)
    await element.waitForClickable()
    await element.click()
  }

  async has(testid: string): Promise<boolean> {
    return this.at(testid).isExisting()
  }

  async textOf(testid: string): Promise<string> {
    const element = this.at(testid)
    await element.waitForExist()
    // WebKitWebDriver's own text command leaves out what is cut with an ellipsis.
    return this.browser.execute((id) => document.querySelector<HTMLElement>(`[data-testid="${id}"]`)?.innerText ?? "", testid)
  }

  async until(what: string, check: () => Promise<boolean>, timeout = 10_000): Promise<void> {
    await this.browser.waitUntil(check, { timeout, interval: 50, timeoutMsg: `waited ${timeout} ms: ${what}` })
  }

  /** Fills the message box at once; what a person types with line breaks cannot be sent as keys. */
  async fill(text: string, testid = "composer"): Promise<void> {
    await this.browser.execute((id, value) => {
      const box = document.querySelector<HTMLTextAreaElement>(`[data-testid="${id}"]`)
      if (!box) throw new Error(`no ${id}`)
      box.focus()
      box.value = value
      box.dispatchEvent(new InputEvent("input", { bubbles: true }))
    }, testid, text)
  }

  async send(text: string): Promise<void> {
    await this.fill(text)
    await this.click("send")
  }

  /** Sends and waits until the answer has ended, however it ended. */
  async ask(text: string, timeout = 20_000): Promise<Shown> {
    const before = (await this.messages()).length
    await this.send(text)
    await this.until(`an answer to ${text.slice(0, 40)}`, async () => {
      const now = await this.messages()
      return now.length > before + 1 && !now.some((message) => message.status === "streaming")
    }, timeout)
    return this.answer()
  }

  async messages(): Promise<Shown[]> {
    return this.browser.execute(() => [...document.querySelectorAll<HTMLElement>('[data-testid="message"]')].map((message) => ({
      role: message.dataset["role"] ?? "",
      status: message.dataset["status"] ?? "",
      text: message.querySelector<HTMLElement>('[data-testid="answer-text"], [data-testid="question-text"]')?.innerText.trim() ?? "",
    })))
  }

  /** The last answer in the transcript. */
  async answer(): Promise<Shown> {
    const last = (await this.messages()).findLast((message) => message.role === "assistant")
    return last ?? { role: "assistant", status: "none", text: "" }
  }

  /** Waits until the running answer shows at least this many characters. */
  async streamed(atLeast: number): Promise<string> {
    let text = ""
    await this.until(`${atLeast} streamed characters`, async () => {
      const answer = await this.answer()
      text = answer.text
      return answer.status === "streaming" && text.length >= atLeast
    }, 20_000)
    return text
  }

  /** Waits until the last answer has this status. */
  async ended(status: string, timeout = 10_000): Promise<Shown> {
    await this.until(`the answer to be ${status}`, async () => (await this.answer()).status === status, timeout)
    return this.answer()
  }

  /** Titles in the sidebar, from the top. */
  async chats(): Promise<string[]> {
    return this.browser.execute(() => [...document.querySelectorAll<HTMLElement>('[data-testid="chat-item"]')].map((row) => row.innerText.trim()))
  }

  async settings(tab: string): Promise<void> {
    if (!(await this.has("settings"))) await this.click("nav-settings")
    await this.click(`settings-tab-${tab}`)
    await this.until(`the ${tab} settings`, async () => (await this.at(`settings-tab-${tab}`).getAttribute("aria-selected")) === "true")
  }

  async server(page: string): Promise<void> {
    if (!(await this.has("server"))) await this.click("nav-server")
    await this.click(`server-tab-${page}`)
    await this.until(`the ${page} page`, async () => (await this.at(`server-tab-${page}`).getAttribute("aria-selected")) === "true")
  }

  async monitor(): Promise<void> {
    if (!(await this.has("monitor"))) await this.click("nav-monitor")
    await this.at("monitor").waitForExist()
  }

  /** Calls a command as a script in the page would; answers what it gave, or how it was refused. */
  async invoke(command: string, payload: unknown = {}): Promise<{ ok?: unknown; refused?: string }> {
    return this.browser.execute(async (name, args) => {
      try {
        return { ok: (await (window as unknown as Page).__TAURI_INTERNALS__.invoke(name, args)) ?? null }
      } catch (error) {
        return { refused: typeof error === "object" ? JSON.stringify(error) : String(error) }
      }
    }, command, payload)
  }

  /** Changes a setting past the settings page. */
  async set(key: string, value: unknown): Promise<void> {
    const { refused } = await this.invoke("set_setting", { change: { key, value } })
    if (refused) throw new Error(refused)
  }

  /** Goes to another page of Hearth itself, as only a test can. */
  async visit(page: string): Promise<void> {
    await this.browser.execute((to) => { window.location.href = to }, `tauri://localhost/${page}`)
    await this.until(page, async () => this.browser.execute((to) => window.location.href.endsWith(to) && document.readyState === "complete", page))
    await this.ready()
  }

  /** The child process that holds the model. */
  engine(): Process | undefined {
    return descendants(this.running.program).find((p) => p.command[0]?.endsWith("hearth-desktop"))
  }

  /** Ends the program as a power cut would. */
  async crash(): Promise<void> {
    const family = descendants(this.running.program).map((p) => p.pid)
    kill(this.running.program, "SIGKILL")
    await gone([this.running.program, ...family], 8000)
    await endAll(this.running.driver)
  }

  async close(options: { keep?: boolean } = {}): Promise<void> {
    await Promise.race([this.browser.deleteSession().catch(() => undefined), sleep(5000)])
    await endAll(this.running.driver)
    if (!options.keep) removeHome(this.home)
  }
}
