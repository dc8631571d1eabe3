//! Whether a model fits into this machine's memory, what it takes and how fast it would be. Pure: numbers in, a verdict out.
//!
//! The same answer serves the window, the command, programs and the loader, before a download and before a load. It must not read
//! files, sensors or settings. `docs/memory.md` compares its sums with what llama.cpp really asks for.

mod compute;
mod layers;
mod speed;
mod verdict;

use hearth_engine::{KvType, LoadSpec, Purpose};
use hearth_models::Header;
use serde::Serialize;

use self::compute::Step;
use self::layers::{Layer, Layers};
pub(crate) use self::verdict::parts_in_words;
pub use self::verdict::{Loaded, Room, Verdict};

/// Whether a model fits, with the figures behind it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Fit {
    /// Absent when it is not known how much models may take.
    pub verdict: Option<Verdict>,
    pub sum: Sum,
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub total_bytes: u64,
    /// What all models together may take.
    #[cfg_attr(feature = "specta", specta(type = Option<u32>))]
    pub budget_bytes: Option<u64>,
    /// What the other loaded models take.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub loaded_bytes: u64,
    /// The context window that was counted with.
    pub context_tokens: u32,
    /// A guess for a short context; absent where the bandwidth of the memory is not known.
    pub tokens_per_second: Option<f64>,
    /// The verdict for people.
    pub sentence: String,
}

/// Whether a model fits, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Brief {
    /// Absent when it is not known how much models may take.
    pub verdict: Option<Verdict>,
    /// The verdict for people.
    pub sentence: String,
}

impl From<Fit> for Brief {
    fn from(fit: Fit) -> Self {
        Self {
            verdict: fit.verdict,
            sentence: fit.sentence,
        }
    }
}

/// Judges a model of which only about is known what it takes with a context of so many tokens.
pub(crate) fn judge_roughly(context: u32, room: &Room, at: impl Fn(u32) -> Sum) -> Brief {
    let sum = at(context);
    let verdict = verdict::judge(context, room, at);
    Brief {
        sentence: verdict::sentence(verdict.as_ref(), &sum, context, room),
        verdict,
    }
}

/// Judges a model that would be loaded in the way of `spec`. `bandwidth` is that of the memory, in GB/s.
pub fn judge(
    header: &Header,
    projector_bytes: u64,
    spec: &LoadSpec,
    room: &Room,
    bandwidth: Option<u32>,
) -> Fit {
    let context = spec.window(trained(header));
    let at = |context: u32| {
        let spec = LoadSpec {
            context_tokens: Some(context),
            ..spec.clone()
        };
        Sum::of(header, projector_bytes, &spec)
    };
    let sum = at(context);
    let verdict = verdict::judge(context, room, at);
    Fit {
        sentence: verdict::sentence(verdict.as_ref(), &sum, context, room),
        verdict,
        sum,
        total_bytes: sum.total(),
        budget_bytes: room.budget_bytes,
        loaded_bytes: room.loaded_bytes(),
        context_tokens: context,
        tokens_per_second: bandwidth.map(|gb_s| speed::tokens_per_second(header, gb_s)),
    }
}

/// How many tokens a model can look back on.
fn trained(header: &Header) -> u32 {
    let reach = header.shape.tuned_tokens.unwrap_or(u64::MAX);
    u32::try_from(header.context_length.min(reach)).unwrap_or(u32::MAX)
}

/// What a loaded model takes, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Sum {
    /// The model's own numbers.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub weights: u64,
    /// What sees pictures.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub projector: u64,
    /// Keys and values of the context window, and the states of recurrent layers.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub cache: u64,
    /// Copies of parts of the cache that nobody uses at the moment.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub copies: u64,
    /// Scratch space of one step.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub compute: u64,
    /// Logits on their way out.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub output: u64,
}

impl Sum {
    /// All of it.
    pub fn total(&self) -> u64 {
        [
            self.weights,
            self.projector,
            self.cache,
            self.copies,
            self.compute,
            self.output,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// What a model takes when it is loaded in the way of `spec`; whether it has a vision part and how large that is, in bytes, is not
    /// in its header.
    pub fn of(header: &Header, projector_bytes: u64, spec: &LoadSpec) -> Self {
        let layers = layers::of(header);
        let plan = Plan::of(header, &layers, spec);
        let generates = spec.purpose == Purpose::Generate;
        // An encoder takes no wishes for its keys and makes no copies, but its vectors go out too.
        let kv_type = if generates { spec.kv_type } else { KvType::F16 };
        let cache = plan.cache_bytes(&layers, kv_type);
        let (copies, vectors) = if generates {
            (cache.min(hearth_engine::cache::STASH_BYTES), 0)
        } else {
            (0, header.embedding_length)
        };
        let outputs = header.token_count.saturating_add(vectors);
        Self {
            weights: header.tensor_bytes,
            projector: projector_bytes,
            cache,
            copies,
            compute: compute::bytes(header, &layers, &plan.step),
            output: plan.sequences.saturating_mul(outputs).saturating_mul(4),
        }
    }
}

/// The sizes that llama.cpp makes of a [`LoadSpec`] (`llama_context::llama_context`).
struct Plan {
    sequences: u64,
    step: Step,
}

impl Plan {
    fn of(header: &Header, layers: &Layers, spec: &LoadSpec) -> Self {
        let window = spec.window(trained(header));
        let batch = spec.batch_tokens(window);
        let context = match spec.purpose {
            Purpose::Generate => window,
            Purpose::Embed | Purpose::Rerank => batch,
        };
        let (context, batch) = (u64::from(context), u64::from(batch));
        let outputs = if header.causal {
            batch.min(context)
        } else {
            batch
        };
        let sequences = u64::from(spec.sequences(layers.whole_states));
        // Every sequence has as many of the tokens (`llama_context::graph_reserve`).
        let tokens = outputs.next_multiple_of(sequences);
        let cells = context.next_multiple_of(CELLS);
        Self {
            sequences,
            step: Step {
                tokens,
                outputs,
                cells: if layers.remembers { cells } else { tokens },
            },
        }
    }

    fn cache_bytes(&self, layers: &Layers, kv_type: KvType) -> u64 {
        let of_layer = |layer: &Layer| {
            let rows =
                row_bytes(kv_type, layer.key).saturating_add(row_bytes(kv_type, layer.value));
            let states = layer.state.saturating_mul(self.sequences).saturating_mul(4);
            rows.saturating_mul(self.step.cells).saturating_add(states)
        };
        layers
            .each
            .iter()
            .map(of_layer)
            .fold(0, u64::saturating_add)
    }
}

/// Positions of a cache come in multiples of this many (`GGML_PAD(n_ctx, 256)`).
const CELLS: u64 = 256;

/// Bytes of so many elements (ggml: `block_q8_0`, `block_q4_0`).
fn row_bytes(kv_type: KvType, elements: u64) -> u64 {
    let (bytes, block) = match kv_type {
        KvType::F16 => (2, 1),
        KvType::Q8_0 => (34, 32),
        KvType::Q4_0 => (18, 32),
    };
    elements.saturating_mul(bytes) / block
}
