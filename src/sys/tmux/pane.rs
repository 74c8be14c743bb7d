//! One watched pane: the session that supervises it, and what is done for that.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::termios::{LocalModes, tcgetattr};
use serde_json::{Value, json};

use super::super::clock::Clock;
use super::super::hook::claim;
use super::super::transcript::Locator;
use super::super::{Log, clock, guarded};
use super::look::Fields;
use super::processes::{Claude, ProcessKey};
use crate::config::{BarMode, Settings};
use crate::supervisor::alone::Claim;
use crate::supervisor::retry::{State, Wait};
use crate::supervisor::session::{
    Effect, Event, Now, Outbox, PtyState, Session, TerminalTraits, what,
};
use crate::supervisor::transcript::Report;
use crate::supervisor::verdict::Status;
use crate::term::Size;
use crate::tmux::PaneId;
use crate::tmux::watched::{Happened, Standing, Watched};

/// So often a CLI is asked for its session.
const MAX_UNNAMED: u32 = 1000;
/// An effect's answer may ask for another effect; a session that never ends this is at fault.
const MAX_EFFECTS: usize = 64;

/// What all panes share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) log: Log,
    /// When the watch began, in milliseconds since the Unix epoch: what is older is history.
    pub(super) began_ms: u64,
    /// Errors that we have claimed and not acted on, of CLIs whose panes we have left: which process, and which error.
    claims: HashSet<(ProcessKey, String)>,
}

impl Shared {
    /// For sessions whose terminal is not ours to draw on, and whose server's wishes nobody logs for us.
    pub(super) fn new(settings: Settings) -> Self {
        let log = Log::new(settings.log.clone());
        let settings = Settings {
            bar: BarMode::Off,
            retry_after: false,
            ..settings
        };
        Self {
            settings,
            clock: Clock::start(),
            log,
            began_ms: clock::unix_ms(),
            claims: HashSet::new(),
        }
    }
}

/// Where a pane is, as the server lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) terminal: PathBuf,
    pub(super) size: (u16, u16),
    /// `session:window.pane`.
    pub(super) name: String,
    /// Its window is the third of its session: what the table is sorted by.
    pub(super) order: (String, u32, u32),
}

/// The pane.
pub(super) struct Pane {
    pub(super) id: PaneId,
    pub(super) place: Place,
    pub(super) claude: Claude,
    /// None before its first look, and after it failed.
    session: Option<Session>,
    failed: bool,
    locator: Locator,
    outbox: Outbox,
    /// The session wants a fresh look before it types: [`Effect::ProbePty`].
    pub(super) wants_look: bool,
    /// The buffer for that is being loaded.
    pub(super) loading: bool,
    /// That is answered right now, from this.
    fresh: Option<PtyState>,
    /// What the CLI is to get, in order.
    pub(super) acts: Vec<Vec<u8>>,
    /// What happened since it was last asked for.
    pub(super) news: Vec<Happened>,
    /// What its option says.
    pub(super) option: Option<String>,
    conversation: Option<String>,
    /// So many pieces of output came without it.
    unnamed: u32,
    resumed: u32,
    last: Option<String>,
    /// So often its deadline was due again as soon as it was answered.
    stuck: u32,
}

impl Pane {
    /// A pane whose CLI was just found.
    pub(super) fn new(id: PaneId, place: Place, claude: Claude) -> Self {
        let locator = Locator::new(
            claude.config_dir.clone(),
            claude.folder.clone(),
            claude.pid,
            claude.session,
            claude.started_ms,
        );
        Self {
            id,
            place,
            claude,
            session: None,
            failed: false,
            locator,
            outbox: Outbox::default(),
            wants_look: false,
            loading: false,
            fresh: None,
            acts: Vec::new(),
            news: Vec::new(),
            option: None,
            conversation: None,
            unnamed: 0,
            resumed: 0,
            last: None,
            stuck: 0,
        }
    }

