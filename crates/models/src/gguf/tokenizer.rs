//! The rules that make a vocabulary safe to tokenise with.
//!
//! Apart from the other rules because llama.cpp does not refuse most of these: it loads the file and then aborts, or throws
//! through C, at the first text it meets. Read from `llama-vocab.cpp` of the llama.cpp that llama-cpp-sys-2 0.1.161 carries.
//! It must not know how text is split.

use super::charsmap;
use super::metadata::Metadata;
use super::types::Kind;
use crate::error::{Error, Result};

/// The value that some converters write for "no such token" (-1 as an unsigned number).
const NO_TOKEN: u64 = u32::MAX as u64;

/// What llama.cpp assumes for a kind of tokenizer where the file says nothing: ids of special tokens, and what is added.
struct Defaults {
    bos: Option<u64>,
    eos: Option<u64>,
    sep: Option<u64>,
    unknown: Option<u64>,
    adds_bos: bool,
    adds_eos: bool,
}

/// Pre-tokenizers with which llama.cpp puts the beginning-of-text token first unless the file says otherwise.
const PRE_ADDS_BOS: &[&str] = &[
    "llama3",
    "llama-v3",
    "llama-bpe",
    "falcon3",
    "falcon-h1",
    "pixtral",
    "midm-2.0",
    "lfm2",
    "jina-v5-nano",
    "tekken",
    "chameleon",
];

fn defaults(model: &str, pre: &str) -> Option<Defaults> {
    let none = Defaults {
        bos: None,
        eos: None,
        sep: None,
        unknown: None,
        adds_bos: false,
        adds_eos: false,
    };
    Some(match model {
        "llama" => Defaults {
            bos: Some(1),
            eos: Some(2),
            adds_bos: true,
            ..none
        },
        "plamo2" => Defaults {
            bos: Some(1),
            eos: Some(2),
            ..none
        },
        "bert" => Defaults {
            bos: Some(101),
            sep: Some(102),
            unknown: Some(100),
            ..none
        },
        "t5" => Defaults {
            eos: Some(1),
            unknown: Some(2),
            adds_eos: true,
            ..none
        },
        "gpt2" | "hybriddna" | "whitespace" => Defaults {
            bos: Some(11),
            eos: Some(11),
            adds_bos: PRE_ADDS_BOS.contains(&pre),
            ..none
        },
        "gemma4" => Defaults {
            adds_bos: true,
            ..none
        },
        "rwkv" => none,
        _ => return None,
    })
}

/// Checks the tokenizer and returns the number of tokens.
pub(super) fn check(metadata: &Metadata) -> Result<u64> {
    let key = "tokenizer.ggml.model";
    let model = metadata
        .text(key)?
        .ok_or_else(|| metadata.wrong(key, "is missing"))?;
    if matches!(model, "no_vocab" | "none") {
        // llama.cpp loads such a file and aborts on the first text.
        return Err(Error::Unsupported {
            what: model.to_owned(),
            reason: "it has no vocabulary".into(),
        });
    }
    let pre = metadata.text("tokenizer.ggml.pre")?.unwrap_or_default();
    let defaults = defaults(model, pre)
        .ok_or_else(|| metadata.wrong(key, format!("`{model}` is no tokenizer that is known")))?;
    if pre == "whitespace" && model != "whitespace" {
        // Only that tokenizer takes the spaces out before it looks for merges, which llama.cpp asserts.
        return Err(metadata.wrong(
            "tokenizer.ggml.pre",
            format!("`{pre}` does not go with the tokenizer `{model}`"),
        ));
    }
    let tokens = check_tokens(metadata)?;
    check_merges(metadata, model, pre)?;
    check_special(metadata, model, pre, tokens, &defaults)?;
    check_bytes(metadata, model)?;
    check_charsmap(metadata)?;
    metadata.text("tokenizer.chat_template")?;
    Ok(tokens)
}

fn check_tokens(metadata: &Metadata) -> Result<u64> {
    let key = "tokenizer.ggml.tokens";
    let Some((kind, tokens)) = metadata.array(key)? else {
        return Err(metadata.wrong(key, "is missing"));
    };
    if kind != Kind::String {
        return Err(metadata.wrong(key, "must be an array of strings"));
    }
    if tokens == 0 {
        return Err(metadata.wrong(key, "is empty"));
    }
    if metadata.vocabulary.has_duplicates {
        // llama.cpp asserts that every text has one id.
        return Err(metadata.wrong(key, "two tokens have the same text"));
    }
    for (key, kinds, wanted) in [
        (
            "tokenizer.ggml.token_type",
            [Kind::I32, Kind::I32],
            "an array of signed 32-bit numbers",
        ),
        (
            "tokenizer.ggml.scores",
            [Kind::F32, Kind::I32],
            "an array of 32-bit numbers",
        ),
    ] {
        let Some((kind, count)) = metadata.array(key)? else {
            continue;
        };
        if !kinds.contains(&kind) {
            return Err(metadata.wrong(key, format!("must be {wanted}")));
        }
        if count != tokens {
            return Err(metadata.wrong(key, format!("has {count} elements for {tokens} tokens")));
        }
    }
    if let Some(index) = metadata.vocabulary.bad_score {
        return Err(metadata.wrong(
            "tokenizer.ggml.scores",
            format!("element {index} is not a number"),
        ));
    }
    Ok(tokens)
}

