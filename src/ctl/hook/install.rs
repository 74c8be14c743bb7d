//! `ctl hook install`.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::settings_file::SettingsFile;
use super::{
    NOT_COVERED, agreed, checks, command, diff, edit, refused, settings_path, standing, status,
};
use crate::config;
use crate::error::Error;
use crate::supervisor::wording::plain;
use crate::sys;

pub(super) fn run(project: bool, yes: bool) -> Result<ExitCode, Error> {
    let settings = config::resolve(&config::sources(Vec::new())?)?.settings;
    let command = command::command(&command::ourselves()?);
    let file = SettingsFile::read(settings_path(project)?)?;
    let refused = |refusal| refused(&file, &refusal);
    let old = file.text();
    let new = edit::with_hook(old, &command).map_err(refused)?;
    let path = file.path.display();
    if new == old {
        let mut text = format!("{path}: installed already, with this very command: {command}\n");
        text += &standing::report(&settings);
        return super::super::print(text.as_bytes());
    }
    let replaces = edit::ours(old).map_err(refused)?;
    let mut change = diff::diff(old, &new);
    let mut warning = String::new();
    let cwd = std::env::current_dir().ok();
    let places = checks::places(sys::config_dir().as_deref(), cwd.as_deref());
    if status::around(&settings, &places, &mut warning) {
        let _ = write!(change, "it would not work now:\n{warning}");
    }
    if !agreed(&file, &change, "install", yes)? {
        return Ok(ExitCode::FAILURE);
    }
    let backup = file.replace(Some(&new))?;
    let mut text = match replaces.first() {
        Some(entry) => format!("replaced: {}\n", plain(&entry.command)),
        None => String::new(),
    };
    text += "installed; sessions that run take it up within a few seconds\n";
    if let Some(backup) = backup {
        let _ = writeln!(text, "as it was before: {}", backup.display());
    }
    if project {
        text += "git may see these files: `.claude/settings.local.json*` in .git/info/exclude hides them\n";
    }
    text += NOT_COVERED;
    text += &standing::report(&settings);
    super::super::print(text.as_bytes())
}
