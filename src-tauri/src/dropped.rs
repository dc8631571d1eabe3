//! Files that are dropped onto the main window become models. The page shows where they would land and learns no paths: what the
//! system hands over stays on this side.

use std::path::PathBuf;

use hearth_app::App;
use hearth_app::events::{AppEvent, Section};
use tauri::DragDropEvent;

/// Something is dragged over the main window, or let go there. Must be called inside a tokio runtime.
pub fn on_drag(app: &App, event: &DragDropEvent) {
    match event {
        DragDropEvent::Enter { paths, .. } if !paths.is_empty() => hover(app, true),
        DragDropEvent::Drop { paths, .. } => {
            hover(app, false);
            take(app, paths.clone());
        }
        DragDropEvent::Leave => hover(app, false),
        _ => {}
    }
}

fn hover(app: &App, over: bool) {
    app.events().send(AppEvent::FilesOver { over });
}

/// Where they are shown on their way is the Models screen.
fn take(app: &App, paths: Vec<PathBuf>) {
    // Text that is dragged comes as no files.
    if paths.is_empty() {
        return;
    }
    app.models().start_imports(paths, app.events());
    let section = Section::Models;
    let chat_id = None;
    app.events()
        .send(AppEvent::ShowSection { section, chat_id });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use hearth_app::inference::FakeEngines;
    use hearth_app::models::ImportState;
    use hearth_app::paths::Paths;
    use hearth_app::{Code, Options};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_dropped_is_taken_and_the_view_is_told_its_name_only() {
        let home = tempfile::tempdir().unwrap();
        let letter = home.path().join("letter.gguf");
        std::fs::write(&letter, "Dear reader").unwrap();
        let app = App::open(Options {
            paths: Paths::under(&home.path().join("hearth")),
            engines: Arc::new(FakeEngines { in_child: false }),
        });
        let mut events = app.events().subscribe();
        let at = tauri::PhysicalPosition::new(1.0, 1.0);
        let enter = DragDropEvent::Enter {
            paths: vec![letter.clone()],
            position: at,
        };
        on_drag(&app, &enter);
        let shown = events.recv().await.unwrap();
        assert_eq!(shown, AppEvent::FilesOver { over: true });
        let dropped = DragDropEvent::Drop {
            paths: vec![letter],
            position: at,
        };
        on_drag(&app, &dropped);
        let shown = events.recv().await.unwrap();
        assert_eq!(shown, AppEvent::FilesOver { over: false });
        let wait = async {
            loop {
                let imports = app.models().imports();
                if let ImportState::Failed { error } = &imports[0].state {
                    return (imports.len(), imports[0].file.clone(), error.clone());
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(60), wait).await;
        let (count, file, error) = ended.unwrap();
        assert_eq!((count, file.as_str()), (1, "letter.gguf"));
        assert_eq!(error.code, Code::ModelInvalid);
        let home = home.path().display().to_string();
        assert!(!error.message.contains(&home), "{error:?}");
        app.models().end_import(app.models().imports()[0].id);
        assert!(app.models().imports().is_empty());
    }

    #[test]
    fn text_that_is_dragged_is_no_file() {
        let home = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _entered = runtime.enter();
        let app = App::open(Options {
            paths: Paths::under(home.path()),
            engines: Arc::new(FakeEngines { in_child: false }),
        });
        let position = tauri::PhysicalPosition::new(1.0, 1.0);
        let paths = Vec::new();
        on_drag(&app, &DragDropEvent::Drop { paths, position });
        assert!(app.models().imports().is_empty());
    }
}
