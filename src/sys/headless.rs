//! A run without a terminal: pipes in, events to the [`Job`], its bytes out, its effects performed.
//!
//! The CLI is our child in our own process group: what the terminal sends to the group reaches it as it would without
//! us. Its stderr is ours. Stdin and stdout may be files, which cannot be waited for, or pipes that others share, which
//! are not to be made nonblocking: a thread each reads and writes them ([`ends`]).

mod ends;
mod failing;
mod line;
mod look;
mod origin;
mod run;

use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use self::ends::{Input, Output};
use self::line::Line;
use self::origin::Origin;
use self::run::{Run, kind_of};
use super::clock::Clock;
use super::program::Found;
use super::signals::{self, Got, Signals};
use super::{LaunchError, Log, guarded};
use crate::config::Settings;
use crate::supervisor::headless::arguments::Invocation;
use crate::supervisor::headless::{Effect, Event, Job, Outbox, Voice, signal_number};
use crate::supervisor::session::{ExitKind, Signal};

/// A pipe holds 64 kB, on most systems.
const READ_BUFFER: usize = 64 * 1024;
/// So much may wait for our stdout before no more is read of the run's.
const TO_STDOUT: usize = 1024 * 1024;
/// How long the run's output must be quiet after its end until it counts as drained, where a process of its keeps the
/// pipe open.
const QUIET_AFTER_EXIT: Duration = Duration::from_millis(100);
/// How long the CLI may take to end where nobody reads what it prints, or somebody told it to. It gives its own way out
/// up to 6.5 s.
const GRACE: Duration = Duration::from_secs(10);
/// How long its `--help` may take.
const HELP: Duration = Duration::from_secs(10);
/// A frame of the countdown on stderr, in whole seconds.
const FRAME: Duration = Duration::from_secs(1);
/// What a shell says of a program that wrote into a pipe that nobody reads.
const SIGPIPE: u8 = 13;
/// What a job may ask for in answer to one event.
const MAX_EFFECTS: usize = 64;

/// Runs the CLI, and the runs that resume it, until there is an end.
pub(super) fn run(
    settings: Settings,
    program: &Found,
    args: &[OsString],
) -> Result<ExitKind, LaunchError> {
    crate::fault::arm();
    guarded::install_panic_hook();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    let runtime = runtime.map_err(|error| LaunchError::own("start the event loop", &error))?;
    let end = runtime.block_on(async {
        let mut driver = Driver::new(settings, program.clone(), args)?;
        let end = driver.run().await;
        driver.close(end.as_ref().ok().copied());
        end
    });
    // The threads may be in the middle of a read: they end with us.
    runtime.shutdown_background();
    end
}

/// What woke the loop.
enum Ready {
    Signal(Got),
    Exited(io::Result<ExitStatus>),
    Output(io::Result<usize>),
    /// The run is over and its pipe quiet.
    Quiet,
    Taken(io::Result<usize>),
    Input(io::Result<Vec<u8>>),
    Written(io::Result<()>),
    Help(Option<String>),
    Time,
}

struct Driver {
    settings: Settings,
    program: Found,
    /// The user's.
    args: Vec<OsString>,
    job: Option<Job>,
    clock: Clock,
    signals: Signals,
    log: Log,
    run: Option<Run>,
    input: Option<Input>,
    output: Output,
    line: Line,
    outbox: Outbox,
    buffer: Vec<u8>,
    help: Option<tokio::task::JoinHandle<Option<String>>>,
    /// Which of Ctrl+C and Ctrl+\\ came from the terminal, which tells the run, too.
    origin: Origin,
    /// We were told to end: when the run is killed, and nobody is waited for any more.
    kill_at: Option<Instant>,
    /// Nobody reads what we write.
    broken: bool,
    /// How we end then.
    unwritten: ExitKind,
    end: Option<ExitKind>,
    failed: Option<LaunchError>,
}

