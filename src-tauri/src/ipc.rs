//! THE list of commands a view may call, and the TypeScript that is made from it. `ui/src/ipc/bindings.ts` is its output; a
//! test fails when that file is stale.

mod chats;
mod models;
mod monitor;
pub mod names;
mod program;
mod providers;
mod server;
mod settings;

use specta_typescript::Typescript;
use tauri::Wry;
use tauri_specta::{Builder, ErrorHandlingMode, collect_commands};

/// All commands, in the order of the bindings file.
pub fn commands() -> Builder<Wry> {
    Builder::new()
        .error_handling(ErrorHandlingMode::Throw)
        // One type for both directions: what we send always has every field.
        .disable_serde_phases()
        .typ::<hearth_app::events::AppEvent>()
        .typ::<hearth_app::Error>()
        .commands(collect_commands![
            program::app_info,
            chats::list_chats,
            chats::create_chat,
            chats::open_chat,
            chats::rename_chat,
            chats::set_chat_deleted,
            chats::save_draft,
            chats::read_ahead,
            chats::send_message,
            chats::regenerate,
            chats::follow_chat,
            chats::stop_generation,
            chats::select_branch,
            program::engine_state,
            models::list_models,
            models::model_page,
            models::discover_models,
            models::change_models,
            models::model_work,
            settings::get_settings,
            settings::set_setting,
            settings::reset_setting,
            program::open_folder,
            chats::export_chats,
            chats::clear_chats,
            server::server_status,
            server::list_requests,
            server::list_api_keys,
            server::create_api_key,
            server::revoke_api_key,
            monitor::get_moment,
            monitor::get_history,
            monitor::explain_moment,
            monitor::export_history,
            monitor::preview_setting,
            providers::list_providers,
            providers::set_provider_key,
            program::open_link,
            program::act_on_window,
            program::quit_app,
        ])
}

/// Writes the bindings file.
///
/// # Errors
/// When a type cannot be said in TypeScript, or the file cannot be written.
pub fn export(to: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let header = "// Made from src-tauri/src/ipc.rs by `make bindings`. Do not edit.\n";
    Ok(commands().export(Typescript::default().header(header), to)?)
}
