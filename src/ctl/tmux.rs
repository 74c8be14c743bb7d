//! `ctl tmux`: panes that run the CLI without us.

mod lines;
mod setup;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ArgMatches;
use rustix::termios::isatty;

use self::lines::Lines;
use crate::config;
use crate::error::Error;
use crate::sys::tmux::{Socket, WatchError, WatchOptions, watch};
use crate::sys::{self, TableView};
use crate::tmux::table::Look;

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    match matches.subcommand() {
        Some(("watch", matches)) => run_watch(matches),
        _ => super::print(setup::LINES.as_bytes()),
    }
}

/// A table where there is a terminal to draw it on and to press keys in, else lines.
fn run_watch(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let options = options(matches);
    let settings = config::resolve(&config::sources(Vec::new())?)?.settings;
    let traits = sys::traits();
    let on_terminal = isatty(std::io::stdin()) && isatty(std::io::stdout()) && traits.addressable;
    let look = Look {
        unicode: traits.unicode,
        color: traits.color,
    };
    let table = on_terminal.then(|| TableView::new(look).ok()).flatten();
    let ended = match table {
        Some(mut table) => watch(&options, settings, &mut table),
        None => watch(&options, settings, &mut Lines::new(std::io::stdout())),
    };
    ended.map_err(|error| match error {
        WatchError::Unusable(what) => Error::Usage(what),
        WatchError::Own(what) => Error::Own(what),
    })
}

fn options(matches: &ArgMatches) -> WatchOptions {
    let text = |name| matches.get_one::<String>(name).cloned();
    let path = matches.get_one::<PathBuf>("socket-path").cloned();
    let name = text("socket-name").map(Socket::Name);
    WatchOptions {
        socket: path.map(Socket::Path).or(name).unwrap_or_default(),
        target: text("target"),
        all: matches.get_flag("all"),
    }
}
