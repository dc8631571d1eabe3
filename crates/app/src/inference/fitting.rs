//! What fits into this machine beside what is loaded, and the refusal of what does not.
//!
//! It brings the figures together; the verdict is made in [`crate::fit`]. It must not start or end engines.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use hearth_engine::{LoadSpec, Purpose};
use hearth_hardware::machine::Graphics;
use hearth_hardware::plan::Plan;
use hearth_models::Header;
use hearth_models::catalog::rank::Place;
use tokio::sync::OnceCell;

use super::Inference;
use crate::error::{Code, Error, Result};
use crate::fit::{self, Fit, Loaded, Room, Verdict, parts_in_words};
use crate::hardware::Machine;
use crate::models::{ModelList, ValidModel};

/// What models may take on this machine, read when it is asked for first: the graphics driver takes its time.
pub(super) struct Memory {
    machine: Machine,
    limits: OnceCell<Limits>,
    /// Models that the user wants to load whatever we say.
    anyway: Mutex<HashSet<String>>,
}

#[derive(Default)]
pub(super) struct Limits {
    pub(super) plan: Option<Plan>,
    pub(super) bandwidth_gb_s: Option<u32>,
}

impl Memory {
    pub(super) fn new(machine: Machine) -> Self {
        Self {
            machine,
            limits: OnceCell::new(),
            anyway: Mutex::default(),
        }
    }

    /// The budget without asking the graphics driver.
    pub(super) fn first_budget(&self) -> Option<u64> {
        Plan::of(&self.machine, &Graphics::default()).map(|plan| plan.budget)
    }

    fn is_allowed(&self, name: &str) -> bool {
        let anyway = self.anyway.lock().unwrap_or_else(PoisonError::into_inner);
        anyway.contains(name)
    }
}

impl Inference {
    /// From now on the model is loaded even if it does not fit, until the program ends.
    pub fn load_anyway(&self, model: &str) {
        let anyway = self.memory.anyway.lock();
        let mut anyway = anyway.unwrap_or_else(PoisonError::into_inner);
        anyway.insert(model.to_owned());
    }

    /// Whether a model on this machine fits, and what it takes. `context` is the window in tokens; `None` is the one that it would be
    /// loaded with.
    pub async fn fit(&self, model: &str, context: Option<u32>) -> Result<Fit> {
        let file = self.models.find_any(model).await?;
        let mut spec = self.spec_of(&file, purpose(&file.header));
        let trained = u32::try_from(file.header.context_length).unwrap_or(u32::MAX);
        spec.context_tokens = context.map(|n| n.min(trained)).or(spec.context_tokens);
        Ok(self.judge(&file, &spec).await)
    }

    /// The same of a model that is not here yet, from what the first bytes of its file say ([`hearth_models::validate_prefix`]) and the
    /// size of what it sees with.
    pub async fn fit_header(&self, header: &Header, projector_bytes: u64) -> Fit {
        let mut spec = LoadSpec::new("");
        spec.purpose = purpose(header);
        let mut eyes_bytes = 0;
        if spec.purpose == Purpose::Generate {
            spec.context_tokens = Some(self.models.window_of(header));
            spec.kv_type = self.kv_type_of(header);
            eyes_bytes = projector_bytes;
        }
        let room = self.room(None).await;
        let bandwidth = self.limits().await.bandwidth_gb_s;
        fit::judge(header, eyes_bytes, &spec, &room, bandwidth)
    }

    /// All models on this machine, each with whether it fits.
    pub async fn list_models(&self) -> Result<ModelList> {
        let (mut list, usable) = self.models.list_usable().await?;
        let room = self.room(None).await;
        for model in &mut list.models {
            let Some(file) = usable.get(&model.name) else {
                continue;
            };
            let spec = self.spec_of(file, purpose(&file.header));
            let room = room.without(&file.name);
            let eyes_bytes = eyes_bytes(file, &spec);
            let fit = fit::judge(&file.header, eyes_bytes, &spec, &room, None);
            model.fit = Some(fit.into());
        }
        Ok(list)
    }

    /// What counts of this machine when models are suggested.
    pub(crate) async fn place(&self) -> Place {
        let limits = self.limits().await;
        Place {
            budget_bytes: limits.plan.map(|plan| plan.budget),
            bandwidth_gb_s: limits.bandwidth_gb_s,
        }
    }

