//! `ctl stats`: what the log adds up to.

mod chart;
mod summary;
mod table;

use std::process::ExitCode;

use clap::ArgMatches;
use jiff::tz::TimeZone;
use rustix::termios::isatty;

use self::summary::Summary;
use self::table::Style;
use super::journal::{self, Journal};
use super::text;
use crate::config;
use crate::error::Error;
use crate::sys;

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let span = matches.get_one::<String>("since").map(String::as_str);
    let now = journal::now();
    let since = journal::cutoff(span, now)?;
    let settings = config::resolve(&config::sources(Vec::new())?)?.settings;
    let is_json = matches.get_flag("json");
    let journal = match &settings.log {
        Some(path) => Journal::read(path)?,
        None if is_json => Journal::default(),
        None => {
            return super::print(b"there is nothing to count: `log = off` in the settings\n");
        }
    };
    let summary = Summary::of(&journal, since, &TimeZone::system());
    if is_json {
        return super::print(format!("{:#}\n", summary.json()).as_bytes());
    }
    let text = table::text(&summary, span, &style());
    super::print(text.as_bytes())
}

/// As the terminal is that the table goes to; no colours into a file.
fn style() -> Style {
    let traits = sys::traits();
    Style {
        unicode: traits.unicode,
        color: isatty(std::io::stdout()) && traits.color,
        columns: text::columns(),
    }
}
