//! The one loop: readiness in, events to the session, its bytes out, its effects performed.
//!
//! # Independent directions
//!
//! Each direction has a bounded queue ([`super::outbound`]). A full one stops the reader of its source
//! and nothing else, so output flows while the child takes no input, and the other way round.
//!
//! # Idle
//!
//! Nothing wakes the loop but a descriptor, a signal, or a deadline that the session asked for.

mod ending;
mod failing;
mod looking;
mod stopping;

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::process::Signal as Number;
use rustix::termios::Winsize;
use serde_json::json;

use super::clock::{self, Clock};
use super::companion::{self, Companion, Heard, News};
use super::debug_file::{self, DebugFile};
use super::guarded::{self, Guarded};
use super::outbound::Outbound;
use super::program::Found;
use super::pty::{self, Pair, Pty};
use super::recorder::Recorder;
use super::signals::{self, Got, Signals};
use super::transcript::Locator;
use super::tty::{self, Tty};
use super::{LaunchError, Log, NESTED_VAR, private, watchdog_env};
use crate::config::{HookMode, Settings, TranscriptMode};
use crate::supervisor::session::{
    Effect, Event, ExitKind, Outbox, Session, Signal, TerminalTraits,
};

/// One read takes at most this much; a pty gives 4 kB at a time, or what has piled up.
const READ_BUFFER: usize = 64 * 1024;
/// So many reads may follow each other before anything else is looked at: what is typed and what is drawn comes
/// first, and nothing waits for ever.
const READS_IN_A_ROW: u32 = 8;
/// The child's output has paused: what was passed on is read.
const PAUSE: Duration = Duration::from_millis(2);
/// How long the child's output must be quiet until it counts as drained, where a grandchild keeps the pty
/// open after the child's end.
const QUIET_AFTER_EXIT: Duration = Duration::from_millis(100);
/// The same where the child has stopped: the kernel hands on what was written before within less.
const QUIET_AFTER_STOP: Duration = Duration::from_millis(20);
/// What is read at the most after the child's end, and for [`STALL`] at the most: more than a pty holds. A
/// grandchild may write for ever.
const LAST_WORDS: usize = 1024 * 1024;
/// For so long may the terminal take nothing, or a killed child live on, while we are to end or stop,
/// before we no longer wait. Where the child has ended by itself its last words wait for the terminal, as
/// those of any program do.
const STALL: Duration = Duration::from_secs(1);
/// An effect's answer may ask for another effect; a session that never ends this is at fault.
const MAX_EFFECTS: usize = 64;
/// So often may a deadline be due again as soon as it was answered, before the session is at fault: it would take a
/// whole core for ever.
pub(super) const MAX_STUCK: u32 = 100_000;

/// How long the child may take after a signal before it is killed. The CLI gives its own way out (the
/// user's `SessionEnd` hooks are part of it) 5 s on 2.1.145 and 6.5 s on 2.1.330, and ends itself then, after a
/// hangup too.
const GRACE: Duration = Duration::from_secs(10);

/// Runs the program in a pty until it has ended.
pub(super) fn run(
    settings: Settings,
    program: &Found,
    args: &[OsString],
    terminal: OwnedFd,
    traits: TerminalTraits,
    recorder: &mut Option<Recorder>,
) -> Result<ExitKind, LaunchError> {
    crate::fault::arm();
    guarded::install_panic_hook();
    let launch = Launch::prepare(&settings, program, args, &terminal)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    let runtime = runtime.map_err(|error| LaunchError::own("start the event loop", &error))?;
    let _context = runtime.enter();
    let mut driver = Driver::start(settings, program, launch, terminal, traits, recorder)?;
    crate::fault::point("uncaught");

    let end = guarded::catch(|| runtime.block_on(driver.run()));
    let end = end.unwrap_or_else(|failure| Err(io::Error::other(failure)));
    // A failure of the loop's own code: the child is hung up, the terminal put right all the same.
    let _ = guarded::catch(|| runtime.block_on(driver.restore(end.as_ref().ok().copied())));
    tty::leave_raw();
    *recorder = driver.finish_recording();
    end.map_err(|error| LaunchError::own("go on", &error))
}

