//! Which columns of each tensor matter for a text: the mean square of what is multiplied with them (the importance matrix of
//! llama.cpp, whose conversion rounds columns with large values most carefully).

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_void};
use std::slice;

use llama_cpp_sys_2 as sys;

use super::convert::Weighted;
use super::text::Reader;
use crate::Error;
use crate::quantise::Job;

/// Most tokens of the text that are used; more change little and take hours.
const MOST_TOKENS: usize = 100_000;

/// Sums of squares for each column, expert after expert, and how many rows were added for each expert.
struct Sums {
    squares: Vec<f64>,
    rows: Vec<u64>,
}

#[derive(Default)]
struct Collector {
    of: BTreeMap<CString, Sums>,
    /// Room for what lies in the memory of a GPU.
    copy: Vec<u8>,
}

/// Runs the text through the original.
pub(super) fn find(
    job: &Job,
    text: &str,
    mut on_window: impl FnMut(u32, u32),
) -> Result<Vec<Weighted>, Error> {
    let mut collector = Box::new(Collector::default());
    let data: *mut Collector = &raw mut *collector;
    let mut reader = Reader::open(job, &job.source, Some((Some(on_tensor), data.cast())))?;
    let mut tokens = reader.tokens(text)?;
    tokens.truncate(MOST_TOKENS);
    let window = reader.window();
    let total = tokens.len().div_ceil(window) as u32;
    for (done, part) in tokens.chunks_mut(window).enumerate() {
        reader.read(part, |_, _| {})?;
        on_window(done as u32 + 1, total);
    }
    drop(reader);
    Ok(std::mem::take(&mut collector.of)
        .into_iter()
        .filter_map(|(name, sums)| Some((name, weights(&sums)?)))
        .collect())
}

/// Mean squares. An expert that was never asked has even weights; a tensor with anything that is no number has none.
fn weights(sums: &Sums) -> Option<Vec<f32>> {
    let columns = sums.squares.len() / sums.rows.len().max(1);
    let of_column = |(at, square): (usize, &f64)| match sums.rows[at / columns] {
        0 => 1.0,
        rows => (square / rows as f64) as f32,
    };
    let weights: Vec<f32> = sums.squares.iter().enumerate().map(of_column).collect();
    weights.iter().all(|w| w.is_finite()).then_some(weights)
}

/// Asked before each tensor whether it is wanted, then called with those that are.
extern "C" fn on_tensor(tensor: *mut sys::ggml_tensor, ask: bool, data: *mut c_void) -> bool {
    // SAFETY: llama.cpp hands over a tensor of the graph with the sources that its operation has, all alive through the call, and the
    // collector that `find` keeps while it reads; the graph is computed by one thread at a time.
    unsafe {
        let tensor = &*tensor;
        let wanted = [sys::GGML_OP_MUL_MAT, sys::GGML_OP_MUL_MAT_ID].contains(&tensor.op)
            && !tensor.src[0].is_null()
            && !tensor.src[1].is_null()
            && (*tensor.src[1]).type_ == sys::GGML_TYPE_F32
            && is_weight(&*tensor.src[0]);
        if wanted && !ask {
            (*data.cast::<Collector>()).add(tensor);
        }
        !ask || wanted
    }
}

/// Weights have names of files; what is computed has not.
fn is_weight(tensor: &sys::ggml_tensor) -> bool {
    name_of(tensor).to_bytes().ends_with(b".weight")
}

/// The name in the file: a copy on a device is called `device#name#number`.
fn name_of(tensor: &sys::ggml_tensor) -> CString {
    // SAFETY: ggml ends every name with NUL within its 64 bytes.
    let name = unsafe { CStr::from_ptr(tensor.name.as_ptr()) };
    let text = name.to_string_lossy();
    match text.split('#').nth(1) {
        Some(inner) => CString::new(inner).unwrap_or_default(),
        None => name.to_owned(),
    }
}

