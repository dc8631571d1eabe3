//! Each setting: its name, type, default, place in the file, and range.

use hearth_engine::LoadSpec;
use hearth_store::SettingValue;
use serde::{Deserialize, Serialize};

use super::table::{settings, words};
use super::value::{Plain, alert_names, any, between, hours, named, none_or, short, text, within};

/// Largest `max_tokens`.
const MAX_ANSWER_TOKENS: u32 = 32_768;

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

words!(
    /// How the numbers of the KV cache are kept.
    KvCache { F16 = "f16", Q8_0 = "q8_0", Q4_0 = "q4_0" }
);
words!(
    /// How early heat slows the engines.
    HeatSlows { Early = "early", Balanced = "balanced", Late = "late" }
);
words!(
    /// What changes on battery: nothing, no background work and a slower pace, or only what the user asks for in the window.
    OnBattery { Same = "same", Gentle = "gentle", Least = "least" }
);
words!(
    /// When the quiet caps hold.
    Quiet { Off = "off", Always = "always", Hours = "hours" }
);
words!(
    /// What stands beside the tray icon.
    TrayText { None = "none", Speed = "speed", Temperature = "temperature", Power = "power", Memory = "memory" }
);

settings! {
    /// Start Hearth when the user logs in.
    launch_at_login LaunchAtLogin: bool = false, "general" "launch_at_login", any;
    /// Show the tray icon.
    show_in_menu_bar ShowInMenuBar: bool = true, "general" "show_in_menu_bar", any;
    /// Show Hearth in the Dock (macOS).
    show_in_dock ShowInDock: bool = false, "general" "show_in_dock", any;
    /// Global shortcut that opens the popover, such as `Alt+Shift+Space`; empty is none.
    shortcut Shortcut: String = String::new(), "general" "shortcut", short;
    /// Which key sends a message.
    send_key SendKey: SendKey = SendKey::Enter, "general" "send_key", any;
    /// Colours.
    theme Theme: Theme = Theme::System, "appearance" "theme", any;
    /// Size of the transcript.
    text_size TextSize: TextSize = TextSize::Normal, "appearance" "text_size", any;
    /// Language of the window.
    language Language: Language = Language::System, "appearance" "language", any;
    /// Name of the model that answers.
    model Model: String = hearth_models::starter::NAME.to_owned(), "generation" "model", named;
    /// What the model is told before every chat; empty is nothing.
    system_prompt SystemPrompt: String = String::new(), "generation" "system_prompt", short;
    /// 0 to 2; 0 always takes the likeliest word.
    temperature Temperature: f64, shown u32 = 0.3, "generation" "temperature", within(0.0, 2.0);
    /// 0 to 1; how much of the probability is considered.
    top_p TopP: f64, shown u32 = 0.9, "generation" "top_p", within(0.0, 1.0);
    /// Longest answer in tokens, 1 to 32,768.
    max_tokens MaxTokens: u32 = 2048, "generation" "max_tokens", between(1, MAX_ANSWER_TOKENS);
    /// Most tokens that a model reads of a conversation, 512 to 1,048,576; what it was trained for if that is less. Holds for models
    /// that are loaded from then on.
    context_tokens ContextTokens: u32 = LoadSpec::DEFAULT_CONTEXT, "generation" "context_tokens", between(512, 1 << 20);
    /// How exactly a model keeps what it has read: `q8_0` takes half the memory, `q4_0` a quarter and shows in the answers. Holds for
    /// models that are loaded from then on.
    kv_cache KvCache: KvCache = KvCache::F16, "generation" "kv_cache", any;
    /// Further folders in which models lie: absolute paths, separated by colons. Nothing is ever written there.
    model_folders ModelFolders: String = String::new(), "models" "folders", crate::models::check_folders;
    /// Most megabytes that all downloads together fetch in a second, 0 to 10,000; 0 is no bound.
    download_limit_mb DownloadLimitMb: u32 = 0, "models" "download_limit_mb", between(0, 10_000);
    /// Downloads that run at the same time, 1 to 8; the others wait.
    download_parallel DownloadParallel: u32 = 2, "models" "download_parallel", between(1, 8);
    /// What downloads leave free on the disk, in GiB, 0 to 10,000; a tenth of a small disk is enough.
    disk_reserve_gb DiskReserveGb: u32 = 20, "models" "disk_reserve_gb", between(0, 10_000);
    /// There is a token for the hub in the key store.
    hub_token_kept HubTokenKept: bool = false, "models" "hub_token_kept", any;
    /// The best model for this machine was offered, and the user chose.
    model_offered ModelOffered: bool = false, "models" "offered", any;
    /// Load the model when Hearth starts.
    preload_model PreloadModel: bool = true, "generation" "preload_model", any;
    /// Let the model read a message while it is being typed.
    read_ahead ReadAhead: bool = true, "generation" "read_ahead", any;
    /// Keep on disk what the model has read of a chat.
    keep_chats_ready KeepChatsReady: bool = true, "privacy" "keep_chats_ready", any;
    /// Answer programs on this machine over HTTP.
    server Server: bool = true, "server" "on", any;
    /// Port of the server, 1024 to 65,535; when it is taken, one of the next is used.
    server_port ServerPort: u32 = 8100, "server" "port", between(1024, 65_535);
    /// Second port, for programs that know only another product's, such as 11434; 0 is none.
    server_extra_port ServerExtraPort: u32 = 0, "server" "extra_port", none_or(0, between(1024, 65_535));
    /// Answer other machines of the local network too; needs an API key.
    server_lan ServerLan: bool = false, "server" "lan", any;
    /// Answer only requests with a known API key. Follows the keys: on with the first, off with the last.
    server_needs_key ServerNeedsKey: bool = false, "server" "needs_key", any;
    /// Web pages that may use the server: exact origins such as `https://app.example`, separated by spaces.
    server_origins ServerOrigins: String = String::new(), "server" "origins", crate::server::check_origins;
    /// Further names under which this machine is reached, separated by spaces.
    server_hosts ServerHosts: String = String::new(), "server" "hosts", crate::server::check_hosts;
    /// How many requests of programs run at the same time, 1 to 64.
    server_parallel ServerParallel: u32 = 4, "server" "parallel", between(1, 64);
    /// How many more may wait, 0 to 10,000.
    server_queue ServerQueue: u32 = 10, "server" "queue", between(0, 10_000);
    /// How long a request may wait and run, in minutes, 1 to 1,440.
    server_timeout_minutes ServerTimeoutMinutes: u32 = 30, "server" "timeout_minutes", between(1, 1440);
    /// Give an answer that is not left to chance again without computing it.
    server_keep_answers ServerKeepAnswers: bool = true, "server" "keep_answers", any;
    /// Give the vector of a text again without computing it.
    server_keep_vectors ServerKeepVectors: bool = true, "server" "keep_vectors", any;
    /// How early heat slows the engines.
    heat_slows HeatSlows: HeatSlows = HeatSlows::Balanced, "heat" "slows", any;
    /// Hold back while the system's Low Power Mode is on.
    low_power_slows LowPowerSlows: bool = true, "heat" "low_power_slows", any;
    /// What changes on battery.
    on_battery OnBattery: OnBattery = OnBattery::Same, "heat" "on_battery", any;
    /// Below this charge, on battery, as little as possible is done, 0 to 100 percent; 0 is never.
    battery_floor_percent BatteryFloorPercent: u32 = 0, "heat" "battery_floor_percent", between(0, 100);
    /// When the quiet caps hold.
    quiet Quiet: Quiet = Quiet::Off, "heat" "quiet", any;
    /// The hours of `quiet = "hours"`, local time, such as `22:00-07:00`.
    quiet_hours QuietHours: String = "22:00-07:00".to_owned(), "heat" "quiet_hours", hours;
    /// Most watts of the whole machine while quiet, 0 to 1,000; 0 is no cap.
    quiet_watts QuietWatts: u32 = 0, "heat" "quiet_watts", between(0, 1000);
    /// Most tokens a second while quiet, 0 to 1,000; 0 is no cap.
    quiet_tokens_per_second QuietTokensPerSecond: u32 = 0, "heat" "quiet_tokens_per_second", between(0, 1000);
    /// Hold off the system's sleep while an answer is written.
    keep_awake KeepAwake: bool = true, "heat" "keep_awake", any;
    /// What stands beside the tray icon.
    tray_text TrayText: TrayText = TrayText::None, "appearance" "tray_text", any;
    /// Tell about alerts with notifications; the log and the time line have them anyway.
    alerts Alerts: bool = true, "alerts" "on", any;
    /// Alerts that are not told: `memory`, `long_answer`, `cache_hits`, `errors`, `queue`, `disk`, `heat`, separated by spaces.
    alerts_muted AlertsMuted: String = String::new(), "alerts" "muted", alert_names;
    /// Alert above this use of memory, 50 to 100 percent.
    alert_memory_percent AlertMemoryPercent: u32 = 95, "alerts" "memory_percent", between(50, 100);
    /// Alert when an answer takes longer, 10 to 86,400 seconds.
    alert_answer_seconds AlertAnswerSeconds: u32 = 120, "alerts" "answer_seconds", between(10, 86_400);
    /// Alert when less than this of the prompts that repeat had been read before, 0 to 100 percent.
    alert_cache_percent AlertCachePercent: u32 = 70, "alerts" "cache_percent", between(0, 100);
    /// Alert when more of the answers fail, 0 to 100 percent.
    alert_errors_percent AlertErrorsPercent: u32 = 2, "alerts" "errors_percent", between(0, 100);
    /// Alert when more requests wait, 1 to 10,000.
    alert_queue AlertQueue: u32 = 10, "alerts" "queue", between(1, 10_000);
    /// Alert when less of the disk is free, 0 to 90 percent.
    alert_disk_percent AlertDiskPercent: u32 = 20, "alerts" "disk_percent", between(0, 90);
    /// Addresses of other programs that run models, such as `http://studio.local:8000`, separated by spaces.
    provider_hosts ProviderHosts: String = String::new(), "providers" "hosts", crate::providers::check_hosts;
    /// Which of them have a key in the key store; kept by Hearth itself.
    provider_keyed ProviderKeyed: String = String::new(), "providers" "keyed", short;
}

impl Settings {
    /// Whether Hearth can be opened again: where there is a Dock it may hide in menu bar or Dock but not in neither; elsewhere
    /// the window is there without a tray.
    pub fn has_a_way_in(&self, dock: bool) -> bool {
        !dock || self.show_in_menu_bar || self.show_in_dock
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
