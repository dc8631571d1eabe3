//! Battery and mains, from the registry of power sources.

use starship_battery::units::power::watt;
use starship_battery::units::ratio::ratio;
use starship_battery::units::time::second;
use starship_battery::{Battery, Manager, State};

use crate::apple::PowerSource;
use crate::reading::Reading;
use crate::sampler::Probe;

pub(super) fn open() -> Probe {
    Box::new(|| match first() {
        Ok(battery) => PowerSource::reading(battery.as_ref().map(plain)),
        Err(error) => {
            tracing::debug!(%error, "the battery cannot be read");
            Reading {
                failed: vec!["battery".into()],
                ..Reading::default()
            }
        }
    })
}

/// Macs have one or none.
fn first() -> Result<Option<Battery>, starship_battery::Error> {
    Manager::new()?.batteries()?.next().transpose()
}

fn plain(battery: &Battery) -> PowerSource {
    let state = battery.state();
    PowerSource {
        charge: battery.state_of_charge().get::<ratio>(),
        charging: state == State::Charging,
        discharging: matches!(state, State::Discharging | State::Empty),
        watts: battery.energy_rate().get::<watt>(),
        seconds_to_full: battery.time_to_full().map(|time| time.get::<second>()),
        seconds_to_empty: battery.time_to_empty().map(|time| time.get::<second>()),
    }
}
