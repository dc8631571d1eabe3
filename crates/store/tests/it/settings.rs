//! The settings file: kept as people wrote it, repaired piece by piece, written whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use hearth_store::{Error, Repair, SettingValue, SettingsFile};
use proptest::prelude::*;

const FILE: &str = r#"# My settings, please keep.
version = 1

[chat]
model = "starter"   # the small one
temperature = 0.7
max_tokens = 1024
system_prompt = """
Be brief.
Be kind."""

[appearance]
theme = "dark"
launch_at_login = true

[from_the_future]
unknown = [1, 2, { a = 3 }]
"#;

fn text(value: &str) -> SettingValue {
    SettingValue::Text(value.to_owned())
}

fn file(content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = super::fast_folder();
    let path = folder.path().join("config.toml");
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn open(path: &Path) -> (SettingsFile, Vec<Repair>) {
    SettingsFile::open(path).unwrap()
}

fn files_in(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn values_come_out_as_they_are() {
    let (_folder, path) = file(FILE);
    let (settings, repairs) = open(&path);
    assert!(repairs.is_empty());
    for (section, key, value) in [
        ("", "version", SettingValue::Integer(1)),
        ("chat", "model", text("starter")),
        ("chat", "temperature", SettingValue::Float(0.7)),
        ("chat", "system_prompt", text("Be brief.\nBe kind.")),
        ("appearance", "launch_at_login", SettingValue::Bool(true)),
    ] {
        assert_eq!(settings.get(section, key), Some(value), "{section}.{key}");
    }
    assert_eq!(settings.get("chat", "nothing"), None);
    assert_eq!(settings.get("nothing", "model"), None);
    assert_eq!(
        (
            settings.get("from_the_future", "unknown"),
            settings.has("from_the_future", "unknown")
        ),
        (None, true)
    );
}

#[test]
fn a_change_touches_nothing_else() {
    let (folder, path) = file(FILE);
    let (mut settings, _) = open(&path);
    settings.set("chat", "model", text("big")).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        FILE.replace("\"starter\"   #", "\"big\"   #")
    );
    settings.set("chat", "model", text("starter")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), FILE);
    settings
        .set("new.inner", "key", SettingValue::Float(1.5))
        .unwrap();
    settings.remove("appearance", "theme").unwrap();
    settings.remove("appearance", "not there").unwrap();
    let (again, repairs) = open(&path);
    assert!(repairs.is_empty());
    assert_eq!(
        again.get("new.inner", "key"),
        Some(SettingValue::Float(1.5))
    );
    assert!(!again.has("appearance", "theme") && again.has("from_the_future", "unknown"));
    assert_eq!(files_in(folder.path()), 1, "no temporary file is left");
}

#[test]
fn a_missing_file_is_made_by_the_first_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/config.toml");
    let (mut settings, repairs) = open(&path);
    assert!(repairs.is_empty() && !path.exists());
    settings
        .set("", "version", SettingValue::Integer(1))
        .unwrap();
    settings
        .set(
            "chat",
            "text",
            text("with \"quotes\", \n newlines and \\ 🦀"),
        )
        .unwrap();
    assert_eq!(
        open(&path).0.get("chat", "text"),
        Some(text("with \"quotes\", \n newlines and \\ 🦀"))
    );
}

#[test]
fn a_damaged_line_costs_that_line() {
    let damaged = FILE
        .replace("temperature = 0.7", "temperature = 0.7.7")
        .replace("theme = \"dark\"", "theme = dark\"");
    let (folder, path) = file(&damaged);
    let (settings, repairs) = open(&path);
    assert_eq!(repairs.len(), 1);
    assert!(repairs[0].what.contains("line 6"), "{}", repairs[0].what);
    assert_eq!(
        fs::read_to_string(repairs[0].backup.clone().unwrap()).unwrap(),
        damaged
    );
    assert_eq!(settings.get("chat", "temperature"), None);
    assert_eq!(
        settings.get("chat", "max_tokens"),
        Some(SettingValue::Integer(1024))
    );
    assert_eq!(
        settings.get("appearance", "launch_at_login"),
        Some(SettingValue::Bool(true))
    );
    assert!(settings.has("from_the_future", "unknown"));
    let repaired = fs::read_to_string(&path).unwrap();
    assert!(repaired.starts_with("# My settings") && repaired.contains("# the small one"));
    // Put right for good: the next start finds nothing to repair.
    assert!(open(&path).1.is_empty());
    assert_eq!(files_in(folder.path()), 2);
}

#[test]
fn damage_of_all_kinds() {
    for (what, content, kept) in [
        (
            "not UTF-8",
            &b"a = 1\nb = \"\xff\"\nc = 3\n"[..],
            vec!["a", "c"],
        ),
        ("a key twice", b"a = 1\na = 2\nc = 3\n", vec!["a", "c"]),
        (
            "a section twice",
            b"a = 1\n[s]\nx = 1\n[s]\ny = 2\n",
            vec!["a"],
        ),
        (
            "an open string",
            b"a = 1\nb = \"\"\"never closed\nc = 3\n",
            vec!["a", "c"],
        ),
        (
            "NUL bytes at the end",
            b"a = 1\nc = 3\n\0\0\0\0\0\0",
            vec!["a", "c"],
        ),
        ("a broken header", b"a = 1\n[s\nx = 1\n", vec!["a"]),
        ("only NUL bytes", &[0; 300], vec![]),
        (
            "windows line ends",
            b"a = 1\r\nb = =\r\nc = 3\r\n",
            vec!["a", "c"],
        ),
    ] {
        let (_folder, path) = file(content);
        let (settings, repairs) = open(&path);
        assert_eq!(repairs.len(), 1, "{what}");
        for key in &kept {
            assert!(settings.has("", key), "{what}: {key}");
        }
        for key in ["x", "y", "b"] {
            assert!(
                !settings.has("", key),
                "{what}: {key} must not move to another section"
            );
        }
        assert_eq!(
            fs::read(repairs[0].backup.clone().unwrap()).unwrap(),
            content,
            "{what}"
        );
        assert!(open(&path).1.is_empty(), "{what}");
    }
}

