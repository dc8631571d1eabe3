//! The command line: parse, call the app, print. Data goes to standard output, everything else to standard error.
#![allow(clippy::print_stdout, clippy::print_stderr)] // Printing is what this crate is for.

mod alias;
mod arguments;
mod client;
mod doctor;
mod exit;
mod import;
mod list;
mod monitor;
mod pull;
mod quantize;
mod remote;
mod rm;
mod run;
mod serve;
mod show;

use std::process::ExitCode;

use clap::Parser;
use hearth_app::env::Env;
use hearth_app::{App, Options, Result};

use self::arguments::{Arguments, Command};

/// Runs the command and returns its exit code.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match start(arguments.clone()) {
        Ok(code) => code,
        Err(error) => exit::report(&error, arguments.json),
    }
}

fn start(arguments: Arguments) -> Result<ExitCode> {
    let env = Env::read();
    let options = Options::from_env(&env)?;
    if let Some(notice) = hearth_app::log::start(&env, &options.paths) {
        eprintln!("{notice}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(hearth_app::Error::internal)?;
    runtime.block_on(async {
        let app = App::open(options);
        if let Some(bytes) = env.disk_reserve_bytes {
            app.models().leave_free(bytes);
        }
        let result = match arguments.command {
            Command::Run(run) => run::run(&app, &run, arguments.json).await,
            Command::List => list::run(&app, arguments.json).await,
            Command::Quantize(wish) => quantize::run(&app, &wish, arguments.json).await,
            Command::Pull(pull) => pull::run(&app, &env, &pull, arguments.json).await,
            Command::Alias(wish) => alias::run(&app, &wish, arguments.json).await,
            Command::Import { file } => import::run(&app, file, arguments.json).await,
            Command::Rm { model } => rm::run(&app, &model, arguments.json).await,
            Command::Show { model, context } => {
                show::run(&app, &model, context, arguments.json).await
            }
            Command::Serve(serve) => serve::serve(&app, &env, &serve, arguments.json).await,
            Command::Doctor => doctor::run(&app, &env, arguments.json).await,
            Command::Ps => serve::list(&app, arguments.json).await,
            Command::Monitor(monitor) => monitor::run(&app, &monitor, arguments.json).await,
            Command::Stop { model } => serve::stop(&app, model.as_deref()).await,
        };
        app.shut_down().await;
        result
    })
}
