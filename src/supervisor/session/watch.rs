//! Looking at the screen: is there an error, is it ours, has a turn ended?

use std::time::Duration;

use serde_json::json;

use super::{Effect, Outbox, Session, View};
use crate::config::TranscriptMode;
use crate::supervisor::banner::{self, Title};
use crate::supervisor::prompt::{self, Prompt};
use crate::supervisor::retry::{NOTICE, State, Step, Wait};
use crate::supervisor::transcript::{Ending, Report};
use crate::supervisor::typing::Shown;
use crate::supervisor::verdict::{BUSY_BY_FILE, HOOK_SILENT, NOT_IN_SIGHT, PATIENCE, Verdict};
use crate::supervisor::wording::Reading;

/// The screen is read when the output has been quiet for so long.
const QUIET: Duration = Duration::from_millis(120);
/// It is read at the latest so long after output came: a spinner is never quiet.
const AT_LATEST: Duration = Duration::from_millis(300);
/// The same two while the message is being typed, a turn should begin, or none was seen yet.
pub(super) const QUICK: Duration = Duration::from_millis(20);
const QUICK_AT_LATEST: Duration = Duration::from_millis(80);
/// An update (DEC 2026) or a sequence that stays open for longer is looked at all the same.
const OPEN_AT_MOST: Duration = Duration::from_secs(1);
/// Between two looks at the transcript.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The same while something is at work over a turn that has failed.
const LOOK_AT_WORK: Duration = Duration::from_secs(1);
/// How often the end of one turn is asked for, and whether an Enter in a wait began one.
pub(super) const END_LOOKS: u32 = 8;
/// As many errors are remembered as dealt with.
const REMEMBERED: usize = 64;

impl Session {
    pub(super) fn schedule_look(&mut self, t: Duration) {
        let (quiet, at_latest) = match self.state {
            State::Typing { .. } | State::Settling { .. } => (QUICK, QUICK_AT_LATEST),
            // A short turn must not be missed: where there is no transcript, one must have been seen.
            State::Watching if !self.busy_seen => (QUICK, QUICK_AT_LATEST),
            _ => (QUIET, AT_LATEST),
        };
        let since = *self.unread_since.get_or_insert(t);
        self.look_due = Some((t + quiet).min(since + at_latest).max(t));
    }

    /// Looks, unless the child is in the middle of drawing.
    pub(super) fn look_if_whole(&mut self, t: Duration, out: &mut Outbox) {
        if self.in_the_middle(t) {
            self.look_due = Some(t + QUICK);
            return;
        }
        self.look(t, out);
    }

    /// The child is in the middle of drawing: what stands on the screen now may be half a frame.
    pub(super) fn in_the_middle(&mut self, t: Duration) -> bool {
        let patient = self
            .unread_since
            .is_some_and(|since| t < since + OPEN_AT_MOST);
        patient && !self.screen.at_boundary()
    }

    /// Reads the screen into `view`.
    pub(super) fn read_screen(&mut self) {
        self.look_due = None;
        self.unread_since = None;
        let screen = self.screen.screen();
        let prompt = prompt::read(&screen);
        let shown = match &prompt {
            Prompt::Free => Shown::Empty,
            Prompt::Draft(_) => match prompt::typed(&screen) {
                Some(text) if prompt::same_text(&text, &self.settings.message) => Shown::Message,
                _ => Shown::Other,
            },
            _ => Shown::Other,
        };
        let banner = banner::find_by(&screen, &self.settings.catalogue);
        let works = banner::works_beside(&screen, banner.as_ref());
        let title = banner::title(&screen.title);
        self.view = View {
            prompt,
            banner,
            works,
            title,
            busy: works || title == Title::Busy,
            shown,
        };
        if self.view.busy {
            self.busy_seen = true;
            self.turn_open = END_LOOKS;
            if self.rejected.take().is_some() {
                self.forget_told();
            }
        }
        self.note_work(&screen);
    }

