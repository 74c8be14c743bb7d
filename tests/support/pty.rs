//! A terminal for programs under test: a pty whose other side is the test.
//!
//! Nothing here waits for a fixed time; [`PATIENCE`] only bounds a test that would hang.

#![allow(dead_code, reason = "each test file uses its part")]

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, ioctl_tiocsctty, kill_process, setsid, test_kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How often a process is looked at: its end and its state have no event that the test can wait for. Short, and
/// no busy loop, which would take a core from those that it waits for.
pub(crate) const LOOK: Duration = Duration::from_millis(5);

/// The program under test.
pub(crate) const CLAUDE_RETRY: &str = env!("CARGO_BIN_EXE_claude-retry");

/// 24 by 80, pixels too.
pub(crate) const SIZE: Winsize = Winsize {
    ws_row: 24,
    ws_col: 80,
    ws_xpixel: 800,
    ws_ypixel: 480,
};

/// `program` on its own.
pub(crate) fn bare(program: impl AsRef<OsStr>) -> Command {
    settled(Command::new(program.as_ref()), program.as_ref())
}

/// `program` under the wrapper.
pub(crate) fn wrapped(program: impl AsRef<OsStr>) -> Command {
    settled(Command::new(CLAUDE_RETRY), program.as_ref())
}

/// A shell script as the CLI; `$0` is `sh`, then the arguments.
pub(crate) fn script(mut command: Command, script: &str, args: &[&str]) -> Command {
    command.args(["-c", script, "sh"]).args(args);
    command
}

/// Has the command run one function of this very test program, one that returns at once where `variable`
/// is not set: a child in Rust. Its words stand between those of the test runner.
pub(crate) fn ourselves(
    command: impl FnOnce(PathBuf) -> Command,
    function: &str,
    (variable, value): (&str, &str),
) -> Command {
    let program = std::env::current_exe().expect("this program");
    let mut command = command(program);
    command
        .args([function, "--exact", "--nocapture", "--quiet"])
        .env(variable, value);
    command
}

/// Ends a child in Rust before the test runner says how long it took.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no terminal to put right"
)]
pub(crate) fn end(code: i32) -> ! {
    std::process::exit(code)
}

/// The same environment for both: no settings but these.
pub(crate) fn settled(mut command: Command, program: &OsStr) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"CLAUDE_") {
            command.env_remove(name);
        }
    }
    command
        .env("CLAUDE_RETRY_PROGRAM", program)
        .env("CLAUDE_RETRY_LOG", "off")
        .env("CLAUDE_RETRY_BAR", "off")
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env("XDG_RUNTIME_DIR", std::env::temp_dir())
        .env("TERM", "xterm-256color");
    command
}

/// A terminal that nothing runs in yet.
pub(crate) struct Idle {
    master: File,
    slave: OwnedFd,
}

impl Idle {
    /// A terminal of [`SIZE`].
    pub(crate) fn open() -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pty");
        grantpt(&master).expect("its other side");
        unlockpt(&master).expect("its other side");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave: OwnedFd = open(name.as_c_str(), flags, Mode::empty()).expect("its other side");
        tcsetwinsize(&slave, SIZE).expect("its size");
        Self {
            master: File::from(master),
            slave,
        }
    }

    /// The description that the command will have as stdin, stdout and stderr, as a shell has it too.
    /// While it is open there is no end of output.
    pub(crate) fn shared(&self) -> OwnedFd {
        self.slave.try_clone().expect("a copy")
    }

    /// Typed before anything runs.
    pub(crate) fn type_ahead(&mut self, bytes: &[u8]) {
        self.master
            .write_all(bytes)
            .expect("the terminal takes input");
    }

    /// Starts the command as the leader of a session on it.
    pub(crate) fn start(self, command: Command) -> Terminal {
        let mut terminal = self.start_stalled(command);
        terminal.flow();
        terminal
    }

    /// The same on a terminal that takes no output until [`Terminal::flow`].
    pub(crate) fn start_stalled(self, mut command: Command) -> Terminal {
        let Self { master, slave } = self;
        command
            .stdin(slave.try_clone().expect("a copy"))
            .stdout(slave.try_clone().expect("a copy"))
            .stderr(slave);
        let take_terminal = || {
            setsid()?;
            ioctl_tiocsctty(std::io::stdin())?;
            // As after a login: a script has them ignored in what it starts in its background.
            for signal in [libc::SIGINT, libc::SIGQUIT] {
                // SAFETY: no handler is set.
                #[expect(unsafe_code, reason = "there is no safe call for it")]
                unsafe {
                    libc::signal(signal, libc::SIG_DFL);
                }
            }
            Ok(())
        };
        // SAFETY: system calls between fork and exec, no allocation and no lock.
        #[expect(unsafe_code, reason = "a child gets its terminal no other way")]
        let child = unsafe { command.pre_exec(take_terminal) }
            .spawn()
            .expect("the command");
        drop(command);

        let (sender, chunks) = channel();
        Terminal {
            child,
            master,
            chunks,
            sender: Some(sender),
            seen: Vec::new(),
            mark: 0,
            deadline: Instant::now() + PATIENCE,
        }
    }
}