/// The child, which waits for the word, and what it needs beside its pty.
struct Launch {
    pty: pty::Waiting,
    debug: Option<Result<DebugFile, String>>,
}

impl Launch {
    /// Forks the monitor, before there is anything that it would have to give back.
    fn prepare(
        settings: &Settings,
        program: &Found,
        args: &[OsString],
        terminal: &OwnedFd,
    ) -> Result<Self, LaunchError> {
        let of_pty = |error: io::Error| LaunchError::own("open a pseudo-terminal", &error);
        let (termios, size) = tty::look(terminal).map_err(of_pty)?;
        let pair = Pair::open(&termios, size).map_err(of_pty)?;
        let debug = settings.retry_after.then(|| DebugFile::new(args));
        let mut command = match &debug {
            Some(Ok(debug)) => program.command(&[&debug.args(), args].concat()),
            _ => program.command(args),
        };
        if let Some(Ok(_)) = debug {
            command.env(debug_file::LOG_VAR, debug_file::LOG_LEVEL);
        }
        command.env(NESTED_VAR, pty::nested_value(pair.name()));
        command.envs(watchdog_env(settings));
        let pty = pair
            .fork(command)
            .map_err(|error| LaunchError::own("make the child's parent", &error))?;
        Ok(Self { pty, debug })
    }
}

/// What woke the loop.
enum Ready {
    TtyWritable,
    /// Or closed for good.
    ChildWritable(bool),
    Signal(Got),
    Time,
    Hook(Heard),
    ChildReadable,
    TtyReadable,
    /// Nothing else is to be done just now.
    Idle,
}

/// An end that somebody asked for with a signal.
struct Ending {
    signal: Signal,
    /// When the child is killed.
    until: Instant,
    killed: bool,
    /// The child was told of a hangup.
    hung_up: bool,
}

struct Driver {
    tty: Tty,
    pty: Pty,
    session: Guarded<Session>,
    clock: Clock,
    signals: Signals,
    log: Log,
    locator: Option<Locator>,
    companion: Option<Companion>,
    /// Where the CLI's debug log is; it is gone when we are.
    debug: Option<DebugFile>,
    recorder: Option<Recorder>,
    to_tty: Outbound,
    to_child: Outbound,
    outbox: Outbox,
    buffer: Vec<u8>,
    size: Winsize,
    /// Nobody has the child's side of the pty open.
    child_eof: bool,
    /// When that is looked at again.
    eof_look: Option<ending::Look>,
    /// Nothing is to be read from the terminal any more: it hung up, or is not ours to read.
    tty_deaf: bool,
    /// The terminal is gone: what would go there is dropped.
    tty_gone: bool,
    /// We are not in the foreground, and do not touch the terminal.
    background: bool,
    /// The child's stop has been told, and it has not been continued.
    child_stopped: bool,
    ending: Option<Ending>,
    exited: Option<ExitKind>,
    /// The child has a size that is not the terminal's, until then.
    nudged: Option<Instant>,
    /// So often the session's deadline was due again as soon as it was answered.
    stuck: u32,
    /// Reads since anything else was looked at.
    reads: u32,
    /// When the child wrote last.
    wrote: Instant,
}

