//! `ctl demo`: the whole thing in the user's terminal, around a fake CLI inside this binary.
//!
//! The wrapper runs as it always does; only its program is `ctl demo-cli`, started through `sh`, since a
//! program that is ourselves is refused. Settings come from flags, so that the visitor's own cannot spoil it.

mod stage;

use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use serde_json::json;

use self::stage::Stage;
use crate::config::ENV_PREFIX;
use crate::error::Error;
use crate::sys::{NESTED_VAR, Stopwatch, project_folder, same_terminal};
use crate::term::Size;

/// The hidden verb of the fake CLI.
pub(super) const CLI_VERB: &str = "demo-cli";

const SESSION: &str = "00000000-0000-4000-8000-00000000de30";
/// The size is looked at so often: the demo is too short for a signal handler.
const LOOK: Duration = Duration::from_millis(100);

const SETTINGS: [&str; 24] = [
    "--retry-program",
    "/bin/sh",
    "--retry-message",
    "continue",
    "--retry-profile",
    "default",
    "--retry-base",
    "3s",
    "--retry-cap",
    "4s",
    "--retry-max-retries",
    "6",
    "--retry-jitter",
    "none",
    "--retry-retry-on",
    "all",
    "--retry-bar",
    "auto",
    "--retry-notify",
    "off",
    "--retry-log",
    "off",
    "--retry-transcript",
    "auto",
];

/// A folder that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let name = format!("claude-retry-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is two small files in a temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn failed(what: &str) -> impl Fn(io::Error) -> Error + '_ {
    move |error| Error::Own(format!("failed to {what}: {error}"))
}

/// Runs the demo.
pub(super) fn run() -> Result<ExitCode, Error> {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    if !isatty(&stdin) || !isatty(&stdout) || !same_terminal(&stdin, &stdout) {
        return Err(Error::Usage(
            "`ctl demo` needs a terminal on stdin and stdout: run it in one, without pipes".into(),
        ));
    }
    let folder = Folder::new().map_err(failed("make a temporary folder"))?;
    let exe = std::env::current_exe().map_err(failed("find our own file"))?;
    let mut command = Command::new(&exe);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with(ENV_PREFIX) {
            command.env_remove(name);
        }
    }
    let status = command
        .env_remove(NESTED_VAR)
        .env("XDG_CONFIG_HOME", &folder.0)
        .env("CLAUDE_CONFIG_DIR", &folder.0)
        .args(SETTINGS)
        .args(["--", "-c", "exec \"$0\" ctl demo-cli"])
        .arg(&exe)
        .status()
        .map_err(failed("start the wrapper"))?;
    drop(folder);
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    ))
}

/// Is the fake CLI.
pub(super) fn cli(_args: &[OsString]) -> Result<ExitCode, Error> {
    let Some(config) = std::env::var_os("CLAUDE_CONFIG_DIR").map(PathBuf::from) else {
        return Err(Error::Usage("`ctl demo-cli` is only for `ctl demo`".into()));
    };
    let cooked =
        tcgetattr(io::stdin()).map_err(|error| failed("read the terminal")(error.into()))?;
    let mut raw = cooked.clone();
    raw.make_raw();
    set(&raw)?;
    let complete = play(&config);
    set(&cooked)?;
    if complete.map_err(failed("play the demo"))? {
        super::print(
            b"That was claude-retry: the turn failed twice and was resumed twice. \
              Now type claude-retry instead of claude.\n",
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn set(termios: &Termios) -> Result<(), Error> {
    tcsetattr(io::stdin(), OptionalActions::Flush, termios)
        .map_err(|error| failed("set the terminal")(error.into()))
}

/// Plays it to its end; was it seen whole?
fn play(config: &Path) -> io::Result<bool> {
    let clock = Stopwatch::start();
    let transcript = files(config)?;
    let mut out = io::stdout().lock();
    // Alternate screen, bracketed paste.
    out.write_all(b"\x1b[?1049h\x1b[2J\x1b[?2004h")?;
    let mut stage = Stage::new(clock.elapsed());
    let mut shown = Vec::new();
    let mut buffer = [0; 4096];
    while !stage.finished(clock.elapsed()) {
        stage.tick(clock.elapsed());
        let mut lines = String::new();
        for mut line in stage.take_lines() {
            line["timestamp"] = jiff::Timestamp::now().to_string().into();
            line["sessionId"] = SESSION.into();
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
        if !lines.is_empty() {
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(&transcript)?
                .write_all(lines.as_bytes())?;
        }
        let frame = stage.frame(clock.elapsed(), size()?);
        if frame != shown {
            out.write_all(&frame)?;
            out.flush()?;
            shown = frame;
        }
        let until = stage
            .deadline()
            .map_or(LOOK, |at| at.saturating_sub(clock.elapsed()));
        let timeout = Timespec::try_from(until.min(LOOK)).ok();
        let stdin = io::stdin();
        let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut ready, timeout.as_ref()) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        match rustix::io::read(&stdin, &mut buffer) {
            Ok(0) => break,
            Ok(n) => stage.input(clock.elapsed(), &buffer[..n]),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    out.write_all(b"\x1b[?2004l\x1b]0;\x07\x1b[?1049l")?;
    out.flush()?;
    Ok(stage.complete())
}

fn size() -> io::Result<Size> {
    let size = tcgetwinsize(io::stdin())?;
    Ok(Size::new(size.ws_row.max(5), size.ws_col.max(10)))
}

/// Makes what the real CLI keeps: the session file, and the transcript's folder. Gives the transcript.
fn files(config: &Path) -> io::Result<PathBuf> {
    let cwd = std::env::current_dir()?;
    let project = config.join("projects").join(project_folder(&cwd));
    fs::create_dir_all(&project)?;
    let sessions = config.join("sessions");
    fs::create_dir_all(&sessions)?;
    let pid = std::process::id();
    let session = json!({
        "pid": pid,
        "sessionId": SESSION,
        "cwd": cwd.to_string_lossy(),
        "startedAt": jiff::Timestamp::now().as_millisecond(),
        "kind": "interactive",
        "status": "idle",
    });
    fs::write(sessions.join(format!("{pid}.json")), session.to_string())?;
    Ok(project.join(format!("{SESSION}.jsonl")))
}
