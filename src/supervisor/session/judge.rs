//! The witnesses gathered, the verdict asked for, and every change of it told to the log.

use serde_json::json;

use super::{Effect, Outbox, Session};
use crate::supervisor::transcript::{Ending, Report};
use crate::supervisor::verdict::{self, Verdict, Witnesses};
use crate::supervisor::wording::Catalogue;

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
            entered_ms: self.entered_ms,
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
        let told = (name, reason.to_owned(), uuid.clone());
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

    /// The line of the error that is judged: the screen's, else the hook's, else the transcript's.
    fn error_in_sight(&self, report: &Report) -> String {
        let in_transcript = match report {
            Report::Turn(turn) => match &turn.ending {
                Ending::ApiError { text, .. } => Some(text.as_str()),
                Ending::Assistant | Ending::User => None,
            },
            Report::Unknown | Report::Pending => None,
        };
        let on_screen = self.view.banner.as_ref().map(|banner| banner.text.as_str());
        let text = on_screen.or_else(|| self.failure_text()).or(in_transcript);
        error_line(text.unwrap_or_default(), &self.settings.catalogue)
    }
}

/// What of a text goes into the log: an error's line, and nothing of a conversation. What is no error by its
/// words is left out, and an error is not longer than a line.
pub(super) fn error_line(text: &str, catalogue: &Catalogue) -> String {
    use crate::supervisor::wording::{Reading, has_prefix};
    if has_prefix(text) || catalogue.read(text) != Reading::Unknown {
        text.chars().take(LINE).collect()
    } else {
        String::new()
    }
}
