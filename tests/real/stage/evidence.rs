//! What the stage has seen: assertions, and everything there is to know after a failure.

use std::fmt::Write as _;

use super::{Outcome, RESUMED, Stage, ensure, is_rewake};
use crate::real::mode::Mode;
use crate::support::terminal::Terminal;

impl Stage {
    /// Asserts the turns that the API has got: what the last user text of each ends with, [`RESUMED`]
    /// for one that we began.
    pub(crate) fn expect_turns(&self, expected: &[&str]) -> Outcome {
        let turns = self.api.turns();
        let is = |(turn, end): (&String, &&str)| match *end {
            RESUMED => self.is_resume(turn),
            end => turn.ends_with(end),
        };
        let same = turns.len() == expected.len() && std::iter::zip(&turns, expected).all(is);
        ensure(same, || {
            format!("the API got the turns {turns:?}, not {expected:?}")
        })
    }

    /// The event of the log that tells of a wait.
    pub(crate) fn waiting(&self) -> &'static str {
        if self.mode.wrapped() {
            "waiting"
        } else {
            "hook-waiting"
        }
    }

    /// Did we begin this turn, in the way of this mode?
    pub(crate) fn is_resume(&self, turn: &str) -> bool {
        let typed = turn.ends_with("continue");
        let woken = is_rewake(turn);
        match self.mode {
            Mode::Typing => typed,
            Mode::Hook => typed || woken,
            Mode::Alone => woken,
        }
    }

    /// Asserts that none of these events is in the log.
    pub(crate) fn expect_no_event(&self, events: &[&str]) -> Outcome {
        for event in events {
            let found = self.log.events(event);
            ensure(found.is_empty(), || {
                format!("the log has {event:?}: {found:?}")
            })?;
        }
        Ok(())
    }

    /// Everything there is to know after a failure.
    pub(crate) fn dump(&self) -> String {
        let mut out = String::new();
        let mut part = |title: &str, body: &str| {
            let _ = writeln!(out, "--- {title}\n{}", body.trim_end());
        };
        if let Some(terminal) = &self.terminal {
            let screen = terminal.screen();
            part("screen", &screen.text());
            let exit = terminal.exit();
            part(
                "terminal",
                &format!(
                    "title {:?}, cursor {:?}, alternate {}, {:?}, pid {}, exit {exit:?}",
                    screen.title,
                    screen.cursor,
                    screen.alternate,
                    self.kind,
                    terminal.pid()
                ),
            );
        }
        let log: Vec<_> = self.log.entries().iter().map(ToString::to_string).collect();
        part("log of claude-retry", &log.join("\n"));
        let api = self.api.log();
        let api: Vec<_> = api.iter().map(ToString::to_string).collect();
        part("requests at the API", &api.join("\n"));
        out
    }

    /// Everything the program wrote.
    pub(crate) fn history(&self) -> Vec<u8> {
        self.terminal
            .as_ref()
            .map(Terminal::history)
            .unwrap_or_default()
    }
}
