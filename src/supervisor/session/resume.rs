//! Due: the last look at all witnesses, the typing, and the turn that should begin.

use std::time::Duration;

use serde_json::json;

use super::input::TYPING_GAP;
use super::watch::{END_LOOKS, QUICK};
use super::{Effect, Outbox, PtyState, Session};
use crate::config::ResumeMode;
use crate::supervisor::hook::Answer;
use crate::supervisor::keys::{Kind, Reader};
use crate::supervisor::retry::{State, Wait, Way};
use crate::supervisor::transcript::Report;
use crate::supervisor::typing::{END_CTRL_U, Outcome, Shown, Typing, Why};
use crate::supervisor::verdict::{self, BUSY_BY_FILE, NOT_IN_SIGHT, Verdict};

/// A reason that is not to be seen on the screen is looked at again after this.
const HOLD: Duration = Duration::from_secs(1);
/// After a prompt did not take the message.
const REFUSED_HOLD: Duration = Duration::from_secs(5);
/// So often a prompt may refuse the message.
const REFUSALS: u32 = 2;
/// After typing of the user's was given back, and before we try again.
const AFTER_USER: Duration = Duration::from_secs(1);
/// From CR to the turn's beginning at most.
const SETTLE: Duration = Duration::from_secs(5);
/// Between two looks while it should begin.
const SETTLE_LOOK: Duration = Duration::from_millis(100);

impl Session {
    pub(super) fn begin_last_look(&mut self, t: Duration, wait: Wait, out: &mut Outbox) {
        if self.in_the_middle(t) {
            self.hold_off(wait, "the CLI is drawing", t + QUICK, out);
            return;
        }
        self.read_screen();
        if self.view.busy {
            self.stand_down(t, "the turn goes on", out);
            return;
        }
        if self.is_asked_of_left() {
            self.hold_off(wait, "a message is being taken back", t + HOLD, out);
            return;
        }
        self.enter(State::LastLook(wait));
        self.ask_transcript(t, out);
    }

    /// All witnesses once more, with the transcript's answer.
    pub(super) fn on_last_look(&mut self, t: Duration, report: &Report, out: &mut Outbox) {
        let State::LastLook(wait) = &self.state else {
            return;
        };
        let wait = wait.clone();
        if self.remote.is_some() {
            // The answer may have taken its time.
            if self.in_the_middle(t) {
                self.hold_off(wait, "the CLI is drawing", t + QUICK, out);
                return;
            }
            self.read_screen();
        }
        match (report, &wait.failure.uuid) {
            (Report::Turn(turn), Some(uuid)) if turn.uuid == *uuid => {}
            (Report::Turn(_), _) => {
                self.went_on(t, out);
                return;
            }
            (Report::Unknown | Report::Pending, None) => {}
            (Report::Unknown | Report::Pending, Some(_)) => {
                // Who comes back to this session finds history.
                self.conversation = None;
                self.stand_down(t, "the transcript is another, or gone", out);
                return;
            }
        }
        if self.is_doubtful(&wait) {
            self.hold_off(wait, NOT_IN_SIGHT, Duration::ZERO, out);
            return;
        }
        let way = match self.way(&wait) {
            Ok(way) => way,
            Err(reason) => {
                self.hold_off(wait, reason, Duration::ZERO, out);
                return;
            }
        };
        let verdict = self.judge(report);
        self.log_verdict(&verdict, report, out);
        match verdict {
            Verdict::Act(failure) if failure.uuid == wait.failure.uuid => {}
            Verdict::Act(_) => {
                self.stand_down(t, "another error stands there", out);
                return;
            }
            Verdict::Wait(BUSY_BY_FILE) => {
                self.hold_off(wait, BUSY_BY_FILE, t + HOLD, out);
                return;
            }
            Verdict::Wait(reason) | Verdict::KeepOut(reason) => {
                self.stand_down(t, reason, out);
                return;
            }
        }
        if self.is_typing(t, &wait, out) {
            return;
        }
        match way {
            Way::Typing => out.effects.push(Effect::ProbePty),
            Way::Hook => self.wake(t, wait, out),
        }
    }

