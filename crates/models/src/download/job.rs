//! A download on the disk: what is wanted, what the hub announced, and the files that came so far. It outlives the process.
//!
//! ```text
//! <downloads>/<id>/job.json              the record
//!                  lock                  held by the process that fetches
//!                  parts/<sha256>.part   files on their way, named by what they will be
//!                  files/<name>.gguf     files that are whole and proven
//! ```
//! The record may have been changed by anybody, so every name in it goes through the same checks as one from a network.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hub::{Choice, Error, FilePath, ModelFiles, RepoFile, RepoId, Result, Revision, Wanted};
use crate::lock::FileLock;

/// Format of the record.
const VERSION: u32 = 1;
const RECORD: &str = "job.json";
/// Bytes of a record that are read at most.
const MAX_RECORD_BYTES: u64 = 1 << 20;

/// A file as records hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) path: String,
    pub(super) size_bytes: u64,
    pub(super) sha256: String,
}

impl FileRecord {
    pub(super) fn of(file: &RepoFile) -> Self {
        Self {
            path: file.path.as_str().to_owned(),
            size_bytes: file.size_bytes,
            sha256: file.sha256.clone(),
        }
    }

    pub(super) fn read(self) -> Option<RepoFile> {
        let sound = self.sha256.len() == 64
            && self
                .sha256
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        Some(RepoFile {
            path: FilePath::parse(&self.path).ok().filter(|_| sound)?,
            size_bytes: self.size_bytes,
            sha256: self.sha256,
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    version: u32,
    /// As it can be asked for again.
    wanted: String,
    commit: String,
    stem: String,
    files: Vec<FileRecord>,
    /// What the host that holds the bytes calls this version of them, by sha256.
    etags: BTreeMap<String, String>,
    paused: bool,
    /// Unix milliseconds.
    added_ms: u64,
}

/// A download that this process may go on with, and no other.
#[derive(Debug)]
pub struct Job {
    id: String,
    folder: PathBuf,
    wanted: Wanted,
    commit: Revision,
    model: ModelFiles,
    etags: BTreeMap<String, String>,
    paused: bool,
    added_ms: u64,
    /// Held until the job is dropped.
    _lock: FileLock,
}

/// A download as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSummary {
    pub id: String,
    /// As it was asked for.
    pub wanted: String,
    /// Name of the model's files.
    pub stem: String,
    pub done_bytes: u64,
    pub total_bytes: u64,
    /// The user wants it to wait.
    pub paused: bool,
    /// Unix milliseconds.
    pub added_ms: u64,
}

impl Job {
    /// Begins a download, or takes up the one of the same model that is there. Blocks on the disk.
    ///
    /// # Errors
    /// [`Error::InUse`], and when the disk cannot be written.
    pub fn create(
        downloads: &Path,
        wanted: &Wanted,
        commit: &Revision,
        model: ModelFiles,
    ) -> Result<Self> {
        let id = id_of(&wanted.repo, &model.stem);
        if let Some(mut job) = Self::open(downloads, &id)? {
            wanted.clone_into(&mut job.wanted);
            job.paused = false;
            job.renew(commit, model)?;
            return Ok(job);
        }
        let folder = downloads.join(&id);
        for sub in ["parts", "files"] {
            let sub = folder.join(sub);
            fs::create_dir_all(&sub).map_err(|error| Error::disk(&sub, error))?;
        }
        let lock = lock(&folder, &model.stem)?;
        let added_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_millis() as u64);
        let job = Self {
            id,
            folder,
            wanted: wanted.clone(),
            commit: commit.clone(),
            model,
            etags: BTreeMap::new(),
            paused: false,
            added_ms,
            _lock: lock,
        };
        job.write()?;
        Ok(job)
    }

    /// The download with this id; `None` when there is none, or its record cannot be read. Blocks on the disk.
    ///
    /// # Errors
    /// [`Error::InUse`], and when the disk cannot be written.
    pub fn open(downloads: &Path, id: &str) -> Result<Option<Self>> {
        if !is_id(id) {
            return Ok(None);
        }
        let folder = downloads.join(id);
        let Some((record, wanted, commit, files)) = read(&folder) else {
            return Ok(None);
        };
        for sub in ["parts", "files"] {
            let sub = folder.join(sub);
            fs::create_dir_all(&sub).map_err(|error| Error::disk(&sub, error))?;
        }
        let lock = lock(&folder, &record.stem)?;
        Ok(Some(Self {
            id: id.to_owned(),
            folder,
            wanted,
            commit,
            model: ModelFiles {
                stem: record.stem,
                files,
            },
            etags: record.etags,
            paused: record.paused,
            added_ms: record.added_ms,
            _lock: lock,
        }))
    }

    /// Every download in a folder, the oldest first; what cannot be read is left out. Blocks on the disk.
    pub fn all(downloads: &Path) -> Vec<JobSummary> {
        let entries = fs::read_dir(downloads).into_iter().flatten().flatten();
        let mut all: Vec<JobSummary> = entries
            .filter_map(|entry| {
                let id = entry
                    .file_name()
                    .into_string()
                    .ok()
                    .filter(|id| is_id(id))?;
                let (record, _, _, files) = read(&entry.path())?;
                Some(JobSummary {
                    done_bytes: files.iter().map(|file| present(&entry.path(), file)).sum(),
                    total_bytes: files.iter().map(|file| file.size_bytes).sum(),
                    id,
                    wanted: record.wanted,
                    stem: record.stem,
                    paused: record.paused,
                    added_ms: record.added_ms,
                })
            })
            .collect();
        all.sort_by(|one, other| (one.added_ms, &one.id).cmp(&(other.added_ms, &other.id)));
        all
    }

    /// Removes a download that nobody runs. Blocks on the disk.
    ///
    /// # Errors
    /// [`Error::InUse`], and when the disk cannot be written.
    pub fn remove(downloads: &Path, id: &str) -> Result<()> {
        match Self::open(downloads, id)? {
            Some(job) => remove_folder(&job.folder),
            None => Ok(()),
        }
    }

    /// Remembers whether the user wants it to wait. Blocks on the disk.
    ///
    /// # Errors
    /// When the disk cannot be written.
    pub fn set_paused(&mut self, paused: bool) -> Result<()> {
        self.paused = paused;
        self.write()
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// The id that the download of a model of a repository has.
    pub fn id_for(repo: &RepoId, stem: &str) -> String {
        id_of(repo, stem)
    }

    /// What was asked for.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    pub fn repo(&self) -> &RepoId {
        &self.wanted.repo
    }

    pub fn revision(&self) -> &Revision {
        &self.wanted.revision
    }

    pub fn choice(&self) -> &Choice {
        &self.wanted.choice
    }

    pub fn commit(&self) -> &Revision {
        &self.commit
    }

    /// Name of the model's files.
    pub fn stem(&self) -> &str {
        &self.model.stem
    }

    pub fn files(&self) -> &[RepoFile] {
        &self.model.files
    }

    pub fn total_bytes(&self) -> u64 {
        self.files().iter().map(|file| file.size_bytes).sum()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn part_path(&self, index: usize) -> PathBuf {
        part_path(&self.folder, &self.files()[index])
    }

    pub(super) fn whole_path(&self, index: usize) -> PathBuf {
        whole_path(&self.folder, &self.files()[index])
    }

    /// Whether a file is here and proven: only such files get their name.
    pub(super) fn is_whole(&self, index: usize) -> bool {
        let size = fs::metadata(self.whole_path(index)).map(|metadata| metadata.len());
        size.is_ok_and(|bytes| bytes == self.files()[index].size_bytes)
    }

    /// Bytes of the files that are whole.
    pub(super) fn whole_bytes(&self) -> u64 {
        let whole = (0..self.files().len()).filter(|index| self.is_whole(*index));
        whole.map(|index| self.files()[index].size_bytes).sum()
    }

    /// What the host calls the version of a file that was begun.
    pub(super) fn etag(&self, index: usize) -> Option<&str> {
        let sha256 = &self.files()[index].sha256;
        self.etags.get(sha256).map(String::as_str)
    }

    /// Remembers it. Blocks on the disk.
    pub(super) fn set_etag(&mut self, index: usize, etag: Option<&str>) -> Result<()> {
        if self.etag(index) == etag {
            return Ok(());
        }
        let sha256 = self.files()[index].sha256.clone();
        match etag {
            Some(etag) => self.etags.insert(sha256, etag.to_owned()),
            None => self.etags.remove(&sha256),
        };
        self.write()
    }

    /// Takes what the hub announces now; what came of files that are others now is removed first. Blocks on the disk.
    pub(super) fn renew(&mut self, commit: &Revision, model: ModelFiles) -> Result<()> {
        let gone = |file: &&RepoFile| !model.files.contains(file);
        for file in self.model.files.iter().filter(gone) {
            for path in [
                part_path(&self.folder, file),
                whole_path(&self.folder, file),
            ] {
                remove_if_there(&path)?;
            }
            self.etags.remove(&file.sha256);
        }
        commit.clone_into(&mut self.commit);
        self.model = model;
        self.write()
    }

    fn write(&self) -> Result<()> {
        let record = Record {
            version: VERSION,
            wanted: self.wanted.to_string(),
            commit: self.commit.as_str().to_owned(),
            stem: self.model.stem.clone(),
            files: self.files().iter().map(FileRecord::of).collect(),
            etags: self.etags.clone(),
            paused: self.paused,
            added_ms: self.added_ms,
        };
        write_json(&self.folder.join(RECORD), &record)
    }
}

/// Writes a record so that it is there whole or not at all.
pub(super) fn write_json(path: &Path, record: &impl Serialize) -> Result<()> {
    let failed = |error| Error::disk(path, error);
    let text = serde_json::to_vec_pretty(record).map_err(|error| failed(error.into()))?;
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh).map_err(failed)?;
    file.write_all(&text)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(failed)
}

/// Reads a record of at most 1 MiB.
pub(super) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    let bytes = fs::metadata(path).ok()?.len();
    if bytes > MAX_RECORD_BYTES {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn read(folder: &Path) -> Option<(Record, Wanted, Revision, Vec<RepoFile>)> {
    let record: Record = read_json(&folder.join(RECORD))?;
    let wanted = Wanted::parse(&record.wanted).ok()?;
    let commit = Revision::parse(&record.commit).ok()?;
    let files = record.files.iter().cloned().map(FileRecord::read);
    let files: Vec<RepoFile> = files.collect::<Option<_>>()?;
    // It becomes the name of a folder.
    let is_name = |first: &RepoFile| {
        let stem = record.stem.as_str();
        !stem.is_empty() && first.path.file_name().starts_with(stem)
    };
    let sound = record.version == VERSION && files.first().is_some_and(is_name);
    sound.then_some((record, wanted, commit, files))
}

/// Bytes of a file that are here, proven or not.
fn present(folder: &Path, file: &RepoFile) -> u64 {
    let length = |path: PathBuf| fs::metadata(path).ok().map(|metadata| metadata.len());
    length(whole_path(folder, file))
        .or_else(|| length(part_path(folder, file)))
        .unwrap_or(0)
        .min(file.size_bytes)
}

fn part_path(folder: &Path, file: &RepoFile) -> PathBuf {
    folder.join("parts").join(format!("{}.part", file.sha256))
}

fn whole_path(folder: &Path, file: &RepoFile) -> PathBuf {
    folder.join("files").join(file.path.file_name())
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::disk(path, error)),
        _ => Ok(()),
    }
}

