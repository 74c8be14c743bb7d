//! A session from the outside: the terminal, the sockets, the wrapper's log, in one loop; and what must hold
//! at every byte.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alacritty_terminal::term::TermMode;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, inotify, open};
use rustix::process::{Pid, Signal, ioctl_tiocsctty, kill_process, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::Value;

use crate::cli::{Cli, Did, Face, Turn};
use crate::emulator::Emulator;
use crate::matcher::{MESSAGE, Matcher, Unit};
use crate::roles;
use crate::wire::{Frame, Peer, ask, tell};

/// What was found, in words; the steps before it are shown by who started the soak.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// How long anything may take, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The wrapper holds back while the user has typed so recently.
const TYPING_GAP: Duration = Duration::from_millis(400);

/// What one session is to be.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) rows: u16,
    pub(crate) cols: u16,
    pub(crate) full: bool,
    pub(crate) synchronized: bool,
    pub(crate) titles: bool,
    pub(crate) bar: &'static str,
    pub(crate) base_ms: u32,
    pub(crate) cap_ms: u32,
    pub(crate) max_retries: u32,
    pub(crate) status_file: bool,
    /// A fault to be injected, where the wrapper has a seam for it: it must go on as a pipe.
    pub(crate) fault: Option<&'static str>,
}

/// How the wrapper ended, and the terminal's attributes then.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) code: i32,
    pub(crate) attributes: String,
}

/// The counts of the wrapper's log that are waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logged {
    pub(crate) waiting: u32,
    pub(crate) cancelled: u32,
    pub(crate) gave_up: u32,
    pub(crate) resumed: u32,
    pub(crate) typing: u32,
    pub(crate) failed: Option<String>,
    /// A wait is open: the bar may stand.
    pub(crate) open: bool,
    last: Vec<String>,
}

/// What was done in all, for the summary.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sessions: u32,
    pub(crate) errors: u32,
    pub(crate) resumes: u32,
    pub(crate) cancels: u32,
    pub(crate) gave_up: u32,
    pub(crate) stops: u32,
    pub(crate) resizes: u32,
    pub(crate) comparisons: u32,
    pub(crate) with_bar: u32,
    pub(crate) races: u32,
    pub(crate) output: u64,
    pub(crate) input: u64,
}

pub(crate) struct World {
    pub(crate) rng: StdRng,
    pub(crate) setup: Setup,
    pub(crate) cli: Cli,
    pub(crate) tally: Tally,
    pub(crate) logged: Logged,
    pub(crate) home: PathBuf,
    mark: String,
    shell_process: Child,
    shell: Peer,
    cli_peer: Option<Peer>,
    cli_pid: u32,
    pub(crate) wrapper: Option<Pid>,
    master: Option<OwnedFd>,
    to_master: Vec<u8>,
    pub(crate) outer: Emulator,
    pub(crate) alone: Emulator,
    /// What came out of the terminal since the last checkpoint, and what the CLI wrote.
    seen: Vec<u8>,
    wrote: Vec<u8>,
    tail: Vec<u8>,
    /// Any bytes of ours may come.
    pub(crate) loose: bool,
    /// The job is stopped or just goes on: other programs' bytes come too.
    pub(crate) elsewhere: bool,
    matcher: Matcher,
    replies: usize,
    log: File,
    log_rest: String,
    watch: OwnedFd,
    /// The user has let the notice stand.
    pub(crate) notice: bool,
    pub(crate) stopped: Option<String>,
    pub(crate) ended: Option<End>,
    pub(crate) continued: u32,
    pub(crate) size: [u16; 4],
    pub(crate) told_size: [u16; 4],
    asked: u32,
    synced: u32,
    /// The question behind the newest frame, and which state of the CLI it was of.
    state: u64,
    settled: u64,
    typed_at: Option<Instant>,
    /// The terminal takes no output for now.
    pub(crate) stalled: bool,
    /// Errors that were resumed.
    resumed: Vec<String>,
    pub(crate) own_in_a_row: u32,
    /// Messages of ours that the prompt could not take.
    pub(crate) swallowed: u32,
    parent: String,
    session: String,
    lines: u32,
    pub(crate) input_seen: Vec<u8>,
    steps: Vec<(Duration, String)>,
    began: Instant,
    /// The terminal before the job.
    pub(crate) attributes: Option<String>,
    pub(crate) modes_before: TermMode,
    pub(crate) shell_words: u32,
    /// The waits and the giving up that the log had when the turn failed.
    pub(crate) before: (u32, u32),
}

