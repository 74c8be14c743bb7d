//! The session: events in, bytes and effects out. Sans-I/O, in the words of quinn-proto:
//! [`Session::handle`] takes what happened and when, [`Session::next_deadline`] says when it wants to
//! be called again.

mod after;
mod companion;
mod failing;
mod input;
mod judge;
mod left;
mod remote;
mod resume;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use self::companion::Companion;
use self::remote::Remote;
pub use self::remote::Wish;
use super::alone::Claim;
use super::banner::{Banner, Title};
use super::hook::{Answer, HookEvent, HookId};
use super::keys::{Kind, Reader};
use super::prompt::Prompt;
use super::retry::{State, Tries, Wait};
use super::retry_after::Asked;
use super::transcript::Report;
use super::typing::{Shown, Why};
use super::verdict::Status;
use super::wording::Class;
use crate::config::{BarMode, Notify, ResumeMode, Settings};
use crate::term::Size;
use crate::term::bar::{Model, Phase};
use crate::term::overlay::{Compositor, Placement};

/// The time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Since the session began, by a clock that never jumps.
    pub elapsed: Duration,
    /// The wall clock, in milliseconds since the Unix epoch: only compared with the transcript's times.
    pub unix_ms: u64,
}

/// A signal that means the same on every unix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM.
    Term,
    /// SIGHUP.
    Hup,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGTSTP.
    Tstp,
}

/// How the child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitKind {
    /// By itself, with this code.
    Code(u8),
    /// Killed by the signal of this number.
    Killed(u8),
}

/// What the kernel says of the pty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PtyState {
    /// Neither ICANON nor ECHO is set: the CLI reads keys itself.
    pub raw: bool,
    /// The foreground process group is the child's own.
    pub foreground: bool,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The child wrote.
    ChildOutput(&'a [u8]),
    /// The user typed, or the terminal answered.
    UserInput(&'a [u8]),
    /// The time that [`Session::next_deadline`] gave has come.
    Deadline,
    /// The terminal has this size now.
    Resize(Size),
    /// The answer to [`Effect::ReadTranscript`].
    Transcript(Report),
    /// What the CLI's session file says: comes before [`Event::Transcript`], with every look.
    Status(Status),
    /// The answer to [`Effect::ProbePty`].
    Pty(PtyState),
    /// A hook of ours in the CLI tells of an event. After a [`Happened::StopFailure`] its process waits
    /// for one [`Effect::AnswerHook`].
    ///
    /// [`Happened::StopFailure`]: super::hook::Happened::StopFailure
    Hook(HookId, HookEvent),
    /// A hook's process that waited is gone.
    HookGone(HookId),
    /// The answer to [`Effect::ReadRetryAfter`].
    RetryAfter(Option<Asked>),
    /// The answer to [`Effect::Claim`], for the error with this uuid.
    Claimed(String, Claim),
    /// Somebody used the keyboard or the mouse that the child reads so long ago; what it was is not known
    /// ([`Session::beside`]).
    Touched(Duration),
    /// The user wants something of the wait that runs.
    Wish(Wish),
    /// The bytes for the child that were given out last did not get there, and never will ([`Session::beside`]).
    NotTyped,
    /// We got a signal. TERM, HUP, INT and QUIT: the driver passes it on to the child itself; TSTP asks
    /// for [`Effect::Suspend`].
    Signal(Signal),
    /// The child stopped itself (job control); the driver suspends us once our bytes are out.
    ChildStopped,
    /// We run again in the foreground, the terminal is raw again, the child about to be continued.
    Resumed,
    /// The child has ended and its output is drained.
    ChildExited(ExitKind),
}

/// What the driver is to do, after it has queued the bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Read the transcript's tail, answer with [`Event::Transcript`] right away. Where no file is named by the
    /// companion hook, find it.
    ReadTranscript(Option<PathBuf>),
    /// Tell this hook's process how to end.
    AnswerHook(HookId, Answer),
    /// Ask the kernel about the pty, answer with [`Event::Pty`] right away.
    ProbePty,
    /// Read what the server asked for when it refused the turn that failed then (milliseconds since the Unix
    /// epoch; `None`: just now), answer with [`Event::RetryAfter`] right away.
    ReadRetryAfter {
        /// When the turn failed.
        failed: Option<u64>,
    },
    /// Claim the error for us against hooks that live in the CLI, answer with [`Event::Claimed`] right away. Only of a
    /// session [beside](Session::beside) its terminal.
    Claim {
        /// The CLI's session.
        session: String,
        /// The error's line.
        uuid: String,
    },
    /// Append this object to the log, with the time.
    Log(serde_json::Value),
    /// Stop ourselves as a job (see DESIGN's job control), the child first where it still runs.
    Suspend,
}

