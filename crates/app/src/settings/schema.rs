//! Each setting: its type, its default, its range, and where it lies in the file.

use hearth_engine::LoadSpec;
use hearth_store::SettingValue;
use serde::{Deserialize, Serialize};

/// Longest text of a setting in bytes.
const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Largest `max_tokens`.
const MAX_ANSWER_TOKENS: u32 = 32_768;

/// Range of `context_tokens`.
const CONTEXT_TOKENS: (u32, u32) = (512, 1 << 20);

/// An enum whose values are words in the file and on the wire.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($variant),+ }

        impl $name {
            fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            fn parse(value: SettingValue) -> Result<Self, String> {
                let all = [$($word),+].join("`, `");
                match text(value)?.as_str() {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!("`{other}` is none of `{all}`")),
                }
            }
        }
    };
}

words!(
    /// Colours of the window.
    Theme { System = "system", Light = "light", Dark = "dark" }
);
words!(
    /// Size of the transcript.
    TextSize { Small = "small", Normal = "normal", Large = "large" }
);
words!(
    /// Language of the window.
    Language { System = "system", En = "en", De = "de" }
);
words!(
    /// Which key sends a message; the other one makes a new line.
    SendKey { Enter = "enter", ModEnter = "mod_enter" }
);

/// All settings in force.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Start Hearth when the user logs in.
    pub launch_at_login: bool,
    /// Show the tray icon.
    pub show_in_menu_bar: bool,
    /// Show Hearth in the Dock (macOS).
    pub show_in_dock: bool,
    /// Global shortcut that opens the popover, such as `Alt+Shift+Space`; empty is none.
    pub shortcut: String,
    /// Which key sends a message.
    pub send_key: SendKey,
    /// Colours.
    pub theme: Theme,
    /// Size of the transcript.
    pub text_size: TextSize,
    /// Language of the window.
    pub language: Language,
    /// Name of the model that answers.
    pub model: String,
    /// What the model is told before every chat; empty is nothing.
    pub system_prompt: String,
    /// 0 to 2; 0 always takes the likeliest word.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub temperature: f64,
    /// 0 to 1; how much of the probability is considered.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub top_p: f64,
    /// Longest answer in tokens, 1 to 32,768.
    pub max_tokens: u32,
    /// Most tokens that a model reads of a conversation, 512 to 1,048,576; what it was trained for if that is less. Holds for models
    /// that are loaded from then on.
    pub context_tokens: u32,
    /// Load the model when Hearth starts.
    pub preload_model: bool,
    /// Let the model read a message while it is being typed.
    pub read_ahead: bool,
    /// Keep on disk what the model has read of a chat.
    pub keep_chats_ready: bool,
    /// Answer programs on this machine over HTTP.
    pub server: bool,
    /// Port of the server, 1024 to 65,535; when it is taken, one of the next is used.
    pub server_port: u32,
    /// Second port, for programs that know only another product's, such as 11434; 0 is none.
    pub server_extra_port: u32,
    /// Answer other machines of the local network too; needs an API key.
    pub server_lan: bool,
    /// Answer only requests with a known API key. Follows the keys: on with the first, off with the last.
    pub server_needs_key: bool,
    /// Web pages that may use the server: exact origins such as `https://app.example`, separated by spaces.
    pub server_origins: String,
    /// Further names under which this machine is reached, separated by spaces.
    pub server_hosts: String,
    /// How many requests of programs run at the same time, 1 to 64.
    pub server_parallel: u32,
    /// How many more may wait, 0 to 10,000.
    pub server_queue: u32,
    /// How long a request may wait and run, in minutes, 1 to 1,440.
    pub server_timeout_minutes: u32,
    /// Give an answer that is not left to chance again without computing it.
    pub server_keep_answers: bool,
    /// Give the vector of a text again without computing it.
    pub server_keep_vectors: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            launch_at_login: false,
            show_in_menu_bar: true,
            show_in_dock: false,
            shortcut: String::new(),
            send_key: SendKey::Enter,
            theme: Theme::System,
            text_size: TextSize::Normal,
            language: Language::System,
            model: hearth_models::starter::NAME.to_owned(),
            system_prompt: String::new(),
            temperature: 0.3,
            top_p: 0.9,
            max_tokens: 2048,
            context_tokens: LoadSpec::DEFAULT_CONTEXT,
            preload_model: true,
            read_ahead: true,
            keep_chats_ready: true,
            server: true,
            server_port: 8100,
            server_extra_port: 0,
            server_lan: false,
            server_needs_key: false,
            server_origins: String::new(),
            server_hosts: String::new(),
            server_parallel: 4,
            server_queue: 10,
            server_timeout_minutes: 30,
            server_keep_answers: true,
            server_keep_vectors: true,
        }
    }
}

