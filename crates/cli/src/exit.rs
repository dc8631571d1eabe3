//! Exit codes and how an error is printed. The codes are a contract with scripts.

use std::process::ExitCode;

use hearth_app::{Code, Error};

/// Ctrl+C.
pub(crate) const INTERRUPTED: u8 = 130;

/// The exit code of an error.
fn code(code: Code) -> u8 {
    match code {
        Code::InvalidInput => 2,
        Code::NotFound | Code::ModelMissing => 3,
        Code::Network => 5,
        Code::InsufficientMemory | Code::DiskFull => 6,
        Code::Busy | Code::Refused | Code::StorageReadOnly | Code::StorageNewer => 7,
        Code::EngineUnresponsive => 124,
        Code::ModelInvalid
        | Code::ModelUnsupported
        | Code::ModelUnreadable
        | Code::ContextOverflow
        | Code::EngineCrashed
        | Code::EngineUnavailable
        | Code::Storage
        | Code::Settings
        | Code::Unsupported
        | Code::Internal => 1,
    }
}

/// Prints an error: for people on standard error, with `--json` as an object on standard output as well.
pub(crate) fn report(error: &Error, json: bool) -> ExitCode {
    if json {
        println!("{}", serde_json::json!({ "error": error }));
    }
    eprintln!("hearth: {}", error.message);
    if let Some(hint) = &error.hint {
        eprintln!("        {hint}");
    }
    ExitCode::from(code(error.code))
}
