//! The state machine; its table is in the folder's docs.

use std::ffi::OsString;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::arguments::{Format, Invocation};
use super::input::{Input, KEPT_AT_MOST, message_line};
use super::output::{Dropped, Output, Passed, Said};
use super::result::Totals;
use super::stream::goes_on;
use super::{Effect, Event, Outbox, Progress, Sight, Voice, records};
use crate::config::Settings;
use crate::supervisor::retry::{Tries, Wait};
use crate::supervisor::session::{ExitKind, Now, Signal, what};
use crate::supervisor::wording::Class;

/// How a failed run is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// By one that resumes its session.
    Resume {
        /// It counts on from the session's costs.
        counts_on: bool,
    },
    /// By the same command.
    StartOver,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    Running,
    Looking {
        said: Box<Said>,
        class: Class,
        since: Duration,
        /// When to look again.
        next: Option<Duration>,
        /// The CLI's help was asked for, and what was seen before.
        asked: Option<Box<Sight>>,
    },
    Waiting(Box<Wait>, Next),
    /// We were told to end, and wait for the run to; as what, where not as it does.
    Leaving(Option<ExitKind>),
    Done,
}

/// The supervisor of one command.
#[derive(Debug)]
pub struct Job {
    pub(super) settings: Settings,
    pub(super) invocation: Invocation,
    pub(super) voice: Voice,
    pub(super) tries: Tries,
    pub(super) rng: StdRng,
    pub(super) state: State,
    pub(super) output: Output,
    pub(super) input: Input,
    /// The id for a session that has none of the user's.
    pub(super) own_id: String,
    /// The session's id, where it is known.
    pub(super) session: Option<String>,
    /// When the run, or the turn, began, in milliseconds since the Unix epoch.
    pub(super) began_ms: u64,
    /// How the run ended; none while it lives.
    pub(super) ended: Option<ExitKind>,
    /// How the one before it ended.
    ended_before: Option<ExitKind>,
    /// It gets the user's input: the first one does, and those that start over, and where it is lines all do.
    pub(super) takes_input: bool,
    /// Its stdin was closed.
    pub(super) input_closed: bool,
    /// What the user wrote while no run was there to take it, or that is no whole line yet.
    pub(super) unsent: Vec<u8>,
    /// Runs that were not the first.
    pub(super) again: u32,
    /// The transcript's line that was dealt with last: it is still the newest where the file lags.
    pub(super) handled: Option<String>,
}

