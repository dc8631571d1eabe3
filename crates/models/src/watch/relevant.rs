//! Which of all that happens in a folder may change the list of models. Pure.
//!
//! A download of another program writes for hours; only that its file came, was closed or got its name is worth a look.

use std::path::Path;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind};

use super::folders::keeps_blobs;
use crate::library::Store;

/// Endings of files that are not whole yet, here and in other programs.
const UNFINISHED: [&str; 7] = [
    ".part",
    ".partial",
    ".incomplete",
    ".making",
    ".new",
    ".tmp",
    ".lock",
];

/// Whether a list that was read before may be another now.
pub(super) fn is_relevant(event: &Event, stores: &[Store]) -> bool {
    let concerns = |path: &Path| {
        stores.iter().any(|store| {
            // The store itself or a folder above it came or went.
            store.root.starts_with(path) || path.starts_with(&store.root) && !is_hidden(path, store)
        })
    };
    changes(event.kind) && event.paths.iter().any(|path| concerns(path))
}

/// Whether what has this path is there no more, or under another name.
pub(super) fn takes_away(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
    )
}

fn changes(kind: EventKind) -> bool {
    match kind {
        // Where the system says that a file was closed, its single writes say nothing.
        EventKind::Modify(ModifyKind::Data(_)) => cfg!(target_os = "macos"),
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(_) | EventKind::Any => true,
        EventKind::Other => false,
    }
}

/// Whether a list of the store never looks at this path.
pub(super) fn is_hidden(path: &Path, store: &Store) -> bool {
    let below = path.strip_prefix(&store.root).unwrap_or(path);
    let hidden = |part: &str| part.starts_with('.') || part == "blobs" && keeps_blobs(store);
    let parts = below.iter().map(|part| part.to_string_lossy());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = UNFINISHED.iter().any(|ending| name.ends_with(ending));
    unfinished || parts.into_iter().any(|part| hidden(&part))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use notify::event::{CreateKind, DataChange, RemoveKind};

    use super::*;
    use crate::library::Source;

    #[test]
    fn what_a_list_shows_is_worth_a_look_and_nothing_else() {
        let store = |source, root: &str| Store {
            source,
            root: PathBuf::from(root),
        };
        let stores = [
            store(Source::Own, "/h/.hearth/models"),
            store(Source::HuggingFace, "/h/.cache/hub"),
        ];
        let created = EventKind::Create(CreateKind::Any);
        for (path, expected) in [
            ("/h/.hearth/models/new.gguf", true),
            ("/h/.hearth/models/folder", true),
            ("/h/.hearth/models/.downloads/x/job.json", false),
            ("/h/.hearth/models/copy.making", false),
            ("/h/.hearth/chats.db", false),
            // A folder above one that is not there yet.
            ("/h/.cache", true),
            ("/h/.cache/other", false),
            ("/h/.cache/hub/models--a--b/snapshots/1/m.gguf", true),
            ("/h/.cache/hub/models--a--b/blobs/abc", false),
            ("/h/.cache/hub/.locks/x", false),
        ] {
            let event = Event::new(created).add_path(PathBuf::from(path));
            assert_eq!(is_relevant(&event, &stores), expected, "{path}");
        }
        let at = |kind| Event::new(kind).add_path(PathBuf::from("/h/.hearth/models/m.gguf"));
        let read = EventKind::Access(AccessKind::Open(AccessMode::Read));
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let removed = EventKind::Remove(RemoveKind::File);
        let relevant = |kind| is_relevant(&at(kind), &stores);
        assert!(!relevant(read) && relevant(closed) && relevant(removed));
        assert_eq!(relevant(written), cfg!(target_os = "macos"));
        assert!(takes_away(removed) && !takes_away(closed));
    }
}
