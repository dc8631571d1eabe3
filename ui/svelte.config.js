// Svelte options shared by Vite and svelte-check: runes everywhere.
import { vitePreprocess } from "@sveltejs/vite-plugin-svelte"

export default { preprocess: vitePreprocess(), compilerOptions: { runes: true } }
