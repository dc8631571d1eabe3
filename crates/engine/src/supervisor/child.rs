//! One child process and the three tasks at its pipes, so that the supervisor never waits for it.

use std::collections::VecDeque;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Launch;
use crate::protocol::{self, ToChild};

/// How much of the child's standard error is kept for an error message, in bytes.
const TAIL_BYTES: usize = 8 * 1024;
/// Longest line read from standard error, in bytes; longer ones are cut. A child must never block on a full pipe.
const LINE_BYTES: usize = 16 * 1024;
/// How long a child may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(3);

/// A running child that says `M`. Its drop ends the process.
pub(crate) struct Child<M> {
    process: tokio::process::Child,
    input: mpsc::UnboundedSender<Vec<u8>>,
    pub(crate) frames: mpsc::UnboundedReceiver<io::Result<M>>,
    tail: Arc<Mutex<VecDeque<u8>>>,
    stderr: JoinHandle<()>,
}

impl<M: DeserializeOwned + Send + 'static> Child<M> {
    pub(crate) fn spawn(launch: &Launch) -> io::Result<Self> {
        let mut process = Command::new(&launch.program)
            .args(&launch.arguments)
            // A backend library must never be looked for where the user happens to be.
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let gone = || io::Error::other("the child has no pipes");
        let stdin = process.stdin.take().ok_or_else(gone)?;
        let stdout = process.stdout.take().ok_or_else(gone)?;
        let stderr = process.stderr.take().ok_or_else(gone)?;
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let (input, to_write) = mpsc::unbounded_channel();
        let (read, frames) = mpsc::unbounded_channel();
        tokio::spawn(write_frames(stdin, to_write));
        tokio::spawn(read_frames(stdout, read));
        let stderr = tokio::spawn(drain(stderr, tail.clone()));
        Ok(Self {
            process,
            input,
            frames,
            tail,
            stderr,
        })
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Queues a message. A child that is gone shows at its exit, not here.
    pub(crate) fn send(&self, message: &impl Serialize) -> io::Result<()> {
        let _ = self.input.send(protocol::encode(message)?);
        Ok(())
    }

    /// Waits for the end of the process; safe to drop and call again.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// Ends the process at once.
    pub(super) async fn kill(&mut self) {
        let _ = self.process.kill().await;
    }

    /// Asks the process to end, and ends it when it does not.
    pub(super) async fn end(mut self) {
        let _ = self.send(&ToChild::ShutDown);
        drop(self.input);
        if tokio::time::timeout(GRACE, self.process.wait())
            .await
            .is_err()
        {
            let _ = self.process.kill().await;
        }
    }

    /// The last lines of standard error, complete once the process has ended.
    pub(crate) async fn stderr_tail(self) -> String {
        let _ = tokio::time::timeout(Duration::from_millis(200), self.stderr).await;
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = tail.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

async fn write_frames(mut stdin: ChildStdin, mut frames: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(frame) = frames.recv().await {
        if stdin.write_all(&frame).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn read_frames<M: DeserializeOwned>(
    stdout: ChildStdout,
    frames: mpsc::UnboundedSender<io::Result<M>>,
) {
    let mut stdout = BufReader::new(stdout);
    loop {
        let frame = match protocol::read_async(&mut stdout).await {
            Ok(Some(frame)) => Ok(frame),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let broken = frame.is_err();
        if frames.send(frame).is_err() || broken {
            return;
        }
    }
}

async fn drain(stderr: ChildStderr, tail: Arc<Mutex<VecDeque<u8>>>) {
    let mut reader = BufReader::with_capacity(LINE_BYTES, stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match read_line(&mut reader, &mut line).await {
            Ok(true) => {}
            Ok(false) | Err(_) => return,
        }
        tracing::info!(target: "engine", "{}", String::from_utf8_lossy(&line).trim_end());
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(&line);
        let excess = tail.len().saturating_sub(TAIL_BYTES);
        tail.drain(..excess);
    }
}

/// Reads up to the end of a line, or as much of it as the buffer holds; `false` at the end.
async fn read_line(reader: &mut BufReader<ChildStderr>, line: &mut Vec<u8>) -> io::Result<bool> {
    let available = reader.fill_buf().await?;
    if available.is_empty() {
        return Ok(false);
    }
    let length = available
        .iter()
        .position(|b| *b == b'\n')
        .map_or(available.len(), |at| at + 1);
    line.extend_from_slice(&available[..length]);
    reader.consume(length);
    Ok(true)
}
