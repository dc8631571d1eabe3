// Copies text. Here because the clipboard is reached in two ways, depending on what the web view allows. Must not know views.

export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(text)
  }
}

// The old way still works where the clipboard needs a permission the web view does not ask for.
function copyBySelection(text: string): boolean {
  const opener = document.activeElement as HTMLElement | null
  const area = document.createElement("textarea")
  area.value = text
  area.setAttribute("aria-hidden", "true")
  document.body.append(area)
  area.select()
  const done = document.execCommand("copy")
  area.remove()
  opener?.focus?.()
  return done
}
