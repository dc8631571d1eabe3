// A desktop that shows tray icons, as far as a program can tell: owns org.kde.StatusNotifierWatcher on the session bus and
// accepts every icon. Speaks just enough D-Bus for that, so that no desktop has to be installed for the tests.
import { connect, type Socket } from "node:net"

const WATCHER = "org.kde.StatusNotifierWatcher"
const CALL = 1
const RETURN = 2
const ERROR = 3
const NO_REPLY_EXPECTED = 1

class Writer {
  #bytes: number[] = []

  align(to: number): this {
    while (this.#bytes.length % to !== 0) this.#bytes.push(0)
    return this
  }

  byte(value: number): this {
    this.#bytes.push(value)
    return this
  }

  uint32(value: number): this {
    this.align(4).#bytes.push(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255)
    return this
  }

  string(text: string): this {
    const bytes = Buffer.from(text)
    this.uint32(bytes.length).#bytes.push(...bytes, 0)
    return this
  }

  signature(text: string): this {
    this.#bytes.push(text.length, ...Buffer.from(text), 0)
    return this
  }

  get bytes(): Buffer {
    return Buffer.from(this.#bytes)
  }
}

type Incoming = { type: number; flags: number; serial: number; fields: Map<number, string | number>; length: number }

/** The header fields of one message; null when it is not complete yet. */
function parse(data: Buffer): Incoming | null {
  if (data.length < 16) return null
  const fieldsEnd = 16 + data.readUInt32LE(12)
  const length = Math.ceil(fieldsEnd / 8) * 8 + data.readUInt32LE(4)
  if (data.length < length) return null
  const fields = new Map<number, string | number>()
  for (let at = 16; at < fieldsEnd;) {
    at = Math.ceil(at / 8) * 8
    const code = data.readUInt8(at)
    const type = String.fromCharCode(data.readUInt8(at + 2))
    at += 4
    if (type === "u") {
      fields.set(code, data.readUInt32LE(at))
      at += 4
    } else {
      const size = type === "g" ? data.readUInt8(at) : data.readUInt32LE(at)
      const from = at + (type === "g" ? 1 : 4)
      fields.set(code, data.toString("utf8", from, from + size))
      at = from + size + 1
    }
  }
  return { type: data.readUInt8(1), flags: data.readUInt8(2), serial: data.readUInt32LE(8), fields, length }
}

type Outgoing = { type: number; path?: string; to?: string; of?: string; member?: string; replyTo?: number; error?: string; signature?: string; body?: Buffer }

function message(serial: number, out: Outgoing): Buffer {
  const fields = new Writer()
  const field = (code: number, type: string, value: string | number | undefined) => {
    if (value === undefined) return
    fields.align(8).byte(code).signature(type)
    if (type === "u") fields.uint32(value as number)
    else if (type === "g") fields.signature(value as string)
    else fields.string(value as string)
  }
  field(1, "o", out.path)
  field(2, "s", out.of)
  field(3, "s", out.member)
  field(4, "s", out.error)
  field(5, "u", out.replyTo)
  field(6, "s", out.to)
  field(8, "g", out.signature)
  const body = out.body ?? Buffer.alloc(0)
  const head = new Writer().byte("l".charCodeAt(0)).byte(out.type).byte(0).byte(1).uint32(body.length).uint32(serial).uint32(fields.bytes.length)
  const padding = Buffer.alloc((8 - (fields.bytes.length % 8)) % 8)
  return Buffer.concat([head.bytes, fields.bytes, padding, body])
}

function address(): string {
  const found = /^unix:(path|abstract)=([^,;]+)/.exec(process.env["DBUS_SESSION_BUS_ADDRESS"] ?? "")
  if (!found) throw new Error("there is no session bus; run under dbus-run-session")
  return found[1] === "abstract" ? `\0${found[2]}` : (found[2] ?? "")
}

export class TrayHost {
  /** Services or object paths of the icons that registered themselves. */
  icons = 0
  #serial = 0
  #socket: Socket

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  static async start(): Promise<TrayHost> {
    const socket = connect(address())
    const host = new TrayHost(socket)
    await new Promise<void>((done, failed) => {
      socket.once("error", failed)
      socket.once("data", (answer) => (answer.toString().startsWith("OK") ? done() : failed(new Error(answer.toString()))))
      socket.write(`\0AUTH EXTERNAL ${Buffer.from(String(process.getuid?.() ?? 0)).toString("hex")}\r\n`)
    })
    socket.write("BEGIN\r\n")
    const bus = { type: CALL, to: "org.freedesktop.DBus", of: "org.freedesktop.DBus", path: "/org/freedesktop/DBus" }
    host.#send({ ...bus, member: "Hello" })
    const asked = host.#send({ ...bus, member: "RequestName", signature: "su", body: new Writer().string(WATCHER).uint32(0).bytes })
    await new Promise<void>((done, failed) => {
      let waiting = Buffer.alloc(0)
      socket.on("data", (data) => {
        waiting = Buffer.concat([waiting, data])
        for (let next = parse(waiting); next; next = parse(waiting)) {
          waiting = waiting.subarray(next.length)
          if (next.fields.get(5) === asked) (next.type === RETURN ? done() : failed(new Error("the name is taken")))
          if (next.type === CALL) host.#answer(next)
        }
      })
    })
    return host
  }

  stop(): void {
    this.#socket.destroy()
  }

  #send(out: Outgoing): number {
    this.#serial += 1
    this.#socket.write(message(this.#serial, out))
    return this.#serial
  }

  #answer(call: Incoming): void {
    const member = call.fields.get(3)
    if (member === "RegisterStatusNotifierItem") this.icons += 1
    if (call.flags & NO_REPLY_EXPECTED) return
    const reply: Outgoing = { type: RETURN, replyTo: call.serial, to: String(call.fields.get(7)) }
    if (member === "Get") {
      // Every property anybody asks a watcher for is "is there a host": yes.
      Object.assign(reply, { signature: "v", body: new Writer().signature("b").uint32(1).bytes })
    } else if (member === "GetAll") {
      const entry = new Writer().string("IsStatusNotifierHostRegistered").signature("b").uint32(1).bytes
      Object.assign(reply, { signature: "a{sv}", body: Buffer.concat([new Writer().uint32(entry.length).uint32(0).bytes, entry]) })
    } else if (!String(member).startsWith("RegisterStatusNotifier")) {
      Object.assign(reply, { type: ERROR, error: "org.freedesktop.DBus.Error.UnknownMethod" })
    }
    this.#send(reply)
  }
}
