//! Reads the metadata entries of a file and keeps the few that the rules and the header need.
//!
//! Apart from the rules so that parsing is done when they start. Everything else is walked over with its lengths checked. It must
//! not judge values, only their form.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Seek};

use super::projector;
use super::reader::{Cursor, invalid};
use super::types::{
    Kind, MAX_ARRAY_ELEMENTS, MAX_ENTRIES, MAX_KEY_BYTES, MAX_LABEL_BYTES, MAX_LAYERS,
    MAX_STRING_BYTES, MAX_TEMPLATE_BYTES,
};
use super::vocabulary::Vocabulary;
use crate::error::Result;

/// Most entries that are kept; a real file has about forty of them.
const MAX_KEPT: usize = 1024;

/// A value that was kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Integer(i128),
    Float(f64),
    Bool(bool),
    Text(String),
    /// A short array of whole numbers.
    Integers(Vec<i64>),
    /// Any other array: kind and number of its elements.
    Array(Kind, u64),
}

/// An entry that was kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub kind: Kind,
    pub value: Value,
    /// Byte offset of the entry's key.
    pub offset: u64,
}

/// What was kept of the metadata.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    pub entries: HashMap<String, Entry>,
    pub vocabulary: Vocabulary,
}

/// Keys kept as they are.
const KEPT: &[&str] = &[
    "general.architecture",
    "general.type",
    "general.name",
    "general.basename",
    "general.size_label",
    "general.file_type",
    "general.alignment",
    "split.no",
    "split.count",
    "split.tensors.count",
    // Written by `scripts/make-embedder`: the length up to which an encoder was tuned.
    super::shape::TUNED_TOKENS,
];
/// Keys kept under any architecture's name.
const KEPT_BELOW_ARCHITECTURE: &[&str] = &[
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.kv_lora_rank",
    "attention.causal",
    "attention.group_norm_epsilon",
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "pooling_type",
    "rope.dimension_count",
    "rope.scaling.type",
    "expert_count",
    "expert_used_count",
    "expert_gating_func",
    "expert_group_count",
    "expert_group_used_count",
    "nextn_predict_layers",
    "vocab_size",
    // Of some architectures only: see `architectures`.
    "attention.indexer.block_size",
    "attention.indexer.kpool",
    "attention.indexer.top_k",
    "attention.key_length_mla",
    "attention.value_length_mla",
    "dense_2_feat_in",
    "dense_3_feat_out",
    "expert_feed_forward_length",
    "full_attention_interval",
    "hrm.h_cycles",
    "hrm.l_cycles",
    "hrm.layers_per_stack",
    "hyper_connection.count",
    "kda.gate_lower_bound",
    "kda.safe_gate",
    "num_loops",
    "ssm.group_count",
    "ssm.inner_size",
    "ssm.time_step_rank",
    "wkv.head_size",
    // What decides memory: see `shape`.
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "attention.key_length_swa",
    "attention.value_length_swa",
    "attention.q_lora_rank",
    "attention.shared_kv_layers",
    "attention.recurrent_layers",
    "expert_shared_feed_forward_length",
    "expert_shared_count",
    "ssm.conv_kernel",
    "ssm.state_size",
    "token_shift_count",
    "shortconv.l_cache",
    "kda.head_dim",
];

fn is_kept(key: &str) -> bool {
    KEPT.contains(&key)
        || projector::KEPT.contains(&key)
        || key
            .strip_prefix("tokenizer.")
            .is_some_and(is_kept_of_tokenizer)
        || key
            .split_once('.')
            .is_some_and(|(_, rest)| KEPT_BELOW_ARCHITECTURE.contains(&rest))
}

fn is_kept_of_tokenizer(rest: &str) -> bool {
    match rest.strip_prefix("ggml.") {
        Some(rest) => {
            matches!(
                rest,
                "model"
                    | "pre"
                    | "tokens"
                    | "token_type"
                    | "scores"
                    | "merges"
                    | "precompiled_charsmap"
            ) || rest.ends_with("_token_id")
                || (rest.starts_with("add_") && rest.ends_with("_token"))
        }
        None => rest == "chat_template",
    }
}

impl Metadata {
    pub(super) fn read<R: Read + Seek>(
        cursor: &mut Cursor<R>,
        count: u64,
        count_offset: u64,
    ) -> Result<Self> {
        if count > MAX_ENTRIES {
            let reason = format!("{count} entries, at most {MAX_ENTRIES} are allowed");
            return Err(invalid(&"metadata count", count_offset, reason));
        }
        let mut metadata = Self::default();
        let hasher = RandomState::new();
        let mut seen = HashSet::new();
        for index in 0..count {
            let offset = cursor.position();
            let key = cursor.string(&format_args!("metadata key {index}"), MAX_KEY_BYTES)?;
            if key.is_empty() {
                return Err(invalid(
                    &format_args!("metadata key {index}"),
                    offset,
                    "is empty",
                ));
            }
            if !seen.insert(hasher.hash_one(&key)) {
                return Err(invalid(
                    &format_args!("metadata key {index} `{key}`"),
                    offset,
                    "appears twice",
                ));
            }
            metadata.read_value(cursor, key, offset)?;
        }
        Ok(metadata)
    }

