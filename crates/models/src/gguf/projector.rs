//! The rules for the vision part of a model: the file that turns a picture into what the model reads.
//!
//! Apart from the rules for models because none of those hold: it has no vocabulary and its sizes lie under other keys. Read from
//! `tools/mtmd/clip.cpp` of the llama.cpp that llama-cpp-sys-2 0.1.161 carries: these guard its divisions and allocations; what it
//! refuses by itself is left to it.

use super::metadata::Metadata;
use super::types::MAX_LAYERS;
use crate::error::{Error, Result};

/// Architecture of every such file.
pub(super) const ARCHITECTURE: &str = "clip";

/// Widest embedding; the widest known is about 2^13.
const MAX_WIDTH: u64 = 1 << 17;
/// Most attention heads. The most known are 64.
const MAX_HEADS: u64 = 1024;
/// Longest side of a picture in pixels that a projector may ask for. The largest known is 2,048.
const MAX_SIDE: u64 = 8192;
/// Most patches along a side that are merged into one. The most known are 4.
const MAX_MERGE: u64 = 16;

/// Keys that the rules read.
pub(super) const KEPT: &[&str] = &[
    "clip.has_vision_encoder",
    "clip.vision.embedding_length",
    "clip.vision.attention.head_count",
    "clip.vision.feed_forward_length",
    "clip.vision.block_count",
    "clip.vision.projection_dim",
    "clip.vision.image_size",
    "clip.vision.patch_size",
    "clip.vision.projector.scale_factor",
    "clip.vision.spatial_merge_size",
];

pub(super) fn check(metadata: &Metadata) -> Result<()> {
    if metadata.flag("clip.has_vision_encoder")? != Some(true) {
        return Err(Error::Unsupported {
            what: ARCHITECTURE.to_owned(),
            reason: "it is a part of another model and cannot see".to_owned(),
        });
    }
    let key = |name: &str| format!("clip.vision.{name}");
    let width = metadata.required_size(&key("embedding_length"), 1, MAX_WIDTH)?;
    let head_key = key("attention.head_count");
    let heads = metadata.required_size(&head_key, 1, MAX_HEADS)?;
    if !width.is_multiple_of(heads) {
        let reason = format!("{heads} do not divide the embedding length {width}");
        return Err(metadata.wrong(&head_key, reason));
    }
    metadata.required_size(&key("feed_forward_length"), 0, MAX_WIDTH * 4)?;
    metadata.required_size(&key("block_count"), 1, MAX_LAYERS)?;
    metadata.required_size(&key("projection_dim"), 0, MAX_WIDTH)?;
    let side = metadata.required_size(&key("image_size"), 1, MAX_SIDE)?;
    metadata.required_size(&key("patch_size"), 1, side)?;
    for name in ["projector.scale_factor", "spatial_merge_size"] {
        metadata.size_within(&key(name), 1, MAX_MERGE)?;
    }
    Ok(())
}
