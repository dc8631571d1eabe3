// Starts Hearth under tauri-driver and ends it again, with everything that belongs to it.
import { spawn, type ChildProcess } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { remote, type Browser } from "webdriverio"
import { descendants, gone, kill } from "./processes"

/** The program under test; measurements name a release build. */
export const PROGRAM = process.env["HEARTH_PROGRAM"] ?? fileURLToPath(new URL("../../../target/debug/hearth-desktop", import.meta.url))
const START_MS = 20_000
const END_MS = 8000

export type StartOptions = {
  /** The folder of all of Hearth's files; a new one unless given. */
  home?: string
  /** The fake model answers unless the real one is asked for. */
  engine?: "fake" | "real"
  /** More variables; undefined takes one away. */
  env?: Record<string, string | undefined>
  program?: string
}

export type Running = { browser: Browser; driver: ChildProcess; program: number; path: string; home: string }

export function newHome(): string {
  return mkdtempSync(join(tmpdir(), "hearth-window-"))
}

export function removeHome(home: string): void {
  // The engine of the last model may still be putting down what it read.
  rmSync(home, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 })
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

/** Until the whole chain answers: tauri-driver listens before WebKitWebDriver behind it does. */
async function answers(port: number): Promise<void> {
  const end = Date.now() + START_MS
  while (!(await fetch(`http://127.0.0.1:${port}/status`).then((answer) => answer.ok, () => false))) {
    if (Date.now() > end) throw new Error("tauri-driver does not answer")
    await sleep(50)
  }
}

function environment(options: StartOptions, home: string): NodeJS.ProcessEnv {
  const path = `${join(homedir(), ".cargo/bin")}:${process.env["PATH"] ?? ""}`
  const env: NodeJS.ProcessEnv = { ...process.env, PATH: path, HEARTH_HOME: home, WEBKIT_DISABLE_DMABUF_RENDERER: "1", ...options.env }
  if (options.engine === "real") delete env["HEARTH_ENGINE"]
  else env["HEARTH_ENGINE"] = "fake"
  for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name]
  return env
}

export async function start(options: StartOptions = {}): Promise<Running> {
  const program = options.program ?? PROGRAM
  if (!existsSync(program)) throw new Error(`${program} is missing; build it with make build-debug`)
  const home = options.home ?? newHome()
  const [port, native] = [await freePort(), await freePort()]
  const driver = spawn("tauri-driver", ["--port", String(port), "--native-port", String(native)], {
    env: environment(options, home),
    stdio: ["ignore", process.env["HEARTH_TEST_LOG"] ? "inherit" : "ignore", process.env["HEARTH_TEST_LOG"] ? "inherit" : "ignore"],
  })
  try {
    await new Promise((done, failed) => driver.once("spawn", done).once("error", failed))
    await answers(port)
    const browser = await remote({
      hostname: "127.0.0.1",
      port,
      logLevel: "error",
      connectionRetryCount: 0,
      connectionRetryTimeout: 60_000,
      waitforTimeout: 10_000,
      waitforInterval: 50,
      // A browserName would make the driver refuse.
      capabilities: { "tauri:options": { application: program }, "wdio:enforceWebDriverClassic": true } as WebdriverIO.Capabilities,
    })
    const found = descendants(driver.pid ?? 0).find((p) => p.command[0] === program)
    if (!found) throw new Error("the program is not among the driver's children")
    return { browser, driver, program: found.pid, path: program, home }
  } catch (error) {
    await endAll(driver)
    throw error
  }
}

/** Ends the driver and all it started; only ever processes of this driver. */
export async function endAll(driver: ChildProcess): Promise<void> {
  const family = descendants(driver.pid ?? 0).map((p) => p.pid)
  // The engine ends when its parent closes the pipe, the web processes when their program ends.
  for (const pid of family) kill(pid, "SIGTERM")
  if (!(await gone(family, END_MS))) {
    for (const pid of family) kill(pid, "SIGKILL")
    await gone(family, END_MS)
  }
  driver.kill("SIGTERM")
  await gone([driver.pid ?? 0], END_MS)
}
