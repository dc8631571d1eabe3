//! Chain and constraints on the starter model; without its file they pass and say so.

use std::num::NonZeroU32;
use std::sync::{Mutex, OnceLock, PoisonError};

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use serde_json::{Value, json};

use super::{Chain, largest};
use crate::constrain::Constraint;
use crate::constrain::compile::Compiling;
use crate::llama::constrain::Grammars;
use crate::output::Syntax;
use crate::{Error, Request, Sampling, Tool, ToolChoice};

#[test]
fn the_first_of_the_largest_logits_is_chosen() {
    let mut logits: Vec<f32> = (0..5003).map(|i| (i * 7919 % 997) as f32).collect();
    for places in [
        vec![3, 500],
        vec![17, 18, 1002],
        vec![5002],
        vec![0, 4097],
        vec![5000],
    ] {
        for at in &places {
            logits[*at] = 2000.0;
        }
        assert_eq!(largest(&logits), Some(places[0] as i32));
        for at in &places {
            logits[*at] = f32::NAN;
        }
        let rest = largest(&logits).unwrap() as usize;
        assert!(!places.contains(&rest), "{rest} is no number");
    }
    let none = [f32::NEG_INFINITY, f32::NAN];
    assert_eq!(largest(&none.repeat(20)), None);
    assert_eq!(largest(&[-3.0, -1.0, -2.0]), Some(1));
    assert_eq!(largest(&[]), None);
}

type Change = fn(&mut Sampling);

const PROMPT: &str =
    "<|im_start|>user\nDescribe a person as JSON.<|im_end|>\n<|im_start|>assistant\n";

fn backend() -> &'static LlamaBackend {
    static BACKEND: OnceLock<LlamaBackend> = OnceLock::new();
    BACKEND.get_or_init(|| {
        llama_cpp_2::send_logs_to_tracing(llama_cpp_2::LogOptions::default());
        LlamaBackend::init().unwrap()
    })
}

/// The starter model, where the set-up put it.
fn model() -> Option<&'static LlamaModel> {
    static MODEL: OnceLock<Option<LlamaModel>> = OnceLock::new();
    MODEL
        .get_or_init(|| {
            let home = std::env::home_dir()?;
            let path = home.join(".cache/hearth/models/SmolLM2-135M-Instruct.Q4_1.gguf");
            if !path.is_file() {
                println!("skipped: the starter model is not there (make model)");
                return None;
            }
            let params = LlamaModelParams::default();
            Some(LlamaModel::load_from_file(backend(), path, &params).unwrap())
        })
        .as_ref()
}

fn context(model: &LlamaModel) -> LlamaContext<'_> {
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(2048))
        .with_n_threads(1)
        .with_n_threads_batch(1);
    model.new_context(backend(), params).unwrap()
}

/// What the model answers, and whether it ended by itself.
fn answer(model: &LlamaModel, request: &Request, most: usize) -> Result<(String, bool), Error> {
    // Reading the vocabulary takes seconds in a build without optimisation.
    static GRAMMARS: Mutex<Option<Grammars>> = Mutex::new(None);
    let mut grammars = GRAMMARS.lock().unwrap_or_else(PoisonError::into_inner);
    let guide = grammars
        .get_or_insert_default()
        .start(request, &Syntax::default(), model)?
        .map(Compiling::wait)
        .transpose()?;
    drop(grammars);
    let vocab = model.vocab();
    let prompt: Vec<i32> = vocab
        .tokenize(PROMPT.as_bytes(), true, true)
        .iter()
        .map(|t| t.0)
        .collect();
    let mut chain = Chain::new(request, guide, model, &prompt)?;
    let mut context = context(model);
    let mut batch = LlamaBatch::new(512, 1);
    for (at, token) in (0..).zip(&prompt) {
        let last = at as usize + 1 == prompt.len();
        batch.add(LlamaToken(*token), at, &[0], last).unwrap();
    }
    let (mut text, mut position) = (Vec::new(), prompt.len() as i32);
    for _ in 0..most {
        context.decode(&mut batch).unwrap();
        let token = chain.sample(&context, batch.n_tokens() - 1)?;
        if let Some(top) = request.sampling.logprobs {
            let ranked = chain.ranked().unwrap();
            assert_eq!(ranked.top.len(), usize::from(top));
            assert!(ranked.chosen <= 0.0 && ranked.chosen <= ranked.top[0].1);
        }
        if vocab.is_eog(LlamaToken(token)) {
            return Ok((String::from_utf8(text).unwrap(), true));
        }
        vocab.token_to_piece_into(LlamaToken(token), &mut text, false, None);
        batch.clear();
        batch.add(LlamaToken(token), position, &[0], true).unwrap();
        position += 1;
    }
    Ok((String::from_utf8_lossy(&text).into_owned(), false))
}

