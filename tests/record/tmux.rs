//! The CLI in a pane of tmux, with a server of its own: what it writes into the pane is kept.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::bell::lock;
use crate::support::terminal::{Command, Passed};

/// How often the file is looked at: it has no portable event.
const LOOK: Duration = Duration::from_millis(5);

/// A pane's output, as it comes.
pub(crate) struct Pane {
    socket: PathBuf,
    passed: Arc<Mutex<Vec<Passed>>>,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pane {
    /// Follows what the pane of a [`command`] in this home writes.
    pub(crate) fn follow(home: &Path) -> Self {
        let (passed, done) = (Arc::default(), Arc::default());
        let thread = std::thread::spawn({
            let (passed, done) = (Arc::clone(&passed), Arc::clone(&done));
            let path = output(home);
            move || follow(&path, &passed, &done)
        });
        Self {
            socket: socket(home),
            passed,
            done,
            thread: Some(thread),
        }
    }

    /// What came so far.
    pub(crate) fn passed(&self) -> Vec<Passed> {
        lock(&self.passed).clone()
    }
}

impl Drop for Pane {
    fn drop(&mut self) {
        // The server ends with its last session; where it is gone already there is nothing to end.
        let _ = std::process::Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .arg("kill-server")
            .stderr(std::process::Stdio::null())
            .status();
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, is on stderr already.
            let _ = thread.join();
        }
    }
}

fn socket(home: &Path) -> PathBuf {
    home.join("tmux")
}

fn output(home: &Path) -> PathBuf {
    home.join("pane")
}

/// The same command in tmux, which leaves it all rows.
pub(crate) fn command(command: Command, home: &Path) -> Command {
    let cat = format!("exec cat >{}", output(home).display());
    let socket = socket(home);
    let mut args: Vec<std::ffi::OsString> = vec!["-S".into(), socket.into()];
    args.extend(["-f", "/dev/null", "start-server", ";"].map(Into::into));
    args.extend(["set", "-g", "status", "off", ";", "new-session", "--"].map(Into::into));
    args.push(command.program.into());
    args.extend(command.args);
    args.extend([";", "pipe-pane", "-O"].map(Into::into));
    args.push(cat.into());
    Command {
        program: "tmux".into(),
        args,
        ..command
    }
}

fn follow(path: &Path, passed: &Mutex<Vec<Passed>>, done: &AtomicBool) {
    let mut file = None;
    while !done.load(Ordering::Relaxed) {
        if file.is_none() {
            file = std::fs::File::open(path).ok();
        }
        let mut bytes = Vec::new();
        let read = file
            .as_mut()
            .and_then(|file| file.read_to_end(&mut bytes).ok());
        if read.unwrap_or(0) == 0 {
            std::thread::sleep(LOOK);
            continue;
        }
        lock(passed).push(Passed {
            at: Instant::now(),
            typed: false,
            bytes,
        });
    }
}
