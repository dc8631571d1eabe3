// How the tests in the real window are run: one after the other, because only one Hearth may be open at a time.
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["*.spec.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["verbose"],
  },
})
