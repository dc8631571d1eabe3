// Pictures of the whole virtual screen. WebKitWebDriver's own screenshots never return without a GPU.
import { execFileSync } from "node:child_process"

export function shoot(file: string): void {
  execFileSync("import", ["-window", "root", file])
}
