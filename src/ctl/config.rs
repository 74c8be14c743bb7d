//! `ctl config`: the resolved settings and where each came from, as a config.toml.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::config::{self, Resolved, SETTINGS};
use crate::error::Error;

pub(super) fn print() -> Result<ExitCode, Error> {
    let resolved = config::resolve(&config::sources(Vec::new())?)?;
    super::print(text(&resolved).as_bytes())
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
    text
}
