//! The numbers of a header that decide how much memory a model takes, as the file gives them.
//!
//! Apart from the rules because nothing here is a reason to refuse a file: what is missing, or of another kind than llama.cpp wants, is
//! absent. It must not know what an architecture makes of a number or assumes without it.

use super::metadata::{Metadata, Value};

/// Key of [`Shape::tuned_tokens`].
pub(super) const TUNED_TOKENS: &str = "hearth.embedding.max_tokens";

/// A number that is the same for all layers, or one for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PerLayer {
    Same(u64),
    Each(Vec<u64>),
}

impl PerLayer {
    /// The number of layer `index`, counted from 0; `None` beyond the list.
    pub fn of(&self, index: u64) -> Option<u64> {
        match self {
            Self::Same(value) => Some(*value),
            Self::Each(values) => values.get(usize::try_from(index).ok()?).copied(),
        }
    }

    /// The largest.
    pub fn most(&self) -> u64 {
        match self {
            Self::Same(value) => *value,
            Self::Each(values) => values.iter().copied().max().unwrap_or(0),
        }
    }
}

/// Layers that look back only so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    /// In tokens.
    pub tokens: Option<u64>,
    /// Every so many layers one looks back all the way, or for each layer whether it has the window (1) or not (0).
    pub pattern: Option<PerLayer>,
    /// Elements of a key in one head of such a layer.
    pub key_length: Option<u64>,
    pub value_length: Option<u64>,
}

/// Keys and values that are kept compressed (multi-head latent attention).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latent {
    /// Elements of what is kept of a token.
    pub kv_rank: Option<u64>,
    pub query_rank: Option<u64>,
    /// Elements of a key in one head, unpacked.
    pub key_length: Option<u64>,
    pub value_length: Option<u64>,
}

/// What recurrent layers keep of a sequence instead of keys and values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Steps that the convolution of a state space model looks back on.
    pub conv_kernel: Option<u64>,
    pub inner_size: Option<u64>,
    pub state_size: Option<u64>,
    pub time_step_rank: Option<u64>,
    pub group_count: Option<u64>,
    /// Elements of a head of RWKV.
    pub wkv_head_size: Option<u64>,
    /// Tokens that RWKV mixes with the current one.
    pub token_shift_count: Option<u64>,
    /// Steps of a short convolution (LFM2).
    pub short_conv: Option<u64>,
    /// Elements of a head of Kimi's delta attention.
    pub delta_head_size: Option<u64>,
    /// Every so many layers one has keys and values.
    pub full_attention_interval: Option<u64>,
    /// For each layer whether it is recurrent (1) or not (0).
    pub recurrent_layers: Option<PerLayer>,
}

/// Bytes of the tensors by what they are for, over all parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TensorBytes {
    /// Layers, without their experts.
    pub layers: u64,
    /// Experts, of which a token uses only some.
    pub experts: u64,
    /// Tables that turn tokens into vectors.
    pub embeddings: u64,
    /// The matrix that turns the last vector into logits; 0 when the embeddings serve for that too.
    pub output: u64,
    /// Anything else.
    pub other: u64,
}

/// See the module text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    pub head_count: Option<PerLayer>,
    /// 0 in layers without keys and values.
    pub head_count_kv: Option<PerLayer>,
    /// Width of the feed-forward network.
    pub feed_forward_length: Option<PerLayer>,
    pub window: Window,
    pub latent: Latent,
    pub state: State,
    pub expert_count: Option<u64>,
    pub expert_used_count: Option<PerLayer>,
    pub expert_feed_forward_length: Option<PerLayer>,
    /// Width of the experts that every token uses, together.
    pub expert_shared_feed_forward_length: Option<u64>,
    pub expert_shared_count: Option<u64>,
    /// Layers at the end that only guess further tokens.
    pub predict_layers: Option<u64>,
    /// Layers at the end that use the keys and values of earlier ones.
    pub shared_kv_layers: Option<u64>,
    /// How long a text an encoder was tuned for, in tokens, where that is less than its positions reach.
    pub tuned_tokens: Option<u64>,
    pub tensors: TensorBytes,
}