impl Driver {
    /// Takes over signals and terminal, then starts the child, all within the current runtime.
    fn start(
        settings: Settings,
        program: &Found,
        launch: Launch,
        terminal: OwnedFd,
        traits: TerminalTraits,
        recorder: &mut Option<Recorder>,
    ) -> Result<Self, LaunchError> {
        let of_terminal = |error: io::Error| LaunchError::own("set up the terminal", &error);
        let of_pty = |error: io::Error| LaunchError::own("open a pseudo-terminal", &error);

        let Launch {
            pty: waiting,
            debug,
        } = launch;
        let signals =
            Signals::register().map_err(|error| LaunchError::own("take signals", &error))?;
        let tty = Tty::new(terminal).map_err(of_terminal)?;
        // Raw before the child is there: in the background this waits for the foreground.
        tty.enter_raw().map_err(of_terminal)?;
        let size = tty.winsize().map_err(of_terminal)?;
        // While we waited for the foreground it may have become another.
        let cooked = tty.cooked().map_err(of_terminal)?;
        waiting.settle(&cooked, size).map_err(of_pty)?;

        let companion = (settings.hook == HookMode::Auto).then(Companion::start);
        let hook = companion.as_ref().and_then(|hook| hook.as_ref().ok());
        let clock = Clock::start();
        let spawned_unix_ms = clock::unix_ms();
        let spawned = waiting
            .start(&companion::environment(hook))
            .map_err(|error| program.exec_error(&error))?;
        let pty = Pty::new(spawned).map_err(of_pty)?;

        let mut log = Log::new(settings.log.clone());
        log.append(&json!({
            "event": "start",
            "version": env!("CARGO_PKG_VERSION"),
            "program": program.path.to_string_lossy(),
            "child": pty.child().as_raw_nonzero(),
            "folder": std::env::current_dir().ok().map(|dir| dir.to_string_lossy().into_owned()),
            "rows": size.ws_row,
            "cols": size.ws_col,
        }));
        if let Some(Err(error)) = &companion {
            let error = error.to_string();
            log.append(&json!({ "event": "hook-unavailable", "error": error }));
        }
        if let Some(Err(reason)) = &debug {
            log.append(&json!({ "event": "no-retry-after", "reason": reason }));
        }
        if companion.is_some() || debug.is_some() {
            guarded::spawn(async { private::sweep() });
        }
        let locator = (settings.transcript == TranscriptMode::Auto)
            .then(|| Locator::of_child(pty.child(), pty.session(), spawned_unix_ms))
            .flatten();
        let (now, seed) = (clock.now(), rand::random());
        let session =
            Guarded::new(|| Session::new(settings, traits, tty::session_size(size), now, seed));
        let mut recorder = recorder.take();
        if let Some(recorder) = &mut recorder {
            let size = tty::session_size(size);
            recorder.guarded(|recorder| recorder.begin(size, now.unix_ms, seed));
        }
        Ok(Self {
            tty,
            pty,
            session,
            clock,
            signals,
            log,
            locator,
            companion: companion.and_then(Result::ok),
            debug: debug.and_then(Result::ok),
            recorder,
            to_tty: Outbound::default(),
            to_child: Outbound::default(),
            outbox: Outbox::default(),
            buffer: vec![0; READ_BUFFER],
            size,
            child_eof: false,
            eof_look: None,
            tty_deaf: false,
            tty_gone: false,
            background: false,
            child_stopped: false,
            ending: None,
            exited: None,
            nudged: None,
            stuck: 0,
            reads: 0,
            wrote: Clock::instant(),
        })
    }

    /// The loop, and the child's last words.
    async fn run(&mut self) -> io::Result<ExitKind> {
        // Its signal may have come before we took signals.
        self.on_child_change().await?;
        let kind = loop {
            if let Some(kind) = self.exited {
                break kind;
            }
            let ready = self.ready().await?;
            crate::fault::point("driver");
            self.reads = match ready {
                Ready::ChildReadable | Ready::TtyReadable if self.reads < READS_IN_A_ROW => {
                    self.reads + 1
                }
                _ => 0,
            };
            match ready {
                Ready::TtyWritable => self.write_tty(),
                Ready::ChildWritable(true) => self.write_child(),
                Ready::ChildWritable(false) => self.to_child.clear(),
                Ready::Signal(got) => self.on_signal(got).await?,
                Ready::Time => {
                    self.on_time();
                    self.look_after_eof().await?;
                }
                Ready::Hook(heard) => self.on_hook(heard),
                Ready::ChildReadable => drop(self.read_child()?),
                Ready::TtyReadable => self.read_tty(),
                Ready::Idle => {
                    self.session.read_on();
                    self.note_failure();
                }
            }
        };
        self.drain(QUIET_AFTER_EXIT).await?;
        self.handle(&Event::ChildExited(kind));
        Ok(match &self.ending {
            Some(ending) if ending.killed => {
                ExitKind::Killed(number(signals::number(ending.signal)))
            }
            _ => kind,
        })
    }