    fn look(&mut self, t: Duration, out: &mut Outbox) {
        self.read_screen();
        self.take_out_what_is_left(t, out);
        if self.ending {
            return;
        }
        let busy = self.view.busy;
        if self.view.prompt == Prompt::Dialog
            && let Some(wait) = self.state.wait_mut()
        {
            wait.doubt = true;
        }
        match &self.state {
            State::Watching => self.watch(t, out),
            State::Confirming { .. } => {
                if (busy || self.candidate().is_none()) && !self.has_failure() {
                    self.state = State::Watching;
                }
            }
            State::Waiting(_)
            | State::Paused { .. }
            | State::HoldingOff { .. }
            | State::GaveUp { .. }
            | State::Cancelled { .. }
                if busy =>
            {
                self.stand_down(t, "the turn goes on", out);
            }
            State::Waiting(_) | State::Paused { .. } | State::HoldingOff { .. }
                if self.recheck > 0 =>
            {
                self.recheck -= 1;
                self.ask_transcript(t, out);
                self.on_free_prompt(t, out);
            }
            State::Paused { .. } | State::HoldingOff { .. } => self.on_free_prompt(t, out),
            State::Typing { .. } => self.look_at_typing(t, out),
            State::Settling { .. } => self.look_at_settling(t, out),
            State::Waiting(_)
            | State::LastLook(_)
            | State::GaveUp { .. }
            | State::Cancelled { .. } => {}
        }
    }

    /// The error block on the screen, if it may be ours.
    fn candidate(&self) -> Option<&str> {
        let banner = self.view.banner.as_ref()?;
        let transient = matches!(banner.reading, Reading::Transient(_));
        let rejected = self.rejected.as_ref() == Some(&banner.text);
        (transient && !rejected).then_some(banner.text.as_str())
    }

    fn watch(&mut self, t: Duration, out: &mut Outbox) {
        if self.has_failure() {
            self.state = State::Confirming {
                since: t,
                next_look: t,
            };
            return;
        }
        if self.view.busy {
            return;
        }
        if let Some(text) = self.candidate() {
            let class = match self.view.banner.as_ref().map(|banner| &banner.reading) {
                Some(Reading::Transient(class)) => class.name(),
                _ => "",
            };
            // The words that make it one: what else stands there may be an answer's.
            let known = self.settings.catalogue.wording_of(text);
            let text = text.to_owned();
            if self.told_candidate.as_ref() != Some(&text) {
                self.told_candidate = Some(text);
                self.told_verdict = None;
                Self::log(
                    out,
                    json!({"event": "candidate", "text": known, "class": class}),
                );
            }
            self.state = State::Confirming {
                since: t,
                next_look: t,
            };
            return;
        }
        if let Some(banner) = &self.view.banner {
            if self.rejected.as_ref() != Some(&banner.text) {
                let reason = match banner.reading {
                    Reading::Permanent(kind) => kind,
                    Reading::StillRetrying => return,
                    _ => "the error is not in the catalogue",
                };
                self.log_keep_out(reason, &Report::Unknown, out);
                self.reject(out);
            }
        } else if self.turn_open > 0 && (self.view.prompt == Prompt::Free || self.companion.lives) {
            self.turn_open -= 1;
            self.ask_transcript(t, out);
        }
    }

    pub(super) fn reject(&mut self, out: &mut Outbox) {
        self.rejected = self.view.banner.as_ref().map(|banner| banner.text.clone());
        self.drop_failure(out);
        self.state = State::Watching;
    }

    /// Back to watching: the error does not stand any more.
    pub(super) fn stand_down(&mut self, t: Duration, reason: &str, out: &mut Outbox) {
        if !matches!(self.state, State::GaveUp { .. } | State::Cancelled { .. }) {
            Self::log(out, json!({"event": "stood-down", "reason": reason}));
        }
        self.recheck = 0;
        self.let_go(out);
        self.enter(State::Watching);
        // Another error may stand there by now, with nothing more to be drawn.
        self.schedule_look(t);
    }

    /// The conversation has other turns by now: the error is history, also where a later one has the same
    /// words and is not in the file yet.
    pub(super) fn went_on(&mut self, t: Duration, out: &mut Outbox) {
        self.companion.told_of = None;
        if let Some(wait) = self.state.wait().cloned() {
            self.remember(&wait);
        }
        self.stand_down(t, "the conversation went on", out);
    }

