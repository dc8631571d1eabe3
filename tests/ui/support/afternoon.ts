// What the Monitor is filled with in tests and pictures: recordings of readings, and a month of a time line.
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const FILL = fileURLToPath(new URL("fill_timeline.py", import.meta.url))
const GIB = 2 ** 30

export type State = { thermal: "nominal" | "fair" | "serious" | "critical"; celsius: number | null; watts: number | null }

export const COOL: State = { thermal: "nominal", celsius: 52, watts: 24 }
export const HOT: State = { thermal: "serious", celsius: 97, watts: 44 }

function reading(second: number, { thermal, celsius, watts }: State): object {
  return {
    atMs: second * 1000, cpuUsage: 0.6, coreTiers: [], gpuUsage: 0.9, systemWatts: watts, cpuCelsius: celsius, gpuCelsius: celsius === null ? null : celsius - 4,
    memory: { totalBytes: 16 * GIB, usedBytes: 11 * GIB, swapTotalBytes: 2 * GIB, swapUsedBytes: 0 }, pressure: "normal", thermal, onMains: true, lowPower: false,
    disk: { totalBytes: 494e9, freeBytes: 210e9 },
  }
}

/** Writes a recording with these states, each for so many seconds, to be played with HEARTH_REPLAY; gives its path. */
export function record(home: string, ...parts: [State, number][]): string {
  const file = join(home, "recording.jsonl")
  const states = parts.flatMap(([state, seconds]) => Array.from({ length: seconds }, () => state))
  writeFileSync(file, `${states.map((state, second) => JSON.stringify(reading(second, state))).join("\n")}\n`)
  return file
}

/** Fills the time line of a Hearth that has been closed with a month that ends now. */
export function fillMonth(home: string): void {
  execFileSync("python3", [FILL, join(home, "data", "timeline.db")])
}
