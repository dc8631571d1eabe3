//! The governor: from what is seen in one second, and what was seen before, to what holds.

use super::combine::combine;
use super::quiet::{Last, Pace};
use super::rung::Rung;
use super::slower::Slower;
use super::table::{self, Step};
use super::{Decision, Policy, Reason};
use crate::hardware::{MemoryPressure, Reading, ThermalState};

/// Memory above this part of all counts as a warning, whatever the system says.
const MUCH_USED: f32 = 0.95;
/// From these temperatures on, in °C, a machine counts as fair, serious and critical where the system does not say how hot it is.
const CELSIUS: [f32; 3] = [85.0, 95.0, 103.0];
/// What the charge must have risen by before the floor is left, in percent.
const FLOOR_GAP: f32 = 2.0;

/// How fast the answers were written in the last second.
#[derive(Debug, Clone, PartialEq)]
pub struct Speed {
    pub model: String,
    /// Over all running answers together.
    pub tokens_per_second: f32,
    /// What the model does under the same load on the cool machine, when that is known.
    pub cool: Option<f32>,
}

/// What is seen in one second.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    pub reading: &'a Reading,
    /// `None` while nothing is written.
    pub speed: Option<&'a Speed>,
    pub policy: &'a Policy,
    /// Threads with which engines are loaded.
    pub threads: u32,
    /// The pace that was in force.
    pub duty: f32,
    /// Since the last time.
    pub seconds: f32,
    /// Whether other programs keep the processor so busy that a slow answer is no wonder.
    pub busy_elsewhere: bool,
}

/// What the rules remember.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    heat: Rung,
    memory: Rung,
    low_power: Rung,
    battery: Rung,
    floor: Rung,
    slower: Slower,
    watts: Pace,
    speed: Pace,
}

impl State {
    /// What would hold now under another policy. A cap takes a while to find its pace, which is estimated here.
    pub fn preview(&self, input: &Input) -> Decision {
        let speed = input.speed.map(|speed| speed.tokens_per_second);
        let guess = |now, cap| Pace::guess(now, cap, input.duty);
        let state = Self {
            watts: guess(input.reading.system_watts, input.policy.quiet_watts),
            speed: guess(speed, input.policy.quiet_speed),
            ..self.clone()
        };
        let still = Input {
            seconds: 0.0,
            ..*input
        };
        decide(&still, &state).0
    }
}

/// Decides, and says what to remember for the next time.
pub fn decide(input: &Input, state: &State) -> (Decision, State) {
    let mut next = state.clone();
    let mut held = Vec::new();
    held.extend(heat(input, &mut next));
    held.extend(slower(input, &mut next));
    held.extend(memory(input, &mut next));
    power(input, &mut next, &mut held);
    quiet(input, &mut next, &mut held);
    let mut decision = combine(held, input.threads);
    if decision.reasons.is_empty() && thermal(input.reading).is_none() {
        // Holds nothing back: it tells that only our own speed is judged.
        decision.reasons.push(Reason::NoSensors);
    }
    (decision, next)
}

/// How hot it is: what the system says, else what the temperature says.
pub(super) fn thermal(reading: &Reading) -> Option<ThermalState> {
    reading.thermal.or_else(|| {
        let celsius = reading.hottest_celsius()?;
        let passed = CELSIUS.iter().filter(|from| celsius >= **from).count();
        Some(thermal_of(passed as u8))
    })
}

fn thermal_of(rung: u8) -> ThermalState {
    match rung {
        0 => ThermalState::Nominal,
        1 => ThermalState::Fair,
        2 => ThermalState::Serious,
        _ => ThermalState::Critical,
    }
}

fn heat(input: &Input, state: &mut State) -> Option<(Step, Reason)> {
    let seen = thermal(input.reading).unwrap_or(ThermalState::Nominal) as u8;
    let hot = thermal_of(state.heat.step(seen, input.seconds));
    let reason = Reason::Heat {
        state: hot,
        celsius: input.reading.hottest_celsius(),
    };
    (hot > ThermalState::Nominal).then(|| (table::heat(input.policy.heat, hot), reason))
}