/// Where the session's answers go. The caller drains the buffers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outbox {
    /// Bytes for the user's terminal.
    pub tty: Vec<u8>,
    /// Bytes for the child.
    pub child: Vec<u8>,
    /// What else to do, in order.
    pub effects: Vec<Effect>,
}

/// What the session must know of the terminal it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalTraits {
    /// The locale's character set is UTF-8.
    pub unicode: bool,
    /// Colours are wanted (`NO_COLOR` is not set, `TERM` is not `dumb`).
    pub color: bool,
    /// The terminal can be drawn on by cursor addressing (`TERM` is not `dumb`).
    pub addressable: bool,
}

/// A frame of the bar's countdown.
const FRAME: Duration = Duration::from_millis(100);
/// The child's output has paused: time to draw over it.
const DRAW_AFTER: Duration = Duration::from_millis(16);
/// A cursor question that was not answered is not asked again before this.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// A pause's end, without the hook and with it.
const WHEN_EMPTY: &str = "goes on when the prompt is empty";
const WHEN_LEFT_ALONE: &str = "goes on when you stop typing";
/// A terminal that left so many cursor questions unanswered does not know them.
const ASK_AT_MOST: u32 = 3;

/// What the last look at the screen saw.
#[derive(Clone, Debug, PartialEq)]
struct View {
    prompt: Prompt,
    banner: Option<Banner>,
    /// The CLI is at work by what it draws.
    works: bool,
    title: Title,
    /// It is at work by either.
    busy: bool,
    shown: Shown,
}

