//! The list of models: names, damage, links, parts, and that no name leads out of the folders.

use std::fs;
use std::path::Path;

use hearth_models::{Error, Library, Source, embedder, starter};

use hearth_gguf_writer::*;

fn write(folder: &Path, name: &str, model: &Model) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, model.build()).unwrap();
}

fn names(library: &Library) -> Vec<String> {
    library
        .list()
        .models
        .into_iter()
        .map(|model| model.name)
        .collect()
}

#[test]
fn lists_what_is_there() {
    let home = tempfile::tempdir().unwrap();
    let (bundled, own) = (home.path().join("bundled"), home.path().join("models"));
    write(&bundled, starter::FILE_NAME, &Model::sound());
    write(&bundled, embedder::FILE_NAME, &Model::sound());
    write(&bundled, "other.gguf", &Model::sound());
    write(&own, "My Model.Q4_K_M.gguf", &Model::sound());
    write(&own, "my-model.q4_k_m.GGUF", &Model::sound());
    write(&own, "folder/inside.gguf", &Model::sound());
    write(&own, "folder/deeper/not-seen.gguf", &Model::sound());
    write(&own, ".hidden.gguf", &Model::sound());
    write(&own, "starter.gguf", &Model::sound());
    write(&own, "embedder.gguf", &Model::sound());
    fs::write(own.join("notes.txt"), "no model").unwrap();
    fs::write(own.join("damaged.gguf"), "GGUF").unwrap();
    fs::create_dir(own.join("folder.gguf")).unwrap();

    let library = Library::new(vec![home.path().join("missing"), bundled], own);
    let report = library.list();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    let listed: Vec<&str> = report
        .models
        .iter()
        .map(|model| model.name.as_str())
        .collect();
    assert_eq!(
        listed,
        [
            "starter",
            "embedder",
            "damaged",
            "embedder-2",
            "inside",
            "my-model.q4_k_m",
            "my-model.q4_k_m-2",
            "starter-2"
        ]
    );
    assert_eq!(
        (report.models[0].source, report.models[0].title.as_str()),
        (Source::Bundled, starter::TITLE)
    );
    assert_eq!(
        (report.models[1].source, report.models[1].title.as_str()),
        (Source::Bundled, embedder::TITLE)
    );
    assert!(matches!(
        report.models[2].header,
        Err(Error::Truncated { .. })
    ));
    assert_eq!(report.models[4].title, "Tiny");
    assert_eq!(
        report.models[4].size_bytes,
        Model::sound().build().len() as u64
    );
}

#[test]
fn finds_by_name_and_by_start() {
    let home = tempfile::tempdir().unwrap();
    for name in ["llama-1b.gguf", "llama-1b-long.gguf", "qwen.gguf"] {
        write(home.path(), name, &Model::sound());
    }
    let library = Library::new(Vec::new(), home.path().to_owned());
    assert_eq!(library.find("llama-1b").unwrap().name, "llama-1b");
    assert_eq!(library.find("qw").unwrap().name, "qwen");
    match library.find("llama") {
        Err(Error::Ambiguous { candidates, .. }) => {
            assert_eq!(candidates, ["llama-1b", "llama-1b-long"])
        }
        other => panic!("{other:?}"),
    }
    for name in [
        "",
        "starter",
        "../qwen",
        "/etc/passwd",
        "qwen.gguf",
        "qwen\0",
        "QWEN",
        "%2e%2e",
    ] {
        assert!(
            matches!(library.find(name), Err(Error::NotFound { .. })),
            "{name}"
        );
    }
}