    fn read_value<R: Read + Seek>(
        &mut self,
        cursor: &mut Cursor<R>,
        key: String,
        offset: u64,
    ) -> Result<()> {
        let field = format!("`{key}`");
        let kind = read_kind(cursor, &field)?;
        let kept = is_kept(&key);
        let value = match kind {
            Kind::Array => self.read_array(cursor, &key, &field, kept)?,
            Kind::String if kept => {
                let cap = if key == "tokenizer.chat_template" {
                    MAX_TEMPLATE_BYTES
                } else {
                    MAX_LABEL_BYTES
                };
                Value::Text(cursor.string(&field, cap)?)
            }
            Kind::String => {
                let length = cursor.string_length(&field, MAX_STRING_BYTES)?;
                return cursor.skip(&field, length);
            }
            _ => read_scalar(cursor, &field, kind)?,
        };
        if !kept {
            return Ok(());
        }
        if self.entries.len() >= MAX_KEPT {
            return Err(invalid(
                &field,
                offset,
                format!("more than {MAX_KEPT} entries that matter"),
            ));
        }
        self.entries.insert(
            key,
            Entry {
                kind,
                value,
                offset,
            },
        );
        Ok(())
    }

    fn read_array<R: Read + Seek>(
        &mut self,
        cursor: &mut Cursor<R>,
        key: &str,
        field: &dyn Display,
        kept: bool,
    ) -> Result<Value> {
        let offset = cursor.position();
        let kind = read_kind(cursor, field)?;
        if kind == Kind::Array {
            return Err(invalid(
                field,
                offset,
                "is an array of arrays, which llama.cpp does not read",
            ));
        }
        let at = cursor.position();
        let count = cursor.u64(field)?;
        if count > MAX_ARRAY_ELEMENTS {
            let reason = format!("{count} elements, at most {MAX_ARRAY_ELEMENTS} are allowed");
            return Err(invalid(field, at, reason));
        }
        // Cannot overflow: both factors are capped. Checked here, before anything is allocated for the elements.
        cursor.require(field, count * kind.least_bytes())?;
        if self.vocabulary.read_array(cursor, key, kind, count)? {
            return Ok(Value::Array(kind, count));
        }
        match kind {
            Kind::String => {
                for _ in 0..count {
                    let length = cursor.string_length(field, MAX_STRING_BYTES)?;
                    cursor.skip(field, length)?;
                }
            }
            Kind::U32 | Kind::I32 | Kind::Bool if kept && count <= MAX_LAYERS => {
                let mut values = Vec::with_capacity(count as usize);
                for _ in 0..count {
                    match read_scalar(cursor, field, kind)? {
                        // 32 bits of either sign: see the kinds above.
                        Value::Integer(value) => values.push(value as i64),
                        other => values.push(i64::from(other == Value::Bool(true))),
                    }
                }
                return Ok(Value::Integers(values));
            }
            _ => cursor.skip(field, count * kind.least_bytes())?,
        }
        Ok(Value::Array(kind, count))
    }
}

fn read_kind<R: Read + Seek>(cursor: &mut Cursor<R>, field: &dyn Display) -> Result<Kind> {
    let offset = cursor.position();
    let id = cursor.u32(field)?;
    Kind::from_id(id)
        .ok_or_else(|| invalid(field, offset, format!("has the unknown value type {id}")))
}

fn read_scalar<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    field: &dyn Display,
    kind: Kind,
) -> Result<Value> {
    let offset = cursor.position();
    Ok(match kind {
        Kind::U8 => Value::Integer(u8::from_le_bytes(cursor.array(field)?).into()),
        Kind::I8 => Value::Integer(i8::from_le_bytes(cursor.array(field)?).into()),
        Kind::U16 => Value::Integer(u16::from_le_bytes(cursor.array(field)?).into()),
        Kind::I16 => Value::Integer(i16::from_le_bytes(cursor.array(field)?).into()),
        Kind::U32 => Value::Integer(u32::from_le_bytes(cursor.array(field)?).into()),
        Kind::I32 => Value::Integer(i32::from_le_bytes(cursor.array(field)?).into()),
        Kind::U64 => Value::Integer(u64::from_le_bytes(cursor.array(field)?).into()),
        Kind::I64 => Value::Integer(i64::from_le_bytes(cursor.array(field)?).into()),
        Kind::F32 => Value::Float(f32::from_le_bytes(cursor.array(field)?).into()),
        Kind::F64 => Value::Float(f64::from_le_bytes(cursor.array(field)?)),
        Kind::Bool => Value::Bool(cursor.array::<1>(field)? != [0]),
        Kind::String | Kind::Array => return Err(invalid(field, offset, "is not a single value")),
    })
}
