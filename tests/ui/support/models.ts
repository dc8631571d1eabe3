// A folder with many models, for tests and measurements: the small models of all architectures that the validator's tests use, under names of their own.
// Here because a list is only slow when it is long. The headers are whole; the weights, which no list reads, are a hole in the file.
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const CORPUS = fileURLToPath(new URL("../../../crates/models/tests/corpus/", import.meta.url))
const SIZES = ["1B", "3B", "8B", "14B", "32B", "70B"]
const KINDS = ["Instruct-Q4_K_M", "Instruct-Q8_0", "Coder-Q5_K_M", "Chat-Q6_K", "Thinking-Q4_K_S"]
const KEY = Buffer.from("general.name")
/** What follows a key: the type of the value in 4 bytes, and of a string its length in 8. */
const BEFORE_TEXT = 12
/** The data of a file begins at a multiple of this, so a longer name must be longer by one. */
const ALIGNMENT = 32
/** More than the weights of any of them. Each has a size of its own, so that no two are taken for the same model. */
const BYTES = 16 * 2 ** 20

/** The same model under another name. */
function named(model: Buffer, name: string): Buffer {
  const at = model.indexOf(KEY)
  if (at < 0) throw new Error("the model has no name")
  const length = at + KEY.length + BEFORE_TEXT - 8
  const old = Number(model.readBigUInt64LE(length))
  const more = Math.ceil(Math.max(0, name.length - old) / ALIGNMENT) * ALIGNMENT
  const text = Buffer.from(name.padEnd(old + more))
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([model.subarray(0, length), size, text, model.subarray(length + 8 + old)])
}

/** Puts so many models that differ into the user's folder; call it before the program starts. */
export function addModels(home: string, count: number): void {
  const folder = join(home, "models")
  mkdirSync(folder, { recursive: true })
  const seeds = readdirSync(CORPUS).filter((file) => file.endsWith(".gguf")).map((file) => [file.slice(0, -5), readFileSync(join(CORPUS, file))] as const)
  for (let number = 0; number < count; number += 1) {
    const [family, model] = seeds[number % seeds.length] ?? []
    if (!family || !model) throw new Error(`no models in ${CORPUS}`)
    const name = `${family}-${SIZES[number % SIZES.length]}-${KINDS[Math.floor(number / seeds.length) % KINDS.length]}-${number}`
    const path = join(folder, `${name}.gguf`)
    writeFileSync(path, named(model, name))
    truncateSync(path, BYTES + number * 2 ** 12)
  }
}
