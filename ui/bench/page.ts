// The bench in a real web view: open bench.html from the development server; results are on the page and in window.__hearthBench.
// Here because a web view's numbers are the ones that count. Never part of a production build.

import "../src/theme.css"
import { measure, type Row } from "./measure"

declare global {
  interface Window {
    __hearthBench?: () => Row[]
  }
}

const root = document.getElementById("answer")
const result = document.getElementById("result")
if (root && result) {
  window.__hearthBench = () => {
    const rows = measure(root)
    result.textContent = JSON.stringify(rows, null, 1)
    return rows
  }
}
