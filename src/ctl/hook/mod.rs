//! `ctl hook`: our hook in the CLI's own settings, for sessions that no wrapper runs.

pub(super) mod checks;
mod command;
mod diff;
mod edit;
mod install;
mod json;
pub(super) mod program;
mod remove;
pub(super) mod run;
mod settings_file;
pub(super) mod standing;
pub(super) mod status;
mod style;

use std::io::{self, BufRead};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ArgMatches;
use rustix::termios::isatty;

use self::edit::Refusal;
use self::settings_file::SettingsFile;
use crate::error::Error;
use crate::sys;

/// What the hook does not do, for whoever installs it or asks for its state.
const NOT_COVERED: &str = "\
not covered: claude -p (the hook runs there, and nothing is resumed), --bare and --safe-mode (no hooks),
and errors of subagents; disableAllHooks in any settings and managed settings turn it off
";

/// Runs `install`, `remove` or `status`.
///
/// # Errors
///
/// The verb's own.
pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let flag = |matches: &ArgMatches, name| matches.get_flag(name);
    match matches.subcommand() {
        Some(("install", matches)) => install::run(flag(matches, "project"), flag(matches, "yes")),
        Some(("remove", matches)) => remove::run(flag(matches, "project"), flag(matches, "yes")),
        _ => status::run(),
    }
}

/// The settings that are to be changed.
fn settings_path(project: bool) -> Result<PathBuf, Error> {
    if project {
        let folder = std::env::current_dir().map_err(|error| {
            Error::Usage(format!("this folder is gone ({error}): go elsewhere"))
        })?;
        return Ok(folder.join(".claude/settings.local.json"));
    }
    let folder = sys::config_dir().ok_or_else(|| {
        Error::Usage("nobody knows where Claude Code keeps its settings: set HOME".into())
    })?;
    std::path::absolute(folder.join("settings.json"))
        .map_err(|error| Error::Usage(format!("this folder is gone ({error}): go elsewhere")))
}

/// The message for settings that are left alone.
fn refused(file: &SettingsFile, refusal: &Refusal) -> Error {
    let remedy = match refusal {
        Refusal::NotJson(_) => "Claude Code ignores such a file, and it is left alone: mend it",
        Refusal::Shape(..) => "it is left alone: mend it",
        Refusal::Unsure => "it is left alone: do it by hand",
    };
    Error::Usage(format!("{} {refusal}; {remedy}", file.path.display()))
}

/// Shows a change and asks for it, unless `yes`. `false` where the user does not want it.
///
/// # Errors
///
/// [`Error::Usage`] where there is nobody to ask, or the file is read-only.
fn agreed(file: &SettingsFile, change: &str, verb: &str, yes: bool) -> Result<bool, Error> {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let can_ask = isatty(&stdin) && isatty(&stdout);
    if !yes && !can_ask {
        return Err(Error::Usage(format!(
            "there is no terminal to ask in, and nothing was changed: \
             claude-retry ctl hook {verb} --yes does it without asking"
        )));
    }
    file.check_writable()?;
    let text = format!("{}\n{change}", file.path.display());
    super::print(text.as_bytes())?;
    if yes {
        return Ok(true);
    }
    super::print(b"Write this? [y/N] ")?;
    let mut answer = String::new();
    stdin
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Error::Own(format!("failed to read the answer: {error}")))?;
    let agreed = matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    if !agreed {
        super::print(b"nothing was changed\n")?;
    }
    Ok(agreed)
}