    async fn judge(&self, file: &ValidModel, spec: &LoadSpec) -> Fit {
        let eyes_bytes = eyes_bytes(file, spec);
        let room = self.room(Some(&file.name)).await;
        let bandwidth = self.limits().await.bandwidth_gb_s;
        fit::judge(&file.header, eyes_bytes, spec, &room, bandwidth)
    }

    /// The fit of a model that is about to be loaded; an error when it does not fit even alone and nobody wants it anyway.
    pub(super) async fn check_fit(
        &self,
        asked: &str,
        file: &ValidModel,
        spec: &LoadSpec,
    ) -> Result<Fit> {
        let fit = self.judge(file, spec).await;
        let anyway = [asked, &file.name]
            .iter()
            .any(|name| self.memory.is_allowed(name));
        match &fit.verdict {
            Some(verdict @ (Verdict::TooBig | Verdict::FitsAtContext { .. })) if !anyway => {
                Err(refusal(&file.name, verdict, &fit))
            }
            _ => Ok(fit),
        }
    }

    /// What models may take, and what those that are loaded do, `except` one.
    pub(crate) async fn room(&self, except: Option<&str>) -> Room {
        let plan = self.limits().await.plan;
        let mut rows = self.registry.rows();
        rows.retain(|row| Some(row.model.name.as_str()) != except && super::is_usable(row));
        // As they would be unloaded: those in use last.
        rows.sort_by_key(|row| (row.pinned || row.active > 0, row.last_used));
        let loaded = rows.iter().map(|row| Loaded {
            name: row.model.name.clone(),
            bytes: row.model.bytes,
        });
        Room {
            budget_bytes: plan.map(|plan| plan.budget),
            reserve_bytes: plan.map_or(0, |plan| plan.reserve),
            loaded: loaded.collect(),
        }
    }

    pub(super) async fn limits(&self) -> &Limits {
        let read = || async {
            let machine = self.memory.machine.clone();
            let read = tokio::task::spawn_blocking(move || {
                let graphics = hearth_hardware::graphics();
                let family = machine.family();
                Limits {
                    plan: Plan::of(&machine, &graphics),
                    bandwidth_gb_s: family.and_then(|f| f.bandwidth_gb_s(graphics.cores)),
                }
            });
            let limits = read.await.unwrap_or_default();
            self.registry
                .set_budget(limits.plan.map(|plan| plan.budget));
            limits
        };
        self.memory.limits.get_or_init(read).await
    }
}

/// Bytes of what a model sees with, where it is loaded too.
fn eyes_bytes(file: &ValidModel, spec: &LoadSpec) -> u64 {
    let eyes = file.projector.as_ref().filter(|_| spec.projector.is_some());
    eyes.map_or(0, |projector| projector.size_bytes)
}

fn purpose(header: &Header) -> Purpose {
    match header.purpose() {
        hearth_models::Purpose::Chat => Purpose::Generate,
        hearth_models::Purpose::Embed => Purpose::Embed,
        hearth_models::Purpose::Rerank => Purpose::Rerank,
    }
}

fn refusal(name: &str, verdict: &Verdict, fit: &Fit) -> Error {
    let message = format!(
        "The model `{name}` was not loaded. {} Its parts: {}.",
        fit.sentence,
        parts_in_words(&fit.sum)
    );
    let hint = match verdict {
        Verdict::FitsAtContext { tokens } => format!(
            "Set the context window to {tokens} tokens or less in the settings, or load it anyway (`hearth run --anyway`)."
        ),
        _ => "Choose a smaller model or a smaller quantisation of it, or load it anyway (`hearth run --anyway`)."
            .to_owned(),
    };
    Error::new(Code::InsufficientMemory, message).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::Sum;

    #[test]
    fn a_refusal_shows_the_sum_and_the_way_out() {
        let sum = Sum {
            weights: 4_900_000_000,
            cache: 8_600_000_000,
            ..Sum::default()
        };
        let fit = Fit {
            verdict: None,
            sum,
            total_bytes: sum.total(),
            budget_bytes: Some(9_000_000_000),
            loaded_bytes: 0,
            context_tokens: 65_536,
            tokens_per_second: None,
            sentence: "It is large.".into(),
        };
        let error = refusal("x", &Verdict::FitsAtContext { tokens: 4096 }, &fit);
        assert_eq!(error.code, Code::InsufficientMemory);
        assert_eq!(
            error.message,
            "The model `x` was not loaded. It is large. Its parts: 8.6 GB context, 4.9 GB weights."
        );
        assert!(error.hint.unwrap().contains("4096 tokens"));
    }
}
