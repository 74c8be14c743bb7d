//! `ctl hook remove`.

use std::process::ExitCode;

use super::edit::{self, Refusal};
use super::settings_file::SettingsFile;
use super::{agreed, diff, refused, settings_path};
use crate::error::Error;

/// The settings without our hook.
enum Without {
    /// As they are: it is not in them.
    Already,
    /// This text.
    Text(String),
    /// No file at all.
    NoFile,
}

pub(super) fn run(project: bool, yes: bool) -> Result<ExitCode, Error> {
    let file = SettingsFile::read(settings_path(project)?)?;
    let without = without(&file).map_err(|refusal| refused(&file, &refusal))?;
    let (new, said) = match &without {
        Without::Already => {
            let text = format!("{}: no hook of ours is in it\n", file.path.display());
            return super::super::print(text.as_bytes());
        }
        Without::Text(new) => (
            Some(new.as_str()),
            "removed; sessions that run take that up within a few seconds, but a wait that runs goes on to its end\n",
        ),
        Without::NoFile => (
            None,
            "removed, and the file with it: install had made it, and nothing else was in it; a wait that runs \
             goes on to its end\n",
        ),
    };
    let change = diff::diff(file.text(), new.unwrap_or_default());
    if !agreed(&file, &change, "remove", yes)? {
        return Ok(ExitCode::FAILURE);
    }
    file.replace(new)?;
    super::super::print(said.as_bytes())
}

/// Where nobody has changed the settings since the install, they become what they were then, byte for
/// byte: a backup that an install would make into the present text, or no file.
fn without(file: &SettingsFile) -> Result<Without, Refusal> {
    let text = file.text();
    let Some(entry) = edit::ours(text)?.into_iter().next() else {
        return Ok(Without::Already);
    };
    let makes_it = |before: &str| edit::with_hook(before, &entry.command).as_deref() == Ok(text);
    let free_of_us = |before: &str| edit::ours(before).is_ok_and(|ours| ours.is_empty());
    let mut backups = file.backups().into_iter();
    if let Some(before) = backups.find(|before| free_of_us(before) && makes_it(before)) {
        return Ok(Without::Text(before));
    }
    if makes_it("") {
        return Ok(Without::NoFile);
    }
    edit::without_hook(text).map(Without::Text)
}
