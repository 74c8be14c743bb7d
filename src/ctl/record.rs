//! `ctl record`: a session under the wrapper, recorded.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ArgMatches;

use super::explain::transcript_of;
use super::text::path as shown;
use crate::cli::{self, Command};
use crate::error::Error;
use crate::sys::{Recorder, not_recordable};

/// Runs the CLI and records it.
///
/// # Errors
///
/// [`Error::Usage`] where there is nothing to record, or the file is there already or cannot be made; those of a
/// plain run.
pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let args = matches.get_many::<OsString>("args").unwrap_or_default();
    let Command::Run { flags, args } = cli::parse(args.cloned().collect())? else {
        return Err(Error::Usage(
            "nothing to record: after -- come the arguments of a session, as behind claude-retry"
                .into(),
        ));
    };
    if let Some(why) = not_recordable(&args) {
        return Err(Error::Usage(format!("nothing to record: {why}")));
    }
    let path = matches.get_one::<PathBuf>("output").cloned();
    let path = path.unwrap_or_else(default_path);
    let (input, overwrite) = (matches.get_flag("input"), matches.get_flag("overwrite"));
    let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir();
    if is_folder || path.file_name().is_none() {
        return Err(Error::Usage(format!(
            "cannot write {:?}: --output takes a file's name; add one, such as odd.cast",
            shown(&path)
        )));
    }
    let beside = transcript_of(&path);
    let recorder = Recorder::create(path, beside, input, overwrite)
        .map_err(|(path, error)| not_made(&path, &error))?;
    let mut recorder = Some(recorder);
    let ended = crate::wrap(flags, &args, &mut recorder);
    if let Some(recorder) = recorder.and_then(Recorder::begun) {
        tell(&recorder, input);
    }
    ended
}

/// In this folder, by the time.
fn default_path() -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    format!("claude-retry-{now}.cast").into()
}

fn not_made(path: &Path, error: &io::Error) -> Error {
    let path = shown(path);
    Error::Usage(match error.kind() {
        ErrorKind::AlreadyExists => format!(
            "{path} is there already; name another with --output FILE, or replace it with --overwrite"
        ),
        ErrorKind::IsADirectory => {
            format!("cannot write {path}: a folder has this name; name another with --output FILE")
        }
        ErrorKind::NotFound => {
            format!("cannot write {path}: its folder is not there; make it first")
        }
        _ => format!("cannot write {path}: {error}; name another with --output FILE"),
    })
}

#[expect(clippy::print_stderr, reason = "the terminal is the user's again")]
fn tell(recorder: &Recorder, input: bool) {
    let path = shown(recorder.path());
    if let Some(fault) = recorder.fault() {
        eprintln!("claude-retry: the recording is not whole: {fault}");
    }
    let typed = if input {
        "every key as it was typed"
    } else {
        "keys, with x for each character that was typed"
    };
    eprintln!("claude-retry: recorded into {path}");
    eprintln!("  in it: all that the CLI wrote, your conversation among it; {typed}");
    if recorder.has_transcript() {
        let transcript = shown(recorder.transcript_path());
        eprintln!("  beside it: {transcript}, without the conversation");
    } else {
        eprintln!("  no transcript of it was found");
    }
    eprintln!("  look through both before you give them away");
    eprintln!("  what was decided, and why: claude-retry ctl explain {path}");
}