fn slower(input: &Input, state: &mut State) -> Option<(Step, Reason)> {
    let explained = input.busy_elsewhere || is_held_by_system(input.reading);
    let evidence = state
        .slower
        .step(input.speed, input.duty, explained, input.seconds)?;
    let reason = Reason::SlowerThanCool {
        model: evidence.model.clone(),
        now: evidence.now,
        cool: evidence.cool,
    };
    let step = table::heat(input.policy.heat, ThermalState::Serious);
    Some((step, reason))
}

/// Whether the system itself runs slower for a reason that is not heat.
fn is_held_by_system(reading: &Reading) -> bool {
    reading.low_power == Some(true)
        || reading.on_mains == Some(false)
        || reading.pressure.is_some_and(|p| p > MemoryPressure::Normal)
}

/// Whether what a model does in this second is what it does on a cool machine that is not held back.
pub(crate) fn is_cool(reading: &Reading, decision: &Decision) -> bool {
    let hot = thermal(reading).is_some_and(|state| state > ThermalState::Nominal);
    !hot && !is_held_by_system(reading) && decision.limits.duty >= 1.0
}

fn memory(input: &Input, state: &mut State) -> Option<(Step, Reason)> {
    let used = input.reading.memory.and_then(|memory| {
        let total = memory.total_bytes;
        (total > 0).then(|| (memory.used_bytes as f64 / total as f64) as f32)
    });
    let full = used.is_some_and(|used| used > MUCH_USED);
    let said = input.reading.pressure.unwrap_or(MemoryPressure::Normal) as u8;
    let pressure = match state.memory.step(said.max(u8::from(full)), input.seconds) {
        0 => return None,
        1 => MemoryPressure::Warning,
        _ => MemoryPressure::Critical,
    };
    Some((table::memory(pressure), Reason::Memory { pressure, used }))
}

/// Battery and Low Power Mode. The rungs follow the machine and not the wish, so that a change of settings counts at once.
fn power(input: &Input, state: &mut State, held: &mut Vec<(Step, Reason)>) {
    let (reading, policy) = (input.reading, input.policy);
    let saves = u8::from(reading.low_power == Some(true));
    if state.low_power.step(saves, input.seconds) > 0 && policy.low_power_slows {
        held.push((table::low_power(), Reason::LowPowerMode));
    }
    let away = reading.on_mains == Some(false);
    let on_battery = state.battery.step(u8::from(away), input.seconds) > 0;
    let Some(percent) = reading.battery.map(|battery| battery.percent) else {
        return;
    };
    let reason = Reason::Battery { percent };
    let gap = if state.floor.at() > 0 { FLOOR_GAP } else { 0.0 };
    let low = policy
        .battery_floor
        .is_some_and(|floor| away && percent < floor + gap);
    let below = state.floor.step(u8::from(low), input.seconds) > 0;
    if below && policy.battery_floor.is_some() {
        held.push((table::battery_floor(), reason));
    } else if on_battery {
        held.push((table::battery(policy.on_battery), reason));
    }
}

fn quiet(input: &Input, state: &mut State, held: &mut Vec<(Step, Reason)>) {
    let last = Last {
        running: input.speed.is_some(),
        duty: input.duty,
        seconds: input.seconds,
    };
    match input.policy.quiet_watts {
        None => state.watts = Pace::default(),
        Some(cap) => {
            let now = input.reading.system_watts;
            let duty = state.watts.for_watts(now, cap, last);
            held.push((table::paced(duty), Reason::QuietWatts { now, cap }));
        }
    }
    match input.policy.quiet_speed {
        None => state.speed = Pace::default(),
        Some(cap) => {
            let now = input.speed.map(|speed| speed.tokens_per_second);
            let duty = state.speed.for_speed(now, cap, last);
            held.push((table::paced(duty), Reason::QuietSpeed { cap }));
        }
    }
}

#[cfg(test)]
mod tests;
