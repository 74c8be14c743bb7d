//! The CLI that ran the hook: which process it is, and how it stands.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, getpid, getppid, test_kill_process};
use serde::Deserialize;

use super::super::ids::{led_by, session_of};
use super::super::{clock, env, transcript};
use crate::supervisor::alone::{self, Sight};
use crate::supervisor::hook::HookEvent;
use crate::supervisor::transcript::{Ending, Report};

/// So many processes may stand between us and the CLI: a shell, a launcher of ours.
const BETWEEN: usize = 4;
const HOUR_MS: u64 = 3_600_000;

/// The CLI that ran us, and the session that the event was in.
#[derive(Debug)]
pub(super) struct Cli {
    /// Our parent when we started.
    parent: Option<Pid>,
    process: Option<Process>,
    session_id: String,
    transcript: PathBuf,
    /// What the file was like at the last look, and what stood in it.
    seen: Option<(Stamp, Sight)>,
}

/// The CLI's process.
#[derive(Clone, Copy, Debug)]
struct Process {
    pid: Pid,
    /// Its child that we descend from; ourselves perhaps.
    child: Pid,
}

/// Tells whether a file has changed.
type Stamp = (u64, Option<SystemTime>);

/// The fields of `sessions/<pid>.json` that we need (undocumented; 2.1.145 and 2.1.330).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionFile {
    session_id: String,
    status: Option<String>,
}

impl Cli {
    /// The one that told us of this event.
    pub(super) fn of(event: &HookEvent) -> Self {
        Self {
            parent: getppid(),
            process: find(),
            session_id: event.session_id.clone(),
            transcript: event.transcript.clone(),
            seen: None,
        }
    }

    pub(super) fn pid(&self) -> Option<Pid> {
        Some(self.process?.pid)
    }

    /// Has it ended? Not every version ends its hooks with it (2.1.145 does not), and none can when it is
    /// killed.
    pub(super) fn is_gone(&self) -> bool {
        if getppid() != self.parent {
            return true;
        }
        let Some(process) = self.process else {
            return false;
        };
        // Who has lost its parent is somebody else's child at once, while the parent's number may live on
        // as a zombie, or as another process. On Linux a look costs one small read; elsewhere a process.
        let lost = match process.child {
            child if child == getpid() => false,
            child if cfg!(target_os = "linux") => parent_of(child) != Some(process.pid),
            _ => false,
        };
        lost || test_kill_process(process.pid) == Err(rustix::io::Errno::SRCH)
    }

    /// Its terminal, where that can be told.
    pub(super) fn terminal(&self) -> Option<OsString> {
        let pid = self.process?.pid.as_raw_nonzero();
        let path = fs::read_link(format!("/proc/{pid}/fd/0")).ok()?;
        Some(path.into_os_string())
    }

    /// Looks at the transcript, if it has changed, and at the CLI.
    pub(super) fn look(&mut self) -> Sight {
        let stamp = fs::metadata(&self.transcript).as_ref().map(stamp).ok();
        let mut sight = match (&self.seen, stamp) {
            (Some((seen, sight)), Some(stamp)) if *seen == stamp => sight.clone(),
            _ => self.read(),
        };
        self.seen = stamp.map(|stamp| (stamp, sight.clone()));
        sight.worked = self.worked();
        sight.cli = self.status();
        sight
    }

    fn read(&self) -> Sight {
        let turn = transcript::read_last_turn(&self.transcript).ok().flatten();
        let report = turn.map_or(Report::Pending, Report::Turn);
        let is_error = matches!(&report, Report::Turn(turn)
            if matches!(turn.ending, Ending::ApiError { .. }));
        let hour_ago = clock::unix_ms().saturating_sub(HOUR_MS);
        let errors = is_error.then(|| transcript::read_errors_since(&self.transcript, hour_ago));
        Sight {
            report,
            errors: errors.and_then(Result::ok).unwrap_or_default(),
            cli: alone::Cli::Unknown,
            worked: None,
        }
    }

    /// How long its main thread has worked; Linux only.
    fn worked(&self) -> Option<Duration> {
        let pid = self.process?.pid.as_raw_nonzero();
        let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
        Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
    }

    fn status(&self) -> alone::Cli {
        if self.is_gone() {
            return alone::Cli::Gone;
        }
        match self.session_file() {
            Some(file) if file.session_id != self.session_id => alone::Cli::Elsewhere,
            Some(file) => match file.status.as_deref() {
                Some("busy") => alone::Cli::Busy,
                Some(_) => alone::Cli::Idle,
                None => alone::Cli::Unknown,
            },
            None => alone::Cli::Unknown,
        }
    }

    /// Beside the folder that the transcript's is in.
    fn session_file(&self) -> Option<SessionFile> {
        let projects = self.transcript.parent()?.parent()?;
        let pid = self.process?.pid.as_raw_nonzero();
        let path = projects.parent()?.join(format!("sessions/{pid}.json"));
        serde_json::from_slice(&transcript::read_small(&path).ok()?).ok()
    }
}

/// Was the CLI started to print, or by a program? By its own word in the environment (`sdk-cli` for `-p`;
/// 2.1.145, 2.1.330).
pub(super) fn is_headless() -> bool {
    env("CLAUDE_CODE_ENTRYPOINT").is_some_and(|by| by.as_encoded_bytes().starts_with(b"sdk-"))
}

/// The CLI is the one of our ancestors that it names itself (`CLAUDE_PID`, 2.1.330), else the parent of the
/// one that leads our session: it runs its hooks in sessions of their own. The variable alone proves
/// nothing, for it may be that of a CLI further up.
fn find() -> Option<Process> {
    let named: Option<Pid> = env("CLAUDE_PID")
        .and_then(|pid| pid.to_str()?.parse().ok())
        .and_then(Pid::from_raw);
    let mut chain = vec![getpid()];
    chain.extend(getppid());
    if chain.len() == 2 && named == getppid() {
        return process(&chain, 1);
    }
    while chain.len() <= BETWEEN {
        let Some(parent) = chain.last().copied().and_then(parent_of) else {
            break;
        };
        chain.push(parent);
    }
    let by_name = chain.iter().position(|pid| Some(*pid) == named);
    let leader = session_of(None).ok()?;
    // An orphan's parent is no CLI. (Where the first process of a container is one, it may say so.)
    let by_session = || {
        let at = chain.iter().position(|pid| led_by(*pid) == leader)? + 1;
        chain
            .get(at)
            .is_some_and(|pid| !pid.is_init())
            .then_some(at)
    };
    // The nearest: a CLI further up may have named itself to all below it.
    process(&chain, by_name.into_iter().chain(by_session()).min()?)
}

fn process(chain: &[Pid], at: usize) -> Option<Process> {
    Some(Process {
        pid: *chain.get(at)?,
        child: *chain.get(at.checked_sub(1)?)?,
    })
}

/// The parent of a process.
fn parent_of(pid: Pid) -> Option<Pid> {
    if pid == getpid() {
        return getppid();
    }
    let number = pid.as_raw_nonzero();
    let parent: i32 = if cfg!(target_os = "linux") {
        // `pid (name) state ppid …`, and the name may hold anything.
        let stat = fs::read(format!("/proc/{number}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_whitespace().nth(1)?.parse().ok()?
    } else {
        let output = std::process::Command::new("ps")
            .args(["-o", "ppid=", "-p", &number.to_string()])
            .output()
            .ok()?;
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .ok()?
    };
    Pid::from_raw(parent)
}

fn stamp(meta: &Metadata) -> Stamp {
    (meta.len(), meta.modified().ok())
}
