// Which language is shown, and its dictionary and number formats.
// Here, beside the dictionaries, because every view asks it for words. Must not know settings or Tauri.

import type { Language } from "../ipc/client"
import { de } from "./de"
import { en, type Strings } from "./en"
import { numbers, times } from "./formats"

type Known = "en" | "de"

class Words {
  language = $state<Known>("en")
  locale = $state("en")
  readonly t: Strings = $derived(this.language === "de" ? de : en)

  /** Applies the setting; `system` is the computer's language, for example "de-DE". */
  choose(setting: Language, system: string): void {
    const wanted = setting === "system" ? system.slice(0, 2).toLowerCase() : setting
    this.language = wanted === "de" ? "de" : "en"
    // The region's number format only counts when it is the region of the language shown.
    this.locale = system.toLowerCase().startsWith(this.language) ? validLocale(system, this.language) : this.language
    document.documentElement.lang = this.language
  }

  number(value: number, digits = 0): string {
    return numbers(this.locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value)
  }

  percent(fraction: number): string {
    return numbers(this.locale, { style: "percent", maximumFractionDigits: 0 }).format(fraction)
  }

  /** Milliseconds below a second, seconds above. */
  duration(ms: number): string {
    return ms < 1000 ? `${this.number(Math.round(ms))} ms` : `${this.number(ms / 1000, 1)} s`
  }

  /** About how long that is, in seconds, minutes or hours. */
  span(seconds: number): string {
    if (seconds < 90) return `${this.number(seconds)} s`
    return seconds < 5400 ? `${this.number(seconds / 60)} min` : `${this.number(seconds / 3600, 1)} h`
  }

  /** The time of day to the second, short enough for a column. */
  time(ms: number): string {
    return times(this.locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(ms)
  }

  date(ms: number): string {
    return times(this.locale, { dateStyle: "medium" }).format(ms)
  }

  /** How long ago, in the largest unit that fits. */
  ago(ms: number, now = Date.now()): string {
    const format = new Intl.RelativeTimeFormat(this.locale, { numeric: "auto" })
    const minutes = Math.round((now - ms) / 60_000)
    if (minutes < 60) return format.format(-minutes, "minute")
    if (minutes < 24 * 60) return format.format(-Math.round(minutes / 60), "hour")
    return format.format(-Math.round(minutes / (24 * 60)), "day")
  }

  /** Main memory in binary units under their usual names, so that 32 GB are 32. */
  memory(count: number): string {
    const gigabytes = count / 2 ** 30
    return gigabytes >= 1 || count === 0 ? `${this.number(gigabytes, count === 0 ? 0 : 1)} GB` : `${this.number(count / 2 ** 20)} MB`
  }

  /** The time of day, with the date where it is not today's. */
  moment(ms: number, now = Date.now()): string {
    const time = this.time(ms)
    if (new Date(ms).toDateString() === new Date(now).toDateString()) return time
    return `${times(this.locale, { day: "numeric", month: "short" }).format(ms)}, ${time}`
  }

  /** Decimal units, as the Finder shows them. */
  bytes(count: number): string {
    const units = ["B", "KB", "MB", "GB", "TB"]
    let value = count
    let unit = 0
    while (value >= 1000 && unit < units.length - 1) {
      value /= 1000
      unit += 1
    }
    return `${this.number(value, unit >= 3 ? 1 : 0)} ${units[unit] ?? ""}`
  }
}

function validLocale(tag: string, fallback: string): string {
  try {
    return Intl.getCanonicalLocales(tag)[0] ?? fallback
  } catch {
    return fallback
  }
}

export const words = new Words()
