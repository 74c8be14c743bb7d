//! A run of the CLI without a terminal (`-p`), and the runs that resume it. Sans-I/O, as
//! [`session`](super::session): events in, bytes and effects out.
//!
//! | state | what happens | next |
//! | --- | --- | --- |
//! | Running | it ended with code 1, and what it printed is a transient error | Looking |
//! | | with lines as input: its result is a transient error, and it lives on | Looking |
//! | | it ended otherwise | the end, with its code |
//! | Looking | the transcript ends in that error, tries are left | Waiting |
//! | | there is no transcript, and nothing was done | Waiting, to start over |
//! | | they are spent, the transcript contradicts, it cannot be resumed | the end, or Running where it lives |
//! | Waiting | the time is over | Running: resumed, or started over |
//! | | a signal | the end, with 128 and its number |
//! | | with lines as input: the user writes, or a turn begins | Running |
//! | Leaving | a signal came while it ran: it ends | the end, with its code |
//!
//! In doubt what was printed is passed on as it is.

pub mod arguments;
mod input;
mod output;
mod records;
pub mod result;
mod stream;

use std::ffi::OsString;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use self::arguments::{Format, Invocation, Obstacle, Session};
pub use self::input::KEPT_AT_MOST;
use self::input::{Input, message_line};
use self::output::{Dropped, Output, Passed, Said};
use self::result::Totals;
use super::retry::{Step, Tries, Wait};
use super::session::{ExitKind, Now, Signal};
use super::transcript::{Ending, LastTurn};
use super::verdict::{Failure, PATIENCE};
use super::wording::{Class, Reading};
use crate::config::{Settings, TranscriptMode};

/// Between two looks at the transcript of a run that lives.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The transcript's times and ours are of one clock, but ours is read before the CLI is started.
const CLOCK_SLACK_MS: u64 = 1000;

/// Where the transcript is to be looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// That of the session with this id.
    Of(String),
    /// The one in the folder's project that was written since this time (milliseconds since the Unix epoch) and whose
    /// last turn is an error with this text.
    Since(u64, String),
}

/// What was found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// No transcript.
    Missing,
    /// More than one that it could be.
    Unsure,
    /// The transcript.
    There {
        /// Its last turn, where it has one.
        turn: Option<LastTurn>,
        /// It holds the costs of the session, so that a run that resumes it counts on from there.
        counts_on: bool,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// Begin.
    Begin,
    /// Bytes came on stdin.
    Input(&'a [u8]),
    /// Stdin has ended.
    InputEnded,
    /// The run wrote to its stdout.
    Output(&'a [u8]),
    /// The run has ended and its output is drained.
    Exited(ExitKind),
    /// The answer to [`Effect::Look`].
    Sight(Sight),
    /// The answer to [`Effect::AskHelp`], where there was one.
    Help(Option<String>),
    /// The time that [`Job::next_deadline`] gave has come.
    Deadline,
    /// We got a signal that asks for an end.
    Signal(Signal),
}

/// What the driver is to do, in order, before it writes the bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Run the CLI with these arguments.
    Start(Vec<OsString>),
    /// Close its stdin when it has got the bytes for it.
    CloseInput,
    /// Look at the transcript, answer right away.
    Look(Where),
    /// Run the CLI with `--help`, answer when it has ended.
    AskHelp,
    /// Pass this signal on to the run.
    Kill(Signal),
    /// A line for stderr.
    Say(String),
    /// Append this object to the log, with the time.
    Log(serde_json::Value),
    /// That is all: end as this.
    End(ExitKind),
}

/// Where the answers go. The caller drains it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outbox {
    /// Bytes for our stdout.
    pub stdout: Vec<u8>,
    /// Bytes for the run's stdin.
    pub child: Vec<u8>,
    /// What else to do, in order.
    pub effects: Vec<Effect>,
}

/// What is said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Nothing.
    Silent,
    /// A line a wait.
    Lines,
    /// The waits are shown by the driver ([`Job::progress`]): only what else there is to say.
    Live,
}

/// A wait as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What happened, in a word.
    pub what: &'static str,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// The most tries.
    pub max: u32,
    /// When it is over, as [`Now::elapsed`].
    pub until: Duration,
    /// How long it is in all.
    pub total: Duration,
}

/// How a failed run is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// By one that resumes its session.
    Resume {
        /// It counts on from the session's costs.
        counts_on: bool,
    },
    /// By the same command.
    StartOver,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Running,
    Looking {
        said: Said,
        class: Class,
        since: Duration,
        /// When to look again.
        next: Option<Duration>,
        /// The CLI's help was asked for, and what was seen before.
        asked: Option<Sight>,
    },
    Waiting(Box<Wait>, Next),
    /// We were told to end, and wait for the run to; as what, where not as it does.
    Leaving(Option<ExitKind>),
    Done,
}

