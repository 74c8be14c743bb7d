//! The leader of the CLI's terminal session: a small process between us and the CLI.
//!
//! The CLI stops itself with `kill(0, SIGTSTP)` (2.1.145, 2.1.330). The kernel drops that signal in an
//! orphaned process group, one whose parents are all in other sessions, and a CLI right below us would be
//! in one: it would say that it is suspended, and hang. So it gets what a shell gives it: a parent in its
//! own session and a process group of its own. The monitor is that parent, and a mirror: it stops when the
//! CLI stops, continues it when it is continued, and ends as the CLI ends.
//!
//! It is this program again, as `ctl monitor PATH NAME [ARGUMENT…]`, with the pty on stdin, a pipe to us on
//! stdout, and the CLI's stderr. On the pipe it tells one line: the CLI's process number, or `!` and why there is
//! none.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode};

use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpid, kill_process,
    kill_process_group, setpgid, setrlimit, waitid,
};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use super::program::Found;
use super::standard;

/// The arguments that ask for it.
const VERB: [&str; 2] = ["ctl", "monitor"];

/// The command that becomes the monitor and starts `program`.
pub(super) fn command(program: &Found, args: &[OsString]) -> io::Result<Command> {
    // The link works even where the file has been replaced by an update.
    let ourselves = if cfg!(target_os = "linux") {
        "/proc/self/exe".into()
    } else {
        std::env::current_exe()?
    };
    let mut command = Command::new(ourselves);
    command
        .arg0("claude-retry")
        .args(VERB)
        .arg(&program.path)
        .arg(&program.arg0)
        .args(args);
    Ok(command)
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

/// Is the monitor if the arguments ask for it; `None` if they do not. To be called before the
/// arguments mean anything else.
pub fn monitor(args: &[OsString]) -> Option<ExitCode> {
    match args {
        [ctl, verb, path, name, args @ ..] if [ctl, verb] == VERB.map(OsStr::new) => {
            Some(run(path, name, args))
        }
        _ => None,
    }
}

fn run(path: &OsStr, name: &OsStr, args: &[OsString]) -> ExitCode {
    match spawn(path, name, args) {
        Ok(child) => {
            tell(&child.id().to_string());
            // Nobody reads the pipe any more.
            let _ = rustix::stdio::dup2_stdout(io::stdin());
            mirror(Pid::from_child(&child))
        }
        Err(error) => {
            tell(&format!("!{error}"));
            ExitCode::from(126)
        }
    }
}

fn tell(line: &str) {
    let _ = io::stdout().write_all(format!("{line}\n").as_bytes());
}

fn spawn(path: &OsStr, name: &OsStr, args: &[OsString]) -> io::Result<Child> {
    let terminal = io::stdin().as_fd().try_clone_to_owned()?;
    let mut command = Command::new(path);
    command.arg0(name).args(args).stdout(terminal);
    let take_foreground = || {
        setpgid(None, None)?;
        // A group in the background that takes the terminal is stopped by SIGTTOU, unless it ignores
        // that. The CLI is to start with what we started with.
        let before = set_sigttou(libc::SIG_IGN);
        let taken = tcsetpgrp(io::stdin(), getpid());
        set_sigttou(before);
        standard::close_again();
        Ok(taken?)
    };
    // SAFETY: between fork and exec the closure makes system calls; it neither allocates nor takes a lock.
    #[expect(
        unsafe_code,
        reason = "there is no other way to act between fork and exec"
    )]
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
fn mirror(child: Pid) -> ExitCode {
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
            Err(_) => return ExitCode::from(125),
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
fn end_like(status: &WaitIdStatus) -> ExitCode {
    let byte = |n: i32| u8::try_from(n & 0xff).unwrap_or(u8::MAX);
    if let Some(code) = status.exit_status() {
        return ExitCode::from(byte(code));
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
    ExitCode::from(byte(128 + number))
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

    #[test]
    fn only_its_own_words_start_it() {
        for args in [
            &[][..],
            &["ctl"],
            &["ctl", "config"],
            &["monitor", "a", "b"],
            &["ctl", "monitor"],
        ] {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            assert!(monitor(&args).is_none(), "{args:?}");
        }
    }
}
