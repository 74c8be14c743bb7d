//! The hook's end of the wrapper's socket.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::super::{NESTED_VAR, env, is_nested};
use super::cli::Cli;
use crate::supervisor::hook::{Answer, Call, Happened, HookEvent, SOCKET_VAR};

/// A wrapper that does not read for so long is taken for gone.
const WRITE: Duration = Duration::from_secs(5);
/// How often it is looked whether the CLI is still there.
const LOOK: Duration = Duration::from_secs(10);
/// No answer is longer.
const ANSWER_AT_MOST: u64 = 4096;

/// What came of telling the wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The CLI is to resume the turn.
    Resume,
    /// Nothing is to happen.
    Nothing,
    /// The wrapper knows nothing of this CLI.
    Foreign,
    /// Nobody listens.
    NoWrapper,
}

/// Tells the wrapper that the environment names, if there is one, and waits for what it says to a
/// `StopFailure`.
pub(super) fn tell(event: &HookEvent, cli: &Cli) -> Told {
    let Some(stream) = env(SOCKET_VAR).and_then(|path| UnixStream::connect(path).ok()) else {
        return Told::NoWrapper;
    };
    // A wrapper that goes away meanwhile lets us go.
    match ask(&stream, event, cli) {
        Ok(Some(Answer::Resume)) => Told::Resume,
        Ok(Some(Answer::Foreign)) => Told::Foreign,
        Ok(Some(Answer::LetGo) | None) | Err(_) => Told::Nothing,
    }
}

fn ask(stream: &UnixStream, event: &HookEvent, cli: &Cli) -> io::Result<Option<Answer>> {
    let call = Call {
        event: event.clone(),
        cli: cli.pid().map(|pid| pid.as_raw_nonzero().get()),
    };
    let mut line = serde_json::to_vec(&call)?;
    line.push(b'\n');
    stream.set_write_timeout(Some(WRITE))?;
    { stream }.write_all(&line)?;
    if !matches!(event.happened, Happened::StopFailure { .. }) {
        return Ok(None);
    }
    stream.set_read_timeout(Some(LOOK))?;
    let mut reader = BufReader::new(stream.take(ANSWER_AT_MOST));
    let mut answer = Vec::new();
    loop {
        // What was read before a timeout stays in `answer`.
        match reader.read_until(b'\n', &mut answer) {
            Ok(_) => return Ok(Some(serde_json::from_slice(&answer)?)),
            Err(error) if is_timeout(&error) && !cli.is_gone() => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Does the CLI run under a wrapper that does without the hook (`hook = off`)? The environment may be
/// somebody else's (that of a tmux server, say), so the wrapper must live and its terminal be the CLI's.
/// Where the CLI's terminal cannot be told, it is taken for that one.
pub(super) fn is_around(cli: &Cli) -> bool {
    let Some(value) = env(NESTED_VAR) else {
        return false;
    };
    let inner = value.to_str().and_then(|value| value.split_once(':'));
    let terminal = cli
        .terminal()
        .or_else(|| inner.map(|(_, inner)| inner.into()));
    is_nested(&value, terminal.as_deref().map(OsStr::new))
}
