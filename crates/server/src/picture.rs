//! Pictures in messages: how the dialects write them, and texts with pictures between them.
//!
//! Only the picture itself is taken, never an address: fetching one would let a stranger's text make Hearth call any host. Whether the
//! model can see, and how large a picture may be, is not decided here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hearth_app::engine::{Image, Message, Role};

use crate::refusal::Refusal;

/// The file of a picture that came as base64. `param` is the field that holds it.
pub(crate) fn from_base64(text: &str, param: impl Into<String>) -> Result<Vec<u8>, Refusal> {
    let file = STANDARD.decode(text.trim());
    file.map_err(|_| Refusal::invalid(param, "is not base64"))
}

/// The file of a picture that came as a `data:` URL.
pub(crate) fn from_url(url: &str, param: impl Into<String>) -> Result<Vec<u8>, Refusal> {
    let data = url.strip_prefix("data:").and_then(|rest| {
        let (kind, data) = rest.split_once(',')?;
        kind.ends_with(";base64").then_some(data)
    });
    match data {
        Some(data) => from_base64(data, param),
        None => Err(Refusal::invalid(
            param,
            "must be a `data:` URL that holds the picture as base64; Hearth fetches nothing",
        )),
    }
}

/// The parts of a message, one a line, as they come.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    text: String,
    images: Vec<Image>,
    count: usize,
}

impl Parts {
    pub(crate) fn text(&mut self, text: &str) {
        self.part();
        self.text.push_str(text);
    }

    pub(crate) fn picture(&mut self, file: Vec<u8>) {
        self.part();
        self.images.push(Image::at(file, self.text.len()));
    }

    fn part(&mut self) {
        if self.count > 0 {
            self.text.push('\n');
        }
        self.count += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The text, where no picture can stand. `param` is the field that holds the parts.
    pub(crate) fn into_text(self, param: impl Into<String>) -> Result<String, Refusal> {
        if self.images.is_empty() {
            Ok(self.text)
        } else {
            Err(Refusal::invalid(param, "cannot hold pictures"))
        }
    }

    /// The message of these parts.
    pub(crate) fn message(self, role: Role) -> Message {
        Message {
            images: self.images,
            ..Message::new(role, self.text)
        }
    }
}

#[cfg(test)]
mod tests;