/// A new value for one setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "key", content = "value", rename_all = "snake_case")]
pub enum SettingChange {
    LaunchAtLogin(bool),
    ShowInMenuBar(bool),
    ShowInDock(bool),
    Shortcut(String),
    SendKey(SendKey),
    Theme(Theme),
    TextSize(TextSize),
    Language(Language),
    Model(String),
    SystemPrompt(String),
    Temperature(#[cfg_attr(feature = "specta", specta(type = u32))] f64),
    TopP(#[cfg_attr(feature = "specta", specta(type = u32))] f64),
    MaxTokens(u32),
    ContextTokens(u32),
    PreloadModel(bool),
    ReadAhead(bool),
    KeepChatsReady(bool),
    Server(bool),
    ServerPort(u32),
    ServerExtraPort(u32),
    ServerLan(bool),
    ServerNeedsKey(bool),
    ServerOrigins(String),
    ServerHosts(String),
    ServerParallel(u32),
    ServerQueue(u32),
    ServerTimeoutMinutes(u32),
    ServerKeepAnswers(bool),
    ServerKeepVectors(bool),
}

/// Names one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum SettingKey {
    LaunchAtLogin,
    ShowInMenuBar,
    ShowInDock,
    Shortcut,
    SendKey,
    Theme,
    TextSize,
    Language,
    Model,
    SystemPrompt,
    Temperature,
    TopP,
    MaxTokens,
    ContextTokens,
    PreloadModel,
    ReadAhead,
    KeepChatsReady,
    Server,
    ServerPort,
    ServerExtraPort,
    ServerLan,
    ServerNeedsKey,
    ServerOrigins,
    ServerHosts,
    ServerParallel,
    ServerQueue,
    ServerTimeoutMinutes,
    ServerKeepAnswers,
    ServerKeepVectors,
}

impl SettingKey {
    pub const ALL: [Self; 29] = [
        Self::LaunchAtLogin,
        Self::ShowInMenuBar,
        Self::ShowInDock,
        Self::Shortcut,
        Self::SendKey,
        Self::Theme,
        Self::TextSize,
        Self::Language,
        Self::Model,
        Self::SystemPrompt,
        Self::Temperature,
        Self::TopP,
        Self::MaxTokens,
        Self::ContextTokens,
        Self::PreloadModel,
        Self::ReadAhead,
        Self::KeepChatsReady,
        Self::Server,
        Self::ServerPort,
        Self::ServerExtraPort,
        Self::ServerLan,
        Self::ServerNeedsKey,
        Self::ServerOrigins,
        Self::ServerHosts,
        Self::ServerParallel,
        Self::ServerQueue,
        Self::ServerTimeoutMinutes,
        Self::ServerKeepAnswers,
        Self::ServerKeepVectors,
    ];

