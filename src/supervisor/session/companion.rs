//! What the companion hook tells, and what it is told.
//!
//! An event is never a proof: it makes the witnesses be asked. A hook whose process waits for our word gets
//! it exactly once: when it is to resume the turn, or when the error needs nothing of it any more.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::watch::END_LOOKS;
use super::{Effect, Outbox, Session};
use crate::supervisor::hook::{Answer, Happened, HookEvent, HookId};
use crate::supervisor::retry::{State, Wait};
use crate::supervisor::transcript::{Ending, Report};
use crate::supervisor::verdict::{HookWitness, same_error};

/// What is known of the companion hook.
#[derive(Debug, Default)]
pub(super) struct Companion {
    /// It told of something in this session.
    pub(super) lives: bool,
    /// It told of the turn that runs, or ran last: it lives still.
    heard: bool,
    /// The transcript that the newest event names.
    pub(super) transcript: Option<PathBuf>,
    /// A turn that failed, not judged yet.
    failure: Option<Told>,
    /// The line of the error that it told of last: it stays told of when a wait for it has ended.
    pub(super) told_of: Option<String>,
}

/// A `StopFailure`.
#[derive(Debug)]
struct Told {
    id: HookId,
    text: String,
}

impl Session {
    pub(super) fn on_hook(&mut self, t: Duration, id: HookId, event: HookEvent, out: &mut Outbox) {
        if !self.companion.lives {
            Self::log(out, json!({"event": "hook", "lives": true}));
        }
        self.companion.lives = true;
        // A turn's end may be told after the next session's beginning.
        if event.happened != Happened::Stop {
            self.companion.transcript = Some(event.transcript);
        }
        match event.happened {
            Happened::SessionStart => {
                let other = |wait: &Wait| {
                    wait.failure.session_id.as_ref() != Some(&event.session_id)
                        && wait.failure.session_id.is_some()
                };
                if self.is_due_or_waiting() && self.state.wait().is_some_and(other) {
                    (self.companion.told_of, self.conversation) = (None, None);
                    self.stand_down(t, "another session was opened", out);
                }
            }
            Happened::UserPromptSubmit => {
                self.companion.heard = true;
                self.busy_seen = true;
                match &self.state {
                    State::Settling { .. } => self.turn_began(t, out),
                    _ if self.is_due_or_waiting() => {
                        // Somebody began a turn, or this is late news of the one that failed.
                        self.recheck = END_LOOKS;
                        self.ask_transcript(t, out);
                    }
                    _ => {}
                }
            }
            Happened::Stop => {
                self.companion.heard = true;
                self.turn_open = END_LOOKS;
                self.schedule_look(t);
            }
            Happened::StopFailure { text } => self.on_stop_failure(t, Told { id, text }, out),
        }
    }

    fn on_stop_failure(&mut self, t: Duration, told: Told, out: &mut Outbox) {
        self.companion.heard = true;
        let text = self.settings.catalogue.wording_of(&told.text);
        Self::log(out, json!({"event": "hook-failure", "text": text}));
        self.told_verdict = None;
        if self.ending {
            Self::answer(told.id, Answer::LetGo, out);
            return;
        }
        self.drop_failure(out);
        self.companion.failure = Some(told);
        match &mut self.state {
            State::Watching => {
                self.state = State::Confirming {
                    since: t,
                    next_look: t,
                };
            }
            State::Confirming { next_look, .. } => *next_look = t,
            State::Waiting(_) | State::Paused { .. } | State::HoldingOff { .. } => {
                self.ask_transcript(t, out);
            }
            // Judged once the state comes back to watching.
            _ => {}
        }
    }

    /// The hook's process is gone: the CLI has ended it, or has ended itself.
    pub(super) fn on_hook_gone(&mut self, id: HookId) {
        if self
            .companion
            .failure
            .as_ref()
            .is_some_and(|told| told.id == id)
        {
            self.companion.failure = None;
        }
        if let Some(wait) = self.state.wait_mut()
            && wait.hook == Some(id)
        {
            wait.hook = None;
        }
    }

