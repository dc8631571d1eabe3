//! Short names of models: what they mean, that a model's own name wins, and that both the command and the window may write them.

use std::fs;

use hearth_models::{Error, Library, own, starter};

use hearth_gguf_writer::*;

struct Home(tempfile::TempDir);

impl Home {
    fn new(models: &[&str]) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        models.iter().for_each(|name| home.put(name));
        home
    }

    fn put(&self, name: &str) {
        let own = self.0.path().join("own");
        fs::create_dir_all(&own).unwrap();
        let model = Model::sound().with("general.name", text(name));
        fs::write(own.join(format!("{name}.gguf")), model.build()).unwrap();
    }

    fn library(&self) -> Library {
        Library::new(Vec::new(), self.0.path().join("own"))
            .with_aliases(self.0.path().join("data/aliases.json"))
    }
}

fn found(library: &Library, name: &str) -> String {
    library.find(name).unwrap().name
}

#[test]
fn an_alias_is_a_name_for_everybody_until_it_is_removed() {
    let home = Home::new(&["llama-8b", "qwen-4b"]);
    let (library, other) = (home.library(), home.library());
    assert!(other.find("fast").is_err());
    assert_eq!(library.set_alias("fast", "qwen").unwrap(), "qwen-4b");
    assert_eq!(library.set_alias("best", "llama-8b").unwrap(), "llama-8b");
    // An alias of an alias is one of the model.
    assert_eq!(library.set_alias("quick", "fast").unwrap(), "qwen-4b");
    for library in [&library, &other, &home.library()] {
        assert_eq!(found(library, "fast"), "qwen-4b");
        assert_eq!(library.find("llama-8b").unwrap().aliases, ["best"]);
        assert_eq!(library.find("fast").unwrap().aliases, ["fast", "quick"]);
    }
    // It moves, and the other end hears of it.
    other.set_alias("fast", "llama-8b").unwrap();
    assert_eq!(found(&library, "fast"), "llama-8b");
    assert_eq!(other.remove_alias("fast").unwrap(), "llama-8b");
    assert!(matches!(library.find("fast"), Err(Error::NotFound { .. })));
    let gone = library.remove_alias("fast");
    assert!(matches!(gone, Err(Error::NoAlias { .. })));
}

#[test]
fn a_name_of_a_model_wins() {
    let home = Home::new(&["llama-8b", "llama-8b-tools"]);
    let library = home.library();
    for taken in ["llama-8b", starter::NAME] {
        let refused = library.set_alias(taken, "llama-8b-tools");
        assert!(matches!(refused, Err(Error::Exists { .. })), "{taken}");
    }
    // Before the beginning of a name, behind the whole of one.
    library.set_alias("llama", "llama-8b-tools").unwrap();
    assert_eq!(found(&library, "llama"), "llama-8b-tools");
    home.put("llama");
    assert_eq!(found(&library, "llama"), "llama");
    let aliases = library.aliases();
    assert!(aliases.len() == 1 && aliases[0].is_hidden);
    assert!(library.find("llama-8b-tools").unwrap().aliases.is_empty());
    // The model's files are not removed by a short name, and a name of something that is gone says so.
    library.set_alias("tools", "llama-8b-tools").unwrap();
    let refused = own::remove(&library, "tools");
    assert!(matches!(refused, Err(Error::IsAlias { .. })), "{refused:?}");
    own::remove(&library, "llama-8b-tools").unwrap();
    let missing = library.find("tools").unwrap_err().to_string();
    assert!(missing.contains("llama-8b-tools"), "{missing}");
    assert!(library.aliases().iter().all(|alias| alias.is_missing));
}

#[test]
fn only_what_can_be_typed_is_an_alias() {
    let home = Home::new(&["m"]);
    let library = home.library();
    let long = "x".repeat(65);
    for alias in ["", "Fast", "a b", "-a", ".a", "a/b", "ü", "--", "_", &long] {
        let refused = library.set_alias(alias, "m");
        assert!(matches!(refused, Err(Error::BadAlias { .. })), "{alias}");
    }
    for alias in ["a", "7b", "my.model_2-x", &long[1..]] {
        library.set_alias(alias, "m").unwrap();
    }
    assert!(matches!(
        library.set_alias("x", "nothing"),
        Err(Error::NotFound { .. })
    ));
    // Somebody else's hand in the file: what is sound of it is taken, and nonsense is none.
    let file = home.0.path().join("data/aliases.json");
    fs::write(&file, r#"{"../up": "m", "good": "m"}"#).unwrap();
    let all: Vec<_> = library.aliases().into_iter().map(|one| one.alias).collect();
    assert_eq!(all, ["good"]);
    fs::write(&file, "{").unwrap();
    assert!(library.aliases().is_empty());
    library.set_alias("again", "m").unwrap();
    assert_eq!(found(&library, "again"), "m");
}
