//! Makes the types of the settings from one table, so that a setting is written down once.
//!
//! Apart from the table because it says nothing about any setting.

/// An enum whose values are words in the file and on the wire.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($variant),+ }

        impl Plain for $name {
            fn read(value: SettingValue) -> Result<Self, String> {
                let all = [$($word),+].join("`, `");
                match text(value)?.as_str() {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!("`{other}` is none of `{all}`")),
                }
            }

            fn write(&self) -> SettingValue {
                SettingValue::Text(match self { $(Self::$variant => $word),+ }.to_owned())
            }
        }
    };
}

/// `Settings`, `SettingChange` and `SettingKey` from lines of the form
/// `name Name: type [shown type in TypeScript] = default, "section" "key", check;`.
macro_rules! settings {
    ($(
        $(#[doc = $doc:literal])*
        $field:ident $name:ident : $type:ty $(, shown $shown:ty)? = $default:expr, $section:literal $key:literal, $check:expr;
    )+) => {
        /// All settings in force.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        #[serde(rename_all = "camelCase")]
        pub struct Settings {
            $(
                $(#[doc = $doc])*
                $(#[cfg_attr(feature = "specta", specta(type = $shown))])?
                pub $field: $type,
            )+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($field: $default),+ }
            }
        }

        /// A new value for one setting.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        #[serde(tag = "key", content = "value", rename_all = "snake_case")]
        pub enum SettingChange {
            $($name($(#[cfg_attr(feature = "specta", specta(type = $shown))])? $type),)+
        }

        /// Names one setting.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        #[serde(rename_all = "snake_case")]
        pub enum SettingKey { $($name),+ }

        impl SettingKey {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Section and key in the file.
            pub(super) fn place(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($section, $key)),+ }
            }

            /// A value of the file as a change; the error says why it cannot be one.
            pub(super) fn parse(self, value: SettingValue) -> Result<SettingChange, String> {
                match self { $(Self::$name => Plain::read(value).map(SettingChange::$name)),+ }
            }
        }

        impl Settings {
            pub(super) fn apply(&mut self, change: &SettingChange) {
                match change { $(SettingChange::$name(value) => self.$field.clone_from(value)),+ }
            }

            /// The value of one setting as a change to it.
            pub(super) fn value_of(&self, key: SettingKey) -> SettingChange {
                match key { $(SettingKey::$name => SettingChange::$name(self.$field.clone())),+ }
            }
        }

        impl SettingChange {
            pub fn key(&self) -> SettingKey {
                match self { $(Self::$name(_) => SettingKey::$name),+ }
            }

            /// The value as it is written to the file.
            pub(super) fn value(&self) -> SettingValue {
                match self { $(Self::$name(value) => value.write()),+ }
            }

            /// Checks the value against its range; the error names both.
            pub(super) fn validate(&self) -> Result<(), String> {
                match self { $(Self::$name(value) => ($check)(value)),+ }
            }
        }
    };
}

pub(super) use {settings, words};
