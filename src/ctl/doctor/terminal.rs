//! The terminal, and what each of its properties means here.

use super::report::Finding;
use crate::sys::{Answers, Mode, Unasked};

/// The oldest tmux that was tried.
const TMUX: (u32, u32, char) = (3, 3, 'a');
/// Below this the CLI itself is hardly to be used, and no bar has room.
const SMALLEST: (u16, u16) = (6, 20);

/// What was found out about the terminal.
#[derive(Clone, Debug)]
pub(super) struct Terminal {
    /// The report is JSON, for a program: then no terminal is to be expected.
    pub(super) json: bool,
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    /// `TERM`.
    pub(super) term: Option<String>,
    /// The first of `LC_ALL`, `LC_CTYPE`, `LANG`.
    pub(super) locale: Option<String>,
    pub(super) unicode: bool,
    pub(super) no_color: bool,
    /// Rows and columns.
    pub(super) size: Option<(u16, u16)>,
    /// What it answered.
    pub(super) answers: Result<Answers, Unasked>,
    /// Inside tmux: what `tmux -V` prints, nothing where that failed.
    pub(super) tmux: Option<String>,
    /// `CLAUDE_RETRY` is set; and by a wrapper around this very terminal.
    pub(super) marker: bool,
    pub(super) nested: bool,
}

/// A line on each.
pub(super) fn check(terminal: &Terminal) -> Vec<Finding> {
    let mut findings = vec![
        ends(terminal),
        term(terminal),
        locale(terminal),
        colors(terminal),
    ];
    findings.extend(size(terminal));
    findings.extend(answers(&terminal.answers));
    findings.push(tmux(terminal));
    findings.push(nested(terminal));
    findings
}

fn ends(terminal: &Terminal) -> Finding {
    let what = match (terminal.stdin, terminal.stdout) {
        (true, true) => return Finding::ok("terminal", "stdin and stdout are a terminal"),
        (false, true) => "stdin is",
        (true, false) => "stdout is",
        (false, false) => "stdin and stdout are",
    };
    if terminal.json {
        return Finding::ok(
            "terminal",
            format!("not looked at: {what} no terminal, but a pipe or a file"),
        );
    }
    Finding::warning(
        "terminal",
        format!("{what} no terminal: so run, claude-retry becomes claude and watches nothing"),
        "run `claude-retry ctl doctor` in the terminal that it is to be used in, and not into a pipe",
    )
}

fn term(terminal: &Terminal) -> Finding {
    match terminal.term.as_deref() {
        None | Some("") => Finding::warning(
            "TERM",
            "not set: no countdown can be shown, all else works",
            "set TERM as the terminal's manual says",
        ),
        Some("dumb") => Finding::warning(
            "TERM",
            "dumb: no countdown can be shown, all else works",
            "set TERM as the terminal's manual says",
        ),
        Some(term) => Finding::ok("TERM", term),
    }
}

fn locale(terminal: &Terminal) -> Finding {
    let name = terminal.locale.as_deref().unwrap_or("not set");
    if terminal.unicode {
        Finding::ok("locale", name)
    } else {
        Finding::warning(
            "locale",
            format!("{name}, which is not UTF-8: the bar and the charts are drawn in ASCII"),
            "set LANG to a UTF-8 locale, such as C.UTF-8",
        )
    }
}

fn colors(terminal: &Terminal) -> Finding {
    let found = if terminal.no_color {
        "off, for NO_COLOR is set"
    } else if matches!(terminal.term.as_deref(), None | Some("" | "dumb")) {
        "off, for this TERM"
    } else {
        "on"
    };
    Finding::ok("colours", found)
}

fn size(terminal: &Terminal) -> Option<Finding> {
    let (rows, columns) = terminal.size?;
    let text = format!("{rows} rows of {columns} columns");
    Some(if (rows, columns) == (0, 0) {
        Finding::warning(
            "size",
            "the terminal does not tell its size: 24 rows of 80 columns are taken for it",
            "`stty rows 24 cols 80` sets it",
        )
    } else if rows < SMALLEST.0 || columns < SMALLEST.1 {
        let text = format!("{text}: too small for a countdown that can be read");
        Finding::warning("size", text, "make the window larger")
    } else {
        Finding::ok("size", text)
    })
}

fn answers(answers: &Result<Answers, Unasked>) -> Vec<Finding> {
    let answers = match answers {
        Ok(answers) => answers,
        Err(Unasked::NoTerminal | Unasked::Interrupted) => return Vec::new(),
        Err(unasked) => {
            let (why, remedy) = match unasked {
                Unasked::Background => (
                    "this job is in the background".to_owned(),
                    "run it in the foreground",
                ),
                Unasked::TypedAhead => (
                    "something was typed ahead".to_owned(),
                    "run it again, and type when it is done",
                ),
                Unasked::Failed(why) => (why.clone(), "try again in another terminal"),
                Unasked::Dumb | Unasked::NoTerminal | Unasked::Interrupted => (
                    "TERM says that it would not understand".to_owned(),
                    "set TERM",
                ),
            };
            let found = format!("the terminal was not asked what it can do: {why}");
            return vec![Finding::warning("answers", found, remedy)];
        }
    };
    if !answers.attributes {
        return vec![Finding::warning(
            "answers",
            "the terminal answers no questions: where the CLI draws inline (2.1.145, or with \
             CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN) the countdown goes to the window's title",
            "another terminal does; over a very slow line try again",
        )];
    }
    let mut findings = vec![Finding::ok("answers", "the terminal answers questions")];
    findings.push(if answers.cursor {
        Finding::ok("bar", "possible on the last row, with an inline CLI too (it tells where its cursor is)")
    } else {
        Finding::warning(
            "bar",
            "the terminal does not tell where its cursor is: with an inline CLI the countdown goes to the \
             window's title",
            "another terminal does",
        )
    });
    findings.push(Finding::ok(
        "synchronized updates",
        match answers.synchronized {
            Mode::Unknown => {
                "no: the CLI's frames and the bar are drawn as they come, which may flicker"
            }
            Mode::Known | Mode::Fixed => "yes: frames show whole, and the bar with them",
        },
    ));
    findings.push(Finding::ok(
        "keyboard protocol",
        if answers.keyboard {
            "yes (kitty): the CLI may turn it on, and the bar's keys are understood in it"
        } else {
            "no: keys come in the old form"
        },
    ));
    findings.push(Finding::ok(
        "bracketed paste",
        match answers.paste {
            Mode::Unknown => "not told; most terminals have it all the same",
            Mode::Known | Mode::Fixed => "yes: your pastes are told from typing",
        },
    ));
    findings
}