impl Tally {
    /// Counts another session in.
    pub(crate) fn add(&mut self, other: &Self) {
        self.sessions += 1;
        self.errors += other.errors;
        self.resumes += other.resumes;
        self.cancels += other.cancels;
        self.gave_up += other.gave_up;
        self.stops += other.stops;
        self.resizes += other.resizes;
        self.comparisons += other.comparisons;
        self.with_bar += other.with_bar;
        self.races += other.races;
        self.output += other.output;
        self.input += other.input;
    }
}

fn text<E: std::fmt::Display>(error: E) -> String {
    error.to_string()
}

impl World {
    /// A terminal with a shell in it, and old text above.
    pub(crate) fn new(seed: u64, setup: Setup, home: PathBuf) -> Outcome<Self> {
        for folder in ["sessions", "run", "tmp", "state", "proj"] {
            fs::create_dir_all(home.join(folder)).map_err(text)?;
        }
        let log_path = home.join("log");
        fs::write(&log_path, "").map_err(text)?;
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
            command.env("CLAUDE_RETRY_FAULT", fault);
        }
        let take_terminal = || {
            setsid()?;
            ioctl_tiocsctty(std::io::stdin())?;
            Ok(())
        };
        // SAFETY: two system calls between fork and exec, no allocation and no lock.
        #[expect(
            unsafe_code,
            reason = "there is no other way to give a child its terminal"
        )]
        let shell_process = unsafe { command.pre_exec(take_terminal) }
            .spawn()
            .map_err(text)?;
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
            setup,
            home,
        };
        // Old text, with the cursor anywhere.
        let mut old: String = (0..world.setup.rows + 3)
            .map(|n| format!("old {n} \x1b[31mtext\x1b[m\r\n"))
            .collect();
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

    /// One more step, for whoever has to understand a failure.
    pub(crate) fn step(&mut self, what: impl Into<String>) {
        self.steps.push((self.began.elapsed(), what.into()));
        if self.steps.len() > 400 {
            self.steps.drain(..200);
        }
    }

    /// Waits for something to be true; everything that comes meanwhile is looked at.
    pub(crate) fn wait(&mut self, what: &str, mut is: impl FnMut(&mut Self) -> bool) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.pump(Duration::ZERO)?;
            if is(self) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("waited in vain for {what}"));
            }
            self.pump(Duration::from_millis(200))?;
        }
    }

    /// Lets so much time go by.
    pub(crate) fn pass(&mut self, time: Duration) -> Outcome {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            self.pump(left)?;
            if left.is_zero() {
                return Ok(());
            }
        }
    }

    /// Waits for anything to come, for so long at the most, and takes it.
    fn pump(&mut self, most: Duration) -> Outcome {
        let flags = |write: bool| {
            PollFlags::IN
                | if write {
                    PollFlags::OUT
                } else {
                    PollFlags::empty()
                }
        };
        let watch = self.watch.as_fd();
        let mut fds = vec![
            PollFd::new(&watch, PollFlags::IN),
            PollFd::new(self.shell.socket(), flags(self.shell.has_more_to_send())),
        ];
        if let Some(peer) = &self.cli_peer
            && !peer.is_closed()
        {
            fds.push(PollFd::new(peer.socket(), flags(peer.has_more_to_send())));
        }
        if let Some(master) = &self.master {
            let write = !self.to_master.is_empty();
            let flags = if self.stalled && write {
                PollFlags::OUT
            } else {
                flags(write)
            };
            if !self.stalled || write {
                fds.push(PollFd::new(master, flags));
            }
        }
        let most = Timespec {
            tv_sec: i64::try_from(most.as_secs()).expect("a short time"),
            tv_nsec: most.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&most)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.to_string()),
        }
        drop(fds);
        self.pump_terminal()?;
        self.shell.flush();
        for frame in self.shell.receive() {
            self.on_shell(&frame);
        }
        let frames = self.cli_peer.as_mut().map(|peer| {
            peer.flush();
            peer.receive()
        });
        for frame in frames.into_iter().flatten() {
            self.on_cli(&frame)?;
        }
        self.read_log()
    }

    fn pump_terminal(&mut self) -> Outcome {
        let mut buffer = [0; 65536];
        loop {
            let Some(master) = &self.master else {
                return Ok(());
            };
            while !self.to_master.is_empty() {
                match rustix::io::write(master, &self.to_master) {
                    Ok(n) => drop(self.to_master.drain(..n)),
                    Err(rustix::io::Errno::AGAIN) => break,
                    Err(error) => return Err(format!("typing: {error}")),
                }
            }
            if self.stalled {
                return Ok(());
            }
            match rustix::io::read(master, &mut buffer) {
                Ok(0) | Err(rustix::io::Errno::AGAIN) => return Ok(()),
                // Nobody has it open for a moment.
                Err(rustix::io::Errno::IO) => return Ok(()),
                Ok(n) => self.on_output(&buffer[..n])?,
                Err(error) => return Err(format!("reading the terminal: {error}")),
            }
        }
    }

    fn on_output(&mut self, bytes: &[u8]) -> Outcome {
        self.outer.feed(bytes);
        self.tally.output += bytes.len() as u64;
        self.tail.extend_from_slice(bytes);
        let most = 3000;
        self.tail.drain(..self.tail.len().saturating_sub(most));
        for reply in self.outer.take_replies() {
            self.matcher.sent(Unit::Reply(reply.clone().into_bytes()));
            self.to_master.extend_from_slice(reply.as_bytes());
        }
        let from = self.seen.len();
        self.seen.extend_from_slice(bytes);
        let strict = !self.elsewhere && (!self.loose || self.setup.bar == "off");
        if strict && self.wrote.get(from..self.seen.len()) != Some(bytes) {
            let at = (from..)
                .zip(bytes)
                .find(|(at, byte)| self.wrote.get(*at) != Some(byte))
                .map_or(from, |(at, _)| at);
            let around = |bytes: &[u8]| {
                let part = bytes.get(at.saturating_sub(40)..).unwrap_or_default();
                part[..part.len().min(200)].escape_ascii().to_string()
            };
            return Err(format!(
                "[1] no bar, and the terminal got\n  {}\nwhere the CLI wrote\n  {}",
                around(&self.seen),
                around(&self.wrote)
            ));
        }
        Ok(())
    }

    fn on_shell(&mut self, frame: &Frame) {
        let rest = |from: usize| String::from_utf8_lossy(&frame.body[from..]).into_owned();
        match frame.kind {
            tell::STARTED => {
                self.wrapper = i32::try_from(frame.number(0)).ok().and_then(Pid::from_raw);
                self.attributes = Some(rest(4));
            }
            tell::STOPPED => self.stopped = Some(rest(0)),
            tell::ENDED => {
                self.ended = Some(End {
                    code: i32::from_le_bytes(frame.body[..4].try_into().expect("four bytes")),
                    attributes: rest(4),
                });
            }
            _ => {}
        }
    }

    fn on_cli(&mut self, frame: &Frame) -> Outcome {
        let size = |from: usize| {
            [0, 2, 4, 6].map(|at| {
                let at = from + at;
                u16::from_le_bytes([frame.body[at], frame.body[at + 1]])
            })
        };
        match frame.kind {
            tell::HELLO => self.cli_pid = frame.number(1),
            tell::INPUT => self.on_input(&frame.body)?,
            tell::SYNCED => {
                self.synced = frame.number(0);
                self.told_size = size(4);
            }
            tell::WINCH => self.told_size = size(0),
            tell::CONTINUED => self.continued += 1,
            _ => {}
        }
        Ok(())
    }

    /// The CLI has read something.
    fn on_input(&mut self, bytes: &[u8]) -> Outcome {
        self.tally.input += bytes.len() as u64;
        self.input_seen.extend_from_slice(bytes);
        if !self.matcher.read(bytes) {
            return Err(format!(
                "[1] the CLI read {}, which nobody sent so\n{}",
                bytes[..bytes.len().min(300)].escape_ascii(),
                self.matcher.explain()
            ));
        }
        let mut redraw = false;
        for did in self.cli.reads(bytes) {
            match did {
                Did::Edited => {
                    self.state += 1;
                    redraw = true;
                }
                Did::Pasted { text, before } => {
                    if text.as_bytes() == &MESSAGE[6..MESSAGE.len() - 6] {
                        self.on_message(before)?;
                    }
                    self.state += 1;
                    redraw = true;
                }
                Did::Submitted(message) => {
                    self.on_submitted(&message)?;
                    redraw = true;
                }
            }
        }
        if redraw {
            self.draw(false);
        }
        Ok(())
    }

    /// The message came: it may only come into a free and empty prompt, of an error that is not dealt with.
    fn on_message(&mut self, before: usize) -> Outcome {
        let obstacle = if before > 0 {
            let just_typed = self.typed_at.is_some_and(|at| at.elapsed() < TYPING_GAP);
            if just_typed {
                return Err("[4] the message was typed while the user typed".into());
            }
            Some("[4] the message was typed into a draft")
        } else if self.cli.face != Face::Prompt {
            self.swallowed += 1;
            Some("[4] the message was typed under a dialog")
        } else {
            match &self.cli.turn {
                Turn::Failed(_) if self.cli.dead => {
                    return Err("[5] the message was typed after a cancel or the last try".into());
                }
                Turn::Failed(uuid) if self.resumed.contains(uuid) => {
                    return Err(format!("[5] the message was typed twice for {uuid}"));
                }
                Turn::Failed(_) => None,
                Turn::Busy => Some("[5] the message was typed while a turn ran"),
                Turn::Over => return Err("[5] the message was typed with no error".into()),
            }
        };
        match obstacle {
            // What has not been drawn yet, the wrapper could not see.
            Some(_) if self.state > self.settled => {
                self.tally.races += 1;
                self.step("(the message crossed with a change)");
                Ok(())
            }
            Some(what) => Err(what.into()),
            None => Ok(()),
        }
    }

    fn on_submitted(&mut self, message: &str) -> Outcome {
        let ours = message == "continue";
        if ours {
            let Turn::Failed(uuid) = self.cli.turn.clone() else {
                return Err("[5] the message was submitted with no error".into());
            };
            if self.cli.dead || self.resumed.contains(&uuid) {
                return Err(format!("[5] {uuid} was resumed though it was dealt with"));
            }
            self.resumed.push(uuid);
            self.tally.resumes += 1;
            self.own_in_a_row += 1;
        } else {
            if message.contains("continue") {
                return Err(format!("[4] {message:?} was submitted, with ours in it"));
            }
            self.own_in_a_row = 0;
        }
        self.step(format!("submitted: {message}"));
        self.cli.turn = Turn::Busy;
        self.cli.dead = false;
        self.cli.says(&format!("❯ {message}"));
        self.state += 1;
        let line =
            serde_json::json!({"type": "user", "message": {"role": "user", "content": message}});
        self.write_line(line)?;
        self.write_session_file(true)
    }

    // What the CLI does.

    /// Bytes of the CLI's, in pieces.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.wrote.extend_from_slice(bytes);
        self.alone.feed(bytes);
        self.replies += self.alone.take_replies().len();
        if let Some(peer) = &mut self.cli_peer {
            let mut rest = bytes;
            while !rest.is_empty() {
                let most = if self.rng.random_ratio(1, 4) {
                    self.rng.random_range(1..=rest.len())
                } else {
                    rest.len()
                };
                let (now, later) = rest.split_at(most);
                peer.send(&Frame::new(ask::WRITE, now));
                rest = later;
            }
        }
    }

    pub(crate) fn tell_cli(&mut self, kind: u8, body: &[u8]) {
        if let Some(peer) = &mut self.cli_peer {
            peer.send(&Frame::new(kind, body));
        }
    }

    pub(crate) fn tell_shell(&mut self, kind: u8, body: &[u8]) {
        self.shell.send(&Frame::new(kind, body));
    }

    pub(crate) fn draw(&mut self, thorough: bool) {
        let thorough = thorough || self.rng.random_ratio(1, 8);
        let frame = self.cli.frame(thorough);
        self.write(&frame);
    }

    /// The CLI's state changed by itself.
    pub(crate) fn changed(&mut self) {
        self.state += 1;
        self.draw(false);
    }

    pub(crate) fn write_line(&mut self, mut line: Value) -> Outcome<String> {
        self.lines += 1;
        let uuid = format!(
            "{:08x}-1111-4222-8333-{:012x}",
            self.lines,
            self.rng.random::<u32>()
        );
        let parent = std::mem::replace(&mut self.parent, uuid.clone());
        line["uuid"] = uuid.clone().into();
        line["parentUuid"] = if parent.is_empty() {
            Value::Null
        } else {
            parent.into()
        };
        line["sessionId"] = self.session.clone().into();
        line["isSidechain"] = false.into();
        line["timestamp"] = format!("{:.3}", jiff::Timestamp::now()).into();
        let proj = self.home.join("proj");
        let folder: String = proj
            .to_string_lossy()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let folder = self.home.join("projects").join(folder);
        fs::create_dir_all(&folder).map_err(text)?;
        let file = folder.join(format!("{}.jsonl", self.session));
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(file)
            .map_err(text)?;
        std::io::Write::write_all(&mut file, format!("{line}\n").as_bytes()).map_err(text)?;
        Ok(uuid)
    }

    pub(crate) fn write_session_file(&mut self, busy: bool) -> Outcome {
        let pid = self.cli_pid;
        let mut file = serde_json::json!({
            "pid": pid,
            "sessionId": self.session,
            "cwd": self.home.join("proj"),
            "startedAt": jiff::Timestamp::now().as_millisecond(),
        });
        if self.setup.status_file {
            file["status"] = if busy { "busy" } else { "idle" }.into();
        }
        let path = self.home.join(format!("sessions/{pid}.json"));
        let new = path.with_extension("new");
        fs::write(&new, file.to_string()).map_err(text)?;
        fs::rename(new, path).map_err(text)
    }

    // What the user does.

    /// Typed; `takeable` is a key that the bar may take.
    pub(crate) fn type_unit(&mut self, bytes: &[u8], takeable: bool, edits: bool) -> Outcome {
        self.matcher.sent(Unit::User {
            bytes: bytes.to_vec(),
            takeable,
        });
        self.to_master.extend_from_slice(bytes);
        if edits {
            self.typed_at = Some(Instant::now());
        }
        self.pump(Duration::ZERO)
    }

    pub(crate) fn resize(&mut self, rows: u16, cols: u16) -> Outcome {
        self.tally.resizes += 1;
        self.size = [rows, cols, cols * 9, rows * 18];
        if let Some(master) = &self.master {
            tcsetwinsize(master, winsize(self.size)).map_err(text)?;
        }
        self.outer.resize(rows, cols);
        self.alone.resize(rows, cols);
        Ok(())
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> Outcome {
        let wrapper = self.wrapper.ok_or("no wrapper")?;
        kill_process(wrapper, signal).map_err(text)
    }

    pub(crate) fn hang_up(&mut self) {
        self.elsewhere = true;
        self.master = None;
        self.to_master.clear();
    }

    /// Was this among the last that the terminal got?
    pub(crate) fn tail_has(&self, bytes: &[u8]) -> bool {
        self.tail.windows(bytes.len()).any(|at| at == bytes)
    }

    // What must hold.

    /// All that the CLI wrote is through, and all that is on its way to it was read.
    pub(crate) fn barrier(&mut self) -> Outcome {
        self.asked += 1;
        let (asked, state) = (self.asked, self.state);
        let marker = format!("\x1b]777;soak;{asked}\x07");
        self.write(marker.as_bytes());
        // The number is with the CLI's word behind what it has read, so that both are in order.
        self.tell_cli(ask::SYNC, &asked.to_le_bytes());
        let mut from = 0;
        self.wait("the marker and the CLI's word", |world| {
            let unseen = world.seen.get(from..).unwrap_or_default();
            let found = unseen
                .windows(marker.len())
                .any(|at| at == marker.as_bytes());
            if !found {
                from = world.seen.len().saturating_sub(marker.len());
            }
            found && world.synced >= asked
        })?;
        // What the wrapper had on its way when it saw that has been read only now.
        self.asked += 1;
        let again = self.asked;
        self.tell_cli(ask::SYNC, &again.to_le_bytes());
        self.wait("the CLI's word", |world| world.synced >= again)?;
        self.settled = self.settled.max(state);
        Ok(())
    }

    /// Without a bar: the terminal got what the CLI wrote, and nothing else.
    fn exact(&mut self) -> Outcome {
        if self.seen != self.wrote {
            return Err(format!(
                "[1] {} bytes, not {}",
                self.seen.len(),
                self.wrote.len()
            ));
        }
        self.seen.clear();
        self.wrote.clear();
        Ok(())
    }

    /// From here on an error may be resumed.
    pub(crate) fn loosen(&mut self) -> Outcome {
        if self.loose {
            return Ok(());
        }
        self.barrier()?;
        self.exact()?;
        self.loose = true;
        self.matcher.sent(Unit::Loose(true));
        Ok(())
    }

    /// Nothing stands any more: the bar is gone, the screen as if it had never been there, the input whole.
    pub(crate) fn calm(&mut self) -> Outcome {
        self.wait("the end of the wait", |world| !world.logged.open)?;
        if self.notice {
            return Err("the soak: a notice stands".into());
        }
        self.barrier()?;
        self.wait("the end of the wait", |world| !world.logged.open)?;
        self.wait_for_input()?;
        self.barrier()?;
        self.matcher.begin_anew(self.replies);
        self.replies = 0;
        self.input_seen.clear();
        if self.loose {
            self.tally.with_bar += u32::from(self.seen.len() > self.wrote.len());
            if !self.all_came() {
                return Err("[1] bytes of the CLI's are missing or not in order".into());
            }
            self.seen.clear();
            self.wrote.clear();
            self.loose = false;
            self.matcher.sent(Unit::Loose(false));
        } else {
            self.exact()?;
        }
        self.compare("at rest")
    }

    /// The terminal got all that the CLI wrote, in order, whatever came between.
    pub(crate) fn all_came(&self) -> bool {
        let mut rest = self.seen.iter();
        self.wrote
            .iter()
            .all(|byte| rest.any(|other| other == byte))
    }

    /// All of the input has come, with nothing missing.
    pub(crate) fn wait_for_input(&mut self) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        while !self.matcher.is_complete(self.replies) {
            if Instant::now() > deadline {
                return Err(format!("[1] input is missing\n{}", self.matcher.explain()));
            }
            self.pump(Duration::from_millis(100))?;
        }
        Ok(())
    }

    pub(crate) fn compare(&mut self, when: &str) -> Outcome {
        self.tally.comparisons += 1;
        match self.outer.difference(&self.alone) {
            Some(difference) => Err(format!("[3] {when}: {difference}")),
            None => Ok(()),
        }
    }

    /// Other programs have used the terminal: what came is not compared, what comes is.
    pub(crate) fn begin_anew(&mut self) -> Outcome {
        self.barrier()?;
        self.seen.clear();
        self.wrote.clear();
        self.elsewhere = false;
        Ok(())
    }

    fn read_log(&mut self) -> Outcome {
        let mut events = [std::mem::MaybeUninit::uninit(); 1024];
        while rustix::io::read(&self.watch, &mut events[..]).is_ok_and(|(read, _)| !read.is_empty())
        {
        }
        let mut new = String::new();
        self.log.read_to_string(&mut new).map_err(text)?;
        self.log_rest.push_str(&new);
        while let Some(end) = self.log_rest.find('\n') {
            let line: String = self.log_rest.drain(..=end).collect();
            let record: Value = serde_json::from_str(&line).map_err(text)?;
            let logged = &mut self.logged;
            logged.last.push(line.trim_end().to_owned());
            if logged.last.len() > 30 {
                logged.last.remove(0);
            }
            match record["event"].as_str().unwrap_or_default() {
                "waiting" => {
                    logged.waiting += 1;
                    logged.open = true;
                }
                "typing" => logged.typing += 1,
                "resumed" => {
                    logged.resumed += 1;
                    logged.open = false;
                }
                "stood-down" => logged.open = false,
                "cancelled" => {
                    logged.cancelled += 1;
                    logged.open = false;
                    self.notice = true;
                }
                "gave-up" => {
                    logged.gave_up += 1;
                    logged.open = false;
                    self.notice = true;
                }
                "failed" => logged.failed = Some(record["error"].to_string()),
                _ => {}
            }
        }
        if let Some(failure) = self.logged.failed.clone()
            && self.setup.fault.is_none()
        {
            return Err(format!("[7] the supervisor failed: {failure}"));
        }
        Ok(())
    }

    /// All processes of this session that are there, and not just waiting to be collected.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let mark = format!("SOAK={}", self.mark);
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| *pid != self.shell_process.id())
            .filter(|pid| {
                fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
                    environ
                        .split(|&byte| byte == 0)
                        .any(|entry| entry == mark.as_bytes())
                })
            })
            .map(|pid| {
                (
                    pid,
                    fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default(),
                )
            })
            .collect()
    }

    /// The wrapper's descriptors, and its memory in kB.
    pub(crate) fn size_of_wrapper(&self) -> Outcome<(usize, u64)> {
        let pid = self.wrapper.ok_or("no wrapper")?.as_raw_nonzero();
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
            .map_err(text)?
            .count();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(text)?;
        let memory = status.lines().find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        });
        Ok((descriptors, memory.ok_or("no VmRSS")?))
    }

    /// What a person needs to understand a finding.
    pub(crate) fn report(&mut self) -> String {
        let _ = self.log.seek(SeekFrom::End(0));
        let mut report = format!("{:#?}\nsteps:\n", self.setup);
        for (at, what) in self.steps.iter().rev().take(60).rev() {
            let _ = writeln!(report, "  {:8.3} {what}", at.as_secs_f64());
        }
        let _ = writeln!(
            report,
            "  {:8.3} (here)",
            self.began.elapsed().as_secs_f64()
        );
        let _ = writeln!(
            report,
            "turn {:?}, dead {}, face {:?}, draft {:?}, loose {}, notice {}, state {} settled {}\nlast output: {}",
            self.cli.turn,
            self.cli.dead,
            self.cli.face,
            self.cli.draft,
            self.loose,
            self.notice,
            self.state,
            self.settled,
            self.tail.escape_ascii()
        );
        let _ = writeln!(report, "the log:\n  {}", self.logged.last.join("\n  "));
        let _ = writeln!(report, "the terminal:\n{}", self.outer.text());
        let _ = writeln!(report, "without us:\n{}", self.alone.text());
        report
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.shell_process.kill();
        let _ = self.shell_process.wait();
        for (pid, _) in self.processes() {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
        }
    }
}

fn winsize([ws_row, ws_col, ws_xpixel, ws_ypixel]: [u16; 4]) -> Winsize {
    Winsize {
        ws_row,
        ws_col,
        ws_xpixel,
        ws_ypixel,
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