    /// Section and key in the file.
    pub(super) fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::LaunchAtLogin => ("general", "launch_at_login"),
            Self::ShowInMenuBar => ("general", "show_in_menu_bar"),
            Self::ShowInDock => ("general", "show_in_dock"),
            Self::Shortcut => ("general", "shortcut"),
            Self::SendKey => ("general", "send_key"),
            Self::Theme => ("appearance", "theme"),
            Self::TextSize => ("appearance", "text_size"),
            Self::Language => ("appearance", "language"),
            Self::Model => ("generation", "model"),
            Self::SystemPrompt => ("generation", "system_prompt"),
            Self::Temperature => ("generation", "temperature"),
            Self::TopP => ("generation", "top_p"),
            Self::MaxTokens => ("generation", "max_tokens"),
            Self::ContextTokens => ("generation", "context_tokens"),
            Self::PreloadModel => ("generation", "preload_model"),
            Self::ReadAhead => ("generation", "read_ahead"),
            Self::KeepChatsReady => ("privacy", "keep_chats_ready"),
            Self::Server => ("server", "on"),
            Self::ServerPort => ("server", "port"),
            Self::ServerExtraPort => ("server", "extra_port"),
            Self::ServerLan => ("server", "lan"),
            Self::ServerNeedsKey => ("server", "needs_key"),
            Self::ServerOrigins => ("server", "origins"),
            Self::ServerHosts => ("server", "hosts"),
            Self::ServerParallel => ("server", "parallel"),
            Self::ServerQueue => ("server", "queue"),
            Self::ServerTimeoutMinutes => ("server", "timeout_minutes"),
            Self::ServerKeepAnswers => ("server", "keep_answers"),
            Self::ServerKeepVectors => ("server", "keep_vectors"),
        }
    }

    /// A value of the file as a change; the error says why it cannot be one.
    pub(super) fn parse(self, value: SettingValue) -> Result<SettingChange, String> {
        Ok(match self {
            Self::LaunchAtLogin => SettingChange::LaunchAtLogin(flag(value)?),
            Self::ShowInMenuBar => SettingChange::ShowInMenuBar(flag(value)?),
            Self::ShowInDock => SettingChange::ShowInDock(flag(value)?),
            Self::Shortcut => SettingChange::Shortcut(text(value)?),
            Self::SendKey => SettingChange::SendKey(SendKey::parse(value)?),
            Self::Theme => SettingChange::Theme(Theme::parse(value)?),
            Self::TextSize => SettingChange::TextSize(TextSize::parse(value)?),
            Self::Language => SettingChange::Language(Language::parse(value)?),
            Self::Model => SettingChange::Model(text(value)?),
            Self::SystemPrompt => SettingChange::SystemPrompt(text(value)?),
            Self::Temperature => SettingChange::Temperature(number(value)?),
            Self::TopP => SettingChange::TopP(number(value)?),
            Self::MaxTokens => SettingChange::MaxTokens(whole(value)?),
            Self::ContextTokens => SettingChange::ContextTokens(whole(value)?),
            Self::PreloadModel => SettingChange::PreloadModel(flag(value)?),
            Self::ReadAhead => SettingChange::ReadAhead(flag(value)?),
            Self::KeepChatsReady => SettingChange::KeepChatsReady(flag(value)?),
            Self::Server => SettingChange::Server(flag(value)?),
            Self::ServerPort => SettingChange::ServerPort(whole(value)?),
            Self::ServerExtraPort => SettingChange::ServerExtraPort(whole(value)?),
            Self::ServerLan => SettingChange::ServerLan(flag(value)?),
            Self::ServerNeedsKey => SettingChange::ServerNeedsKey(flag(value)?),
            Self::ServerOrigins => SettingChange::ServerOrigins(text(value)?),
            Self::ServerHosts => SettingChange::ServerHosts(text(value)?),
            Self::ServerParallel => SettingChange::ServerParallel(whole(value)?),
            Self::ServerQueue => SettingChange::ServerQueue(whole(value)?),
            Self::ServerTimeoutMinutes => SettingChange::ServerTimeoutMinutes(whole(value)?),
            Self::ServerKeepAnswers => SettingChange::ServerKeepAnswers(flag(value)?),
            Self::ServerKeepVectors => SettingChange::ServerKeepVectors(flag(value)?),
        })
    }
}

impl Settings {
    /// Whether Hearth can be opened again: where there is a Dock it may hide in menu bar or Dock but not in neither; elsewhere
    /// the window is there without a tray.
    pub fn has_a_way_in(&self, dock: bool) -> bool {
        !dock || self.show_in_menu_bar || self.show_in_dock
    }