impl Driver {
    fn new(settings: Settings, program: Found, args: &[OsString]) -> Result<Self, LaunchError> {
        let failed = |error| LaunchError::own("take signals", &error);
        let origin = Origin::register().map_err(failed)?;
        let signals = Signals::register().map_err(failed)?;
        let line = Line::new();
        let voice = match (settings.quiet, line.is_live()) {
            (true, _) => Voice::Silent,
            (false, true) => Voice::Live,
            (false, false) => Voice::Lines,
        };
        let clock = Clock::start();
        let job = guarded::catch(|| {
            let invocation = Invocation::read(args);
            Job::new(settings.clone(), invocation, voice, rand::random())
        });
        let mut log = Log::new(settings.log.clone());
        log.append(&json!({
            "event": "start",
            "version": env!("CARGO_PKG_VERSION"),
            "program": program.path.to_string_lossy(),
            "folder": std::env::current_dir().ok().map(|dir| dir.to_string_lossy().into_owned()),
            "mode": "headless",
        }));
        Ok(Self {
            job: job.ok(),
            args: args.to_vec(),
            input: None,
            output: Output::new(),
            outbox: Outbox::default(),
            buffer: vec![0; READ_BUFFER],
            run: None,
            help: None,
            origin,
            kill_at: None,
            broken: false,
            unwritten: ExitKind::Killed(SIGPIPE),
            end: None,
            failed: None,
            settings,
            program,
            clock,
            signals,
            log,
            line,
        })
    }

    async fn run(&mut self) -> Result<ExitKind, LaunchError> {
        self.handle(&Event::Begin);
        loop {
            if let Some(failed) = self.failed.take() {
                return Err(failed);
            }
            if let Some(end) = self.end {
                return Ok(self.last_words().await.unwrap_or(end));
            }
            self.show();
            match self.ready().await {
                Ready::Signal(got) => self.on_signal(got),
                Ready::Exited(status) => self.on_exited(status),
                Ready::Output(Ok(read)) if read > 0 => {
                    let bytes = self.buffer[..read].to_vec();
                    self.handle(&Event::Output(&bytes));
                }
                Ready::Output(_) | Ready::Quiet => {
                    if let Some(run) = &mut self.run {
                        run.stdout = None;
                    }
                    self.drained();
                }
                Ready::Taken(taken) => self.on_taken(taken.ok()),
                Ready::Input(Ok(bytes)) if !bytes.is_empty() => self.handle(&Event::Input(&bytes)),
                Ready::Input(_) => {
                    if let Some(input) = &mut self.input {
                        input.end();
                    }
                    self.handle(&Event::InputEnded);
                }
                Ready::Written(Ok(())) => {}
                Ready::Written(Err(error)) => self.on_broken(&error),
                Ready::Help(help) => {
                    self.help = None;
                    self.handle(&Event::Help(help));
                }
                Ready::Time => self.on_time(),
            }
        }
    }

    /// Writes what is left, and gives how we end where that is not to be: nobody reads it, or somebody does not want to
    /// wait for whoever does.
    async fn last_words(&mut self) -> Option<ExitKind> {
        while !self.broken {
            let until = self.kill_at;
            tokio::select! {
                biased;
                written = self.output.flush() => match written {
                    Ok(()) => return None,
                    Err(error) => {
                        self.on_broken(&error);
                        return Some(self.unwritten);
                    }
                },
                got = self.signals.next() => match got {
                    Got::Asked(Signal::Tstp) => self.on_signal(got),
                    Got::Asked(signal) => return Some(ExitKind::Killed(signal_number(signal))),
                    Got::Winch | Got::Child | Got::Cont => {}
                },
                () = at(until) => return None,
            }
        }
        None
    }