fn check_merges(metadata: &Metadata, model: &str, pre: &str) -> Result<()> {
    let key = "tokenizer.ggml.merges";
    let needed =
        matches!(model, "gpt2" | "hybriddna" | "whitespace" | "gemma4") && pre != "kimi-k2";
    match metadata.array(key)? {
        Some((kind, _)) if kind != Kind::String => {
            Err(metadata.wrong(key, "must be an array of strings"))
        }
        None if needed => Err(metadata.wrong(key, "is missing")),
        _ => Ok(()),
    }
}

/// Ids must be tokens; and a token that is put round every text must exist, which llama.cpp asserts at the first text.
fn check_special(
    metadata: &Metadata,
    model: &str,
    pre: &str,
    tokens: u64,
    defaults: &Defaults,
) -> Result<()> {
    let mut keys: Vec<&String> = metadata
        .entries
        .keys()
        .filter(|key| key.ends_with("_token_id"))
        .collect();
    keys.sort_unstable();
    for key in keys {
        let id = metadata.size(key)?;
        if let Some(id) = id.filter(|id| *id >= tokens && *id != NO_TOKEN) {
            return Err(metadata.wrong(key, format!("is {id}, but there are {tokens} tokens")));
        }
    }
    let exists = |name: &str, default: Option<u64>| -> Result<bool> {
        let given = metadata.size(&format!("tokenizer.ggml.{name}_token_id"))?;
        Ok(given
            .filter(|id| *id < tokens)
            .or(default)
            .is_some_and(|id| id < tokens))
    };
    let adds = |name: &str, default: bool| -> Result<bool> {
        Ok(metadata
            .flag(&format!("tokenizer.ggml.add_{name}_token"))?
            .unwrap_or(default))
    };
    let forced =
        matches!(model, "gemma4" | "bert") || matches!(pre, "gemma4" | "granite-embed-multi-311m");
    for (name, added, there) in [
        (
            "bos",
            adds("bos", defaults.adds_bos)? || forced,
            exists("bos", defaults.bos)?,
        ),
        (
            "eos",
            adds("eos", defaults.adds_eos)?,
            exists("eos", defaults.eos)?,
        ),
        (
            "unknown",
            matches!(model, "bert" | "t5"),
            exists("unknown", defaults.unknown)?,
        ),
        // The key is misspelt in the format itself.
        (
            "seperator",
            model == "bert",
            exists("seperator", defaults.sep)?,
        ),
    ] {
        if added && !there {
            let key = format!("tokenizer.ggml.{name}_token_id");
            return Err(metadata.wrong(&key, "is needed for every text but is no token"));
        }
    }
    Ok(())
}

/// Without a token for a byte, these tokenizers throw at the first text that contains it.
fn check_bytes(metadata: &Metadata, model: &str) -> Result<()> {
    let vocabulary = &metadata.vocabulary;
    if matches!(model, "llama" | "plamo2")
        && let Some(byte) = vocabulary.bytes.iter().position(|present| !present)
    {
        return Err(metadata.wrong(
            "tokenizer.ggml.tokens",
            format!("has no token for the byte 0x{byte:02X}"),
        ));
    }
    if model == "rwkv"
        && let Some(byte) = vocabulary.escaped_bytes.iter().position(|present| !present)
    {
        // Its tokenizer goes back to where a word began when the word is none, and would do so for ever.
        return Err(metadata.wrong(
            "tokenizer.ggml.tokens",
            format!("has no token for the byte 0x{byte:02X} alone"),
        ));
    }
    let key = "tokenizer.ggml.token_type";
    if model == "bert"
        && let Some(id) = vocabulary.byte_typed.first()
    {
        return Err(metadata.wrong(
            key,
            format!("token {id} is of the type byte, which this tokenizer aborts on"),
        ));
    }
    let too_short = vocabulary
        .byte_typed
        .iter()
        .find(|id| vocabulary.short.binary_search(id).is_ok());
    match too_short {
        Some(id) => Err(metadata.wrong(
            key,
            format!("token {id} is of the type byte but its text is too short for one"),
        )),
        None => Ok(()),
    }
}

fn check_charsmap(metadata: &Metadata) -> Result<()> {
    let key = "tokenizer.ggml.precompiled_charsmap";
    if metadata.array(key)?.is_none() {
        return Ok(());
    }
    let Some(map) = &metadata.vocabulary.charsmap else {
        return Err(metadata.wrong(key, "must be an array of bytes"));
    };
    charsmap::check(map).map_err(|reason| metadata.wrong(key, reason))
}
