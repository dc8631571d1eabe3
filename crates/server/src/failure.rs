//! A refusal in the words of a dialect: the one form that the errors of all dialects have in code, whatever shape they have in JSON.
//!
//! It must not know the dialects; each says its shape through [`Dialect`].

use std::collections::BTreeMap;
use std::marker::PhantomData;

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::refusal::Refusal;

/// Longest path that a message repeats, in characters.
const MAX_PATH: usize = 200;

/// How a dialect writes an error.
pub(crate) trait Dialect: 'static {
    /// What is written, as a response and in the middle of a stream.
    type Body: Serialize + ToSchema;

    fn body(refusal: &Refusal) -> Self::Body;
}

/// A refusal in the shape of the dialect `D`. Handlers return it by `?`.
#[derive(Debug)]
pub(crate) struct Failure<D>(Refusal, PhantomData<fn() -> D>);

impl<T: Into<Refusal>, D> From<T> for Failure<D> {
    fn from(refusal: T) -> Self {
        Self(refusal.into(), PhantomData)
    }
}

impl<D: Dialect> IntoResponse for Failure<D> {
    fn into_response(self) -> Response {
        let mut response = Json(D::body(&self.0)).into_response();
        self.0.mark(&mut response);
        response
    }
}

/// For the description of the routes: any of them may refuse, and all refusals of a dialect have one shape.
impl<D: Dialect> IntoResponses for Failure<D> {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        [
            ("4XX", "What is wrong with the request"),
            ("5XX", "Why it cannot be answered"),
        ]
        .into_iter()
        .map(|(status, description)| {
            let schema = Ref::from_schema_name(D::Body::name());
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let response = ResponseBuilder::new()
                .description(description)
                .content("application/json", content)
                .build();
            (status.to_owned(), response.into())
        })
        .collect()
    }
}

/// There is nothing at this path.
pub(crate) async fn no_route<D: Dialect>(uri: Uri) -> Failure<D> {
    let message = format!("There is no route `{}`.", shown(&uri));
    Refusal::new(StatusCode::NOT_FOUND, "not_found", message).into()
}

/// There is something at this path, but not for this method.
pub(crate) async fn no_method<D: Dialect>(method: Method, uri: Uri) -> Failure<D> {
    let message = format!("`{}` does not take the method {method}.", shown(&uri));
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Refusal::new(status, "method_not_allowed", message).into()
}

fn shown(uri: &Uri) -> String {
    uri.path().chars().take(MAX_PATH).collect()
}