fn constrained(constraint: Constraint) -> Request {
    let mut request = Request::text(PROMPT);
    request.constraint = Some(constraint);
    request.sampling = Sampling {
        temperature: 1.5,
        top_k: 0,
        top_p: 1.0,
        seed: Some(11),
        ..Sampling::default()
    };
    request
}

#[test]
fn json_of_a_schema_conforms_even_when_the_model_is_hot() {
    let Some(model) = model() else { return };
    let schema = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "maxLength": 12 },
            "age": { "type": "integer", "minimum": 0, "maximum": 150 },
            "tags": { "type": "array", "items": { "enum": ["kind", "tall"] }, "maxItems": 3 },
        },
        "required": ["name", "age", "tags"],
        "additionalProperties": false,
    });
    for seed in 0..5 {
        let mut request = constrained(Constraint::JsonSchema(schema.clone()));
        request.sampling.seed = Some(seed);
        let (text, ended) = answer(model, &request, 300).unwrap();
        assert!(ended, "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        let fields = value.as_object().unwrap();
        assert_eq!(fields.len(), 3, "{text}");
        assert!(
            fields["name"].as_str().unwrap().chars().count() <= 12,
            "{text}"
        );
        assert!(fields["age"].as_u64().unwrap() <= 150, "{text}");
        let tags = fields["tags"].as_array().unwrap();
        assert!(
            tags.len() <= 3 && tags.iter().all(|t| t == "kind" || t == "tall"),
            "{text}"
        );
    }
}

#[test]
fn regex_and_gbnf_hold_the_whole_answer() {
    let Some(model) = model() else { return };
    let request = constrained(Constraint::Regex(r"[A-Z][a-z]{2,5}/\d{3}".into()));
    let (text, ended) = answer(model, &request, 40).unwrap();
    let (word, number) = text.split_once('/').unwrap();
    assert!(
        ended && number.len() == 3 && number.parse::<u32>().is_ok(),
        "{text}"
    );
    assert!(
        (3..=6).contains(&word.len()) && word.starts_with(char::is_uppercase),
        "{text}"
    );

    let grammar = "root ::= item item\nitem ::= \"- \" (\"x\" | \"[\" item \"]\") \"\\n\"";
    let mut request = constrained(Constraint::Gbnf(grammar.into()));
    request.sampling = Sampling::greedy();
    let (text, ended) = answer(model, &request, 200).unwrap();
    if ended {
        assert_eq!(text.matches("x\n").count(), 2, "{text}");
    }
    assert!(
        text.starts_with("- ") && text.chars().all(|c| "- x[]\n".contains(c)),
        "{text}"
    );
}

