// Where the cursor stands among points in time. Here because mouse, keys and new points all move it. Must not know plots or components.

/** Index of the time nearest to this one; -1 without any. Times are sorted. */
export function nearest(times: readonly number[], at: number): number {
  let low = 0
  let high = times.length - 1
  if (high < 0) return -1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((times[middle] ?? 0) < at) low = middle + 1
    else high = middle
  }
  const before = times[low - 1]
  return before !== undefined && at - before <= (times[low] ?? Infinity) - at ? low - 1 : low
}

/** The time so many points away. Without a cursor it begins at the newest; it stays within the ends. */
export function moved(times: readonly number[], at: number | null, by: number): number | null {
  if (times.length === 0) return null
  const from = at === null ? times.length - 1 : nearest(times, at) + by
  return times[Math.min(times.length - 1, Math.max(0, from))] ?? null
}

/** What a key does with the cursor: a number of points, an end, or nothing. */
export function stepOf(event: { key: string; shiftKey: boolean }): number | null {
  const by = event.shiftKey ? 10 : 1
  return { ArrowLeft: -by, ArrowRight: by, Home: -Infinity, End: Infinity }[event.key] ?? null
}