    /// Waits for the next thing to do. What is typed and drawn comes first, and each chunk is written as soon
    /// as it was read; neither reader may starve the other, and after some reads it is the others' turn.
    async fn ready(&mut self) -> io::Result<Ready> {
        let at = self.next_time();
        // Asking for the time may have been what it failed at.
        self.note_failure();
        let behind = self.session.is_behind();
        let write_tty = self.may_write_tty() && !self.to_tty.is_empty();
        let write_child = !self.child_eof && !self.to_child.is_empty();
        let read_child = !self.child_eof && !self.to_tty.is_full();
        let read_tty = !self.background && !self.tty_deaf && !self.to_child.is_full();
        // One timer for both: each costs a call of the kernel.
        let (wake_at, idle) = match (at, behind.then(|| self.wrote + PAUSE)) {
            (Some(at), Some(pause)) => (Some(at.min(pause)), pause < at),
            (at, pause) => (at.or(pause), at.is_none()),
        };
        let time = async {
            let Some(at) = wake_at else {
                return std::future::pending().await;
            };
            tokio::time::sleep_until(at.into()).await;
            if idle {
                // Has the runtime ask the kernel first what else there is.
                tokio::task::yield_now().await;
            }
        };
        let hooks = async {
            match &mut self.companion {
                Some(companion) => companion.next().await,
                None => std::future::pending().await,
            }
        };
        let eager = self.reads < READS_IN_A_ROW;
        if !eager {
            // A read that always has something to give never has the runtime ask the kernel for the rest.
            tokio::task::yield_now().await;
        }
        let readable = || readable((&self.pty, read_child), (&self.tty, read_tty));
        tokio::select! {
            biased;
            ready = readable(), if eager => ready,
            got = self.signals.next() => Ok(Ready::Signal(got)),
            ok = self.tty.writable(), if write_tty => ok.map(|()| Ready::TtyWritable),
            open = self.pty.writable(), if write_child => open.map(Ready::ChildWritable),
            () = time => Ok(if idle { Ready::Idle } else { Ready::Time }),
            heard = hooks => Ok(Ready::Hook(heard)),
            ready = readable(), if !eager => ready,
        }
    }

    /// The session's deadline (none while we are stopped) or the end of a grace.
    fn next_time(&mut self) -> Option<Instant> {
        let session = self.session.next_deadline().filter(|_| !self.background);
        let session = session.and_then(|elapsed| self.clock.instant_of(elapsed));
        let ending = self.ending.as_ref().map(|ending| ending.until);
        let eof = self.eof_look.map(|look| look.at);
        [session, ending, self.nudged, eof]
            .into_iter()
            .flatten()
            .min()
    }

    fn on_time(&mut self) {
        let now = Clock::instant();
        self.end_nudge(now);
        if let Some(ending) = &mut self.ending
            && ending.until <= now
        {
            if ending.killed {
                self.exited = Some(ExitKind::Killed(number(Number::KILL)));
                return;
            }
            ending.killed = true;
            ending.until = now + STALL;
            self.pty.signal(Number::KILL);
        }
        if self.background || !self.is_due() {
            return;
        }
        self.handle(&Event::Deadline);
        self.stuck = if self.is_due() { self.stuck + 1 } else { 0 };
        if self.stuck > MAX_STUCK {
            self.session
                .fail(format!("a deadline that stands still, {MAX_STUCK} times"));
            self.note_failure();
        }
    }

    /// Has the session's deadline come?
    fn is_due(&mut self) -> bool {
        let now = self.clock.now().elapsed;
        self.session.next_deadline().is_some_and(|at| at <= now)
    }

    fn on_hook(&mut self, heard: Heard) {
        let Some(companion) = &mut self.companion else {
            return;
        };
        let (child, session) = (self.pty.child(), self.pty.session());
        match guarded::catch(|| companion.sort(heard, child, session)) {
            Ok(Some(News::Event(id, event))) => self.handle(&Event::Hook(id, event)),
            Ok(Some(News::Gone(id))) => self.handle(&Event::HookGone(id)),
            Ok(None) => {}
            Err(failure) => self.lose_companion(&failure),
        }
    }

