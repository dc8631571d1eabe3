// Starts a window: connects the client, loads what the first paint needs, mounts the view or says why it cannot.
// Here because both entries do the same. Must not know which view it mounts.

import { mount, type Component } from "svelte"
import "./theme.css"
import { connect } from "./ipc/client"
import { App } from "./shared/app.svelte"
import StartFailed from "./shared/StartFailed.svelte"

/** Under LANG=C a web view names a language that Intl refuses, and uPlot asks Intl with it while it is being loaded. */
function nameALanguage(): void {
  try {
    new Intl.NumberFormat(navigator.language)
  } catch {
    Object.defineProperty(navigator, "language", { value: "en" })
  }
}

export async function start(view: Component<{ app: App }>): Promise<void> {
  const target = document.getElementById("app")
  if (!target) return
  nameALanguage()
  try {
    const app = new App(await connect())
    await app.start()
    mount(view, { target, props: { app } })
  } catch (thrown) {
    mount(StartFailed, { target, props: { thrown } })
  }
}
