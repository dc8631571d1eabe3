//! Ollama's models: `manifests/HOST/NAMESPACE/MODEL/TAG` names layers, `blobs/sha256-…` holds them.
//!
//! A manifest is a JSON file of the kind that container registries use. Weights and the vision part are layers of their own. Ollama's
//! template layer is written in another language than the template inside the weights, so the latter is used.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{StoreFile, is_sha256};
use crate::error::Error;
use crate::library::scan;
use crate::library::vision::Projector;

/// Longest manifest in bytes; real ones have about a thousand.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;
/// Folders from `manifests` down to the tags: host, namespace, model.
const TAG_DEPTH: usize = 3;
const WEIGHTS: &str = "application/vnd.ollama.image.model";
const PROJECTOR: &str = "application/vnd.ollama.image.projector";
const ADAPTER: &str = "application/vnd.ollama.image.adapter";
/// The tag and namespace that are not said.
const DEFAULT_TAG: &str = "latest";
const DEFAULT_NAMESPACE: &str = "library";

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: String,
}

pub(super) fn files(root: &Path, problems: &mut Vec<Error>) -> Vec<StoreFile> {
    let manifests = root.join("manifests");
    let mut tags = vec![manifests.clone()];
    for _ in 0..=TAG_DEPTH {
        tags = tags
            .iter()
            .filter(|path| scan::is_folder(path))
            .flat_map(|folder| scan::entries(folder, problems))
            .collect();
    }
    tags.iter()
        .filter_map(|tag| of_tag(root, &manifests, tag, problems))
        .collect()
}

/// The model of one manifest; `None` when it has no weights in a file of their own.
fn of_tag(
    root: &Path,
    manifests: &Path,
    tag: &Path,
    problems: &mut Vec<Error>,
) -> Option<StoreFile> {
    let stem = title(tag.strip_prefix(manifests).ok()?)?;
    let manifest = match read(tag) {
        Ok(manifest) => manifest,
        // One damaged manifest must not hide the other models.
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let layer = |kind: &str| {
        manifest
            .layers
            .iter()
            .find(|layer| layer.media_type == kind)
    };
    if layer(ADAPTER).is_some() {
        // With the weights alone it would be another model under this name.
        tracing::debug!(
            model = stem,
            "a model of Ollama is left out: it is made of weights and an adapter"
        );
        return None;
    }
    let weights = layer(WEIGHTS)?;
    let (path, digest) = blob(root, &weights.digest)?;
    let mut file = scan::look_at(&path)?;
    file.stem = stem;
    file.sha256 = Some(digest);
    let projector = layer(PROJECTOR)
        .and_then(|layer| blob(root, &layer.digest))
        .and_then(|(path, _)| scan::look_at(&path));
    let projector = projector.map(|file| Projector {
        path: file.path,
        size_bytes: file.size_bytes,
    });
    Some(StoreFile { file, projector })
}

fn read(tag: &Path) -> Result<Manifest, Error> {
    let io = |source| Error::io(tag, source);
    let mut text = String::new();
    if !fs::metadata(tag).map_err(io)?.is_file() {
        return Err(Error::NotAFile {
            path: tag.to_owned(),
        });
    }
    File::open(tag)
        .map_err(io)?
        .take(MAX_MANIFEST_BYTES)
        .read_to_string(&mut text)
        .map_err(io)?;
    serde_json::from_str(&text).map_err(|error| io(error.into()))
}

/// Where the blob of a digest `sha256:…` lies, and the digest without its kind. Anything else names no blob: it would be a path.
fn blob(root: &Path, digest: &str) -> Option<(PathBuf, String)> {
    let hex = digest
        .strip_prefix("sha256:")
        .filter(|hex| is_sha256(hex))?;
    Some((
        root.join("blobs").join(format!("sha256-{hex}")),
        hex.to_owned(),
    ))
}

/// `HOST/NAMESPACE/MODEL/TAG` as people say it: `llama3.2-3b`, `someone-model`.
fn title(tag: &Path) -> Option<String> {
    let parts: Vec<&str> = tag
        .iter()
        .map(|part| part.to_str())
        .collect::<Option<_>>()?;
    let [_, namespace, model, tag] = parts[..] else {
        return None;
    };
    let namespace = if namespace == DEFAULT_NAMESPACE {
        String::new()
    } else {
        format!("{namespace}-")
    };
    let tag = if tag == DEFAULT_TAG {
        String::new()
    } else {
        format!("-{tag}")
    };
    Some(format!("{namespace}{model}{tag}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        for (tag, expected) in [
            (
                "registry.ollama.ai/library/llama3.2/3b",
                Some("llama3.2-3b"),
            ),
            (
                "registry.ollama.ai/library/llama3.2/latest",
                Some("llama3.2"),
            ),
            (
                "hf.co/someone/model-GGUF/Q4_K_M",
                Some("someone-model-GGUF-Q4_K_M"),
            ),
            ("registry.ollama.ai/library/llama3.2", None),
        ] {
            assert_eq!(title(Path::new(tag)).as_deref(), expected, "{tag}");
        }
    }

    #[test]
    fn only_a_digest_names_a_blob() {
        let hex = "0123456789abcdef".repeat(4);
        let (path, _) = blob(Path::new("/o"), &format!("sha256:{hex}")).unwrap();
        assert_eq!(path, Path::new("/o/blobs").join(format!("sha256-{hex}")));
        for wrong in [
            "sha256:../../etc/passwd",
            "sha256:",
            "md5:00",
            &hex,
            &format!("sha256:{}", hex.to_uppercase()),
        ] {
            assert_eq!(blob(Path::new("/o"), wrong), None, "{wrong}");
        }
    }
}