    pub(super) fn ask_transcript(&mut self, t: Duration, out: &mut Outbox) {
        match self.settings.transcript {
            TranscriptMode::Auto => {
                let named = self.companion.transcript.clone();
                out.effects.push(Effect::ReadTranscript(named));
            }
            TranscriptMode::Off => self.on_report(t, &Report::Unknown, out),
        }
    }

    /// The transcript was looked at.
    pub(super) fn on_report(&mut self, t: Duration, report: &Report, out: &mut Outbox) {
        match &self.state {
            State::Watching => self.on_turn_end(report, out),
            State::Confirming { since, .. } => {
                let since = *since;
                self.confirm(t, since, report, out);
            }
            State::LastLook(_) => self.on_last_look(t, report, out),
            State::Settling { .. } => self.on_settling_report(t, report, out),
            State::Waiting(wait) | State::Paused { wait, .. } | State::HoldingOff { wait, .. } => {
                if let Report::Turn(turn) = report {
                    if Some(&turn.uuid) != wait.failure.uuid.as_ref() {
                        self.went_on(t, out);
                    } else if self
                        .entered_ms
                        .is_none_or(|entered| entered <= turn.unix_ms)
                        && self.attach_to_state()
                    {
                        // A way to resume may be open now.
                        self.schedule_look(t);
                    }
                }
            }
            State::Typing { .. } | State::GaveUp { .. } | State::Cancelled { .. } => {}
        }
    }

    fn confirm(&mut self, t: Duration, since: Duration, report: &Report, out: &mut Outbox) {
        if self.candidate().is_none() && !self.has_failure() {
            self.state = State::Watching;
            return;
        }
        let verdict = self.judge(report);
        self.log_verdict(&verdict, report, out);
        match verdict {
            Verdict::Act(failure) if let Some(reason) = self.not_to_claim(&failure) => {
                self.log_keep_out(reason, report, out);
                self.reject(out);
            }
            Verdict::Act(failure) if !self.is_ours(t, since, &failure, out) => {}
            Verdict::Act(failure) => {
                if failure.session_id.is_some() {
                    self.conversation.clone_from(&failure.session_id);
                }
                self.turn_open = 0;
                match self.tries.failed(t, failure) {
                    Step::Wait(mut wait) => {
                        self.attach_failure(&mut wait);
                        self.begin_wait(wait, report, out);
                    }
                    Step::GiveUp(wait, why) => {
                        self.drop_failure(out);
                        self.give_up(t, wait, why, out);
                    }
                }
            }
            Verdict::Wait(_) if t < since + PATIENCE => {
                self.state = State::Confirming {
                    since,
                    next_look: t + LOOK_AGAIN,
                };
            }
            // The turn has failed by all other witnesses, and something else is at work.
            Verdict::Wait(_) if self.view.busy && self.is_told_of(report) => {
                self.state = State::Confirming {
                    since: t,
                    next_look: t + LOOK_AT_WORK,
                };
            }
            // The file may be right about another turn than the one that was told of. Patience begins when
            // that is over.
            Verdict::Wait(BUSY_BY_FILE) if !self.is_another(report) => {
                self.state = State::Confirming {
                    since: t,
                    next_look: t + LOOK_AT_WORK,
                };
            }
            Verdict::Wait(HOOK_SILENT) if self.hook_fell_silent() => {
                Self::log(out, json!({"event": "hook", "lives": false}));
                self.state = State::Confirming {
                    since: t,
                    next_look: t,
                };
            }
            Verdict::Wait(reason) | Verdict::KeepOut(reason) => {
                self.remember_told(report);
                self.log_keep_out(reason, report, out);
                self.reject(out);
            }
        }
    }

    pub(super) fn give_up(&mut self, t: Duration, wait: Wait, why: String, out: &mut Outbox) {
        Self::log(out, json!({"event": "gave-up", "why": why}));
        self.let_go(out);
        self.settle_error(&wait);
        self.notify = Some(format!("gave up after {why}"));
        self.enter(State::GaveUp {
            wait,
            why,
            until: t + NOTICE,
        });
    }

