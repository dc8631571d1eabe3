//! Where LM Studio keeps its models: in its own folder unless the user chose another, which its settings file names.
//!
//! A file in the home folder says where LM Studio's folder is; `settings.json` in there, or among the settings of the desktop program,
//! says where the models are. The names are those that its command `lms` reads. What is missing or damaged is left out.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Says where LM Studio's folder is.
const POINTER: &str = ".lmstudio-home-pointer";
const SETTINGS: &str = "settings.json";
/// Bytes of a file that are read at most.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
struct Settings {
    #[serde(rename = "downloadsFolder")]
    models: Option<PathBuf>,
}

/// Folders in which LM Studio may keep models, the one that the user chose first. `home` is the user's home, `config` the folder in which
/// programs keep their settings.
pub fn lm_studio_folders(home: &Path, config: &Path) -> Vec<PathBuf> {
    let pointed = read(&home.join(POINTER)).map(|text| PathBuf::from(text.trim()));
    let usual = [home.join(".lmstudio"), home.join(".cache/lm-studio")];
    let homes: Vec<PathBuf> = pointed.into_iter().chain(usual).collect();
    let settings = homes
        .iter()
        .map(|folder| folder.join(SETTINGS))
        .chain([config.join("LM Studio").join(SETTINGS)]);
    let chosen = settings.filter_map(|file| {
        let settings: Settings = serde_json::from_str(&read(&file)?).ok()?;
        settings.models
    });
    let mut folders: Vec<PathBuf> = Vec::new();
    let all = chosen.chain(homes.iter().map(|folder| folder.join("models")));
    for folder in all.filter(|folder| folder.is_absolute()) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

fn read(file: &Path) -> Option<String> {
    let small = fs::metadata(file).ok()?.len() <= MAX_BYTES;
    small.then(|| fs::read_to_string(file).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_that_the_user_chose_comes_first() {
        let home = tempfile::tempdir().unwrap();
        let at = |rest: &str| home.path().join(rest);
        let folders = || lm_studio_folders(home.path(), &at(".config"));
        let usual = [at(".lmstudio/models"), at(".cache/lm-studio/models")];
        assert_eq!(folders(), usual);
        fs::create_dir_all(at(".config/LM Studio")).unwrap();
        for nonsense in [
            "",
            "[]",
            r#"{"downloadsFolder": 3}"#,
            r#"{"downloadsFolder": "models"}"#,
        ] {
            fs::write(at(".config/LM Studio/settings.json"), nonsense).unwrap();
            assert_eq!(folders(), usual, "{nonsense}");
        }
        let chosen = r#"{"theme": "dark", "downloadsFolder": "/big/disk"}"#;
        fs::write(at(".config/LM Studio/settings.json"), chosen).unwrap();
        assert_eq!(folders()[0], Path::new("/big/disk"));
        // All of LM Studio lies elsewhere, with settings of its own.
        fs::create_dir_all(at("elsewhere")).unwrap();
        fs::write(at(POINTER), format!("{}\n", at("elsewhere").display())).unwrap();
        let chosen = r#"{"downloadsFolder": "/other/disk"}"#;
        fs::write(at("elsewhere/settings.json"), chosen).unwrap();
        let all = folders();
        assert_eq!(all[..2], [PathBuf::from("/other/disk"), "/big/disk".into()]);
        assert!(all.contains(&at("elsewhere/models")));
    }
}
