//! `ctl explain`: why the supervisor did what it did, or would do, from a recording.

pub mod decision;
pub mod lines;
mod message;
mod recorded;
pub mod replay;
mod timeline;

use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;

use self::decision::{Decision, decisions};
use self::lines::Lines;
use self::replay::{Replay, Step};
use crate::cast::{Cast, parse_size};
use crate::config::{self, Settings, TranscriptMode};
use crate::error::Error;
use crate::supervisor::wording::plain;
use crate::term::Size;

use super::text::path as shown;

/// What came of a recording.
#[derive(Clone, Debug)]
pub struct Explained {
    /// What happened, in order.
    pub steps: Vec<Step>,
    /// What came of each error.
    pub decisions: Vec<Decision>,
}

/// Replays a recording, past its end. `wall0` as for [`Replay::new`].
pub fn explain(cast: &Cast, lines: Option<&Lines>, settings: &Settings, wall0: u64) -> Explained {
    explained(Replay::new(cast, lines, settings, wall0))
}

fn explained(mut replay: Replay<'_>) -> Explained {
    replay.play(|len| len);
    replay.run_on();
    let decisions = decisions(&replay.steps);
    Explained {
        steps: replay.steps,
        decisions,
    }
}

/// No file is larger, in bytes.
const LARGEST: u64 = 1024 * 1024 * 1024;

/// What was asked for.
struct Asked {
    file: PathBuf,
    transcript: Option<PathBuf>,
    size: Option<Size>,
    screen: bool,
    json: bool,
    my_settings: bool,
}

impl Asked {
    fn new(matches: &ArgMatches) -> Result<Self, Error> {
        let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
        let size = match matches.get_one::<String>("size") {
            None => None,
            Some(text) => Some(parse_size(text).ok_or_else(|| {
                Error::Usage(format!(
                    "--size {text}: no size; give COLSxROWS, each from 1 to 2000, such as --size 100x30"
                ))
            })?),
        };
        Ok(Self {
            file: path("file").unwrap_or_default(),
            transcript: path("transcript"),
            size,
            screen: matches.get_flag("screen"),
            json: matches.get_flag("json"),
            my_settings: matches.get_flag("my-settings"),
        })
    }
}

/// Runs the verb.
///
/// # Errors
///
/// [`Error::Usage`] for a file that cannot be read, or is no recording; those of the settings.
pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    super::print(text(&Asked::new(matches)?)?.as_bytes())
}

/// The settings: of the recording, where it has them, and else the user's; and what of the former had to be left out.
fn settings_of(cast: &Cast, asked: &Asked) -> Result<(Settings, Vec<String>), Error> {
    if let Some(ours) = cast.ours.as_ref().filter(|_| !asked.my_settings) {
        return recorded::settings(ours);
    }
    let resolved = config::resolve(&config::sources(Vec::new())?)?;
    Ok((resolved.settings, Vec::new()))
}

fn text(asked: &Asked) -> Result<String, Error> {
    let cast = read_cast(&asked.file, asked.size)?;
    let recorded = cast.ours.is_some() && !asked.my_settings;
    let (mut settings, left_out) = settings_of(&cast, asked)?;
    if let Some(message) = message::drawn(&cast, &settings.message).filter(|_| recorded) {
        settings.message = message;
    }
    let settings = &settings;
    let beside = transcript_of(&asked.file);
    let is_beside = asked.transcript.is_none() && beside.is_file();
    let transcript = asked.transcript.clone().or(is_beside.then_some(beside));
    let lines = match &transcript {
        Some(path) => Some(read_lines(path)?),
        None => None,
    };
    // As the session has it: a file without a line is none.
    let lines = lines.filter(|lines| !lines.is_empty());
    let (wall0, how) = replay::clock_of(&cast, lines.as_ref());
    let mut replay = Replay::new(&cast, lines.as_ref(), settings, wall0);
    replay.keep_screens = asked.screen;
    let explained = explained(replay);

    let mut text = String::new();
    if asked.json {
        let about = json!({
            "event": "replay",
            "file": asked.file.to_string_lossy(),
            "format": cast.format.to_string(),
            "cols": cast.size.cols,
            "rows": cast.size.rows,
            "duration_ms": timeline::ms(cast.duration()),
            "cut": cast.cut,
            "recorded_by": cast.ours.as_ref().map(|ours| ours.version.as_str()),
            "transcript": transcript.as_ref().map(|path| path.to_string_lossy()),
            "clock": how,
            "settings": if recorded { "recording" } else { "yours" },
            "settings_left_out": left_out,
        });
        let _ = writeln!(text, "{}", super::text::json(&about));
        for step in &explained.steps {
            let _ = writeln!(
                text,
                "{}",
                super::text::json(&timeline::object(step, asked.screen))
            );
        }
        let _ = writeln!(
            text,
            "{}",
            super::text::json(&timeline::summary_object(&explained.decisions))
        );
        return Ok(text);
    }
    text += &about(asked, &cast);
    let _ = match (&transcript, settings.transcript) {
        (_, TranscriptMode::Off) => {
            writeln!(
                text,
                "transcript: off in the settings, so the screen alone decides"
            )
        }
        (Some(path), _) if lines.is_none() => writeln!(
            text,
            "transcript: {} is empty, so the screen alone decides",
            shown(path)
        ),
        (Some(path), _) => {
            let beside = if is_beside { ", found beside it" } else { "" };
            writeln!(
                text,
                "transcript: {}{beside}; clocks set {how}",
                shown(path)
            )
        }
        (None, _) => writeln!(
            text,
            "transcript: none, so the screen alone decides; name one with --transcript FILE"
        ),
    };
    if recorded {
        text += "settings: those of the recording; yours with --my-settings\n";
    }
    for what in &left_out {
        let what = plain(what);
        let _ = writeln!(
            text,
            "the recording's header: {what}: not known here, and left out"
        );
    }
    text.push('\n');
    for step in &explained.steps {
        text += &timeline::line(step);
        if let Some(screen) = step.screen.as_ref().filter(|_| asked.screen) {
            text += &timeline::frame(screen);
        }
    }
    if !explained.steps.is_empty() {
        text.push('\n');
    }
    text += &timeline::summary(&explained.decisions, &settings.message);
    Ok(text)
}

