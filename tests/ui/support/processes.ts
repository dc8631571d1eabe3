// Finds processes through /proc, so that a test can look at, measure or kill exactly the ones it started.
import { readFileSync, readdirSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

export type Process = { pid: number; parent: number; name: string; command: string[]; ticks: number }

function read(pid: number): Process | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The name stands in brackets and may hold spaces and brackets itself.
    const end = stat.lastIndexOf(")")
    const fields = stat.slice(end + 2).split(" ")
    if (fields[0] === "Z") return null
    return {
      pid,
      parent: Number(fields[1]),
      name: stat.slice(stat.indexOf("(") + 1, end),
      command: readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean),
      ticks: Number(fields[11]) + Number(fields[12]),
    }
  } catch {
    return null
  }
}

/** All descendants of a process, without itself. */
export function descendants(root: number): Process[] {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map((name) => read(Number(name))).filter((p) => p !== null)
  const found: Process[] = []
  const parents = [root]
  while (parents.length > 0) {
    const parent = parents.pop()
    for (const process of all.filter((p) => p.parent === parent)) {
      found.push(process)
      parents.push(process.pid)
    }
  }
  return found
}

export function isAlive(pid: number): boolean {
  return read(pid) !== null
}

/** Ticks of processor time (a hundredth of a second each) that a process has used. */
export function ticksOf(pid: number): number {
  return read(pid)?.ticks ?? 0
}

export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It is gone already.
  }
}

/** Waits until none of them is left; answers whether that happened. */
export async function gone(pids: number[], withinMs: number): Promise<boolean> {
  const end = Date.now() + withinMs
  while (pids.some(isAlive)) {
    if (Date.now() > end) return false
    await sleep(20)
  }
  return true
}
