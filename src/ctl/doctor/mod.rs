//! `ctl doctor`: looks for what would keep claude-retry from working, a line each with the remedy.
//!
//! The checks take what was found and say what it means; what there is to be found is gathered here.

mod cli;
mod files;
mod hooks;
mod report;
mod terminal;
mod wordings;

use std::io;
use std::process::ExitCode;

use rustix::termios::{isatty, tcgetwinsize};

use self::report::{Finding, Style};
use self::terminal::Terminal;
use super::hook::{checks, program};
use super::{journal, text};
use crate::config::{self, HookMode, Settings};
use crate::error::Error;
use crate::sys::{self, Unasked};

/// What a program ends with that SIGINT ended.
const INTERRUPTED: u8 = 128 + 2;

pub(super) fn run(json: bool) -> Result<ExitCode, Error> {
    // First, while nothing is typed yet.
    let terminal = look(json);
    if terminal.answers == Err(Unasked::Interrupted) {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let findings = findings(&terminal);
    let out = if json {
        format!("{:#}\n", report::json(&findings))
    } else {
        let style = Style {
            color: isatty(io::stdout()) && sys::traits().color,
            columns: text::columns(),
        };
        report::text(&findings, style)
    };
    super::print(out.as_bytes())?;
    Ok(if report::is_bad(&findings) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn findings(terminal: &Terminal) -> Vec<Finding> {
    let sources = config::sources(Vec::new());
    let log = sources
        .as_ref()
        .ok()
        .and_then(|sources| sources.log.clone());
    let resolved = sources.and_then(|sources| config::resolve(&sources));
    // Where they are broken all else is looked at by the defaults.
    let defaults = || Settings {
        log,
        ..Settings::default()
    };
    let settings = resolved
        .as_ref()
        .map_or_else(|_| defaults(), |resolved| resolved.settings.clone());
    let config_dir = sys::config_dir();
    let cwd = std::env::current_dir().ok();
    let places = checks::places(config_dir.as_deref(), cwd.as_deref());
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());

    let (mut findings, version) = cli::check(&settings.program);
    findings.extend(files::settings(&resolved, config::config_file().as_deref()));
    findings.extend(hooks::cli_settings(
        &hooks::user_settings(config_dir.as_deref()),
        is_set,
    ));
    findings.extend(files::cli_folder(config_dir.as_deref()));
    findings.push(files::log(settings.log.as_deref(), journal::now()));
    let off = settings.hook == HookMode::Off;
    findings.push(files::companion(&sys::probe_companion(), off));
    findings.extend(hooks::installed(&settings, &places, version));
    findings.push(hooks::stuck(&settings));
    findings.extend(terminal::check(terminal));
    findings
}

/// The terminal, as its environment and it itself describe it.
fn look(json: bool) -> Terminal {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let text = |name: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
        Some(value.to_string_lossy().into_owned())
    };
    let traits = sys::traits();
    Terminal {
        json,
        stdin: isatty(&stdin),
        stdout: isatty(&stdout),
        term: text("TERM"),
        locale: ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(text),
        unicode: traits.unicode,
        no_color: text("NO_COLOR").is_some(),
        size: tcgetwinsize(&stdout)
            .ok()
            .map(|size| (size.ws_row, size.ws_col)),
        answers: sys::ask_terminal(),
        tmux: text("TMUX").map(|_| program::answer("tmux".as_ref(), "-V").unwrap_or_default()),
        marker: text(sys::NESTED_VAR).is_some(),
        nested: sys::nested(),
    }
}