#[test]
fn every_sampler_runs_with_and_without_a_constraint() {
    let Some(model) = model() else { return };
    let changes: [(&str, Change); 11] = [
        ("greedy", |s| s.temperature = 0.0),
        ("xtc", |s| s.xtc_probability = 1.0),
        ("dry", |s| s.dry_multiplier = 0.8),
        ("mirostat 1", |s| s.mirostat = 1),
        ("mirostat 2", |s| s.mirostat = 2),
        ("top_n_sigma", |s| s.top_n_sigma = 1.0),
        ("typical_p", |s| s.typical_p = 0.5),
        ("penalties", |s| s.repeat_penalty = 1.3),
        ("bias", |s| s.logit_bias = vec![(30, 5.0), (31, -100.0)]),
        ("logprobs", |s| s.logprobs = Some(4)),
        ("greedy with bias", |s| {
            s.temperature = 0.0;
            s.logit_bias = vec![(30, 5.0)];
        }),
    ];
    for (name, change) in changes {
        for constraint in [None, Some(Constraint::JsonObject)] {
            let mut request = constrained(Constraint::JsonObject);
            request.sampling.temperature = 0.8;
            request.constraint = constraint;
            change(&mut request.sampling);
            let first = answer(model, &request, 12).unwrap();
            assert_eq!(
                first,
                answer(model, &request, 12).unwrap(),
                "{name}: same seed"
            );
            if request.constraint.is_some() {
                assert!(first.0.starts_with('{'), "{name}: {}", first.0);
            }
        }
    }
}

#[test]
fn a_bias_forbids_and_forces_a_token() {
    let Some(model) = model() else { return };
    let token = model.vocab().tokenize(b"xyz", false, false)[0];
    let mut request = Request::text(PROMPT);
    request.sampling = Sampling::greedy();
    request.sampling.logit_bias = vec![(token.0, 100.0)];
    let (text, _) = answer(model, &request, 3).unwrap();
    let mut piece = Vec::new();
    model
        .vocab()
        .token_to_piece_into(token, &mut piece, false, None);
    assert_eq!(text, String::from_utf8(piece).unwrap().repeat(3));

    request.sampling.logit_bias = vec![(10_000_000, 1.0)];
    match answer(model, &request, 1) {
        Err(Error::InvalidRequest { field, reason }) => {
            assert_eq!(field, "logit_bias");
            assert!(reason.contains("49152"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_required_call_is_a_call_of_a_known_tool() {
    let Some(model) = model() else { return };
    let tool = |name: &str| Tool {
        name: name.into(),
        description: String::new(),
        parameters: json!({
            "type": "object",
            "properties": { "city": { "type": "string", "maxLength": 20 } },
            "required": ["city"],
            "additionalProperties": false,
        }),
    };
    let mut request = Request::text(PROMPT);
    request.sampling = Sampling::greedy();
    request.tools = vec![tool("get_weather"), tool("get_time")];
    request.tool_choice = ToolChoice::Named("get_time".into());
    request.parse = true;
    let (text, ended) = answer(model, &request, 120).unwrap();
    assert!(ended, "{text}");
    let json = text
        .strip_prefix("<tool_call>\n")
        .and_then(|t| t.strip_suffix("\n</tool_call>"))
        .unwrap();
    let call: Value = serde_json::from_str(json).unwrap();
    assert_eq!(call["name"], "get_time");
    assert!(call["arguments"]["city"].is_string(), "{text}");
}

#[test]
fn a_constraint_that_cannot_be_kept_is_refused_or_fails() {
    let Some(model) = model() else { return };
    let refused = [
        Constraint::JsonSchema(json!({ "type": "frog" })),
        Constraint::JsonSchema(json!({ "$ref": "#/$defs/none" })),
        Constraint::JsonSchema(json!({ "type": "integer", "minimum": 3, "maximum": 1 })),
        Constraint::JsonSchema(json!({ "not": { "type": "object" } })),
        Constraint::JsonSchema(json!(false)),
        Constraint::Regex("(".into()),
        Constraint::Gbnf("root ::= missing".into()),
        Constraint::Gbnf("root ::= root".into()),
    ];
    for constraint in refused {
        let shown = format!("{constraint:?}");
        let field = constraint.field();
        match answer(model, &constrained(constraint), 5) {
            Err(Error::InvalidRequest {
                field: found,
                reason,
            }) => {
                assert_eq!(found, field, "{shown}");
                assert!(!reason.contains("backtrace"), "{shown}: {reason}");
                println!("{shown}: {reason}");
            }
            other => panic!("{shown}: {other:?}"),
        }
    }
}
