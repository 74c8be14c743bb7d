//! A session beside its user's terminal, as in a tmux pane that somebody else's keys go to: they reach the CLI
//! without passing through us.
//!
//! What that changes:
//! - Somebody may be typing of whom we only hear that (`Event::Touched`). Before the paste and before the CR the
//!   caller is asked ([`Effect::ProbePty`]), and answers from a fresh look at the terminal.
//! - Nothing can be held back, so what stands in the prompt may be the user's in part: what was pasted is taken back
//!   only where it stands there whole and alone, after a fresh look as well. See `left.rs`.
//! - No Enter is seen: a turn that was not ours begins the count of tries anew, and an error in a conversation that
//!   was not seen before (`/clear`, `/resume`) counts only where the CLI was seen at work when it came.
//! - A hook may live in the session, which resumes by itself: who claims the error first has it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde_json::json;

use super::left::Left;
use super::watch::LOOK_AGAIN;
use super::{Effect, Outbox, PtyState, Session};
use crate::config::{ResumeMode, TranscriptMode};
use crate::supervisor::alone::Claim;
use crate::supervisor::prompt::Prompt;
use crate::supervisor::retry::State;
use crate::supervisor::transcript::{Ending, Report};
use crate::supervisor::typing::{APPEARS, CR_AFTER, Outcome, READ_BACK, Shown, Why};
use crate::supervisor::verdict::Failure;
use crate::term::screen::Screen;

/// Nobody is typing who has not touched a key for so long. What is told may be a second older than it is.
const TOUCH_GAP: Duration = Duration::from_secs(3);
/// What was to be typed did not get there in time.
const NOT_TYPED: &str = "the terminal was too slow";
/// From the paste to the Enter at most: nobody's input is held meanwhile, and what we see of the terminal may lag.
const LIMIT: Duration = Duration::from_secs(10);
/// Then it is tried again after this.
pub(super) const AGAIN: Duration = Duration::from_secs(1);
/// A hook that is installed claims its error within this time.
const HOOK_FIRST: Duration = Duration::from_secs(2);
/// The transcript's time of an error may be so much before the last sight of the CLI at work.
const BEFORE_MS: u64 = 2000;
/// It may be so much behind it.
const BEHIND_MS: u64 = 5000;

/// What the user wants of a wait, said elsewhere than at its prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Resume now.
    Now,
    /// Leave the error alone.
    Cancel,
}

/// What is known beside the screen.
#[derive(Debug, Default)]
pub(super) struct Remote {
    /// The error that is ours, by uuid.
    claimed: Option<String>,
    /// The next turn that is seen to begin is ours.
    begun: bool,
    /// The CLI was at work at the last look.
    works: bool,
    /// When it was last seen at work, by the wall clock.
    worked_ms: Option<u64>,
    /// What the conversation looked like at the last look.
    print: u64,
    /// The wall clock at the last event.
    pub(super) now_ms: u64,
    /// The caller was asked before the CR, and has not answered.
    asked: bool,
    /// What is being typed stands in the prompt whole and alone, and did so from soon after the paste.
    stood: bool,
    /// A message of ours that may stand, or turn up, in the prompt.
    pub(super) left: Option<Left>,
}

/// Tells one picture of the conversation from another: the rows above the prompt, where the cursor is, and above the
/// rule over that.
fn print_of(screen: &Screen) -> u64 {
    let mut hasher = DefaultHasher::new();
    let rows = usize::from(screen.cursor.0).saturating_sub(1);
    for row in screen.rows.iter().take(rows) {
        row.text.hash(&mut hasher);
    }
    hasher.finish()
}

impl Session {
    /// The same session beside its user's terminal. `conversation` is the CLI's session, where it is known.
    #[must_use]
    pub fn beside(mut self, conversation: Option<String>) -> Self {
        self.conversation = conversation;
        self.remote = Some(Remote::default());
        self
    }

    /// The CLI's session is known now.
    pub fn opened(&mut self, conversation: &str) {
        self.conversation = Some(conversation.to_owned());
    }

    /// Between sequences, characters and updates of the child's: what stands on the screen is whole.
    pub fn is_whole(&mut self) -> bool {
        self.screen.at_boundary()
    }

    /// How long nobody may have touched a key.
    pub(super) const fn typing_gap(&self) -> Duration {
        match self.remote {
            Some(_) => TOUCH_GAP,
            None => super::input::TYPING_GAP,
        }
    }

    pub(super) fn on_touched(&mut self, t: Duration, ago: Duration) {
        // Before our own time began is at its beginning.
        self.last_key = self.last_key.max(Some(t.saturating_sub(ago)));
    }

    pub(super) fn on_wish(&mut self, t: Duration, wish: Wish, out: &mut Outbox) {
        match (wish, &self.state) {
            (Wish::Now, State::Waiting(wait) | State::HoldingOff { wait, .. }) => {
                let wait = wait.clone();
                self.begin_last_look(t, wait, out);
            }
            (Wish::Cancel, _) => self.cancel(t, out),
            (Wish::Now, _) => {}
        }
    }

