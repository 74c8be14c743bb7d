//! A recording through the very session that runs in production, under a clock of its own.
//!
//! What the session asks for is answered from the recording. Nothing is typed: what would be typed is told, and the
//! session goes on looking for its moment, so that the recording's own course is seen with its eyes. Only where a
//! recording of our own shows that we typed at that very moment, the session types along with it.

use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use serde_json::{Value, json};

use super::lines::Lines;
use crate::cast::{Cast, Format, Note, What};
use crate::config::{BarMode, Settings};
use crate::supervisor::hook::{Answer, HookEvent};
use crate::supervisor::retry_after::Asked;
use crate::supervisor::session::{Effect, Event, Now, Outbox, PtyState, Session, TerminalTraits};
use crate::supervisor::transcript::Report;
use crate::supervisor::verdict::Status;
use crate::term::Size;
use crate::term::overlay::Compositor;
use crate::term::screen::Screen;

/// What the session's wall clock says at time 0 where nothing in the recording tells.
const WALL: u64 = 1_800_000_000_000;
/// What the jitter is drawn with where the recording does not tell.
const SEED: u64 = 42;
/// A live session acted at most so long after its replay does, which reads the transcript without its delay: the
/// delay that is borne with.
const LATER: Duration = Duration::from_secs(2);
/// The other way round there is only the clock's grain.
const EARLIER: Duration = Duration::from_millis(200);
/// A live look is so much later than its replay, where nothing else delays it: what it saw counts already.
const GRAIN: Duration = Duration::from_millis(50);
/// How long after the end, and after the longest wait, everything has been decided: drafts count as left alone,
/// notices have stood.
const AFTER: Duration = Duration::from_mins(1);
/// The event of the record that is told in place of typing.
pub const WOULD_TYPE: &str = "would-type";
/// An event's answer may ask for another event; a session that never ends this is at fault.
const MAX_DEPTH: usize = 64;
/// A deadline that fires so often without moving is taken for done.
const STUCK: u32 = 1000;

/// One thing that the session logged, or that is told in place of typing.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Since the recording's start.
    pub at: Duration,
    /// The record.
    pub record: Value,
    /// The screen, at a verdict, where it was asked for.
    pub screen: Option<Screen>,
}

/// A session that lives through a recording.
pub struct Replay<'a> {
    cast: &'a Cast,
    lines: Option<&'a Lines>,
    session: Session,
    message: String,
    cap: Duration,
    /// The screen once more: the session does not show its own.
    screen: Compositor,
    wall0: u64,
    elapsed: Duration,
    /// What happened, in order.
    pub steps: Vec<Step>,
    /// Keep the screen of each verdict.
    pub keep_screens: bool,
    /// Keep what the session would have written.
    pub keep_bytes: bool,
    /// That, to the terminal.
    pub tty: Vec<u8>,
    /// The same for the child.
    pub child: Vec<u8>,
    /// How many of the recording's events the notes below are of.
    noted: usize,
    /// The session and what the CLI said of itself, by the notes up to now.
    session_id: Option<&'a str>,
    busy: Option<bool>,
    /// The transcript's report, of so many of its lines and of this session.
    reported: Option<(usize, Option<&'a str>, Report)>,
    /// How many events are being answered.
    depth: usize,
    /// Some of the session's words are about what is not done here.
    quiet: bool,
    /// The session panicked.
    failed: bool,
}

impl<'a> Replay<'a> {
    /// A session at the recording's time 0. `wall0` is the wall clock then; see [`clock_of`].
    pub fn new(cast: &'a Cast, lines: Option<&'a Lines>, settings: &Settings, wall0: u64) -> Self {
        let bar = match cast.ours {
            Some(_) => settings.bar,
            // No bar was there whose keys could have been taken.
            None => BarMode::Off,
        };
        let settings = Settings {
            bar,
            log: None,
            ..settings.clone()
        };
        let traits = TerminalTraits {
            unicode: true,
            color: true,
            addressable: true,
        };
        let now = Now {
            elapsed: Duration::ZERO,
            unix_ms: wall0,
        };
        let seed = cast.ours.as_ref().map_or(SEED, |ours| ours.seed);
        Self {
            cast,
            lines,
            message: settings.message.clone(),
            cap: settings.cap,
            session: Session::new(settings, traits, cast.size, now, seed),
            screen: Compositor::new(cast.size, BarMode::Off, true),
            wall0,
            elapsed: Duration::ZERO,
            steps: Vec::new(),
            keep_screens: false,
            keep_bytes: false,
            tty: Vec::new(),
            child: Vec::new(),
            noted: 0,
            session_id: cast.events.iter().find_map(session_of),
            busy: None,
            reported: None,
            depth: 0,
            quiet: false,
            failed: false,
        }
    }