    pub(super) fn apply(&mut self, change: &SettingChange) {
        match change {
            SettingChange::LaunchAtLogin(value) => self.launch_at_login = *value,
            SettingChange::ShowInMenuBar(value) => self.show_in_menu_bar = *value,
            SettingChange::ShowInDock(value) => self.show_in_dock = *value,
            SettingChange::Shortcut(value) => self.shortcut.clone_from(value),
            SettingChange::SendKey(value) => self.send_key = *value,
            SettingChange::Theme(value) => self.theme = *value,
            SettingChange::TextSize(value) => self.text_size = *value,
            SettingChange::Language(value) => self.language = *value,
            SettingChange::Model(value) => self.model.clone_from(value),
            SettingChange::SystemPrompt(value) => self.system_prompt.clone_from(value),
            SettingChange::Temperature(value) => self.temperature = *value,
            SettingChange::TopP(value) => self.top_p = *value,
            SettingChange::MaxTokens(value) => self.max_tokens = *value,
            SettingChange::ContextTokens(value) => self.context_tokens = *value,
            SettingChange::PreloadModel(value) => self.preload_model = *value,
            SettingChange::ReadAhead(value) => self.read_ahead = *value,
            SettingChange::KeepChatsReady(value) => self.keep_chats_ready = *value,
            SettingChange::Server(value) => self.server = *value,
            SettingChange::ServerPort(value) => self.server_port = *value,
            SettingChange::ServerExtraPort(value) => self.server_extra_port = *value,
            SettingChange::ServerLan(value) => self.server_lan = *value,
            SettingChange::ServerNeedsKey(value) => self.server_needs_key = *value,
            SettingChange::ServerOrigins(value) => self.server_origins.clone_from(value),
            SettingChange::ServerHosts(value) => self.server_hosts.clone_from(value),
            SettingChange::ServerParallel(value) => self.server_parallel = *value,
            SettingChange::ServerQueue(value) => self.server_queue = *value,
            SettingChange::ServerTimeoutMinutes(value) => self.server_timeout_minutes = *value,
            SettingChange::ServerKeepAnswers(value) => self.server_keep_answers = *value,
            SettingChange::ServerKeepVectors(value) => self.server_keep_vectors = *value,
        }
    }

    /// The value of one setting as a change to it.
    pub(super) fn value_of(&self, key: SettingKey) -> SettingChange {
        match key {
            SettingKey::LaunchAtLogin => SettingChange::LaunchAtLogin(self.launch_at_login),
            SettingKey::ShowInMenuBar => SettingChange::ShowInMenuBar(self.show_in_menu_bar),
            SettingKey::ShowInDock => SettingChange::ShowInDock(self.show_in_dock),
            SettingKey::Shortcut => SettingChange::Shortcut(self.shortcut.clone()),
            SettingKey::SendKey => SettingChange::SendKey(self.send_key),
            SettingKey::Theme => SettingChange::Theme(self.theme),
            SettingKey::TextSize => SettingChange::TextSize(self.text_size),
            SettingKey::Language => SettingChange::Language(self.language),
            SettingKey::Model => SettingChange::Model(self.model.clone()),
            SettingKey::SystemPrompt => SettingChange::SystemPrompt(self.system_prompt.clone()),
            SettingKey::Temperature => SettingChange::Temperature(self.temperature),
            SettingKey::TopP => SettingChange::TopP(self.top_p),
            SettingKey::MaxTokens => SettingChange::MaxTokens(self.max_tokens),
            SettingKey::ContextTokens => SettingChange::ContextTokens(self.context_tokens),
            SettingKey::PreloadModel => SettingChange::PreloadModel(self.preload_model),
            SettingKey::ReadAhead => SettingChange::ReadAhead(self.read_ahead),
            SettingKey::KeepChatsReady => SettingChange::KeepChatsReady(self.keep_chats_ready),
            SettingKey::Server => SettingChange::Server(self.server),
            SettingKey::ServerPort => SettingChange::ServerPort(self.server_port),
            SettingKey::ServerExtraPort => SettingChange::ServerExtraPort(self.server_extra_port),
            SettingKey::ServerLan => SettingChange::ServerLan(self.server_lan),
            SettingKey::ServerNeedsKey => SettingChange::ServerNeedsKey(self.server_needs_key),
            SettingKey::ServerOrigins => SettingChange::ServerOrigins(self.server_origins.clone()),
            SettingKey::ServerHosts => SettingChange::ServerHosts(self.server_hosts.clone()),
            SettingKey::ServerParallel => SettingChange::ServerParallel(self.server_parallel),
            SettingKey::ServerQueue => SettingChange::ServerQueue(self.server_queue),
            SettingKey::ServerTimeoutMinutes => {
                SettingChange::ServerTimeoutMinutes(self.server_timeout_minutes)
            }
            SettingKey::ServerKeepAnswers => {
                SettingChange::ServerKeepAnswers(self.server_keep_answers)
            }
            SettingKey::ServerKeepVectors => {
                SettingChange::ServerKeepVectors(self.server_keep_vectors)
            }
        }
    }
}

