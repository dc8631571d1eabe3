// Formats of numbers and times, each made once for a language: making one costs far more than using it, and a plot asks for hundreds.
// Here, beside the words, because both follow the language. Must not know which language is shown.

const kept = new Map<string, unknown>()

function once<F, O>(kind: string, locale: string, options: O, make: () => F): F {
  const name = `${kind} ${locale} ${JSON.stringify(options)}`
  const found = kept.get(name) ?? make()
  kept.set(name, found)
  return found as F
}

export const numbers = (locale: string, options: Intl.NumberFormatOptions) => once("number", locale, options, () => new Intl.NumberFormat(locale, options))

/** Names the time zone, so that a move to another one makes new formats: a format keeps the zone it was made in. */
export const times = (locale: string, options: Intl.DateTimeFormatOptions) => once(`time ${new Date().getTimezoneOffset()}`, locale, options, () => new Intl.DateTimeFormat(locale, options))