    /// The screen was read.
    pub(super) fn note_work(&mut self, screen: &Screen) {
        let (busy, banner) = (self.view.busy, self.view.banner.is_some());
        let settling = matches!(self.state, State::Settling { .. });
        let Some(remote) = &mut self.remote else {
            return;
        };
        if busy {
            remote.worked_ms = Some(remote.now_ms);
            if !std::mem::replace(&mut remote.works, true)
                && !std::mem::take(&mut remote.begun)
                && !settling
            {
                // Somebody else's turn.
                self.tries.reset();
            }
        } else {
            remote.works = false;
        }
        // No Enter is seen, and a short turn may be missed: what stands there now may be another error of the same words.
        let print = print_of(screen);
        let other = std::mem::replace(&mut remote.print, print) != print;
        if !busy && (other || !banner) && self.rejected.take().is_some() {
            self.forget_told();
        }
    }

    /// The turn that begins next is ours.
    pub(super) const fn note_resumed(&mut self) {
        if let Some(remote) = &mut self.remote {
            remote.begun = true;
        }
    }

    /// When the user last pressed an Enter that may have opened another conversation, for the verdict.
    pub(super) fn entered(&self, report: &Report) -> Option<u64> {
        let Some(remote) = &self.remote else {
            return self.entered_ms;
        };
        let Report::Turn(turn) = report else {
            return None;
        };
        let seen = remote.worked_ms.is_some_and(|at| {
            (at.saturating_sub(BEFORE_MS)..=at.saturating_add(BEHIND_MS)).contains(&turn.unix_ms)
        });
        (!seen).then_some(u64::MAX)
    }

    /// The turn ended well, in this conversation.
    pub(super) fn note_well(&mut self, report: &Report) {
        if self.remote.is_some()
            && let Report::Turn(turn) = report
            && turn.ending == Ending::Assistant
        {
            self.conversation = Some(turn.session_id.clone());
        }
    }

