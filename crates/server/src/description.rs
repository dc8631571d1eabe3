//! `/openapi.json`: what every route takes and gives, and how keys are sent. Each dialect describes its own routes; here they are
//! joined, and what all of them have is added once.
//!
//! No route leads to chats, settings, keys or files.

use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ObjectBuilder, OpenApi as Document, Required, SecurityRequirement, Type};
use utoipa::{OpenApi, ToSchema};

use crate::{anthropic, insight, lm_studio, loaded, moments, ollama, openai};

/// One of the events of a stream. What is in `data` depends on the dialect.
#[derive(ToSchema)]
#[allow(dead_code)] // Never made: `sse` writes them.
pub(crate) struct SentEvent {
    /// Its name, in the dialects that name them.
    #[schema(nullable = false)]
    event: Option<String>,
    /// JSON, or `[DONE]`.
    data: String,
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Hearth",
    description = "Models on this machine, in the dialects that clients know."
))]
struct Description;

/// The description of all routes.
pub(crate) fn description() -> Document {
    let mut all = Description::openapi();
    for part in [
        insight::Description::openapi(),
        openai::Description::openapi(),
        ollama::Description::openapi(),
        lm_studio::Description::openapi(),
        anthropic::Description::openapi(),
        loaded::Description::openapi(),
        moments::Description::openapi(),
    ] {
        all.merge(part);
    }
    for (path, original) in lm_studio::SAME_AS {
        let described = all.paths.get_path_operation(original, HttpMethod::Post);
        if let Some(operation) = described.cloned() {
            let operation = named(operation, "lm-studio", path);
            all.paths
                .add_path_operation(path, vec![HttpMethod::Post], operation);
        }
    }
    for path in ollama::NOT_OFFERED {
        all.paths
            .add_path_operation(path, vec![HttpMethod::Post], not_offered(path));
    }
    keys(&mut all);
    all
}

/// The same operation at another path: its id must be another one too.
fn named(operation: Operation, tag: &str, path: &str) -> Operation {
    let id = path.trim_matches('/').replace(['/', '-', '{', '}'], "_");
    OperationBuilder::from(operation)
        .tags(Some([tag]))
        .operation_id(Some(id))
        .build()
}

/// A route that says that it is not offered.
fn not_offered(path: &str) -> Operation {
    let operation = OperationBuilder::new()
        .summary(Some("Not offered."))
        .responses(
            utoipa::openapi::ResponsesBuilder::new()
                .responses_from_into_responses::<ollama::error::Failure>()
                .build(),
        );
    let operation = match path.split_once('{') {
        Some((_, rest)) => operation.parameter(
            ParameterBuilder::new()
                .name(rest.trim_end_matches('}'))
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(ObjectBuilder::new().schema_type(Type::String))),
        ),
        None => operation,
    };
    named(operation.build(), "ollama", path)
}

/// Keys, which a server needs only when the settings say so; so each requirement is one of several, and none is among them.
fn keys(all: &mut Document) {
    let header = |name| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(name)));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let schemes = [
        ("bearer", SecurityScheme::Http(bearer)),
        ("x-api-key", header("x-api-key")),
        ("api-key", header("api-key")),
    ];
    let none = [SecurityRequirement::default()];
    let any = schemes
        .each_ref()
        .map(|(name, _)| SecurityRequirement::new(*name, [""; 0]));
    all.security = Some(none.into_iter().chain(any).collect());
    let components = all.components.get_or_insert_default();
    for (name, scheme) in schemes {
        components.add_security_scheme(name, scheme);
    }
}

#[cfg(test)]
mod tests;
