// English: the first language and the shape of every other one.
// Here so that no component holds a word. Sentence case, plain words, no exclamation marks. Must not know components or state.

import type { Code } from "../ipc/client"
import { heat } from "./en_heat"
import { models } from "./en_models"
import { monitor } from "./en_monitor"
import { server } from "./en_server"

export const en = {
  app: { name: "Hearth", loading: "Opening…", mainLabel: "Chat", retryStart: "Try again", startFailed: "The window could not be set up." },
  sidebar: {
    label: "Chats", search: "Search titles", newChat: "New chat", settings: "Settings", chats: "Chats", today: "Today", yesterday: "Yesterday", earlier: "Earlier",
    none: "No chats yet", noneFound: (query: string) => `No title contains “${query}”`, generating: "Answering", more: (title: string) => `More for ${title}`, untitled: "New chat",
    rename: "Rename…", remove: "Delete", renameLabel: "Chat title", deleted: (title: string) => `“${title}” deleted`, undo: "Undo", toggle: "Hide or show the sidebar", showAll: (count: number) => `Show ${count} more`,
    clearSearch: "Clear search",
  },
  chat: {
    offer: { label: "A better model", text: (model: string, size: string) => `${model} suits this computer best (about ${size}). The one that came with Hearth is very small.`, get: "Get it", later: "Not now" },
    transcript: "Conversation", composer: "Message", placeholder: "Ask anything", send: "Send", stop: "Stop", copy: "Copy", copied: "Copied", regenerate: "Answer again", edit: "Edit",
    editing: "Editing your message. The earlier version is kept.", cancelEdit: "Cancel", jump: "Jump to latest", you: "You", answer: "Answer", earlier: "Show earlier messages",
    previousBranch: "Previous version", nextBranch: "Next version", branchOf: (index: number, count: number) => `${index}/${count}`, branchLabel: (index: number, count: number) => `Version ${index} of ${count}`,
    loading: (model: string) => `Loading ${model}…`, loadingPart: (model: string, percent: string) => `Loading ${model}… ${percent}`,
    prefill: (done: string, total: string) => `Reading your message… ${done} of ${total} tokens`, starting: "Starting…", waiting: "Thinking…",
    generating: "Generating", complete: "Response complete", failedSpoken: "The answer failed", stopped: "Stopped", cutOff: "Reached the longest answer allowed", interrupted: "Interrupted",
    cutMessages: (count: number) => (count === 1 ? "The oldest message no longer fits this model's context window and was left out." : `The ${count} oldest messages no longer fit this model's context window and were left out.`),
    interruptedBy: (why: string) => `Interrupted: ${why}`, tokensPerSecond: (value: string) => `${value} tok/s`, firstToken: (value: string) => `first token ${value}`, tokens: (value: string) => `${value} tokens`,
    statsTitle: (prompt: string, cached: string) => `${prompt} tokens read, ${cached} of them from the cache`, openFailed: "The chat could not be opened.", sendFailed: "Your message was not sent.",
    codeCopy: "Copy code", codeLabel: "Code", tableLabel: "Table", mathFailed: "This formula cannot be shown",
    greeting: "What can I help with?", greetingNote: "Answers are made on this computer. Nothing is sent anywhere.", greetingNoteMac: "Answers are made on this Mac. Nothing is sent anywhere.",
    starters: [
      { title: "Explain", text: "Explain in plain words how a heat pump works, with one everyday comparison." },
      { title: "Write", text: "Write a short, friendly note asking a neighbour to keep the music down after ten." },
      { title: "Code", text: "Write a Python function that finds duplicate files in a folder by size and hash." },
    ],
  },
  engine: {
    unloaded: "Model not loaded", unloadedNote: "It loads with your first message", loading: (percent: string) => `Loading ${percent}`, ready: "Ready", generating: "Answering", failed: "Model failed",
    context: (used: string, limit: string) => `${used} of ${limit} tokens`, contextLimit: (limit: string) => `${limit}-token context`, label: "Engine",
  },
  popover: { open: "Open in window", pin: "Keep open", unpin: "Stop keeping open" },
  links: { title: "Open this link?", note: "It opens in your browser. The site will see that you visited.", open: "Open link", cancel: "Cancel", copy: "Copy address" },
  dialog: { close: "Close", details: "Details" },
  keys: {
    title: "Keyboard shortcuts", send: "Send", newline: "New line", sendAlways: "Send, whatever the setting", newChat: "New chat", search: "Search chats", settings: "Settings", sidebar: "Hide or show the sidebar", shortcuts: "This list",
    stop: "Stop the answer", escape: "Close, stop, then hide the window", regenerate: "Answer again", copyLast: "Copy the last answer", editLast: "Edit your last message, when the box is empty", branch: "Previous or next version",
  },
  server,
  models,
  monitor,
  heat,
  settings: {
    title: "Settings", sections: { general: "General", appearance: "Appearance", generation: "Generation", heat: "Heat and power", server: "Server", privacy: "Privacy", advanced: "Advanced" }, back: "Back to chats", reset: "Reset", resetLabel: (name: string) => `Reset ${name} to its default`,
    repaired: "Some settings were damaged and are reset", failed: "The setting was not changed.",
    on: "On", off: "Off",
    launchAtLogin: { name: "Open at login", note: "Hearth starts with your Mac and waits in the menu bar.", noteOther: "Hearth starts with your computer and waits in the tray." },
    showInMenuBar: { name: "Show in menu bar", nameOther: "Show in tray", note: "The flame in the menu bar opens a small chat.", noteOther: "The flame in the tray opens a menu.", last: "Turn on “Show in Dock” first: Hearth needs one place to be opened from." },
    showInDock: { name: "Show in Dock", note: "Hearth has a Dock icon and appears in the app switcher.", last: "Turn on “Show in menu bar” first: Hearth needs one place to be opened from." },
    shortcut: { name: "Global shortcut", note: "Opens the small chat from any app.", record: "Record shortcut", recording: "Press the keys…", clear: "Remove", none: "None", needsModifier: "Use at least one of Cmd, Ctrl or Option with another key.", failed: (chord: string) => `${chord} could not be used.` },
    sendKey: { name: "Send with", note: "The other one starts a new line.", enter: "Return", modEnter: "Cmd–Return", modEnterOther: "Ctrl–Enter", enterOther: "Enter" },
    theme: { name: "Theme", note: "System follows the rest of your computer.", system: "System", light: "Light", dark: "Dark" },
    textSize: { name: "Text size", note: "Applies to every window at once.", small: "Small", normal: "Normal", large: "Large" },
    language: { name: "Language", note: "Menus and messages; the model answers in the language you write.", system: "System", en: "English", de: "Deutsch" },
    model: { name: "Model", note: "Used from the next message on.", sources: { bundled: "Included", own: "Your file", hugging_face: "Hugging Face", lm_studio: "LM Studio", ollama: "Ollama", added: "Your folder" }, details: (size: string, quantisation: string, context: string) => [size, quantisation, context].filter(Boolean).join(" · "), context: (tokens: string) => `${tokens}-token context` },
    others: {
      name: "Other engines", note: "Models of other programs answer your chats like Hearth's own. Programs that ask Hearth's server never reach them.",
      looking: "Looking for Ollama, LM Studio and others…", none: "No other engine answers on this computer.", again: "Look again", loaded: "in memory",
      here: "On this computer", elsewhere: (host: string) => `Chats with these models go to ${host}.`, open: (host: string) => `Chats with these models go to ${host} and can be read on the way: the address begins with http.`,
      noModels: "It answers, but has no model to chat with.",
      hosts: { name: "Hosts", note: "A bigger computer, or any service with OpenAI's interface.", placeholder: "http://studio.local:8000", add: "Add", none: "" },
      key: (host: string) => `Key for ${host}`, keep: "Keep key", forget: "Forget key", hasKey: "Its key is in the key store.",
      privacy: (hosts: string) => `Chats with a model of another host go there, and nothing else does: ${hosts}.`,
    },
    systemPrompt: { name: "Instructions", note: "Sent to the model before every conversation." },
    temperature: { name: "Temperature", note: "Lower is more predictable, higher is more varied." },
    topP: { name: "Top P", note: "Only the likeliest words that add up to this share are considered." },
    maxTokens: { name: "Longest answer", note: "An answer stops after this many tokens; a token is about four letters." },
    contextTokens: { name: "Context length", note: "The most tokens a model reads of a chat or request, up to what it was trained for. More takes more memory; holds for models loaded from now on." },
    kvCache: { name: "Memory of what was read", note: "How exactly a model keeps a chat while it answers (its KV cache). Rounded takes half the memory, coarse a quarter, which shows in the answers. Holds for models loaded from now on.", f16: "Exact (F16)", q8_0: "Rounded (Q8_0)", q4_0: "Coarse (Q4_0)" },
    modelFolders: { name: "Further model folders", note: "Models in these folders are used where they lie and never changed. Those of Hugging Face, LM Studio and Ollama are found by themselves.", placeholder: "/Volumes/Disk/models", add: "Add", none: "None" },
    downloads: {
      title: "Downloads", limit: { name: "Speed limit", note: "Megabytes a second for all downloads together; 0 is none. Holds at once." }, parallel: { name: "At the same time", note: "More downloads wait for their turn." },
      reserve: { name: "Leave free on the disk", note: "Gigabytes that downloads never use; a tenth of a small disk is enough." }, token: { name: "Hugging Face token", note: "For models whose terms you accepted there. It lies in the system's key store and goes to Hugging Face alone." },
    },
    preloadModel: { name: "Load the model at start", note: "The first answer comes sooner. It takes the model's memory even when you do not chat." },
    readAhead: { name: "Read while you type", note: "The model reads your message before you send it, so that the answer begins sooner. It uses some power; nothing of it is stored." },
    keepChatsReady: { name: "Keep chats ready on disk", note: "A chat opened again answers at once. What the model has read is kept as files that hold the text of your chats in another form, 4 GB at most." },
    clearKept: { name: "Clear what is kept", note: "The next answer in each chat takes longer. The chats stay.", button: "Clear", done: (size: string) => `${size} freed` },
    privacy: {
      headline: "What leaves this Mac: nothing.", headlineOther: "What leaves this computer: nothing.",
      facts: [
        "Models run inside this app. Your messages and the answers are never sent anywhere.",
        "Chats and settings are files in your own data folder, readable by you alone.",
        "There is no account, no telemetry, no crash reporting and no check for updates.",
        "Pictures and other remote content in answers are never loaded; they are shown as links.",
        "A link opens only when you click it and confirm the full address, in your browser and not in this app.",
        "Other programs can ask your models only while you have that switched on under Server, and web pages only if you list them there.",
        "The app's windows are barred from the network: they can reach nothing but the app itself.",
      ],
      deleteNote: "Deleted chats are removed from disk after the time to undo has passed.",
    },
    advanced: {
      folders: "Folders", settings: "Settings file", data: "Chats", models: "Models", logs: "Logs", open: "Open folder", openLabel: (name: string) => `Open folder: ${name}`,
      export: { name: "Export chats", note: "Writes every chat to a folder you can read without Hearth.", markdown: "Markdown", json: "JSON", done: (place: string) => `Written to ${place}` },
      deleteAll: { name: "Delete all chats", note: "Removes every chat from this computer. This cannot be undone.", button: "Delete all…", title: "Delete all chats?", type: (word: string) => `Type ${word} to confirm.`, word: "delete", confirm: "Delete all chats", done: (count: number) => (count === 1 ? "1 chat deleted" : `${count} chats deleted`) },
      notices: "On this computer", version: "Version",
    },
  },
  errors: {
    actions: { retry: "Try again", settings: "Choose a model", folder: "Open models folder", data: "Open data folder", newChat: "Start a new chat", anyway: "Load anyway", dismiss: "Dismiss" },
    /** What to do, after what happened. */
    advice: {
      invalid_input: "Change it and try again.", not_found: "It may have been deleted.", model_missing: "Choose another model.", model_invalid: "Choose another model or replace the file.",
      model_unsupported: "Choose another model.", model_unreadable: "Check that you may read the file.", insufficient_memory: "Choose a smaller model or close other apps.",
      context_overflow: "Start a new chat or shorten the message.", engine_crashed: "Try again.", engine_unresponsive: "Try again.", engine_unavailable: "Try again in a moment.",
      busy: "Wait for the other answer or stop it.", disk_full: "Free some space, then try again.", storage: "Try again.", storage_read_only: "Make the data folder writable.",
      storage_newer: "Install the newer version of Hearth.", settings: "Choose another value.", unsupported: "This is not available here.", network: "Try again.", refused: "Do first what is asked for there.", internal: "Try again.",
    } satisfies Record<Code, string>,
  },
}

export type Strings = typeof en
