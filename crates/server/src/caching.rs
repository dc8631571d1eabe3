//! Whether a result may come from memory: `cache-control: no-store` (or `no-cache`) asks for a new one.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

/// Whether what was computed before may be given again, and this be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caching(pub(crate) bool);

impl<S: Sync> FromRequestParts<S> for Caching {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let values = parts.headers.get_all(header::CACHE_CONTROL).iter();
        let words = values.filter_map(|value| value.to_str().ok());
        let forbids = |word: &str| {
            let word = word.trim();
            word.eq_ignore_ascii_case("no-store") || word.eq_ignore_ascii_case("no-cache")
        };
        let is_forbidden = words.flat_map(|line| line.split(',')).any(forbids);
        Ok(Self(!is_forbidden))
    }
}
