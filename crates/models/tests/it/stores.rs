//! Models of other programs: found where they lie, shown once, and never written to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hearth_models::{Error, Library, ModelFile, Source, Store, own};
use sha2::{Digest, Sha256};

use hearth_gguf_writer::*;

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A model of which no other has the bytes.
fn model(name: &str) -> Vec<u8> {
    Model::sound().with("general.name", text(name)).build()
}

/// Everything below a folder: kind, target or bytes, and time of the last change.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (String, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let what = if metadata.is_dir() {
                folders.push(path.clone());
                "folder".to_owned()
            } else if metadata.is_symlink() {
                fs::read_link(&path).unwrap().display().to_string()
            } else {
                hex(&fs::read(&path).unwrap())
            };
            found.insert(path, (what, metadata.modified().unwrap()));
        }
    }
    found
}

/// Puts a file into a Hugging Face cache as its clients do: the blob by its hash, a link in the snapshot.
fn fetch(hub: &Path, repository: &str, revision: &str, file: &str, bytes: &[u8]) {
    let repository = hub.join(format!("models--{}", repository.replace('/', "--")));
    let blob = repository.join("blobs").join(hex(bytes));
    put(&blob, bytes);
    let link = repository.join("snapshots").join(revision).join(file);
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    let up = "../".repeat(2 + file.matches('/').count());
    std::os::unix::fs::symlink(format!("{up}blobs/{}", hex(bytes)), link).unwrap();
}

fn refer(hub: &Path, repository: &str, name: &str, revision: &str) {
    let repository = hub.join(format!("models--{}", repository.replace('/', "--")));
    put(&repository.join("refs").join(name), revision.as_bytes());
}

/// Puts a model into Ollama's folder; layers are kind and bytes.
fn pull(root: &Path, tag: &str, layers: &[(&str, &[u8])]) {
    let mut manifest = Vec::new();
    for (kind, bytes) in layers {
        put(
            &root.join("blobs").join(format!("sha256-{}", hex(bytes))),
            bytes,
        );
        manifest.push(format!(
            r#"{{"mediaType":"application/vnd.ollama.image.{kind}","digest":"sha256:{}","size":{}}}"#,
            hex(bytes),
            bytes.len()
        ));
    }
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{{}},"layers":[{}]}}"#,
        manifest.join(",")
    );
    put(
        &root.join("manifests/registry.ollama.ai").join(tag),
        text.as_bytes(),
    );
}

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, rest: &str) -> PathBuf {
        self.folder.path().join(rest)
    }

    fn library(&self) -> Library {
        let store = |source, rest: &str| Store {
            source,
            root: self.path(rest),
        };
        let stores = vec![
            store(Source::HuggingFace, "hub"),
            store(Source::LmStudio, "lms"),
            store(Source::Ollama, "ollama"),
        ];
        Library::new(Vec::new(), self.path("own"))
            .with_stores(stores, self.path("cache/hashes.json"))
    }
}

fn named(library: &Library) -> Vec<(String, Vec<Source>)> {
    let report = library.list();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    report
        .models
        .into_iter()
        .map(|model| (model.name, model.places))
        .collect()
}

fn find(library: &Library, name: &str) -> ModelFile {
    library.find(name).unwrap()
}