    /// This error is dealt with: it is never acted on again.
    pub(super) fn settle_error(&mut self, wait: &Wait) {
        self.remember(wait);
        self.busy_seen = false;
        self.forget_turn();
        self.rejected = self.view.banner.as_ref().map(|banner| banner.text.clone());
    }

    fn remember(&mut self, wait: &Wait) {
        if let Some(uuid) = &wait.failure.uuid {
            if self.handled.len() == REMEMBERED {
                self.handled.remove(0);
            }
            self.handled.push(uuid.clone());
        }
    }

    fn on_turn_end(&mut self, report: &Report, out: &mut Outbox) {
        let well = match report {
            Report::Turn(turn) => turn.ending == Ending::Assistant,
            Report::Unknown => self.busy_seen,
            Report::Pending => false,
        };
        if well && self.view.banner.is_none() {
            self.turn_open = 0;
            self.forget_turn();
            self.note_well(report);
            self.tries.reset();
            Self::log(out, json!({"event": "turn-ok"}));
        }
    }

    /// The prompt may be free again.
    fn on_free_prompt(&mut self, t: Duration, out: &mut Outbox) {
        match &self.state {
            State::Paused { wait, left } if self.view.prompt == Prompt::Free => {
                if self.last_key.is_some_and(|key| t < key + self.typing_gap()) {
                    // The state's own deadline looks again.
                    return;
                }
                let mut wait = wait.clone();
                wait.until = t + *left;
                Self::log(out, json!({"event": "unpaused"}));
                self.enter(State::Waiting(wait));
            }
            State::HoldingOff {
                wait, not_before, ..
            } if t >= *not_before => {
                let wait = wait.clone();
                if self.is_doubtful(&wait) {
                    self.hold_off(wait, NOT_IN_SIGHT, Duration::ZERO, out);
                } else {
                    match self.way(&wait) {
                        Ok(_) => self.begin_last_look(t, wait, out),
                        Err(reason) => self.hold_off(wait, reason, Duration::ZERO, out),
                    }
                }
            }
            _ => {}
        }
    }

    /// The time that the state waited for has come.
    pub(super) fn on_state_deadline(&mut self, t: Duration, out: &mut Outbox) {
        match &self.state {
            State::Confirming { since, .. } => {
                // The answer moves the deadline on; this keeps it from firing again before that.
                let since = *since;
                self.state = State::Confirming {
                    since,
                    next_look: t + LOOK_AGAIN,
                };
                self.ask_transcript(t, out);
            }
            State::Waiting(wait) => {
                let wait = wait.clone();
                self.begin_last_look(t, wait, out);
            }
            State::Paused { wait, left } => {
                let mut wait = wait.clone();
                if self.view.prompt == Prompt::Free {
                    self.on_free_prompt(t, out);
                } else {
                    // What was left of the backoff is still to be waited out.
                    wait.until = t + *left;
                    let until = wait.until;
                    match self.way(&wait) {
                        Ok(_) => {
                            Self::log(out, json!({"event": "unpaused"}));
                            self.enter(State::Waiting(wait));
                        }
                        Err(reason) => self.hold_off(wait, reason, until, out),
                    }
                }
            }
            State::HoldingOff { wait, reason, .. } => {
                let (wait, reason) = (wait.clone(), *reason);
                if self.in_the_middle(t) {
                    // Half a frame: a draft may not be drawn yet.
                    self.state = State::HoldingOff {
                        wait,
                        reason,
                        not_before: t + QUICK,
                    };
                    return;
                }
                self.state = State::HoldingOff {
                    wait,
                    reason,
                    not_before: Duration::ZERO,
                };
                self.read_screen();
                self.on_free_prompt(t, out);
            }
            State::Typing { .. } => {
                self.read_screen();
                self.look_at_typing(t, out);
            }
            State::Settling { .. } => {
                self.read_screen();
                self.look_at_settling(t, out);
            }
            State::GaveUp { .. } | State::Cancelled { .. } => {
                self.enter(State::Watching);
                // Another error may have come under the notice.
                self.schedule_look(t);
            }
            State::Watching | State::LastLook(_) => {}
        }
    }
}
