//! The user's input: passed on, unless it is a key for the bar or the message is being typed.

use std::time::Duration;

use serde_json::json;

use super::{Outbox, Session};
use crate::config::BarMode;
use crate::supervisor::banner::{self, Title};
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
        self.end_lone_escape(t);
        // What is kept and not passed on yet must go first: then it is piece by piece.
        if !self.careful(t) && self.kept == self.passed_ahead {
            out.child.extend_from_slice(input);
            self.passed_ahead += input.len();
        }
        self.kept += input.len();
        self.last_input = Some(t);
        let mut pieces = Vec::new();
        self.keys.feed(input, &mut pieces);
        for piece in pieces {
            self.on_piece(t, unix_ms, &piece, out);
        }
        let unsent = self.kept > self.passed_ahead;
        self.flush_keys = unsent.then_some(t + KEY_GAP);
    }

    /// An Esc (or Alt+[) that was passed on a while ago is a key of its own: it must not make the next key,
    /// perhaps one for the bar, an Alt key. Longer sequences are answers of a slow terminal.
    fn end_lone_escape(&mut self, t: Duration) {
        let old = self.last_input.is_some_and(|at| t >= at + KEY_GAP);
        if old && (1..=2).contains(&self.kept) && self.kept == self.passed_ahead {
            self.keys.flush(&mut Vec::new());
            (self.kept, self.passed_ahead) = (0, 0);
            self.last_key = self.last_key.max(self.last_input);
            self.last_text = self.last_text.max(self.last_input);
        }
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
        if ours && ahead == 0 || self.hold(t, unix_ms, piece, ahead, out) {
            return;
        }
        // What was begun to be passed on is passed on to its end.
        if ahead == 0 && self.take(t, piece, out) {
            return;
        }
        out.child.extend_from_slice(&piece.bytes[ahead..]);
        self.note(t, unix_ms, piece.kind, out);
    }

    /// Is this piece for us?
    fn take(&mut self, t: Duration, piece: &Piece, out: &mut Outbox) -> bool {
        if !matches!(piece.kind, Kind::Enter | Kind::CtrlC) || !self.bar_has_keys() {
            return false;
        }
        let wait = match &self.state {
            // The Enter before this one, of the same read, was taken.
            State::LastLook(_) if piece.kind == Kind::Enter => return true,
            State::Waiting(wait) | State::HoldingOff { wait, .. } | State::LastLook(wait) => {
                wait.clone()
            }
            _ => return false,
        };
        if !self.prompt_is_idle(t) {
            return false;
        }
        if piece.kind == Kind::Enter {
            self.begin_last_look(t, wait, out);
        } else {
            self.cancel(t, out);
        }
        true
    }

    /// While the message is being typed, all but the terminal's own words waits.
    fn hold(
        &mut self,
        t: Duration,
        unix_ms: u64,
        piece: &Piece,
        ahead: usize,
        out: &mut Outbox,
    ) -> bool {
        let State::Typing { typing, .. } = &mut self.state else {
            return false;
        };
        if matches!(piece.kind, Kind::Reply | Kind::CursorReport(..)) {
            return false;
        }
        let typed = is_typing(piece.kind);
        typing.hold(t, &piece.bytes[ahead..], typed, &mut out.child);
        if typed {
            self.last_key = Some(t);
            self.held_keys.push((piece.kind, unix_ms));
        }
        true
    }

    /// The keys that were held are the user's again; true if they were Ctrl+C alone, which cancels and is
    /// not passed on.
    pub(super) fn note_held(&mut self, t: Duration, out: &mut Outbox) -> bool {
        let keys = std::mem::take(&mut self.held_keys);
        if matches!(keys[..], [(Kind::CtrlC, _)]) && self.bar_has_keys() {
            self.cancel(t, out);
            return true;
        }
        for (kind, unix_ms) in keys {
            self.note(t, unix_ms, kind, out);
        }
        false
    }

    /// The bar shows, or its title: its keys are taken.
    fn bar_has_keys(&self) -> bool {
        self.settings.bar != BarMode::Off && self.traits.addressable
    }

    /// The prompt is free on the screen as it stands, the CLI not at work, and nothing was typed that it
    /// may not show yet.
    fn prompt_is_idle(&mut self, t: Duration) -> bool {
        if self.last_text.is_some_and(|text| t < text + TYPING_GAP)
            || self.keys.in_paste()
            || !self.screen.at_boundary()
        {
            return false;
        }
        let screen = self.screen.screen();
        prompt::read(&screen) == Prompt::Free
            && !banner::works(&screen, &self.settings.catalogue)
            && banner::title(&screen.title) != Title::Busy
    }

    pub(super) fn cancel(&mut self, t: Duration, out: &mut Outbox) {
        let (State::Waiting(wait)
        | State::HoldingOff { wait, .. }
        | State::LastLook(wait)
        | State::Paused { wait, .. }) = &self.state
        else {
            return;
        };
        let mut wait = wait.clone();
        self.settle_error(&wait);
        Self::log(out, json!({"event": "cancelled"}));
        self.let_go(out);
        wait.hook = None;
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
            if let Some(wait) = self.state.wait_mut() {
                wait.doubt = true;
            }
            self.last_text = None;
            // Perhaps a new message: what happens now is the user's turn.
            self.entered_ms = Some(unix_ms);
            self.rejected = None;
            self.forget_told();
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
                let left = wait.until.saturating_sub(t);
                self.enter(State::Paused { wait, left });
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
