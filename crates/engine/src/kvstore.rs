//! KV states of conversations on disk, so that a chat that is opened again need not be read again.
//!
//! A state is a cache and never the truth: it is used only when the weights, the layout of the KV cache, the tokens and a checksum
//! agree, and whatever is wrong with it means that the prompt is computed as if it were not there. Files are read and written on
//! a thread of their own. Knows nothing of requests and of what the bytes of a state mean.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::StateSpec;
use crate::backend::Token;
use crate::prefix::common;

/// Fewest tokens that a state must save a prompt from computing to be read or written at all.
pub const WORTH_TOKENS: usize = 64;

const MAGIC: &[u8; 8] = b"HearthKV";
/// Raised whenever the file format changes.
const VERSION: u32 = 1;
/// A header is a few hundred bytes; a larger one is not ours.
const MAX_HEADER_BYTES: u32 = 64 * 1024;
const EXTENSION: &str = "kv";

/// The name of the file that holds the state of a conversation with a model. `model` is [`StateSpec::model`].
pub fn file_name(model: &str, conversation: &str) -> String {
    let mut hash = Sha256::new();
    for part in [model, conversation] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    format!("{}.{EXTENSION}", hex(&hash.finalize()[..16]))
}

/// What a file says of itself, in front of the tokens (32-bit little-endian) and the state.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    version: u32,
    model: String,
    layout: String,
    tokens: u64,
    state_bytes: u64,
    /// Of the tokens and the state, in hexadecimal.
    sha256: String,
}

/// A state that was read back whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Saved {
    pub tokens: Vec<Token>,
    pub state: Vec<u8>,
}

enum Job {
    Save {
        conversation: String,
        saved: Saved,
    },
    Load {
        id: u64,
        conversation: String,
        prompt: Vec<Token>,
        cached: usize,
    },
}

/// See the module text. Dropping it waits for what is being written.
pub struct KvStore {
    jobs: Option<Sender<Job>>,
    loaded: Receiver<(u64, Option<Saved>)>,
    thread: Option<std::thread::JoinHandle<()>>,
    cap_bytes: u64,
}

impl KvStore {
    /// `layout` names everything besides the weights that the meaning of a state depends on.
    pub fn open(spec: &StateSpec, layout: String) -> io::Result<Self> {
        create_private_folder(&spec.folder)?;
        let (jobs, inbox) = channel();
        let (outbox, loaded) = channel();
        let folder = Folder {
            path: spec.folder.clone(),
            model: spec.model.clone(),
            layout,
            cap_bytes: spec.cap_bytes,
        };
        let thread = std::thread::Builder::new()
            .name("kvstore".into())
            .spawn(move || folder.serve(&inbox, &outbox))?;
        Ok(Self {
            jobs: Some(jobs),
            loaded,
            thread: Some(thread),
            cap_bytes: spec.cap_bytes,
        })
    }

    /// Largest state that is kept, in bytes.
    pub fn cap_bytes(&self) -> u64 {
        self.cap_bytes
    }

    /// Writes a state in the background. A failure is logged and costs nothing but the next reading of the prompt.
    pub fn save(&self, conversation: String, saved: Saved) {
        self.send(Job::Save {
            conversation,
            saved,
        });
    }

    /// Looks for a state that holds more of `prompt` than the first `cached` tokens; [`KvStore::loaded`] has the answer later.
    pub fn load(&self, id: u64, conversation: String, prompt: Vec<Token>, cached: usize) {
        self.send(Job::Load {
            id,
            conversation,
            prompt,
            cached,
        });
    }

    /// An answer to [`KvStore::load`] that has come, with the id of its question.
    pub fn loaded(&self) -> Option<(u64, Option<Saved>)> {
        self.loaded.try_recv().ok()
    }

    /// Waits for the next answer to [`KvStore::load`], at most `limit`.
    pub fn wait(&self, limit: Duration) -> Option<(u64, Option<Saved>)> {
        self.loaded.recv_timeout(limit).ok()
    }

    fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job);
        }
    }
}

