//! The leader of the CLI's terminal session: a small process between us and the CLI.
//!
//! The CLI stops itself with `kill(0, SIGTSTP)` (2.1.145, 2.1.330). The kernel drops that signal in an
//! orphaned process group, one whose parents are all in other sessions, and a CLI right below us would be
//! in one: it would say that it is suspended, and hang. So it gets what a shell gives it: a parent in its
//! own session and a process group of its own. The monitor is that parent, and a mirror: it stops when the
//! CLI stops, continues it when it is continued, and ends as the CLI ends.
//!
//! It is a fork of ours that never becomes another program: a second start of this one would cost as much
//! as the first. It is made first of all, before there is a signal handler or a descriptor of ours that it would
//! have to give back, and it forks what becomes the CLI, which waits for our word: both go on while we
//! prepare the rest. Down a pipe it tells us the CLI's process number; that pipe is at its end when the CLI runs,
//! or has `!` and why it could not.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpid, ioctl_tiocsctty,
    kill_process, kill_process_group, setpgid, setrlimit, setsid, waitid,
};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use super::{guarded, standard, tty};

/// The code of a failure of its own.
const FAILED: u8 = 125;
/// The code of who could not become the CLI.
const NO_CLI: u8 = 126;

/// A change of the environment: a variable and its value, or that it goes.
pub(super) type Change<N = &'static str> = (N, Option<OsString>);

/// A monitor whose CLI waits for the word to start.
#[derive(Debug)]
pub(super) struct Monitor {
    process: Pid,
    report: PipeReader,
    word: PipeWriter,
}

impl Monitor {
    /// Forks the monitor, which is to start `command` on this terminal.
    ///
    /// To be called while this process has one thread: the fork has no other, and what another one holds
    /// locked stays locked in it.
    pub(super) fn fork(command: Command, terminal: OwnedFd) -> io::Result<Self> {
        let (report, reporter) = io::pipe()?;
        let (order, word) = io::pipe()?;
        let Some(process) = fork()? else {
            // Else the order would never be at its end.
            drop(word);
            leave(|| run(command, terminal, order, reporter))
        };
        Ok(Self {
            process,
            report,
            word,
        })
    }

    /// Has it start the CLI, with these changes to our environment: the monitor's process and the CLI's.
    ///
    /// # Errors
    ///
    /// Why the CLI could not be started; the monitor is gone then.
    pub(super) fn start(mut self, environment: &[Change]) -> io::Result<(Pid, Pid)> {
        let told = self.word.write_all(&order(environment));
        drop(self.word);
        let child = told.and_then(|()| read_report(self.report));
        if child.is_err() {
            let _ = waitid(WaitId::Pid(self.process), WaitIdOptions::EXITED);
        }
        Ok((self.process, child?))
    }
}

