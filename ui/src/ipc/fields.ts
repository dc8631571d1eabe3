// Which field of the settings each key of the wire changes. Here because rows need both names. Must not know components.

import type { SettingKey, Settings } from "./bindings"

/** `send_key` as the settings have it: `sendKey`. */
type Camel<Key extends string> = Key extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : Key

/** The field of a key; that there is one for every key is checked where it is used as one of [`Settings`]. */
export type FieldOf<Key extends SettingKey> = Extract<Camel<Key>, keyof Settings>

export function fieldOf<Key extends SettingKey>(key: Key): FieldOf<Key> {
  return key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()) as FieldOf<Key>
}