    /// It has been looked at for the first time: its session begins with what stands there.
    pub(super) fn begin(&mut self, fields: &Fields, screen: &[u8], shared: &mut Shared) {
        self.conversation = self.locator.session_id();
        let now = Now {
            elapsed: shared.clock.now().elapsed,
            unix_ms: shared.began_ms.max(self.claude.started_ms),
        };
        let traits = TerminalTraits {
            unicode: true,
            color: false,
            addressable: true,
        };
        let size = fields.size();
        self.place.size = fields.cells();
        let settings = shared.settings.clone();
        let conversation = self.conversation.clone();
        let made = guarded::catch(|| {
            Session::new(settings, traits, size, now, rand::random()).beside(conversation)
        });
        self.log(
            json!({
                "event": "start",
                "version": env!("CARGO_PKG_VERSION"),
                "program": "tmux",
                "child": self.claude.pid.as_raw_nonzero(),
                "rows": size.rows,
                "cols": size.cols,
            }),
            shared,
        );
        match made {
            Ok(session) => self.session = Some(session),
            Err(failure) => self.fail(&failure, shared),
        }
        self.news.push(Happened::Joined);
        self.tell(&Event::ChildOutput(&fields.retitle()), shared);
        self.tell(&Event::ChildOutput(screen), shared);
    }

    /// The CLI wrote.
    pub(super) fn output(&mut self, bytes: &[u8], shared: &mut Shared) {
        // A CLI that has just been started names its session a little later; one that is old never does.
        if self.conversation.is_none() && self.unnamed < MAX_UNNAMED {
            self.unnamed += 1;
            self.conversation = self.locator.session_id();
            if let (Some(session), Some(id)) = (&mut self.session, &self.conversation) {
                session.opened(id);
            }
        }
        self.tell(&Event::ChildOutput(bytes), shared);
    }

    /// Has it been looked at?
    pub(super) fn has_begun(&self) -> bool {
        self.session.is_some() || self.failed
    }

    /// What stands there is whole, so that it may be put in place of what the session has.
    pub(super) fn is_whole(&mut self) -> bool {
        let Some(session) = &mut self.session else {
            return false;
        };
        guarded::catch(|| session.is_whole()).unwrap_or(false)
    }

    /// Tells the session, and does what it answers.
    pub(super) fn tell(&mut self, event: &Event<'_>, shared: &mut Shared) {
        self.tell_alone(event, shared);
        for _ in 0..MAX_EFFECTS {
            if self.outbox.effects.is_empty() {
                return;
            }
            match self.outbox.effects.remove(0) {
                Effect::ReadTranscript(_) => {
                    let (report, status) = self.look_up(shared);
                    self.tell_alone(&Event::Status(status), shared);
                    self.tell_alone(&Event::Transcript(report), shared);
                }
                Effect::ProbePty => match self.fresh.take() {
                    Some(state) => self.tell_alone(&Event::Pty(state), shared),
                    None => self.wants_look = true,
                },
                Effect::Claim { session, uuid } => {
                    let claude = &self.claude;
                    let claimed = if shared.claims.remove(&(claude.key(), uuid.clone())) {
                        Claim::Ours
                    } else {
                        claim::claim_as(
                            &|name| claude.variable(name),
                            &session,
                            &uuid,
                            clock::unix_ms(),
                        )
                    };
                    if claimed == Claim::Ours {
                        self.conversation = Some(session);
                    }
                    self.tell_alone(&Event::Claimed(uuid, claimed), shared);
                }
                Effect::Log(record) => {
                    self.note(&record);
                    self.log(record, shared);
                }
                Effect::ReadRetryAfter { .. } => {
                    self.tell_alone(&Event::RetryAfter(None), shared);
                }
                Effect::AnswerHook(..) | Effect::Suspend => {}
            }
        }
        self.outbox.effects.clear();
        let failure = format!("more than {MAX_EFFECTS} effects at one event");
        self.fail(&failure, shared);
    }

