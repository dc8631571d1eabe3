//! What each layer of a model keeps of the tokens that it has read.
//!
//! Apart from the sums because it is knowledge of architectures: it follows `load_arch_hparams` of each (`models/*.cpp`),
//! `llama-hparams.cpp` and `llama_model::create_memory` of the llama.cpp that llama-cpp-sys-2 0.1.161 carries. An architecture that
//! is not named here keeps keys and values of every token in every layer, which is never less than the truth for one with attention.

use hearth_models::{Header, PerLayer, Shape};

/// What one layer keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Layer {
    /// Elements of the keys of one token, over all heads.
    pub(super) key: u64,
    /// Elements of the values of one token, over all heads.
    pub(super) value: u64,
    /// Elements of the state of one sequence; a state is always of 32-bit floats.
    pub(super) state: u64,
}

/// All layers that the engine computes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Layers {
    pub(super) each: Vec<Layer>,
    /// Whether some layers look back only so far. They keep the whole context nevertheless (llama.cpp: `swa_full`), or no prompt
    /// could be taken up again in its middle.
    pub(super) has_windows: bool,
    /// Whether a sequence has a state that can only be kept whole.
    pub(super) whole_states: bool,
    /// Whether there is memory of tokens at all; an encoder without it sees a text only once.
    pub(super) remembers: bool,
}

impl Layers {
    /// Whether any token looks at others.
    pub(super) fn attends(&self) -> bool {
        !self.remembers || self.each.iter().any(|layer| layer.key > 0)
    }
}

/// Encoders and diffusion models: each text is computed at once, and nothing is kept.
const FORGETFUL: &[&str] = &[
    "bert",
    "dream",
    "eurobert",
    "gemma-embedding",
    "jina-bert-v2",
    "jina-bert-v3",
    "llada",
    "llada-moe",
    "modern-bert",
    "neo-bert",
    "nomic-bert",
    "nomic-bert-moe",
    "rnd1",
];
/// Nothing but states.
const RECURRENT: &[&str] = &["arwkv7", "mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7"];
/// Layers without heads for keys and values have a state.
const STATE_WITHOUT_HEADS: &[&str] = &[
    "granitehybrid",
    "jamba",
    "kimi-linear",
    "lfm2",
    "lfm2moe",
    "plamo2",
];
/// Every so many layers one has keys and values, the others a state.
const STATE_BY_INTERVAL: &[&str] = &["qwen35", "qwen35moe", "qwen3next"];
/// Layers with a feed-forward network have nothing, the others heads or a state.
const STATE_OR_NETWORK: &[&str] = &["nemotron_h", "nemotron_h_moe"];
/// Every layer has both.
const STATE_BESIDE_HEADS: &[&str] = &["falcon-h1"];

/// How llama.cpp reads the windows of an architecture.
struct WindowRule {
    architecture: &'static str,
    /// Whether there are windows when the file says nothing of them.
    assumed: bool,
    /// Every so many layers one looks back all the way.
    period: u64,
    /// That one is the first of them and not the last.
    whole_first: bool,
}

const fn window(architecture: &'static str, assumed: bool, period: u64) -> WindowRule {
    WindowRule {
        architecture,
        assumed,
        period,
        whole_first: false,
    }
}

const fn whole_first(architecture: &'static str, period: u64) -> WindowRule {
    WindowRule {
        architecture,
        assumed: false,
        period,
        whole_first: true,
    }
}

const WINDOWS: &[WindowRule] = &[
    window("afmoe", false, 4),
    window("cohere2", false, 4),
    window("exaone-moe", true, 4),
    window("gemma2", true, 2),
    window("gemma3", false, 6),
    window("gemma3n", false, 5),
    window("gpt-oss", false, 2),
    window("llama4", true, 4),
    window("mellum", false, 4),
    window("olmo2", false, 4),
    window("plamo3", false, 8),
    whole_first("cohere2moe", 4),
    whole_first("laguna", 4),
    whole_first("smallthinker", 4),
];
/// Architectures whose files list the layers with a window.
const WINDOWS_LISTED: &[&str] = &["gemma4", "granite-swa", "maple", "mimo2", "step35"];
/// The largest EXAONE 4 has windows, the other one none; they are told apart by their layers.
const EXAONE4_WITH_WINDOWS: u64 = 64;
/// Layers of Gemma 3n that have keys and values of their own.
const GEMMA3N_OWN: u64 = 20;