/// The child's process; `None` in the child.
fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: there is one thread, so the child may go on as any program may. It ends in `leave`, or becomes
    // another program: no destructor of its parent's runs twice.
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    let forked = unsafe { libc::fork() };
    match forked {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// Runs `f` and ends with its code, at once: whatever waits to be written or undone at an end is our parent's.
fn leave(f: impl FnOnce() -> u8) -> ! {
    let code = guarded::catch(f).unwrap_or(FAILED);
    // SAFETY: it takes any number, and does not come back.
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    unsafe {
        libc::_exit(code.into())
    }
}

/// The changes as they go down the pipe: `name=value` or `name`, each with a NUL behind it, and one more.
fn order(environment: &[Change]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in environment {
        bytes.extend_from_slice(name.as_bytes());
        if let Some(value) = value {
            bytes.push(b'=');
            bytes.extend_from_slice(value.as_bytes());
        }
        bytes.push(0);
    }
    bytes.push(0);
    bytes
}

/// The same read back; `None` where whoever was to give the order is gone.
fn changes(order: &[u8]) -> Option<Vec<Change<OsString>>> {
    let entries = order.strip_suffix(&[0])?;
    let entries = entries
        .split(|byte| *byte == 0)
        .filter(|entry| !entry.is_empty());
    let text = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    let change = |entry: &[u8]| match entry.iter().position(|byte| *byte == b'=') {
        Some(at) => (text(&entry[..at]), Some(text(&entry[at + 1..]))),
        None => (text(entry), None),
    };
    Some(entries.map(change).collect())
}

/// Waits until the CLI runs: its process, or why it does not.
fn read_report(mut pipe: impl Read) -> io::Result<Pid> {
    let mut report = Vec::new();
    pipe.read_to_end(&mut report)?;
    let report = String::from_utf8_lossy(&report);
    let mut child = None;
    for line in report.lines() {
        if let Some(reason) = line.strip_prefix('!') {
            return Err(io::Error::other(reason.to_owned()));
        }
        child = line.parse().ok().and_then(Pid::from_raw);
    }
    child.ok_or_else(|| io::Error::other(format!("no word of the monitor but {report:?}")))
}

fn tell(pipe: PipeWriter, line: &str) {
    // Where our parent is gone, nobody is told; the terminal's hangup ends us.
    let _ = File::from(OwnedFd::from(pipe)).write_all(format!("{line}\n").as_bytes());
}

/// The monitor.
fn run(command: Command, terminal: OwnedFd, order: PipeReader, reporter: PipeWriter) -> u8 {
    let taken = take_terminal(&terminal);
    // What is still owned must not be closed behind its owner's back.
    drop(terminal);
    match taken.and_then(|()| fork()) {
        Ok(None) => leave(|| become_cli(command, order, reporter)),
        Ok(Some(child)) => {
            drop(order);
            tell(reporter, &child.to_string());
            close_all_but_standard();
            mirror(child)
        }
        Err(error) => {
            tell(reporter, &format!("!{error}"));
            FAILED
        }
    }
}

/// Begins a session with this terminal, and has it as stdin and stdout. What is redirected stays so: `2>file`
/// has nothing to do with the terminal.
fn take_terminal(terminal: &OwnedFd) -> io::Result<()> {
    let errors_to_terminal = tty::is_the_same_or_controlling(io::stderr(), io::stdin());
    setsid()?;
    ioctl_tiocsctty(terminal)?;
    rustix::stdio::dup2_stdin(terminal)?;
    rustix::stdio::dup2_stdout(terminal)?;
    if errors_to_terminal {
        rustix::stdio::dup2_stderr(terminal)?;
    }
    Ok(())
}

/// Takes the foreground, waits for the word, and becomes the CLI. Comes back only where that failed.
fn become_cli(mut command: Command, mut order: PipeReader, reporter: PipeWriter) -> u8 {
    let mut become_it = || {
        setpgid(None, None)?;
        // A group in the background that takes the terminal is stopped by SIGTTOU, unless it ignores
        // that. The CLI is to start with what we started with.
        let before = set_sigttou(libc::SIG_IGN);
        let taken = tcsetpgrp(io::stdin(), getpid());
        set_sigttou(before);
        taken?;
        let mut bytes = Vec::new();
        order.read_to_end(&mut bytes)?;
        let changes = changes(&bytes).ok_or(io::ErrorKind::UnexpectedEof)?;
        for (name, value) in changes {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        standard::close_again();
        Err(command.exec())
    };
    let failed: io::Result<()> = become_it();
    if let Err(error) = failed {
        tell(reporter, &format!("!{error}"));
    }
    NO_CLI
}

/// Closes what the monitor has no use for: all that we have open, and all that the CLI is to inherit.
fn close_all_but_standard() {
    let Ok(entries) = fs::read_dir("/dev/fd") else {
        return;
    };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // Collected: one of them is the listing's own, which is closed with it.
    let numbers: Vec<RawFd> = numbers.collect();
    let others = |number: &RawFd| *number > libc::STDERR_FILENO;
    for number in numbers.into_iter().filter(others) {
        // SAFETY: nothing in this process uses or drops a descriptor again but the three: `run` goes on to
        // `mirror`, and that ends in `leave`.
        #[expect(unsafe_code, reason = "their owners are never dropped")]
        unsafe {
            libc::close(number);
        }
    }
}

/// Sets what SIGTTOU does, `SIG_IGN` or what this gave before; gives what it did.
fn set_sigttou(action: libc::sighandler_t) -> libc::sighandler_t {
    // SAFETY: `signal` is async-signal-safe, and both actions are valid for it.
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    unsafe {
        libc::signal(libc::SIGTTOU, action)
    }
}

/// Does as the CLI does until it has ended.
fn mirror(child: Pid) -> u8 {
    loop {
        match waitid(
            WaitId::Pid(child),
            WaitIdOptions::EXITED | WaitIdOptions::STOPPED,
        ) {
            Ok(Some(status)) if status.stopped() => {
                let _ = kill_process(getpid(), Signal::STOP);
                // Continued again.
                let _ = kill_process_group(child, Signal::CONT);
                if let Ok(group) = tcgetpgrp(io::stdin())
                    && group != child
                {
                    let _ = kill_process_group(group, Signal::CONT);
                }
            }
            Ok(Some(status)) => {
                leave_foreground();
                return end_like(&status);
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return FAILED,
        }
    }
}

/// Takes the terminal back before the end: when the leader of a session ends, the kernel hangs up the
/// foreground group, and what the CLI has left running there would have lived on under a shell.
fn leave_foreground() {
    set_sigttou(libc::SIG_IGN);
    let _ = tcsetpgrp(io::stdin(), getpid());
}

/// Ends by the same signal, without a core file of ours, or with the same code.
fn end_like(status: &WaitIdStatus) -> u8 {
    let byte = |n: i32| u8::try_from(n & 0xff).unwrap_or(u8::MAX);
    if let Some(code) = status.exit_status() {
        return byte(code);
    }
    let number = status.terminating_signal().unwrap_or_default();
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    );
    if let Some(signal) = Signal::from_named_raw(number) {
        let _ = kill_process(getpid(), signal);
    }
    byte(128 + number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_a_process_or_a_reason() {
        assert_eq!(
            read_report(&b"123\n"[..]).expect("a process"),
            Pid::from_raw(123).expect("a number")
        );
        let error = |report: &[u8]| read_report(report).expect_err("none").to_string();
        assert_eq!(error(b"123\n!exec format error\n"), "exec format error");
        assert_eq!(error(b"!no terminal\n"), "no terminal");
        assert!(error(b"").contains("no word"));
        assert!(error(b"thread panicked\n").contains("thread panicked"));
    }

    #[test]
    fn the_environment_is_changed_as_it_was_ordered_and_never_by_half_an_order() {
        let change = |name: &'static str, value: Option<&[u8]>| -> Change {
            (name, value.map(|value| OsStr::from_bytes(value).to_owned()))
        };
        for environment in [
            vec![],
            vec![change("A", Some(b"a=b \xff")), change("GONE", None)],
            vec![change("EMPTY", Some(b""))],
        ] {
            let read = changes(&order(&environment)).expect("a whole order");
            let owned = |(name, value): Change| (OsString::from(name), value);
            assert_eq!(read, environment.into_iter().map(owned).collect::<Vec<_>>());
        }
        assert_eq!(changes(b""), None, "nobody gave it");
        assert_eq!(changes(b"A=1"), None);
    }
}
