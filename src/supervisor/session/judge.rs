//! The witnesses gathered, the verdict asked for, and every change of it told to the log.

use serde_json::json;

use super::{Effect, Outbox, Session};
use crate::supervisor::transcript::{Ending, Report};
use crate::supervisor::verdict::{self, AT_WORK, Verdict, Witnesses};

/// An error line is logged up to this many characters.
const LINE: usize = 240;

impl Session {
    fn witnesses<'a>(&'a self, report: &'a Report) -> Witnesses<'a> {
        Witnesses {
            banner: self.view.banner.as_ref(),
            works: self.view.works,
            title: self.view.title,
            prompt: &self.view.prompt,
            status: self.status,
            hook: self.hook_witness(report),
            report,
            handled: &self.handled,
            session_id: self.conversation.as_deref(),
            started_ms: self.started_ms,
            entered_ms: self.entered(report),
            busy_seen: self.busy_seen,
            retry_on: &self.settings.retry_on,
            catalogue: &self.settings.catalogue,
        }
    }

    pub(super) fn judge(&self, report: &Report) -> Verdict {
        verdict::judge(&self.witnesses(report))
    }

    /// Logs the verdict with its witnesses where it is another than the last one.
    pub(super) fn log_verdict(&mut self, verdict: &Verdict, report: &Report, out: &mut Outbox) {
        let (name, reason, failure) = match verdict {
            Verdict::Act(failure) => ("act", "the turn ended in a transient error", Some(failure)),
            Verdict::Wait(reason) => ("wait", *reason, None),
            Verdict::KeepOut(reason) => ("keep-out", *reason, None),
        };
        let uuid = failure.and_then(|failure| failure.uuid.clone());
        // Which of them says so may change at every look.
        let key = if AT_WORK.contains(&reason) {
            AT_WORK[0]
        } else {
            reason
        };
        let told = (name, key.to_owned(), uuid.clone());
        if self.told_verdict.as_ref() == Some(&told) {
            return;
        }
        let mut record = json!({
            "event": "verdict",
            "verdict": name,
            "reason": reason,
            "text": self.error_in_sight(report),
            "witnesses": self.witnesses(report).to_json(),
        });
        if let Some(failure) = failure {
            record["class"] = failure.class.name().into();
            record["uuid"] = uuid.clone().into();
            record["by"] = if uuid.is_some() {
                "transcript"
            } else {
                "screen"
            }
            .into();
            record["hook"] = self.has_failure().into();
        }
        out.effects.push(Effect::Log(record));
        self.told_verdict = Some(told);
    }

    /// The verdict is to keep out, by now or from the start.
    pub(super) fn log_keep_out(&mut self, reason: &'static str, report: &Report, out: &mut Outbox) {
        self.log_verdict(&Verdict::KeepOut(reason), report, out);
    }

    /// The line of the error that is judged, by the transcript or the hook; by the screen alone only what of it
    /// is known to be an error's, for it may be an answer.
    fn error_in_sight(&self, report: &Report) -> String {
        let catalogue = &self.settings.catalogue;
        if let Report::Turn(turn) = report
            && let Ending::ApiError { text, .. } = &turn.ending
        {
            return text.chars().take(LINE).collect();
        }
        let on_screen = self.view.banner.as_ref().map(|banner| banner.text.as_str());
        let text = on_screen.or_else(|| self.failure_text());
        catalogue.wording_of(text.unwrap_or_default())
    }

    /// What comes now is another error: it is told even where it reads like the last.
    pub(super) fn forget_told(&mut self) {
        (self.told_verdict, self.told_candidate, self.told_hold) = (None, None, None);
    }
}
