// A hub of models on a port of this machine, as much of one as the window needs: a small model, one that fits nowhere, and one that is given only to those with a token.
// Here because no test asks a network. What networks do to a download is tested where downloads are made.
import { createHash } from "node:crypto"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { giantModel, smallModel } from "./models"

export const SMALL = "someone/small-GGUF"
export const GIANT = "someone/giant-GGUF"
export const GATED = "someone/gated-GGUF"
export const TOKEN = "hf_token_of_the_test"
const COMMIT = "0123456789abcdef0123456789abcdef01234567"

/** Bytes that can be had, and how many there are said to be. */
type File = { name: string; bytes: Buffer; size: number }

export class Hub {
  readonly #server: Server
  readonly #files: Record<string, File>
  /** Bytes of files that were sent, by repository. */
  readonly sent: Record<string, number> = {}

  private constructor() {
    const [small, gated, giant] = [smallModel("Small"), smallModel("Gated"), giantModel()]
    this.#files = {
      [SMALL]: { name: "Small-Q4_0.gguf", bytes: small, size: small.length },
      [GATED]: { name: "Gated-Q4_0.gguf", bytes: gated, size: gated.length },
      [GIANT]: { name: "Giant-Q4_0.gguf", bytes: Buffer.concat([giant.header, Buffer.alloc(2 ** 20)]), size: giant.bytes },
    }
    this.#server = createServer((request, answer) => {
      const path = decodeURIComponent((request.url ?? "").split("?")[0] ?? "")
      const repo = Object.keys(this.#files).find((name) => path.startsWith(`/api/models/${name}/`) || path.startsWith(`/${name}/`))
      const file = repo && this.#files[repo]
      if (!repo || !file) return void answer.writeHead(404, { "X-Error-Code": "RepoNotFound" }).end()
      const sha256 = createHash("sha256").update(file.bytes).digest("hex")
      if (path.startsWith("/api/")) return void answer.end(JSON.stringify({ sha: COMMIT, siblings: [{ rfilename: file.name, lfs: { sha256, size: file.size } }] }))
      if (repo === GATED && request.headers.authorization !== `Bearer ${TOKEN}`) return void answer.writeHead(403, { "X-Error-Code": "GatedRepo" }).end()
      const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? []
      const piece = file.bytes.subarray(Number(from ?? 0), to ? Number(to) + 1 : file.bytes.length)
      this.sent[repo] = (this.sent[repo] ?? 0) + piece.length
      const range = from === undefined ? {} : { "Content-Range": `bytes ${from}-${Number(from) + piece.length - 1}/${file.size}` }
      answer.writeHead(from === undefined ? 200 : 206, { ...range, "Content-Length": piece.length, ETag: `"${sha256}"` }).end(piece)
    })
  }

  static async start(): Promise<Hub> {
    const hub = new Hub()
    await new Promise<void>((done) => hub.#server.listen(0, "127.0.0.1", done))
    return hub
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
  }
}