/// The supervisor of one session.
///
/// # Invariants
/// No bar and no typing transaction: `tty` gets exactly the child's bytes, `child` exactly the user's. The
/// numbers are those of ARCHITECTURE.md.
pub struct Session {
    settings: Settings,
    traits: TerminalTraits,
    screen: Compositor,
    keys: Reader,
    /// How many bytes of what `keys` still holds were passed on already.
    passed_ahead: usize,
    /// How many bytes `keys` holds.
    kept: usize,
    /// When to stop waiting for the rest of an unfinished key.
    flush_keys: Option<Duration>,
    state: State,
    tries: Tries,
    view: View,
    /// When to look at the screen.
    look_due: Option<Duration>,
    /// The first output that was not looked at yet came then.
    unread_since: Option<Duration>,
    draw_due: Option<Duration>,
    /// Open cursor questions of ours: when the last was asked, and how many were in vain.
    asked: Option<Duration>,
    unanswered: u32,
    /// A notification that waits for an escape-sequence boundary.
    notify: Option<String>,
    companion: Companion,
    handled: Vec<String>,
    conversation: Option<String>,
    started_ms: u64,
    entered_ms: Option<u64>,
    busy_seen: bool,
    /// A turn was seen to run, and not yet to end; how often its end may still be asked for.
    turn_open: u32,
    /// The user pressed Enter during a wait: at so many more looks, ask if the conversation went on.
    recheck: u32,
    /// The error block that was judged not to be ours.
    rejected: Option<String>,
    /// What the CLI's session file said at the last look.
    status: Status,
    /// The verdict that the log has last: its name, its reason, the error's uuid.
    told_verdict: Option<(&'static str, String, Option<String>)>,
    /// The candidate that it has last.
    told_candidate: Option<String>,
    /// Why it has last that we hold off.
    told_hold: Option<&'static str>,
    /// When input last came.
    last_input: Option<Duration>,
    /// The user's keys that wait for the end of the typing, and the wall clock at each.
    held_keys: Vec<(Kind, u64)>,
    /// We were told to end: nothing is typed any more.
    ending: bool,
    /// When the user last typed anything.
    last_key: Option<Duration>,
    /// When the user last typed what may stand in the prompt, undrawn as yet; none since an Enter.
    last_text: Option<Duration>,
    /// While the job is stopped: since when.
    stopped_at: Option<Duration>,
    /// For how long it was stopped in all.
    stopped: Duration,
    /// The keys come to the child without us.
    remote: Option<Remote>,
}

impl Session {
    /// A session that begins now in a terminal of this size. `seed` feeds the jitter.
    pub fn new(
        settings: Settings,
        traits: TerminalTraits,
        size: Size,
        now: Now,
        seed: u64,
    ) -> Self {
        Self {
            traits,
            screen: Compositor::new(size, settings.bar, traits.addressable),
            keys: Reader::default(),
            passed_ahead: 0,
            kept: 0,
            flush_keys: None,
            state: State::Watching,
            tries: Tries::new(&settings, seed),
            view: View {
                prompt: Prompt::None,
                banner: None,
                works: false,
                title: Title::Other,
                busy: false,
                shown: Shown::Other,
            },
            look_due: None,
            unread_since: None,
            draw_due: None,
            asked: None,
            unanswered: 0,
            notify: None,
            companion: Companion::default(),
            handled: Vec::new(),
            conversation: None,
            started_ms: now.unix_ms,
            entered_ms: None,
            busy_seen: false,
            turn_open: 0,
            recheck: 0,
            rejected: None,
            status: Status::Unknown,
            told_verdict: None,
            told_candidate: None,
            told_hold: None,
            last_input: None,
            held_keys: Vec::new(),
            ending: false,
            last_key: None,
            last_text: None,
            stopped_at: None,
            stopped: Duration::ZERO,
            remote: None,
            settings,
        }
    }

    /// Takes what happened and appends the answer to `out`.
    pub fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Outbox) {
        let t = self.time(now);
        if let Some(remote) = &mut self.remote {
            remote.now_ms = now.unix_ms;
        }
        match event {
            Event::ChildOutput(bytes) => self.on_output(t, bytes, out),
            Event::UserInput(bytes) => self.on_input(t, now.unix_ms, bytes, out),
            Event::Transcript(report) => self.on_report(t, &report, out),
            Event::Status(status) => self.status = status,
            Event::Pty(pty) => self.on_pty(t, pty, out),
            Event::Hook(id, event) => self.on_hook(t, id, event, out),
            Event::HookGone(id) => self.on_hook_gone(id),
            Event::RetryAfter(asked) => self.on_retry_after(asked, out),
            Event::Claimed(uuid, claim) => self.on_claimed(t, uuid, claim, out),
            Event::Touched(ago) => self.on_touched(t, ago),
            Event::Wish(wish) => self.on_wish(t, wish, out),
            Event::NotTyped => self.on_not_typed(t, out),
            Event::Deadline => {}
            Event::Resize(size) => {
                self.screen.resize(size);
                self.schedule_look(t);
            }
            Event::Signal(Signal::Tstp) => {
                self.stand_aside(t, out);
                out.effects.push(Effect::Suspend);
            }
            Event::Signal(_) => {
                self.abandon_typing(t, out);
                self.ending = true;
                self.let_go(out);
                self.drop_failure(out);
                self.enter(State::Watching);
            }
            Event::ChildStopped => self.stand_aside(t, out),
            Event::Resumed => self.on_resumed(now, out),
            Event::ChildExited(kind) => {
                self.state = State::Watching;
                (self.look_due, self.draw_due, self.flush_keys) = (None, None, None);
                self.screen.set_bar(None);
                self.screen.restore(&mut out.tty);
                out.effects.push(Effect::Log(json!({
                    "event": "exit",
                    "how": match kind {
                        ExitKind::Code(code) => format!("code {code}"),
                        ExitKind::Killed(signal) => format!("signal {signal}"),
                    },
                })));
                return;
            }
        }
        if self.stopped_at.is_none() {
            let t = self.time(now);
            self.tick(t, out);
            self.present(t, out);
        }
    }

