//! `ctl log`: the recent decisions, in words.

mod words;

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::ArgMatches;
use jiff::tz::TimeZone;

use super::journal::{self, Journal, Record};
use super::text::count;
use crate::config;
use crate::error::Error;
use crate::supervisor::wording::plain;

/// So many records are shown where nothing else is said.
pub(super) const SHOWN: &str = "30";

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let span = matches.get_one::<String>("since").map(String::as_str);
    let since = journal::cutoff(span, journal::now())?;
    let most = matches.get_one::<u32>("number").copied();
    let settings = config::resolve(&config::sources(Vec::new())?)?.settings;
    let Some(path) = settings.log else {
        return super::print(b"there is no log: `log = off` in the settings\n");
    };
    let journal = Journal::read(&path)?;
    let wanted: Vec<&Record> = journal
        .records
        .iter()
        .filter(|record| since.is_none_or(|since| record.at >= since))
        .collect();
    let most = most.and_then(|most| usize::try_from(most).ok());
    let shown = &wanted[wanted.len().saturating_sub(most.unwrap_or(usize::MAX))..];
    if matches.get_flag("json") {
        return super::print_with(|out| {
            for record in shown {
                writeln!(out, "{}", escaped(&record.line))?;
            }
            Ok(())
        });
    }
    let options = Options {
        zone: TimeZone::system(),
        witnesses: matches.get_flag("witnesses"),
    };
    let mut text = table(shown, &options);
    if shown.is_empty() {
        let path = plain(&path.to_string_lossy());
        let _ = match span.filter(|_| !journal.records.is_empty()) {
            Some(span) => writeln!(text, "none in the last {} in {path}", plain(span)),
            None => writeln!(text, "no decisions yet in {path}"),
        };
    }
    if journal.skipped > 0 {
        let _ = writeln!(
            text,
            "({} passed over: half written, or not ours)",
            count(journal.skipped, "line", "lines")
        );
    }
    super::print(text.as_bytes())
}

/// The same JSON without control characters: raw, they stand between its parts or are C1 in its texts.
fn escaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for c in line.chars() {
        if c.is_ascii_control() && c != '\x7f' {
            text.push(' ');
        } else if c.is_control() {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

struct Options {
    zone: TimeZone,
    witnesses: bool,
}

/// A line each, under the days.
fn table(records: &[&Record], options: &Options) -> String {
    let pid_width = width(records.iter().map(|record| record.pid.to_string()));
    let name_width = width(
        records
            .iter()
            .filter_map(|record| record.name.as_deref().map(str::to_owned)),
    );
    let mut text = String::new();
    let mut day = None;
    for record in records {
        let local = record.at.to_zoned(options.zone.clone());
        if day != Some(local.date()) {
            day = Some(local.date());
            let _ = writeln!(text, "{}", local.strftime("%A, %-d %B %Y"));
        }
        let fields = record.fields();
        let name = record.name.as_deref().unwrap_or_default();
        let mut line = format!(
            "  {}  {:>pid_width$}  ",
            local.strftime("%H:%M:%S"),
            record.pid
        );
        if name_width > 0 {
            let _ = write!(line, "{name:<name_width$}  ");
        }
        let _ = writeln!(text, "{line}{}", words::of(&fields));
        let witnesses = fields.witnesses.as_ref().filter(|_| options.witnesses);
        if let Some(witnesses) = witnesses {
            let indent = " ".repeat(line.chars().count());
            let _ = writeln!(text, "{indent}  {}", words::witnesses(witnesses));
        }
    }
    text
}

fn width(texts: impl Iterator<Item = String>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, witnesses: bool) -> String {
        let journal = Journal::of(&[text]);
        let records: Vec<&Record> = journal.records.iter().collect();
        let zone = TimeZone::UTC;
        let options = Options { zone, witnesses };
        table(&records, &options)
    }

    #[test]
    fn each_session_has_its_folder_and_a_number_used_again_is_another_session() {
        let text = shown(
            r#"{"time":"2026-11-23T23:59:58.000Z","pid":41,"event":"start","version":"0.1.0","folder":"/home/dev/proj"}
{"time":"2026-11-23T23:59:59.000Z","pid":41,"event":"typing","attempt":2,"text":"continue"}
{"time":"2026-11-24T00:00:00.000Z","pid":41,"event":"start","version":"0.1.0"}
{"time":"2026-11-24T00:00:01.000Z","pid":1042,"event":"hook-resumed","by":"hook","session":"0a1b2c3d-4e5f"}"#,
            false,
        );
        assert_eq!(
            text,
            "Monday, 23 November 2026\n\
             \x20 23:59:58    41  proj      started, claude-retry 0.1.0\n\
             \x20 23:59:59    41  proj      types \"continue\" (try 2)\n\
             Tuesday, 24 November 2026\n\
             \x20 00:00:00    41            started, claude-retry 0.1.0\n\
             \x20 00:00:01  1042  0a1b2c3d  the hook resumed the turn\n"
        );
    }

    #[test]
    fn json_has_no_control_characters_and_says_the_same() {
        let line = "{\"a\":\"x\u{9b}31m\u{7f}ü\"}\r";
        let shown = escaped(line);
        assert_eq!(shown, r#"{"a":"x\u009b31m\u007fü"} "#);
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(value(&shown), value(line));
    }

    #[test]
    fn nothing_in_a_record_reaches_the_terminal_as_a_control() {
        let text = shown(
            r#"{"time":"2026-11-24T00:00:00.000Z","pid":1,"event":"start","folder":"/x/a\u001b[31mb","version":"\u009b2J"}
{"time":"2026-11-24T00:00:00.000Z","pid":1,"event":"verdict","verdict":"keep-out","reason":"a\nb","text":"c\u0007\rd","witnesses":{"screen":"\u001b]0;x","busy":true}}
{"time":"2026-11-24T00:00:00.000Z","pid":1,"event":"\u001bc"}"#,
            true,
        );
        assert!(
            !text.chars().any(|c| c.is_control() && c != '\n'),
            "{text:?}"
        );
        assert_eq!(text.lines().count(), 5, "{text}");
    }
}
