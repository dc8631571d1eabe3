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

/** A small model of this name, with weights that are all there. */
export function smallModel(name: string): Buffer {
  const model = named(readFileSync(join(CORPUS, "llama.gguf")), name)
  return Buffer.concat([model, Buffer.alloc(BYTES - model.length)])
}

/** The header of a model that is a thousand times as wide as a small one, and how long its file is: 250 GB, more than a machine of tests has memory. */
export function giantModel(): { header: Buffer; bytes: number } {
  const TIMES = 1024
  const header = readFileSync(join(CORPUS, "llama.gguf"))
  const entry = (key: string) => header.indexOf(key) + key.length + 4
  const widths = ["llama.embedding_length", "llama.feed_forward_length"].map(entry)
  for (const at of widths) header.writeUInt32LE(header.readUInt32LE(at) * TIMES, at)
  const words = header.readBigUInt64LE(header.indexOf("tokenizer.ggml.tokens") + "tokenizer.ggml.tokens".length + 8)
  // Each tensor: its name, its shape, its type (32 bits) and where its data begins.
  let [place, data] = [header.indexOf("token_embd.weight") - 8, 0]
  for (let left = Number(header.readBigUInt64LE(8)); left > 0; left -= 1) {
    const shape = place + 8 + Number(header.readBigUInt64LE(place))
    const end = shape + 4 + 8 * header.readUInt32LE(shape)
    let numbers = 1
    for (let at = shape + 4; at < end; at += 8) {
      const size = header.readBigUInt64LE(at)
      if (size > 1n && size !== words) header.writeBigUInt64LE(size * BigInt(TIMES), at)
      numbers *= Number(header.readBigUInt64LE(at))
    }
    header.writeBigUInt64LE(BigInt(data), end + 4)
    data += Math.ceil((numbers * 4) / ALIGNMENT) * ALIGNMENT
    place = end + 12
  }
  return { header, bytes: header.length + data }
}

/** Puts it into the user's folder; its weights are a hole in the file. */
export function addGiant(home: string): void {
  const { header, bytes } = giantModel()
  mkdirSync(join(home, "models"), { recursive: true })
  const path = join(home, "models", "giant.gguf")
  writeFileSync(path, header)
  truncateSync(path, bytes)
}