    /// One read of the child's output: how much it gave.
    fn read_child(&mut self) -> io::Result<usize> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = self.pty.read(&mut buffer);
        match read {
            Ok(0) => self.on_child_eof(),
            Ok(n) => {
                self.on_child_back();
                self.wrote = Clock::instant();
                self.handle(&Event::ChildOutput(&buffer[..n]));
                if self.may_write_tty() && !self.to_tty.is_empty() {
                    self.write_tty();
                }
                self.keep_debug_short();
            }
            Err(_) => self.on_child_back(),
        }
        self.buffer = buffer;
        read.or_else(|error| again(error).map(|()| 0))
    }

    fn read_tty(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        match self.tty.read(&mut buffer) {
            Ok(0) => self.hang_up(),
            Ok(n) => {
                self.handle(&Event::UserInput(&buffer[..n]));
                if !self.child_eof && !self.to_child.is_empty() {
                    self.write_child();
                }
            }
            Err(error) => {
                if again(error).is_err() {
                    self.hang_up();
                }
            }
        }
        self.buffer = buffer;
    }

    fn write_tty(&mut self) {
        match self.tty.write(self.to_tty.pending()) {
            Ok(n) => self.to_tty.advance(n),
            Err(error) => {
                if again(error).is_err() {
                    self.lose_tty();
                }
            }
        }
    }

    fn write_child(&mut self) {
        match self.pty.write(self.to_child.pending()) {
            Ok(n) => self.to_child.advance(n),
            Err(error) => {
                if again(error).is_err() {
                    // Nobody has the other side open, as it seems.
                    self.on_child_eof();
                }
            }
        }
    }

    /// The terminal hung up: the child learns it as it would have. What it says is written for as long as
    /// that goes: the terminal may be there all the same, and has modes to be undone.
    fn hang_up(&mut self) {
        if !self.tty_deaf {
            self.tty_deaf = true;
            self.pass_on(Signal::Hup);
        }
    }

    /// The terminal takes nothing any more: the child is drained into nothing.
    fn lose_tty(&mut self) {
        if !self.tty_gone {
            self.tty_gone = true;
            self.to_tty.clear();
            self.hang_up();
        }
    }

    async fn on_signal(&mut self, got: Got) -> io::Result<()> {
        match got {
            Got::Winch => {
                if !self.background && !self.update_size() {
                    // Another one and back: the terminal has moved its rows all the same.
                    self.pty.signal(Number::WINCH);
                    self.handle(&Event::Resize(tty::session_size(self.size)));
                }
            }
            Got::Child => self.on_child_change().await?,
            Got::Cont => self.on_continued(),
            Got::Asked(Signal::Tstp) => {
                // Where we are not going to stop, the session must not stand aside: nobody would tell it to
                // come back.
                if self.may_stop() {
                    self.handle(&Event::Signal(Signal::Tstp));
                }
            }
            Got::Asked(signal) => self.pass_on(signal),
        }
        Ok(())
    }

    /// Passes a signal on; from now on the child has its grace to end.
    ///
    /// A hangup is told once, though it comes to us by the kernel, by the shell and as the end of input: for the
    /// second one a program may have no handler any more, and would not get to finish what it does at the first.
    fn pass_on(&mut self, signal: Signal) {
        let until = Clock::instant() + GRACE;
        let ending = self.ending.get_or_insert(Ending {
            signal,
            until,
            killed: false,
            hung_up: false,
        });
        if signal == Signal::Hup && std::mem::replace(&mut ending.hung_up, true) {
            return;
        }
        self.handle(&Event::Signal(signal));
        self.pty.signal(signals::number(signal));
        // A stopped child would not see it.
        self.pty.signal(Number::CONT);
        self.pty.resume();
    }

    /// Hands the terminal's size on where it has changed; false where it is the same.
    fn update_size(&mut self) -> bool {
        let Ok(size) = self.tty.winsize() else {
            return true;
        };
        let changed = !tty::same_size(size, self.size);
        if changed && self.pty.resize(size).is_ok() {
            (self.size, self.nudged) = (size, None);
            self.handle(&Event::Resize(tty::session_size(size)));
        }
        changed
    }

    /// Tells the session, queues its bytes, performs its effects.
    fn handle(&mut self, event: &Event<'_>) {
        self.tell(event);
        for _ in 0..MAX_EFFECTS {
            if self.outbox.effects.is_empty() {
                return;
            }
            match self.outbox.effects.remove(0) {
                Effect::ReadTranscript(named) => {
                    let (report, status) = self.look(named.as_deref());
                    self.tell(&Event::Status(status));
                    self.tell(&Event::Transcript(report));
                }
                Effect::ProbePty => {
                    let state = self.pty.state();
                    self.tell(&Event::Pty(state));
                }
                Effect::AnswerHook(id, answer) => {
                    if let Some(companion) = &mut self.companion {
                        companion.answer(id, answer);
                    }
                }
                Effect::ReadRetryAfter { failed } => {
                    let asked = self.retry_after(failed);
                    self.tell(&Event::RetryAfter(asked));
                }
                // Not asked of us: the CLI's keys go through us.
                Effect::Claim { .. } => {}
                Effect::Log(record) => self.log.append(&record),
                Effect::Suspend => self.stop_child(),
            }
        }
        self.session
            .fail(format!("more than {MAX_EFFECTS} effects at one event"));
        self.outbox.effects.clear();
        self.note_failure();
    }

    fn tell(&mut self, event: &Event<'_>) {
        self.session
            .handle(self.clock.now(), event, &mut self.outbox);
        if let Some(recorder) = &mut self.recorder {
            recorder.guarded(|recorder| recorder.note(event, &self.outbox.child));
        }
        self.send();
        self.note_failure();
    }

    /// Reads what the child has written, until the end or until it has been quiet for so long.
    async fn drain(&mut self, quiet: Duration) -> io::Result<()> {
        let mut left = LAST_WORDS;
        let mut until = Clock::instant() + STALL;
        while left > 0 && !self.child_eof && Clock::instant() < until {
            if self.to_tty.is_full() {
                self.flush().await?;
                if self.to_tty.is_full() {
                    break;
                }
                until = Clock::instant() + STALL;
            }
            match tokio::time::timeout(quiet, self.pty.readable()).await {
                Err(_elapsed) => break,
                Ok(ready) => ready?,
            }
            left = left.saturating_sub(self.read_child()?);
        }
        Ok(())
    }

    /// In the background only last words are written, as by any program.
    fn may_write_tty(&self) -> bool {
        !self.tty_gone && (!self.background || self.ending.is_some())
    }

    /// Writes what is queued for the terminal; what it takes nothing of for [`STALL`] stays queued.
    async fn flush(&mut self) -> io::Result<()> {
        while !self.to_tty.is_empty() && self.may_write_tty() {
            let patient = self.exited.is_some() && self.ending.is_none();
            tokio::select! {
                biased;
                got = self.signals.next(), if patient => self.on_late_signal(got),
                ok = self.tty.writable() => {
                    ok?;
                    self.write_tty();
                }
                () = tokio::time::sleep(STALL), if !patient => break,
            }
        }
        Ok(())
    }

    /// The way out, in this order: the session's bytes (the bar, the modes), then the attributes.
    async fn restore(&mut self, end: Option<ExitKind>) {
        if end.is_none() {
            let _ = self.end_child().await;
            self.handle(&Event::ChildExited(ExitKind::Killed(0)));
        }
        let _ = self.flush().await;
        tty::leave_raw();
        self.log.append(&match end {
            Some(ExitKind::Code(code)) => json!({ "event": "end", "code": code }),
            Some(ExitKind::Killed(signal)) => json!({ "event": "end", "signal": signal }),
            None => json!({ "event": "end" }),
        });
    }
}

/// Waits for something to read from either side that is asked, none before the other.
async fn readable(child: (&Pty, bool), tty: (&Tty, bool)) -> io::Result<Ready> {
    tokio::select! {
        ok = child.0.readable(), if child.1 => ok.map(|()| Ready::ChildReadable),
        ok = tty.0.readable(), if tty.1 => ok.map(|()| Ready::TtyReadable),
        else => std::future::pending().await,
    }
}

/// A signal's number, as an exit status has it.
fn number(signal: Number) -> u8 {
    u8::try_from(signal.as_raw()).unwrap_or_default()
}

/// Interrupted or not ready is no failure: the loop comes back to it.
fn again(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}