/// The supervisor of one command.
#[derive(Debug)]
pub struct Job {
    settings: Settings,
    invocation: Invocation,
    voice: Voice,
    tries: Tries,
    rng: StdRng,
    state: State,
    output: Output,
    input: Input,
    /// The id for a session that has none of the user's.
    own_id: String,
    /// The session's id, where it is known.
    session: Option<String>,
    /// When the run, or the turn, began, in milliseconds since the Unix epoch.
    began_ms: u64,
    /// How the run ended; none while it lives.
    ended: Option<ExitKind>,
    /// It gets the user's input: the first one does, and those that start over, and where it is lines all do.
    takes_input: bool,
    /// Its stdin was closed.
    input_closed: bool,
    /// What the user wrote while no run was there to take it.
    unsent: Vec<u8>,
    /// Runs that were not the first.
    again: u32,
    /// The transcript's line that was dealt with last: it is still the newest where the file lags.
    handled: Option<String>,
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
            what: super::session::what(wait.failure.class),
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

    const fn lives(&self) -> bool {
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
        self.ended = None;
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
        self.input.feed(bytes);
        if !self.takes_input && !self.invocation.stream_input {
            return;
        }
        if !self.lives() {
            self.unsent.extend_from_slice(bytes);
            return;
        }
        if matches!(self.state, State::Looking { .. } | State::Waiting(..)) {
            self.stand_down("you went on", out);
        }
        out.child.extend_from_slice(bytes);
    }

