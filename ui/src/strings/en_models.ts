// English for the Models screen: a part of en.ts.
// Here because it is long and read by one screen only. Must not know components or state.

import type { CopyStage, DownloadState, ModelSource, Verdict } from "../ipc/client"

export const models = {
  title: "Models", nav: "Models", search: "Search models", none: "No model is called that", folder: "Open models folder",
  folderNote: "Any GGUF file in this folder is a model. Nothing is copied or changed.",
  tabs: { installed: "Installed", discover: "Discover" }, tabsLabel: "Which models",
  source: { bundled: "Built in", own: "In your folder", hugging_face: "From Hugging Face's cache", lm_studio: "From LM Studio", ollama: "From Ollama", added: "In a folder of yours" } satisfies Record<ModelSource, string>,
  list: "Models on this computer", inUse: "Answers your chats", use: "Use for chats", details: "Details",
  purpose: { chat: "Chat", embed: "Vectors", rerank: "Ranking" }, damaged: "Cannot be used", abilities: { tools: "Calls tools", sees: "Sees pictures", thinks: "Thinks first" },
  context: (tokens: string) => `${tokens}-token context`, facts: (parts: string[]) => parts.filter(Boolean).join(" · "),
  page: {
    name: "Name for programs", architecture: "Architecture", parameters: "Weights", layers: "Layers", trained: "Trained context", loaded: "Context when loaded", template: "Chat template", ownTemplate: "Its own", noTemplate: "None: a plain one is used", abilities: "Abilities", files: "Files",
    tokens: (count: string) => `${count} tokens`, noAbilities: "Writes text", failed: "This model could not be looked at.",
  },
  memory: {
    title: (bytes: string, context: string) => `Takes ${bytes} with a context of ${context} tokens`, budget: (bytes: string) => `${bytes} for models`, weights: "Weights", projector: "Vision part", cache: "Context", copies: "Copies of it", compute: "Scratch space", output: "Output",
    speed: (tokens: string) => `About ${tokens} tokens a second.`,
    verdict: { fits: "It fits.", tight: "It just fits.", fits_if_unloaded: "It fits when another model is unloaded.", fits_at_context: "It fits with a shorter context.", too_big: "It is too big for this computer.", unknown: "It is not known how much memory models may take here." } satisfies Record<Verdict["kind"] | "unknown", string>,
  },
  badge: { fits: "Fits", tight: "Just fits", unloaded: (models: string) => `Fits without ${models}`, context: (tokens: string) => `Fits up to ${tokens} tokens`, too_big: "Too big" },
  anyway: "Load anyway",
  token: {
    field: "Hugging Face token", another: "Another Hugging Face token", keep: "Keep token", forget: "Forget token", kept: "A token is in the key store. It is never shown again.", steps: "Accept its terms on its page, then paste a token of the same account here.", page: "Open its page…",
  },
  discover: {
    label: "Models that could be fetched", other: "Name of a model on Hugging Face", placeholder: "Any other: owner/name or owner/name:Q4_K_M", fetch: "Fetch", about: (size: string) => `about ${size}`, speed: (tokens: string) => `about ${tokens} tokens a second`,
    here: (model: string) => `${model} is here already`, note: "Fetched from Hugging Face when you ask for it, and checked before it is used. The list is part of Hearth; looking at it asks nobody. Opening a model of it reads the beginning of its file there.",
    reason: {
      too_big: (takes: string, budget: string) => `Too big: about ${takes}, and models may use ${budget}.`, unknown: (takes: string) => `Takes about ${takes}.`, no_chat: "For search and documents; it does not chat.", slow: "Fits, but answers slower than you read.",
      fits: (takes: string, budget: string) => `Fits: about ${takes} of the ${budget} that models may use.`, would_not: (finer: string) => `${finer} would not fit.`,
    },
    looking: "Reading the beginning of its file…", onItsWay: "It is here, or on its way.", anyway: "Download anyway", ask: (model: string) => `Fetch ${model}?`, askNote: (size: string) => `${size} to download.`,
  },
  download: {
    label: (model: string) => `Download of ${model}`, part: (done: string, total: string) => `${done} of ${total}`, pace: (speed: string, left: string) => `${speed} a second, ${left} left`, pause: "Pause", resume: "Resume", cancel: "Cancel",
    state: { queued: "Waiting for its turn", checking: "Reading what is here", fetching: "Fetching", retrying: "Trying again", verifying: "Checking", paused: "Paused", failed: "Stopped", cancelled: "Cancelled", done: "Done" } satisfies Record<DownloadState["type"], string>, retrying: (seconds: string) => `Trying again in ${seconds} s`,
  },
  alias: { name: "Aliases", label: (model: string) => `New alias for ${model}`, placeholder: "Short name", add: "Add", remove: (alias: string) => `Remove the alias ${alias}` },
  import: {
    drop: "Let go to add the model", dropNote: "A GGUF file. It is checked first, and shares its room on the disk with the original where it can.", label: (file: string) => `Adding ${file}`, part: (done: string, total: string) => `${done} of ${total}`, cancel: "Cancel", dismiss: "Dismiss",
    state: { waiting: "Checking", comparing: "Comparing with what is here", copying: "Copying", failed: "Not added" }, done: (model: string) => `Added as ${model}`, here: (model: string) => `Here already as ${model}; nothing was copied`,
  },
  remove: {
    name: "Delete…", title: (model: string) => `Delete ${model}?`, note: (size: string) => `Its files are removed from your models folder, which frees ${size}. They do not go to the Trash.`, chats: "Your chats stay.", confirm: "Delete",
    done: (model: string, size: string) => `${model} deleted, ${size} free`,
  },
  copy: {
    name: "Make a smaller copy…", title: (model: string) => `A smaller copy of ${model}`, note: "The weights are rounded to fewer bits. It takes less memory and answers faster, and makes more mistakes the fewer bits are left.", kinds: "Bits", measure: "Measure what it costs", measureNote: "Original and copy each read a text; it takes a minute or more.",
    bits: { Q8_0: "8 bits: hardly any loss", Q6_K: "6 bits: very little loss", Q5_K_M: "5 bits: little loss", Q4_K_M: "4 bits: the usual choice", Q3_K_M: "3 bits: clearly worse", Q2_K: "2 bits: only when nothing else fits" } as Record<string, string>,
    sizes: (after: string, before: string, percent: string) => `${after} instead of ${before} (${percent})`, sizing: "Working out the size…", twice: "This model has been rounded already. A copy of the unrounded one would be better.", confirm: "Make copy",
    making: (model: string) => `Copying ${model}`, stage: { starting: "Starting…", importance: "Finding out what matters", convert: "Rounding the weights", measure_source: "Measuring the original", measure_copy: "Measuring the copy" } satisfies Record<CopyStage, string>,
    part: (stage: string, done: string, total: string) => `${stage}: ${done} of ${total}`, cancel: "Cancel", dismiss: "Dismiss",
    made: (name: string, after: string, before: string) => `${name} is ready: ${after} instead of ${before}.`,
    cost: (after: string, before: string, percent: string) => `Perplexity ${after} instead of ${before} (${percent}): how surprised it is by a text; lower is better.`, failed: "No copy was made.",
  },
}
