//! From the start of the program to its end. Whatever is missing on this machine costs that part, never the window.

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hearth_app::downloads::HubConfig;
use hearth_app::env::Env;
use hearth_app::events::AppEvent;
use hearth_app::monitor::Sensors;
use hearth_app::settings::SettingChange;
use hearth_app::{App, Code, Error, Options, Result};
use tauri::{AppHandle, Emitter, Manager, RunEvent};
use tauri_plugin_window_state::StateFlags;

use crate::shell::Shell;
use crate::{alerts, ipc, platform, shortcut, tray, windows};

/// Name of the one event that views listen to.
const APP_EVENT: &str = "app-event";
/// Given when the system starts the program at login: no window is opened.
const BACKGROUND: &str = "--background";

/// How long the model waits at the start, so that its loading does not slow down the first picture of the window.
const PRELOAD_DELAY: Duration = Duration::from_secs(1);

/// Runs the program until the user quits.
pub fn run() -> ExitCode {
    let env = Env::read();
    let options = match Options::from_env(&env) {
        Ok(options) => options,
        Err(error) => return say_and_fail(&error),
    };
    let log_notice = hearth_app::log::start(&env, &options.paths);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return say_and_fail(&Error::internal(error)),
    };
    tauri::async_runtime::set(runtime.handle().clone());
    let _entered = runtime.enter();
    let app = App::open(options);
    app.open_keys(hearth_app::keys::secrets(&env));
    let downloads = app.open_downloads(HubConfig::from_env(&env));
    runtime.spawn(async move { downloads.resume_all().await });
    app.open_monitor(Sensors::from_env(&env));
    let shell = Shell::new(app);
    if let Some(message) = log_notice {
        shell.notice("log", message);
    }
    match build(shell) {
        Ok(program) => {
            program.run(on_run_event);
            ExitCode::SUCCESS
        }
        Err(error) => say_and_fail(
            &Error::new(
                Code::Unsupported,
                format!("The window system could not be reached: {error}."),
            )
            .hint(
                "Start Hearth from a desktop, or chat in the terminal with `hearth run starter`.",
            ),
        ),
    }
}

fn say_and_fail(error: &Error) -> ExitCode {
    tracing::error!(%error, "the program could not start");
    let hint = error.hint.as_deref().unwrap_or_default();
    #[allow(clippy::print_stderr)] // There is no window to say it in.
    {
        eprintln!("hearth-desktop: {} {hint}", error.message);
    }
    ExitCode::FAILURE
}

fn build(shell: Shell) -> tauri::Result<tauri::App> {
    let commands = ipc::commands();
    let state_flags = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED;
    // With the rest of our files; the plug-in takes an absolute path as it is.
    let state_file = shell.app.paths().window_state().display().to_string();
    let builder = tauri::Builder::default()
        // First, as its documentation asks: a second start ends before it opens anything.
        .plugin(tauri_plugin_single_instance::init(
            |handle, arguments, _| on_second_start(handle, &arguments),
        ))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(
            tauri_plugin_opener::Builder::new()
                .open_js_links_on_click(false)
                .build(),
        )
        .plugin(
            tauri_plugin_window_state::Builder::new()
                .with_state_flags(state_flags)
                .with_filename(state_file)
                .with_denylist(&[windows::POPOVER])
                .build(),
        )
        .invoke_handler(commands.invoke_handler())
        .manage(shell)
        .setup(|app| {
            set_up(app.handle());
            Ok(())
        });
    #[allow(clippy::exit)] // In Tauri's macro.
    let context = tauri::generate_context!();
    platform::prepare(builder).build(context)
}

fn set_up(handle: &AppHandle) {
    let shell = handle.state::<Shell>();
    match shell.app.open_chats() {
        Ok(chats) => chats
            .opening_notices()
            .iter()
            .for_each(|line| shell.notice("chats", line.clone())),
        Err(error) => shell.notice(
            "chats",
            format!("{} {}", error.message, error.hint.unwrap_or_default()),
        ),
    }
    let settings = shell.app.settings().get();
    if let Err(error) = platform::set_dock(handle, settings.show_in_dock) {
        shell.notice(
            "dock",
            format!("The Dock icon could not be changed: {error}."),
        );
    }
    show_tray(handle, &shell, settings.show_in_menu_bar);
    match shortcut::start(handle) {
        Ok(()) if settings.shortcut.is_empty() => {}
        Ok(()) => {
            if let Err(error) = shortcut::set(handle, "", &settings.shortcut) {
                shell.notice("shortcut", error.message);
            }
        }
        Err(error) => shell.notice(
            "shortcut",
            format!("Global shortcuts are not available here: {error}."),
        ),
    }
    let for_trouble = handle.clone();
    shell.app.watch_models(move |error| {
        let hint = error.hint.unwrap_or_default();
        let notice = format!("{} {hint}", error.message);
        for_trouble.state::<Shell>().notice("models", notice);
    });
    forward_events(handle);
    alerts::start(handle);
    open_links(handle);
    let background = std::env::args().any(|a| a == BACKGROUND);
    if !background || !shell.has_tray.load(Ordering::Relaxed) {
        windows::show_main(handle);
    }
    let app = shell.app.clone();
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(PRELOAD_DELAY).await;
        app.preload().await;
    });
}