impl SettingChange {
    pub fn key(&self) -> SettingKey {
        match self {
            Self::LaunchAtLogin(_) => SettingKey::LaunchAtLogin,
            Self::ShowInMenuBar(_) => SettingKey::ShowInMenuBar,
            Self::ShowInDock(_) => SettingKey::ShowInDock,
            Self::Shortcut(_) => SettingKey::Shortcut,
            Self::SendKey(_) => SettingKey::SendKey,
            Self::Theme(_) => SettingKey::Theme,
            Self::TextSize(_) => SettingKey::TextSize,
            Self::Language(_) => SettingKey::Language,
            Self::Model(_) => SettingKey::Model,
            Self::SystemPrompt(_) => SettingKey::SystemPrompt,
            Self::Temperature(_) => SettingKey::Temperature,
            Self::TopP(_) => SettingKey::TopP,
            Self::MaxTokens(_) => SettingKey::MaxTokens,
            Self::ContextTokens(_) => SettingKey::ContextTokens,
            Self::PreloadModel(_) => SettingKey::PreloadModel,
            Self::ReadAhead(_) => SettingKey::ReadAhead,
            Self::KeepChatsReady(_) => SettingKey::KeepChatsReady,
            Self::Server(_) => SettingKey::Server,
            Self::ServerPort(_) => SettingKey::ServerPort,
            Self::ServerExtraPort(_) => SettingKey::ServerExtraPort,
            Self::ServerLan(_) => SettingKey::ServerLan,
            Self::ServerNeedsKey(_) => SettingKey::ServerNeedsKey,
            Self::ServerOrigins(_) => SettingKey::ServerOrigins,
            Self::ServerHosts(_) => SettingKey::ServerHosts,
            Self::ServerParallel(_) => SettingKey::ServerParallel,
            Self::ServerQueue(_) => SettingKey::ServerQueue,
            Self::ServerTimeoutMinutes(_) => SettingKey::ServerTimeoutMinutes,
            Self::ServerKeepAnswers(_) => SettingKey::ServerKeepAnswers,
            Self::ServerKeepVectors(_) => SettingKey::ServerKeepVectors,
        }
    }