pub(super) fn remove_folder(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder).map_err(|error| Error::disk(folder, error))
}

fn lock(folder: &Path, name: &str) -> Result<FileLock> {
    let path = folder.join("lock");
    let taken = FileLock::take(&path).map_err(|error| Error::disk(&path, error))?;
    taken.ok_or_else(|| Error::InUse {
        name: name.to_owned(),
    })
}

/// 16 hexadecimal digits that stand for a model of a repository.
pub(super) fn id_of(repo: &RepoId, stem: &str) -> String {
    let digest = Sha256::digest(format!("{repo}\0{stem}"));
    crate::hex(&digest[..8])
}

fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(sha: char) -> ModelFiles {
        let file = |name: &str, sha: char| RepoFile {
            path: FilePath::parse(name).unwrap(),
            size_bytes: 3,
            sha256: String::from(sha).repeat(64),
        };
        ModelFiles {
            stem: "m".into(),
            files: vec![
                file("q/m-00001-of-00002.gguf", 'a'),
                file("q/m-00002-of-00002.gguf", sha),
            ],
        }
    }

    fn wanted() -> (Wanted, Revision) {
        let commit = Revision::parse(&"0".repeat(40)).unwrap();
        (Wanted::parse("a/b:Q4_0").unwrap(), commit)
    }

    #[test]
    fn a_job_is_there_again_and_only_once() {
        let folder = tempfile::tempdir().unwrap();
        let (wanted, commit) = wanted();
        let mut job = Job::create(folder.path(), &wanted, &commit, model('b')).unwrap();
        fs::write(job.part_path(0), "x").unwrap();
        fs::write(job.whole_path(1), "xyz").unwrap();
        job.set_etag(0, Some("\"v1\"")).unwrap();
        job.set_paused(true).unwrap();
        let id = job.id().to_owned();
        let second = Job::open(folder.path(), &id);
        assert!(matches!(second, Err(Error::InUse { .. })), "{second:?}");
        drop(job);

        let all = Job::all(folder.path());
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].done_bytes, all[0].total_bytes), (4, 6));
        assert!(all[0].paused && all[0].wanted == "a/b:Q4_0");
        let job = Job::open(folder.path(), &id).unwrap().unwrap();
        assert_eq!(job.etag(0), Some("\"v1\""));
        assert!(!job.is_whole(0) && job.is_whole(1));
    }

    #[test]
    fn what_changed_at_the_hub_is_forgotten_and_the_rest_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (wanted, commit) = wanted();
        let job = Job::create(folder.path(), &wanted, &commit, model('b')).unwrap();
        for index in [0, 1] {
            fs::write(job.whole_path(index), "xyz").unwrap();
        }
        drop(job);
        let job = Job::create(folder.path(), &wanted, &commit, model('c')).unwrap();
        assert!(job.is_whole(0) && !job.is_whole(1));
    }

    #[test]
    fn a_record_that_lies_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (wanted, commit) = wanted();
        let job = Job::create(folder.path(), &wanted, &commit, model('b')).unwrap();
        let record = folder.path().join(job.id()).join(RECORD);
        let id = job.id().to_owned();
        drop(job);
        let text = fs::read_to_string(&record).unwrap();
        for (from, to) in [
            ("q/m-00001-of-00002.gguf", "../../../x.gguf"),
            (&"a".repeat(64), "../x"),
            ("a/b:Q4_0", "../b"),
            ("\"stem\": \"m\"", "\"stem\": \"../../x\""),
            ("\"stem\": \"m\"", "\"stem\": \"\""),
            ("\"version\": 1", "\"version\": 2"),
            ("{", "["),
        ] {
            fs::write(&record, text.replace(from, to)).unwrap();
            assert!(Job::open(folder.path(), &id).unwrap().is_none(), "{to}");
            assert!(Job::all(folder.path()).is_empty());
        }
        assert!(Job::open(folder.path(), "../../etc").unwrap().is_none());
        // What came stays of use to whoever begins it again.
        Job::create(folder.path(), &wanted, &commit, model('b')).unwrap();
        assert_eq!(Job::all(folder.path()).len(), 1);
    }
}
