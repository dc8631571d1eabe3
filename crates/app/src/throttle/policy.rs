//! What the user wants of the governor, as it holds at one moment.

use crate::settings::{HeatSlows, OnBattery, Quiet, Settings, parse_hours};

/// The settings that rules look at, with the hours of the day already applied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    pub heat: HeatSlows,
    pub low_power_slows: bool,
    pub on_battery: OnBattery,
    /// Percent of charge; `None` is never.
    pub battery_floor: Option<f32>,
    /// Caps that hold now.
    pub quiet_watts: Option<f32>,
    pub quiet_speed: Option<f32>,
}

impl Policy {
    /// `minute` is minutes after midnight, local time; `None` when that is not known, and then hours never hold.
    pub fn of(settings: &Settings, minute: Option<u32>) -> Self {
        let quiet = match settings.quiet {
            Quiet::Off => false,
            Quiet::Always => true,
            Quiet::Hours => minute.is_some_and(|minute| within(&settings.quiet_hours, minute)),
        };
        let cap = |value: u32| (quiet && value > 0).then_some(value as f32);
        let floor = settings.battery_floor_percent;
        Self {
            heat: settings.heat_slows,
            low_power_slows: settings.low_power_slows,
            on_battery: settings.on_battery,
            battery_floor: (floor > 0).then_some(floor as f32),
            quiet_watts: cap(settings.quiet_watts),
            quiet_speed: cap(settings.quiet_tokens_per_second),
        }
    }
}

/// Whether a minute lies in hours such as `22:00-07:00`, which may pass midnight. The end does not belong to them.
fn within(hours: &str, minute: u32) -> bool {
    match parse_hours(hours) {
        Some((from, to)) if from < to => (from..to).contains(&minute),
        Some((from, to)) => minute >= from || minute < to,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_pass_midnight() {
        for (hours, minute, expected) in [
            ("22:00-07:00", 22 * 60, true),
            ("22:00-07:00", 0, true),
            ("22:00-07:00", 7 * 60 - 1, true),
            ("22:00-07:00", 7 * 60, false),
            ("22:00-07:00", 12 * 60, false),
            ("09:00-17:30", 9 * 60, true),
            ("09:00-17:30", 17 * 60 + 30, false),
            ("nonsense", 0, false),
        ] {
            assert_eq!(within(hours, minute), expected, "{hours} at {minute}");
        }
    }

    #[test]
    fn caps_hold_when_quiet_does_and_zero_is_none() {
        let settings = Settings {
            quiet: Quiet::Hours,
            quiet_watts: 20,
            ..Settings::default()
        };
        assert_eq!(Policy::of(&settings, Some(60)).quiet_watts, Some(20.0));
        assert_eq!(Policy::of(&settings, Some(60)).quiet_speed, None);
        assert_eq!(Policy::of(&settings, Some(720)).quiet_watts, None);
        assert_eq!(Policy::of(&settings, None).quiet_watts, None);
        let always = Settings {
            quiet: Quiet::Always,
            ..settings
        };
        assert_eq!(Policy::of(&always, None).quiet_watts, Some(20.0));
        assert_eq!(Policy::of(&Settings::default(), None).battery_floor, None);
    }
}
