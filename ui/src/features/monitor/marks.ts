// The signs for what happened: which kind a happening is, and how signs too close to each other become one.
// Here because the lane above the plots, the legend and the lines in the plots must agree. Must not know uPlot.

import Blocks from "@lucide/svelte/icons/blocks"
import Gauge from "@lucide/svelte/icons/gauge"
import Moon from "@lucide/svelte/icons/moon"
import Package from "@lucide/svelte/icons/package"
import Plug from "@lucide/svelte/icons/plug"
import Power from "@lucide/svelte/icons/power"
import TriangleAlert from "@lucide/svelte/icons/triangle-alert"
import type { Happening, Mark } from "../../ipc/client"

export type Kind = "started" | "model" | "limits" | "sleep" | "client" | "alert" | "other"

export const ICONS = { started: Power, model: Package, limits: Gauge, sleep: Moon, client: Plug, alert: TriangleAlert, other: Blocks } satisfies Record<Kind, typeof Power>

/** The weightiest first: it gives the sign to a group. */
const WEIGHT: Kind[] = ["alert", "limits", "sleep", "started", "model", "other", "client"]

const KINDS: Record<Happening["type"], Kind> = {
  started: "started", loaded: "model", unloaded: "model", limits: "limits", slept: "sleep", woke: "sleep", client: "client", alert: "alert", other_engine: "other",
}

export const kindOf = (what: Happening): Kind => KINDS[what.type]

/** Signs at one place, the earliest first. */
export type Group = { x: number; atMs: number; kind: Kind; marks: Mark[] }

/** Puts marks nearer than this to the one before into its group. */
export function grouped(marks: readonly Mark[], xOf: (atMs: number) => number, apart: number): Group[] {
  const groups: Group[] = []
  for (const mark of marks) {
    const x = xOf(mark.atMs)
    const kind = kindOf(mark.what)
    const last = groups.at(-1)
    if (last && x - last.x < apart) {
      last.marks.push(mark)
      if (WEIGHT.indexOf(kind) < WEIGHT.indexOf(last.kind)) last.kind = kind
    } else groups.push({ x, atMs: mark.atMs, kind, marks: [mark] })
  }
  return groups
}

/** The kinds that are there, in the order of their weight. */
export const kindsIn = (marks: readonly Mark[]): Kind[] => WEIGHT.filter((kind) => marks.some((mark) => kindOf(mark.what) === kind))
