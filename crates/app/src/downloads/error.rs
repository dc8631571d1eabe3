//! What the user is told when a model cannot be fetched.

use hearth_models::hub::Error as Leaf;

use crate::error::{Code, Error, sentence};

impl From<Leaf> for Error {
    fn from(error: Leaf) -> Self {
        let message = match error {
            Leaf::Model(leaf) => return leaf.into(),
            Leaf::DiskFull { .. } => disk_full(&error),
            _ => sentence(&error.to_string()),
        };
        let (code, hint) = advice(&error);
        let told = Self::new(code, message).hint(hint);
        match error {
            Leaf::Limited { wait, .. } | Leaf::Unavailable { wait, .. } => {
                let seconds = wait.map(|wait| wait.as_secs().max(1));
                seconds.map_or(told.clone(), |seconds| told.retry_after_s(seconds))
            }
            _ => told,
        }
    }
}

/// The code of an error, and what to do.
fn advice(error: &Leaf) -> (Code, &'static str) {
    match error {
        Leaf::Name { .. } => (
            Code::InvalidInput,
            "Names look like `hf.co/owner/name`, `owner/name:Q4_K_M` or `owner/name/file.gguf`.",
        ),
        Leaf::Endpoint(_) => (Code::Settings, "Correct HF_ENDPOINT, or unset it."),
        Leaf::Token => (Code::Settings, "Copy the token again from your account."),
        Leaf::SignIn { .. } => (
            Code::Refused,
            "Check the name; if it is a private model, give Hearth a Hugging Face token: under Models or Settings, or as HF_TOKEN.",
        ),
        Leaf::Gated { .. } => (
            Code::Refused,
            "Accept the terms on that page, and give Hearth a token of the same account: under Models or Settings, or as HF_TOKEN.",
        ),
        Leaf::Missing { .. } => (Code::ModelMissing, "Look the name up on the hub."),
        Leaf::NoModel { .. } => (
            Code::ModelMissing,
            "Look for a repository of the same model with GGUF in its name.",
        ),
        Leaf::NoChoice { .. } => (Code::ModelMissing, "Name one of these behind a colon."),
        Leaf::Limited { .. } | Leaf::Unavailable { .. } => (
            Code::Network,
            "Try again in a few minutes; what is here is kept.",
        ),
        Leaf::Unreachable { .. } | Leaf::Stalled { .. } | Leaf::Broken { .. } => (
            Code::Network,
            "Check your connection and go on; what is here is kept.",
        ),
        Leaf::WebPage { .. } => (
            Code::Network,
            "This network may want you to sign in first: open a web page, then go on.",
        ),
        Leaf::Redirect { .. } | Leaf::WrongHash { .. } => (
            Code::Network,
            "Something on the way changes what the hub sends; try another network.",
        ),
        Leaf::Unreadable { .. } => (Code::Network, "Try again later, or another network."),
        Leaf::Changed { .. } => (Code::Network, "Fetch it again."),
        Leaf::DiskFull { .. } => (
            Code::DiskFull,
            "Free some space and go on; what is here is kept. what is left free is a setting (or HEARTH_DISK_RESERVE_GB).",
        ),
        Leaf::Disk { .. } => (
            Code::Storage,
            "Check the permissions of your models folder and the free space.",
        ),
        Leaf::InUse { .. } => (Code::Busy, "Wait for it, or stop the other one."),
        Leaf::Model(_) => (Code::ModelInvalid, "Choose another model."),
    }
}

/// Figures as people read them.
fn disk_full(error: &Leaf) -> String {
    let Leaf::DiskFull {
        needed_bytes,
        free_bytes,
        reserve_bytes,
    } = error
    else {
        return "The disk is full.".to_owned();
    };
    let gb = |bytes: u64| match bytes {
        0..1_000_000_000 => format!("{} MB", bytes.div_ceil(1_000_000)),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    };
    format!(
        "There is not enough room on the disk: {} more are needed, {} are free, and Hearth leaves {} of them.",
        gb(*needed_bytes),
        gb(*free_bytes),
        gb(*reserve_bytes)
    )
}
