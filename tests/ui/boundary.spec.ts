// The border between page and program: a script in the page may call what Hearth grants, and nothing else.
import { createServer, type AddressInfo } from "node:net"
import { afterAll, beforeAll, expect, test } from "vitest"
import { Hearth } from "./support/hearth"

let hearth: Hearth
beforeAll(async () => {
  hearth = await Hearth.open()
})
afterAll(async () => hearth.close())

// Commands of the frame and of every plug-in that is loaded, none of which a page needs.
const FORBIDDEN: [string, unknown][] = [
  ["plugin:opener|open_url", { url: "https://example.org" }],
  ["plugin:opener|open_path", { path: "/" }],
  ["plugin:opener|reveal_item_in_dir", { paths: ["/"] }],
  ["plugin:window-state|save_window_state", { flags: 1 }],
  ["plugin:window-state|restore_state", { label: "main", flags: 1 }],
  ["plugin:event|emit", { event: "app-event", payload: { type: "new_chat" } }],
  ["plugin:event|emit_to", { target: { kind: "Any" }, event: "app-event", payload: { type: "new_chat" } }],
  ["plugin:global-shortcut|register", { shortcuts: ["Alt+X"], handler: "__CHANNEL__:1" }],
  ["plugin:global-shortcut|unregister_all", {}],
  ["plugin:autostart|enable", {}],
  ["plugin:autostart|disable", {}],
  ["plugin:deep-link|register", { protocol: "https" }],
  ["plugin:window|close", { label: "main" }],
  ["plugin:window|create", { options: { label: "other", url: "https://example.org" } }],
  ["plugin:webview|create_webview_window", { options: { label: "other", url: "https://example.org" } }],
  ["plugin:webview|internal_toggle_devtools", {}],
  ["plugin:path|resolve_directory", { directory: 1 }],
  ["plugin:app|version", {}],
  ["plugin:app|remove_data_store", { uuid: [] }],
  ["plugin:tray|get_by_id", { id: "main" }],
  ["plugin:menu|create_default", {}],
  ["plugin:resources|close", { rid: 1 }],
  ["plugin:image|from_path", { path: "/etc/hostname" }],
  ["plugin:shell|execute", { program: "id", args: [] }],
  ["plugin:fs|read_text_file", { path: "/etc/hostname" }],
  ["no_such_command", {}],
  ["run_worker", {}],
]

test.each(FORBIDDEN)("%s is refused", async (command, payload) => {
  const answer = await hearth.invoke(command, payload)
  expect(answer).not.toHaveProperty("ok")
  expect(answer.refused).toMatch(/not allowed|not found/i)
})

test("what is granted works, so the refusals above mean something", async () => {
  expect(await hearth.invoke("app_info")).toMatchObject({ ok: { platform: "linux" } })
})

test.each(["javascript:alert(1)", "file:///etc/passwd", "hearth://x", "not a url"])("a link such as %s is not opened", async (url) => {
  expect((await hearth.invoke("open_link", { url })).refused).toContain("invalid_input")
})

test("a link of more than 4096 bytes is not opened", async () => {
  expect((await hearth.invoke("open_link", { url: `https://example.org/${"a".repeat(5000)}` })).refused).toContain("invalid_input")
})

test("malformed arguments are refused, not a crash", async () => {
  for (const [command, payload] of [["open_chat", { chatId: 7 }], ["open_chat", {}], ["set_setting", { change: { key: "theme", value: "pink" } }], ["set_setting", { change: { key: "nothing", value: 1 } }], ["rename_chat", { chatId: "../../etc", title: "x" }], ["open_folder", { kind: "/etc" }], ["export_chats", { format: "exe" }]] as const) {
    expect(await hearth.invoke(command, payload), command).toHaveProperty("refused")
  }
  expect(await hearth.ask("Still here?")).toMatchObject({ text: "You said: Still here?" })
})

test("the page cannot leave for another site, reach the network or open a window", async () => {
  let reached = 0
  const server = createServer((socket) => {
    reached += 1
    socket.destroy()
  })
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  const { port } = server.address() as AddressInfo
  const before = await hearth.browser.getUrl()
  const tried = await hearth.browser.execute(async (host) => {
    const results: Record<string, string> = {}
    for (const url of [`http://${host}/`, "https://example.org/", "file:///etc/hostname", "asset://localhost/etc/hostname"]) {
      results[url] = await fetch(url).then(() => "reached", () => "blocked")
    }
    try { new WebSocket(`ws://${host}/`) } catch { /* Refused at once is as good. */ }
    for (const tag of ["img", "script", "iframe"]) {
      const element = document.createElement(tag) as HTMLImageElement
      element.src = `http://${host}/${tag}`
      document.body.append(element)
    }
    navigator.sendBeacon(`http://${host}/beacon`)
    results["open"] = window.open(`http://${host}/open`) === null ? "blocked" : "opened"
    window.location.href = `http://${host}/leave`
    return results
  }, `127.0.0.1:${port}`)
  expect(Object.entries(tried).filter(([, result]) => result !== "blocked")).toEqual([])
  await hearth.browser.pause(1000)
  server.close()
  expect(reached).toBe(0)
  expect(await hearth.browser.getUrl()).toBe(before)
  expect(await hearth.has("composer")).toBe(true)
})

test("built-in objects cannot be bent by a page script", async () => {
  expect(await hearth.browser.execute(() => Object.isFrozen(Object.prototype))).toBe(true)
})