impl Shape {
    pub(super) fn read(metadata: &Metadata, architecture: &str, tensors: TensorBytes) -> Self {
        let entry = |key: &str| metadata.entries.get(&format!("{architecture}.{key}"));
        let one = |key: &str| entry(key)?.integer();
        let each = |key: &str| match &entry(key)?.value {
            Value::Integers(values) => {
                let values = values.iter().map(|value| u64::try_from(*value).ok());
                values.collect::<Option<_>>().map(PerLayer::Each)
            }
            _ => one(key).map(PerLayer::Same),
        };
        Self {
            head_count: each("attention.head_count"),
            head_count_kv: each("attention.head_count_kv"),
            feed_forward_length: each("feed_forward_length"),
            window: Window {
                tokens: one("attention.sliding_window"),
                pattern: each("attention.sliding_window_pattern"),
                key_length: one("attention.key_length_swa"),
                value_length: one("attention.value_length_swa"),
            },
            latent: Latent {
                kv_rank: one("attention.kv_lora_rank"),
                query_rank: one("attention.q_lora_rank"),
                key_length: one("attention.key_length_mla"),
                value_length: one("attention.value_length_mla"),
            },
            state: State {
                conv_kernel: one("ssm.conv_kernel"),
                inner_size: one("ssm.inner_size"),
                state_size: one("ssm.state_size"),
                time_step_rank: one("ssm.time_step_rank"),
                group_count: one("ssm.group_count"),
                wkv_head_size: one("wkv.head_size"),
                token_shift_count: one("token_shift_count"),
                short_conv: one("shortconv.l_cache"),
                delta_head_size: one("kda.head_dim"),
                full_attention_interval: one("full_attention_interval"),
                recurrent_layers: each("attention.recurrent_layers"),
            },
            expert_count: one("expert_count"),
            expert_used_count: each("expert_used_count"),
            expert_feed_forward_length: each("expert_feed_forward_length"),
            expert_shared_feed_forward_length: one("expert_shared_feed_forward_length"),
            expert_shared_count: one("expert_shared_count"),
            predict_layers: one("nextn_predict_layers"),
            shared_kv_layers: one("attention.shared_kv_layers"),
            tuned_tokens: metadata
                .entries
                .get(TUNED_TOKENS)
                .and_then(super::metadata::Entry::integer),
            tensors,
        }
    }
}

impl TensorBytes {
    /// Counts a tensor, by the names that all converters give (`llama-arch.cpp`: `LLM_TENSOR_NAMES`).
    pub(super) fn add(&mut self, name: &str, bytes: u64) {
        let part = if name.starts_with("blk.") {
            if name.contains("_exps.") {
                &mut self.experts
            } else {
                &mut self.layers
            }
        } else if name == "output.weight" {
            &mut self.output
        } else if ["token_embd.", "position_embd.", "per_layer_token_embd."]
            .iter()
            .any(|table| name.starts_with(table))
        {
            &mut self.embeddings
        } else {
            &mut self.other
        };
        *part = part.saturating_add(bytes);
    }

    /// Counts what another part of the model has.
    pub(super) fn join(&mut self, part: &Self) {
        self.layers = self.layers.saturating_add(part.layers);
        self.experts = self.experts.saturating_add(part.experts);
        self.embeddings = self.embeddings.saturating_add(part.embeddings);
        self.output = self.output.saturating_add(part.output);
        self.other = self.other.saturating_add(part.other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_counted_by_use() {
        let mut bytes = TensorBytes::default();
        for (name, size) in [
            ("blk.0.attn_q.weight", 1),
            ("blk.11.ffn_up_exps.weight", 20),
            ("blk.11.ffn_up_shexp.weight", 2),
            ("token_embd.weight", 300),
            ("output.weight", 4000),
            ("output_norm.weight", 50_000),
        ] {
            bytes.add(name, size);
        }
        bytes.join(&TensorBytes {
            experts: 40,
            ..TensorBytes::default()
        });
        let found = [
            bytes.layers,
            bytes.experts,
            bytes.embeddings,
            bytes.output,
            bytes.other,
        ];
        assert_eq!(found, [3, 60, 300, 4000, 50_000]);
    }

    #[test]
    fn a_number_may_differ_by_layer() {
        let each = PerLayer::Each(vec![0, 4, 0]);
        assert_eq!((each.of(1), each.of(3), each.most()), (Some(4), None, 4));
        assert_eq!(PerLayer::Same(2).of(1000), Some(2));
    }
}
