//! How the numbers of the KV cache are kept: the user's choice, where the model allows it.

use std::sync::{Mutex, PoisonError};

use hearth_engine::KvType;
use hearth_models::Header;

use super::Inference;
use crate::settings::KvCache;

/// Numbers that are rounded together; llama.cpp makes no context for heads of another length (`llama_init_from_model`).
const BLOCK: u64 = 32;

impl Inference {
    /// The type that a model is loaded with.
    pub(super) fn kv_type_of(&self, header: &Header) -> KvType {
        let wanted = *self.kv_type.lock().unwrap_or_else(PoisonError::into_inner);
        if head_lengths(header).all(|length| length.is_multiple_of(BLOCK)) {
            wanted
        } else {
            KvType::F16
        }
    }
}

/// Takes over a setting; whether it is another one than before.
pub(super) fn change(kv_type: &Mutex<KvType>, setting: KvCache) -> bool {
    let new = match setting {
        KvCache::F16 => KvType::F16,
        KvCache::Q8_0 => KvType::Q8_0,
        KvCache::Q4_0 => KvType::Q4_0,
    };
    let mut kv_type = kv_type.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *kv_type, new) != new
}

/// Length of a head's key and value. What the header does not say is the model's width over its heads.
fn head_lengths(header: &Header) -> impl Iterator<Item = u64> {
    let heads = header.head_count.unwrap_or(0).max(1);
    let usual = header.embedding_length / heads;
    [header.key_length, header.value_length]
        .into_iter()
        .map(move |length| length.unwrap_or(usual))
}
