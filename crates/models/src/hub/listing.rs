//! Which model files a repository has, with their sizes and hashes, at one commit.

use reqwest::header::HeaderMap;
use serde::Deserialize;

use super::request::is_sha256;
use super::{Error, FilePath, Hub, RepoId, Result, Revision};

/// Longest list that is read, in bytes: about 40,000 files.
const MAX_LISTING_BYTES: usize = 16 << 20;
/// Largest file that is believed, in bytes: the hub takes none above 500 GB.
const MAX_FILE_BYTES: u64 = 1 << 40;

/// A model file at the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoFile {
    pub path: FilePath,
    pub size_bytes: u64,
    /// Hexadecimal, in small letters.
    pub sha256: String,
}

/// The model files of a repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    pub repo: RepoId,
    /// What the revision that was asked for stands for now.
    pub commit: Revision,
    /// In the hub's order.
    pub files: Vec<RepoFile>,
}

#[derive(Deserialize)]
struct Model {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

impl Hub {
    /// The model files of a repository.
    ///
    /// # Errors
    /// When the hub cannot be asked, does not have it or does not give it to us, or answers nonsense.
    pub async fn files(&self, repo: &RepoId, revision: &Revision) -> Result<Listing> {
        let parts = ["api", "models", repo.owner(), repo.name(), "revision"];
        let mut url = self
            .endpoint
            .at(parts.into_iter().chain([revision.as_str()]))?;
        // Without it neither sizes nor hashes are told.
        url.set_query(Some("blobs=true"));
        let answer = self.get(url, HeaderMap::new(), &repo.to_string()).await?;
        let host = answer.host().to_owned();
        let bytes = answer.whole(MAX_LISTING_BYTES).await?;
        read(repo, &bytes).map_err(|reason| match bytes.first() {
            Some(b'<') => Error::WebPage { host },
            _ => Error::Unreadable { host, reason },
        })
    }
}

/// Files that are no models, or whose name or hash could not be trusted, are left out.
fn read(repo: &RepoId, bytes: &[u8]) -> Result<Listing, String> {
    let model: Model = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let commit = Revision::parse(&model.sha)
        .ok()
        .filter(Revision::is_commit)
        .ok_or("it names no commit")?;
    let files = model.siblings.into_iter().filter_map(|sibling| {
        // Everything large is kept this way, and every model is large.
        let lfs = sibling.lfs?;
        let sound = is_sha256(&lfs.sha256) && (1..=MAX_FILE_BYTES).contains(&lfs.size);
        Some(RepoFile {
            path: FilePath::parse(&sibling.rfilename).ok().filter(|_| sound)?,
            size_bytes: lfs.size,
            sha256: lfs.sha256.to_ascii_lowercase(),
        })
    });
    Ok(Listing {
        repo: repo.clone(),
        commit,
        files: files.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_trusted_is_listed() {
        let repo = RepoId::parse("a/b").unwrap();
        let sha = "ab".repeat(32);
        let lfs = format!(r#"{{"sha256": "{sha}", "size": 5, "pointerSize": 1}}"#);
        let text = format!(
            r#"{{"sha": "{}", "extra": [], "siblings": [
                {{"rfilename": "README.md", "size": 3}},
                {{"rfilename": "small.gguf", "size": 3}},
                {{"rfilename": "../evil.gguf", "lfs": {lfs}}},
                {{"rfilename": "short.gguf", "lfs": {{"sha256": "ab", "size": 5}}}},
                {{"rfilename": "empty.gguf", "lfs": {{"sha256": "{sha}", "size": 0}}}},
                {{"rfilename": "good.gguf", "lfs": {lfs}}}
            ]}}"#,
            "0".repeat(40)
        );
        let listing = read(&repo, text.as_bytes()).unwrap();
        let names: Vec<_> = listing.files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(names, ["good.gguf"]);
        assert!(read(&repo, br#"{"sha": "main", "siblings": []}"#).is_err());
        assert!(read(&repo, b"[]").is_err());
        assert!(read(&repo, b"").is_err());
    }
}
