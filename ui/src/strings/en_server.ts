// English for the Server screen: a part of en.ts.
// Here because it is long and read by one screen only. Must not know components or state.

import type { Code } from "../ipc/client"

export const server = {
  title: "Server", nav: "Server", pages: { requests: "Requests", connect: "Connect", access: "Access", limits: "Ports and limits" }, pagesLabel: "Parts of the server",
  on: { name: "Answer other programs", note: "Editors, agents and scripts on this computer can use your models over HTTP. Web pages cannot, unless you list them." }, listening: "Listening", off: "Off", notListening: "Not listening", offNote: "No program can ask your models over HTTP.",
  address: "Address", also: (addresses: string) => `Also ${addresses}`, copy: "Copy", copyAddress: "Copy address", copied: "Copied",
  load: (running: string, waiting: string) => `${running} running, ${waiting} waiting`,
  lanBanner: (address: string) => `The local network can ask at ${address}, with an API key. What is sent is not encrypted.`, lanBannerNoAddress: "The local network can ask, with an API key. What is sent is not encrypted.", lanOff: "Switch off",
  log: {
    filter: "Which requests", all: "All", errors: "Errors", time: "Time", client: "Client", request: "Request", model: "Model", status: "Status", tokens: "Tokens", firstToken: "First token", duration: "Duration",
    none: "No requests yet", noneNote: "A request appears here as soon as it has been answered. Try one in a terminal:", noErrors: "No errors among the last requests", off: "The server is off", offNote: "Switch it on to let programs ask.",
    kept: "The last 200 since Hearth was opened. What was asked and answered is not recorded.", browser: "Web browser", unknown: "Not named", from: (client: string, address: string) => `${client} from ${address}`, gone: "gone", tokensTitle: (prompt: string, answer: string) => `${prompt} read, ${answer} written`,
    reasons: {
      invalid_input: "Something in it was wrong", not_found: "There is no such route", model_missing: "No such model", model_invalid: "The model file is damaged", model_unsupported: "The model cannot be run", model_unreadable: "The model file cannot be read",
      insufficient_memory: "Not enough memory", context_overflow: "Too long for the model", engine_crashed: "The engine stopped", engine_unresponsive: "The engine hung", engine_unavailable: "The engine was not available", busy: "Too many at once",
      disk_full: "The disk is full", storage: "Could not be stored", storage_read_only: "The data folder is read-only", storage_newer: "The data is from a newer Hearth", settings: "A setting forbids it", unsupported: "Not supported", network: "No network", refused: "More is asked for there", internal: "Something went wrong inside Hearth",
      cancelled: "The client did not wait for the end",
    } satisfies Record<Code | "cancelled", string> as Record<string, string>,
  },
  access: {
    origins: { name: "Web pages that may ask", note: "No web page can use the server unless its origin is listed here, such as https://app.example. It counts from the next request on.", placeholder: "https://app.example", add: "Add", none: "None" },
    hosts: { name: "Other names of this computer", note: "A request must name this computer. List a name if programs reach it by another one, such as mac.local or host.docker.internal.", placeholder: "mac.local", add: "Add", none: "None" },
    addLabel: (name: string) => `Add to: ${name}`, remove: (word: string) => `Remove ${word}`, twice: (word: string) => `${word} is in the list already.`,
    lan: {
      name: "Answer the local network", note: "Other machines in your network can ask, with a key.", title: "Answer the local network?",
      warnings: ["Every machine in this network can reach Hearth and try keys.", "Questions and answers cross the network unencrypted: use it only in networks you trust.", "Only requests with one of your API keys are answered, from this computer too."],
      makesKey: "You have no key yet, so one is made now.", confirm: "Answer the network", keyName: "Local network", done: "Done",
    },
    keys: {
      name: "API keys", none: "Without one, any program on this computer may ask.", note: "Every program must send one of these, on this computer too.", create: "New key…", label: "API keys", keyLabel: "Name", namePlaceholder: "What it is for, such as Editor", scopes: "It may",
      title: "New API key", confirm: "Make key", once: "Copy it now. It is shown only once and cannot be read again.", secretLabel: "New API key", made: (date: string) => `Made ${date}`, used: (ago: string) => `used ${ago}`, unused: "never used",
      revoke: "Revoke", revokeTitle: (name: string) => `Revoke “${name}”?`, revokeNote: "Programs that send it are refused from the next request on.", revokeLast: "It is your last key: from then on any program on this computer may ask without one.", revokeLastLan: "It is your last key: from then on any program on this computer may ask without one, and the local network is not answered any more.",
      revokeLabel: (name: string) => `Revoke ${name}`,
    },
    scope: {
      inference: { name: "Ask models", note: "and see which there are" }, models: { name: "Manage models", note: "load, unload and delete" }, admin: { name: "Everything", note: "also the figures of the server" },
    },
  },
  limits: {
    port: { name: "Port", note: "When another program holds it, the next free one is used." },
    extra: { name: "Second port", note: "Some programs only look where another product listens. Hearth can answer there too, if that product does not run.", none: "None", ollama: "11434, as Ollama", lmStudio: "1234, as LM Studio" },
    parallel: { name: "Requests at the same time", note: "Each one more makes the others slower. Your own chats never wait for them." },
    queue: { name: "Waiting requests", note: "Beyond these a request is refused and may be tried again." },
    timeout: { name: "Longest request, in minutes", note: "It is stopped then, so that nothing runs for ever." },
    answers: { name: "Remember answers", note: "The same question without chance in it (temperature 0, or a seed) is answered from memory. At most 64 MB, gone when Hearth quits." },
    vectors: { name: "Remember vectors", note: "The same text gets its vector from memory. At most 64 MB, gone when Hearth quits." },
  },
  connect: {
    model: "Model", code: "From your own code", codeNote: "The client libraries of OpenAI, Ollama and Anthropic all work; only the address is another.", dialect: "Client library", language: "Language", program: "Program", programs: "In a program", codeLabel: "Example",
    keyNote: "Requests need a key: put one of yours into the environment variable HEARTH_API_KEY.", offNote: "The server is off. Switch it on first.", paste: (place: string) => `Put into ${place}`, run: "Run in a terminal", question: "Why is the sky blue?",
    small: (tokens: string) => `Agents need a model that knows tools and reads prompts of 32,000 tokens or more; this one reads ${tokens}. Settings, Generation has the limit.`,
    zed: {
      steps: ["Add this to the settings file, which zed: open settings file in the command palette opens.", "Choose the model in the agent panel."],
      keyed: "Zed takes the key from the environment variable HEARTH_API_KEY, or from Settings, AI, LLM Providers.", unkeyed: "Zed wants some key although none is needed here: start it with HEARTH_API_KEY=any, or type any word under LLM Providers.",
      notes: ["Edit prediction has settings of its own and does not use these."],
    },
    continue: {
      steps: ["Save this as the file, or add the two models to yours; Continue reads it at once."], keyed: "Put a line HEARTH_API_KEY=… into ~/.continue/.env; Continue does not read the variables of your shell.", unkeyed: "",
      notes: ["Completion while typing needs a model trained for it, so it is left out here."],
    },
    openWebui: {
      steps: ["Open Admin Settings, Connections, and add a connection under OpenAI.", "Paste the URL below, and any word as the key.", "Leave the connection external, so that its server asks and not your browser."], keyStep: "Paste the URL below, and one of your API keys.",
      urlLabel: "URL", dockerLabel: "URL, when Open WebUI runs in Docker", notes: ["In Docker, 127.0.0.1 is the container itself. With Docker Desktop use the second address and add host.docker.internal under Access, Other names of this computer. With Docker on Linux the local network must be answered too."],
    },
    claudeCode: {
      steps: ["Run these lines in the terminal in which you work."], keyed: "", unkeyed: "It needs some token although none is checked here.",
      notes: ["The address has no /v1 at its end.", "If ANTHROPIC_API_KEY is set in your shell, unset it first: it would be sent instead.", "The same lines can stand under env in ~/.claude/settings.json."],
    },
    codex: {
      steps: ["Add these lines to the file; the first three belong to its beginning.", "Start codex; /status shows the provider."], keyed: "", unkeyed: "",
      notes: ["Codex warns that it has no metadata for the model; that does no harm.", "Tools that run at OpenAI, such as web search, are left out."],
    },
    xcode: {
      steps: ["Open Settings, Intelligence, and add a model provider.", "Choose Locally Hosted, and enter the port below.", "Choose the model in the coding assistant."], keyStep: "Choose Internet Hosted, and enter the URL below and one of your API keys.", portLabel: "Port", keyed: "A locally hosted provider sends no key, so Xcode would be refused while you have keys.", unkeyed: "",
      notes: ["For Xcode 26 and later. We could not try it with a real Xcode yet."],
    },
  },
  settings: { open: "Open the Server screen", note: "Requests, keys, web pages, examples and limits are on a screen of their own.", more: "More" },
}
