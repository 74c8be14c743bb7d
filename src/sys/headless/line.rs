//! What is said on stderr: one line that counts down where it is a terminal, and lines.

use std::io::{self, Write as _};
use std::time::Duration;

use rustix::termios::{isatty, tcgetwinsize};
use unicode_width::UnicodeWidthChar as _;

use crate::supervisor::headless::Progress;
use crate::supervisor::session::TerminalTraits;
use crate::term::bar::{self, Model, Phase};

/// Before all that is said.
const PREFIX: &str = "claude-retry: ";
/// Where a terminal does not tell its width.
const WIDTH: u16 = 80;

/// Stderr.
#[derive(Debug)]
pub(super) struct Line {
    live: bool,
    traits: TerminalTraits,
    /// What stands there now.
    shown: Option<String>,
}

impl Line {
    pub(super) fn new() -> Self {
        let traits = crate::sys::traits();
        Self {
            live: isatty(io::stderr()) && traits.addressable,
            traits,
            shown: None,
        }
    }

    /// Can a line be written over?
    pub(super) const fn is_live(&self) -> bool {
        self.live
    }

    /// Shows the countdown, or none.
    pub(super) fn show(&mut self, progress: Option<&Progress>, now: Duration) {
        let Some(progress) = progress else {
            self.wipe();
            return;
        };
        let width = tcgetwinsize(io::stderr()).map_or(0, |size| size.ws_col);
        let width = if width == 0 { WIDTH } else { width };
        let text = text(progress, now, self.traits, width);
        if self.shown.as_ref() != Some(&text) {
            write(&format!("\r{text}\x1b[K"));
            self.shown = Some(text);
        }
    }

    /// Takes the countdown off.
    pub(super) fn wipe(&mut self) {
        if self.shown.take().is_some() {
            write("\r\x1b[K");
        }
    }

    /// Writes a line.
    pub(super) fn say(&mut self, text: &str) {
        self.wipe();
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        write(&format!("{PREFIX}{text}\n"));
    }
}

/// Nobody is left to be told where it fails.
fn write(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The countdown as one line that does not reach the last column: there a terminal may wrap.
fn text(progress: &Progress, now: Duration, traits: TerminalTraits, width: u16) -> String {
    let model = Model {
        what: progress.what,
        attempt: progress.attempt,
        max: progress.max,
        phase: Phase::Waiting {
            left: progress.until.saturating_sub(now),
            total: progress.total,
            asked: None,
        },
        unicode: traits.unicode,
        color: traits.color,
    };
    let dot = if traits.unicode { '·' } else { '-' };
    let news = bar::title(&model);
    let room = usize::from(width).saturating_sub(1);
    let all = [
        format!("{PREFIX}{news} {dot} Ctrl+C stops"),
        format!("{PREFIX}{news}"),
        news,
    ];
    let [.., shortest] = &all;
    let fits = |text: &&String| columns(text) <= room;
    let mut text = all.iter().find(fits).unwrap_or(shortest).clone();
    while columns(&text) > room {
        text.pop();
    }
    if traits.color {
        // Dim, as what is no output.
        text = format!("\x1b[2m{text}\x1b[0m");
    }
    text
}

fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: u16, unicode: bool, color: bool) -> String {
        let progress = Progress {
            what: "throttled",
            attempt: 2,
            max: 6,
            until: Duration::from_millis(12_400),
            total: Duration::from_secs(20),
        };
        let traits = TerminalTraits {
            unicode,
            color,
            addressable: true,
        };
        text(&progress, Duration::from_millis(500), traits, width)
    }

    #[test]
    fn it_says_what_which_try_and_when_in_whole_seconds() {
        assert_eq!(
            shown(80, true, false),
            "claude-retry: ⟳ throttled · retry 2/6 in 12s · Ctrl+C stops"
        );
        assert_eq!(
            shown(80, false, false),
            "claude-retry: ~ throttled - retry 2/6 in 12s - Ctrl+C stops"
        );
        assert!(shown(80, true, true).starts_with("\x1b[2mclaude-retry: "));
    }

    #[test]
    fn it_never_reaches_the_last_column() {
        for width in 1..=100 {
            let text = shown(width, true, false);
            assert!(columns(&text) < usize::from(width), "{width}: {text}");
        }
        assert_eq!(
            shown(50, true, false),
            "claude-retry: ⟳ throttled · retry 2/6 in 12s"
        );
        assert_eq!(shown(32, true, false), "⟳ throttled · retry 2/6 in 12s");
    }
}