impl Collector {
    unsafe fn add(&mut self, tensor: &sys::ggml_tensor) {
        // SAFETY: see `on_tensor`.
        let (weight, input) = unsafe { (&*tensor.src[0], &*tensor.src[1]) };
        let columns = weight.ne[0] as usize;
        let experts = weight.ne[2].max(1) as usize;
        if input.ne[0] as usize != columns {
            return;
        }
        let bytes = unsafe { fetch(input, &mut self.copy) };
        let sums = self.of.entry(name_of(weight)).or_insert_with(|| Sums {
            squares: vec![0.0; columns * experts],
            rows: vec![0; experts],
        });
        let row = |of: usize, token: usize, more: usize| {
            let at = of * input.nb[1] + token * input.nb[2] + more * input.nb[3];
            bytes.get(at..at + columns * 4)
        };
        if tensor.op == sys::GGML_OP_MUL_MAT {
            let [_, rows, heads, more] = input.ne.map(|n| n as usize);
            for ((place, head), rest) in (0..rows)
                .flat_map(|place| (0..heads).map(move |head| (place, head)))
                .flat_map(|both| (0..more).map(move |rest| (both, rest)))
            {
                if let Some(row) = row(place, head, rest) {
                    // A weight with a matrix for each head keeps them one after the other, as it does with experts.
                    sums.add(head % experts, row);
                }
            }
            return;
        }
        // src[2] holds, for each token, the experts that it was sent to.
        let Some(chosen) = std::ptr::NonNull::new(tensor.src[2]) else {
            return;
        };
        let mut ids = Vec::new();
        let chosen = unsafe { chosen.as_ref() };
        let ids = unsafe { fetch(chosen, &mut ids) };
        let (each, tokens) = (chosen.ne[0] as usize, chosen.ne[1] as usize);
        for token in 0..tokens {
            for place in 0..each {
                let at = place * chosen.nb[0] + token * chosen.nb[1];
                let Some(id) = ids.get(at..at + 4).and_then(|b| b.try_into().ok()) else {
                    continue;
                };
                let expert = i32::from_le_bytes(id);
                let of = place % input.ne[1].max(1) as usize;
                if let (Ok(expert), Some(row)) = (usize::try_from(expert), row(of, token, 0))
                    && expert < experts
                {
                    sums.add(expert, row);
                }
            }
        }
    }
}

impl Sums {
    fn add(&mut self, expert: usize, row: &[u8]) {
        let columns = row.len() / 4;
        let sums = &mut self.squares[expert * columns..(expert + 1) * columns];
        for (sum, bytes) in sums.iter_mut().zip(row.as_chunks::<4>().0) {
            let value = f64::from(f32::from_le_bytes(*bytes));
            *sum += value * value;
        }
        self.rows[expert] += 1;
    }
}

/// The bytes of a tensor, wherever it lies.
unsafe fn fetch<'a>(tensor: &'a sys::ggml_tensor, copy: &'a mut Vec<u8>) -> &'a [u8] {
    // SAFETY: the buffer is as long as the tensor, and a tensor in main memory lies where it says.
    unsafe {
        let length = sys::ggml_nbytes(tensor);
        let in_main_memory =
            tensor.buffer.is_null() || sys::ggml_backend_buffer_is_host(tensor.buffer);
        if in_main_memory && !tensor.data.is_null() {
            return slice::from_raw_parts(tensor.data.cast(), length);
        }
        copy.resize(length, 0);
        sys::ggml_backend_tensor_get(tensor, copy.as_mut_ptr().cast(), 0, length);
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_means_and_silent_experts_are_even() {
        let mut sums = Sums {
            squares: vec![0.0; 4],
            rows: vec![0; 2],
        };
        for row in [[1.0_f32, 2.0], [3.0, 0.0]] {
            let bytes: Vec<u8> = row.iter().flat_map(|v| v.to_le_bytes()).collect();
            sums.add(0, &bytes);
        }
        assert_eq!(weights(&sums).unwrap(), [5.0, 2.0, 1.0, 1.0]);
        sums.squares[0] = f64::NAN;
        assert_eq!(weights(&sums), None);
    }
}