/// The layers of a model.
pub(super) fn of(header: &Header) -> Layers {
    let (name, shape) = (header.architecture.as_str(), &header.shape);
    if FORGETFUL.contains(&name) {
        return Layers::default();
    }
    let computed = header
        .block_count
        .saturating_sub(shape.predict_layers.unwrap_or(0));
    let windows = windows(header);
    let layer = |index: u64| {
        let windowed = windows.as_ref().is_some_and(|w| w.has(index));
        let (attends, has_state) = parts(name, shape, index);
        let (key, value) = if attends && has_own_keys(header, index) {
            keys_and_values(header, index, windowed)
        } else {
            (0, 0)
        };
        Layer {
            key,
            value,
            state: if has_state { state_elements(header) } else { 0 },
        }
    };
    let each: Vec<Layer> = (0..computed).map(layer).collect();
    Layers {
        has_windows: windows.is_some(),
        whole_states: is_hybrid(name) || RECURRENT.contains(&name),
        remembers: true,
        each,
    }
}

fn is_hybrid(name: &str) -> bool {
    [
        STATE_WITHOUT_HEADS,
        STATE_BY_INTERVAL,
        STATE_OR_NETWORK,
        STATE_BESIDE_HEADS,
    ]
    .iter()
    .any(|kind| kind.contains(&name))
}

/// Whether layer `index` has keys and values, and whether it has a state.
fn parts(name: &str, shape: &Shape, index: u64) -> (bool, bool) {
    let number = |per_layer: &Option<PerLayer>| per_layer.as_ref().and_then(|n| n.of(index));
    let heads = number(&shape.head_count_kv).or_else(|| number(&shape.head_count));
    let has_heads = heads != Some(0);
    if RECURRENT.contains(&name) {
        (false, true)
    } else if STATE_BESIDE_HEADS.contains(&name) {
        (true, true)
    } else if STATE_WITHOUT_HEADS.contains(&name) {
        (has_heads, !has_heads)
    } else if STATE_OR_NETWORK.contains(&name) {
        let network = number(&shape.feed_forward_length).unwrap_or(0) > 0;
        (!network && has_heads, !network && !has_heads)
    } else if STATE_BY_INTERVAL.contains(&name) {
        let interval = shape.state.full_attention_interval.unwrap_or(4).max(1);
        let listed = number(&shape.state.recurrent_layers).map(|flag| flag != 0);
        let recurrent = listed.unwrap_or(!(index + 1).is_multiple_of(interval));
        (!recurrent, recurrent)
    } else {
        (has_heads, false)
    }
}

/// Whether layer `index` does not borrow the keys and values of an earlier one.
fn has_own_keys(header: &Header, index: u64) -> bool {
    let own = match header.architecture.as_str() {
        "gemma3n" => GEMMA3N_OWN,
        "gemma4" => {
            let shared = header.shape.shared_kv_layers.unwrap_or(0);
            header.block_count.saturating_sub(shared)
        }
        _ => u64::MAX,
    };
    index < own
}

fn keys_and_values(header: &Header, index: u64, windowed: bool) -> (u64, u64) {
    let shape = &header.shape;
    let number = |per_layer: &Option<PerLayer>| per_layer.as_ref().and_then(|n| n.of(index));
    let heads = number(&shape.head_count_kv)
        .or_else(|| number(&shape.head_count))
        .or(header.head_count_kv)
        .unwrap_or(0);
    let by_width = header
        .head_count
        .filter(|heads| *heads > 0)
        .map_or(0, |heads| header.embedding_length / heads);
    let own = |windowed_length: Option<u64>, length: Option<u64>| {
        let windowed_length = windowed_length.filter(|_| windowed);
        windowed_length.or(length).unwrap_or(by_width)
    };
    let key = own(shape.window.key_length, header.key_length);
    let value = own(shape.window.value_length, header.value_length);
    // Where keys are kept compressed the values are made from the same numbers.
    let latent = shape.latent.key_length.is_some() && shape.latent.value_length.is_some();
    let value = if latent { 0 } else { value };
    (key.saturating_mul(heads), value.saturating_mul(heads))
}

