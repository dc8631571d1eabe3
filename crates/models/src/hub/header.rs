//! What the first bytes of a model at the hub say, so that it can be judged before it is fetched.
//!
//! The same request as a download makes, with the same rules for addresses and the token, but for a bounded piece. What comes is
//! believed for a verdict only: the file itself is checked as a whole once it is here. It must not know what a verdict is.

use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};

use super::{Error, Hub, ModelFiles, RepoFile, RepoId, Result, Revision};
use crate::{Error as Leaf, Header, validate_prefix};

/// How many bytes are here after each request, until they hold the header. A vocabulary of 32,000 words needs less than the first,
/// one of 150,000 less than the second, the largest there are (262,000) less than the third.
const STEPS: [u64; 4] = [1 << 20, 8 << 20, 24 << 20, 64 << 20];

impl Hub {
    /// Reads the header of a model, asking for no more of its first file than that takes and for at most 64 MiB.
    ///
    /// # Errors
    /// When the hub cannot be asked or gives something else than it announced, and [`Error::Model`] for a model that cannot be used.
    pub async fn header(
        &self,
        repo: &RepoId,
        commit: &Revision,
        model: &ModelFiles,
    ) -> Result<Header> {
        let Some(first) = model.files.first() else {
            return Err(Error::NoModel {
                repo: repo.to_string(),
            });
        };
        let mut bytes = Vec::new();
        for step in STEPS {
            let end = step.min(first.size_bytes);
            self.piece(repo, commit, first, end, &mut bytes).await?;
            let (read, back) = judge(bytes, first.size_bytes).await?;
            bytes = back;
            match read {
                Ok(header) => return Ok(with_other_parts(header, model)),
                Err(Leaf::Truncated { .. }) if end < first.size_bytes => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Unreadable {
            host: self.endpoint.host().to_owned(),
            reason: "the header of the model is too long".to_owned(),
        })
    }

    /// Fetches what is missing of the first `end` bytes of a file.
    async fn piece(
        &self,
        repo: &RepoId,
        commit: &Revision,
        file: &RepoFile,
        end: u64,
        bytes: &mut Vec<u8>,
    ) -> Result<()> {
        let start = bytes.len() as u64;
        let url = self.file_address(repo, commit, &file.path)?;
        let range = format!("bytes={start}-{}", end - 1);
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(&range).map_err(|_| Error::redirect("no range"))?;
        headers.insert(RANGE, value);
        let what = format!("{repo}/{}", file.path.as_str());
        let mut answer = self.get(url, headers, &what).await?;
        answer.check_is(file)?;
        match answer.status().as_u16() {
            206 => {
                let given = answer.headers().get(CONTENT_RANGE);
                let given = given.and_then(|value| value.to_str().ok()).map(str::trim);
                let asked = format!("bytes {start}-{}/{}", end - 1, file.size_bytes);
                if given != Some(asked.as_str()) {
                    return Err(answer.unusable("it is another piece of the file"));
                }
            }
            // A mirror that knows no ranges begins anew; what goes beyond the piece is not taken.
            200 => bytes.clear(),
            status => return Err(answer.unusable(&format!("status {status}"))),
        }
        while (bytes.len() as u64) < end {
            let Some(chunk) = answer.chunk().await? else {
                return Err(Error::Broken {
                    host: answer.host().to_owned(),
                    reason: "it ended too early".to_owned(),
                });
            };
            let room = usize::try_from(end).unwrap_or(usize::MAX) - bytes.len();
            let chunk = chunk.as_ref();
            bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        Ok(())
    }
}

/// Reads a prefix on a thread that may take its time, and gives it back: a large vocabulary takes longer than a task may.
async fn judge(bytes: Vec<u8>, file_bytes: u64) -> Result<(crate::Result<Header>, Vec<u8>)> {
    let work = move || (validate_prefix(&bytes, file_bytes), bytes);
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::disk(std::path::Path::new(""), std::io::Error::other(error)))
}

/// The other parts of a split model hold weights and hardly anything else.
fn with_other_parts(mut header: Header, model: &ModelFiles) -> Header {
    let more: u64 = model.parts().iter().skip(1).map(|p| p.size_bytes).sum();
    header.tensor_bytes = header.tensor_bytes.saturating_add(more);
    header
}