    /// Waits for what is next.
    async fn ready(&mut self) -> Ready {
        let deadline = self.deadline();
        let room = self.output.waiting() < TO_STDOUT;
        // Between two runs what comes is left where it is, but for lines: they are for the next one.
        let job = self.job.as_ref();
        let mut hungry = self.run.is_none() && job.is_some_and(Job::hears_between_runs);
        let (mut exit, mut read, mut write) = (None, None, None);
        let mut over = false;
        if let Some(run) = &mut self.run {
            over = run.exited.is_some();
            hungry = run.stdin.is_some() && run.queue.is_empty();
            exit = (!over).then_some(&mut run.child);
            read = run.stdout.as_mut().filter(|_| room);
            write = run
                .stdin
                .as_mut()
                .filter(|_| !run.queue.is_empty())
                .map(|stdin| (stdin, &run.queue));
        }
        let reads = read.is_some();
        tokio::select! {
            biased;
            got = self.signals.next() => Ready::Signal(got),
            taken = async { match write {
                Some((stdin, queue)) => stdin.write(queue).await,
                None => std::future::pending().await,
            } } => Ready::Taken(taken),
            read = async { match read {
                Some(stdout) => stdout.read(&mut self.buffer).await,
                None => std::future::pending().await,
            } } => Ready::Output(read),
            status = async { match exit {
                Some(child) => child.wait().await,
                None => std::future::pending().await,
            } } => Ready::Exited(status),
            () = tokio::time::sleep(QUIET_AFTER_EXIT), if over && reads => Ready::Quiet,
            written = self.output.written() => Ready::Written(written),
            input = async { match &mut self.input {
                Some(input) if hungry => input.next().await,
                _ => std::future::pending().await,
            } } => Ready::Input(input),
            help = async { match &mut self.help {
                Some(help) => help.await,
                None => std::future::pending().await,
            } } => Ready::Help(help.unwrap_or(None)),
            () = at(deadline) => Ready::Time,
        }
    }

    /// The next of the job's deadlines and ours.
    fn deadline(&mut self) -> Option<Instant> {
        let job = self.job.as_ref();
        let due = job.and_then(|job| guarded::catch(|| job.next_deadline()).ok().flatten());
        let frame = job
            .and_then(Job::progress)
            .filter(|_| self.shows())
            .map(|progress| {
                let now = self.clock.now().elapsed;
                let left = progress.until.saturating_sub(now);
                // When the whole seconds that are left become fewer.
                let whole = Duration::from_secs(left.as_secs());
                let part = left.saturating_sub(whole);
                now + if part.is_zero() { FRAME } else { part }
            });
        let due = [due, frame].into_iter().flatten().min();
        let due = due.and_then(|at| self.clock.instant_of(at));
        [due, self.kill_at].into_iter().flatten().min()
    }

    /// Not while bytes are on their way to stdout, which may be the same terminal.
    const fn shows(&self) -> bool {
        self.line.is_live() && !self.settings.quiet && self.output.is_idle()
    }

    /// The countdown as it is now, or none.
    fn show(&mut self) {
        if !self.shows() {
            return;
        }
        let now = self.clock.now().elapsed;
        let progress = self.job.as_ref().and_then(Job::progress);
        self.line.show(progress.as_ref(), now);
    }

    fn on_time(&mut self) {
        if self.kill_at.is_some_and(|at| Clock::instant() >= at) {
            // It does not end by itself.
            self.kill_at = None;
            if let Some(pid) = self.pid() {
                let _ = kill_process(pid, rustix::process::Signal::KILL);
            }
            if self.broken {
                self.end = Some(self.unwritten);
            }
            return;
        }
        self.handle(&Event::Deadline);
    }

