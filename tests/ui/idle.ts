// How much processor time Hearth takes while its window is closed: npm run idle [-- seconds]. Prints a share of one core.
// Not part of npm test: it needs minutes and a quiet machine. A second figure is for after the hidden view was destroyed.
import { spawn, spawnSync } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import { newHome, PROGRAM, removeHome } from "./support/driver"
import { Hearth } from "./support/hearth"
import { descendants, gone, kill, ticksOf } from "./support/processes"
import { TrayHost } from "./support/tray_host"

const TICKS_PER_SECOND = 100
const TARGET_PERCENT = 0.5
/** A closed window's view is destroyed after a minute. */
const VIEW_KEPT_S = 60

async function measure(root: number, seconds: number): Promise<number> {
  const family = () => [root, ...descendants(root).map((p) => p.pid)]
  const before = new Map(family().map((pid) => [pid, ticksOf(pid)]))
  await sleep(seconds * 1000)
  const rows = descendants(root).map((p) => [p.name, p.ticks - (before.get(p.pid) ?? 0)] as const)
  rows.push(["hearth-desktop", ticksOf(root) - (before.get(root) ?? 0)])
  for (const [name, ticks] of rows) console.log(`  ${name}: ${((ticks / TICKS_PER_SECOND / seconds) * 100).toFixed(2)} %`)
  return (rows.reduce((sum, [, ticks]) => sum + ticks, 0) / TICKS_PER_SECOND / seconds) * 100
}

function visible(): string[] {
  return spawnSync("xdotool", ["search", "--onlyvisible", "--name", "^Hearth$"]).stdout.toString().trim().split("\n").filter(Boolean)
}

export async function main([seconds = "60"]: string[]): Promise<void> {
  const home = newHome()
  const tray = await TrayHost.start()
  // A chat, so that the next start opens it and loads the model, as it is for most people.
  const first = await Hearth.open({ home, engine: "real" })
  await first.ask("Hello", 60_000)
  await first.close({ keep: true })
  const program = spawn(PROGRAM, [], { env: { ...process.env, HEARTH_HOME: home }, stdio: "ignore" })
  const pid = program.pid ?? 0
  try {
    await sleep(6000)
    const [window] = visible()
    if (!window) throw new Error("the window did not open")
    // Escape closes it, as the button in the title bar does; there is no window manager here to press that.
    spawnSync("xdotool", ["windowfocus", "--sync", window, "key", "Escape"])
    await sleep(3000)
    if (visible().length > 0) throw new Error("the window did not close")
    console.log(`window closed, ${seconds} s:`)
    const closed = await measure(pid, Math.min(Number(seconds), VIEW_KEPT_S - 5))
    await sleep(Math.max(0, VIEW_KEPT_S + 5 - Number(seconds)) * 1000)
    console.log(`view destroyed, ${seconds} s:`)
    const released = await measure(pid, Number(seconds))
    console.log(`idle: ${closed.toFixed(2)} % of a core with the window closed, ${released.toFixed(2)} % once its view is gone (target ${TARGET_PERCENT} %)`)
    if (closed > TARGET_PERCENT || released > TARGET_PERCENT) process.exitCode = 1
  } finally {
    const family = descendants(pid).map((p) => p.pid)
    kill(pid, "SIGTERM")
    await gone([pid, ...family], 5000)
    tray.stop()
    removeHome(home)
  }
}
