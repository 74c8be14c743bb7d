//! Which pane has a CLI in it: by the processes below it, not by what it looks like. Linux's `/proc`.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor};
use rustix::process::Pid;

use super::super::{clock, ids, sessions};

/// The kernel's ticks a second in `/proc`: the same on every Linux that this is built for.
const TICKS: u64 = 100;

/// One line of `/proc/<pid>/stat`, as much of it as is of use.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    name: String,
    parent: i32,
    group: i32,
    session: i32,
    /// The controlling terminal's device, in the kernel's own packing.
    terminal: i64,
    /// The foreground group of that terminal.
    foreground: i32,
    /// Since boot, in [`TICKS`].
    started: u64,
}

impl Process {
    /// Reads `pid (name) state ppid pgrp session tty_nr tpgid …`; the name may hold anything.
    fn read(stat: &[u8]) -> Option<Self> {
        let stat = String::from_utf8_lossy(stat);
        let (head, rest) = stat.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |at: usize| fields.get(at).copied();
        Some(Self {
            name: name.to_owned(),
            parent: field(1)?.parse().ok()?,
            group: field(2)?.parse().ok()?,
            session: field(3)?.parse().ok()?,
            terminal: field(4)?.parse().ok()?,
            foreground: field(5)?.parse().ok()?,
            started: field(19)?.parse().ok()?,
        })
    }

    fn of(pid: i32) -> Option<Self> {
        Self::read(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }
}

/// All processes, at one time: looked at for many panes at once.
#[derive(Debug)]
pub(super) struct Processes(HashMap<i32, Process>);

/// A process for good: its number and when it was started, for numbers are used again.
pub(super) type ProcessKey = (Pid, u64);

/// A CLI that runs in a pane.
#[derive(Clone, Debug)]
pub(super) struct Claude {
    pub(super) pid: Pid,
    /// Its terminal session.
    pub(super) session: ids::Id,
    /// Where it keeps its files.
    pub(super) config_dir: PathBuf,
    pub(super) folder: PathBuf,
    /// When the kernel started it, in milliseconds since the Unix epoch; a little before that.
    pub(super) started_ms: u64,
    started: u64,
    environment: HashMap<OsString, OsString>,
}

impl Processes {
    /// As they are now.
    pub(super) fn look() -> Self {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        Self(
            pids.filter_map(|pid| Some((pid, Process::of(pid)?)))
                .collect(),
        )
    }

    /// The CLI at or below `root` whose controlling terminal is this one: the one in its foreground, before one that was
    /// stopped with Ctrl+Z; of those the uppermost. One that runs under a wrapper, `script` or `ssh` has another terminal.
    pub(super) fn claude_below(&self, root: i32, terminal: &Path) -> Option<Claude> {
        let device = device_of(terminal)?;
        let depth = |pid: i32| {
            let mut at = pid;
            (0..64).find(|_| {
                let found = at == root;
                at = self.0.get(&at).map_or(0, |process| process.parent);
                found
            })
        };
        let mut found: Vec<(bool, i32, i32)> = self
            .0
            .iter()
            .filter(|(_, process)| process.terminal == device)
            .filter_map(|(&pid, process)| {
                let depth = depth(pid)?;
                let behind = process.group != process.foreground;
                is_claude(pid, &process.name).then_some((behind, depth, pid))
            })
            .collect();
        found.sort_unstable();
        found.into_iter().find_map(|(.., pid)| Claude::of(pid))
    }
}

impl Claude {
    fn of(pid: i32) -> Option<Self> {
        let process = Process::of(pid)?;
        let number = Pid::from_raw(pid)?;
        if sessions::wrapped(number) {
            return None;
        }
        let environment = environment_of(pid);
        let text = |name: &str| {
            environment
                .get(OsStr::new(name))
                .filter(|value| !value.is_empty())
        };
        let config_dir = match text("CLAUDE_CONFIG_DIR") {
            Some(dir) => PathBuf::from(dir),
            None => Path::new(text("HOME")?).join(".claude"),
        };
        Some(Self {
            pid: number,
            session: process.session,
            config_dir,
            folder: fs::read_link(format!("/proc/{pid}/cwd")).ok()?,
            started_ms: started_ms(process.started)?,
            started: process.started,
            environment,
        })
    }

