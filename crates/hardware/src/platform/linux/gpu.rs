//! A graphics chip that the kernel itself describes: amdgpu. Others need their maker's library, so they are absent here.

use super::files::Files;
use crate::reading::Reading;
use crate::sampler::Probe;

const CARDS: &str = "sys/class/drm";

pub(super) fn open(files: Files) -> Probe {
    let cards = files.names(CARDS);
    // `card0` is a card, `card0-HDMI-A-1` one of its sockets.
    let cards = cards.iter().filter(|name| {
        let number = name.strip_prefix("card");
        number.is_some_and(|n| n.parse::<u32>().is_ok())
    });
    let busy = cards.map(|card| format!("{CARDS}/{card}/device"));
    let device = busy
        .into_iter()
        .find(|d| files.has(&format!("{d}/gpu_busy_percent")));
    let sensors = device.as_ref().and_then(|device| {
        let folder = format!("{device}/hwmon");
        let first = files.names(&folder).into_iter().next()?;
        Some(format!("{folder}/{first}"))
    });
    Box::new(move || {
        let mut reading = Reading::default();
        if let Some(device) = &device {
            let percent = files.number::<f32>(&format!("{device}/gpu_busy_percent"));
            reading.gpu_usage = percent.map(|p| p / 100.0);
        }
        if let Some(sensors) = &sensors {
            let milli = files.number::<i64>(&format!("{sensors}/temp1_input"));
            reading.gpu_celsius = milli.map(|m| (m as f64 / 1000.0) as f32);
            let micro = files.number::<i64>(&format!("{sensors}/power1_average"));
            reading.gpu_watts = micro.map(|m| (m as f64 / 1e6) as f32);
        }
        if files.take_broken() {
            reading.failed.push("gpu".into());
        }
        reading
    })
}
