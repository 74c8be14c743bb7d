//! A session from the outside: the terminal, the sockets, the wrapper's log, in one loop; and what must hold
//! at every byte.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use alacritty_terminal::term::TermMode;
use rand::RngExt;
use rand::rngs::StdRng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::tcsetwinsize;
use serde_json::Value;

use crate::cli::Cli;
use crate::emulator::Emulator;
use crate::matcher::{Matcher, Unit};
use crate::stage::winsize;
use crate::told::{Logged, Tally};
use crate::wire::{Frame, Peer, ask, tell};

/// What was found, in words; the steps before it are shown by who started the soak.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// How long anything may take, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The wrapper holds back while the user has typed so recently.
pub(crate) const TYPING_GAP: Duration = Duration::from_millis(400);

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
    /// The CLI runs our hook.
    pub(crate) hook: bool,
    /// A fault to be injected, where the wrapper has a seam for it: it must go on as a pipe.
    pub(crate) fault: Option<&'static str>,
}

/// How the wrapper ended, and the terminal's attributes then.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) code: i32,
    pub(crate) attributes: String,
}

pub(crate) struct World {
    pub(crate) rng: StdRng,
    pub(crate) setup: Setup,
    pub(crate) cli: Cli,
    pub(crate) tally: Tally,
    pub(crate) logged: Logged,
    pub(crate) home: PathBuf,
    pub(crate) mark: String,
    pub(crate) shell_process: Child,
    pub(crate) shell: Peer,
    pub(crate) cli_peer: Option<Peer>,
    pub(crate) cli_pid: u32,
    pub(crate) wrapper: Option<Pid>,
    pub(crate) master: Option<OwnedFd>,
    pub(crate) to_master: Vec<u8>,
    pub(crate) outer: Emulator,
    pub(crate) alone: Emulator,
    /// What came out of the terminal since the last checkpoint, and what the CLI wrote.
    pub(crate) seen: Vec<u8>,
    pub(crate) wrote: Vec<u8>,
    pub(crate) tail: Vec<u8>,
    /// Any bytes of ours may come.
    pub(crate) loose: bool,
    /// The job is stopped or just goes on: other programs' bytes come too.
    pub(crate) elsewhere: bool,
    pub(crate) matcher: Matcher,
    pub(crate) replies: usize,
    pub(crate) log: File,
    pub(crate) log_rest: String,
    pub(crate) watch: OwnedFd,
    /// The user has let the notice stand.
    pub(crate) notice: bool,
    pub(crate) stopped: Option<String>,
    pub(crate) ended: Option<End>,
    pub(crate) continued: u32,
    pub(crate) size: [u16; 4],
    pub(crate) told_size: [u16; 4],
    pub(crate) asked: u32,
    pub(crate) synced: u32,
    /// The question behind the newest frame, and which state of the CLI it was of.
    pub(crate) state: u64,
    pub(crate) settled: u64,
    pub(crate) typed_at: Option<Instant>,
    /// The terminal takes no output for now.
    pub(crate) stalled: bool,
    /// Errors that were resumed.
    pub(crate) resumed: Vec<String>,
    pub(crate) own_in_a_row: u32,
    /// Messages of ours that the prompt could not take.
    pub(crate) swallowed: u32,
    pub(crate) parent: String,
    pub(crate) session: String,
    pub(crate) lines: u32,
    pub(crate) input_seen: Vec<u8>,
    pub(crate) steps: Vec<(Duration, String)>,
    pub(crate) began: Instant,
    /// The terminal before the job.
    pub(crate) attributes: Option<String>,
    pub(crate) modes_before: TermMode,
    pub(crate) shell_words: u32,
    /// The waits and the giving up that the log had when the turn failed.
    pub(crate) before: (u32, u32),
    /// The processes of our hook that run, and of which error each is.
    pub(crate) hooks: Vec<(u32, Option<String>)>,
    pub(crate) hooks_run: u32,
    /// The supervisor has failed: the wrapper is a pipe.
    pub(crate) piped: bool,
}

pub(crate) fn text<E: std::fmt::Display>(error: E) -> String {
    error.to_string()
}

impl World {
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
    pub(crate) fn pump(&mut self, most: Duration) -> Outcome {
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

    pub(crate) fn pump_terminal(&mut self) -> Outcome {
        let mut buffer = vec![0; 65536];
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
                // EIO: nobody has it open for a moment.
                Ok(0) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::IO) => return Ok(()),
                Ok(n) => self.on_output(&buffer[..n])?,
                Err(error) => return Err(format!("reading the terminal: {error}")),
            }
        }
    }

    pub(crate) fn on_output(&mut self, bytes: &[u8]) -> Outcome {
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

    pub(crate) fn on_shell(&mut self, frame: &Frame) {
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

    pub(crate) fn on_cli(&mut self, frame: &Frame) -> Outcome {
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
            tell::HOOK => self.on_hook_end(frame.number(0), frame.number(4))?,
            _ => {}
        }
        Ok(())
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
        let file = self.transcript();
        fs::create_dir_all(file.parent().unwrap_or(&self.home)).map_err(text)?;
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(file)
            .map_err(text)?;
        std::io::Write::write_all(&mut file, format!("{line}\n").as_bytes()).map_err(text)?;
        Ok(uuid)
    }

    /// The CLI runs our hook, where it does; `failed` is the error that it is told of.
    pub(crate) fn run_hook(&mut self, event: &str, failed: Option<(String, &str)>) {
        if !self.setup.hook {
            return;
        }
        self.hooks_run += 1;
        let id = self.hooks_run;
        let told = serde_json::json!({
            "hook_event_name": event,
            "session_id": self.session,
            "transcript_path": self.transcript(),
            "last_assistant_message": failed.as_ref().map(|(_, words)| *words),
        });
        let body = [&id.to_le_bytes()[..], told.to_string().as_bytes()].concat();
        self.hooks.push((id, failed.map(|(uuid, _)| uuid)));
        self.tell_cli(ask::HOOK, &body);
    }

    fn transcript(&self) -> PathBuf {
        let proj = self.home.join("proj");
        let folder: String = proj
            .to_string_lossy()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let folder = self.home.join("projects").join(folder);
        folder.join(format!("{}.jsonl", self.session))
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