fn show_tray(handle: &AppHandle, shell: &Shell, wanted: bool) {
    if !wanted {
        return;
    }
    if let Some(trouble) = platform::tray_trouble() {
        return shell.notice("tray", trouble);
    }
    // The tray library panics when its system library is not installed.
    match std::panic::catch_unwind(AssertUnwindSafe(|| tray::set_shown(handle, true))) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => shell.notice(
            "tray",
            format!("The tray icon could not be shown: {error}."),
        ),
        Err(_) => shell.notice(
            "tray",
            "The tray icon could not be shown: its system library is missing.",
        ),
    }
}

/// Tries a setting's effect outside the program.
pub fn take_effect(handle: &AppHandle, shell: &Shell, change: &SettingChange) -> Result<()> {
    let failed =
        |what: &str, reason: String| Error::new(Code::Unsupported, format!("{what}: {reason}."));
    match change {
        SettingChange::LaunchAtLogin(on) => platform::set_login_item(handle, *on)
            .map_err(|e| failed("The login item could not be changed", e)),
        SettingChange::ShowInMenuBar(true) if platform::tray_trouble().is_some() => Ok(()),
        SettingChange::ShowInMenuBar(shown) => tray::set_shown(handle, *shown)
            .map_err(|e| failed("The tray icon could not be changed", e.to_string())),
        SettingChange::ShowInDock(shown) => platform::set_dock(handle, *shown)
            .map_err(|e| failed("The Dock icon could not be changed", e.to_string())),
        SettingChange::Shortcut(new) => {
            shortcut::set(handle, &shell.app.settings().get().shortcut, new)
        }
        _ => Ok(()),
    }
}

fn forward_events(handle: &AppHandle) {
    let mut events = handle.state::<Shell>().app.events().subscribe();
    let handle = handle.clone();
    tauri::async_runtime::spawn(async move {
        loop {
            match events.recv().await {
                Ok(event) => send_to_views(&handle, &event),
                // Views read the whole list again on any event, so a lost one costs nothing.
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {
                    send_to_views(&handle, &AppEvent::ChatsChanged);
                }
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            }
        }
    });
}

fn send_to_views(handle: &AppHandle, event: &AppEvent) {
    if let Err(error) = handle.emit(APP_EVENT, event) {
        tracing::warn!(%error, "an event could not be sent to the views");
    }
}

/// `hearth://…` opens the window; nothing in a link is acted on yet.
fn open_links(handle: &AppHandle) {
    use tauri_plugin_deep_link::DeepLinkExt;
    let inner = handle.clone();
    handle
        .deep_link()
        .on_open_url(move |_| windows::show_main(&inner));
}

/// The arguments come from any process of this user, so only the wish to see the window is taken from them.
fn on_second_start(handle: &AppHandle, arguments: &[String]) {
    if !arguments.iter().any(|a| a == BACKGROUND) {
        windows::show_main(handle);
    }
}

fn on_run_event(handle: &AppHandle, event: RunEvent) {
    match event {
        // The last window is gone, but the tray stays.
        RunEvent::ExitRequested {
            code: None, api, ..
        } => api.prevent_exit(),
        #[cfg(target_os = "macos")]
        RunEvent::Reopen {
            has_visible_windows: false,
            ..
        } => windows::show_main(handle),
        RunEvent::Exit => shut_down(handle),
        _ => {}
    }
}

/// Ends the program; what is being written is stored first.
pub fn quit(handle: &AppHandle) {
    let shell = handle.state::<Shell>();
    if shell.quitting.swap(true, Ordering::Relaxed) {
        return;
    }
    let handle = handle.clone();
    let ended = shell.shut_down();
    tauri::async_runtime::spawn(async move {
        ended.await;
        handle.exit(0);
    });
}

/// The system may end the program without [`quit`] (logout, SIGTERM): store what there is.
fn shut_down(handle: &AppHandle) {
    let shell = handle.state::<Shell>();
    if !shell.quitting.swap(true, Ordering::Relaxed) {
        tauri::async_runtime::block_on(shell.shut_down());
    }
}
