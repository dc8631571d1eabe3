// @vitest-environment jsdom
// `npm run bench`: prints the cost of a flush as a table and as JSON, and fails when it is not flat or over its target.
// Here because a claim about speed must be repeatable. Parsing and HTML only: bench.html adds sanitising, DOM and layout in a real web view.

import { expect, it } from "vitest"
import { measure } from "./measure"

const TARGET_P95_MS = 4

it("a flush costs the same at any length", () => {
  const rows = measure(null)
  console.table(rows)
  console.log(JSON.stringify({ bench: "streaming-markdown", targetP95Ms: TARGET_P95_MS, rows }))
  const at48 = rows.find((row) => row.answerKb === 48 && row.way.startsWith("freeze"))
  expect(at48?.p95Ms).toBeLessThanOrEqual(TARGET_P95_MS)
}, 300_000)