    /// When the session wants an [`Event::Deadline`], as [`Now::elapsed`]; `None` while nothing is to be
    /// waited for.
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.stopped_at.is_some() {
            return None;
        }
        [
            self.look_due,
            self.draw_due,
            self.flush_keys,
            self.state_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
        .map(|t| t + self.stopped)
    }

    /// Is there much output of the child's that has been passed on and not been read yet? Then [`Session::read_on`] is
    /// to be called as soon as there is nothing else to do.
    pub fn is_behind(&self) -> bool {
        self.screen.is_behind()
    }

    /// Reads a little of it.
    pub fn read_on(&mut self) {
        self.screen.catch_up_a_little();
    }

    /// How the supervisor stands, for tests and `explain`.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The session's own time: the job's stops do not count.
    fn time(&self, now: Now) -> Duration {
        self.stopped_at
            .unwrap_or(now.elapsed)
            .saturating_sub(self.stopped)
    }

    fn on_output(&mut self, t: Duration, bytes: &[u8], out: &mut Outbox) {
        self.screen.child_output(bytes, &mut out.tty);
        self.schedule_look(t);
        if !matches!(self.state, State::Watching | State::Confirming { .. }) {
            self.draw_due = Some(t + DRAW_AFTER);
        }
    }

    /// Does what has become due.
    fn tick(&mut self, t: Duration, out: &mut Outbox) {
        let due = |at: Option<Duration>| at.is_some_and(|at| at <= t);
        if due(self.flush_keys) {
            self.flush_keys(t, out);
        }
        if self.ending && !self.has_left_over() {
            self.look_due = None;
        }
        if due(self.look_due) {
            self.look_if_whole(t, out);
        }
        if self.ending {
            return;
        }
        if due(self.state_deadline()) {
            self.on_state_deadline(t, out);
        }
    }

