//! What llama.cpp prints while it converts: the only place where it says how far it is, and why it gave up.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::{Mutex, PoisonError};

use llama_cpp_sys_2 as sys;

/// Longest reason kept, in characters.
const MAX_CHARS: usize = 300;

type OnTensor = Box<dyn FnMut(u32, u32) + Send>;

struct Sink {
    first_error: Option<String>,
    size_bytes: Option<u64>,
    on_tensor: Option<OnTensor>,
}

static SINK: Mutex<Sink> = Mutex::new(Sink {
    first_error: None,
    size_bytes: None,
    on_tensor: None,
});

/// Takes over the log of llama.cpp in this process.
pub(super) fn take() {
    // SAFETY: the callback is a function that lives as long as the process, and gets no data.
    unsafe {
        sys::llama_log_set(Some(on_line), ptr::null_mut());
        sys::ggml_log_set(Some(on_line), ptr::null_mut());
    }
}

/// Calls this for each tensor that is converted, with its number from 1 and how many there are.
pub(super) fn watch(on_tensor: impl FnMut(u32, u32) + Send + 'static) {
    sink().on_tensor = Some(Box::new(on_tensor));
}

/// The first error that was printed: those that follow only say that something failed.
pub(super) fn first_error() -> Option<String> {
    sink().first_error.clone()
}

/// How large the converted weights are, which llama.cpp prints at the end.
pub(super) fn size_bytes() -> Option<u64> {
    sink().size_bytes
}

fn sink() -> std::sync::MutexGuard<'static, Sink> {
    SINK.lock().unwrap_or_else(PoisonError::into_inner)
}

extern "C" fn on_line(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: llama.cpp hands over a string of its own that ends with NUL and lives through the call.
    let line = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    if level == sys::GGML_LOG_LEVEL_ERROR || level == sys::GGML_LOG_LEVEL_WARN {
        tracing::warn!("{}", line.trim_end());
    }
    let mut sink = sink();
    if level == sys::GGML_LOG_LEVEL_ERROR && sink.first_error.is_none() {
        sink.first_error = Some(reason(&line));
    }
    sink.size_bytes = size(&line).or(sink.size_bytes);
    if let Some((done, total)) = tensor(&line)
        && let Some(on_tensor) = &mut sink.on_tensor
    {
        on_tensor(done, total);
    }
}

/// `function: what: why` to `why`.
fn reason(line: &str) -> String {
    let text = line.trim().rsplit(": ").next().unwrap_or(line);
    text.chars().take(MAX_CHARS).collect()
}

/// `[  12/ 272] blk.0.attn_k.weight - …` to 12 of 272.
fn tensor(line: &str) -> Option<(u32, u32)> {
    let (count, _) = line.strip_prefix('[')?.split_once(']')?;
    let (done, total) = count.split_once('/')?;
    Some((done.trim().parse().ok()?, total.trim().parse().ok()?))
}

/// `function: quant size  =    98.87 MiB (6.16 BPW)` in bytes.
fn size(line: &str) -> Option<u64> {
    let (_, size) = line.split_once("quant size")?;
    let number = size.trim_start_matches([' ', '=']).split(" MiB").next()?;
    let mebibytes: f64 = number.trim().parse().ok()?;
    Some((mebibytes * 1024.0 * 1024.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_read_from_its_line() {
        let line = "llama_model_quantize_impl: quant size  =    98.50 MiB (6.16 BPW)\n";
        assert_eq!(size(line), Some(103_284_736));
        assert_eq!(
            size("llama_model_quantize_impl: model size  = 1.00 MiB"),
            None
        );
    }

    #[test]
    fn lines_of_tensors_are_told_from_others() {
        let line =
            "[  12/ 272] blk.0.attn_k.weight       - [ 576,   192,     1,     1], type =    f16, ";
        assert_eq!(tensor(line), Some((12, 272)));
        for other in ["", "[", "[a/b] x", "size = 3 MiB", "[1] x"] {
            assert_eq!(tensor(other), None, "{other}");
        }
    }

    #[test]
    fn a_reason_is_what_comes_last() {
        let line =
            "llama_model_quantize: failed to quantize: requantizing from type q4_K is disabled\n";
        assert_eq!(reason(line), "requantizing from type q4_K is disabled");
    }
}
