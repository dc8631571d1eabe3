//! Bakes the configuration in and makes one permission for each command of the list, so that a window gets only what its
//! capability names.

#[path = "src/ipc/names.rs"]
mod names;

fn main() {
    let manifest = tauri_build::AppManifest::new().commands(names::COMMANDS);
    let attributes = tauri_build::Attributes::new().app_manifest(manifest);
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo::error={error:#}");
    }
}
