//! Looks over the machine and the installation, and says what is wrong and what to do: `hearth doctor`, SPEC row O6.
//!
//! It only looks: nothing is repaired, loaded or asked of the user. What the server knows (who holds a port) it is told.

mod installation;
mod machine;

use serde::Serialize;

use crate::App;
use crate::env::Env;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// It could not be found out.
    Unknown,
    /// Hearth works, but not as well as it could.
    Warn,
    /// Something will not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// For scripts; does not change.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Finding {
    fn new(
        name: &'static str,
        title: &'static str,
        state: State,
        found: impl Into<String>,
    ) -> Self {
        Self {
            name,
            title,
            state,
            found: found.into(),
            fix: None,
        }
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// Who has the port that the server would take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortUse {
    Free,
    /// A Hearth of this installation listens there, or beside it.
    Ours {
        port: u16,
    },
    /// A sentence that says who has it.
    Taken {
        by: String,
    },
}

/// Looks at everything. Takes a second or two.
pub async fn examine(app: &App, env: &Env, port: PortUse) -> Vec<Finding> {
    let data = app.paths().data.clone();
    let mut findings = match tokio::task::spawn_blocking(move || machine::examine(&data)).await {
        Ok(findings) => findings,
        Err(error) => {
            tracing::error!(%error, "the machine could not be looked over");
            vec![Finding::new(
                "machine",
                "Machine",
                State::Unknown,
                "The machine could not be looked over; the log has more.",
            )]
        }
    };
    findings.extend(installation::examine(app, env, port).await);
    findings
}
