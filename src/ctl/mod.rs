//! The verbs of `claude-retry ctl`, a file each.

mod alias;
mod config;
mod demo;
mod doctor;
pub mod explain;
mod hook;
mod journal;
mod log;
mod record;
mod reference;
mod stats;
mod text;
mod tmux;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::error::Error;

pub use self::reference::{help, version};

/// Runs one verb.
///
/// # Errors
///
/// [`Error::Usage`] for a verb or an argument that is not ours, and the verb's own.
pub fn run(args: Vec<OsString>) -> Result<ExitCode, Error> {
    // The fake CLI of the demo; not for people.
    if args.first().is_some_and(|verb| verb == demo::CLI_VERB) {
        return demo::cli(&args[1..]);
    }
    // Not read by clap: its errors end with code 2, which would resume a turn.
    if let Some(args) = hook::run::asked_for(&args) {
        return hook::run::run(args);
    }
    let records = args.first().is_some_and(|verb| verb == "record");
    let matches = match reference::ctl()
        .try_get_matches_from(std::iter::once("claude-retry ctl".into()).chain(args))
    {
        Ok(matches) => matches,
        Err(error) => return usage(&error, records),
    };
    match matches.subcommand() {
        Some(("config", matches)) => config::print(matches.get_flag("wordings")),
        Some(("completions", matches)) => {
            let shell = matches.get_one::<clap_complete::Shell>("shell").copied();
            print(&reference::completions(
                shell.unwrap_or(clap_complete::Shell::Bash),
            ))
        }
        Some(("man", _)) => print(&reference::man()?),
        Some(("alias", matches)) => {
            alias::print(matches.get_one::<String>("shell").map(String::as_str))
        }
        Some(("demo", _)) => demo::run(),
        Some(("explain", matches)) => explain::run(matches),
        Some(("hook", matches)) => hook::run(matches),
        Some(("doctor", matches)) => doctor::run(matches.get_flag("json")),
        Some(("log", matches)) => log::run(matches),
        Some(("stats", matches)) => stats::run(matches),
        Some(("record", matches)) => record::run(matches),
        Some(("tmux", matches)) => tmux::run(matches),
        _ => print(reference::ctl().render_help().to_string().as_bytes()),
    }
}

/// clap's words: help goes to stdout, anything else is one line of ours.
fn usage(error: &clap::Error, records: bool) -> Result<ExitCode, Error> {
    let text = error.to_string();
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        return print(text.as_bytes());
    }
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("Usage:"))
        .collect();
    let line = lines.join("; ").replace("error: ", "").replace(":; ", ": ");
    let line = line.replace("For more information, try '--help'.", "");
    let line = line.trim_end_matches([' ', ';', '.']);
    let remedy = if records && error.kind() == ErrorKind::UnknownArgument {
        "claude's arguments go behind --, as in `claude-retry ctl record -- --resume abc`"
    } else {
        "`claude-retry ctl --help` lists the verbs"
    };
    Err(Error::Usage(format!("{line}; {remedy}")))
}

/// Writes to stdout; a reader that has enough is no failure.
pub(crate) fn print(text: &[u8]) -> Result<ExitCode, Error> {
    print_with(|out| out.write_all(text))
}

/// Writes to stdout piece by piece.
fn print_with(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<ExitCode, Error> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::Own(format!("failed to write: {error}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
