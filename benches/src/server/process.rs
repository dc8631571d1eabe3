//! The server in a process of its own, so that its time and memory are told apart from the client's.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Arc;

use hearth_app::keys::MemorySecrets;
use hearth_app::paths::Paths;
use hearth_app::server::ServerConfig;
use hearth_app::settings::SettingChange;
use hearth_app::{App, Options};
use hearth_server::Server;

use super::paced::PacedEngines;

/// The argument that makes this program the server.
const ARGUMENT: &str = "server-process";
/// As many as the settings allow.
pub(super) const PARALLEL: u32 = 64;

/// Serves until its input ends, when this process was started for that.
pub(crate) fn run_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != ARGUMENT) {
        return None;
    }
    let model = arguments.next().expect("a model file");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(serve(Path::new(&model)));
    Some(ExitCode::SUCCESS)
}

async fn serve(model: &Path) {
    let home = tempfile::tempdir().unwrap();
    let mut paths = Paths::under(home.path());
    paths.bundled = vec![model.parent().unwrap().to_owned()];
    let app = App::open(Options {
        paths,
        engines: Arc::new(PacedEngines),
    });
    app.open_keys(Arc::<MemorySecrets>::default());
    for change in [
        SettingChange::ServerParallel(PARALLEL),
        SettingChange::ServerQueue(10_000),
    ] {
        app.settings().set(change).await.unwrap();
    }
    let mut config = ServerConfig::of(&app.settings().get());
    config.port = 0;
    let running = Server::start(app, &config).await.unwrap();
    println!("{}", running.port());
    std::io::stdout().flush().unwrap();
    let ended =
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()).unwrap());
    ended.await.unwrap();
    running.stop().await;
}

/// A server that runs; ends when dropped.
pub(super) struct Process {
    pub(super) port: u16,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    pub(super) fn start(model: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(ARGUMENT)
            .arg(model)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        Self {
            port: line.trim().parse().expect("the server says its port"),
            stdin: child.stdin.take(),
            child,
        }
    }

    /// Time of all its threads so far in microseconds, to ten milliseconds: all of it, and what the system spent for it.
    pub(super) fn cpu_us(&self) -> (f64, f64) {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).unwrap_or_default();
        // The name in parentheses may hold blanks; user and system time are the 12th and 13th field after it.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let mut ticks = fields.split(' ').skip(11).map(str::parse::<f64>);
        let mut next = || ticks.next().and_then(Result::ok).unwrap_or(f64::NAN) * 10_000.0;
        let (user, system) = (next(), next());
        (user + system, system)
    }

    /// Memory it has in use, in MiB.
    pub(super) fn resident_mib(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.map_or(f64::NAN, |kib| kib / 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.wait();
    }
}
