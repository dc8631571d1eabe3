// Pictures of the window on the virtual screen. WebKitWebDriver's own screenshots never return without a GPU.
import { execFileSync, spawnSync } from "node:child_process"

/** Writes what the window shows as a PNG. */
export function shoot(file: string, width: number, height: number): void {
  execFileSync("import", ["-window", "root", "-crop", `${width}x${height}+0+0`, "+repage", file])
}

/** Makes the only visible window this large, in pixels, at the corner of the screen. */
export function resize(width: number, height: number): void {
  const [window] = spawnSync("xdotool", ["search", "--onlyvisible", "--name", "^Hearth$"]).stdout.toString().trim().split("\n")
  if (!window) throw new Error("there is no window")
  execFileSync("xdotool", ["windowsize", "--sync", window, String(width), String(height)])
  execFileSync("xdotool", ["windowmove", window, "0", "0"])
}
