//! The `hearth` command. As a child of itself it is the engine and nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    match hearth_app::run_worker_if_asked() {
        Some(code) => code,
        None => hearth_cli::run(),
    }
}
