//! A program with pipes around it, as a script runs it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::bell::{Bell, lock};
use crate::support::terminal;

/// Where its input comes from.
pub(crate) enum Input {
    /// Nothing to read.
    Nothing,
    /// This, then the end.
    Text(String),
    /// What the test writes, for as long as it keeps it open.
    Open,
}

/// How it ended, and all that it wrote.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    /// The code as a shell tells it: 128 and the signal's number where it was killed.
    pub(crate) code: i32,
    /// Its output.
    pub(crate) stdout: String,
    /// What it said besides.
    pub(crate) stderr: String,
}

#[derive(Default)]
struct Seen {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// Pipes that are not at their end.
    open: usize,
    code: Option<i32>,
}

/// It, running. Killed when dropped.
pub(crate) struct Process {
    pid: u32,
    stdin: Option<ChildStdin>,
    seen: Arc<Mutex<Seen>>,
}

impl Process {
    /// Starts it; output and end ring the bell. Stderr goes to the file, if there is one.
    pub(crate) fn start(
        mut command: Command,
        input: Input,
        stderr: Option<File>,
        bell: &Bell,
    ) -> std::io::Result<Self> {
        let file = stderr.is_some();
        command
            .stdin(match input {
                Input::Nothing => Stdio::null(),
                Input::Text(_) | Input::Open => Stdio::piped(),
            })
            .stdout(Stdio::piped())
            .stderr(stderr.map_or_else(Stdio::piped, Stdio::from));
        let mut child = command.spawn()?;
        let seen = Arc::new(Mutex::new(Seen {
            open: if file { 1 } else { 2 },
            ..Seen::default()
        }));
        if let Some(pipe) = child.stdout.take() {
            read(pipe, |seen| &mut seen.stdout, &seen, bell);
        }
        if let Some(pipe) = child.stderr.take() {
            read(pipe, |seen| &mut seen.stderr, &seen, bell);
        }
        let mut stdin = child.stdin.take();
        if let Input::Text(text) = input {
            let mut stdin = stdin.take().expect("a pipe");
            // One that does not read it all is as good.
            std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
        }
        let pid = child.id();
        std::thread::spawn({
            let (seen, bell) = (Arc::clone(&seen), bell.clone());
            move || {
                let status = child.wait().expect("its status");
                let signal = status.signal().map(|number| 128 + number);
                lock(&seen).code = status.code().or(signal);
                bell.ring();
            }
        });
        Ok(Self { pid, stdin, seen })
    }

    /// Writes a line to its input.
    pub(crate) fn write(&mut self, line: &str) -> std::io::Result<()> {
        let stdin = self.stdin.as_mut().expect("an open input");
        writeln!(stdin, "{line}")
    }

    /// Ends its input.
    pub(crate) fn close(&mut self) {
        self.stdin = None;
    }

    /// What it has written.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&lock(&self.seen).stdout).into_owned()
    }

    /// All of it, once it has ended and nobody holds its pipes.
    pub(crate) fn done(&self) -> Option<Done> {
        let seen = lock(&self.seen);
        let code = seen.code.filter(|_| seen.open == 0)?;
        Some(Done {
            code,
            stdout: String::from_utf8_lossy(&seen.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&seen.stderr).into_owned(),
        })
    }

    /// All of it so far, for a failure's words.
    pub(crate) fn dump(&self) -> String {
        let seen = lock(&self.seen);
        format!(
            "code {:?}, stdout {:?}, stderr {:?}",
            seen.code,
            String::from_utf8_lossy(&seen.stdout),
            String::from_utf8_lossy(&seen.stderr)
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if lock(&self.seen).code.is_none() {
            terminal::kill(self.pid);
        }
    }
}

/// Reads a pipe to its end, in a thread of its own.
fn read(
    mut pipe: impl Read + Send + 'static,
    place: fn(&mut Seen) -> &mut Vec<u8>,
    seen: &Arc<Mutex<Seen>>,
    bell: &Bell,
) {
    let (seen, bell) = (Arc::clone(seen), bell.clone());
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            place(&mut lock(&seen)).extend_from_slice(&buffer[..read]);
            bell.ring();
        }
        lock(&seen).open -= 1;
        bell.ring();
    });
}
