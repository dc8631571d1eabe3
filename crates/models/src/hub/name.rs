//! Names on the hub as checked types: nothing that reaches an address or a folder has not been through here.
//!
//! The rules are the hub's own for repositories, and stricter than it for files, whose names become names on this machine's disk. It
//! must not look at a network or a disk.

use std::fmt;

use super::{Error, Result};

/// Longest name of an owner or of a repository, in bytes: the hub's limit.
const MAX_NAME_BYTES: usize = 96;
/// Longest name of a branch, tag or commit, in bytes.
const MAX_REVISION_BYTES: usize = 200;
/// Longest name of a file, in bytes: a file system takes 255, and ours get an ending while they are fetched.
const MAX_FILE_NAME_BYTES: usize = 200;
/// Deepest folder of a file.
const MAX_FOLDERS: usize = 8;
/// Ways to write the hub's name before that of a repository.
const HOSTS: [&str; 3] = ["hf.co/", "huggingface.co/", "www.huggingface.co/"];

/// A repository: `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepoId {
    owner: String,
    name: String,
}

impl RepoId {
    /// # Errors
    /// [`Error::Name`] for anything but `owner/name` in letters, digits, `.`, `_` and `-`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |reason: &str| Error::name(text, reason);
        let (owner, name) = text
            .split_once('/')
            .ok_or_else(|| wrong("a repository is written `owner/name`"))?;
        for part in [owner, name] {
            if part.is_empty() || part.len() > MAX_NAME_BYTES {
                return Err(wrong("each half of `owner/name` has 1 to 96 letters"));
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            if !part.chars().all(plain) || part.starts_with(['.', '-']) || part.contains("..") {
                return Err(wrong(
                    "a repository's name has letters, digits, `.`, `_` and `-` only",
                ));
            }
        }
        Ok(Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }

    pub fn owner(&self) -> &str {
        &self.owner
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// A branch, a tag or a commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision(String);

impl Revision {
    /// # Errors
    /// [`Error::Name`] for what git would not take as a name.
    pub fn parse(text: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
        let sound = !text.is_empty()
            && text.len() <= MAX_REVISION_BYTES
            && text.chars().all(plain)
            && !text.starts_with(['.', '-', '/'])
            && !text.ends_with('/')
            && !text.contains("..")
            && !text.contains("//");
        if sound {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::name(text, "this is no branch, tag or commit"))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names one state of the repository for good: 40 hexadecimal digits.
    pub fn is_commit(&self) -> bool {
        self.0.len() == 40 && self.0.bytes().all(|b| b.is_ascii_hexdigit())
    }
}

impl Default for Revision {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

/// A model file inside a repository: some folders and a name that ends in `.gguf`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FilePath(String);

impl FilePath {
    /// # Errors
    /// [`Error::Name`] for a path that leaves its folder, hides a file, or is none of a GGUF file.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |reason: &str| Error::name(text, reason);
        let parts: Vec<&str> = text.split('/').collect();
        if parts.len() > MAX_FOLDERS + 1 {
            return Err(wrong("the file lies too deep"));
        }
        for part in &parts {
            let dots = part.chars().all(|c| c == '.');
            let strange = |c: char| c.is_control() || matches!(c, '\\' | ':');
            if part.is_empty() || dots || part.len() > MAX_FILE_NAME_BYTES || part.contains(strange)
            {
                return Err(wrong("this is no path of a file in a repository"));
            }
        }
        let name = parts.last().copied().unwrap_or_default();
        let (stem, ending) = name.rsplit_once('.').unwrap_or_default();
        if !ending.eq_ignore_ascii_case("gguf") || stem.is_empty() || name.starts_with('.') {
            return Err(wrong("Hearth fetches files that end in `.gguf`"));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders and the name, from the outside in.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The name without its folders.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

/// What somebody asks for: a repository, and which of its models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub repo: RepoId,
    pub revision: Revision,
    pub choice: super::Choice,
}

impl Wanted {
    /// Takes `owner/name`, `owner/name:Q4_K_M` and `owner/name/file.gguf`, each with `hf.co/` before it if one likes, and with
    /// `@revision` behind the name of the repository. The tag `latest` is no wish.
    ///
    /// # Errors
    /// [`Error::Name`], which says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.contains("://") {
            return Err(Error::name(
                text,
                "give a name such as `owner/name:Q4_K_M` and no address",
            ));
        }
        let bare = HOSTS
            .iter()
            .find_map(|host| {
                text.get(..host.len())
                    .filter(|t| t.eq_ignore_ascii_case(host))
            })
            .map_or(text, |host| &text[host.len()..]);
        let (owner, rest) = bare
            .split_once('/')
            .ok_or_else(|| Error::name(text, "a repository is written `owner/name`"))?;
        let (name, file) = match rest.split_once('/') {
            Some((name, file)) => (name, Some(file)),
            None => (rest, None),
        };
        // A file's own name may hold a colon no more than a repository's, so what is behind one is the wish.
        let (name, tag) = match name.split_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (name, None),
        };
        let (name, revision) = match name.split_once('@') {
            Some((name, revision)) => (name, Revision::parse(revision)?),
            None => (name, Revision::default()),
        };
        let repo = RepoId::parse(&format!("{owner}/{name}"))?;
        let choice = match (file, tag) {
            (Some(_), Some(_)) => {
                return Err(Error::name(text, "give a file or a quantisation, not both"));
            }
            (Some(file), None) => super::Choice::File(FilePath::parse(file)?),
            (None, Some(tag)) if !tag.eq_ignore_ascii_case("latest") => {
                super::Choice::quantisation(tag)?
            }
            (None, _) => super::Choice::Best,
        };
        Ok(Self {
            repo,
            revision,
            choice,
        })
    }
}

/// As it would be asked for again.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repo)?;
        if self.revision != Revision::default() {
            write!(f, "@{}", self.revision.0)?;
        }
        match &self.choice {
            super::Choice::Best => Ok(()),
            super::Choice::Quantisation(tag) => write!(f, ":{tag}"),
            super::Choice::File(path) => write!(f, "/{}", path.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Choice;
    use super::*;

    #[test]
    fn what_people_write_is_understood() {
        for (text, shown) in [
            (
                "hf.co/bartowski/Llama-3.2-1B-GGUF:Q4_K_M",
                "bartowski/Llama-3.2-1B-GGUF:Q4_K_M",
            ),
            ("HuggingFace.co/a/b", "a/b"),
            (" a/b:latest ", "a/b"),
            ("a/b@refs", "a/b@refs"),
            ("a/b@v1:q8_0", "a/b@v1:q8_0"),
            ("a/b/model.gguf", "a/b/model.gguf"),
            (
                "hf.co/a/b/Q4 K/model-00001-of-00002.GGUF",
                "a/b/Q4 K/model-00001-of-00002.GGUF",
            ),
        ] {
            assert_eq!(Wanted::parse(text).unwrap().to_string(), shown, "{text}");
        }
        let wanted = Wanted::parse("hf.co/a/b:Q4_K_M").unwrap();
        assert_eq!(wanted.choice, Choice::Quantisation("Q4_K_M".into()));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "starter",
            "llama3:8b",
            "a/",
            "/b",
            "a//b",
            "../b",
            "a/..",
            "a/.git",
            "-a/b",
            "a/b:",
            "a/b:../../x",
            "a/b@",
            "a/b@../x",
            "a/b/../../etc/passwd.gguf",
            "a/b/.hidden.gguf",
            "a/b/.gguf",
            "a/b/readme.md",
            "a/b/x\\y.gguf",
            "a/b/x\0y.gguf",
            "a/b/C:x.gguf",
            "a/b//x.gguf",
            "a/b:Q4/x.gguf",
            "https://hf.co/a/b",
            "file:///etc/passwd",
            "a b/c",
            "ä/b",
            "a/b?x=1",
            "a/b#x",
            "user:secret@host/b",
        ] {
            assert!(Wanted::parse(text).is_err(), "{text}");
        }
        assert!(RepoId::parse(&format!("{}/b", "a".repeat(97))).is_err());
        assert!(FilePath::parse(&format!("{}.gguf", "a".repeat(196))).is_err());
        assert!(FilePath::parse(&format!("{}x.gguf", "a/".repeat(9))).is_err());
    }

    proptest! {
        /// Whatever is taken stays inside its folder and can be written again.
        #[test]
        fn names_that_are_taken_are_safe(text in "[a-zA-Z0-9./:@\\\\ _%~-]{0,40}(\\.gguf)?") {
            if let Ok(wanted) = Wanted::parse(&text) {
                let again = Wanted::parse(&wanted.to_string()).unwrap();
                prop_assert_eq!(&again, &wanted);
                if let Choice::File(path) = &wanted.choice {
                    let folders_stay = path.parts().all(|p| !p.is_empty() && p != "." && p != "..");
                    prop_assert!(folders_stay);
                    let is_one_name = !path.file_name().contains(['/', '\\', '\0']);
                    prop_assert!(is_one_name);
                }
            }
        }
    }
}
