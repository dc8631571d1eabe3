//! Reads the weights of a model, whatever it is for: where its layers go, and why a load has failed.

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::model::{LlamaLoraAdapter, LlamaModel};
use llama_cpp_2::{LlamaBackendDeviceType, LogOptions};

use crate::{Error, LoadSpec};

/// A model in memory and where it is.
pub(super) struct Weights {
    // Dropped in this order: the backend must outlive the model.
    pub model: LlamaModel,
    pub offload: Offload,
    pub backend: LlamaBackend,
}

impl Weights {
    /// `on_progress` gets 0 to 1 and may return `false` to give up the load; `failed` makes an error of llama.cpp's words.
    pub(super) fn load(
        spec: &LoadSpec,
        on_progress: impl FnMut(f32) -> bool + 'static,
        failed: &impl Fn(&str) -> Error,
    ) -> Result<Self, Error> {
        llama_cpp_2::send_logs_to_tracing(LogOptions::default());
        let backend = LlamaBackend::init().map_err(|e| failed(&e.to_string()))?;
        let offload = Offload::choose(spec.offload);
        let params = LlamaModelParams::default()
            .with_n_gpu_layers(if offload.to_gpu { u32::MAX >> 1 } else { 0 })
            .with_no_alloc(spec.measure_only)
            .with_progress_callback(on_progress);
        let model = LlamaModel::load_from_file(&backend, &spec.path, &params)
            .map_err(|e| failed(&e.to_string()))?;
        Ok(Self {
            model,
            offload,
            backend,
        })
    }

    /// The adapter of `spec` and its strength.
    pub(super) fn adapter(
        &mut self,
        spec: &LoadSpec,
        failed: &impl Fn(&str) -> Error,
    ) -> Result<Option<(LlamaLoraAdapter, f32)>, Error> {
        match spec.adapters.as_slice() {
            [] => Ok(None),
            [(path, scale)] => {
                let adapter = self.model.lora_adapter_init(path);
                Ok(Some((adapter.map_err(|e| failed(&e.to_string()))?, *scale)))
            }
            _ => Err(Error::LoadFailed {
                reason: "one LoRA adapter at a time".into(),
            }),
        }
    }
}

/// An error with the reason that llama.cpp wrote to its log last, or `what` when it wrote none.
pub(super) fn failure(last_log_error: &impl Fn() -> Option<String>, what: &str) -> Error {
    let reason = last_log_error().unwrap_or_else(|| what.to_owned());
    let is_memory = ["alloc", "out of memory", "memory"];
    if is_memory.iter().any(|word| reason.contains(word)) {
        Error::OutOfMemory { reason }
    } else {
        Error::LoadFailed { reason }
    }
}

/// Where the layers go.
pub(super) struct Offload {
    pub to_gpu: bool,
    device: String,
}

impl Offload {
    pub(super) fn choose(wanted: bool) -> Self {
        let gpu = llama_cpp_2::list_llama_ggml_backend_devices()
            .into_iter()
            .find(|d| {
                matches!(
                    d.device_type,
                    LlamaBackendDeviceType::Gpu | LlamaBackendDeviceType::IntegratedGpu
                )
            });
        match gpu {
            Some(device) if wanted => Self {
                to_gpu: true,
                device: format!("{} ({})", device.backend, device.description),
            },
            Some(_) => Self {
                to_gpu: false,
                device: "the GPU is switched off in the settings".into(),
            },
            None => Self {
                to_gpu: false,
                device: "no supported GPU was found".into(),
            },
        }
    }

    /// In plain words, for people.
    pub(super) fn words(&self, threads: u32) -> String {
        if self.to_gpu {
            format!("All layers on {}", self.device)
        } else {
            let s = if threads == 1 { "" } else { "s" };
            format!("CPU, {threads} thread{s}: {}", self.device)
        }
    }
}