    fn state_deadline(&self) -> Option<Duration> {
        match &self.state {
            State::Watching | State::LastLook(_) => None,
            State::Confirming { next_look, .. } | State::Settling { next_look, .. } => {
                Some(*next_look)
            }
            State::Waiting(wait) => Some(wait.until),
            State::Paused { .. } => self.last_key.map(|key| key + self.pause_look()),
            State::HoldingOff { not_before, .. } => {
                (*not_before > Duration::ZERO).then_some(*not_before)
            }
            State::Typing { typing, .. } => self
                .remote_typing_deadline()
                .or_else(|| Some(typing.deadline())),
            State::GaveUp { until, .. } | State::Cancelled { until, .. } => Some(*until),
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        // Whatever the bar says now is out of date.
        self.draw_due = Some(Duration::ZERO);
    }

    fn log(out: &mut Outbox, value: serde_json::Value) {
        out.effects.push(Effect::Log(value));
    }

    /// Brings the bar up to date.
    fn present(&mut self, t: Duration, out: &mut Outbox) {
        if self.notify.is_some()
            && self.screen.at_boundary()
            && let Some(text) = self.notify.take()
        {
            self.notification(&text, &mut out.tty);
        }
        if self.draw_due.is_none_or(|due| due > t) {
            return;
        }
        self.draw_due = None;
        if self.remote.is_some() {
            // The terminal is not ours to draw on.
            return;
        }
        let model = self.model(t);
        let wanted = model.is_some();
        self.screen.set_bar(model);
        if wanted && self.settings.bar == BarMode::Auto {
            self.ask_cursor(t, out);
        }
        let placement = self.screen.draw(&mut out.tty);
        if wanted {
            self.draw_due = match (&self.state, placement) {
                (State::Waiting(_), _) => Some(t + FRAME),
                (_, Placement::Hidden(_)) => Some(t + 10 * FRAME),
                _ => None,
            };
        }
    }

    fn ask_cursor(&mut self, t: Duration, out: &mut Outbox) {
        if !self.screen.cursor_query_wanted() {
            return;
        }
        if let Some(asked) = self.asked {
            if t < asked + ASK_AGAIN {
                return;
            }
            self.unanswered += 1;
        }
        if self.unanswered < ASK_AT_MOST {
            self.asked = Some(t);
            self.screen.query_cursor(&mut out.tty);
        }
    }

    fn model(&self, t: Duration) -> Option<Model> {
        let (wait, phase) = match &self.state {
            State::Watching | State::Confirming { .. } => return None,
            State::Waiting(wait) => (
                wait,
                Phase::Waiting {
                    left: wait.until.saturating_sub(t),
                    total: wait.total,
                    asked: wait.asked,
                },
            ),
            State::Paused { wait, .. } => {
                let hook = wait.hook.is_some() && self.settings.resume != ResumeMode::Type;
                let when = if hook { WHEN_LEFT_ALONE } else { WHEN_EMPTY };
                (wait, Phase::Paused(when))
            }
            State::HoldingOff { wait, reason, .. } => (wait, Phase::HoldingOff(reason)),
            State::LastLook(wait) | State::Typing { wait, .. } | State::Settling { wait, .. } => {
                (wait, Phase::Resuming)
            }
            State::GaveUp { wait, why, .. } => (wait, Phase::GaveUp { why: why.clone() }),
            State::Cancelled { wait, .. } => (wait, Phase::Cancelled),
        };
        Some(Model {
            what: what(wait.failure.class),
            attempt: wait.attempt,
            max: self.tries.max(),
            phase,
            unicode: self.traits.unicode,
            color: self.traits.color,
        })
    }

    fn notification(&self, text: &str, tty: &mut Vec<u8>) {
        match self.settings.notify {
            Notify::Bell => tty.push(0x07),
            // OSC 9: iTerm2's notification, which most terminals that notify know.
            Notify::Desktop => {
                tty.extend_from_slice(format!("\x1b]9;claude-retry: {text}\x07").as_bytes());
            }
            Notify::Off => {}
        }
    }

    /// The job stops: the terminal goes to somebody else.
    fn stand_aside(&mut self, t: Duration, out: &mut Outbox) {
        self.abandon_typing(t, out);
        self.screen.suspend(&mut out.tty);
        self.stopped_at = Some(t + self.stopped);
    }

    fn on_resumed(&mut self, now: Now, out: &mut Outbox) {
        if let Some(at) = self.stopped_at.take() {
            self.stopped += now.elapsed.saturating_sub(at);
        }
        self.screen.resume(&mut out.tty);
        let t = self.time(now);
        self.schedule_look(t);
        self.draw_due = Some(t + DRAW_AFTER);
    }

    fn abandon_typing(&mut self, t: Duration, out: &mut Outbox) {
        if self.abandon_remote(t, out) {
            return;
        }
        if let State::Typing { wait, typing } = &self.state {
            let (wait, typing) = (wait.clone(), typing.clone());
            let held = typing.abandon(&mut out.child);
            out.child.extend_from_slice(&held);
            Self::log(
                out,
                json!({"event": "undone", "reason": Why::Interrupted.text()}),
            );
            self.note_held(t, out);
            self.hold_off(wait, Why::Interrupted.text(), t + FRAME, out);
        }
    }

    fn hold_off(
        &mut self,
        wait: Wait,
        reason: &'static str,
        not_before: Duration,
        out: &mut Outbox,
    ) {
        // A last look that finds the same again is no news.
        if self.told_hold != Some(reason) {
            Self::log(out, json!({"event": "hold", "reason": reason}));
            self.told_hold = Some(reason);
        }
        self.enter(State::HoldingOff {
            wait,
            reason,
            not_before,
        });
    }
}

/// The class in the bar's words.
pub const fn what(class: Class) -> &'static str {
    match class {
        Class::Throttle => "throttled",
        Class::Overloaded => "overloaded",
        Class::ServerError => "server error",
        Class::Connection => "connection lost",
        Class::Cut => "cut off",
    }
}
