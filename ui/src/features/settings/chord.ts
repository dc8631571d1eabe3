// Writes a key press as the chord the shell understands, for example "Alt+Shift+Space".
// Here because the recorder is not the only thing to test about it. Must not know components or Tauri.

const MODIFIER_KEYS = new Set(["Meta", "Control", "Alt", "Shift", "AltGraph", "CapsLock", "Fn", "Dead"])

/** The chord, "incomplete" while only modifiers are down, or "bare" when nothing but a plain key is. */
export function chordOf(event: Pick<KeyboardEvent, "key" | "code" | "metaKey" | "ctrlKey" | "altKey" | "shiftKey">): string | "incomplete" | "bare" {
  if (MODIFIER_KEYS.has(event.key)) return "incomplete"
  const key = keyName(event.code)
  if (key === null) return "incomplete"
  const functionKey = /^F\d+$/.test(key)
  if (!event.metaKey && !event.ctrlKey && !event.altKey && !functionKey) return "bare"
  const parts = [event.metaKey && "Cmd", event.ctrlKey && "Ctrl", event.altKey && "Alt", event.shiftKey && "Shift", key]
  return parts.filter(Boolean).join("+")
}

// The place of the key and not its letter: Option changes letters on a Mac.
function keyName(code: string): string | null {
  const letter = /^Key([A-Z])$/.exec(code) ?? /^Digit(\d)$/.exec(code)
  if (letter?.[1]) return letter[1]
  if (/^F\d{1,2}$/.test(code)) return code
  if (/^(?:Space|Enter|Tab|Backspace|Delete|Home|End|PageUp|PageDown|Arrow(?:Up|Down|Left|Right)|Minus|Equal|Comma|Period|Slash|Backslash|Semicolon|Quote|Backquote|BracketLeft|BracketRight)$/.test(code)) return code
  return null
}

const SYMBOLS: Record<string, string> = { Cmd: "⌘", Ctrl: "⌃", Alt: "⌥", Shift: "⇧", ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" }

/** The chord as people of the platform write it. */
export function showChord(chord: string, platform: "macos" | "linux"): string {
  if (platform !== "macos") return chord
  return chord.split("+").map((part) => SYMBOLS[part] ?? part).join(" ")
}