/// `llama_hparams::n_embd_r` and `n_embd_s` together.
fn state_elements(header: &Header) -> u64 {
    let (state, width) = (&header.shape.state, header.embedding_length);
    let kernel = state.conv_kernel.map(|kernel| kernel.saturating_sub(1));
    let product = |factors: &[u64]| factors.iter().copied().fold(1, u64::saturating_mul);
    if let Some(head) = state.wkv_head_size.filter(|size| *size > 0) {
        let shifts = state.token_shift_count.unwrap_or(2);
        return width.saturating_mul(shifts.saturating_add(head));
    }
    if let Some(kernel) = state.short_conv.filter(|kernel| *kernel > 0) {
        return width.saturating_mul(kernel - 1);
    }
    if let Some(head) = state.delta_head_size.filter(|size| *size > 0) {
        let heads = header.head_count.unwrap_or(0);
        let convolution = product(&[3, kernel.unwrap_or(3), heads, head]);
        return convolution.saturating_add(product(&[head, head, heads]));
    }
    let (inner, size) = (state.inner_size.unwrap_or(0), state.state_size.unwrap_or(0));
    let groups = product(&[2, state.group_count.unwrap_or(0), size]);
    kernel
        .unwrap_or(0)
        .saturating_mul(inner.saturating_add(groups))
        .saturating_add(inner.saturating_mul(size))
}

/// Which layers of a model have a window.
struct Windows {
    pattern: PerLayer,
    whole_first: bool,
}

impl Windows {
    fn has(&self, index: u64) -> bool {
        match &self.pattern {
            PerLayer::Each(_) => self.pattern.of(index).is_some_and(|flag| flag != 0),
            PerLayer::Same(0) => true,
            PerLayer::Same(period) if self.whole_first => !index.is_multiple_of(*period),
            PerLayer::Same(period) => index % period < period - 1,
        }
    }
}

fn windows(header: &Header) -> Option<Windows> {
    let (name, given) = (header.architecture.as_str(), &header.shape.window);
    let by = |pattern: PerLayer| Windows {
        pattern,
        whole_first: false,
    };
    // A zero in the file says that there are none.
    let said = given.tokens.is_some_and(|tokens| tokens > 0);
    let listed = WINDOWS_LISTED.contains(&name);
    match name {
        _ if listed => return given.pattern.clone().filter(|_| said).map(by),
        // All layers that have heads at all.
        "lfm2" => return said.then_some(by(PerLayer::Same(0))),
        "exaone4" => {
            let has = header.block_count == EXAONE4_WITH_WINDOWS;
            return has.then_some(by(PerLayer::Same(4)));
        }
        _ => {}
    }
    let rule = WINDOWS.iter().find(|rule| rule.architecture == name)?;
    (said || (rule.assumed && given.tokens.is_none())).then(|| Windows {
        pattern: given.pattern.clone().unwrap_or(PerLayer::Same(rule.period)),
        whole_first: rule.whole_first,
    })
}

#[cfg(test)]
mod tests {
    use hearth_models::{Latent, State, Window};

    use super::*;

    fn header(architecture: &str, shape: Shape) -> Header {
        Header {
            architecture: architecture.into(),
            block_count: 6,
            embedding_length: 64,
            head_count: Some(4),
            head_count_kv: Some(2),
            key_length: Some(16),
            value_length: Some(8),
            shape,
            ..Header::default()
        }
    }

    fn keys(layers: &Layers) -> Vec<u64> {
        layers.each.iter().map(|layer| layer.key).collect()
    }

    fn states(layers: &Layers) -> Vec<u64> {
        layers.each.iter().map(|layer| layer.state).collect()
    }

