// The figures on the screen: their names, how they are written and with which colour they are drawn.
// Here because the line of figures, the plots and the table must agree. Must not know uPlot or components.

import { words } from "../../strings/language.svelte"
import { celsius, speed, watts } from "./words"
import type { Figure } from "./series"

type Shown = { figure: Figure; name: keyof typeof words.t.monitor.figures; swatch: string; dashed?: boolean; ofWork?: boolean; text: (value: number) => string }

const count = (value: number) => words.number(value, Number.isInteger(value) ? 0 : 1)

/** In the order of the plots. Classes are whole words, so that they are found when the styles are built. */
export const SHOWN: Shown[] = [
  { figure: "tokensPerSecond", name: "tokensPerSecond", swatch: "bg-plot-speed", ofWork: true, text: speed },
  { figure: "coolTokensPerSecond", name: "cool", swatch: "bg-plot-cool", dashed: true, ofWork: true, text: speed },
  { figure: "ttftMs", name: "ttft", swatch: "bg-plot-first", ofWork: true, text: (value) => words.duration(value) },
  { figure: "systemWatts", name: "watts", swatch: "bg-plot-power", text: watts },
  { figure: "cpuCelsius", name: "cpu", swatch: "bg-plot-heat", text: celsius },
  { figure: "gpuCelsius", name: "gpu", swatch: "bg-plot-gpu", dashed: true, text: celsius },
  { figure: "memoryUsedBytes", name: "memory", swatch: "bg-plot-memory", text: (value) => words.memory(value) },
  { figure: "swapUsedBytes", name: "swap", swatch: "bg-plot-swap", text: (value) => words.memory(value) },
  { figure: "running", name: "running", swatch: "bg-plot-running", text: count },
  { figure: "waiting", name: "waiting", swatch: "bg-plot-waiting", text: count },
]

/** The value in words. What was not measured is "n/a"; speeds without an answer being written are nothing at all. */
export function valueText({ text, ofWork }: Shown, value: number | null): string {
  if (value !== null) return text(value)
  return ofWork ? words.t.monitor.nothing : words.t.monitor.none
}

/** Why there is no value. */
export const missingText = ({ ofWork }: Shown): string => (ofWork ? words.t.monitor.idle : words.t.monitor.noneTitle)
