//! `ctl hook status`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;

use super::NOT_COVERED;
use super::checks::{self, Cli, Place, Program, Trouble};
use super::edit::Entry;
use crate::config::{self, Settings};
use crate::error::Error;
use crate::supervisor::wording::plain;
use crate::sys;

/// Exit code 0 when the hook is installed for this folder's sessions and can run, else 1.
pub(super) fn run() -> Result<ExitCode, Error> {
    let settings = config::resolve(&config::sources(Vec::new())?)?.settings;
    let config_dir = sys::config_dir();
    let cwd = std::env::current_dir().ok();
    let places = checks::places(config_dir.as_deref(), cwd.as_deref());
    let mut text = String::new();
    let mut good = false;
    let mut bad = false;
    let mut commands = BTreeSet::new();
    for place in &places {
        let entries = checks::entries(place);
        let installed = entries.as_deref().unwrap_or_default();
        commands.extend(installed.iter().map(|entry| entry.command.clone()));
        match of_place(place, entries, &mut text) {
            Some(true) => good = true,
            Some(false) => bad = true,
            None => {}
        }
    }
    // Of several with the very same command the CLI runs one (2.1.145, 2.1.330).
    if commands.len() > 1 {
        bad = true;
        text += "these are different commands and all run: remove all but one\n";
    }
    bad |= around(&settings, &places, &mut text);
    text += NOT_COVERED;
    super::super::print(text.as_bytes())?;
    Ok(if good && !bad {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What around the hook keeps it from working, in a line each; and whether anything does.
pub(super) fn around(settings: &Settings, places: &[Place], text: &mut String) -> bool {
    let mut bad = false;
    let program = settings.program.as_path();
    if let Some(own) = settings.keeps_hook_idle() {
        bad = true;
        let _ = writeln!(
            text,
            "{own} in our own settings: without the wrapper the hook does nothing (`claude-retry ctl config` says \
             where)"
        );
    }
    if let Some(off) = checks::off(places, &sys::managed_settings()) {
        bad = true;
        let _ = writeln!(text, "hooks are off: {} in {}", off.key, off.path.display());
    }
    let (good, what) = match checks::cli(program) {
        Cli::Good(version) => (true, version),
        Cli::NoStopFailure(version) => (
            false,
            format!("{version}, which has no StopFailure hooks; 2.1.112 or later does"),
        ),
        Cli::NoRewake(version) => (
            false,
            format!("{version}, which was not seen to resume by a hook; 2.1.112 was"),
        ),
        // Perhaps it is not in the PATH of this shell.
        Cli::Unknown => (
            true,
            format!(
                "{} is not found, or does not tell its version",
                program.display()
            ),
        ),
    };
    let _ = writeln!(text, "Claude Code: {what}");
    bad || !good
}

/// A line on a place, and whether its hook can run; `None` where there is none.
pub(in crate::ctl) fn of_place(
    place: &Place,
    entries: Result<Vec<Entry>, Trouble>,
    text: &mut String,
) -> Option<bool> {
    let _ = write!(text, "{} ({}): ", place.path.display(), place.name);
    let entries = match entries {
        Ok(entries) => entries,
        Err(Trouble::Unreadable(error)) => {
            let _ = writeln!(text, "{error}");
            return Some(false);
        }
        Err(Trouble::Refused(refusal)) => {
            let _ = writeln!(text, "{refusal}; Claude Code ignores such a file: mend it");
            return Some(false);
        }
    };
    if entries.is_empty() {
        *text += "not installed\n";
        return None;
    }
    *text += "installed\n";
    let mut good = true;
    for entry in &entries {
        good &= of_entry(entry, place, text);
    }
    Some(good)
}

fn of_entry(entry: &Entry, place: &Place, text: &mut String) -> bool {
    let again = place.remedy;
    let (good, what) = match checks::program(&entry.program, place.trusted) {
        Program::Ours => (true, "this program".to_owned()),
        Program::SameVersion => (true, "another file of this version".to_owned()),
        Program::OtherVersion(version) => (
            false,
            format!(
                "version {version}, and this is {}; {again}",
                env!("CARGO_PKG_VERSION")
            ),
        ),
        Program::Stranger => (
            false,
            format!("does not say that it is claude-retry; {again}"),
        ),
        Program::NotAsked => (
            false,
            format!(
                "is another program than this one, and not run to be asked, for this folder names it; {again}"
            ),
        ),
        Program::NotExecutable(why) => (false, format!("cannot be executed: {why}; {again}")),
        Program::Gone => (false, format!("is gone; {again}")),
    };
    let _ = writeln!(
        text,
        "  {}: {what}",
        plain(&entry.program.to_string_lossy())
    );
    if !entry.works {
        let _ = writeln!(
            text,
            "  its entry has no asyncRewake and resumes nothing; {again}"
        );
    }
    if let Some(only) = &entry.only {
        let _ = writeln!(
            text,
            "  its group leaves out errors that do not match {:?}; {again}",
            plain(only)
        );
    }
    good && entry.works && entry.only.is_none()
}
