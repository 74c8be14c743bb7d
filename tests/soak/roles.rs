//! The two parts that are processes of their own: the CLI, which writes what it is told and tells what it
//! reads, and the shell, whose job the wrapper is. What they do is decided in the soak's own process.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio, exit};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, getpid, kill_current_process_group,
    kill_process, kill_process_group, setrlimit, waitid,
};
use rustix::termios::{OptionalActions, tcgetattr, tcgetwinsize, tcsetattr, tcsetpgrp};

use crate::wire::{Frame, Peer, ask, tell};

/// Names the part that this program is to be.
pub(crate) const ROLE: &str = "SOAK_ROLE";
/// Names the wrapper's program.
pub(crate) const PROGRAM: &str = "SOAK_PROGRAM";
/// Names the socket.
pub(crate) const SOCKET: &str = "SOAK_SOCKET";

/// Is the part that the environment asks for, if any.
pub(crate) fn play() -> Option<ExitCode> {
    let role = std::env::var(ROLE).ok()?;
    let socket = std::env::var_os(SOCKET)?;
    let played = match role.as_str() {
        "cli" => cli(Path::new(&socket)),
        "shell" => shell(Path::new(&socket)),
        _ => return None,
    };
    // Whoever listens is gone: there is nobody to tell.
    Some(if played.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn hello(socket: &Path, who: u8) -> io::Result<Peer> {
    let mut peer = Peer::new(UnixStream::connect(socket)?)?;
    let mut body = vec![who];
    body.extend_from_slice(&std::process::id().to_le_bytes());
    peer.send(&Frame::new(tell::HELLO, body));
    Ok(peer)
}

/// A descriptor that gives SIGWINCH, SIGCONT and SIGCHLD, which are blocked.
fn signals() -> io::Result<File> {
    // SAFETY: a set of signals is plain numbers.
    #[expect(unsafe_code, reason = "there is no other way to have one")]
    let mut set = unsafe { std::mem::zeroed() };
    // SAFETY: it is ours.
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    unsafe {
        libc::sigemptyset(&raw mut set)
    };
    for signal in [libc::SIGWINCH, libc::SIGCONT, libc::SIGCHLD] {
        // SAFETY: it is ours, and empty or more.
        #[expect(unsafe_code, reason = "there is no safe call for it")]
        unsafe {
            libc::sigaddset(&raw mut set, signal)
        };
    }
    // SAFETY: the set is made, and nobody asks for the old one.
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    unsafe {
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut())
    };
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: the set is made.
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    let fd = unsafe { libc::signalfd(-1, &raw const set, flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is new and ours alone.
    #[expect(unsafe_code, reason = "it came as a number")]
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(File::from(fd))
}

fn size_of_terminal() -> Vec<u8> {
    let size = tcgetwinsize(io::stdin()).expect("a terminal");
    [size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel]
        .into_iter()
        .flat_map(u16::to_le_bytes)
        .collect()
}

/// Reads what there is, and tells it.
fn read_all(peer: &mut Peer) -> io::Result<()> {
    let mut buffer = vec![0; 65536];
    loop {
        match rustix::io::read(io::stdin(), &mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => peer.send(&Frame::new(tell::INPUT, &buffer[..n])),
            Err(rustix::io::Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn cli(socket: &Path) -> io::Result<()> {
    let mut signals = signals()?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    let mut raw = tcgetattr(io::stdin())?;
    raw.make_raw();
    tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
    fcntl_setfl(io::stdin(), fcntl_getfl(io::stdin())? | OFlags::NONBLOCK)?;
    let mut peer = hello(socket, b'c')?;
    let mut to_do: std::collections::VecDeque<Frame> = std::collections::VecDeque::new();
    let mut written = 0;
    let mut hooks: Vec<(u32, Child)> = Vec::new();
    loop {
        // What is to be done, in order, as far as the terminal takes it.
        while let Some(frame) = to_do.front() {
            match frame.kind {
                ask::WRITE => {
                    match rustix::io::write(io::stdout(), &frame.body[written..]) {
                        Ok(n) => written += n,
                        Err(rustix::io::Errno::AGAIN) => break,
                        Err(error) => return Err(error.into()),
                    }
                    if written < frame.body.len() {
                        continue;
                    }
                    written = 0;
                }
                ask::SYNC => {
                    read_all(&mut peer)?;
                    let body = [&frame.body[..], &size_of_terminal()].concat();
                    peer.send(&Frame::new(tell::SYNCED, body));
                }
                ask::STOP if frame.body == [1] => kill_current_process_group(Signal::TSTP)?,
                ask::STOP => kill_process(getpid(), Signal::STOP)?,
                ask::HOOK => hooks.push((frame.number(0), run_hook(&frame.body[4..])?)),
                ask::EXIT => leave(i32::from(frame.body[0])),
                ask::DIE => {
                    let number = i32::from(frame.body[0]);
                    // Rust's own handler of SIGSEGV survives the first one that is no fault.
                    if number != libc::SIGKILL {
                        set_signal(number, libc::SIG_DFL);
                    }
                    let signal = Signal::from_named_raw(number);
                    kill_process(getpid(), signal.expect("a signal"))?;
                }
                other => panic!("no such thing to do: {other}"),
            }
            to_do.pop_front();
        }
        let wants_to_write = !to_do.is_empty();
        let wants_to_send = peer.has_more_to_send();
        let when = |flags, also: bool| {
            flags
                | if also {
                    PollFlags::OUT
                } else {
                    PollFlags::empty()
                }
        };
        let (stdin, stdout) = (io::stdin(), io::stdout());
        let mut fds = [
            PollFd::new(&stdin, PollFlags::IN),
            PollFd::new(peer.socket(), when(PollFlags::IN, wants_to_send)),
            PollFd::new(&signals, PollFlags::IN),
            PollFd::new(&stdout, when(PollFlags::empty(), wants_to_write)),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = fds.map(|fd| !fd.revents().is_empty());
        if ready[0] {
            read_all(&mut peer)?;
        }
        peer.flush();
        to_do.extend(peer.receive());
        if peer.is_closed() {
            return Ok(());
        }
        let mut info = [0; size_of::<libc::signalfd_siginfo>()];
        while signals.read(&mut info).is_ok_and(|n| n == info.len()) {
            let number = u32::from_ne_bytes(info[..4].try_into().expect("four bytes"));
            match i32::try_from(number) {
                Ok(libc::SIGWINCH) => peer.send(&Frame::new(tell::WINCH, size_of_terminal())),
                Ok(libc::SIGCONT) => peer.send(&Frame::new(tell::CONTINUED, [])),
                _ => hooks.retain_mut(|(id, hook)| match hook.try_wait() {
                    Ok(Some(status)) => {
                        let code = status.code().unwrap_or(-1);
                        let body = [id.to_le_bytes(), code.to_le_bytes()].concat();
                        peer.send(&Frame::new(tell::HOOK, body));
                        false
                    }
                    _ => true,
                }),
            }
        }
    }
}

/// Our hook, as the CLI runs it.
fn run_hook(event: &[u8]) -> io::Result<Child> {
    let program = std::env::var_os(PROGRAM).unwrap_or_default();
    let mut hook = Command::new(program)
        .args(["ctl", "hook", "run", "--wrapped"])
        .env("CLAUDE_PID", std::process::id().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    if let Some(mut stdin) = hook.stdin.take() {
        stdin.write_all(event)?;
    }
    Ok(hook)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a child that exits has nothing to restore"
)]
fn leave(code: i32) -> ! {
    exit(code)
}

/// The terminal's attributes, to be compared.
fn attributes() -> String {
    match tcgetattr(io::stdin()) {
        Ok(now) => format!(
            "{:?} {:?} {:?} {:?} {:?}",
            now.input_modes,
            now.output_modes,
            now.control_modes,
            now.local_modes,
            now.special_codes
        ),
        Err(error) => error.to_string(),
    }
}

/// Sets what SIGTTOU does.
fn set_signal(signal: i32, action: libc::sighandler_t) {
    // SAFETY: `signal` is async-signal-safe, and the actions are valid.
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    unsafe {
        libc::signal(signal, action);
    }
}

/// Blocks until the next frame.
fn next(peer: &mut Peer, waiting: &mut Vec<Frame>) -> io::Result<Frame> {
    loop {
        if !waiting.is_empty() {
            return Ok(waiting.remove(0));
        }
        if peer.is_closed() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        poll(&mut [PollFd::new(peer.socket(), PollFlags::IN)], None)?;
        waiting.extend(peer.receive());
    }
}

/// A shell with one job at a time: the program and the arguments behind it in our own arguments.
fn shell(socket: &Path) -> io::Result<()> {
    for signal in [
        libc::SIGTTOU,
        libc::SIGHUP,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGTSTP,
    ] {
        set_signal(signal, libc::SIG_IGN);
    }
    let mut peer = hello(socket, b's')?;
    let (mut waiting, mut job): (Vec<Frame>, Option<Pid>) = (Vec::new(), None);
    loop {
        let frame = next(&mut peer, &mut waiting)?;
        match frame.kind {
            ask::WRITE => {
                rustix::io::write(io::stdout(), &frame.body)?;
                continue;
            }
            ask::RUN => {
                let before = attributes();
                let started = start()?;
                let pid = started.as_raw_nonzero().get().to_le_bytes();
                let body = [&pid[..], before.as_bytes()].concat();
                peer.send(&Frame::new(tell::STARTED, body));
                job = Some(started);
            }
            ask::FOREGROUND => {
                let job = job.expect("a job");
                tcsetpgrp(io::stdin(), job)?;
                kill_process_group(job, Signal::CONT)?;
            }
            ask::BACKGROUND => kill_process_group(job.expect("a job"), Signal::CONT)?,
            other => panic!("no such thing to do: {other}"),
        }
        let options = WaitIdOptions::EXITED | WaitIdOptions::STOPPED;
        let status = loop {
            match waitid(WaitId::Pid(job.expect("a job")), options) {
                Ok(Some(status)) => break status,
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        };
        // As a shell: the terminal is its own again.
        let _ = tcsetpgrp(io::stdin(), getpid());
        if status.stopped() {
            peer.send(&Frame::new(tell::STOPPED, attributes()));
        } else {
            let code = status
                .exit_status()
                .unwrap_or_else(|| 1000 + status.terminating_signal().unwrap_or_default());
            let body = [&code.to_le_bytes()[..], attributes().as_bytes()].concat();
            peer.send(&Frame::new(tell::ENDED, body));
            job = None;
        }
    }
}

/// Starts the job: a process group of its own, in the foreground.
fn start() -> io::Result<Pid> {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env(ROLE, "cli");
    let take_foreground = || {
        rustix::process::setpgid(None, None)?;
        tcsetpgrp(io::stdin().as_fd(), getpid())?;
        for signal in [
            libc::SIGTTOU,
            libc::SIGHUP,
            libc::SIGINT,
            libc::SIGQUIT,
            libc::SIGTSTP,
        ] {
            set_signal(signal, libc::SIG_DFL);
        }
        Ok(())
    };
    // SAFETY: system calls between fork and exec, no allocation and no lock.
    #[expect(unsafe_code, reason = "there is no other way to act before exec")]
    let child = unsafe { command.pre_exec(take_foreground) }.spawn()?;
    Ok(Pid::from_child(&child))
}