    /// Why the error is nobody's to claim here, if so.
    pub(super) fn not_to_claim(&self, failure: &Failure) -> Option<&'static str> {
        self.remote.as_ref()?;
        if self.settings.resume == ResumeMode::Hook {
            // Claimed by us, it would be lost to the hook.
            return Some("resume = hook: a hook that is installed has this error");
        }
        let nameless = failure.uuid.is_none() && self.settings.transcript == TranscriptMode::Auto;
        nameless.then_some("no transcript, and a hook may have this error")
    }

    /// Is the error ours? Where that is to be asked for first, it is asked for: not at once where we could not type now,
    /// and a hook could resume.
    pub(super) fn is_ours(
        &mut self,
        t: Duration,
        since: Duration,
        failure: &Failure,
        out: &mut Outbox,
    ) -> bool {
        let (Some(remote), Some(uuid), Some(session)) =
            (&self.remote, &failure.uuid, &failure.session_id)
        else {
            return true;
        };
        if remote.claimed.as_ref() == Some(uuid) {
            return true;
        }
        let hook_first = self.view.prompt != Prompt::Free && t < since + HOOK_FIRST;
        if hook_first {
            self.state = State::Confirming {
                since,
                next_look: t + LOOK_AGAIN,
            };
        } else {
            out.effects.push(Effect::Claim {
                session: session.clone(),
                uuid: uuid.clone(),
            });
        }
        false
    }

    pub(super) fn on_claimed(&mut self, t: Duration, uuid: String, claim: Claim, out: &mut Outbox) {
        let (Some(remote), State::Confirming { .. }) = (&mut self.remote, &self.state) else {
            return;
        };
        if remote.claimed.as_ref() == Some(&uuid) {
            // Two looks at once have asked twice.
            return;
        }
        let reason = match claim {
            Claim::Ours => {
                remote.claimed = Some(uuid);
                self.ask_transcript(t, out);
                return;
            }
            Claim::Taken => "a hook, or another watch, has this error",
            Claim::Impossible => "the error cannot be claimed, and a hook may have it",
        };
        self.log_keep_out(reason, &Report::Unknown, out);
        self.reject(out);
    }

    /// May the message be entered? The caller is asked first; what it answers comes back to
    /// [`Session::on_pty_while_typing`].
    pub(super) fn look_at_remote_typing(&mut self, t: Duration, out: &mut Outbox) {
        let State::Typing { typing, .. } = &self.state else {
            return;
        };
        let Some(remote) = &mut self.remote else {
            return;
        };
        let stands = self.view.shown == Shown::Message;
        remote.stood = stands && (remote.stood || !typing.is_older(t, READ_BACK));
        if self.view.busy {
            self.withdraw(t, Why::Interrupted, out);
        } else if typing.is_older(t, LIMIT) {
            self.withdraw(t, Why::NotReadBack, out);
        } else if stands && typing.is_older(t, CR_AFTER) && !remote.asked {
            remote.asked = true;
            out.effects.push(Effect::ProbePty);
        }
    }

    /// When the typing wants a look though nothing is drawn.
    pub(super) fn remote_typing_deadline(&self) -> Option<Duration> {
        let (Some(remote), State::Typing { typing, .. }) = (&self.remote, &self.state) else {
            return None;
        };
        let enter = self.view.shown == Shown::Message && !remote.asked;
        let limit = if enter { CR_AFTER } else { LIMIT };
        Some(typing.older_at(limit))
    }

    /// The caller's fresh look, before the CR.
    pub(super) fn on_pty_while_typing(&mut self, t: Duration, pty: PtyState, out: &mut Outbox) {
        let Some(remote) = &mut self.remote else {
            return;
        };
        if !std::mem::take(&mut remote.asked) {
            return;
        }
        let whole = self.screen.at_boundary();
        self.read_screen();
        let touched = self.last_key.is_some_and(|key| t < key + self.typing_gap());
        let State::Typing { wait, typing } = &mut self.state else {
            return;
        };
        if touched {
            self.withdraw(t, Why::UserTyped, out);
            return;
        }
        if self.view.busy || !(pty.raw && pty.foreground) {
            self.withdraw(t, Why::Interrupted, out);
            return;
        }
        if !whole || self.view.shown != Shown::Message {
            // Looked at again, until it is over.
            return;
        }
        if let Outcome::Entered(_) = typing.look(t, Shown::Message, &mut out.child) {
            let wait = wait.clone();
            Self::log(out, json!({"event": "typed", "attempt": wait.attempt}));
            self.resumed(t, wait, crate::supervisor::retry::Way::Typing, out);
        }
    }

    /// Takes the message back, where it stands in the prompt whole and alone: else somebody's own text may be with it.
    pub(super) fn withdraw(&mut self, t: Duration, why: Why, out: &mut Outbox) {
        let State::Typing { wait, typing } = &self.state else {
            return;
        };
        let (mut wait, since) = (wait.clone(), typing.older_at(Duration::ZERO));
        let early = !typing.is_older(t, READ_BACK);
        if self.screen.at_boundary() {
            self.read_screen();
        }
        let stands = self.view.shown == Shown::Message;
        let mut ours = false;
        if let Some(remote) = &mut self.remote {
            remote.asked = false;
            ours = stands && (remote.stood || early);
        }
        Self::log(out, json!({"event": "undone", "reason": why.text()}));
        match why {
            Why::UserTyped => self.hold_off(wait, "you are typing", t + TOUCH_GAP, out),
            Why::Interrupted if self.view.busy => self.stand_down(t, why.text(), out),
            Why::Interrupted => {
                self.hold_off(wait, why.text(), t + AGAIN, out);
            }
            Why::NotReadBack => {
                wait.refused += 1;
                self.refused(t, wait, out);
            }
        }
        self.take_out(t, since, ours, out);
    }

    pub(super) fn on_not_typed(&mut self, t: Duration, out: &mut Outbox) {
        if self.look_at_left_failed(t) {
            return;
        }
        let Some(remote) = &mut self.remote else {
            return;
        };
        let asked = std::mem::take(&mut remote.asked);
        match &self.state {
            // The look before the Enter: it is asked for again, until it is too late for that.
            State::Typing { .. } if asked => {}
            State::LastLook(wait) => {
                let wait = wait.clone();
                self.hold_off(wait, NOT_TYPED, t + AGAIN, out);
            }
            // Nothing of ours stands anywhere.
            State::Typing { wait, .. } => {
                let wait = wait.clone();
                Self::log(out, json!({"event": "undone", "reason": NOT_TYPED}));
                self.hold_off(wait, NOT_TYPED, t + AGAIN, out);
            }
            State::Settling { wait, since, .. } => {
                let (wait, since) = (wait.clone(), *since);
                self.take_back(&wait);
                self.read_screen();
                Self::log(out, json!({"event": "undone", "reason": NOT_TYPED}));
                self.hold_off(wait, NOT_TYPED, t + AGAIN, out);
                self.take_out(t, since, false, out);
            }
            // What was to take the message out of the prompt: it is tried again where it stands there still.
            _ => self.schedule_look(t),
        }
    }

    /// The message is about to be pasted.
    pub(super) const fn note_pasted(&mut self) {
        if let Some(remote) = &mut self.remote {
            (remote.stood, remote.left) = (false, None);
        }
    }

    /// We are to end, or to stand aside: nothing of ours may stay in the prompt.
    pub(super) fn abandon_remote(&mut self, t: Duration, out: &mut Outbox) -> bool {
        if self.remote.is_none() {
            return false;
        }
        if matches!(self.state, State::Typing { .. }) {
            self.withdraw(t, Why::Interrupted, out);
        }
        // It may have been pasted, and not be drawn yet.
        self.leave_by(t + APPEARS);
        self.schedule_look(t);
        true
    }
}