    /// The value as it is written to the file.
    pub(super) fn value(&self) -> SettingValue {
        match self {
            Self::LaunchAtLogin(value)
            | Self::ShowInMenuBar(value)
            | Self::ShowInDock(value)
            | Self::PreloadModel(value)
            | Self::ReadAhead(value)
            | Self::KeepChatsReady(value)
            | Self::Server(value)
            | Self::ServerLan(value)
            | Self::ServerNeedsKey(value)
            | Self::ServerKeepAnswers(value)
            | Self::ServerKeepVectors(value) => SettingValue::Bool(*value),
            Self::Shortcut(value)
            | Self::Model(value)
            | Self::SystemPrompt(value)
            | Self::ServerOrigins(value)
            | Self::ServerHosts(value) => SettingValue::Text(value.clone()),
            Self::SendKey(value) => SettingValue::Text(value.word().to_owned()),
            Self::Theme(value) => SettingValue::Text(value.word().to_owned()),
            Self::TextSize(value) => SettingValue::Text(value.word().to_owned()),
            Self::Language(value) => SettingValue::Text(value.word().to_owned()),
            Self::Temperature(value) | Self::TopP(value) => SettingValue::Float(*value),
            Self::MaxTokens(value)
            | Self::ContextTokens(value)
            | Self::ServerPort(value)
            | Self::ServerExtraPort(value)
            | Self::ServerParallel(value)
            | Self::ServerQueue(value)
            | Self::ServerTimeoutMinutes(value) => SettingValue::Integer(i64::from(*value)),
        }
    }

    /// Checks the value against its range; the error names both.
    pub(super) fn validate(&self) -> Result<(), String> {
        let range = |value: f64, low: f64, high: f64| {
            // Written so that NaN fails.
            if value >= low && value <= high {
                Ok(())
            } else {
                Err(format!("{value} is not between {low} and {high}"))
            }
        };
        match self {
            Self::Temperature(value) => range(*value, 0.0, 2.0),
            Self::TopP(value) => range(*value, 0.0, 1.0),
            Self::MaxTokens(value) => range(f64::from(*value), 1.0, f64::from(MAX_ANSWER_TOKENS)),
            Self::ContextTokens(value) => {
                let (least, most) = CONTEXT_TOKENS;
                range(f64::from(*value), f64::from(least), f64::from(most))
            }
            Self::ServerExtraPort(0) => Ok(()),
            Self::ServerPort(value) | Self::ServerExtraPort(value) => {
                range(f64::from(*value), 1024.0, 65_535.0)
            }
            Self::ServerParallel(value) => range(f64::from(*value), 1.0, 64.0),
            Self::ServerQueue(value) => range(f64::from(*value), 0.0, 10_000.0),
            Self::ServerTimeoutMinutes(value) => range(f64::from(*value), 1.0, 1440.0),
            Self::ServerOrigins(value) => crate::server::check_origins(value),
            Self::ServerHosts(value) => crate::server::check_hosts(value),
            Self::Model(value) if value.trim().is_empty() => Err("a model must be named".into()),
            Self::Model(value) | Self::Shortcut(value) | Self::SystemPrompt(value)
                if value.len() > MAX_TEXT_BYTES =>
            {
                Err(format!(
                    "the text is {} bytes long, the limit is {MAX_TEXT_BYTES}",
                    value.len()
                ))
            }
            _ => Ok(()),
        }
    }
}

fn flag(value: SettingValue) -> Result<bool, String> {
    match value {
        SettingValue::Bool(value) => Ok(value),
        _ => Err("it must be true or false".into()),
    }
}

fn text(value: SettingValue) -> Result<String, String> {
    match value {
        SettingValue::Text(value) => Ok(value),
        _ => Err("it must be text in quotes".into()),
    }
}

fn number(value: SettingValue) -> Result<f64, String> {
    match value {
        SettingValue::Float(value) => Ok(value),
        SettingValue::Integer(value) => Ok(value as f64),
        _ => Err("it must be a number".into()),
    }
}

fn whole(value: SettingValue) -> Result<u32, String> {
    match value {
        SettingValue::Integer(value) => {
            u32::try_from(value).map_err(|_| format!("{value} is out of range"))
        }
        _ => Err("it must be a whole number".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn menu_bar_and_dock_cannot_both_be_off_where_there_is_a_dock() {
        for (menu_bar, in_dock, dock, reachable) in [
            (true, false, true, true),
            (false, true, true, true),
            (false, false, true, false),
            (false, false, false, true),
        ] {
            let settings = Settings {
                show_in_menu_bar: menu_bar,
                show_in_dock: in_dock,
                ..Settings::default()
            };
            assert_eq!(settings.has_a_way_in(dock), reachable);
        }
    }
}