    fn on_output(&mut self, now: Now, bytes: &[u8], out: &mut Outbox) {
        for passed in self.output.feed(bytes, &mut out.stdout) {
            let asking = matches!(self.state, State::Looking { .. } | State::Waiting(..));
            match passed {
                Passed::Turn if asking => self.stand_down("the turn goes on", out),
                Passed::Turn => {}
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
                Passed::Failed => {}
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

    /// Is what was printed a transient error?
    fn judge(&mut self, now: Now, out: &mut Outbox) {
        let Some(said) = self.output.said() else {
            self.pass_on(out);
            return;
        };
        let class = match self.settings.catalogue.read(&said.text) {
            Reading::Transient(class) if self.settings.retry_on.contains(&class) => class,
            Reading::Transient(_) => {
                self.keep_out("retry-on leaves this class out", &said, out);
                return;
            }
            Reading::Permanent(kind) => {
                self.keep_out(kind, &said, out);
                return;
            }
            Reading::StillRetrying | Reading::Unknown => {
                self.keep_out("the error is not in the catalogue", &said, out);
                return;
            }
        };
        if said.session.is_some() {
            self.session.clone_from(&said.session);
        }
        self.state = State::Looking {
            said,
            class,
            since: now.elapsed,
            next: None,
            asked: None,
        };
        self.look(now, out);
    }

    fn look(&mut self, now: Now, out: &mut Outbox) {
        let State::Looking { said, .. } = &self.state else {
            return;
        };
        if self.settings.transcript == TranscriptMode::Off {
            let turn = None;
            let counts_on = false;
            self.on_sight(now, Sight::There { turn, counts_on }, out);
            return;
        }
        let place = match &self.session {
            Some(id) => Where::Of(id.clone()),
            None => Where::Since(self.began_ms, said.text.clone()),
        };
        out.effects.push(Effect::Look(place));
    }

    fn on_sight(&mut self, now: Now, sight: Sight, out: &mut Outbox) {
        let State::Looking {
            said, class, since, ..
        } = &self.state
        else {
            return;
        };
        let (said, class, since) = (said.clone(), *class, *since);
        match self.confirm(&said, class, &sight) {
            Ok((failure, next)) => {
                if next != Next::StartOver
                    && let Some(Obstacle::Unknown(_)) = self.invocation.obstacle()
                    && let State::Looking { asked, .. } = &mut self.state
                    && asked.is_none()
                {
                    *asked = Some(sight);
                    out.effects.push(Effect::AskHelp);
                    return;
                }
                let obstacle = self.obstacle(next);
                if let Some(why) = obstacle {
                    self.say(&format!("not retried: {why}"), out);
                    self.keep_out(&why, &said, out);
                    return;
                }
                records::act(&failure, &said, out);
                self.after(now, failure, next, &said, out);
            }
            Err(_) if self.lives() && now.elapsed < since + PATIENCE => {
                if let State::Looking { next, .. } = &mut self.state {
                    *next = Some(now.elapsed + LOOK_AGAIN);
                }
            }
            Err(why) => {
                self.say(&format!("not retried: {why}"), out);
                self.keep_out(why, &said, out);
            }
        }
    }

    /// Does the transcript say so, too? And what follows.
    fn confirm(
        &self,
        said: &Said,
        class: Class,
        sight: &Sight,
    ) -> Result<(Failure, Next), &'static str> {
        let failure = |turn: Option<&LastTurn>| Failure {
            class,
            uuid: turn.map(|turn| turn.uuid.clone()),
            session_id: turn.map(|turn| turn.session_id.clone()),
            consecutive: turn.map(|turn| turn.consecutive_errors),
        };
        match sight {
            Sight::Missing if self.nothing_done(said) => Ok((failure(None), Next::StartOver)),
            Sight::Missing if self.session.is_none() => {
                Err("no transcript of this folder ends in that error")
            }
            Sight::Missing => {
                Err("the session has no transcript, and something may have been done")
            }
            Sight::Unsure => Err("more than one transcript of this folder may be the session's"),
            Sight::There { counts_on, .. } if self.settings.transcript == TranscriptMode::Off => {
                let counts_on = *counts_on;
                match self.session {
                    Some(_) => Ok((failure(None), Next::Resume { counts_on })),
                    None => Err("the session is not known without its transcript"),
                }
            }
            Sight::There { turn: None, .. } => Err("the transcript has no turn"),
            Sight::There {
                turn: Some(turn),
                counts_on,
            } => {
                let Ending::ApiError { text, .. } = &turn.ending else {
                    return Err("the transcript does not end in an error");
                };
                if *text != said.text {
                    return Err("the transcript ends in another error");
                }
                if turn.unix_ms + CLOCK_SLACK_MS < self.began_ms {
                    return Err("the transcript ends in an error of another time");
                }
                if self
                    .session
                    .as_ref()
                    .is_some_and(|id| *id != turn.session_id)
                {
                    return Err("the transcript ends in another session's error");
                }
                if self.handled.as_ref() == Some(&turn.uuid) {
                    return Err("the transcript ends in an error that was dealt with");
                }
                let counts_on = *counts_on;
                Ok((failure(Some(turn)), Next::Resume { counts_on }))
            }
        }
    }

    /// Was the run refused before it had done anything?
    fn nothing_done(&self, said: &Said) -> bool {
        let new = matches!(self.invocation.session, Session::New(_));
        let told = self.invocation.format != Format::Text;
        let saved = self.invocation.obstacle() != Some(&Obstacle::Unsaved);
        new && self.takes_input && !self.lives() && !said.something_done && (told || saved)
    }

    /// Why it cannot be followed so.
    fn obstacle(&self, next: Next) -> Option<String> {
        match (next, self.invocation.obstacle()) {
            (Next::StartOver, Some(obstacle @ Obstacle::Worktree)) => Some(obstacle.text()),
            (Next::StartOver, _) if self.input.kept().is_none() => Some(format!(
                "more than {} MB came on stdin, too much to be given to claude again: give it as a file to be read",
                KEPT_AT_MOST / 1024 / 1024
            )),
            (Next::StartOver, _) => None,
            (Next::Resume { .. }, _) if self.lives() => None,
            (Next::Resume { .. }, obstacle) => obstacle.map(Obstacle::text),
        }
    }

    fn on_help(&mut self, now: Now, help: Option<&str>, out: &mut Outbox) {
        if let Some(help) = help {
            self.invocation = self.invocation.with_help(help);
        }
        let State::Looking { asked, .. } = &self.state else {
            return;
        };
        if let Some(sight) = asked.clone() {
            self.on_sight(now, sight, out);
        }
    }

    /// The error is confirmed: a wait, or the end of the tries.
    fn after(&mut self, now: Now, failure: Failure, next: Next, said: &Said, out: &mut Outbox) {
        if let Some(id) = &failure.session_id {
            self.session = Some(id.clone());
        }
        self.handled = failure.uuid.clone().or(self.handled.take());
        match self.tries.failed(now.elapsed, failure) {
            Step::Wait(wait) => {
                out.effects.push(records::waiting(&wait, self.tries.max()));
                if self.invocation.format == Format::StreamJson && self.settings.stream_events {
                    let line = self.event_line(&wait, said);
                    out.stdout.extend(line);
                }
                if self.voice == Voice::Lines {
                    let text = records::waits(&wait, self.tries.max());
                    self.say(&text, out);
                }
                self.state = State::Waiting(Box::new(wait), next);
            }
            Step::GiveUp(_, why) => {
                out.effects.push(records::gave_up(&why));
                self.say(&format!("gave up after {why}"), out);
                self.pass_on(out);
            }
        }
    }

    fn event_line(&mut self, wait: &Wait, said: &Said) -> Vec<u8> {
        let uuid = records::uuid(&mut self.rng);
        let max = self.tries.max();
        records::event_line(wait, max, said.status, self.session.as_deref(), &uuid)
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
    fn keep_out(&mut self, reason: &str, said: &Said, out: &mut Outbox) {
        let words = self.settings.catalogue.wording_of(&said.text);
        out.effects.push(records::keep_out(reason, &words));
        self.pass_on(out);
    }

    /// What is held is printed; with the run this ends, too.
    fn pass_on(&mut self, out: &mut Outbox) {
        self.tries.reset();
        match self.ended {
            Some(kind) => self.finish(kind, out),
            None => {
                self.output.release(&mut out.stdout);
                self.again = 0;
                self.state = State::Running;
                self.close_input(out);
            }
        }
    }

    fn on_signal(&mut self, signal: Signal, out: &mut Outbox) {
        let waits = matches!(self.state, State::Looking { .. } | State::Waiting(..));
        let as_told = ExitKind::Killed(records::number(signal));
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

    fn say(&self, text: &str, out: &mut Outbox) {
        if self.voice != Voice::Silent {
            out.effects.push(Effect::Say(text.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests;