fn tmux(terminal: &Terminal) -> Finding {
    let Some(told) = &terminal.tmux else {
        return Finding::ok("tmux", "not inside");
    };
    let told = told.trim();
    match tmux_version(told) {
        Some(version) if version >= TMUX => Finding::ok("tmux", format!("inside {told}")),
        Some(_) => Finding::warning(
            "tmux",
            format!("inside {told}, older than the oldest that was tried, 3.3a"),
            "update tmux, and end its old server (`tmux kill-server`) when nothing runs in it",
        ),
        None if told.is_empty() => Finding::warning(
            "tmux",
            "inside tmux, whose version is not known: `tmux -V` says nothing",
            "put tmux into PATH",
        ),
        // Built from its sources: `tmux master`, `tmux openbsd-7.6`.
        None => Finding::ok("tmux", format!("inside {told}")),
    }
}

/// `tmux 3.3a`, `tmux next-3.5`: the letter of a patch, if it has one, counts after none.
fn tmux_version(told: &str) -> Option<(u32, u32, char)> {
    let version = told.strip_prefix("tmux ")?;
    let version = version.strip_prefix("next-").unwrap_or(version);
    let (major, minor) = version.split_once('.')?;
    let digits = minor.trim_end_matches(|c: char| !c.is_ascii_digit());
    let letter = minor[digits.len()..].chars().next().unwrap_or(' ');
    Some((major.parse().ok()?, digits.parse().ok()?, letter))
}

fn nested(terminal: &Terminal) -> Finding {
    let found = match (terminal.nested, terminal.marker) {
        (true, _) => "inside one already: another started here becomes claude",
        (false, true) => "not inside one (CLAUDE_RETRY is of another terminal, and is ignored)",
        (false, false) => "not inside one",
    };
    Finding::ok("claude-retry", found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::doctor::report::Status;

    fn good() -> Terminal {
        Terminal {
            json: false,
            stdin: true,
            stdout: true,
            term: Some("xterm-256color".into()),
            locale: Some("C.UTF-8".into()),
            unicode: true,
            no_color: false,
            size: Some((50, 120)),
            answers: Ok(Answers {
                synchronized: Mode::Known,
                paste: Mode::Known,
                keyboard: true,
                cursor: true,
                attributes: true,
            }),
            tmux: None,
            marker: false,
            nested: false,
        }
    }

    fn warned(terminal: &Terminal) -> Vec<&'static str> {
        let findings = check(terminal);
        assert!(
            findings
                .iter()
                .all(|finding| finding.status != Status::Problem)
        );
        let warned = findings
            .iter()
            .filter(|finding| finding.status == Status::Warning);
        warned.map(|finding| finding.name).collect()
    }

    #[test]
    fn each_lack_is_a_warning_of_its_own() {
        assert!(warned(&good()).is_empty());
        let with = |change: fn(&mut Terminal)| {
            let mut terminal = good();
            change(&mut terminal);
            warned(&terminal)
        };
        assert_eq!(with(|t| t.stdout = false), ["terminal"]);
        assert!(with(|t| (t.stdout, t.json) = (false, true)).is_empty());
        assert_eq!(with(|t| t.term = Some("dumb".into())), ["TERM"]);
        assert_eq!(with(|t| t.unicode = false), ["locale"]);
        assert_eq!(with(|t| t.size = Some((5, 80))), ["size"]);
        assert_eq!(with(|t| t.size = Some((0, 0))), ["size"]);
        assert_eq!(with(|t| t.answers = Err(Unasked::Background)), ["answers"]);
        assert!(with(|t| t.no_color = true).is_empty());
        assert!(with(|t| t.nested = true).is_empty());
        let silent = |t: &mut Terminal| {
            if let Ok(answers) = &mut t.answers {
                answers.attributes = false;
            }
        };
        assert_eq!(with(silent), ["answers"]);
        let lost = |t: &mut Terminal| {
            if let Ok(answers) = &mut t.answers {
                answers.cursor = false;
            }
        };
        assert_eq!(with(lost), ["bar"]);
    }

    #[test]
    fn an_old_tmux_is_a_warning() {
        let with = |told: &str| {
            let tmux = Some(told.to_owned());
            !warned(&Terminal { tmux, ..good() }).is_empty()
        };
        for old in ["tmux 3.3", "tmux 3.2a\n", "tmux 2.9", "tmux 1.8"] {
            assert!(with(old), "{old}");
        }
        for good in [
            "tmux 3.3a\n",
            "tmux 3.4",
            "tmux next-3.6",
            "tmux 3.10",
            "tmux master",
        ] {
            assert!(!with(good), "{good}");
        }
        assert!(with(""));
    }
}
