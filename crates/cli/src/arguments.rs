//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hearth_app::models::Quantisation;

/// Language models on your own machine.
#[derive(Debug, Clone, Parser)]
#[command(name = "hearth", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Ask a model, or talk with it when no prompt is given.
    Run(Run),
    /// List the models on this machine.
    #[command(visible_alias = "ls")]
    List,
    /// Make a smaller copy of a model: its numbers rounded to fewer bits.
    Quantize(Quantize),
    /// Fetch a model from Hugging Face, or go on fetching it.
    Pull(Pull),
    /// Take a model file among your models: checked first, and without taking room where the disk can share it.
    Import {
        /// A GGUF file; of a split model any part.
        file: PathBuf,
    },
    /// Give a model a short name that works wherever a model is named, or list those that there are.
    Alias(Alias),
    /// Remove a model of your own from the disk.
    Rm {
        /// Name of the model, as `hearth list` prints it.
        model: String,
    },
    /// Say what a model is, how much memory it takes, and whether it fits.
    Show {
        /// Name of the model, as `hearth list` prints it.
        model: String,
        /// Count with this context window, in tokens [default: the one that it is loaded with].
        #[arg(long)]
        context: Option<u32>,
    },
    /// Answer other programs over HTTP until Ctrl+C.
    Serve(Serve),
    /// Look over this machine and the installation, and say what to do about what is wrong.
    Doctor,
    /// List what the running Hearth has loaded.
    Ps,
    /// Unload a model of the running Hearth, or all.
    Stop {
        /// Name of the model, as `hearth ps` prints it.
        model: Option<String>,
    },
    /// Watch speed, heat, power and memory, second by second, until Ctrl+C (which ends it with exit code 0).
    ///
    /// Shows what the running Hearth sees; without one, what the sensors of this machine say. With --json, one object a line.
    Monitor(Monitor),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Monitor {
    /// Show one moment and end.
    #[arg(long)]
    pub(crate) once: bool,
    /// Play a recording instead of the sensors: lines as `hearth monitor --json` prints them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["history", "explain"])]
    pub(crate) replay: Option<PathBuf>,
    /// Print what was recorded in this time instead, as CSV or with --json as one object.
    #[arg(long, value_name = "SPAN", conflicts_with_all = ["once", "explain"])]
    pub(crate) history: Option<Range>,
    /// Say why it was as fast or slow as it was then, such as `14:32` or `2026-11-21T14:32`.
    #[arg(long, value_name = "TIME", conflicts_with = "once")]
    pub(crate) explain: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Alias {
    /// The short name.
    #[arg(value_name = "ALIAS")]
    pub(crate) short: Option<String>,
    /// Name of the model that it stands for, as `hearth list` prints it.
    #[arg(requires = "short")]
    pub(crate) model: Option<String>,
    /// Take the short name away; the model stays.
    #[arg(long, requires = "short", conflicts_with = "model")]
    pub(crate) remove: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Quantize {
    /// Name of the model, as `hearth list` prints it.
    pub(crate) model: String,
    /// What the numbers become, the largest first: F16, Q8_0, Q6_K, Q5_K_M, Q4_K_M, Q4_K_S, IQ4_XS, Q3_K_M, Q2_K.
    #[arg(value_name = "TYPE", value_parser = quantisation)]
    pub(crate) to: Quantisation,
    /// A text like what the copy will be used for: what matters in it is rounded least.
    #[arg(long, value_name = "FILE")]
    pub(crate) text: Option<PathBuf>,
    /// Only say how large the copy would be.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not measure original and copy, which takes time and needs memory for each.
    #[arg(long)]
    pub(crate) no_measure: bool,
}

fn quantisation(name: &str) -> Result<Quantisation, String> {
    let known = || Quantisation::ALL.map(Quantisation::name).join(", ");
    Quantisation::named(name).ok_or_else(|| format!("known are {}", known()))
}

/// How far back a history goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Range {
    #[value(name = "1h")]
    Hour,
    #[value(name = "24h")]
    Day,
    #[value(name = "30d")]
    Month,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Pull {
    /// Its name at the hub: `hf.co/owner/name:Q4_K_M`, `owner/name` or `owner/name/file.gguf`.
    pub(crate) model: String,
    /// Most megabytes to fetch in a second; not looked at when the running Hearth fetches.
    #[arg(long, value_name = "MB", value_parser = megabytes)]
    pub(crate) limit: Option<f64>,
}

fn megabytes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.001..=1e6).contains(&number) => Ok(number),
        _ => Err("it must be a number from 0.001 to 1,000,000".to_owned()),
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Serve {
    /// First port that is tried [default: the one in the settings].
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Answer other machines of the local network too; needs an API key.
    #[arg(long)]
    pub(crate) lan: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Run {
    /// Name of the model, as `hearth list` prints it [default: the one in the settings].
    pub(crate) model: Option<String>,
    /// What to ask; what is piped in is added to it.
    pub(crate) prompt: Option<String>,
    /// What the model is told first.
    #[arg(long)]
    pub(crate) system: Option<String>,
    /// 0 to 2; 0 always takes the likeliest word.
    #[arg(long)]
    pub(crate) temperature: Option<f32>,
    /// 0 to 1; how much of the probability is considered.
    #[arg(long)]
    pub(crate) top_p: Option<f32>,
    /// Longest answer in tokens.
    #[arg(long)]
    pub(crate) max_tokens: Option<u32>,
    /// Same seed, same text.
    #[arg(long)]
    pub(crate) seed: Option<u32>,
    /// End the answer at this text; can be given more than once.
    #[arg(long)]
    pub(crate) stop: Vec<String>,
    /// Load the model even if it does not fit into memory. A Hearth that runs already decides for itself.
    #[arg(long)]
    pub(crate) anyway: bool,
    /// Show tokens per second after each answer.
    #[arg(long, short)]
    pub(crate) verbose: bool,
}