    fn tell_alone(&mut self, event: &Event<'_>, shared: &mut Shared) {
        let Some(session) = &mut self.session else {
            return;
        };
        let (out, now) = (&mut self.outbox, shared.clock.now());
        let handled = guarded::catch(|| session.handle(now, event.clone(), out));
        // The terminal is not ours to draw on.
        self.outbox.tty.clear();
        match handled {
            Ok(()) if self.outbox.child.is_empty() => {}
            Ok(()) => self.acts.push(std::mem::take(&mut self.outbox.child)),
            Err(failure) => self.fail(&failure, shared),
        }
    }

    /// A fresh look, that was asked for: all witnesses once more, and the answer.
    pub(super) fn answer_look(&mut self, state: PtyState, shared: &mut Shared) {
        self.fresh = Some(state);
        let waits = self
            .state()
            .map(|state| matches!(state, State::LastLook(_)));
        if waits == Some(true) {
            let (report, status) = self.look_up(shared);
            self.tell(&Event::Status(status), shared);
            // Asks for the look again, which is there.
            self.tell(&Event::Transcript(report), shared);
        } else {
            self.fresh = None;
            self.tell(&Event::Pty(state), shared);
        }
        self.fresh = None;
    }

    fn look_up(&mut self, shared: &mut Shared) -> (Report, Status) {
        let locator = &self.locator;
        match guarded::catch(|| locator.look(None)) {
            Ok(look) => look,
            Err(failure) => {
                self.fail(&failure, shared);
                (Report::Unknown, Status::Unknown)
            }
        }
    }

    /// The session is not asked any more; the others go on.
    fn fail(&mut self, failure: &str, shared: &mut Shared) {
        if let Some(session) = self.session.take() {
            let _ = guarded::catch(move || drop(session));
        }
        self.failed = true;
        self.outbox = Outbox::default();
        self.acts.clear();
        self.wants_look = false;
        self.log(json!({"event": "failed", "error": failure}), shared);
    }

    /// The pane is left. Where it comes back, the error that it waits for is ours still.
    pub(super) fn keep_claim(&self, shared: &mut Shared) {
        let open = self.state().filter(|state| {
            !matches!(
                state,
                State::Settling { .. } | State::GaveUp { .. } | State::Cancelled { .. }
            )
        });
        let wait = open.and_then(State::wait);
        if let Some(uuid) = wait.and_then(|wait| wait.failure.uuid.clone())
            && self.claude.lives()
        {
            shared.claims.insert((self.claude.key(), uuid));
        }
    }

    /// Appends to the log: as a session of its own, by the CLI's process.
    pub(super) fn log(&self, mut record: Value, shared: &mut Shared) {
        if let Value::Object(fields) = &mut record {
            let pid = self.claude.pid.as_raw_nonzero().get();
            fields.insert("pid".into(), pid.into());
            fields.insert("by".into(), "tmux".into());
            fields.insert("pane".into(), self.id.to_string().into());
            let folder = self.claude.folder.to_string_lossy();
            fields.insert("folder".into(), folder.into());
            if let Some(session) = &self.conversation {
                fields.insert("session".into(), session.clone().into());
            }
        }
        shared.log.append(&record);
    }

    /// What a record means to whoever watches.
    fn note(&mut self, record: &Value) {
        let word = |field: &str| record[field].as_str().unwrap_or_default().to_owned();
        let last = match record["event"].as_str().unwrap_or_default() {
            "resumed" => {
                self.resumed += 1;
                self.news.push(Happened::Resumed);
                "resumed".into()
            }
            "verdict" if record["verdict"] == "keep-out" => {
                self.news.push(Happened::LeftAlone(word("reason")));
                format!("left alone: {}", word("reason"))
            }
            "stood-down" => format!("stood down: {}", word("reason")),
            "gave-up" => format!("gave up after {}", word("why")),
            "hold" => word("reason"),
            "undone" => format!("not typed: {}", word("reason")),
            "typed" => "typed".into(),
            "cancelled" => "cancelled".into(),
            "turn-ok" => "the turn ended well".into(),
            _ => return,
        };
        self.last = Some(last);
    }