    /// What the hook says to the verdict.
    pub(super) fn hook_witness(&self, report: &Report) -> HookWitness<'_> {
        let told_before = matches!(report, Report::Turn(turn)
            if self.companion.told_of.as_ref() == Some(&turn.uuid));
        match (&self.companion.failure, self.state.wait()) {
            (_, Some(wait)) if wait.told => HookWitness::Told(""),
            (Some(told), _) => HookWitness::Told(&told.text),
            (None, _) if told_before => HookWitness::Told(""),
            (None, _) if self.companion.lives => HookWitness::Silent,
            (None, _) => HookWitness::Absent,
        }
    }

    /// Has a turn failed by the hook that was not judged yet?
    pub(super) fn has_failure(&self) -> bool {
        self.companion.failure.is_some()
    }

    /// Is the transcript's last turn the one that the hook told of?
    pub(super) fn is_told_of(&self, report: &Report) -> bool {
        let (Some(told), Report::Turn(turn)) = (&self.companion.failure, report) else {
            return false;
        };
        matches!(&turn.ending, Ending::ApiError { text, .. } if same_error(&told.text, text))
    }

    /// Does the transcript end in something else than the error that was told of?
    pub(super) fn is_another(&self, report: &Report) -> bool {
        self.has_failure() && matches!(report, Report::Turn(_)) && !self.is_told_of(report)
    }

    /// The error that was told of is not acted on now; perhaps later, when its hook is gone.
    pub(super) fn remember_told(&mut self, report: &Report) {
        if self.is_told_of(report)
            && let Report::Turn(turn) = report
        {
            self.companion.told_of = Some(turn.uuid.clone());
        }
    }

    /// The text of that turn's error.
    pub(super) fn failure_text(&self) -> Option<&str> {
        self.companion
            .failure
            .as_ref()
            .map(|told| told.text.as_str())
    }

    /// The hook lives, but told nothing of this turn: it was turned off meanwhile. True once.
    pub(super) fn hook_fell_silent(&mut self) -> bool {
        let silent = self.companion.lives && !self.companion.heard;
        if silent {
            self.companion = Companion::default();
        }
        silent
    }

    /// The error that was confirmed is the one that the hook told of.
    pub(super) fn attach_failure(&mut self, wait: &mut Wait) {
        if wait.hook.is_none()
            && let Some(told) = self.companion.failure.take()
        {
            wait.told = true;
            wait.hook = Some(told.id);
            self.companion.told_of.clone_from(&wait.failure.uuid);
        }
    }

    /// The same for the wait that runs; true if there was one to be attached. A second event of the same error stays until that is dealt with: it
    /// may also be the first word of another.
    pub(super) fn attach_to_state(&mut self) -> bool {
        let Some(mut wait) = self.state.wait().cloned() else {
            return false;
        };
        let before = wait.hook;
        self.attach_failure(&mut wait);
        let attached = wait.hook != before;
        if let Some(running) = self.state.wait_mut() {
            *running = wait;
        }
        attached
    }

    /// What was told and not judged needs nothing of the hook.
    pub(super) fn drop_failure(&mut self, out: &mut Outbox) {
        if let Some(told) = self.companion.failure.take() {
            Self::answer(told.id, Answer::LetGo, out);
        }
    }

    /// The wait is over, and nothing is needed of its hook.
    pub(super) fn let_go(&mut self, out: &mut Outbox) {
        if let Some(id) = self.state.wait_mut().and_then(|wait| wait.hook.take()) {
            Self::answer(id, Answer::LetGo, out);
        }
    }

    /// An error is dealt with: the next one needs an event of its own.
    pub(super) const fn forget_turn(&mut self) {
        self.companion.heard = false;
    }

    pub(super) fn answer(id: HookId, answer: Answer, out: &mut Outbox) {
        out.effects.push(Effect::AnswerHook(id, answer));
    }

    /// An error is known, and nothing was begun about it.
    const fn is_due_or_waiting(&self) -> bool {
        matches!(
            self.state,
            State::Waiting(_) | State::Paused { .. } | State::HoldingOff { .. }
        )
    }
}
