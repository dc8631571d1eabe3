// When the Models screen looks at the work on models: while there is any, and no longer.
// Here because a screen that never stops asking keeps the computer awake. Must not know components.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { AppEvent, Client, Importing, ModelWork } from "../../ipc/client"
import { ModelsWatch } from "./watch.svelte"

const importing = (type: "copying" | "failed"): Importing => ({
  id: 1, file: "m.gguf", doneBytes: 1, totalBytes: 2,
  state: type === "copying" ? { type } : { type, error: { code: "model_invalid", message: "no", hint: null } },
})

describe("the watch of the models screen", () => {
  beforeEach(() => { vi.useFakeTimers() })
  afterEach(() => { vi.useRealTimers() })

  it("looks while a file is being added, and again when something is told", async () => {
    let work: ModelWork = { copying: null, downloads: [], imports: [importing("copying")] }
    let tell: (event: AppEvent) => void = () => undefined
    const modelWork = vi.fn(() => Promise.resolve(work))
    const client = { modelWork, onAppEvent: (listener: typeof tell) => { tell = listener; return Promise.resolve(() => undefined) } } as unknown as Client
    const stop = new ModelsWatch(client).start()
    await vi.advanceTimersByTimeAsync(1600)
    expect(modelWork).toHaveBeenCalledTimes(4)
    work = { ...work, imports: [importing("failed")] }
    await vi.advanceTimersByTimeAsync(5000)
    expect(modelWork).toHaveBeenCalledTimes(5)
    tell({ type: "downloads_changed" })
    await vi.advanceTimersByTimeAsync(5000)
    expect(modelWork).toHaveBeenCalledTimes(6)
    stop()
  })
})
