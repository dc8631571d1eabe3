// English for the page about heat, power and alerts in the settings: a part of en.ts.
// Here because it is long and read by one page only. Must not know components or state.

export const heat = {
  now: "What holds now", unknown: "What this would do now is not known yet.",
  groups: { heat: "Heat", power: "Power", quiet: "Quiet", tray: "Menu bar", trayOther: "Tray", alerts: "Alerts" },
  heatSlows: { name: "Slow down for heat", note: "Heat is judged by what the system says and by how fast a model writes against its speed on the cool computer.", early: "Early", balanced: "Balanced", late: "Late" },
  lowPowerSlows: { name: "In Low Power Mode", note: "The system's Low Power Mode makes the battery last longer.", on: "Hold back", off: "Same as always" },
  onBattery: { name: "On battery", note: "What changes while no power supply is connected.", same: "Same as always", gentle: "Gentle", least: "Least" },
  batteryFloor: { name: "Almost empty battery", note: "Below this charge, on battery, as little as possible is done. In percent; 0 is never." },
  quiet: { name: "Quiet", note: "Caps that keep the fans down, always or in some hours of the day.", off: "Off", always: "Always", hours: "At these hours" },
  quietHours: { name: "Quiet hours", note: "By this computer's clock; they may go past midnight.", from: "From", to: "To" },
  quietWatts: { name: "Most power while quiet", note: "Watts of the whole computer; 0 is no cap." },
  quietSpeed: { name: "Most speed while quiet", note: "Tokens a second; 0 is no cap. About 10 is as fast as most people read." },
  keepAwake: { name: "Stay awake while answering", note: "The computer does not go to sleep by itself while an answer is written. The screen may." },
  trayText: { name: "Beside the flame", note: "One figure beside the icon, at most once a second.", none: "Nothing", speed: "Tokens/s", temperature: "Temperature", power: "Power", memory: "Memory" },
  alerts: { name: "Tell with a notification", note: "The time line and the log have every alert anyway." },
  tell: (name: string) => `Tell: ${name}`, limit: (name: string) => `Limit: ${name}`,
  units: { percent: "%", seconds: "s", requests: "" },
  alert: {
    memory: { name: "Memory is full", note: "More of it is used than this." }, long_answer: { name: "An answer takes long", note: "It has been written for longer than this." },
    cache_hits: { name: "Prompts are read again", note: "Less of the prompts that repeat had been read before." }, errors: { name: "Answers fail", note: "More of the answers fail than this." },
    queue: { name: "Requests wait", note: "More requests wait than this." }, disk: { name: "The disk is full", note: "Less of it is free than this." }, heat: { name: "The computer is hot", note: "The system says that it is hot, or worse." },
  },
}
