// English for the Monitor screen and for what is said about heat, power and memory elsewhere: a part of en.ts.
// Here because it is long. A reason is a clause that can follow "because". Must not know components or state.

export const monitor = {
  title: "Monitor", nav: "Monitor", back: "Back to chats", none: "n/a", noneTitle: "No sensor here tells this", nothing: "–",
  range: { label: "Time shown", minute: "60 s", hour: "1 h", day: "24 h", month: "30 d" },
  figures: {
    label: "Figures", tokensPerSecond: "Tokens/s", cool: "When cool", ttft: "First token", watts: "Power", cpu: "CPU", gpu: "GPU", memory: "Memory", swap: "Swap", running: "Running", waiting: "Waiting",
    temperature: "Temperature", time: "Time", limits: "Limits",
  },
  units: { speed: (value: string) => `${value} tokens/s`, celsius: (value: string) => `${value} °C`, watts: (value: string) => `${value} W`, of: (part: string, whole: string) => `${part} of ${whole}` },
  plots: { speed: "Speed", heat: "Power and heat", memory: "Memory", queue: "Queue" },
  axes: { speed: "tok/s", watts: "W", celsius: "°C", gigabytes: "GB", seconds: "s" },
  idle: "No answer is being written", coolSpeed: (value: string) => `${value} when cool`,
  thermal: { nominal: "Cool", fair: "Warm", serious: "Hot", critical: "Very hot" },
  pressure: { normal: "Enough", warning: "Getting short", critical: "Short" },
  level: { free: "Nothing is held back", eased: "Background work waits", slowed: "Answers are slowed", held: "Held to the least" },
  power: { mains: "On mains power", battery: (percent: string) => `On battery, ${percent} left`, charging: (percent: string) => `Charging, ${percent}` },
  failed: (names: string) => `These sensors did not answer: ${names}`,
  reasons: {
    heat: { nominal: "the computer is getting warm", fair: "the computer is warm", serious: "the computer is hot", critical: "the computer is very hot" },
    slowerThanCool: (model: string, now: string, cool: string) => `${model} writes ${now} tokens/s where it writes ${cool} on the cool computer`,
    memory: { normal: "much of the memory is used", warning: "memory is getting short", critical: "memory is short" }, used: (percent: string) => `${percent} used`,
    lowPower: "Low Power Mode is on", battery: (percent: string) => `the computer runs on battery, with ${percent} left`,
    quietWatts: (cap: string) => `your quiet cap of ${cap} holds`, quietWattsNow: (cap: string, now: string) => `your quiet cap of ${cap} holds and the computer takes ${now}`, quietSpeed: (cap: string) => `your quiet cap of ${cap} tokens/s holds`,
    noSensors: "no sensor tells how hot the computer is",
  },
  slowedBy: { heat: "Slowed by heat", slower_than_cool: "Slowed by heat", memory: "Slowed by short memory", low_power_mode: "Slowed by Low Power Mode", battery: "Slowed on battery", quiet_watts: "Slowed by your quiet cap", quiet_speed: "Slowed by your quiet cap", no_sensors: "Slowed" },
  instead: (what: string, now: string, cool: string) => `${what}: ${now} instead of ${cool} tokens/s`,
  slowedTo: (what: string, now: string) => `${what}: ${now} tokens/s`,
  decision: {
    answers: (share: string) => `answers are written at ${share} of full speed`, answersFull: "answers are written at full speed",
    wouldAnswers: (share: string) => `answers would be written at ${share} of full speed`, wouldAnswersFull: "answers would be written at full speed",
    background: "without background work", load: "without loading another model", idle: "without keeping unused models loaded",
    parallel: (count: string) => `with at most ${count} requests at a time`, one: "with one request at a time",
    nothing: "nothing is held back", because: (what: string, why: string) => `${what}, because ${why}`, now: (what: string) => `Now: ${what}.`,
  },
  happening: {
    started: "Hearth was opened", loaded: (model: string) => `${model} loaded`, unloaded: (model: string) => `${model} unloaded`, slept: "The computer went to sleep", woke: (time: string) => `The computer woke up after ${time}`,
    client: (name: string) => `${name} asked for the first time`, other: (name: string) => `${name} answered for the first time`,
  },
  kinds: { started: "Opened", model: "Model", limits: "Limits", sleep: "Sleep", client: "New program", alert: "Alert", other: "Other engine" },
  bands: { slowed: "Slowed", held: "Held to the least", gap: "Not running" },
  alerts: {
    memory: (percent: string) => `${percent} of the memory is used`, longAnswer: (time: string) => `An answer has been written for ${time}`, cache: (percent: string) => `Only ${percent} of the prompts had been read before`,
    errors: (percent: string) => `${percent} of the answers failed`, queue: (count: string) => `${count} requests wait`, disk: (percent: string) => `${percent} of the disk is free`,
    heat: { nominal: "The computer has cooled down", fair: "The computer is warm", serious: "The computer is hot", critical: "The computer is very hot" },
  },
  explained: {
    idle: "No answer is being written.", speed: (now: string) => `${now} tokens/s.`, full: (now: string) => `${now} tokens/s, as fast as on the cool computer.`, slower: (now: string, cool: string) => `${now} instead of ${cool} tokens/s`,
    because: (what: string, why: string) => `${what}, because ${why}.`, heldBack: (why: string) => `Held back, because ${why}.`, unknown: (what: string) => `${what}; nothing was held back.`,
    sharing: (count: number) => (count === 1 ? "One other answer is written at the same time." : `${count} other answers are written at the same time.`), around: (what: string) => `At that time: ${what}.`,
    looking: "Looking it up…", hint: "Point at the plots, or use the arrow keys, to read a moment. A click holds it.", pinned: "Held. Esc frees it.", gap: "Hearth was not running.",
  },
  plotsLabel: "Plots over time. Arrow keys move the cursor, with Shift ten steps; Esc frees it.", marksLabel: "What happened", legend: "What the signs mean", mark: (time: string, what: string) => `${time}: ${what}`, more: (count: number) => `and ${count} more`,
  empty: "Nothing recorded yet", emptyNote: "Hearth keeps a figure a second from now on. Leave it open for a while, then look again.", failedLead: "The time line could not be read.",
  table: { label: "Figures as a table", show: "View as table", hide: "View as plots", caption: (from: string, to: string) => `Figures from ${from} to ${to}, the newest first`, newer: "Newer", older: "Older", page: (from: string, to: string, all: string) => `${from}–${to} of ${all}` },
  export: { label: "Export what is shown", csv: "Export CSV", json: "Export JSON", done: (place: string) => `Written to ${place}`, open: "Open data folder" },
}
