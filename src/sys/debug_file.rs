//! The CLI's debug log, from which [`crate::supervisor::retry_after`] reads: a private file of ours, or the
//! user's own.
//!
//! The CLI opens it anew for each record and appends (2.1.145, 2.1.330), so it may be cut while the CLI runs.
//! Beside it the CLI makes a link `latest`. Where the folder is gone it goes on without a word.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::OFlags;

use super::private::{self, Folder, places};
use super::transcript::open;

/// What makes the CLI's API client log each response.
pub(super) const LOG_VAR: &str = "ANTHROPIC_LOG";
/// Its value for that.
pub(super) const LOG_LEVEL: &str = "debug";
/// The CLI's flag. Of two the first counts.
const FLAG: &str = "--debug-file";
/// So much of the end is read: some eighty requests.
const TAIL: u64 = 256 * 1024;
/// A file of this size is emptied.
const MAX_BYTES: u64 = 1024 * 1024;
/// How often its size is looked at, at the most.
const CHECK_EVERY: Duration = Duration::from_mins(1);
/// It is emptied only where nothing was written for so long: the response that a turn fails with is read
/// sooner than that.
const AT_REST: Duration = Duration::from_secs(1);

/// Where the CLI logs to.
#[derive(Debug)]
pub(super) struct DebugFile {
    path: PathBuf,
    /// The folder of ours that it is in.
    folder: Option<Folder>,
    checked: Option<Instant>,
}

/// Whose file it is.
#[derive(Debug, PartialEq, Eq)]
enum Whose {
    Ours,
    Theirs(PathBuf),
}

impl DebugFile {
    /// The file for a CLI with these arguments; the error says in words why there is none.
    pub(super) fn new(args: &[OsString]) -> Result<Self, String> {
        match whose(args, super::env(LOG_VAR).as_deref())? {
            Whose::Ours => Self::create(&places()).map_err(|error| error.to_string()),
            Whose::Theirs(path) => Ok(Self {
                path,
                folder: None,
                checked: None,
            }),
        }
    }

    /// Makes a file in the first of these places where that can be done.
    fn create(places: &[PathBuf]) -> io::Result<Self> {
        Folder::in_first(places, |folder| {
            let path = folder.path().join("debug.log");
            private::file(&path)?;
            Ok(Self {
                path,
                folder: Some(folder),
                checked: None,
            })
        })
    }

    /// What comes before the user's own arguments.
    pub(super) fn args(&self) -> Vec<OsString> {
        match self.folder {
            Some(_) => vec![FLAG.into(), self.path.clone().into()],
            None => Vec::new(),
        }
    }

    /// The end of the file.
    pub(super) fn tail(&self) -> io::Result<Vec<u8>> {
        let (mut file, len) = open(&self.path)?;
        file.seek(SeekFrom::Start(len.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(2 * TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Empties our file when it has grown large; to be called now and then. A fault leaves it as it is.
    pub(super) fn keep_short(&mut self, now: Instant) {
        let due = self.checked.is_none_or(|at| now >= at + CHECK_EVERY);
        if self.folder.is_some() && due && self.try_keep_short(MAX_BYTES).unwrap_or(true) {
            self.checked = Some(now);
        }
    }

    /// False where it is large, but not at rest.
    fn try_keep_short(&self, max_bytes: u64) -> io::Result<bool> {
        let meta = fs::symlink_metadata(&self.path)?;
        if !meta.is_file() || meta.len() <= max_bytes {
            return Ok(true);
        }
        if !is_at_rest(meta.modified()?) {
            return Ok(false);
        }
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = OpenOptions::new()
            .write(true)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
            .open(&self.path)?;
        file.set_len(0)?;
        Ok(true)
    }
}

#[expect(clippy::disallowed_methods, reason = "compared with a file's time")]
fn is_at_rest(modified: SystemTime) -> bool {
    // A file from the future is not worth waiting for.
    let age = SystemTime::now().duration_since(modified);
    age.map_or(true, |age| age >= AT_REST)
}

/// What the user asked for is kept: their file, their debug log, their level.
fn whose(args: &[OsString], level: Option<&OsStr>) -> Result<Whose, String> {
    if level.is_some_and(|level| level != LOG_LEVEL) {
        return Err(format!(
            "{LOG_VAR} is set to something else than {LOG_LEVEL}"
        ));
    }
    let mut own = args.iter().take_while(|arg| *arg != "--");
    while let Some(arg) = own.next() {
        let bytes = arg.as_bytes();
        if bytes == FLAG.as_bytes() {
            let file = own.next().ok_or("--debug-file has no value")?;
            return Ok(Whose::Theirs(file.into()));
        }
        if let Some(file) = bytes.strip_prefix(b"--debug-file=") {
            return Ok(Whose::Theirs(OsStr::from_bytes(file).into()));
        }
        let short = bytes
            .strip_prefix(b"-")
            .and_then(|short| short.iter().find(|byte| !b"chv".contains(byte)));
        if bytes.starts_with(b"--debug") || short == Some(&b'd') {
            // Ours would take it away from where the CLI puts it.
            return Err("the CLI's own debug log is asked for".into());
        }
        if bytes == b"--bg" || bytes == b"--background" {
            return Err("a background agent outlives us".into());
        }
    }
    // Some verbs are only seen as the very first argument: behind a flag `claude attach` is a prompt.
    let verb = args.first().is_some_and(|first| {
        let first = first.as_bytes();
        !first.starts_with(b"-") && !first.iter().any(u8::is_ascii_whitespace)
    });
    if verb {
        return Err("the first argument may be a verb of the CLI".into());
    }
    Ok(Whose::Ours)
}

#[cfg(test)]
mod tests;