/// A process in a terminal.
pub(crate) struct Terminal {
    child: Child,
    master: File,
    chunks: Receiver<Vec<u8>>,
    /// Until the reader has it.
    sender: Option<Sender<Vec<u8>>>,
    seen: Vec<u8>,
    /// What [`Terminal::expect`] has found so far ends here.
    mark: usize,
    deadline: Instant,
}

impl Terminal {
    /// Starts the command as the leader of a session on a terminal of [`SIZE`].
    pub(crate) fn start(command: Command) -> Self {
        Idle::open().start(command)
    }

    /// Takes output from now on.
    pub(crate) fn flow(&mut self) {
        let Some(sender) = self.sender.take() else {
            return;
        };
        let mut reader = self.master.try_clone().expect("a copy");
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            // The end of it is an error on Linux.
            // Linux may tell the end before the last bytes.
            while let Ok(n @ 1..) = reader
                .read(&mut buffer)
                .or_else(|_| reader.read(&mut buffer))
            {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
    }

    /// The terminal's attributes, as they are now.
    pub(crate) fn attributes(&self) -> Termios {
        tcgetattr(&self.master).expect("its attributes")
    }

    /// The process that was started.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The keyboard.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.master
            .write_all(bytes)
            .expect("the terminal takes input");
    }

    /// A second keyboard, for another thread.
    pub(crate) fn keyboard(&self) -> File {
        self.master.try_clone().expect("a copy")
    }

    pub(crate) fn resize(&self, size: Winsize) {
        tcsetwinsize(&self.master, size).expect("a new size");
    }

    /// Waits for a text behind what was expected before.
    pub(crate) fn expect(&mut self, text: &str) {
        while !self.skip_to(text.as_bytes()) {
            assert!(
                self.more(),
                "no {text:?} before the end of\n{}",
                self.text()
            );
        }
    }

    /// Waits for `name=…` and a line's end; gives what stands between.
    pub(crate) fn value(&mut self, name: &str) -> String {
        self.expect(&format!("{name}="));
        let from = self.mark;
        self.expect("\n");
        String::from_utf8_lossy(&self.seen[from..self.mark])
            .trim()
            .to_owned()
    }

    /// All output so far, up to what was expected last.
    pub(crate) fn shown(&self) -> &[u8] {
        &self.seen[..self.mark]
    }

    /// Waits for the end; gives all output and the status.
    pub(crate) fn finish(mut self) -> (Vec<u8>, ExitStatus) {
        while self.more() {}
        let status = self.child.wait().expect("its status");
        (std::mem::take(&mut self.seen), status)
    }

    fn skip_to(&mut self, text: &[u8]) -> bool {
        let unseen = &self.seen[self.mark..];
        let found = unseen.windows(text.len()).position(|window| window == text);
        if let Some(at) = found {
            self.mark += at + text.len();
        }
        found.is_some()
    }

    /// Waits for more output; false at the end.
    fn more(&mut self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.chunks.recv_timeout(left) {
            Ok(chunk) => {
                self.seen.extend(chunk);
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => panic!("took too long:\n{}", self.text()),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `f`, which may block, for as long as is bearable.
pub(crate) fn patiently<T: Send + 'static>(
    what: &str,
    f: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (sender, result) = channel();
    std::thread::spawn(move || sender.send(f()));
    result
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|_| panic!("{what}: took too long"))
}

/// Makes a named pipe.
pub(crate) fn fifo(path: &Path) {
    assert!(
        Command::new("mkfifo")
            .arg(path)
            .status()
            .expect("mkfifo")
            .success()
    );
}

/// Sends a signal to a process.
pub(crate) fn kill(pid: &str, signal: Signal) {
    kill_process(number(pid), signal).expect("the process is there");
}

/// Ends a process that may have ended.
pub(crate) fn kill_if_there(pid: &str) {
    let _ = kill_process(number(pid), Signal::KILL);
}

/// Waits until this process has ended.
pub(crate) fn gone(pid: &str) {
    let deadline = Instant::now() + PATIENCE;
    while lives(pid) {
        assert!(Instant::now() < deadline, "{pid} lives on");
        std::thread::sleep(LOOK);
    }
}

/// Waits until this process is in a state, as `/proc` has it: `T` is stopped.
pub(crate) fn until(pid: &str, state: &str) {
    let deadline = Instant::now() + PATIENCE;
    let state = format!(") {state} ");
    let stat =
        || std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("this test reads /proc");
    while !stat().contains(&state) {
        assert!(Instant::now() < deadline, "{pid} does not get there");
        std::thread::sleep(LOOK);
    }
}

/// Who has ended may still have a number, until its parent collects it; in a container nobody may.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    test_kill_process(number(pid)).is_ok() && !stat.contains(") Z ")
}

fn number(pid: &str) -> Pid {
    pid.parse().ok().and_then(Pid::from_raw).expect("a process")
}

/// How a shell tells it: the code, or 128 and the signal's number.
pub(crate) fn shell_code(status: ExitStatus) -> i32 {
    let signal = status.signal().map(|number| 128 + number);
    status.code().or(signal).expect("an end")
}