    /// All of the recording. `cut` says how many of so many bytes of output come in one piece.
    pub fn play(&mut self, mut cut: impl FnMut(usize) -> usize) {
        for event in &self.cast.events {
            self.run_until(event.at);
            match &event.what {
                What::Output(bytes) => {
                    let mut rest = bytes.as_slice();
                    while !rest.is_empty() {
                        let piece;
                        (piece, rest) = rest.split_at(cut(rest.len()).clamp(1, rest.len()));
                        self.event(Event::ChildOutput(piece));
                    }
                }
                What::Input(bytes) => self.event(Event::UserInput(bytes)),
                What::Resize(size) => self.resize(*size),
                What::Exit(kind) => self.event(Event::ChildExited(*kind)),
                What::Note(note) => self.note(note),
                What::Typed(_) | What::Marker(_) => {}
            }
        }
    }

    /// On past the end, where the CLI did not end with it, until the last wait has come to its decision.
    pub fn run_on(&mut self) {
        if self.ends_with_exit() {
            return;
        }
        let asked = self.session.state().wait().and_then(|wait| wait.asked);
        let until = self.elapsed + self.cap + asked.unwrap_or_default() + AFTER;
        let told = self.steps.len();
        let end = self.elapsed;
        self.run_until(until);
        if told < self.steps.len() {
            let step = Step {
                at: end,
                record: json!({"event": "recording-ends"}),
                screen: None,
            };
            self.steps.insert(told, step);
        }
    }

    /// Did the CLI end with the recording?
    pub fn ends_with_exit(&self) -> bool {
        let exit = |event: &crate::cast::Event| matches!(event.what, What::Exit(_));
        self.cast.events.iter().any(exit)
    }

    fn resize(&mut self, size: Size) {
        self.screen.resize(size);
        self.event(Event::Resize(size));
    }

    fn note(&mut self, note: &Note) {
        match note {
            Note::Hook {
                id,
                session_id,
                happened,
            } => {
                let event = HookEvent {
                    happened: happened.clone(),
                    session_id: session_id.clone(),
                    transcript: format!("{session_id}.jsonl").into(),
                };
                self.event(Event::Hook(*id, event));
            }
            Note::HookGone { id } => self.event(Event::HookGone(*id)),
            Note::Clock { unix_ms } => {
                let elapsed = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX);
                self.wall0 = unix_ms.saturating_sub(elapsed);
            }
            Note::Stopped => self.event(Event::ChildStopped),
            Note::Resumed => self.event(Event::Resumed),
            Note::Ours | Note::Session { .. } | Note::Status { .. } | Note::Asked { .. } => {}
        }
    }

    fn now(&self) -> Now {
        let elapsed = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX);
        Now {
            elapsed: self.elapsed,
            unix_ms: self.wall0.saturating_add(elapsed),
        }
    }

    fn run_until(&mut self, until: Duration) {
        let mut rounds = 0;
        while let Some(deadline) = self.session.next_deadline().filter(|at| *at <= until) {
            if self.failed {
                break;
            }
            rounds = if deadline > self.elapsed {
                0
            } else {
                rounds + 1
            };
            if rounds > STUCK {
                self.elapsed += Duration::from_millis(1);
                if self.elapsed > until {
                    return;
                }
            }
            self.elapsed = self.elapsed.max(deadline);
            self.event(Event::Deadline);
        }
        self.elapsed = self.elapsed.max(until);
    }

    fn event(&mut self, event: Event<'_>) {
        if self.failed {
            return;
        }
        let mut out = Outbox::default();
        let now = self.now();
        let handled = panic::catch_unwind(AssertUnwindSafe(|| {
            if let Event::ChildOutput(bytes) = event {
                self.screen.child_output(bytes, &mut Vec::new());
            }
            self.session.handle(now, event, &mut out);
        }));
        if handled.is_err() {
            // As in a live run, where the wrapper goes on as a plain pipe. Neither is looked at again.
            self.log(json!({"event": "failed"}));
            self.failed = true;
            return;
        }
        if self.keep_bytes {
            self.tty.append(&mut out.tty);
            self.child.append(&mut out.child);
        }
        if self.depth > MAX_DEPTH || out.effects.len() > MAX_DEPTH {
            self.log(json!({"event": "failed"}));
            self.failed = true;
            return;
        }
        self.depth += 1;
        for effect in out.effects {
            match effect {
                Effect::ReadTranscript(_) => {
                    let (report, status) = (self.report(), self.status());
                    self.event(Event::Status(status));
                    self.event(Event::Transcript(report));
                }
                Effect::ProbePty => self.probe(),
                Effect::ReadRetryAfter { .. } => {
                    let asked = self.asked();
                    self.event(Event::RetryAfter(asked));
                }
                Effect::Log(record) if !self.quiet => self.log(record),
                Effect::AnswerHook(_, Answer::Resume | Answer::LetGo | Answer::Foreign)
                | Effect::Claim { .. }
                | Effect::Log(_)
                | Effect::Suspend => {}
            }
        }
        self.depth -= 1;
    }

    fn log(&mut self, record: Value) {
        let wanted = self.keep_screens && record["event"] == "verdict";
        let screen = wanted.then(|| self.screen.screen());
        self.steps.push(Step {
            at: self.elapsed,
            record,
            screen,
        });
    }

    /// A look that finds no more lines than the one before it reports the same.
    fn report(&mut self) -> Report {
        self.read_notes();
        let Some(lines) = self.lines else {
            return Report::Unknown;
        };
        let (unix_ms, session) = match self.cast.format {
            Format::Raw => (u64::MAX, None),
            _ => (self.now().unix_ms, self.session_id),
        };
        let count = lines.count(unix_ms);
        match &self.reported {
            Some((of, whose, report)) if *of == count && *whose == session => report.clone(),
            _ => {
                let report = lines.report(unix_ms, session);
                self.reported = Some((count, session, report.clone()));
                report
            }
        }
    }

    fn status(&mut self) -> Status {
        self.read_notes();
        match self.busy {
            None => Status::Unknown,
            Some(false) => Status::Idle,
            Some(true) => Status::Busy,
        }
    }

    /// What was noted by now.
    fn read_notes(&mut self) {
        let by_now = self.elapsed + GRAIN;
        let events = &self.cast.events[self.noted..];
        for event in events.iter().take_while(|event| event.at <= by_now) {
            self.noted += 1;
            if let What::Note(Note::Status { busy }) = &event.what {
                self.busy = *busy;
            }
            self.session_id = session_of(event).or(self.session_id);
        }
    }

    /// What the recording has at about this moment.
    fn about_now(&self) -> &'a [crate::cast::Event] {
        let events: &'a [_] = &self.cast.events;
        let from = self.elapsed.saturating_sub(EARLIER);
        let until = self.elapsed + LATER;
        let start = events.partition_point(|event| event.at < from);
        let end = events.partition_point(|event| event.at < until);
        &events[start..end]
    }

    fn asked(&self) -> Option<Asked> {
        let mut events = self.about_now().iter();
        events.find_map(|event| match event.what {
            What::Note(Note::Asked { whole_ms, left_ms }) => Some(Asked {
                whole: Duration::from_millis(whole_ms),
                left: Duration::from_millis(left_ms),
            }),
            _ => None,
        })
    }

    /// All witnesses agree: now it would type.
    fn probe(&mut self) {
        // A lone byte that was not the user's at that moment is an Esc of theirs that was passed on late.
        let message = |what: &What| matches!(what, What::Typed(bytes) if bytes.len() > 1);
        let typed = self.about_now().iter().any(|event| message(&event.what));
        if typed {
            return self.event(Event::Pty(PtyState {
                raw: true,
                foreground: true,
            }));
        }
        // While nothing else happens it is told once, and looked at again every second.
        if self
            .steps
            .last()
            .is_none_or(|step| step.record["event"] != WOULD_TYPE)
        {
            let attempt = self.session.state().wait().map(|wait| wait.attempt);
            self.log(json!({"event": WOULD_TYPE, "text": self.message, "attempt": attempt}));
        }
        // It holds off, as where the CLI does not read keys, and sees what the recording does instead.
        self.quiet = true;
        self.event(Event::Pty(PtyState {
            raw: false,
            foreground: true,
        }));
        self.quiet = false;
    }
}

