//! `hearth alias`: short names of models.

use std::process::ExitCode;

use hearth_app::models::ModelAlias;
use hearth_app::{App, Code, Error, Result};
use serde_json::json;

use crate::arguments::Alias;

pub(crate) async fn run(app: &App, wish: &Alias, json: bool) -> Result<ExitCode> {
    let models = app.models();
    let Some(alias) = &wish.short else {
        let all = models.aliases().await?;
        show(&all, json);
        return Ok(ExitCode::SUCCESS);
    };
    let (model, said) = match &wish.model {
        Some(model) => (models.set_alias(alias, model).await?, "stands for"),
        None if wish.remove => (models.remove_alias(alias).await?, "stands no more for"),
        None => {
            let all = models.aliases().await?;
            let one = all.into_iter().find(|one| one.alias == *alias);
            let message = format!("There is no alias `{alias}`.");
            let one = one.ok_or_else(|| Error::new(Code::NotFound, message))?;
            show(&[one], json);
            return Ok(ExitCode::SUCCESS);
        }
    };
    if json {
        println!("{}", json!({ "alias": alias, "model": model }));
    } else {
        eprintln!("{alias} {said} {model}.");
    }
    Ok(ExitCode::SUCCESS)
}

fn show(all: &[ModelAlias], json: bool) {
    if json {
        println!("{}", json!({ "aliases": all }));
        return;
    }
    let width = all.iter().map(|one| one.alias.len()).max().unwrap_or(0);
    for one in all {
        let state = match (one.is_hidden, one.is_missing) {
            (true, _) => "  (a model has this name itself and is what it means)",
            (false, true) => "  (this model is not there)",
            (false, false) => "",
        };
        println!("{:width$}  {}{state}", one.alias, one.model);
    }
}
