//! A message of ours that is to be taken out of the prompt again, in a session beside its user's terminal.
//!
//! Whoever has typed the same words must not lose them. So it is taken out only where it stands whole and alone, by a
//! fresh look that the caller is asked for ([`Effect::ProbePty`]), and only where it is ours by all that is known: no look
//! has found other text, and it stood there from soon after the paste on, or nobody has touched a key since then. Else it
//! is left alone for good: better a word too much than a draft lost.

use std::time::Duration;

use super::remote::AGAIN;
use super::watch::QUICK;
use super::{Effect, Outbox, PtyState, Session};
use crate::supervisor::prompt::Prompt;
use crate::supervisor::retry::State;
use crate::supervisor::typing::{END_CTRL_U, Shown};

/// It may turn up for so long.
const LEFT_OVER: Duration = Duration::from_mins(1);
/// What is told of a key may be so much older than the key.
const COARSE: Duration = Duration::from_secs(1);

/// What is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// Who has touched a key after this may have typed the same.
    since: Duration,
    /// Nobody else can have typed it.
    ours: bool,
    /// It stands there.
    stands: bool,
    /// The caller was asked for a fresh look, and has not answered.
    asked: bool,
    /// Is not asked before this.
    next: Duration,
    /// It is let be after this.
    until: Duration,
}

impl Session {
    /// The message that was pasted then is to be taken out, now or when it turns up.
    pub(super) fn take_out(&mut self, t: Duration, since: Duration, ours: bool, out: &mut Outbox) {
        if let Some(remote) = &mut self.remote {
            remote.left = Some(Left {
                since,
                ours,
                stands: false,
                asked: false,
                next: t,
                until: t + LEFT_OVER,
            });
        }
        self.take_out_what_is_left(t, out);
    }

    /// The screen was read: what is left is asked about, where it stands there.
    pub(super) fn take_out_what_is_left(&mut self, t: Duration, out: &mut Outbox) {
        self.judge_left(t);
        let busy_with_it = matches!(
            self.state,
            State::LastLook(_) | State::Typing { .. } | State::Settling { .. }
        );
        let ending = self.ending;
        let Some(left) = self.left().filter(|left| !left.asked && !busy_with_it) else {
            return;
        };
        let mut again = ending.then_some(left.until);
        if left.stands && t >= left.next {
            left.asked = true;
            again = None;
            out.effects.push(Effect::ProbePty);
        } else if left.stands {
            again = Some(left.next.min(left.until));
        }
        if let Some(again) = again {
            self.look_due = Some(self.look_due.map_or(again, |due| due.min(again)));
        }
    }

    /// Is it there still, and ours?
    fn judge_left(&mut self, t: Duration) {
        let shown = self.view.shown;
        let draft = matches!(
            self.view.prompt,
            Prompt::Draft(_) | Prompt::Shell | Prompt::Menu
        );
        let last_key = self.last_key;
        let Some(left) = self.left() else {
            return;
        };
        let touched = last_key.is_some_and(|key| key + COARSE > left.since);
        let gone = match shown {
            Shown::Message => {
                left.stands = true;
                false
            }
            // Taken out, by whomever; or it has not turned up yet.
            Shown::Empty => left.stands,
            // Somebody's draft; else a dialog is in front of the prompt, or half a frame.
            Shown::Other => draft,
        };
        let late = t >= left.until && !left.asked;
        if gone || late || touched && !left.ours {
            self.forget_left();
        }
    }

    /// The caller's fresh look at what is left; false where it was not asked for that.
    pub(super) fn on_pty_with_left(
        &mut self,
        t: Duration,
        pty: PtyState,
        out: &mut Outbox,
    ) -> bool {
        if !self.is_asked_of_left() {
            return false;
        }
        let whole = self.screen.at_boundary();
        self.read_screen();
        self.judge_left(t);
        let stands = self.view.shown == Shown::Message;
        if let Some(left) = self.left() {
            left.asked = false;
            left.next = t + if whole { AGAIN } else { QUICK };
            if whole && stands && pty.raw && pty.foreground {
                out.child.extend_from_slice(END_CTRL_U);
            }
            // Until it is seen to be gone.
            self.schedule_look(t);
        }
        true
    }

    /// There was no fresh look; false where none was asked for.
    pub(super) fn look_at_left_failed(&mut self, t: Duration) -> bool {
        let asked = self.is_asked_of_left();
        if let Some(left) = self.left().filter(|_| asked) {
            left.asked = false;
            left.next = t + AGAIN;
            self.schedule_look(t);
        }
        asked
    }

    /// It is let be after this at the latest.
    pub(super) fn leave_by(&mut self, until: Duration) {
        if let Some(left) = self.left() {
            left.until = left.until.min(until);
        }
    }

    /// May a message of ours stand in the prompt that is to be taken out of it?
    pub fn has_left_over(&self) -> bool {
        self.remote
            .as_ref()
            .is_some_and(|remote| remote.left.is_some())
    }

    /// Is the fresh look that the caller is asked for one at what is left?
    pub(super) fn is_asked_of_left(&self) -> bool {
        let left = self.remote.as_ref().and_then(|remote| remote.left.as_ref());
        left.is_some_and(|left| left.asked)
    }

    /// What would be typed after the fresh look that the caller is asked for.
    pub fn next_keys(&self) -> Vec<u8> {
        match &self.state {
            _ if self.is_asked_of_left() => END_CTRL_U.to_vec(),
            State::Typing { .. } => b"\r".to_vec(),
            _ => self.settings.message.clone().into_bytes(),
        }
    }

    const fn left(&mut self) -> Option<&mut Left> {
        match &mut self.remote {
            Some(remote) => remote.left.as_mut(),
            None => None,
        }
    }

    const fn forget_left(&mut self) {
        if let Some(remote) = &mut self.remote {
            remote.left = None;
        }
    }
}