    fn handle(&mut self, event: &Event<'_>) {
        let mut event = Some(event.clone());
        let mut effects = 0;
        while let Some(next) = event.take() {
            let now = self.clock.now();
            let Some(job) = &mut self.job else {
                self.without_job(&next);
                return;
            };
            let mark = (
                self.outbox.stdout.len(),
                self.outbox.child.len(),
                self.outbox.effects.len(),
            );
            let outbox = &mut self.outbox;
            if let Err(failure) = guarded::catch(|| {
                crate::fault::point("headless");
                job.handle(now, next.clone(), outbox);
            }) {
                self.outbox.stdout.truncate(mark.0);
                self.outbox.child.truncate(mark.1);
                self.outbox.effects.truncate(mark.2);
                self.fail(&failure, &next);
                return;
            }
            for effect in std::mem::take(&mut self.outbox.effects) {
                effects += 1;
                if effects > MAX_EFFECTS {
                    self.fail("a job that never ends", &next);
                    return;
                }
                let answer = self.perform(effect);
                event = event.or(answer);
            }
            let bytes = std::mem::take(&mut self.outbox.stdout);
            if !bytes.is_empty() {
                self.line.wipe();
                self.output.write(bytes);
            }
            let bytes = std::mem::take(&mut self.outbox.child);
            if let Some(run) = self.run.as_mut().filter(|run| run.stdin.is_some()) {
                run.queue.extend(bytes);
                run.close_if_done();
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Event<'static>> {
        match effect {
            Effect::Start(args) => {
                if let Err(error) = self.start(&args) {
                    if self.job.as_ref().is_some_and(Job::is_again) {
                        self.line.say(&format!("not retried: {error}"));
                        return Some(Event::NotStarted);
                    }
                    self.failed = Some(error);
                }
            }
            Effect::CloseInput => {
                // Behind the bytes that come with it.
                if let Some(run) = &mut self.run {
                    run.closing = true;
                }
            }
            Effect::Look(place) => {
                let sight = guarded::catch(|| look::look(&place));
                let sight = sight.unwrap_or(crate::supervisor::headless::Sight::Unsure);
                return Some(Event::Sight(sight));
            }
            Effect::AskHelp => self.ask_help(),
            Effect::Kill(signal) => self.pass_on(signal),
            Effect::Say(text) => self.line.say(&text),
            Effect::Log(record) => self.log.append(&record),
            Effect::End(kind) => self.end = Some(kind),
        }
        None
    }

    fn start(&mut self, args: &[OsString]) -> Result<(), LaunchError> {
        self.line.wipe();
        let run = Run::start(&self.program, args, &self.settings)?;
        if run.stdin.is_some() && self.input.is_none() {
            self.input = Some(Input::start());
        }
        self.run = Some(run);
        self.kill_at = None;
        Ok(())
    }

    fn ask_help(&mut self) {
        let mut command = self.program.command(&["--help".into()]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut command = Command::from(command);
        command.kill_on_drop(true);
        self.help = Some(tokio::spawn(async move {
            let output = tokio::time::timeout(HELP, command.output()).await.ok()?;
            String::from_utf8(output.ok()?.stdout).ok()
        }));
    }

    fn pid(&self) -> Option<Pid> {
        let run = self.run.as_ref().filter(|run| run.exited.is_none())?;
        Pid::from_raw(i32::try_from(run.child.id()?).ok()?)
    }

    /// Tells the run of a signal, unless the terminal did: it sends a Ctrl+C to all of its foreground.
    fn pass_on(&mut self, signal: Signal) {
        let Some(pid) = self.pid() else { return };
        if !self.origin.is_terminal(signal) {
            let _ = kill_process(pid, signals::number(signal));
        }
    }

    fn on_signal(&mut self, got: Got) {
        match got {
            Got::Asked(Signal::Tstp) => {
                // The run is in our group, and has got it too.
                self.line.wipe();
                self.clock.pause();
                let _ = kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
                self.clock.resume();
            }
            Got::Winch | Got::Child | Got::Cont => {}
            Got::Asked(signal) => {
                if self.kill_at.is_none() {
                    self.kill_at = Clock::instant().checked_add(GRACE);
                }
                self.handle(&Event::Signal(signal));
            }
        }
    }

    fn on_exited(&mut self, status: io::Result<ExitStatus>) {
        let kind = status.map_or(ExitKind::Code(1), kind_of);
        if let Some(run) = &mut self.run {
            run.exited = Some(kind);
            run.stdin = None;
            run.queue.clear();
        }
        self.drained();
    }

    /// The run is over where it has ended and nothing more is to be read.
    fn drained(&mut self) {
        let over = self.run.as_ref().filter(|run| run.stdout.is_none());
        let Some(kind) = over.and_then(|run| run.exited) else {
            return;
        };
        self.run = None;
        if self.broken {
            self.end = Some(self.unwritten);
            return;
        }
        self.handle(&Event::Exited(kind));
    }

    fn on_taken(&mut self, taken: Option<usize>) {
        let Some(run) = &mut self.run else { return };
        if let Some(taken) = taken {
            run.queue.drain(..taken);
            run.close_if_done();
        } else {
            // It reads no more, which is its own affair.
            run.stdin = None;
            run.queue.clear();
        }
    }

    fn close(&mut self, end: Option<ExitKind>) {
        self.line.wipe();
        self.log.append(&match end {
            Some(ExitKind::Code(code)) => json!({ "event": "end", "code": code }),
            Some(ExitKind::Killed(signal)) => json!({ "event": "end", "signal": signal }),
            None => json!({ "event": "end" }),
        });
    }
}

/// Waits until then, or for ever.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
