// The one table of keys: what each chord does, how it is matched and how it is written.
// Here because the key handler, the tooltips and the list under Mod+/ must agree. Must not know views or state.

import type { Strings } from "../strings/en"

export type Platform = "macos" | "linux"
export type Action =
  | "newChat" | "search" | "settings" | "sidebar" | "shortcuts" | "stop" | "escape" | "regenerate" | "copyLast" | "previousBranch" | "nextBranch"

type Chord = { mod?: boolean; shift?: boolean; alt?: boolean; key: string; notInText?: boolean }
type Row = { label: keyof Strings["keys"]; chords: Chord[]; actions: Action[] }

/** "Mod" is Cmd on macOS and Ctrl elsewhere. Rows without an action are handled by the message box. */
export const KEYS: Row[] = [
  { label: "send", chords: [{ key: "Enter" }], actions: [] },
  { label: "newline", chords: [{ shift: true, key: "Enter" }], actions: [] },
  { label: "sendAlways", chords: [{ mod: true, key: "Enter" }], actions: [] },
  { label: "editLast", chords: [{ key: "ArrowUp" }], actions: [] },
  { label: "newChat", chords: [{ mod: true, key: "n" }], actions: ["newChat"] },
  { label: "search", chords: [{ mod: true, key: "k" }], actions: ["search"] },
  { label: "sidebar", chords: [{ mod: true, key: "b" }], actions: ["sidebar"] },
  { label: "settings", chords: [{ mod: true, key: "," }], actions: ["settings"] },
  { label: "stop", chords: [{ mod: true, key: "." }], actions: ["stop"] },
  { label: "escape", chords: [{ key: "Escape" }], actions: ["escape"] },
  { label: "regenerate", chords: [{ mod: true, key: "r" }], actions: ["regenerate"] },
  { label: "copyLast", chords: [{ mod: true, shift: true, key: "c" }], actions: ["copyLast"] },
  { label: "branch", chords: [{ alt: true, key: "ArrowLeft", notInText: true }, { alt: true, key: "ArrowRight", notInText: true }], actions: ["previousBranch", "nextBranch"] },
  { label: "shortcuts", chords: [{ mod: true, key: "/" }], actions: ["shortcuts"] },
]

/** True while an input method is composing: its Enter and Escape are not ours. */
export function isComposing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229
}

export function hasMod(event: KeyboardEvent, platform: Platform): boolean {
  return platform === "macos" ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey
}

function inText(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null
  return element?.closest?.("input, textarea, select, [contenteditable=true]") != null
}

/** The action a key press stands for, if any. */
export function actionOf(event: KeyboardEvent, platform: Platform): Action | null {
  if (isComposing(event)) return null
  const mod = hasMod(event, platform)
  if (!mod && (event.metaKey || event.ctrlKey)) return null
  for (const row of KEYS) {
    for (const [index, chord] of row.chords.entries()) {
      const action = row.actions[index]
      if (!action || chord.key.toLowerCase() !== event.key.toLowerCase()) continue
      // "/" and "." need Shift on some keyboards, so Shift only counts for letters and named keys.
      const shiftCounts = chord.key.length > 1 || /[a-z]/i.test(chord.key)
      if (mod !== Boolean(chord.mod) || event.altKey !== Boolean(chord.alt)) continue
      if (shiftCounts && event.shiftKey !== Boolean(chord.shift)) continue
      if (chord.notInText && inText(event.target)) continue
      return action
    }
  }
  return null
}

const NAMES: Record<Platform, Record<string, string>> = {
  macos: { mod: "⌘", shift: "⇧", alt: "⌥", Enter: "↩", Escape: "esc", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→" },
  linux: { mod: "Ctrl", shift: "Shift", alt: "Alt", Enter: "Enter", Escape: "Esc", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→" },
}

/** The chord as its keycaps, for example ["⌘", "N"]. */
export function keycaps(chord: Chord, platform: Platform): string[] {
  const names = NAMES[platform]
  const parts: string[] = []
  if (chord.alt) parts.push(names["alt"] ?? "")
  if (chord.shift) parts.push(names["shift"] ?? "")
  if (chord.mod) parts.push(names["mod"] ?? "")
  parts.push(names[chord.key] ?? chord.key.toUpperCase())
  return parts
}

/** The chord of an action in one string, for tooltips. */
export function hintFor(action: Action, platform: Platform): string {
  for (const row of KEYS) {
    const chord = row.chords[row.actions.indexOf(action)]
    if (chord) return keycaps(chord, platform).join(platform === "macos" ? "" : "+")
  }
  return ""
}