/// The name of the transcript beside a recording: `bug.transcript.jsonl` of `bug.cast`, and of any other name all of it
/// with the same behind.
pub(super) fn transcript_of(recording: &Path) -> PathBuf {
    if recording.extension().is_some_and(|end| end == "cast") {
        return recording.with_extension("transcript.jsonl");
    }
    let mut name = recording.as_os_str().to_owned();
    name.push(".transcript.jsonl");
    name.into()
}

fn about(asked: &Asked, cast: &Cast) -> String {
    let mut text = format!("recording: {} ({}", shown(&asked.file), cast.format);
    let Size { cols, rows, .. } = cast.size;
    let _ = write!(text, ", {cols} columns and {rows} rows");
    if cast.format != crate::cast::Format::Raw {
        let length = timeline::seconds(timeline::ms(cast.duration()));
        let _ = write!(text, ", {length}");
    }
    if let Some(ours) = &cast.ours {
        let version = plain(&ours.version);
        let _ = write!(text, ", by claude-retry {version}");
    }
    text += ")\n";
    if cast.cut {
        text += "its last line is cut off, and left out\n";
    }
    text
}

fn read_cast(path: &Path, size: Option<Size>) -> Result<Cast, Error> {
    let bytes = read(path)?;
    match size {
        Some(_) if bytes.is_empty() => Err(Error::Usage(format!(
            "{}: the file is empty; record one with `claude-retry ctl record`",
            shown(path)
        ))),
        Some(_) if Cast::is_cast(&bytes) => Err(Error::Usage(format!(
            "{}: an asciicast tells its size; leave --size out",
            shown(path)
        ))),
        Some(size) => Ok(Cast::raw(&bytes, size)),
        None => {
            Cast::read(&bytes).map_err(|error| Error::Usage(format!("{}: {error}", shown(path))))
        }
    }
}

fn read_lines(path: &Path) -> Result<Lines, Error> {
    let bytes = read(path)?;
    Lines::read(&String::from_utf8_lossy(&bytes)).map_err(|line| {
        Error::Usage(format!(
            "{}: line {line}: no JSON object; give the session's transcript, \
             ~/.claude/projects/…/<session id>.jsonl",
            shown(path)
        ))
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let bad = |what: &str| Error::Usage(format!("cannot read {}: {what}", shown(path)));
    let read = || -> Result<Vec<u8>, std::io::Error> {
        // A pipe without a writer would block.
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        let mut options = fs::OpenOptions::new();
        options.read(true);
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
        let file = options.open(path)?;
        let meta = file.metadata()?;
        if meta.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        if !meta.is_file() {
            return Err(ErrorKind::InvalidInput.into());
        }
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            return Err(ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    };
    read().map_err(|error| match error.kind() {
        ErrorKind::IsADirectory => bad("it is a folder; name a file in it"),
        ErrorKind::InvalidInput => bad("it is no plain file; copy what it gives into one"),
        ErrorKind::FileTooLarge => bad("it is larger than 1 GB; cut it down"),
        ErrorKind::PermissionDenied => bad("permission denied; make it readable for you"),
        ErrorKind::NotFound => bad("there is none; name a file that is there"),
        _ => bad(&error.to_string()),
    })
}
