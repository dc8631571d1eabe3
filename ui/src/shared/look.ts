// Puts theme, text size and language on <html> and remembers them, so that the next window has them before its first paint.
// Here because first-paint.js reads what this writes. Must not know settings' origin or components.

import type { TextSize, Theme } from "../ipc/client"

const STORE = "hearth.look"
const dark = window.matchMedia("(prefers-color-scheme: dark)")
let current: Theme = "system"

function paint(): void {
  document.documentElement.dataset["theme"] = current === "system" ? (dark.matches ? "dark" : "light") : current
}

dark.addEventListener("change", paint)

export function rememberLook(theme: Theme, textSize: TextSize, language: string): void {
  const asked = import.meta.env.DEV ? new URLSearchParams(window.location.search).get("theme") : null
  current = asked === "dark" || asked === "light" ? asked : theme
  document.documentElement.dataset["textSize"] = textSize
  paint()
  try {
    localStorage.setItem(STORE, JSON.stringify({ theme, textSize, language }))
  } catch {
    // Without storage the next window paints the system's look first.
  }
}
