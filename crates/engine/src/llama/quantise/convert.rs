//! The conversion itself.

use std::ffi::CString;
use std::ptr;

use llama_cpp_sys_2 as sys;

use super::{c_path, log, threads};
use crate::Error;
use crate::quantise::{Job, Quantisation};

/// How much the columns of one tensor matter: its name and a weight for each column (of each expert).
pub(super) type Weighted = (CString, Vec<f32>);

/// Writes the target.
pub(super) fn convert(
    job: &Job,
    matters: &[Weighted],
    on_tensor: impl FnMut(u32, u32) + Send + 'static,
) -> Result<(), Error> {
    log::watch(on_tensor);
    let mut table: Vec<sys::llama_model_imatrix_data> = matters
        .iter()
        .map(|(name, data)| sys::llama_model_imatrix_data {
            name: name.as_ptr(),
            data: data.as_ptr(),
            size: data.len(),
        })
        .collect();
    // A name that is null ends it.
    table.push(sys::llama_model_imatrix_data {
        name: ptr::null(),
        data: ptr::null(),
        size: 0,
    });
    call(job, |params| {
        if !matters.is_empty() {
            params.imatrix = table.as_ptr();
        }
    })
}

/// Bytes of the weights that would be written.
pub(super) fn size(job: &Job) -> Result<u64, Error> {
    call(job, |params| params.dry_run = true)?;
    log::size_bytes().ok_or_else(|| Error::Backend {
        reason: "llama.cpp did not say how large the copy would be".into(),
    })
}

/// What `set` puts into the parameters must live until this is over.
fn call(job: &Job, set: impl FnOnce(&mut sys::llama_model_quantize_params)) -> Result<(), Error> {
    let (source, target) = (c_path(&job.source)?, c_path(&job.target)?);
    // SAFETY: the paths live until the call is over, and so does what `set` has put in.
    let status = unsafe {
        let mut params = sys::llama_model_quantize_default_params();
        params.nthread = threads(job);
        params.ftype = ftype(job.to);
        params.allow_requantize = true;
        set(&mut params);
        sys::llama_model_quantize(source.as_ptr(), target.as_ptr(), &raw const params)
    };
    if status == 0 {
        return Ok(());
    }
    let reason =
        log::first_error().unwrap_or_else(|| format!("the conversion ended with {status}"));
    Err(Error::Backend { reason })
}

fn ftype(to: Quantisation) -> sys::llama_ftype {
    match to {
        Quantisation::F16 => sys::LLAMA_FTYPE_MOSTLY_F16,
        Quantisation::Q8_0 => sys::LLAMA_FTYPE_MOSTLY_Q8_0,
        Quantisation::Q6K => sys::LLAMA_FTYPE_MOSTLY_Q6_K,
        Quantisation::Q5KM => sys::LLAMA_FTYPE_MOSTLY_Q5_K_M,
        Quantisation::Q4KM => sys::LLAMA_FTYPE_MOSTLY_Q4_K_M,
        Quantisation::Q4KS => sys::LLAMA_FTYPE_MOSTLY_Q4_K_S,
        Quantisation::Iq4Xs => sys::LLAMA_FTYPE_MOSTLY_IQ4_XS,
        Quantisation::Q3KM => sys::LLAMA_FTYPE_MOSTLY_Q3_K_M,
        Quantisation::Q2K => sys::LLAMA_FTYPE_MOSTLY_Q2_K,
    }
}
