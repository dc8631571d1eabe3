//! Pictures in a request, for every dialect of this crate that has them as base64.
//!
//! No engine here can look at one yet, so they are refused, and in one place. A picture is never dropped: the answer would be about
//! something the model did not see.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::refusal::Refusal;

/// Why these pictures, which came in the field `param`, cannot be shown to the model.
pub(crate) fn refuse(param: &str, pictures: &[impl AsRef<str>]) -> Refusal {
    let unreadable = |picture: &str| STANDARD.decode(picture.trim()).is_err();
    if pictures.iter().any(|p| unreadable(p.as_ref())) {
        return Refusal::invalid(param, "is not base64");
    }
    Refusal::invalid(param, "cannot be used: this model cannot see pictures")
        .hint("Leave the pictures out, or choose a model that can see.")
}