    /// A variable of the environment that it was started with.
    pub(super) fn variable(&self, name: &str) -> Option<OsString> {
        self.environment
            .get(OsStr::new(name))
            .filter(|value| !value.is_empty())
            .cloned()
    }

    pub(super) const fn key(&self) -> ProcessKey {
        (self.pid, self.started)
    }

    /// Is it there still? Numbers are used again.
    pub(super) fn lives(&self) -> bool {
        Process::of(self.pid.as_raw_nonzero().get())
            .is_some_and(|process| process.started == self.started)
    }

    /// Is it in the foreground of its terminal?
    pub(super) fn is_foreground(&self) -> bool {
        Process::of(self.pid.as_raw_nonzero().get()).is_some_and(|process| {
            process.started == self.started && process.foreground == process.group
        })
    }
}

/// By its name, or node with the CLI's program. What is called so and is this program, by an alias link, is a wrapper.
fn is_claude(pid: i32, name: &str) -> bool {
    let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let exe = exe.file_name().unwrap_or_default().as_bytes();
    if exe.starts_with(b"claude-retry") {
        return false;
    }
    if name == "claude" {
        return true;
    }
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split(|&byte| byte == 0);
    let base = |word: &[u8]| word.rsplit(|&byte| byte == b'/').next() == Some(b"claude");
    let first = words.next().unwrap_or_default();
    // Options of node's may stand before its program.
    base(first)
        || first.ends_with(b"node")
            && words.take(8).any(|word| {
                word.ends_with(b"/cli.js") && contains(word, b"claude-code") || base(word)
            })
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn environment_of(pid: i32) -> HashMap<OsString, OsString> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let entries = bytes.split(|&byte| byte == 0);
    entries
        .filter_map(|entry| {
            let at = entry.iter().position(|&byte| byte == b'=')?;
            let own = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
            Some((own(&entry[..at]), own(&entry[at + 1..])))
        })
        .collect()
}

/// A terminal's device as `tty_nr` has it: the minor's low byte, the major, the minor's rest.
fn device_of(terminal: &Path) -> Option<i64> {
    let device = rustix::fs::stat(terminal).ok()?.st_rdev;
    let (major, minor) = (i64::from(major(device)), i64::from(minor(device)));
    Some((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12))
}

/// A time in ticks since boot by the wall clock. Two seconds are taken off for the roundings on the way.
fn started_ms(ticks: u64) -> Option<u64> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let uptime = std::time::Duration::try_from_secs_f64(uptime).ok()?;
    let up_ms = u64::try_from(uptime.as_millis()).ok()?;
    let age_ms = up_ms.saturating_sub(ticks * 1000 / TICKS);
    Some(clock::unix_ms().saturating_sub(age_ms + 2000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let stat = b"7 (a) b (c) S 5 6 6 34816 8 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9\n";
        let process = Process::read(stat).expect("a process");
        assert_eq!(
            process,
            Process {
                name: "a) b (c".into(),
                parent: 5,
                group: 6,
                session: 6,
                terminal: 34816,
                foreground: 8,
                started: 4711,
            }
        );
        assert_eq!(Process::read(b"7 (a) S 5"), None);
        assert_eq!(Process::read(b""), None);
    }

    #[test]
    fn we_are_among_them_and_no_claude() {
        let own = std::process::id().cast_signed();
        let all = Processes::look();
        assert!(all.0.contains_key(&own));
        assert!(!is_claude(own, &all.0[&own].name));
        assert!(all.claude_below(own, Path::new("/dev/null")).is_none());
    }
}
