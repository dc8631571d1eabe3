//! Pictures in messages: whether they can be taken, said in one place for all dialects.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::refusal::Refusal;

/// A message shows a picture, and no model here can see one yet. `param` is the part of the request that holds it.
pub(crate) fn cannot_see(param: impl Into<String>) -> Refusal {
    let message = "This model cannot see pictures.";
    Refusal::new(StatusCode::BAD_REQUEST, "model_cannot_see", message)
        .hint("Leave the pictures out.")
        .param(param)
}

/// Pictures as base64, in order. `param` is the field that holds them.
pub(crate) fn by_base64(pictures: &[impl AsRef<str>], param: impl Into<String>) -> Refusal {
    let is_broken = |picture: &str| STANDARD.decode(picture.trim()).is_err();
    if pictures.iter().any(|picture| is_broken(picture.as_ref())) {
        return Refusal::invalid(param, "is not base64");
    }
    cannot_see(param)
}

/// A picture by its URL: only the picture itself is taken, never an address. Fetching one would let a stranger's text make Hearth call
/// any host.
pub(crate) fn by_url(url: &str, param: impl Into<String>) -> Refusal {
    if url.starts_with("data:") {
        return cannot_see(param);
    }
    Refusal::invalid(
        param,
        "must be a `data:` URL that holds the picture; Hearth fetches nothing",
    )
}