    /// The way to resume that is open, or why none is.
    pub(super) fn way(&self, wait: &Wait) -> Result<Way, &'static str> {
        verdict::way(
            &self.view.prompt,
            wait.hook.is_some(),
            self.settings.resume,
            wait.refused > 0,
        )
    }

    /// Is there a hook's process that is to resume where typing cannot?
    fn may_wake(&self, wait: &Wait) -> bool {
        wait.hook.is_some() && self.settings.resume != ResumeMode::Type
    }

    /// The hook's process ends with code 2, and the CLI starts a turn; the prompt stays as it is.
    fn wake(&mut self, t: Duration, mut wait: Wait, out: &mut Outbox) {
        let Some(id) = wait.hook.take() else { return };
        Self::log(
            out,
            json!({
                "event": "woken",
                "attempt": wait.attempt,
                "prompt": self.view.prompt.why(),
            }),
        );
        Self::answer(id, Answer::Resume, out);
        self.resumed(t, wait, Way::Hook, out);
    }

    /// Acted on, by either way: the turn should begin now.
    pub(super) fn resumed(&mut self, t: Duration, wait: Wait, by: Way, out: &mut Outbox) {
        self.settle_error(&wait);
        self.forget_told();
        self.rejected = None;
        // An event that came before this was of the error that is dealt with.
        self.drop_failure(out);
        self.tries.resumed(t);
        self.note_resumed();
        self.enter(State::Settling {
            wait,
            since: t,
            next_look: t + SETTLE_LOOK,
            by,
        });
    }

    /// The turn may have been taken back, and its error is not in sight.
    pub(super) fn is_doubtful(&self, wait: &Wait) -> bool {
        wait.doubt && self.view.banner.is_none()
    }

    /// Holds off where the user is typing, or in the middle of a paste.
    fn is_typing(&mut self, t: Duration, wait: &Wait, out: &mut Outbox) -> bool {
        let free_at = if self.keys.in_paste() {
            t + TYPING_GAP
        } else {
            let gap = self.typing_gap();
            self.last_key.map_or(t, |key| key + gap)
        };
        let typing = t < free_at;
        if typing {
            self.hold_off(wait.clone(), "you are typing", free_at, out);
        }
        typing
    }

    pub(super) fn on_pty(&mut self, t: Duration, pty: PtyState, out: &mut Outbox) {
        if self.on_pty_with_left(t, pty, out) {
            return;
        }
        let State::LastLook(wait) = &self.state else {
            self.on_pty_while_typing(t, pty, out);
            return;
        };
        let wait = wait.clone();
        if !(pty.raw && pty.foreground) {
            self.hold_off(wait, "the CLI is not reading keys", t + HOLD, out);
            return;
        }
        // A key may have come since the last look.
        if self.is_typing(t, &wait, out) {
            return;
        }
        let bracketed = self.screen.screen().bracketed_paste;
        Self::log(
            out,
            json!({
                "event": "typing",
                "attempt": wait.attempt,
                "text": self.settings.message,
                "paste": bracketed,
            }),
        );
        self.held_keys.clear();
        self.note_pasted();
        let typing = Typing::begin(t, &self.settings.message, bracketed, &mut out.child);
        self.enter(State::Typing { wait, typing });
    }

    pub(super) fn look_at_typing(&mut self, t: Duration, out: &mut Outbox) {
        if self.remote.is_some() {
            self.look_at_remote_typing(t, out);
            return;
        }
        let shown = self.view.shown;
        let busy = self.view.busy;
        let State::Typing { wait, typing } = &mut self.state else {
            return;
        };
        if busy {
            typing.start_undo(t, Why::Interrupted, &mut out.child);
        }
        match typing.look(t, shown, &mut out.child) {
            Outcome::Open => {}
            Outcome::Entered(held) => {
                let wait = wait.clone();
                out.child.extend_from_slice(&held);
                Self::log(out, json!({"event": "typed", "attempt": wait.attempt}));
                self.resumed(t, wait, Way::Typing, out);
            }
            Outcome::Undone(why, held) => {
                let mut wait = wait.clone();
                Self::log(out, json!({"event": "undone", "reason": why.text()}));
                self.last_key = (why == Why::UserTyped).then_some(t).or(self.last_key);
                self.enter(State::Paused {
                    wait: wait.clone(),
                    left: AFTER_USER,
                });
                if self.note_held(t, out) {
                    out.child.extend_from_slice(&without_ctrl_c(&held));
                    return;
                }
                out.child.extend_from_slice(&held);
                match why {
                    Why::UserTyped => self.schedule_look(t),
                    Why::Interrupted => self.stand_down(t, why.text(), out),
                    Why::NotReadBack => {
                        wait.refused += 1;
                        self.refused(t, wait, out);
                    }
                }
            }
        }
    }

    pub(super) fn refused(&mut self, t: Duration, wait: Wait, out: &mut Outbox) {
        if wait.refused >= REFUSALS && !self.may_wake(&wait) {
            let why = "the prompt did not take the message".to_owned();
            self.give_up(t, wait, why, out);
        } else {
            let reason = Why::NotReadBack.text();
            self.hold_off(wait, reason, t + REFUSED_HOLD, out);
        }
    }

    pub(super) fn look_at_settling(&mut self, t: Duration, out: &mut Outbox) {
        let State::Settling {
            wait,
            since,
            next_look,
            by,
        } = &mut self.state
        else {
            return;
        };
        if self.view.busy {
            self.turn_began(t, out);
            return;
        }
        let by = *by;
        if t >= *since + SETTLE {
            let (mut wait, since) = (wait.clone(), *since);
            if by == Way::Typing && self.view.shown == Shown::Message {
                // CR was not taken. Nothing of ours may stay behind.
                if self.remote.is_none() {
                    out.child.extend_from_slice(END_CTRL_U);
                }
                self.take_back(&wait);
                wait.refused += 1;
                self.refused(t, wait, out);
                self.take_out(t, since, false, out);
            } else {
                self.stand_down(t, "no turn was seen to begin", out);
            }
            return;
        }
        *next_look = t + SETTLE_LOOK;
        self.ask_transcript(t, out);
    }

    /// The resume that was counted did not happen: the error is not dealt with.
    pub(super) fn take_back(&mut self, wait: &Wait) {
        self.tries.not_resumed();
        self.busy_seen = true;
        self.handled
            .pop_if(|uuid| Some(&*uuid) == wait.failure.uuid.as_ref());
    }

    pub(super) fn on_settling_report(&mut self, t: Duration, report: &Report, out: &mut Outbox) {
        let State::Settling { wait, .. } = &self.state else {
            return;
        };
        let began = match report {
            Report::Turn(turn) => Some(&turn.uuid) != wait.failure.uuid.as_ref(),
            Report::Unknown => self.view.banner.is_none() && self.view.shown == Shown::Empty,
            Report::Pending => false,
        };
        if began {
            self.turn_began(t, out);
        }
    }

    pub(super) fn turn_began(&mut self, t: Duration, out: &mut Outbox) {
        Self::log(out, json!({"event": "resumed"}));
        self.let_go(out);
        self.turn_open = END_LOOKS;
        self.enter(State::Watching);
        // The turn may have failed again before it was seen to run.
        self.look_due = Some(t + SETTLE_LOOK);
        self.unread_since.get_or_insert(t);
    }
}

/// What was held beside a Ctrl+C that was for us, a click or a focus report, is the CLI's.
fn without_ctrl_c(held: &[u8]) -> Vec<u8> {
    let (mut keys, mut pieces) = (Reader::default(), Vec::new());
    keys.feed(held, &mut pieces);
    keys.flush(&mut pieces);
    pieces.retain(|piece| piece.kind != Kind::CtrlC);
    pieces.into_iter().flat_map(|piece| piece.bytes).collect()
}
