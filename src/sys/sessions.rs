//! The CLI's sessions that run now, whoever started them, and how their last turns ended.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};

use super::transcript::{Locator, SessionFile, pid_in, read_last_turn};
use crate::supervisor::transcript::LastTurn;

/// A session of a CLI that runs now.
#[derive(Clone, Debug)]
pub struct Running {
    /// The CLI's process.
    pub pid: Pid,
    /// The folder that it works in, where it told.
    pub cwd: Option<PathBuf>,
    /// How its last turn stands, where that can be read.
    pub turn: Option<LastTurn>,
    /// Does a wrapper of ours run it?
    pub wrapped: bool,
}

/// The sessions by the files that the CLI keeps in its folder while it runs (see `sys/transcript.rs`),
/// in the order of their process ids. Files of dead CLIs are passed over.
pub fn running(config_dir: &Path) -> Vec<Running> {
    let Ok(entries) = fs::read_dir(config_dir.join("sessions")) else {
        return Vec::new();
    };
    let found = entries.flatten().filter_map(|entry| {
        let pid = pid_in(&entry.file_name())?;
        let session = SessionFile::read(&entry.path())?;
        lives(pid, session.proc_start.as_str()).then(|| {
            // Session and time are for finding one's own; this one is named.
            let root = PathBuf::from("/");
            let locator = Locator::new(config_dir.to_owned(), root, pid, 0, 0);
            let file = locator.file_of(&session);
            Running {
                pid,
                turn: file.and_then(|file| read_last_turn(&file).ok().flatten()),
                cwd: session.cwd.map(PathBuf::from),
                wrapped: wrapped(pid),
            }
        })
    });
    let mut found: Vec<Running> = found.collect();
    found.sort_by_key(|running| running.pid.as_raw_nonzero());
    found
}

/// Is it that process still? Numbers are used again.
fn lives(pid: Pid, started: Option<&str>) -> bool {
    if test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
        return false;
    }
    let started = started.filter(|ticks| ticks.bytes().all(|byte| byte.is_ascii_digit()));
    match (started, start_ticks(pid)) {
        (Some(then), Some(now)) => then == now,
        _ => true,
    }
}

/// When the process was started, in the kernel's ticks since boot. Linux only.
fn start_ticks(pid: Pid) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The second field is a name in parentheses that may hold anything; this is the 22nd.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19).map(str::to_owned)
}

/// Does the process sit on the inner terminal of a living wrapper? Where its environment cannot be read
/// (not on Linux, another user's) this is unknown and counts as no.
pub(super) fn wrapped(pid: Pid) -> bool {
    let folder = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let Ok(environment) = fs::read(folder.join("environ")) else {
        return false;
    };
    let prefix = format!("{}=", super::NESTED_VAR);
    let value = environment
        .split(|&byte| byte == 0)
        .find_map(|entry| entry.strip_prefix(prefix.as_bytes()));
    let Some(value) = value.and_then(|value| std::str::from_utf8(value).ok()) else {
        return false;
    };
    let terminal = fs::read_link(folder.join("fd/0")).ok();
    super::is_nested(value.as_ref(), terminal.as_deref().map(Path::as_os_str))
}
