//! What the system says of itself: how hot it is, and whether it saves power.

use objc2_foundation::NSProcessInfo;

use crate::apple;
use crate::reading::Reading;
use crate::sampler::Probe;

pub(super) fn open() -> Probe {
    Box::new(|| {
        let process = NSProcessInfo::processInfo();
        Reading {
            thermal: apple::thermal_state(process.thermalState().0),
            low_power: Some(process.isLowPowerModeEnabled()),
            ..Reading::default()
        }
    })
}
