//! The user's input: passed on, unless it is a key for the bar or the message is being typed.

use std::time::Duration;

use serde_json::json;

use super::{Outbox, Session};
use crate::config::BarMode;
use crate::supervisor::keys::{self, Kind, Piece};
use crate::supervisor::prompt::{self, Prompt};
use crate::supervisor::retry::{LEFT_ALONE, NOTICE, State};

/// The rest of a key that came in two reads comes within this time; a lone Esc is passed on after it.
const KEY_GAP: Duration = Duration::from_millis(50);
/// A terminal that has not answered by then does not: its input need not be searched for the answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Nobody is typing who has not pressed a key for so long, and what was typed has been drawn.
pub(super) const TYPING_GAP: Duration = Duration::from_millis(400);

impl Session {
    pub(super) fn on_input(&mut self, t: Duration, unix_ms: u64, input: &[u8], out: &mut Outbox) {
        if !self.careful(t) {
            out.child.extend_from_slice(input);
            self.passed_ahead += input.len();
        }
        self.kept += input.len();
        let mut pieces = Vec::new();
        self.keys.feed(input, &mut pieces);
        for piece in pieces {
            self.on_piece(t, unix_ms, &piece, out);
        }
        let unsent = self.kept > self.passed_ahead;
        self.flush_keys = unsent.then_some(t + KEY_GAP);
    }

    pub(super) fn flush_keys(&mut self, t: Duration, out: &mut Outbox) {
        self.flush_keys = None;
        let mut pieces = Vec::new();
        self.keys.flush(&mut pieces);
        for piece in pieces {
            self.on_piece(t, self.started_ms, &piece, out);
        }
    }

    /// Must input be cut into pieces before it is passed on?
    fn careful(&self, t: Duration) -> bool {
        self.asked.is_some_and(|asked| t < asked + ANSWER)
            || matches!(
                self.state,
                State::Waiting(_)
                    | State::HoldingOff { .. }
                    | State::LastLook(_)
                    | State::Typing { .. }
            )
    }

    fn on_piece(&mut self, t: Duration, unix_ms: u64, piece: &Piece, out: &mut Outbox) {
        self.kept = self.kept.saturating_sub(piece.bytes.len());
        let ahead = self.passed_ahead.min(piece.bytes.len());
        self.passed_ahead -= ahead;
        if let Some((mode, value)) = keys::decrpm(piece) {
            // DECRPM: 1 set, 2 reset; 0 and 4 mean that the terminal does not know it.
            if mode == 2026 {
                self.screen.set_synchronized(matches!(value, 1 | 2));
            }
        }
        // The child's own questions are counted off too, or the next answer would be taken for theirs.
        let ours = matches!(piece.kind, Kind::CursorReport(row, col) if self.screen.cursor_report(row, col));
        if ours {
            self.asked = None;
            self.unanswered = 0;
            self.draw_due = Some(t);
        }
        // What was begun to be passed on is passed on to its end.
        if ahead == 0 && (ours || self.take(t, piece, out)) {
            return;
        }
        out.child.extend_from_slice(&piece.bytes[ahead..]);
        self.note(t, unix_ms, piece.kind, out);
    }

    /// Is this piece for us?
    fn take(&mut self, t: Duration, piece: &Piece, out: &mut Outbox) -> bool {
        if let State::Typing { typing, .. } = &mut self.state {
            if matches!(piece.kind, Kind::Reply | Kind::CursorReport(..)) {
                return false;
            }
            typing.hold(t, &piece.bytes, is_typing(piece.kind), &mut out.child);
            if is_typing(piece.kind) {
                self.last_key = Some(t);
            }
            return true;
        }
        let wait = match &self.state {
            State::Waiting(wait) | State::HoldingOff { wait, .. }
                if self.settings.bar != BarMode::Off =>
            {
                wait.clone()
            }
            _ => return false,
        };
        if !matches!(piece.kind, Kind::Enter | Kind::CtrlC) || !self.prompt_is_idle(t) {
            return false;
        }
        if piece.kind == Kind::Enter {
            self.begin_last_look(t, wait, out);
        } else {
            self.cancel(t, out);
        }
        true
    }

    /// The prompt is free on the screen as it stands, and nothing was typed that it may not show yet.
    fn prompt_is_idle(&self, t: Duration) -> bool {
        self.last_text.is_none_or(|text| t >= text + TYPING_GAP)
            && prompt::read(&self.screen.screen()) == Prompt::Free
    }

    fn cancel(&mut self, t: Duration, out: &mut Outbox) {
        let (State::Waiting(wait) | State::HoldingOff { wait, .. } | State::Paused { wait, .. }) =
            &self.state
        else {
            return;
        };
        let wait = wait.clone();
        self.settle_error(&wait);
        Self::log(out, json!({"event": "cancelled"}));
        self.enter(State::Cancelled {
            wait,
            until: t + NOTICE,
        });
    }

    /// Something of the user's was passed on to the child.
    fn note(&mut self, t: Duration, unix_ms: u64, kind: Kind, out: &mut Outbox) {
        if !is_typing(kind) {
            return;
        }
        self.last_key = Some(t);
        self.last_text = matches!(kind, Kind::Text | Kind::Key)
            .then_some(t)
            .or(self.last_text);
        if kind == Kind::Enter {
            self.last_text = None;
            // Perhaps a new message: what happens now is the user's turn.
            self.entered_ms = Some(unix_ms);
            self.rejected = None;
            self.recheck = super::watch::END_LOOKS;
            self.tries.reset();
        }
        match &self.state {
            // The bar does not show, so that its keys are not taken: the CLI and we both obey.
            State::Waiting(_) | State::HoldingOff { .. }
                if kind == Kind::CtrlC
                    && self.settings.bar == BarMode::Off
                    && self.view.prompt == Prompt::Free =>
            {
                self.cancel(t, out);
            }
            State::Waiting(wait) if matches!(kind, Kind::Text | Kind::Key) => {
                let wait = wait.clone();
                let left = wait.until.saturating_sub(t);
                Self::log(out, json!({"event": "paused"}));
                self.enter(State::Paused { wait, left });
            }
            State::HoldingOff { wait, .. } if matches!(kind, Kind::Text | Kind::Key) => {
                let wait = wait.clone();
                self.enter(State::Paused {
                    wait,
                    left: Duration::ZERO,
                });
            }
            State::GaveUp { .. } | State::Cancelled { .. } if kind != Kind::CtrlC => {
                self.enter(State::Watching);
            }
            _ => {}
        }
    }

    /// When a pause is looked at again, after the last key.
    pub(super) fn pause_look(&self) -> Duration {
        if self.view.prompt == Prompt::Free {
            TYPING_GAP
        } else {
            LEFT_ALONE
        }
    }
}

/// Is it the user's typing, and not mouse, focus, or the terminal's own words?
const fn is_typing(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Enter | Kind::CtrlC | Kind::CtrlZ | Kind::Text | Kind::Key
    )
}