#[test]
fn models_of_every_store_are_used_where_they_lie() {
    let home = Home::new();
    let (hub, ollama) = (home.path("hub"), home.path("ollama"));
    fetch(
        &hub,
        "someone/Tiny-GGUF",
        "aaaa",
        "Tiny-Q4_K_M.gguf",
        &model("hub"),
    );
    fetch(
        &hub,
        "someone/Tiny-GGUF",
        "aaaa",
        "Q8_0/Tiny-Q8_0.gguf",
        &model("hub, larger"),
    );
    refer(&hub, "someone/Tiny-GGUF", "main", "aaaa");
    fetch(&hub, "someone/Tiny-GGUF", "aaaa", "README.md", b"# Tiny");
    put(
        &hub.join("datasets--someone--data/snapshots/b/data.gguf"),
        &model("no model"),
    );
    put(&hub.join("version.txt"), b"1");
    put(
        &home.path("lms/publisher/repo/Studio-Q4.gguf"),
        &model("studio"),
    );
    pull(
        &ollama,
        "library/llama3.2/3b",
        &[
            ("model", &model("ollama")),
            ("template", b"{{ .Prompt }}"),
            ("license", b"MIT"),
        ],
    );
    pull(
        &ollama,
        "library/safe/latest",
        &[("tensor", b"not in one file")],
    );
    pull(
        &ollama,
        "someone/adapted/latest",
        &[("model", &model("base")), ("adapter", b"lora")],
    );
    put(&home.path("own/Mine.gguf"), &model("mine"));

    let before = tree(home.folder.path());
    let library = home.library();
    assert_eq!(
        named(&library),
        [
            ("llama3.2-3b".to_owned(), vec![Source::Ollama]),
            ("mine".to_owned(), vec![Source::Own]),
            ("studio-q4".to_owned(), vec![Source::LmStudio]),
            ("tiny-q4_k_m".to_owned(), vec![Source::HuggingFace]),
            ("tiny-q8_0".to_owned(), vec![Source::HuggingFace]),
        ]
    );
    // By its place in the snapshot and not by its blob: parts of a model find each other by name.
    assert_eq!(
        find(&library, "tiny-q8_0").path,
        hub.join("models--someone--Tiny-GGUF/snapshots/aaaa/Q8_0/Tiny-Q8_0.gguf")
    );
    for name in ["llama3.2-3b", "studio-q4", "tiny-q4_k_m"] {
        assert!(
            matches!(own::remove(&library, name), Err(Error::Foreign { .. })),
            "{name}"
        );
        assert!(
            matches!(
                own::copy(&library, name, "mine-too"),
                Err(Error::Foreign { .. })
            ),
            "{name}"
        );
    }
    assert_eq!(tree(home.folder.path()), before, "something was written");
}

#[test]
fn the_same_weights_show_once_and_what_no_store_tells_is_found_out_once() {
    let home = Home::new();
    let (weights, other) = (model("weights of one kind"), model("weights of an other"));
    assert_eq!(weights.len(), other.len());
    fetch(
        &home.path("hub"),
        "someone/Same-GGUF",
        "aaaa",
        "Same.gguf",
        &weights,
    );
    pull(
        &home.path("ollama"),
        "library/same/latest",
        &[("model", &weights)],
    );
    put(&home.path("lms/publisher/repo/Copy.gguf"), &weights);
    put(&home.path("lms/publisher/repo/Other.gguf"), &other);
    put(&home.path("own/Mine.gguf"), &weights);
    let before = tree(&home.path("hub"));

    let library = home.library();
    assert_eq!(library.list().twins, 3, "two copies and the other one");
    assert_eq!(
        named(&library),
        [
            ("copy".to_owned(), vec![Source::LmStudio]),
            ("mine".to_owned(), vec![Source::Own]),
            ("other".to_owned(), vec![Source::LmStudio]),
            ("same".to_owned(), vec![Source::HuggingFace, Source::Ollama]),
        ],
        "the stores say that these are the same"
    );
    assert_eq!(library.compare_twins(), 3);
    let all = [
        (
            "mine".to_owned(),
            vec![
                Source::Own,
                Source::HuggingFace,
                Source::LmStudio,
                Source::Ollama,
            ],
        ),
        ("other".to_owned(), vec![Source::LmStudio]),
    ];
    assert_eq!(named(&library), all);
    // Another start: nothing is read again.
    let library = home.library();
    assert_eq!(library.list().twins, 0);
    assert_eq!(named(&library), all);
    // Ours goes, and the others stay.
    own::remove(&library, "mine").unwrap();
    assert_eq!(
        named(&library)[1],
        (
            "same".to_owned(),
            vec![Source::HuggingFace, Source::LmStudio, Source::Ollama]
        )
    );
    assert_eq!(tree(&home.path("hub")), before);
    // A file that changed is another one.
    put(
        &home.path("lms/publisher/repo/Copy.gguf"),
        &model("now something else"),
    );
    assert_eq!(
        find(&library, "same").places,
        [Source::HuggingFace, Source::Ollama]
    );
    // A damaged file of hashes costs only the work.
    fs::write(home.path("cache/hashes.json"), "{").unwrap();
    assert_eq!(
        find(&home.library(), "same").places,
        [Source::HuggingFace, Source::Ollama]
    );
}

#[test]
fn the_newest_revision_counts() {
    let home = Home::new();
    let hub = home.path("hub");
    fetch(&hub, "someone/Tiny", "1111", "Tiny.gguf", &model("old"));
    fetch(
        &hub,
        "someone/Tiny",
        "1111",
        "Gone.gguf",
        &model("only in the old one"),
    );
    fetch(&hub, "someone/Tiny", "2222", "Tiny.gguf", &model("new"));
    refer(&hub, "someone/Tiny", "main", "2222");
    refer(&hub, "someone/Tiny", "a-branch", "1111");
    let library = home.library();
    assert_eq!(library.list().models.len(), 2);
    assert_eq!(find(&library, "tiny").title, "new");
    assert_eq!(find(&library, "gone").title, "only in the old one");
}