impl Job {
    /// A command that begins with [`Event::Begin`]. `seed` feeds the jitter and the ids.
    pub fn new(settings: Settings, invocation: Invocation, voice: Voice, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed.rotate_left(32));
        Self {
            tries: Tries::new(&settings, seed),
            state: State::Running,
            output: Output::new(invocation.format),
            input: Input::new(invocation.stream_input),
            own_id: records::uuid(&mut rng),
            session: None,
            began_ms: 0,
            ended: None,
            ended_before: None,
            takes_input: true,
            input_closed: false,
            unsent: Vec::new(),
            again: 0,
            handled: None,
            rng,
            voice,
            invocation,
            settings,
        }
    }

    /// Takes what happened and appends the answer to `out`.
    pub fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Outbox) {
        match event {
            Event::Begin => self.start_over(now, out),
            Event::Input(bytes) => self.on_input(bytes, out),
            Event::InputEnded => {
                self.input.ended = true;
                self.close_input(out);
            }
            Event::Output(bytes) => self.on_output(now, bytes, out),
            Event::Exited(kind) => self.on_exit(now, kind, out),
            Event::NotStarted => self.on_not_started(out),
            Event::Sight(sight) => self.on_sight(now, sight, out),
            Event::Help(help) => self.on_help(now, help.as_deref(), out),
            Event::Signal(signal) => self.on_signal(signal, out),
            Event::Deadline => self.on_deadline(now, out),
        }
    }

    /// When it wants an [`Event::Deadline`], as [`Now::elapsed`].
    pub fn next_deadline(&self) -> Option<Duration> {
        match &self.state {
            State::Looking { next, .. } => *next,
            State::Waiting(wait, _) => Some(wait.until),
            State::Running | State::Leaving(_) | State::Done => None,
        }
    }

    /// The wait that is to be shown, if there is one.
    pub fn progress(&self) -> Option<Progress> {
        let State::Waiting(wait, _) = &self.state else {
            return None;
        };
        Some(Progress {
            what: what(wait.failure.class),
            attempt: wait.attempt,
            max: self.tries.max(),
            until: wait.until,
            total: wait.total,
        })
    }

    /// Everything that is held back, as the CLI printed it: for who goes on without us.
    pub fn withheld(&self) -> Vec<u8> {
        self.output.withheld()
    }

    /// Is the user's input wanted while no run is there to take it?
    pub const fn hears_between_runs(&self) -> bool {
        self.invocation.stream_input && self.unsent.len() < KEPT_AT_MOST
    }

    /// Does the run that is to be started follow another?
    pub const fn is_again(&self) -> bool {
        self.again > 0
    }

    pub(super) const fn lives(&self) -> bool {
        self.ended.is_none()
    }

    fn start_over(&mut self, now: Now, out: &mut Outbox) {
        let (args, session) = self.invocation.first(&self.own_id);
        self.session = session;
        self.takes_input = true;
        self.start(now, args, out);
        if let Some(kept) = self.input.kept() {
            out.child.extend_from_slice(kept);
        }
        self.unsent.clear();
        self.close_input(out);
    }

    fn start(&mut self, now: Now, args: Vec<OsString>, out: &mut Outbox) {
        self.state = State::Running;
        self.ended_before = self.ended.take();
        self.input_closed = false;
        self.began_ms = now.unix_ms;
        out.effects.push(Effect::Start(args));
    }

    /// Passes the end of the input on, unless a message of ours is to come.
    fn close_input(&mut self, out: &mut Outbox) {
        let ours = matches!(self.state, State::Looking { .. } | State::Waiting(..));
        let over = self.input.ended || !self.takes_input;
        if over && self.lives() && !self.input_closed && !ours {
            self.input_closed = true;
            out.effects.push(Effect::CloseInput);
        }
    }

    fn on_input(&mut self, bytes: &[u8], out: &mut Outbox) {
        let begun = self.input.in_line();
        let lines = self.input.feed(bytes);
        if !self.takes_input && !self.invocation.stream_input {
            return;
        }
        if !self.lives() {
            self.unsent.extend_from_slice(bytes);
            return;
        }
        if !matches!(self.state, State::Looking { .. } | State::Waiting(..)) {
            out.child.extend_from_slice(bytes);
            return;
        }
        // A line that is half written would end in ours.
        let torn = begun && self.unsent.is_empty();
        self.unsent.extend_from_slice(bytes);
        if torn || lines.iter().any(|line| goes_on(line)) {
            self.stand_down("you went on", out);
            return;
        }
        // What is no message is the CLI's all the same: answers to its requests, requests of the host's.
        let whole = self.unsent.iter().rposition(|byte| *byte == b'\n');
        out.child
            .extend(self.unsent.drain(..whole.map_or(0, |at| at + 1)));
    }

    fn on_output(&mut self, now: Now, bytes: &[u8], out: &mut Outbox) {
        for passed in self.output.feed(bytes, &mut out.stdout) {
            let asking = matches!(self.state, State::Looking { .. } | State::Waiting(..));
            match passed {
                Passed::Turn if asking => self.stand_down("the turn goes on", out),
                Passed::Ended => {
                    if self.again > 0 {
                        out.effects.push(records::turn_ok());
                    }
                    self.again = 0;
                    self.tries.reset();
                }
                // A queued message may be next; only a run that waits for input lives on.
                Passed::Failed if self.invocation.stream_input && !self.input_closed => {
                    if matches!(self.state, State::Running) {
                        self.judge(now, out);
                    }
                }
                Passed::Turn | Passed::Failed => {}
            }
        }
    }

    fn on_exit(&mut self, now: Now, kind: ExitKind, out: &mut Outbox) {
        self.ended = Some(kind);
        self.output.end(&mut out.stdout);
        match &self.state {
            State::Leaving(instead) => self.finish(instead.unwrap_or(kind), out),
            State::Looking { .. } | State::Waiting(..) if kind == ExitKind::Code(1) => {}
            State::Running if kind == ExitKind::Code(1) => self.judge(now, out),
            State::Running | State::Looking { .. } | State::Waiting(..) => {
                if kind == ExitKind::Code(0) && self.again > 0 {
                    out.effects.push(records::turn_ok());
                }
                self.finish(kind, out);
            }
            State::Done => {}
        }
    }

    fn on_deadline(&mut self, now: Now, out: &mut Outbox) {
        match &mut self.state {
            State::Looking { next, .. } if next.is_some_and(|next| next <= now.elapsed) => {
                *next = None;
                self.look(now, out);
            }
            State::Waiting(wait, next) if wait.until <= now.elapsed => {
                let (attempt, next) = (wait.attempt, *next);
                self.go(now, attempt, next, out);
            }
            _ => {}
        }
    }

    /// The wait is over.
    fn go(&mut self, now: Now, attempt: u32, next: Next, out: &mut Outbox) {
        // It may have come up during the wait: more input, the end of the run.
        if let Some(why) = self.obstacle(next) {
            self.say(&format!("not retried: {why}"), out);
            self.pass_on(out);
            return;
        }
        if self.lives() && self.input.in_line() && self.unsent.is_empty() {
            // Ours would end up in the middle of that line.
            self.stand_down("you went on", out);
            return;
        }
        let counts_on = next == Next::Resume { counts_on: true };
        let totals = if self.lives() || counts_on {
            Totals::OfSession
        } else {
            Totals::OfRun
        };
        self.output.take_back(totals);
        self.output.dropped = Dropped {
            init: true,
            ..Dropped::default()
        };
        self.again += 1;
        match next {
            Next::StartOver => self.start_over(now, out),
            Next::Resume { .. } if self.lives() => {
                self.state = State::Running;
                self.began_ms = now.unix_ms;
                self.write_message(out);
            }
            Next::Resume { .. } => self.resume(now, out),
        }
        self.tries.resumed(now.elapsed);
        out.effects
            .extend(records::again(attempt, next == Next::StartOver));
    }

    /// What was taken back is the last that there is.
    fn on_not_started(&mut self, out: &mut Outbox) {
        self.output.give_back(&mut out.stdout);
        self.finish(self.ended_before.unwrap_or(ExitKind::Code(1)), out);
    }

    fn resume(&mut self, now: Now, out: &mut Outbox) {
        let session = self.session.clone().unwrap_or_default();
        let stream = self.invocation.stream_input;
        let message = (!stream).then_some(self.settings.message.as_str());
        let args = self.invocation.resumed(&session, message);
        self.takes_input = stream;
        self.start(now, args, out);
        if !stream {
            self.close_input(out);
            return;
        }
        if let Some((id, line)) = self.input.initialize() {
            self.output.dropped.response = Some(id.clone());
            out.child.extend_from_slice(line);
        }
        self.write_message(out);
    }

    /// The message as a line of the input; then what the user has written meanwhile.
    fn write_message(&mut self, out: &mut Outbox) {
        let uuid = records::uuid(&mut self.rng);
        let session = self.session.as_deref().unwrap_or_default();
        out.child
            .extend(message_line(&self.settings.message, session, &uuid));
        self.output.dropped.message = Some(uuid);
        out.child.append(&mut self.unsent);
        self.close_input(out);
    }

    /// The run goes on without us.
    fn stand_down(&mut self, reason: &str, out: &mut Outbox) {
        out.effects.push(records::stood_down(reason));
        self.pass_on(out);
    }

    /// The error is not ours.
    pub(super) fn keep_out(&mut self, reason: &str, said: &Said, out: &mut Outbox) {
        let words = self.settings.catalogue.wording_of(&said.text);
        out.effects.push(records::keep_out(reason, &words));
        self.pass_on(out);
    }

    /// What is held is printed; with the run this ends, too.
    pub(super) fn pass_on(&mut self, out: &mut Outbox) {
        self.tries.reset();
        if let Some(kind) = self.ended {
            self.finish(kind, out);
            return;
        }
        self.output.release(&mut out.stdout);
        self.again = 0;
        self.state = State::Running;
        out.child.append(&mut self.unsent);
        self.close_input(out);
    }

    fn on_signal(&mut self, signal: Signal, out: &mut Outbox) {
        let waits = matches!(self.state, State::Looking { .. } | State::Waiting(..));
        let as_told = ExitKind::Killed(records::signal_number(signal));
        if waits {
            out.effects.push(records::cancelled());
            if self.invocation.format != Format::StreamJson {
                // The user broke it off: half of it is no answer.
                self.output = Output::new(self.invocation.format);
            }
            self.output.release(&mut out.stdout);
        }
        if self.lives() {
            if !matches!(self.state, State::Leaving(_)) {
                self.state = State::Leaving(waits.then_some(as_told));
            }
            out.effects.push(Effect::Kill(signal));
        } else if self.state != State::Done {
            self.finish(as_told, out);
        }
    }

    fn finish(&mut self, kind: ExitKind, out: &mut Outbox) {
        self.output.release(&mut out.stdout);
        out.effects.push(records::exit(kind));
        out.effects.push(Effect::End(kind));
        self.state = State::Done;
    }

    pub(super) fn say(&self, text: &str, out: &mut Outbox) {
        if self.voice != Voice::Silent {
            out.effects.push(Effect::Say(text.to_owned()));
        }
    }
}