/// The session that this event notes.
fn session_of(event: &crate::cast::Event) -> Option<&str> {
    match &event.what {
        What::Note(Note::Session { id }) => Some(id),
        _ => None,
    }
}

/// What the wall clock said at the recording's time 0, and how that is known.
pub fn clock_of(cast: &Cast, lines: Option<&Lines>) -> (u64, &'static str) {
    if let Some(ours) = &cast.ours {
        return (ours.started_ms, "by the recording's own clock");
    }
    let Some((lines, first)) = lines.and_then(|lines| Some((lines, lines.first_user()?))) else {
        return (
            cast.timestamp
                .map_or(WALL, |seconds| seconds.saturating_mul(1000)),
            "by nothing",
        );
    };
    if cast.format == Format::Raw {
        return (
            lines.first().unwrap_or(first).saturating_sub(1),
            "not at all: a raw capture has no times, so all of the transcript counts",
        );
    }
    // The CLI stamps a line some time after the Enter: the pair that is nearest tells the clock best.
    let enters = cast.enters();
    let one_each = lines.users().count() == enters.len();
    let pairs = enters.iter().zip(lines.users());
    let enter = pairs
        .take(if one_each { enters.len() } else { 1 })
        .filter_map(|(at, user)| user.checked_sub(u64::try_from(at.as_millis()).ok()?))
        .min();
    match (
        cast.timestamp.map(|seconds| seconds.saturating_mul(1000)),
        enter,
    ) {
        // The header's time has whole seconds; the Enter is exact, where it is the one.
        (Some(started), Some(enter)) if enter.abs_diff(started) <= 2_000 => {
            (enter, "by the first Enter")
        }
        (Some(started), _) => (started, "by the header's timestamp"),
        (None, Some(enter)) => (enter, "by the first Enter"),
        (None, None) => (
            lines.last().unwrap_or(first).saturating_add(1_000),
            "by nothing: nobody pressed Enter, so all of the transcript is from before",
        ),
    }
}
