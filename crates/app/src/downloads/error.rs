//! What the user is told when a model cannot be fetched.

use hearth_models::hub::Error as Leaf;

use crate::error::{Code, Error, sentence};
use crate::models::NO_ROOM;

impl From<Leaf> for Error {
    fn from(error: Leaf) -> Self {
        let message = match error {
            Leaf::Model(leaf) => return leaf.into(),
            Leaf::DiskFull(no_room) => return no_room.into(),
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
        Leaf::DiskFull(_) => (Code::DiskFull, NO_ROOM),
        Leaf::Disk { .. } => (
            Code::Storage,
            "Check the permissions of your models folder and the free space.",
        ),
        Leaf::InUse { .. } => (Code::Busy, "Wait for it, or stop the other one."),
        Leaf::Model(_) => (Code::ModelInvalid, "Choose another model."),
    }
}