#[test]
fn parts_are_one_model() {
    let home = tempfile::tempdir().unwrap();
    let first = Model::sound()
        .with("split.no", u16(0))
        .with("split.count", u16(2));
    let second = Model::sound().change(|model| {
        model.entries.clear();
        model.tensors = vec![tensor("rest.weight", &[32, 2], 0, 256)];
    });
    let second = second.with("split.no", u16(1)).with("split.count", u16(2));
    write(home.path(), "big-00001-of-00002.gguf", &first);
    write(home.path(), "big-00002-of-00002.gguf", &second);
    let library = Library::new(Vec::new(), home.path().to_owned());
    let model = library.find("big").unwrap();
    assert_eq!(model.header.unwrap().part_count, 2);
    assert_eq!(
        model.size_bytes,
        (first.build().len() + second.build().len()) as u64
    );
    assert_eq!(names(&library), ["big"]);

    fs::remove_file(home.path().join("big-00001-of-00002.gguf")).unwrap();
    let left = library.list().models;
    assert!(matches!(left.as_slice(), [only] if only.header.is_err()));
}

#[cfg(unix)]
#[test]
fn links_end() {
    use std::os::unix::fs::symlink;

    let home = tempfile::tempdir().unwrap();
    let (own, elsewhere) = (home.path().join("models"), home.path().join("elsewhere"));
    write(&elsewhere, "real.gguf", &Model::sound());
    fs::create_dir_all(&own).unwrap();
    symlink(elsewhere.join("real.gguf"), own.join("linked.gguf")).unwrap();
    symlink(&own, own.join("loop")).unwrap();
    symlink(own.join("self.gguf"), own.join("self.gguf")).unwrap();
    symlink(home.path().join("gone"), own.join("dangling.gguf")).unwrap();
    let library = Library::new(Vec::new(), own);
    // Once directly and once through the loop, which is not entered a second time.
    assert_eq!(names(&library), ["linked", "linked-2"]);
}

#[test]
fn a_changed_file_is_read_again() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), "a.gguf", &Model::sound());
    let library = Library::new(Vec::new(), home.path().to_owned());
    assert_eq!(library.find("a").unwrap().title, "Tiny");
    write(
        home.path(),
        "a.gguf",
        &Model::sound().with("general.name", text("Changed")),
    );
    assert_eq!(library.find("a").unwrap().title, "Changed");
    fs::write(home.path().join("a.gguf"), "rubbish").unwrap();
    assert!(matches!(
        library.find("a").unwrap().header,
        Err(Error::NotGguf { .. })
    ));
    fs::remove_file(home.path().join("a.gguf")).unwrap();
    assert!(matches!(library.find("a"), Err(Error::NotFound { .. })));
}

#[test]
fn a_folder_that_is_a_file_is_a_problem() {
    let home = tempfile::tempdir().unwrap();
    let own = home.path().join("models");
    fs::write(&own, "not a folder").unwrap();
    let report = Library::new(Vec::new(), own).list();
    assert!(report.models.is_empty());
    assert_eq!(report.problems.len(), 1);
    assert!(
        Library::new(Vec::new(), home.path().join("none"))
            .list()
            .problems
            .is_empty()
    );
}

#[test]
fn a_model_of_the_user_can_be_copied_and_removed() {
    let home = tempfile::tempdir().unwrap();
    let (bundled, own) = (home.path().join("bundled"), home.path().join("models"));
    write(&bundled, starter::FILE_NAME, &Model::sound());
    write(&own, "mine.gguf", &Model::sound());
    let library = Library::new(vec![bundled.clone()], own.clone());

    assert_eq!(
        hearth_models::own::copy(&library, "mine", "../Second one:7b").unwrap(),
        "second-one-7b"
    );
    assert_eq!(
        names(&library),
        ["starter", "mine", "second-one-7b"],
        "inside the folder"
    );
    assert!(matches!(
        hearth_models::own::copy(&library, "mine", "starter"),
        Err(Error::Exists { .. })
    ));
    assert!(matches!(
        hearth_models::own::copy(&library, "mine", "../.."),
        Err(Error::BadName { .. })
    ));
    let (name, freed) = hearth_models::own::remove(&library, "mine").unwrap();
    assert_eq!(name, "mine");
    assert!(freed > 0);
    assert_eq!(names(&library), ["starter", "second-one-7b"]);
    assert!(library.find("second-one-7b").unwrap().header.is_ok());
    for (name, new) in [("starter", "x"), ("nothing", "x")] {
        assert!(hearth_models::own::copy(&library, name, new).is_err());
        assert!(hearth_models::own::remove(&library, name).is_err());
    }
    assert!(bundled.join(starter::FILE_NAME).exists());
}

