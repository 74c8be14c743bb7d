//! Is a failed run to be followed by another, by what it printed and by the transcript?

use std::time::Duration;

use super::arguments::{Format, Obstacle, Session};
use super::input::KEPT_AT_MOST;
use super::job::{Job, Next, State};
use super::output::Said;
use super::{Effect, Outbox, Sight, Voice, Where, records};
use crate::config::TranscriptMode;
use crate::supervisor::retry::{Step, Wait};
use crate::supervisor::session::Now;
use crate::supervisor::transcript::{Ending, LastTurn};
use crate::supervisor::verdict::{Failure, PATIENCE};
use crate::supervisor::wording::{Class, Reading};

/// Between two looks at the transcript of a run that lives.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The transcript's times and ours are of one clock, but ours is read before the CLI is started.
const CLOCK_SLACK_MS: u64 = 1000;

impl Job {
    /// Is what was printed a transient error?
    pub(super) fn judge(&mut self, now: Now, out: &mut Outbox) {
        let Some(said) = self.output.said() else {
            self.pass_on(out);
            return;
        };
        let class = match self.settings.catalogue.read(&said.text) {
            Reading::Transient(class) if self.settings.retry_on.contains(&class) => class,
            Reading::Transient(_) => {
                self.keep_out("retry-on leaves this class out", &said, out);
                return;
            }
            Reading::Permanent(kind) => {
                self.keep_out(kind, &said, out);
                return;
            }
            Reading::StillRetrying | Reading::Unknown => {
                self.keep_out("the error is not in the catalogue", &said, out);
                return;
            }
        };
        if said.session.is_some() {
            self.session.clone_from(&said.session);
        }
        self.state = State::Looking {
            said: Box::new(said),
            class,
            since: now.elapsed,
            next: None,
            asked: None,
        };
        self.look(now, out);
    }

    pub(super) fn look(&mut self, now: Now, out: &mut Outbox) {
        let State::Looking { said, .. } = &self.state else {
            return;
        };
        if self.settings.transcript == TranscriptMode::Off {
            let turn = None;
            let counts_on = false;
            self.on_sight(now, Sight::There { turn, counts_on }, out);
            return;
        }
        let place = match &self.session {
            Some(id) => Where::Of(id.clone()),
            None => Where::Since(self.began_ms, said.text.clone()),
        };
        out.effects.push(Effect::Look(place));
    }

    pub(super) fn on_sight(&mut self, now: Now, sight: Sight, out: &mut Outbox) {
        let State::Looking {
            said, class, since, ..
        } = &self.state
        else {
            return;
        };
        let (said, class, since) = (said.clone(), *class, *since);
        match self.confirm(&said, class, &sight) {
            Ok((failure, next)) => {
                if next != Next::StartOver
                    && let Some(Obstacle::Unknown(_)) = self.invocation.obstacle()
                    && let State::Looking { asked, .. } = &mut self.state
                    && asked.is_none()
                {
                    *asked = Some(Box::new(sight));
                    out.effects.push(Effect::AskHelp);
                    return;
                }
                let obstacle = self.obstacle(next);
                if let Some(why) = obstacle {
                    self.say(&format!("not retried: {why}"), out);
                    self.keep_out(&why, &said, out);
                    return;
                }
                records::act(&failure, &said, out);
                self.after(now, failure, next, &said, out);
            }
            Err(_) if self.lives() && now.elapsed < since + PATIENCE => {
                if let State::Looking { next, .. } = &mut self.state {
                    *next = Some(now.elapsed + LOOK_AGAIN);
                }
            }
            Err(why) => {
                self.say(&format!("not retried: {why}"), out);
                self.keep_out(why, &said, out);
            }
        }
    }