impl Drop for KvStore {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The folder as the thread sees it.
struct Folder {
    path: PathBuf,
    model: String,
    layout: String,
    cap_bytes: u64,
}

impl Folder {
    fn serve(&self, jobs: &Receiver<Job>, answers: &Sender<(u64, Option<Saved>)>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Save {
                    conversation,
                    saved,
                } => {
                    if let Err(error) = self.save(&conversation, &saved) {
                        tracing::warn!(%error, "the state of a conversation could not be written");
                    }
                }
                Job::Load {
                    id,
                    conversation,
                    prompt,
                    cached,
                } => {
                    let saved = self.load(&conversation, &prompt, cached);
                    if let Err(error) = &saved {
                        tracing::info!(%error, "the saved state of a conversation is of no use");
                    }
                    let _ = answers.send((id, saved.ok().flatten()));
                }
            }
        }
    }

    fn file(&self, conversation: &str) -> PathBuf {
        self.path.join(file_name(&self.model, conversation))
    }

    fn save(&self, conversation: &str, saved: &Saved) -> io::Result<()> {
        let tokens: Vec<u8> = saved.tokens.iter().flat_map(|t| t.to_le_bytes()).collect();
        let header = serde_json::to_vec(&Header {
            version: VERSION,
            model: self.model.clone(),
            layout: self.layout.clone(),
            tokens: saved.tokens.len() as u64,
            state_bytes: saved.state.len() as u64,
            sha256: checksum(&tokens, &saved.state),
        })?;
        let path = self.file(conversation);
        let unfinished = path.with_extension("tmp");
        let written = (|| {
            let mut file = create_private_file(&unfinished)?;
            file.write_all(MAGIC)?;
            file.write_all(&(header.len() as u32).to_le_bytes())?;
            file.write_all(&header)?;
            file.write_all(&tokens)?;
            file.write_all(&saved.state)?;
            fs::rename(&unfinished, &path)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written?;
        self.enforce_cap()
    }

    /// The state of a conversation; `None` when there is none or it does not help.
    fn load(
        &self,
        conversation: &str,
        prompt: &[Token],
        cached: usize,
    ) -> io::Result<Option<Saved>> {
        let path = self.file(conversation);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let size = file.metadata()?.len();
        let header = self.read_header(&mut file, size)?;
        let mut tokens = vec![0; header.tokens as usize * 4];
        file.read_exact(&mut tokens)?;
        let held: Vec<Token> = tokens
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| Token::from_le_bytes(*bytes))
            .collect();
        if common(&held, prompt) < cached + WORTH_TOKENS {
            return Ok(None);
        }
        let mut state = vec![0; header.state_bytes as usize];
        file.read_exact(&mut state)?;
        if checksum(&tokens, &state) != header.sha256 {
            return Err(useless("its checksum is wrong"));
        }
        // The cap drops what was not used for the longest time.
        let _ = file.set_modified(SystemTime::now());
        Ok(Some(Saved {
            tokens: held,
            state,
        }))
    }

    fn read_header(&self, file: &mut File, size: u64) -> io::Result<Header> {
        let (mut magic, mut length) = ([0; 8], [0; 4]);
        file.read_exact(&mut magic)?;
        file.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if &magic != MAGIC || length > MAX_HEADER_BYTES {
            return Err(useless("it is no state of a conversation"));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header)?;
        let header: Header = serde_json::from_slice(&header)?;
        if (header.version, &header.model, &header.layout) != (VERSION, &self.model, &self.layout) {
            return Err(useless("it was made with another model or another version"));
        }
        // Checked before anything is allocated by these numbers.
        let body = header
            .tokens
            .checked_mul(4)
            .and_then(|t| t.checked_add(header.state_bytes));
        if body.and_then(|b| b.checked_add(u64::from(length) + 12)) != Some(size) {
            return Err(useless("its length is wrong"));
        }
        Ok(header)
    }

    /// Deletes the states that were not used for the longest time, until the rest fits.
    fn enforce_cap(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let ours = entry.path().extension().is_some_and(|e| e == EXTENSION);
            if let Some(data) = entry.metadata().ok().filter(|_| ours) {
                files.push((data.modified()?, data.len(), entry.path()));
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in files {
            if total <= self.cap_bytes {
                break;
            }
            fs::remove_file(path)?;
            total -= bytes;
        }
        Ok(())
    }
}

fn useless(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn checksum(tokens: &[u8], state: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(tokens);
    hash.update(state);
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What was said is in these files as much as in the database, so nobody else may read them.
fn create_private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

fn create_private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn folder(path: &Path) -> Folder {
        Folder {
            path: path.to_owned(),
            model: "weights".into(),
            layout: "f16".into(),
            cap_bytes: 10_000,
        }
    }

    fn saved(count: i32) -> Saved {
        Saved {
            tokens: (0..count).collect(),
            state: vec![7; 1000],
        }
    }

    #[test]
    fn a_state_comes_back_for_the_prompt_that_it_helps() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder(home.path());
        folder.save("chat", &saved(200)).unwrap();
        let prompt: Vec<Token> = (0..250).collect();
        assert_eq!(folder.load("chat", &prompt, 0).unwrap(), Some(saved(200)));
        assert_eq!(
            folder.load("chat", &prompt, 190).unwrap(),
            None,
            "too little to gain"
        );
        assert_eq!(
            folder.load("chat", &[5, 6], 0).unwrap(),
            None,
            "another text"
        );
        assert_eq!(folder.load("other chat", &prompt, 0).unwrap(), None);
        let mut other = Folder {
            model: "other weights".into(),
            ..self::folder(home.path())
        };
        assert_eq!(
            other.load("chat", &prompt, 0).unwrap(),
            None,
            "another file name"
        );
        fs::rename(folder.file("chat"), other.file("chat")).unwrap();
        assert!(
            other.load("chat", &prompt, 0).is_err(),
            "the header names the weights"
        );
        other = Folder {
            layout: "q8_0".into(),
            ..self::folder(home.path())
        };
        folder.save("chat", &saved(200)).unwrap();
        assert!(other.load("chat", &prompt, 0).is_err());
    }

    #[test]
    fn every_damage_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder(home.path());
        folder.save("chat", &saved(200)).unwrap();
        let whole = fs::read(folder.file("chat")).unwrap();
        let prompt: Vec<Token> = (0..250).collect();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x41;
            fs::write(folder.file("chat"), &bytes).unwrap();
            let read = folder.load("chat", &prompt, 0);
            // A changed token may also make the state one of another prompt.
            assert!(!matches!(read, Ok(Some(_))), "byte {at}");
        }
        for length in 0..whole.len() {
            fs::write(folder.file("chat"), &whole[..length]).unwrap();
            assert!(folder.load("chat", &prompt, 0).is_err(), "{length} bytes");
        }
        fs::write(folder.file("chat"), [&whole[..], b"x"].concat()).unwrap();
        assert!(folder.load("chat", &prompt, 0).is_err());
    }

    #[test]
    fn the_oldest_states_go_when_they_take_too_much() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder(home.path());
        for n in 0..10 {
            folder.save(&format!("chat {n}"), &saved(100)).unwrap();
            let age = SystemTime::now() - Duration::from_secs(100 - n);
            File::open(folder.file(&format!("chat {n}")))
                .unwrap()
                .set_modified(age)
                .unwrap();
        }
        folder.save("last", &saved(100)).unwrap();
        let left = |name: &str| folder.file(name).exists();
        assert!(!left("chat 0") && !left("chat 3") && left("chat 9") && left("last"));
        let total: u64 = fs::read_dir(home.path())
            .unwrap()
            .map(|e| e.unwrap().metadata().unwrap().len())
            .sum();
        assert!(total <= 10_000, "{total}");
    }

    #[test]
    fn works_in_the_background_and_finishes_what_it_writes() {
        let home = tempfile::tempdir().unwrap();
        let spec = StateSpec {
            folder: home.path().join("kv"),
            model: "weights".into(),
            cap_bytes: 1 << 20,
        };
        let store = KvStore::open(&spec, "f16".into()).unwrap();
        store.save("chat".into(), saved(100));
        drop(store);
        let store = KvStore::open(&spec, "f16".into()).unwrap();
        store.load(3, "chat".into(), (0..100).collect(), 0);
        store.load(4, "none".into(), (0..100).collect(), 0);
        assert_eq!(
            store.wait(Duration::from_secs(5)),
            Some((3, Some(saved(100))))
        );
        assert_eq!(store.wait(Duration::from_secs(5)), Some((4, None)));
        let file = spec.folder.join(file_name("weights", "chat"));
        assert_eq!(fs::metadata(file).unwrap().mode() & 0o777, 0o600);
    }
}
