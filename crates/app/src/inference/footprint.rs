//! How much memory a model will take, from what its file says.
//!
//! An estimate for choosing what stays loaded; the engine measures. It must not read files.

use hearth_engine::{KvType, LoadSpec};
use hearth_models::Header;

/// Weights, KV cache and the copies of idle parts of it together, in bytes. Compute buffers are not counted; [`super::room::Space`] leaves room for them.
pub(super) fn bytes(file_bytes: u64, header: &Header, spec: &LoadSpec) -> u64 {
    let kv = kv_bytes(header, spec);
    let copies = kv.min(hearth_engine::cache::STASH_BYTES);
    file_bytes.saturating_add(kv).saturating_add(copies)
}

/// For each layer one key and one value of every KV head for every position (`llama_kv_cache` of llama.cpp: tensors of
/// `n_embd_k_gqa × n_ctx` and `n_embd_v_gqa × n_ctx`). Layers that keep less than the whole context make it smaller.
fn kv_bytes(header: &Header, spec: &LoadSpec) -> u64 {
    let heads = header.head_count_kv.or(header.head_count).unwrap_or(0);
    let by_width = header
        .head_count
        .filter(|heads| *heads > 0)
        .map_or(0, |heads| header.embedding_length / heads);
    let elements = header.key_length.unwrap_or(by_width) + header.value_length.unwrap_or(by_width);
    let wanted = spec.context_tokens.unwrap_or(LoadSpec::DEFAULT_CONTEXT);
    let context = u64::from(wanted).min(header.context_length);
    let total = [header.block_count, heads, elements, context]
        .into_iter()
        .fold(1_u64, u64::saturating_mul);
    let (bytes, elements) = block(spec.kv_type);
    total.saturating_mul(bytes) / elements
}

/// Bytes and elements of one block of the format (ggml: `block_q8_0`, `block_q4_0`).
fn block(kv_type: KvType) -> (u64, u64) {
    match kv_type {
        KvType::F16 => (2, 1),
        KvType::Q8_0 => (34, 32),
        KvType::Q4_0 => (18, 32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of SmolLM2 135M: 30 layers, 3 KV heads of 64.
    fn header() -> Header {
        Header {
            version: 3,
            architecture: "llama".into(),
            name: None,
            basename: None,
            size_label: None,
            quantisation: None,
            context_length: 8192,
            block_count: 30,
            embedding_length: 576,
            head_count: Some(9),
            head_count_kv: Some(3),
            key_length: Some(64),
            value_length: Some(64),
            token_count: 49_152,
            chat_template: None,
            causal: true,
            pooling: None,
            tensor_count: 272,
            data_offset: 0,
            tensor_bytes: 0,
            parameters: 134_515_008,
            part_count: 1,
        }
    }

    #[test]
    fn weights_and_kv_cache_are_counted() {
        let mut spec = LoadSpec::new("m");
        // 30 layers × 3 heads × (64 + 64) elements × 8192 positions × 2 bytes.
        assert_eq!(kv_bytes(&header(), &spec), 180 * 1024 * 1024);
        // As much again for copies, which is less than the most that they may take.
        assert_eq!(bytes(1000, &header(), &spec), 1000 + 360 * 1024 * 1024);
        spec.kv_type = KvType::Q8_0;
        assert_eq!(kv_bytes(&header(), &spec), 180 * 1024 * 1024 * 17 / 32);
        spec.context_tokens = Some(4096);
        assert_eq!(kv_bytes(&header(), &spec), 90 * 1024 * 1024 * 17 / 32);
    }

    #[test]
    fn what_the_file_does_not_say_is_derived_or_nothing() {
        let spec = LoadSpec::new("m");
        let mut short = header();
        (short.key_length, short.value_length) = (None, None);
        assert_eq!(kv_bytes(&short, &spec), kv_bytes(&header(), &spec));
        // No attention, no KV cache; and no overflow from a hostile number.
        (short.head_count, short.head_count_kv) = (None, None);
        assert_eq!(kv_bytes(&short, &spec), 0);
        let huge = Header {
            block_count: u64::MAX,
            ..header()
        };
        assert_eq!(bytes(1, &huge, &spec), u64::MAX);
    }
}
