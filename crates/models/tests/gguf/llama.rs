//! Talks to the child that runs llama.cpp under the address sanitiser (`tests/child/child.cpp`).

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Where `scripts/sanitised-llama` put the child.
pub const CHILD: &str = "HEARTH_GGUF_CHILD";

pub struct Llama {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What became of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was loaded and computed with, or a later step failed in good order.
    Ran,
    /// llama.cpp said no, and why.
    Refused(String),
    /// The process died: at which step, and its last words.
    Died(String),
}

impl Llama {
    pub fn start() -> Self {
        let program = std::env::var_os(CHILD)
            .unwrap_or_else(|| panic!("{CHILD} must name the child: run `make test-gguf`"));
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            commands: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn ask(&mut self, command: &str, path: &Path) -> String {
        writeln!(self.commands, "{command} {}", path.display()).unwrap();
        let mut answer = Vec::new();
        self.answers.read_until(b'\n', &mut answer).unwrap();
        assert!(answer.ends_with(b"\n"), "the child itself ended");
        String::from_utf8_lossy(&answer).trim_end().to_owned()
    }

    /// Loads a model, tokenises and computes with it.
    pub fn run(&mut self, path: &Path) -> Fate {
        let answer = self.ask("run", path);
        match answer.split_once(' ') {
            None if answer == "ran" => Fate::Ran,
            Some(("refused:", why)) => Fate::Refused(why.to_owned()),
            Some(("died", how)) => Fate::Died(how.to_owned()),
            _ => panic!("{answer}"),
        }
    }

    /// Names and shapes of the tensors that llama.cpp wants for this metadata, or why it wants none.
    pub fn complete(&mut self, path: &Path) -> Result<Vec<(String, Vec<u64>)>, String> {
        let answer = self.ask("complete", path);
        if ["refused:", "died ", "failed:"]
            .iter()
            .any(|start| answer.starts_with(start))
        {
            return Err(answer);
        }
        let tensor = |word: &str| {
            let (name, shape) = word.split_once(':')?;
            let shape = shape
                .split(',')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .ok()?;
            Some((name.to_owned(), shape))
        };
        let table: Option<Vec<_>> = answer.split_whitespace().map(tensor).collect();
        table.filter(|table| !table.is_empty()).ok_or(answer)
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
