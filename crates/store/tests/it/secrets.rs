//! A real key store: GNOME Keyring on a session bus of its own, in a home of its own. The test starts itself again inside that.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use hearth_store::{Keychain, Secrets, Sensitive};

/// Set for the copy of this program that runs inside the session.
const INSIDE: &str = "HEARTH_TEST_KEY_STORE";

#[test]
fn a_secret_lives_in_the_systems_key_store() {
    if std::env::var_os(INSIDE).is_some() {
        return round_trip();
    }
    if cfg!(target_os = "macos") {
        return eprintln!("skipped: the login keychain of a person is not for tests");
    }
    for program in ["dbus-run-session", "gnome-keyring-daemon"] {
        if Command::new(program).arg("--version").output().is_err() {
            return eprintln!("skipped: {program} is not installed (scripts/system-packages keys)");
        }
    }
    let home = tempfile::tempdir().unwrap();
    let this = std::env::current_exe().unwrap();
    let script = "printf 'test' | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; \
                  exec \"$0\" --exact it::secrets::a_secret_lives_in_the_systems_key_store --nocapture";
    let output = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", script])
        .arg(this)
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.path().join("data"))
        .env("XDG_RUNTIME_DIR", home.path())
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{printed}");
    assert!(printed.contains("1 passed"), "{printed}");
    // Nothing of it lies readable in the files of the key store.
    for file in walk(home.path()) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let found = bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes());
        assert!(!found, "{}", file.display());
    }
}

const SECRET: &str = "hearth-secret-0123456789";

fn round_trip() {
    let keychain = Keychain::new("app.hearth.test");
    let value = Sensitive::new(SECRET.to_owned());
    assert_eq!(keychain.get("one").unwrap(), None);
    keychain.remove("one").unwrap();
    keychain.set("one", &value).unwrap();
    assert_eq!(keychain.get("one").unwrap(), Some(value));
    let other = Sensitive::new("other".to_owned());
    keychain.set("one", &other).unwrap();
    // Another reader sees it, and only under its own name.
    let again = Keychain::new("app.hearth.test");
    assert_eq!(again.get("one").unwrap(), Some(other));
    assert_eq!(again.get("two").unwrap(), None);
    again.remove("one").unwrap();
    assert_eq!(keychain.get("one").unwrap(), None);
}

#[test]
fn a_key_store_that_comes_later_is_found() {
    if std::env::var_os(INSIDE).is_some() {
        return comes_later();
    }
    if cfg!(target_os = "macos") {
        return eprintln!("skipped: the login keychain of a person is not for tests");
    }
    for program in ["dbus-daemon", "gnome-keyring-daemon"] {
        if Command::new(program).arg("--version").output().is_err() {
            return eprintln!("skipped: {program} is not installed (scripts/system-packages keys)");
        }
    }
    let home = tempfile::tempdir().unwrap();
    let bus = format!("unix:path={}", home.path().join("bus").display());
    // In a process of its own, because the place of the bus is read from the environment.
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "it::secrets::a_key_store_that_comes_later_is_found",
        ])
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.path().join("data"))
        .env("XDG_RUNTIME_DIR", home.path())
        .env("DBUS_SESSION_BUS_ADDRESS", bus)
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("1 passed"), "{printed}");
}

fn comes_later() {
    let keychain = Keychain::new("app.hearth.test");
    let error = keychain.get("one").unwrap_err();
    assert!(error.to_string().contains("key store"), "{error}");
    let bus = std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap();
    let arguments = ["--session", "--nofork", "--address", &bus];
    let mut daemons = vec![start("dbus-daemon", &arguments, None)];
    let socket = std::path::PathBuf::from(bus.trim_start_matches("unix:path="));
    until(|| socket.exists());
    let arguments = ["--foreground", "--unlock", "--components=secrets"];
    daemons.push(start("gnome-keyring-daemon", &arguments, Some("test")));
    let value = Sensitive::new(SECRET.to_owned());
    let found = until(|| keychain.set("one", &value).is_ok());
    let read = keychain.get("one");
    for daemon in &mut daemons {
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }
    assert!(found, "it is not found");
    assert_eq!(read.unwrap(), Some(value));
    assert!(keychain.get("one").is_err(), "nobody is there any more");
}

/// A program in the background; with a password for the key store on its standard input where it reads one.
fn start(program: &str, arguments: &[&str], password: Option<&str>) -> Child {
    let mut command = Command::new(program);
    command.args(arguments);
    command.stdin(password.map_or(Stdio::null(), |_| Stdio::piped()));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    if let (Some(mut input), Some(password)) = (child.stdin.take(), password) {
        input.write_all(password.as_bytes()).unwrap();
    }
    child
}

/// Whether something comes true within ten seconds.
fn until(check: impl Fn() -> bool) -> bool {
    (0..200).any(|_| {
        let holds = check();
        if !holds {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        holds
    })
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path()),
            Ok(kind) if kind.is_file() => vec![entry.path()],
            _ => Vec::new(),
        })
        .collect()
}
