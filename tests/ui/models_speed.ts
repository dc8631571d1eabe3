// How fast the Models screen opens in the real web view with 200 models: npm run models-speed, with HEARTH_PROGRAM=…/target/release/hearth-desktop. Prints milliseconds.
// Not part of npm test: figures need a quiet machine. Timed in the page, from the click to the frame after the list fills the window.
import { newHome, removeHome } from "./support/driver"
import { Hearth } from "./support/hearth"
import { addModels } from "./support/models"

const MODELS = 200
/** Those of the program itself. */
const BUNDLED = 2
const OPENINGS = 10
const TARGET = 100

const middle = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
const text = (values: number[]) => `median ${middle(values).toFixed(1)} ms, worst ${Math.max(...values).toFixed(1)} ms`

/** From the click until the visible part of the list has been painted: two frames after it reaches the end of the window, the first of which draws it. */
async function open(hearth: Hearth): Promise<number> {
  return hearth.browser.execute(async () => {
    const frame = () => new Promise((done) => requestAnimationFrame(done))
    const fills = () => [...document.querySelectorAll('[data-testid="model"]')].at(-1)?.getBoundingClientRect().bottom ?? 0
    const begin = performance.now()
    document.querySelector<HTMLElement>('[data-testid="nav-models"]')?.click()
    while (fills() < window.innerHeight) await frame()
    await frame()
    await frame()
    return performance.now() - begin
  })
}

/** From there until the last of the models is on the screen, when somebody scrolls without a pause. */
async function scroll(hearth: Hearth, cards: number): Promise<number> {
  return hearth.browser.execute(async (count) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done))
    const begin = performance.now()
    const list = document.querySelector('[role="tabpanel"]')
    while (list && document.querySelectorAll('[data-testid="model"]').length < count) {
      list.scrollTop = list.scrollHeight
      await frame()
    }
    return performance.now() - begin
  }, cards)
}

/** What the shell takes to answer, asked in the page, since the way of the driver takes longer than all that. */
async function asked(hearth: Hearth): Promise<{ ms: number; models: number }> {
  return hearth.browser.execute(async () => {
    const page = window as unknown as { __TAURI_INTERNALS__: { invoke(name: string): Promise<unknown[]> } }
    const begin = performance.now()
    const models = await page.__TAURI_INTERNALS__.invoke("list_models")
    return { ms: performance.now() - begin, models: models.length }
  })
}

export async function main(): Promise<void> {
  const home = newHome()
  addModels(home, MODELS)
  const hearth = await Hearth.open({ home })
  try {
    // The first answer has read all headers; those after it look at the folder only.
    await hearth.until("all models", async () => (await asked(hearth)).models === MODELS + BUNDLED, 60_000)
    const broken = await hearth.browser.execute(async () => {
      const page = window as unknown as { __TAURI_INTERNALS__: { invoke(name: string): Promise<{ name: string; problem: { message: string } | null }[]> } }
      return (await page.__TAURI_INTERNALS__.invoke("list_models")).filter(({ problem }) => problem).map(({ name, problem }) => `${name}: ${problem?.message}`)
    })
    if (broken.length > 0) throw new Error(`models that should be sound are not: ${broken.slice(0, 3).join("; ")}`)
    const cold = await open(hearth)
    console.log(`first opening, code included: ${cold.toFixed(1)} ms`)
    const opened: number[] = []
    for (let time = 0; time < OPENINGS; time += 1) {
      await hearth.click("close-models")
      // What the last opening asked for is answered by then.
      await hearth.browser.pause(500)
      opened.push(await open(hearth))
    }
    console.log(`opening with ${MODELS} models: ${text(opened)} (target ${TARGET} ms)`)
    console.log(`  to its last model by scrolling: ${(await scroll(hearth, MODELS + BUNDLED)).toFixed(0)} ms`)
    const answers: number[] = []
    for (let time = 0; time < OPENINGS; time += 1) answers.push((await asked(hearth)).ms)
    console.log(`  the shell's answer, for which the screen does not wait: ${text(answers)}`)
  } finally {
    await hearth.close()
    removeHome(home)
  }
}