#[test]
fn a_wrong_value_is_reset_with_one_backup() {
    let (folder, path) = file(FILE);
    let (mut settings, _) = open(&path);
    let first = settings
        .reset_with_backup("chat", "temperature", "0.7 is too warm")
        .unwrap();
    let second = settings
        .reset_with_backup("", "version", "of no use")
        .unwrap();
    assert_eq!(
        first.what,
        "The setting `chat.temperature` was reset: 0.7 is too warm."
    );
    assert_eq!(first.backup, second.backup);
    assert_eq!(fs::read_to_string(first.backup.unwrap()).unwrap(), FILE);
    assert!(!settings.has("chat", "temperature") && !settings.has("", "version"));
    assert_eq!(files_in(folder.path()), 2);
}

#[test]
fn what_is_changed_by_hand_meanwhile_is_kept() {
    let (_folder, path) = file(FILE);
    let (mut settings, _) = open(&path);
    fs::write(&path, FILE.replace("max_tokens = 1024", "max_tokens = 99")).unwrap();
    settings.set("chat", "model", text("big")).unwrap();
    assert_eq!(
        settings.get("chat", "max_tokens"),
        Some(SettingValue::Integer(99))
    );
    assert_eq!(
        open(&path).0.get("chat", "max_tokens"),
        Some(SettingValue::Integer(99))
    );
}

#[test]
fn names_and_values_in_the_way_are_refused() {
    let (_folder, path) = file("chat = 5\n");
    let (mut settings, _) = open(&path);
    for (section, key) in [
        ("chat", "model"),
        ("", ""),
        ("a b", "key"),
        ("ok", "new\nline"),
        ("ok", "a.b"),
    ] {
        let result = settings.set(section, key, SettingValue::Bool(true));
        assert!(
            matches!(result, Err(Error::Invalid { .. })),
            "{section:?} {key:?}"
        );
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "chat = 5\n");
}

#[test]
fn a_file_far_too_large_is_set_aside() {
    let (folder, path) = file(vec![b'#'; (1 << 20) + 1]);
    let (settings, repairs) = open(&path);
    assert!(repairs[0].backup.as_ref().unwrap().exists() && !path.exists());
    assert_eq!(
        (settings.path(), files_in(folder.path())),
        (path.as_path(), 1)
    );
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_rights_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let (folder, real) = file(FILE);
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    let link = folder.path().join("link.toml");
    symlink("config.toml", &link).unwrap();
    let (mut settings, _) = open(&link);
    settings.set("chat", "model", text("big")).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("\"big\""));
    assert_eq!(
        fs::metadata(&real).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let endless = folder.path().join("endless.toml");
    symlink("endless.toml", &endless).unwrap();
    assert!(matches!(
        SettingsFile::open(&endless),
        Err(Error::Invalid { .. })
    ));
    assert!(matches!(
        SettingsFile::open(folder.path()),
        Err(Error::Invalid { .. })
    ));
}

/// One line for each key, so that a flipped byte can cost one line, or one section if it hits a header.
const FLAT: &str = "a = 1\nb = 2\n\n[one]\nc = 3\nd = \"text\"\n\n[two]\ne = 5\nf = true\n";

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_flipped_byte_costs_at_most_its_line_or_section(at in 0..FLAT.len(), value in any::<u8>()) {
        let mut bytes = FLAT.as_bytes().to_vec();
        bytes[at] = value;
        let (_folder, path) = file(&bytes);
        let (mut settings, _) = open(&path);
        // The line that was hit, and the next one when its end was.
        let line = FLAT[..at].matches('\n').count();
        for (number, section, key) in [(0, "", "a"), (1, "", "b"), (4, "one", "c"), (5, "one", "d"), (8, "two", "e"), (9, "two", "f")] {
            let hit = number == line || number == line + 1;
            let header = match section { "one" => 3, "two" => 7, _ => usize::MAX };
            let header_hit = header == line || header == line + 1;
            // A byte that became `[` or a line end can open a section in the middle of another: the keys behind go with it.
            let opened = (value == b'[' || value == b'\n' || value == b']') && number > line;
            if !hit && !header_hit && !opened {
                prop_assert!(settings.has(section, key), "{key} is lost: {:?}", String::from_utf8_lossy(&bytes));
            }
        }
        settings.set("two", "g", SettingValue::Integer(7)).ok();
        prop_assert!(open(&path).1.is_empty());
    }

    #[test]
    fn anything_at_all_opens(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (_folder, path) = file(&bytes);
        let (_, repairs) = open(&path);
        if let Some(repair) = repairs.first() {
            prop_assert_eq!(fs::read(repair.backup.clone().unwrap()).unwrap(), bytes);
        }
        prop_assert!(open(&path).1.is_empty());
    }
}
