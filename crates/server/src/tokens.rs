//! `POST /tokenize` and `POST /detokenize`: what a model's vocabulary makes of a text, in the form of llama.cpp's server.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::Body;
use crate::openai::error::{Failure, Result};
use crate::refusal::Refusal;
use crate::state::ServerState;

/// The body of `/tokenize`. Fields that are not here are ignored and counted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = hearth::TokenizeRequest)]
pub(crate) struct TokenizeRequest {
    /// A name of `/v1/models`; the loaded model that was used last unless said.
    model: Option<String>,
    /// Special tokens in it are recognised.
    content: String,
    /// Whether the model's begin token comes first, as in a prompt.
    add_special: Option<bool>,
}

/// Ids of the model's vocabulary.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = hearth::Tokenized)]
pub(crate) struct Tokenized {
    model: String,
    tokens: Vec<i32>,
}

/// The body of `/detokenize`. Fields that are not here are ignored and counted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = hearth::DetokenizeRequest)]
pub(crate) struct DetokenizeRequest {
    /// A name of `/v1/models`; the loaded model that was used last unless said.
    model: Option<String>,
    /// Ids of the model's vocabulary.
    tokens: Vec<i32>,
}

/// The text of tokens; broken characters are replaced.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = hearth::Detokenized)]
pub(crate) struct Detokenized {
    model: String,
    content: String,
}

/// Text to tokens.
#[utoipa::path(post, path = "/tokenize", tag = "hearth", operation_id = "tokenize", request_body = TokenizeRequest,
    responses((status = 200, description = "The tokens", body = Tokenized), Failure))]
pub(crate) async fn tokenize(
    State(state): State<ServerState>,
    body: std::result::Result<Body<TokenizeRequest>, Refusal>,
) -> Result<Json<Tokenized>> {
    let Body(asked) = body?;
    let model = asked.model.map_or_else(|| used_last(&state), Ok)?;
    let begins = asked.add_special == Some(true);
    let inference = state.app.inference();
    let made = inference.tokenize(&model, asked.content, begins).await?;
    Ok(Json(Tokenized {
        model: made.model,
        tokens: made.result,
    }))
}

/// Tokens to text.
#[utoipa::path(post, path = "/detokenize", tag = "hearth", operation_id = "detokenize", request_body = DetokenizeRequest,
    responses((status = 200, description = "The text", body = Detokenized), Failure))]
pub(crate) async fn detokenize(
    State(state): State<ServerState>,
    body: std::result::Result<Body<DetokenizeRequest>, Refusal>,
) -> Result<Json<Detokenized>> {
    let Body(asked) = body?;
    let model = asked.model.map_or_else(|| used_last(&state), Ok)?;
    let inference = state.app.inference();
    let made = inference.detokenize(&model, asked.tokens).await?;
    Ok(Json(Detokenized {
        model: made.model,
        content: made.result,
    }))
}

/// Clients of a server that has one model name none.
fn used_last(state: &ServerState) -> std::result::Result<String, Refusal> {
    let loaded = state.app.inference().loaded().into_iter();
    loaded
        .max_by_key(|model| model.last_used_ms)
        .map(|model| model.name)
        .ok_or_else(|| Refusal::invalid("model", "is missing, and no model is loaded"))
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use serde_json::json;

    use crate::testing::TestServer;

    #[tokio::test]
    async fn text_becomes_tokens_and_text_again() {
        let server = TestServer::start();
        let (status, answer) = server.post("/tokenize", &json!({ "content": "hé" })).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert_eq!(answer["error"]["param"], "model");
        let ask = json!({ "model": "starter", "content": "hé" });
        let (status, made) = server.post("/tokenize", &ask).await;
        assert_eq!(status, StatusCode::OK, "{made}");
        let expected = json!({ "model": "starter", "tokens": [0x68, 0xC3, 0xA9] });
        assert_eq!(made, expected);
        // Now a model is loaded, so none need be named.
        let ask = json!({ "tokens": made["tokens"] });
        let (status, text) = server.post("/detokenize", &ask).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        assert_eq!(text, json!({ "model": "starter", "content": "hé" }));
    }

    #[tokio::test]
    async fn what_is_wrong_is_named() {
        let server = TestServer::start();
        for (path, body, status, word) in [
            (
                "tokenize",
                r#"{"model": "none", "content": "a"}"#,
                404,
                "none",
            ),
            ("tokenize", r#"{"model": "starter"}"#, 400, "content"),
            (
                "tokenize",
                r#"{"model": "starter", "content": [1]}"#,
                400,
                "content",
            ),
            (
                "detokenize",
                r#"{"model": "starter", "tokens": [-1]}"#,
                400,
                "tokens",
            ),
            (
                "detokenize",
                r#"{"model": "starter", "tokens": "a"}"#,
                400,
                "tokens",
            ),
            (
                "detokenize",
                r#"{"model": "embedder", "tokens": [1]}"#,
                400,
                "tokenises",
            ),
        ] {
            let (found, answer) = server.post_text(&format!("/{path}"), body).await;
            assert_eq!(found, status, "{path} {body}: {answer}");
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(message.contains(word), "{path} {body}: {message}");
        }
    }
}
