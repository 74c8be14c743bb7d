//! The stage of a session: a terminal, a shell in it, the wrapper as its job, the CLI below.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use alacritty_terminal::term::TermMode;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, inotify, open};
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::cli::Cli;
use crate::emulator::Emulator;
use crate::matcher::Matcher;
use crate::roles;
use crate::told::{Logged, Tally};
use crate::wire::{Frame, Peer, ask};
use crate::world::{Outcome, Setup, World, text};

impl World {
    /// A terminal with a shell in it, and old text above.
    pub(crate) fn new(seed: u64, setup: Setup, home: PathBuf) -> Outcome<Self> {
        for folder in ["sessions", "run", "tmp", "state", "proj"] {
            fs::create_dir_all(home.join(folder)).map_err(text)?;
        }
        let log_path = home.join("log");
        fs::write(&log_path, "").map_err(text)?;
        let _ = fs::remove_file(home.join("fault"));
        let socket = home.join("socket");
        let _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).map_err(text)?;
        let mark = format!("{}-{seed}", std::process::id());

        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).map_err(text)?;
        grantpt(&master)
            .and_then(|()| unlockpt(&master))
            .map_err(text)?;
        let name = ptsname(&master, Vec::new()).map_err(text)?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave: OwnedFd = open(name.as_c_str(), flags, Mode::empty()).map_err(text)?;
        let size = [setup.rows, setup.cols, setup.cols * 9, setup.rows * 18];
        tcsetwinsize(&slave, winsize(size)).map_err(text)?;
        rustix::fs::fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK).map_err(text)?;

        let mut command = Command::new(std::env::current_exe().map_err(text)?);
        command
            .arg(env!("CARGO_BIN_EXE_claude-retry"))
            .env_clear()
            .env("SOAK", &mark)
            .env(roles::PROGRAM, env!("CARGO_BIN_EXE_claude-retry"))
            .env(roles::ROLE, "shell")
            .env(roles::SOCKET, &socket)
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &home)
            .env("TMPDIR", home.join("tmp"))
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .env("XDG_CONFIG_HOME", home.join("none"))
            .env("XDG_STATE_HOME", home.join("state"))
            .env("XDG_RUNTIME_DIR", home.join("run"))
            .env("CLAUDE_CONFIG_DIR", &home)
            .env(
                "CLAUDE_RETRY_PROGRAM",
                std::env::current_exe().map_err(text)?,
            )
            .env("CLAUDE_RETRY_LOG", &log_path)
            .env("CLAUDE_RETRY_BAR", setup.bar)
            .env("CLAUDE_RETRY_BASE", format!("{}ms", setup.base_ms))
            .env("CLAUDE_RETRY_CAP", format!("{}ms", setup.cap_ms))
            .env("CLAUDE_RETRY_MAX_RETRIES", setup.max_retries.to_string())
            .env("CLAUDE_RETRY_MAX_PER_HOUR", "100000")
            // A bell is a byte of ours.
            .env(
                "CLAUDE_RETRY_NOTIFY",
                if setup.bar == "off" { "off" } else { "bell" },
            )
            .current_dir(home.join("proj"))
            .stdin(slave.try_clone().map_err(text)?)
            .stdout(slave.try_clone().map_err(text)?)
            .stderr(Stdio::inherit());
        if let Some(fault) = setup.fault {
            command.env(
                "CLAUDE_RETRY_FAULT",
                format!("{fault}:1:{}", home.join("fault").display()),
            );
        }
        let take_terminal = || {
            setsid()?;
            ioctl_tiocsctty(std::io::stdin())?;
            Ok(())
        };
        // SAFETY: two system calls between fork and exec, no allocation and no lock.
        #[expect(unsafe_code, reason = "there is no other way to give it its terminal")]
        let command = unsafe { command.pre_exec(take_terminal) };
        let shell_process = command.spawn().map_err(text)?;
        drop((command, slave));
        let shell = accept(&listener)?;

        let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)
            .map_err(text)?;
        inotify::add_watch(&watch, &log_path, inotify::WatchFlags::MODIFY).map_err(text)?;
        let mut rng = StdRng::seed_from_u64(seed);
        let mut cli = Cli::new(setup.rows, setup.cols, setup.full);
        (cli.synchronized, cli.titles) = (setup.synchronized, setup.titles);
        let session = format!(
            "{:08x}-0c7a-4a1e-9b57-{:012x}",
            rng.random::<u32>(),
            rng.random::<u64>() >> 16
        );
        let mut world = Self {
            outer: Emulator::new(setup.rows, setup.cols),
            alone: Emulator::new(setup.rows, setup.cols),
            rng,
            cli,
            tally: Tally::default(),
            logged: Logged::default(),
            mark,
            shell_process,
            shell,
            cli_peer: None,
            cli_pid: 0,
            wrapper: None,
            master: Some(master),
            to_master: Vec::new(),
            seen: Vec::new(),
            wrote: Vec::new(),
            tail: Vec::new(),
            loose: false,
            elsewhere: false,
            matcher: Matcher::default(),
            replies: 0,
            log: File::open(&log_path).map_err(text)?,
            log_rest: String::new(),
            watch,
            notice: false,
            stopped: None,
            ended: None,
            continued: 0,
            size,
            told_size: size,
            asked: 0,
            synced: 0,
            state: 0,
            settled: 0,
            typed_at: None,
            stalled: false,
            resumed: Vec::new(),
            own_in_a_row: 0,
            swallowed: 0,
            parent: String::new(),
            session,
            lines: 0,
            input_seen: Vec::new(),
            steps: Vec::new(),
            began: Instant::now(),
            attributes: None,
            modes_before: TermMode::default(),
            shell_words: 0,
            before: (0, 0),
            hooks: Vec::new(),
            hooks_run: 0,
            piped: false,
            setup,
            home,
        };
        // Old text, with the cursor anywhere.
        let mut old = String::new();
        for n in 0..world.setup.rows + 3 {
            let _ = write!(old, "old {n} \x1b[31mtext\x1b[m\r\n");
        }
        let row = world.rng.random_range(1..=world.setup.rows);
        let _ = write!(old, "\x1b[{row};1H\x1b[J$ claude\r\n");
        world.wrote.extend_from_slice(old.as_bytes());
        world.alone.feed(old.as_bytes());
        // The shell's terminal adds nothing to what ends in CR LF but another CR.
        let plain = old.replace("\r\n", "\n");
        world.shell.send(&Frame::new(ask::WRITE, plain));
        world.wait("the old text", |world| {
            world.seen.len() >= world.wrote.len()
        })?;
        world.exact()?;
        world.modes_before = world.outer.mode();
        world.shell.send(&Frame::new(ask::RUN, []));
        world.cli_peer = Some(accept(&listener)?);
        world.wait("the CLI's and the job's word", |world| {
            world.cli_pid != 0 && world.wrapper.is_some()
        })?;
        world.write_session_file(false)?;
        Ok(world)
    }
}

pub(crate) fn winsize(size: [u16; 4]) -> Winsize {
    Winsize {
        ws_row: size[0],
        ws_col: size[1],
        ws_xpixel: size[2],
        ws_ypixel: size[3],
    }
}

/// The next part that says hello.
fn accept(listener: &UnixListener) -> Outcome<Peer> {
    let patience = Timespec {
        tv_sec: 30,
        tv_nsec: 0,
    };
    let ready = poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&patience));
    if ready.map_err(text)? == 0 {
        return Err("nobody said hello".into());
    }
    let (socket, _) = listener.accept().map_err(text)?;
    Peer::new(socket).map_err(text)
}
