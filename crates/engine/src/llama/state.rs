//! KV entries as bytes: of one sequence for the disk, of a whole context for the next one.
#![allow(unsafe_code)] // llama.cpp writes into and reads from buffers that the caller vouches for.

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::session::LlamaStateSeqFlags;

/// How many bytes [`export`] would give; found out without copying any.
pub(super) fn export_bytes(context: &LlamaContext, sequence: i32) -> usize {
    context.state_seq_get_size_ext(sequence, LlamaStateSeqFlags::empty())
}

/// The entries of a sequence; `None` when there are none.
pub(super) fn export(context: &LlamaContext, sequence: i32) -> Option<Vec<u8>> {
    let flags = LlamaStateSeqFlags::empty();
    let mut bytes = vec![0; export_bytes(context, sequence)];
    // SAFETY: the buffer has the size that llama.cpp has just asked for, and nothing is computed in between.
    let written = unsafe { context.state_seq_get_data_ext(bytes.as_mut_ptr(), sequence, flags) };
    (written == bytes.len() && written > 0).then_some(bytes)
}

/// Fills an empty sequence with what [`export`] gave for the same weights and layout. The caller has checked that it is that, byte
/// by byte.
pub(super) fn import(context: &mut LlamaContext, sequence: i32, bytes: &[u8]) -> bool {
    // SAFETY: the slice carries its length, and the bytes are those that llama.cpp wrote.
    unsafe { context.state_seq_set_data_ext(bytes, sequence, LlamaStateSeqFlags::empty()) }
}

/// Copies all sequences of one context to another one of the same model with the same parameters but for the threads.
pub(super) fn carry_over(from: &LlamaContext, to: &mut LlamaContext) -> bool {
    let mut bytes = vec![0; from.get_state_size()];
    // SAFETY: the buffer has the size that llama.cpp has just asked for, and nothing is computed in between.
    let written = unsafe { from.copy_state_data(bytes.as_mut_ptr()) };
    bytes.truncate(written);
    // SAFETY: the bytes are those that llama.cpp wrote for a context of the same shape.
    let read = unsafe { to.set_state_data(&bytes) };
    read == written
}
