//! Keeps the tray as it should look: looks at every moment, changes what differs, at most once a second.

use std::time::Duration;

use hearth_app::App;
use hearth_app::inference::EngineState;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::face::{Face, Flame, Titles, face};

/// The shortest time between two changes: each one makes the system draw.
const PACE: Duration = Duration::from_secs(1);

/// What a tray can be told; the real one, or one that counts.
pub trait Surface {
    fn set_icon(&mut self, flame: Flame, dot: bool);
    /// Empty is no text.
    fn set_text(&mut self, text: &str);
    fn set_state(&mut self, line: &str);
    fn set_reason(&mut self, line: &str);
}

/// Tells a tray what differs from what it shows.
pub fn show(surface: &mut impl Surface, shown: Option<&Face>, face: &Face) {
    if shown.map(|s| (s.flame, s.dot)) != Some((face.flame, face.dot)) {
        surface.set_icon(face.flame, face.dot);
    }
    if shown.map(|s| s.text.as_str()).unwrap_or_default() != face.text {
        surface.set_text(&face.text);
    }
    if shown.map(|s| &s.state) != Some(&face.state) {
        surface.set_state(&face.state);
    }
    if shown.map(|s| &s.reason) != Some(&face.reason) {
        surface.set_reason(&face.reason);
    }
}

/// Follows the app until it ends. Looks when the engines or the settings announce a change, and at every moment of the monitor; what has
/// not changed is not touched.
pub async fn follow(app: &App, mut surface: impl Surface) {
    let mut events = app.events().subscribe();
    let mut moments = app.monitor().ok().map(|monitor| monitor.subscribe());
    let (mut shown, mut titles): (Option<Face>, _) = (None, Titles::new());
    let mut last = Instant::now();
    loop {
        let moment = moments.as_ref().map(|moments| moments.borrow().clone());
        let text = app.settings().get().tray_text;
        let engine = app.inference().state();
        learn(app, &engine, &mut titles).await;
        let now = face(&engine, moment.as_deref(), text, &titles);
        if shown.as_ref() != Some(&now) {
            tokio::time::sleep_until(last + PACE).await;
            last = Instant::now();
            show(&mut surface, shown.as_ref(), &now);
            shown = Some(now);
        }
        tokio::select! {
            event = events.recv() => if let Err(RecvError::Closed) = event {
                return;
            },
            still_there = async {
                match &mut moments {
                    Some(moments) => moments.changed().await.is_ok(),
                    None => std::future::pending().await,
                }
            } => if !still_there {
                moments = None;
            },
        }
    }
}

/// Asks what the engine's model is called, when it is another one. One that has no title has its name.
async fn learn(app: &App, engine: &EngineState, titles: &mut Titles) {
    let (EngineState::Loading { model, .. }
    | EngineState::Ready { model, .. }
    | EngineState::Generating { model, .. }) = engine
    else {
        return;
    };
    if !titles.contains_key(model) {
        let known = app.models().details(model).await;
        titles.insert(
            model.clone(),
            known.map_or(model.clone(), |known| known.title),
        );
    }
}

#[cfg(test)]
mod tests {
    use hearth_app::hardware::Reading;
    use hearth_app::settings::TrayText;
    use hearth_app::throttle::{Decision, Level, Reason};
    use hearth_app::timeline::Moment;

    use super::*;

    #[derive(Default)]
    struct Counted {
        changes: Vec<String>,
    }

    impl Surface for Counted {
        fn set_icon(&mut self, flame: Flame, dot: bool) {
            self.changes.push(format!("{flame:?} {dot}"));
        }
        fn set_text(&mut self, text: &str) {
            self.changes.push(format!("text {text}"));
        }
        fn set_state(&mut self, line: &str) {
            self.changes.push(line.to_owned());
        }
        fn set_reason(&mut self, line: &str) {
            self.changes.push(line.to_owned());
        }
    }

    /// What a tray is told over these moments.
    fn told(moments: &[Moment], text: TrayText) -> Vec<String> {
        let (mut surface, mut shown) = (Counted::default(), None);
        for moment in moments {
            let now = face(&EngineState::Unloaded, Some(moment), text, &Titles::new());
            show(&mut surface, shown.as_ref(), &now);
            shown = Some(now);
        }
        surface.changes
    }

    #[test]
    fn an_idle_machine_never_touches_the_tray_however_its_sensors_move() {
        let moments: Vec<Moment> = (0_u8..200)
            .map(|n| {
                let reading = Reading {
                    at_ms: i64::from(n) * 1000,
                    cpu_celsius: Some(40.0 + f32::from(n % 7)),
                    system_watts: Some(f32::from(n)),
                    ..Reading::default()
                };
                Moment {
                    reading,
                    ..Moment::default()
                }
            })
            .collect();
        // The first look draws it, and no other.
        let drawn = ["Idle false", "No model loaded", "Nothing is held back"];
        assert_eq!(told(&moments, TrayText::None), drawn);
        // With a text that the user asked for, only that changes, and only when its rounded figure does.
        let steady = vec![moments[0].clone(); 50];
        assert_eq!(told(&steady, TrayText::Temperature).len(), drawn.len() + 1);
    }

    #[test]
    fn only_what_differs_is_told() {
        let decision = Decision {
            level: Level::Slowed,
            reasons: vec![Reason::LowPowerMode],
            ..Decision::default()
        };
        let slowed = Moment {
            decision,
            ..Moment::default()
        };
        let changes = told(
            &[Moment::default(), slowed, Moment::default()],
            TrayText::None,
        );
        assert_eq!(
            changes[3..],
            [
                "Idle true",
                "Slowed by Low Power Mode",
                "Idle false",
                "Nothing is held back"
            ]
        );
    }
}