#[test]
fn a_link_is_removed_and_what_it_leads_to_stays() {
    let home = tempfile::tempdir().unwrap();
    let (elsewhere, own) = (home.path().join("elsewhere"), home.path().join("models"));
    write(&elsewhere, "real.gguf", &Model::sound());
    fs::create_dir_all(&own).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("real.gguf"), own.join("link.gguf")).unwrap();
    let library = Library::new(Vec::new(), own);
    hearth_models::own::remove(&library, "link").unwrap();
    assert!(names(&library).is_empty());
    assert!(elsewhere.join("real.gguf").exists());
}

/// The header of the vision part of a model.
pub fn projector() -> Model {
    let mut model = Model::sound();
    model.entries.clear();
    [
        ("general.architecture", text("clip")),
        ("clip.has_vision_encoder", bool(true)),
        ("clip.vision.embedding_length", u32(64)),
        ("clip.vision.attention.head_count", u32(4)),
        ("clip.vision.feed_forward_length", u32(128)),
        ("clip.vision.block_count", u32(1)),
        ("clip.vision.projection_dim", u32(64)),
        ("clip.vision.image_size", u32(112)),
        ("clip.vision.patch_size", u32(14)),
    ]
    .into_iter()
    .fold(model, |model, (key, value)| model.with(key, value))
}

#[test]
fn a_model_is_listed_with_its_vision_part() {
    let home = tempfile::tempdir().unwrap();
    let own = home.path().join("models");
    write(&own, "seer/model.gguf", &Model::sound());
    write(&own, "seer/mmproj.gguf", &projector());
    write(&own, "plain.gguf", &Model::sound());
    write(&own, "mmproj-stray.gguf", &projector());
    let library = Library::new(Vec::new(), own);
    assert_eq!(names(&library), ["mmproj-stray", "model", "plain"]);
    let seen = |name: &str| library.find(name).unwrap().projector;
    let found = seen("model").unwrap();
    assert!(found.path.ends_with("seer/mmproj.gguf"));
    assert_eq!(found.size_bytes, fs::metadata(&found.path).unwrap().len());
    assert_eq!((seen("plain"), seen("mmproj-stray")), (None, None));
    let stray = library.find("mmproj-stray").unwrap().header.unwrap_err();
    assert!(stray.to_string().contains("vision part"), "{stray}");
    // A second name sees with the same eyes.
    hearth_models::own::copy(&library, "model", "second").unwrap();
    assert!(seen("second").is_some());
    assert_eq!(names(&library).len(), 4);
}

#[test]
fn a_vision_part_that_would_hurt_is_not_used() {
    let home = tempfile::tempdir().unwrap();
    for (key, value, word) in [
        ("clip.has_vision_encoder", bool(false), "cannot see"),
        ("clip.vision.patch_size", u32(0), "patch_size"),
        ("clip.vision.patch_size", u32(113), "patch_size"),
        ("clip.vision.image_size", u32(1 << 30), "image_size"),
        ("clip.vision.attention.head_count", u32(3), "head_count"),
        ("clip.vision.block_count", u32(0), "block_count"),
        ("clip.vision.projector.scale_factor", u32(0), "scale_factor"),
        (
            "clip.vision.embedding_length",
            text("64"),
            "embedding_length",
        ),
    ] {
        write(home.path(), "model.gguf", &Model::sound());
        write(
            home.path(),
            "mmproj-model.gguf",
            &projector().with(key, value),
        );
        let library = Library::new(Vec::new(), home.path().to_owned());
        assert_eq!(library.find("model").unwrap().projector, None, "{key}");
        let error = library.find("mmproj-model").unwrap().header.unwrap_err();
        assert!(error.to_string().contains(word), "{key}: {error}");
    }
}
