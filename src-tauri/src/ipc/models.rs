//! Commands on the models on this machine: which there are, what each takes, and what is done with them.

use hearth_app::downloads::{Download, Prospect, Pull};
use hearth_app::events::AppEvent;
use hearth_app::fit::Fit;
use hearth_app::keys::Sensitive;
use hearth_app::models::{
    CopyPreview, CopyWish, Copying, Importing, ModelDetails, ModelSummary, Quantisation, Suggested,
};
use hearth_app::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use tauri::State;

use crate::shell::Shell;

#[tauri::command]
#[specta::specta]
pub async fn list_models(shell: State<'_, Shell>) -> Result<Vec<ModelSummary>> {
    Ok(shell.app.inference().list_models().await?.models)
}

/// What a model says about itself.
#[derive(Debug, Clone, Serialize, specta::Type)]
#[serde(rename_all = "camelCase")]
pub struct ModelPage {
    name: String,
    architecture: String,
    #[specta(type = u32)]
    parameters: u64,
    layers: u32,
    /// Tokens that it was trained to look back on, and that fit when it is loaded.
    #[specta(type = u32)]
    trained_tokens: u64,
    context_tokens: u32,
    calls_tools: bool,
    sees: bool,
    thinks: bool,
    /// It brings its own chat template.
    has_template: bool,
    files: u32,
    fit: Fit,
}

/// What can be known of a model that can be used.
#[tauri::command]
#[specta::specta]
pub async fn model_page(shell: State<'_, Shell>, name: String) -> Result<ModelPage> {
    let details = shell.app.models().details(&name).await?;
    let fit = shell.app.inference().fit(&details.name, None).await?;
    Ok(page(details, fit))
}

fn page(details: ModelDetails, fit: Fit) -> ModelPage {
    let header = &details.header;
    ModelPage {
        architecture: header.architecture.clone(),
        parameters: header.parameters,
        layers: u32::try_from(header.block_count).unwrap_or(u32::MAX),
        trained_tokens: header.context_length,
        context_tokens: details.context_tokens,
        calls_tools: details.calls_tools,
        sees: details.sees,
        thinks: details.thinks,
        has_template: header.chat_template.is_some(),
        files: u32::try_from(header.part_count).unwrap_or(u32::MAX),
        name: details.name,
        fit,
    }
}

/// Well-known models that could be fetched, the best for this machine first.
#[tauri::command]
#[specta::specta]
pub async fn discover_models(shell: State<'_, Shell>) -> Result<Vec<Suggested>> {
    shell.app.suggested_models().await
}

/// What is done with a model.
#[derive(Debug, Clone, Deserialize, specta::Type)]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum ModelsChange {
    /// Removes the files of a model of the user.
    Remove {
        name: String,
    },
    /// Says what a smaller copy would be like; nothing is made.
    PreviewCopy {
        name: String,
        quantisation: String,
    },
    /// Begins a smaller copy.
    Copy {
        name: String,
        quantisation: String,
        measure: bool,
    },
    /// Gives up the copy that is being made, or forgets the one that is over.
    EndCopy,
    /// From now on loads a model even if it does not fit, until the program ends.
    LoadAnyway {
        name: String,
    },
    /// Looks at a model at the hub before it is fetched.
    LookAtHub {
        wanted: String,
    },
    /// Keeps the token for the hub, or forgets it.
    KeepToken {
        #[specta(type = Option<String>)]
        token: Option<Secret>,
    },
    /// Fetches a model by its name at the hub.
    Fetch {
        wanted: String,
    },
    PauseDownload {
        id: String,
    },
    ResumeDownload {
        id: String,
    },
    /// Also removes what is here of it.
    CancelDownload {
        id: String,
    },
    /// Lets a short name stand for a model.
    SetAlias {
        alias: String,
        name: String,
    },
    RemoveAlias {
        alias: String,
    },
    /// Gives up the import of a file that was dropped here, or forgets the one that is over.
    EndImport {
        id: u32,
    },
}

/// A text of the window that no log may show.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub struct Secret(Sensitive<String>);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Sensitive::new(text))
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize, specta::Type)]
#[serde(rename_all = "camelCase")]
pub struct ModelsChanged {
    #[specta(type = Option<u32>)]
    freed_bytes: Option<u64>,
    preview: Option<CopyPreview>,
    /// The model that was to be fetched is here, under this name.
    here: Option<String>,
    /// What was looked at; absent when it is here or on its way.
    prospect: Option<Prospect>,
}

#[tauri::command]
#[specta::specta]
pub async fn change_models(shell: State<'_, Shell>, change: ModelsChange) -> Result<ModelsChanged> {
    let app = &shell.app;
    let mut changed = ModelsChanged::default();
    match change {
        ModelsChange::Remove { name } => changed.freed_bytes = Some(app.remove_model(&name).await?),
        ModelsChange::PreviewCopy { name, quantisation } => {
            let wish = wish(name, &quantisation, false)?;
            changed.preview = Some(app.models().preview_copy(&wish).await?);
        }
        ModelsChange::Copy {
            name,
            quantisation,
            measure,
        } => {
            let wish = wish(name, &quantisation, measure)?;
            app.models().start_copy(wish, app.events()).await?;
        }
        ModelsChange::EndCopy => app.models().end_copy(),
        ModelsChange::LoadAnyway { name } => app.inference().load_anyway(&name),
        ModelsChange::LookAtHub { wanted } => changed.prospect = app.prospect(&wanted).await?,
        ModelsChange::KeepToken { token } => {
            app.keep_hub_token(token.map(|Secret(token)| token)).await?;
        }
        ModelsChange::Fetch { wanted } => {
            if let Pull::Here(name) = app.downloads()?.pull(&wanted).await? {
                changed.here = Some(name);
            }
        }
        ModelsChange::PauseDownload { id } => app.downloads()?.pause(&id)?,
        ModelsChange::ResumeDownload { id } => app.downloads()?.resume(&id).await?,
        ModelsChange::CancelDownload { id } => app.downloads()?.cancel(&id).await?,
        ModelsChange::SetAlias { alias, name } => {
            app.models().set_alias(&alias, &name).await?;
            app.events().send(AppEvent::ModelsChanged);
        }
        ModelsChange::RemoveAlias { alias } => {
            app.models().remove_alias(&alias).await?;
            app.events().send(AppEvent::ModelsChanged);
        }
        ModelsChange::EndImport { id } => app.models().end_import(id),
    }
    Ok(changed)
}

fn wish(model: String, quantisation: &str, measure: bool) -> Result<CopyWish> {
    let to = Quantisation::named(quantisation).ok_or_else(|| {
        let message = format!("`{quantisation}` is no type of numbers that a copy can have.");
        Error::new(Code::InvalidInput, message)
    })?;
    Ok(CopyWish {
        model,
        to,
        text: None,
        measure,
    })
}

/// What is going on with models.
#[derive(Debug, Clone, Serialize, specta::Type)]
pub struct ModelWork {
    copying: Option<Copying>,
    downloads: Vec<Download>,
    imports: Vec<Importing>,
}

/// Asked for once a second while something shows it.
#[tauri::command]
#[specta::specta]
pub async fn model_work(shell: State<'_, Shell>) -> Result<ModelWork> {
    Ok(ModelWork {
        copying: shell.app.models().copying(),
        downloads: shell.app.downloads()?.list().await,
        imports: shell.app.models().imports(),
    })
}
