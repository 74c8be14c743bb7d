//! `ctl config`: the resolved settings and where each came from, as a config.toml; and the built-in wordings.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::config::{self, Resolved, SETTINGS};
use crate::error::Error;
use crate::supervisor::wording::{Reading, entries};

/// The settings, or the built-in wordings.
pub(super) fn print(only_wordings: bool) -> Result<ExitCode, Error> {
    let resolved = config::resolve(&config::sources(Vec::new())?)?;
    let text = if only_wordings {
        wordings(&resolved)
    } else {
        text(&resolved)
    };
    super::print(text.as_bytes())
}

fn text(resolved: &Resolved) -> String {
    let mut text = String::new();
    for name in &resolved.unknown_env {
        let _ = writeln!(
            text,
            "# warning: {name} is set, and is no setting of this version"
        );
    }
    if let Some(path) = config::config_file() {
        let _ = writeln!(text, "# file: {}", path.display());
    }
    let lines: Vec<_> = SETTINGS
        .iter()
        .map(|setting| {
            let line = format!("{} = {}", setting.key(), setting.show(&resolved.settings));
            (line, resolved.origin(setting.name))
        })
        .collect();
    // One very long value does not push all comments off the screen.
    let width = lines
        .iter()
        .map(|(line, _)| line.len())
        .filter(|len| *len <= 40)
        .max();
    for (line, origin) in &lines {
        let _ = writeln!(
            text,
            "{line:<width$}  # {origin}",
            width = width.unwrap_or(0)
        );
    }
    text + &config::show_wordings(&resolved.settings.catalogue)
}

/// The built-in wordings, a line each: what the catalogue takes them for, the name that switches one off, and
/// the pattern.
fn wordings(resolved: &Resolved) -> String {
    let off = resolved.settings.catalogue.off();
    let rows: Vec<_> = entries()
        .iter()
        .map(|entry| {
            let reading = match entry.reading {
                Reading::Transient(class) => class.name(),
                Reading::Permanent(_) => "never",
                Reading::StillRetrying => "still-retrying",
                Reading::Unknown => "unknown",
            };
            let off = if off.contains(&entry.name) {
                " (off)"
            } else {
                ""
            };
            (reading, format!("{}{off}", entry.name), entry.pattern)
        })
        .collect();
    let width = rows
        .iter()
        .map(|(_, name, _)| name.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (reading, name, pattern) in rows {
        let _ = writeln!(text, "{reading:<14}  {name:<width$}  {pattern}");
    }
    text
}
