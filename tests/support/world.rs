//! A session in a world with a fake clock: no terminal, no CLI, no file. The world performs the effects
//! and remembers what was done.

use std::time::Duration;

use claude_retry::config::Settings;
use claude_retry::supervisor::alone::Claim;
use claude_retry::supervisor::hook::{Answer, HookId};
use claude_retry::supervisor::retry_after::Asked;
use claude_retry::supervisor::session::{
    Effect, Event, Now, Outbox, PtyState, Session, TerminalTraits,
};
use claude_retry::supervisor::transcript::Report;
use claude_retry::term::Size;

/// What the wall clock says when the session begins.
pub const WALL: u64 = 1_800_000_000_000;

/// The answers that the driver would give.
pub trait Outside {
    /// The transcript at this wall-clock time.
    fn transcript(&mut self, unix_ms: u64) -> Report;
    /// The pty.
    fn pty(&mut self) -> PtyState {
        PtyState {
            raw: true,
            foreground: true,
        }
    }
    /// A hook's process ends: what the child draws in answer.
    fn hook_ends(&mut self, _answer: Answer) -> Vec<u8> {
        Vec::new()
    }
    /// What is left of what the server asked for, when the turn failed then.
    fn retry_after(&mut self, _failed: Option<u64>) -> Option<Asked> {
        None
    }
    /// The child got bytes: what it draws in answer (empty: nothing).
    fn child_reads(&mut self, _bytes: &[u8]) -> Vec<u8> {
        Vec::new()
    }
}

/// A session, its clock, and all that came out of it.
pub struct World<O> {
    pub session: Session,
    pub outside: O,
    pub elapsed: Duration,
    pub wall0: u64,
    pub tty: Vec<u8>,
    pub child: Vec<u8>,
    pub log: Vec<serde_json::Value>,
    pub suspended: u32,
    pub answers: Vec<(HookId, Answer)>,
    /// What a claim is answered by.
    pub claim: Claim,
    /// The errors that were asked for.
    pub claims: Vec<String>,
    /// The pty is not asked.
    pub slow: bool,
    /// Somebody touched a key so long ago, which is known when the pty is asked.
    pub touched: Option<Duration>,
}

impl<O: Outside> World<O> {
    pub fn new(settings: Settings, size: Size, wall0: u64, outside: O) -> Self {
        let now = Now {
            elapsed: Duration::ZERO,
            unix_ms: wall0,
        };
        let traits = TerminalTraits {
            unicode: true,
            color: true,
            addressable: true,
        };
        Self {
            session: Session::new(settings, traits, size, now, 42),
            outside,
            elapsed: Duration::ZERO,
            wall0,
            tty: Vec::new(),
            child: Vec::new(),
            log: Vec::new(),
            suspended: 0,
            answers: Vec::new(),
            claim: Claim::Ours,
            claims: Vec::new(),
            slow: false,
            touched: None,
        }
    }

    /// The same with keys that come to the CLI without the session.
    #[allow(dead_code, reason = "each test file uses its part")]
    #[must_use]
    pub fn beside(mut self, settings: Settings, size: Size, conversation: Option<&str>) -> Self {
        let traits = TerminalTraits {
            unicode: true,
            color: true,
            addressable: true,
        };
        let session = Session::new(settings, traits, size, self.now(), 42);
        self.session = session.beside(conversation.map(str::to_owned));
        self
    }

    pub fn now(&self) -> Now {
        Now {
            elapsed: self.elapsed,
            unix_ms: self.wall0 + u64::try_from(self.elapsed.as_millis()).expect("a short test"),
        }
    }

    /// One event, with all that follows from it at once.
    pub fn event(&mut self, event: Event<'_>) {
        let mut out = Outbox::default();
        self.session.handle(self.now(), event, &mut out);
        self.perform(out);
    }

    fn perform(&mut self, out: Outbox) {
        self.tty.extend_from_slice(&out.tty);
        self.child.extend_from_slice(&out.child);
        for effect in out.effects {
            match effect {
                Effect::ReadTranscript(_) => {
                    let report = self.outside.transcript(self.now().unix_ms);
                    self.event(Event::Transcript(report));
                }
                Effect::ProbePty if self.slow => {}
                Effect::ProbePty => {
                    if let Some(ago) = self.touched {
                        self.event(Event::Touched(ago));
                    }
                    let pty = self.outside.pty();
                    self.event(Event::Pty(pty));
                }
                Effect::AnswerHook(id, answer) => {
                    self.answers.push((id, answer));
                    let drawn = self.outside.hook_ends(answer);
                    if !drawn.is_empty() {
                        self.event(Event::ChildOutput(&drawn));
                    }
                }
                Effect::ReadRetryAfter { failed } => {
                    let asked = self.outside.retry_after(failed);
                    self.event(Event::RetryAfter(asked));
                }
                Effect::Log(value) => self.log.push(value),
                Effect::Suspend => self.suspended += 1,
                Effect::Claim { uuid, .. } => {
                    self.claims.push(uuid.clone());
                    self.event(Event::Claimed(uuid, self.claim));
                }
            }
        }
        if !out.child.is_empty() {
            let drawn = self.outside.child_reads(&out.child);
            if !drawn.is_empty() {
                self.event(Event::ChildOutput(&drawn));
            }
        }
    }

    /// Moves the clock on to `until`, through all deadlines on the way.
    pub fn run_until(&mut self, until: Duration) {
        let mut rounds = 0;
        while let Some(deadline) = self.session.next_deadline() {
            if deadline > until {
                break;
            }
            // A deadline that does not move is a busy loop.
            rounds = if deadline > self.elapsed {
                0
            } else {
                rounds + 1
            };
            assert!(
                rounds < 20,
                "a deadline fires for ever: {:?}",
                self.session.state()
            );
            self.elapsed = self.elapsed.max(deadline);
            self.event(Event::Deadline);
        }
        self.elapsed = self.elapsed.max(until);
    }

    /// Moves the clock on by so much.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.elapsed + time);
    }
}