    /// Does the transcript say so, too? And what follows.
    fn confirm(
        &self,
        said: &Said,
        class: Class,
        sight: &Sight,
    ) -> Result<(Failure, Next), &'static str> {
        let failure = |turn: Option<&LastTurn>| Failure {
            class,
            uuid: turn.map(|turn| turn.uuid.clone()),
            session_id: turn.map(|turn| turn.session_id.clone()),
            consecutive: turn.map(|turn| turn.consecutive_errors),
        };
        match sight {
            Sight::Missing { kept } if self.nothing_done(said, *kept) => {
                Ok((failure(None), Next::StartOver))
            }
            Sight::Missing { .. } if self.session.is_none() => {
                Err("no transcript of this folder ends in that error")
            }
            Sight::Missing { .. } => {
                Err("the session has no transcript, and something may have been done")
            }
            Sight::Unsure => Err("more than one transcript of this folder may be the session's"),
            Sight::There { counts_on, .. } if self.settings.transcript == TranscriptMode::Off => {
                let counts_on = *counts_on;
                match self.session {
                    Some(_) => Ok((failure(None), Next::Resume { counts_on })),
                    None => Err("the session is not known without its transcript"),
                }
            }
            Sight::There { turn: None, .. } => Err("the transcript has no turn"),
            Sight::There {
                turn: Some(turn),
                counts_on,
            } => {
                let Ending::ApiError { text, .. } = &turn.ending else {
                    return Err("the transcript does not end in an error");
                };
                if *text != said.text {
                    return Err("the transcript ends in another error");
                }
                if turn.unix_ms + CLOCK_SLACK_MS < self.began_ms {
                    return Err("the transcript ends in an error of another time");
                }
                if self
                    .session
                    .as_ref()
                    .is_some_and(|id| *id != turn.session_id)
                {
                    return Err("the transcript ends in another session's error");
                }
                if self.handled.as_ref() == Some(&turn.uuid) {
                    return Err("the transcript ends in an error that was dealt with");
                }
                let counts_on = *counts_on;
                Ok((failure(Some(turn)), Next::Resume { counts_on }))
            }
        }
    }

    /// Was the run refused before it had done anything? `kept`: the CLI would have written down what it did.
    fn nothing_done(&self, said: &Said, kept: bool) -> bool {
        let (run, format) = (&self.invocation, self.invocation.format);
        let new = matches!(run.session, Session::New(_));
        // A text does not tell how many turns there were: then it takes the transcript that is not there.
        let told = format != Format::Text || (kept && run.saved && !run.own_settings);
        new && self.takes_input && !self.lives() && !said.something_done && told
    }

    /// Why it cannot be followed so.
    pub(super) fn obstacle(&self, next: Next) -> Option<String> {
        match (next, self.invocation.obstacle()) {
            (Next::StartOver, Some(obstacle @ (Obstacle::Worktree | Obstacle::Pipe(_)))) => {
                Some(obstacle.text())
            }
            (Next::StartOver, _) if self.input.kept().is_none() => Some(format!(
                "more than {} MB came on stdin, too much to be given to claude again: give it as a file to be read",
                KEPT_AT_MOST / 1024 / 1024
            )),
            (Next::StartOver, _) => None,
            (Next::Resume { .. }, _) if self.lives() => None,
            (Next::Resume { .. }, obstacle) => obstacle.map(Obstacle::text),
        }
    }

    pub(super) fn on_help(&mut self, now: Now, help: Option<&str>, out: &mut Outbox) {
        if let Some(help) = help {
            self.invocation = self.invocation.with_help(help);
        }
        let State::Looking { asked, .. } = &self.state else {
            return;
        };
        if let Some(sight) = asked.clone() {
            self.on_sight(now, *sight, out);
        }
    }

    /// The error is confirmed: a wait, or the end of the tries.
    fn after(&mut self, now: Now, failure: Failure, next: Next, said: &Said, out: &mut Outbox) {
        if let Some(id) = &failure.session_id {
            self.session = Some(id.clone());
        }
        self.handled = failure.uuid.clone().or(self.handled.take());
        match self.tries.failed(now.elapsed, failure) {
            Step::Wait(wait) => {
                out.effects.push(records::waiting(&wait, self.tries.max()));
                if self.invocation.format == Format::StreamJson && self.settings.stream_events {
                    let line = self.event_line(&wait, said);
                    out.stdout.extend(line);
                }
                if self.voice == Voice::Lines {
                    let text = records::waits(&wait, self.tries.max());
                    self.say(&text, out);
                }
                self.state = State::Waiting(Box::new(wait), next);
            }
            Step::GiveUp(_, why) => {
                out.effects.push(records::gave_up(&why));
                self.say(&format!("gave up after {why}"), out);
                self.pass_on(out);
            }
        }
    }

    fn event_line(&mut self, wait: &Wait, said: &Said) -> Vec<u8> {
        let uuid = records::uuid(&mut self.rng);
        let max = self.tries.max();
        records::event_line(wait, max, said.status, self.session.as_deref(), &uuid)
    }
}
