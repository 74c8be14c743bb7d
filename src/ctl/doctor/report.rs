//! What was found, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::ctl::text::{count, folded};
use crate::supervisor::wording::plain;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// Something does not work, or is not known.
    Warning,
    /// It does not work at all.
    Problem,
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    const fn color(self) -> &'static str {
        match self {
            Self::Ok => "\x1b[32m",
            Self::Warning => "\x1b[33m",
            Self::Problem => "\x1b[31m",
        }
    }
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was looked at; stable, for programs.
    pub(super) name: &'static str,
    pub(super) status: Status,
    /// What was found, without control characters.
    pub(super) found: String,
    /// What helps, where it is not as it should be.
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(name: &'static str, found: impl AsRef<str>) -> Self {
        Self {
            name,
            status: Status::Ok,
            found: plain(found.as_ref()),
            remedy: None,
        }
    }

    pub(super) fn warning(
        name: &'static str,
        found: impl AsRef<str>,
        remedy: impl AsRef<str>,
    ) -> Self {
        Self {
            status: Status::Warning,
            remedy: Some(plain(remedy.as_ref())),
            ..Self::ok(name, found)
        }
    }

    pub(super) fn problem(
        name: &'static str,
        found: impl AsRef<str>,
        remedy: impl AsRef<str>,
    ) -> Self {
        Self {
            status: Status::Problem,
            ..Self::warning(name, found, remedy)
        }
    }
}

/// How it may be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) color: bool,
    pub(super) columns: usize,
}

/// Lines are folded here, however wide the terminal.
const WIDEST: usize = 100;

/// A line each, and the sum.
pub(super) fn text(findings: &[Finding], style: Style) -> String {
    let name = findings.iter().map(|finding| finding.name.len()).max();
    let name = name.unwrap_or_default();
    let status = "problem".len();
    let indent = status + 2 + name + 2;
    // Where the names leave no room, lines are as long as they are.
    let width = style.columns.clamp(indent + 20, WIDEST.max(indent + 20));
    let mut text = String::new();
    for finding in findings {
        let word = finding.status.word();
        let line = format!(
            "{word:<status$}  {:<name$}  {}",
            finding.name, finding.found
        );
        let line = folded(&line, width, indent);
        if style.color {
            text += finding.status.color();
            text += word;
            text += "\x1b[m";
            text += &line[word.len()..];
        } else {
            text += &line;
        }
        text.push('\n');
        if let Some(remedy) = &finding.remedy {
            let line = format!("{}→ {remedy}", " ".repeat(indent));
            text += &folded(&line, width, indent + 2);
            text.push('\n');
        }
    }
    let of = |status| {
        findings
            .iter()
            .filter(|finding| finding.status == status)
            .count()
    };
    let (warnings, problems) = (of(Status::Warning), of(Status::Problem));
    let problems_found = count(problems, "problem", "problems");
    let warnings_found = count(warnings, "warning", "warnings");
    let _ = match (problems, warnings) {
        (0, 0) => writeln!(text, "\neverything is as it should be"),
        (0, _) => writeln!(text, "\nno problem, {warnings_found}"),
        _ => writeln!(text, "\n{problems_found}, {warnings_found}"),
    };
    text
}

/// The same for programs.
pub(super) fn json(findings: &[Finding]) -> Value {
    let of = |status| {
        findings
            .iter()
            .filter(|finding| finding.status == status)
            .count()
    };
    let checks: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "name": finding.name,
                "status": finding.status.word(),
                "found": finding.found,
                "remedy": finding.remedy,
            })
        })
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "problems": of(Status::Problem),
        "warnings": of(Status::Warning),
        "checks": checks,
    })
}

/// Is there a problem?
pub(super) fn is_bad(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.status == Status::Problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> [Finding; 3] {
        [
            Finding::ok("CLI", "/usr/bin/claude, version 2.1.330"),
            Finding::warning("log", "mode 0644: others may\nread it", "chmod 600 it"),
            Finding::problem("settings", "config.toml:3: \x1b[31mno", "mend it"),
        ]
    }

    #[test]
    fn a_line_each_with_the_remedy_below_and_no_controls() {
        let style = Style {
            color: false,
            columns: 80,
        };
        assert_eq!(
            text(&findings(), style),
            "ok       CLI       /usr/bin/claude, version 2.1.330\n\
             warning  log       mode 0644: others may read it\n\
             \x20                  → chmod 600 it\n\
             problem  settings  config.toml:3: [31mno\n\
             \x20                  → mend it\n\
             \n1 problem, 1 warning\n"
        );
        let narrow = Style {
            columns: 10,
            ..style
        };
        assert!(
            text(&findings(), narrow)
                .lines()
                .all(|line| line.chars().count() <= 39)
        );
        let colored = Style {
            color: true,
            ..style
        };
        assert!(text(&findings(), colored).contains("\x1b[33mwarning\x1b[m  log"));
    }

    #[test]
    fn only_a_problem_is_bad() {
        assert!(!is_bad(&findings()[..2]));
        assert!(is_bad(&findings()));
        assert_eq!(json(&findings())["checks"][1]["remedy"], "chmod 600 it");
        assert_eq!(json(&findings())["checks"][0]["remedy"], Value::Null);
    }
}