    fn state(&self) -> Option<&State> {
        self.session.as_ref().map(Session::state)
    }

    /// When its session wants to be called, as the clock counts.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.session.as_ref()?.next_deadline()
    }

    /// Its time has come.
    pub(super) fn on_time(&mut self, shared: &mut Shared) {
        let due = |pane: &Self, shared: &Shared| {
            let now = shared.clock.now().elapsed;
            pane.next_deadline().is_some_and(|at| at <= now)
        };
        if !due(self, shared) {
            return;
        }
        self.tell(&Event::Deadline, shared);
        self.stuck = if due(self, shared) { self.stuck + 1 } else { 0 };
        if self.stuck > super::super::driver::MAX_STUCK {
            self.fail("a deadline that stands still", shared);
        }
    }

    /// What the kernel says of its terminal.
    pub(super) fn pty_state(&self) -> PtyState {
        let cooked = LocalModes::ICANON | LocalModes::ECHO;
        let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(&self.place.terminal, flags, Mode::empty());
        let termios = terminal.and_then(tcgetattr);
        PtyState {
            raw: termios.is_ok_and(|termios| !termios.local_modes.intersects(cooked)),
            foreground: self.claude.is_foreground(),
        }
    }

    /// As it is shown.
    pub(super) fn watched(&self, shared: &Shared) -> Watched {
        Watched {
            pane: self.id,
            place: self.place.name.clone(),
            folder: Some(self.claude.folder.clone()),
            standing: self.standing(shared),
            resumed: self.resumed,
            last: self.last.clone(),
        }
    }

    pub(super) fn standing(&self, shared: &Shared) -> Standing {
        let Some(state) = self.state() else {
            return if self.failed {
                Standing::Failed
            } else {
                Standing::Watching
            };
        };
        let max = shared.settings.max_retries;
        let of = |wait: &Wait| (what(wait.failure.class), wait.attempt);
        match state {
            State::Watching => Standing::Watching,
            State::Confirming { .. } => Standing::Confirming,
            State::Waiting(wait) => {
                let (what, attempt) = of(wait);
                Standing::Waiting {
                    what,
                    attempt,
                    max,
                    left: wait.until.saturating_sub(shared.clock.now().elapsed),
                    total: wait.total,
                }
            }
            State::Paused { wait, .. } => {
                let (what, attempt) = of(wait);
                Standing::HoldingOff {
                    what,
                    attempt,
                    max,
                    reason: "you are typing",
                }
            }
            State::HoldingOff { wait, reason, .. } => {
                let (what, attempt) = of(wait);
                Standing::HoldingOff {
                    what,
                    attempt,
                    max,
                    reason,
                }
            }
            State::LastLook(wait) | State::Typing { wait, .. } | State::Settling { wait, .. } => {
                let (what, attempt) = of(wait);
                Standing::Resuming { what, attempt, max }
            }
            State::GaveUp { why, .. } => Standing::GaveUp { why: why.clone() },
            State::Cancelled { .. } => Standing::Cancelled,
        }
    }

    /// What is to be typed after the look that its session wants.
    pub(super) fn next_keys(&self) -> Option<Vec<u8>> {
        self.session.as_ref().map(Session::next_keys)
    }

    /// May something of ours be in its prompt that is to be taken back?
    pub(super) fn has_left_over(&self) -> bool {
        self.session.as_ref().is_some_and(Session::has_left_over)
    }

    /// Has its size changed? Then its session is told.
    pub(super) fn resize(&mut self, size: (u16, u16), shared: &mut Shared) {
        self.place.size = size;
        let size = Size {
            rows: size.1.max(1),
            cols: size.0.max(1),
            xpixel: 0,
            ypixel: 0,
        };
        self.tell(&Event::Resize(size), shared);
    }
}
