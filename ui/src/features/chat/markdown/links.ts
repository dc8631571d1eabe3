// Decides which addresses in an answer may become links: http, https and mailto, and nothing else.
// Here because both the HTML writer and the click handler must agree. Must not know the DOM or Tauri.

const ALLOWED = new Set(["http:", "https:", "mailto:"])
const LONGEST = 2048
// Control characters, and the marks that turn text around, could make an address look like another one.
// eslint-disable-next-line no-control-regex
const DECEPTIVE = /[\u0000-\u0020\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]/

/** The address in its normal form, or null when it may not be a link. */
export function safeUrl(raw: string): string | null {
  const text = raw.trim()
  if (text === "" || text.length > LONGEST || DECEPTIVE.test(text)) return null
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return null
  }
  if (!ALLOWED.has(url.protocol)) return null
  if (url.protocol !== "mailto:" && url.hostname === "") return null
  // A name and password in front of the host are only ever used to deceive.
  if (url.username !== "" || url.password !== "") return null
  return url.href
}