    #[test]
    fn an_unknown_architecture_keeps_everything_and_an_encoder_nothing() {
        let found = of(&header("brand-new", Shape::default()));
        let layer = Layer {
            key: 32,
            value: 16,
            state: 0,
        };
        assert_eq!((found.each.len(), found.each[0]), (6, layer));
        assert!(found.remembers && !found.whole_states && !found.has_windows);
        let found = of(&header("nomic-bert", Shape::default()));
        assert!(found.each.is_empty() && !found.remembers && found.attends());
    }

    #[test]
    fn layers_that_only_predict_or_borrow_keep_nothing() {
        let predict_layers = Some(2);
        let shape = Shape {
            predict_layers,
            ..Shape::default()
        };
        assert_eq!(of(&header("glm4moe", shape)).each.len(), 4);
        let shape = Shape {
            shared_kv_layers: Some(4),
            ..Shape::default()
        };
        assert_eq!(keys(&of(&header("gemma4", shape))), [32, 32, 0, 0, 0, 0]);
    }

    #[test]
    fn compressed_keys_stand_for_the_values_too() {
        let latent = Latent {
            key_length: Some(192),
            value_length: Some(128),
            ..Latent::default()
        };
        let shape = Shape {
            latent,
            ..Shape::default()
        };
        let found = of(&header("deepseek2", shape));
        assert_eq!((found.each[0].key, found.each[0].value), (32, 0));
    }

    #[test]
    fn states_are_where_the_architecture_has_them() {
        let state = State {
            conv_kernel: Some(4),
            inner_size: Some(128),
            state_size: Some(16),
            group_count: Some(1),
            ..State::default()
        };
        // 3 steps of 128 + 2 × 16 elements, and 128 × 16.
        let one = 3 * 160 + 2048;
        let shape = |kv: Vec<u64>| Shape {
            head_count_kv: Some(PerLayer::Each(kv)),
            state: state.clone(),
            ..Shape::default()
        };
        let granite = of(&header("granitehybrid", shape(vec![0, 2, 0, 0, 2, 0])));
        assert_eq!(keys(&granite), [0, 32, 0, 0, 32, 0]);
        assert_eq!(states(&granite), [one, 0, one, one, 0, one]);
        assert!(granite.whole_states);
        let falcon = of(&header("falcon-h1", shape(vec![2; 6])));
        assert_eq!(
            (keys(&falcon), states(&falcon)),
            (vec![32; 6], vec![one; 6])
        );
        let qwen = of(&header("qwen3next", shape(vec![2; 6])));
        assert_eq!(keys(&qwen), [0, 0, 0, 32, 0, 0]);
        let mamba = of(&header("mamba", shape(vec![0; 6])));
        assert_eq!((keys(&mamba), states(&mamba)), (vec![0; 6], vec![one; 6]));
        assert!(!mamba.attends());
        let short = Shape {
            state: State {
                short_conv: Some(3),
                ..State::default()
            },
            ..shape(vec![0, 2, 0, 2, 0, 2])
        };
        assert_eq!(
            states(&of(&header("lfm2", short))),
            [128, 0, 128, 0, 128, 0]
        );
    }

    #[test]
    fn windows_may_have_heads_of_their_own() {
        let shape = |pattern| Shape {
            window: Window {
                tokens: Some(512),
                pattern,
                key_length: Some(4),
                value_length: None,
            },
            ..Shape::default()
        };
        let found = of(&header("gemma3", shape(None)));
        assert_eq!(keys(&found), [8, 8, 8, 8, 8, 32]);
        assert!(found.has_windows);
        let listed = PerLayer::Each(vec![1, 0, 1, 0, 1, 0]);
        let found = of(&header("gemma4", shape(Some(listed))));
        assert_eq!(keys(&found), [8, 32, 8, 32, 8, 32]);
        let none = Shape {
            window: Window {
                tokens: Some(0),
                ..Window::default()
            },
            ..Shape::default()
        };
        assert!(!of(&header("gemma2", none)).has_windows);
        assert!(of(&header("gemma2", Shape::default())).has_windows);
        assert!(!of(&header("olmo2", Shape::default())).has_windows);
    }
}