#[test]
fn parts_and_vision_parts_of_a_store() {
    let home = Home::new();
    let part = |no: u16| {
        Model::sound()
            .with("split.no", u16(no))
            .with("split.count", u16(2))
            .change(|model| model.tensors[0].name = format!("token_embd.{no}").into_bytes())
    };
    let part = |no| part(no).change(|model| model.tensors.truncate(1)).build();
    for repository in ["someone/Big", "somebody/Big"] {
        fetch(
            &home.path("hub"),
            repository,
            "a",
            "Q4/Big-00001-of-00002.gguf",
            &part(0),
        );
        fetch(
            &home.path("hub"),
            repository,
            "a",
            "Q4/Big-00002-of-00002.gguf",
            &part(1),
        );
    }
    let vision = Model::sound()
        .with("general.architecture", text("clip"))
        .with("clip.has_vision_encoder", bool(true))
        .with("clip.vision.embedding_length", u32(64))
        .with("clip.vision.attention.head_count", u32(4))
        .with("clip.vision.feed_forward_length", u32(128))
        .with("clip.vision.block_count", u32(1))
        .with("clip.vision.projection_dim", u32(64))
        .with("clip.vision.image_size", u32(224))
        .with("clip.vision.patch_size", u32(14))
        .build();
    pull(
        &home.path("ollama"),
        "library/seeing/latest",
        &[("model", &model("seeing")), ("projector", &vision)],
    );
    put(
        &home.path("lms/publisher/seeing/Seeing.gguf"),
        &model("seeing too"),
    );
    put(&home.path("lms/publisher/seeing/mmproj-f16.gguf"), &vision);
    put(&home.path("lms/publisher/alone/mmproj-f16.gguf"), &vision);
    let library = home.library();
    let models = library.list().models;
    let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(
        names,
        ["big", "seeing", "seeing-2"],
        "both repositories have the same parts"
    );
    let big = find(&library, "big");
    assert_eq!(big.header.unwrap().part_count, 2);
    assert_eq!(big.size_bytes, (part(0).len() + part(1).len()) as u64);
    for name in ["seeing", "seeing-2"] {
        assert!(
            models
                .iter()
                .any(|model| model.name == name && model.projector.is_some()),
            "{name} sees"
        );
    }
}

#[test]
fn hostile_stores_lead_nowhere() {
    let home = Home::new();
    let secret = home.path("secret/private.gguf");
    put(&secret, &model("not of this store"));
    let (hub, ollama) = (home.path("hub"), home.path("ollama"));
    // A snapshot that links out of the cache, and a manifest whose digest is a path.
    let snapshot = hub.join("models--a--b/snapshots/r");
    fs::create_dir_all(&snapshot).unwrap();
    std::os::unix::fs::symlink(&secret, snapshot.join("out.gguf")).unwrap();
    std::os::unix::fs::symlink(hub.join("models--a--b"), snapshot.join("circle")).unwrap();
    for (tag, text) in [
        (
            "library/path/a",
            r#"{"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:../../secret/private.gguf"}]}"#,
        ),
        (
            "library/gone/a",
            &format!(
                r#"{{"layers":[{{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:{}"}}]}}"#,
                "0".repeat(64)
            ),
        ),
    ] {
        put(
            &ollama.join("manifests/registry.ollama.ai").join(tag),
            text.as_bytes(),
        );
    }
    assert!(named(&home.library()).is_empty());
    // A manifest that is none is said, and hides nothing.
    put(
        &ollama.join("manifests/registry.ollama.ai/library/damaged/a"),
        b"{",
    );
    pull(
        &ollama,
        "library/sound/latest",
        &[("model", &model("sound"))],
    );
    let report = home.library().list();
    assert_eq!(report.models.len(), 1);
    assert!(
        matches!(&report.problems[..], [Error::Unreadable { path, .. }] if path.ends_with("damaged/a"))
    );
}

#[test]
fn folders_of_the_user() {
    let home = Home::new();
    put(&home.path("disk/a/b/Deep.gguf"), &model("deep"));
    let library = home.library();
    assert!(named(&library).is_empty());
    library.set_added(vec![home.path("disk"), home.path("not there")]);
    assert_eq!(named(&library), [("deep".to_owned(), vec![Source::Added])]);
    library.set_added(Vec::new());
    assert!(named(&library).is_empty());
}
