// How the two windows are built and tested: one HTML entry each, output in ui/dist.
/// <reference types="vitest/config" />
import { svelte } from "@sveltejs/vite-plugin-svelte"
import tailwindcss from "@tailwindcss/vite"
import { fileURLToPath } from "node:url"
import { defineConfig, type Plugin } from "vite"

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** KaTeX names three formats for each font; every web view we run in reads woff2. */
const onlyWoff2: Plugin = {
  name: "only-woff2",
  enforce: "pre",
  transform(code, id) {
    if (!id.includes("katex.min.css")) return null
    return { code: code.replace(/,url\([^)]+\.(?:woff|ttf)\) format\("[a-z]+"\)/g, ""), map: null }
  },
}

export default defineConfig({
  plugins: [onlyWoff2, tailwindcss(), svelte()],
  server: { host: "127.0.0.1", port: 5173, strictPort: true },
  resolve: process.env["VITEST"] ? { conditions: ["browser"] } : {},
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "safari17",
    // Fonts must be files: the CSP allows font-src 'self' only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: { main: here("./index.html"), popover: here("./popover.html") } },
  },
  test: { environment: "node", include: ["src/**/*.test.ts", "tests/**/*.test.ts"], testTimeout: 30_000 },
})
