//! The leader of the CLI's terminal session: a small process between us and the CLI.
//!
//! The CLI stops itself with `kill(0, SIGTSTP)` (2.1.145, 2.1.330). The kernel drops that signal in an
//! orphaned process group, one whose parents are all in other sessions, and a CLI right below us would be
//! in one: it would say that it is suspended, and hang. So it gets what a shell gives it: a parent in its
//! own session and a process group of its own. The monitor is that parent, and a mirror: it stops when the
//! CLI stops, continues it when it is continued, and ends as the CLI ends.
//!
//! It is a fork of ours that never becomes another program: a second start of this one would cost as much
//! as the first. So it must keep nothing of what it got from us: not the signal handlers, which write into our
//! pipe, and no descriptor, or the pty would never be at its end. Down a pipe it tells us one line: the CLI's
//! process number, or `!` and why there is none.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpid, ioctl_tiocsctty,
    kill_process, kill_process_group, setpgid, setrlimit, setsid, waitid,
};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use super::{guarded, signals};

/// The code of a failure of its own.
const FAILED: u8 = 125;

/// Forks the monitor, which starts `command` on this terminal: the monitor's process. It tells down `pipe`.
///
/// To be called while this process has one thread: the fork has no other, and what another one holds locked
/// stays locked in it.
pub(super) fn fork(command: Command, terminal: OwnedFd, pipe: OwnedFd) -> io::Result<Pid> {
    // SAFETY: there is no other thread, so the fork may go on as any program may. It ends in `run`, which
    // does not return: no destructor of ours runs twice.
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    let forked = unsafe { libc::fork() };
    match forked {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let code = guarded::catch(|| run(command, terminal, pipe)).unwrap_or(FAILED);
            leave(code)
        }
        pid => Pid::from_raw(pid).ok_or_else(|| io::Error::other("a fork without a number")),
    }
}

/// Ends at once: whatever waits to be written or undone at an end is our parent's.
fn leave(code: u8) -> ! {
    // SAFETY: it takes any number, and does not come back.
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    unsafe {
        libc::_exit(code.into())
    }
}

/// Waits for the monitor's line: the CLI's process, or why it could not be started.
pub(super) fn read_report(pipe: impl io::Read) -> io::Result<Pid> {
    let mut line = String::new();
    BufReader::new(pipe).read_line(&mut line)?;
    let line = line.trim_end();
    if let Some(reason) = line.strip_prefix('!') {
        return Err(io::Error::other(reason.to_owned()));
    }
    line.parse()
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other(format!("no word of the monitor but {line:?}")))
}

fn run(command: Command, terminal: OwnedFd, pipe: OwnedFd) -> u8 {
    signals::reset();
    // Where our parent is gone, nobody is told; the terminal's hangup ends both of us.
    let tell = |line: &str| drop(File::from(pipe).write_all(format!("{line}\n").as_bytes()));
    let taken = take_terminal(&terminal);
    // What is still owned must not be closed behind its owner's back.
    drop(terminal);
    match taken.and_then(|()| spawn(command)) {
        Ok(child) => {
            tell(&child.id().to_string());
            close_all_but_standard();
            mirror(Pid::from_child(&child))
        }
        Err(error) => {
            tell(&format!("!{error}"));
            FAILED
        }
    }
}

/// Begins a session with this terminal, and has it as stdin, stdout and stderr.
fn take_terminal(terminal: &OwnedFd) -> io::Result<()> {
    setsid()?;
    ioctl_tiocsctty(terminal)?;
    rustix::stdio::dup2_stdin(terminal)?;
    rustix::stdio::dup2_stdout(terminal)?;
    rustix::stdio::dup2_stderr(terminal)?;
    Ok(())
}

/// Closes what the monitor has no use for: all that we have open, and all that the CLI was to inherit.
fn close_all_but_standard() {
    let Ok(entries) = fs::read_dir("/dev/fd") else {
        return;
    };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // Collected: one of them is the listing's own, which is closed with it.
    let numbers: Vec<RawFd> = numbers.collect();
    for number in numbers
        .into_iter()
        .filter(|number| *number > libc::STDERR_FILENO)
    {
        // SAFETY: nothing in this process uses or drops a descriptor again but the three: `run` goes on to
        // `mirror`, and that ends in `leave`.
        #[expect(unsafe_code, reason = "their owners are never dropped")]
        unsafe {
            libc::close(number);
        }
    }
}

fn spawn(mut command: Command) -> io::Result<Child> {
    let take_foreground = || {
        setpgid(None, None)?;
        // A group in the background that takes the terminal is stopped by SIGTTOU, unless it ignores
        // that. The CLI is to start with what we started with.
        let before = set_sigttou(libc::SIG_IGN);
        let taken = tcsetpgrp(io::stdin(), getpid());
        set_sigttou(before);
        Ok(taken?)
    };
    // SAFETY: between fork and exec the closure makes system calls; it neither allocates nor takes a lock.
    #[expect(unsafe_code, reason = "there is no other way to act before exec")]
    let command = unsafe { command.pre_exec(take_foreground) };
    command.spawn()
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
        assert_eq!(error(b"!exec format error\n"), "exec format error");
        assert!(error(b"").contains("no word"));
        assert!(error(b"thread panicked\n").contains("thread panicked"));
    }
}
