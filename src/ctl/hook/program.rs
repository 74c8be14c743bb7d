//! Asks a program for its version, for so long and no longer.

use std::io::{self, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process_group};

/// A program that has not answered by then will not: the CLI's own takes a tenth of it on a slow machine.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// More of the answer is not read.
const ANSWER: usize = 1024;

/// What `PROGRAM --version` prints, if it ends in time and well; else why not, in words.
pub(crate) fn version(program: &Path) -> Result<String, String> {
    answer(program, "--version")
}

/// What `PROGRAM ARGUMENT` prints, if it ends in time and well; else why not, in words.
pub(crate) fn answer(program: &Path, argument: &str) -> Result<String, String> {
    // In a group of its own, so that what it started ends with it.
    let mut child = Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("it cannot be started: {error}"))?;
    let group = Pid::from_child(&child);
    let ended = end_of(&mut child);
    if !matches!(ended, Ok((Some(_), _))) {
        let _ = kill_process_group(group, Signal::KILL);
        let _ = child.wait();
    }
    let (status, answer) = ended.map_err(|error| error.to_string())?;
    let status = status.ok_or_else(|| format!("no answer in {} s", TIMEOUT.as_secs()))?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(String::from_utf8_lossy(&answer).into_owned()),
        (Some(code), _) => Err(format!("it ended with code {code}")),
        (None, Some(signal)) => Err(format!("signal {signal} ended it")),
        (None, None) => Err("it did not end well".into()),
    }
}

/// How it ended, if it did in time, and the beginning of what it printed.
fn end_of(child: &mut Child) -> io::Result<(Option<ExitStatus>, Vec<u8>)> {
    let mut answer = Vec::new();
    let Some(mut stdout) = child.stdout.take() else {
        return Ok((None, answer));
    };
    // A child of its own may hold the pipe open.
    rustix::fs::fcntl_setfl(&stdout, OFlags::NONBLOCK)?;
    for _ in 0..TIMEOUT.as_millis() / LOOK.as_millis() {
        let status = child.try_wait()?;
        drain(&mut stdout, &mut answer)?;
        if status.is_some() {
            return Ok((status, answer));
        }
        std::thread::sleep(LOOK);
    }
    Ok((None, answer))
}

/// Reads what is there: a program that prints much must not stand still for it.
fn drain(stdout: &mut ChildStdout, answer: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    // Not for ever from one that prints without end.
    for _ in 0..64 {
        match stdout.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                let left = ANSWER - answer.len();
                answer.extend_from_slice(&buffer[..read.min(left)]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Three numbers with points between them, at the start of a text.
pub(crate) fn numbers(text: &str) -> Option<(u32, u32, u32)> {
    let word = text.split([' ', '\n', '-', '+']).next()?;
    let mut parts = word.split('.').map(str::parse);
    let mut next = || parts.next()?.ok();
    let numbers = (next()?, next()?, next()?);
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(numbers("2.1.145 (Claude Code)\n"), Some((2, 1, 145)));
        assert!(numbers("2.1.78 (Claude Code)") < numbers("2.1.112"));
        for odd in ["", "claude 2.1.1", "2.1", "2.1.1.1", "v2.1.1"] {
            assert_eq!(numbers(odd), None, "{odd}");
        }
    }

    fn script(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        use std::os::unix::fs::PermissionsExt as _;
        let tmp = tempfile::tempdir().expect("a folder");
        let path = tmp.path().join("claude");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a file");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("its mode");
        (tmp, path)
    }

    #[test]
    fn only_a_program_that_ends_well_has_a_version_and_for_others_it_is_told_why() {
        let why = |text: &str| {
            let (_tmp, path) = script(text);
            version(&path).expect_err("no version")
        };
        assert_eq!(why("exit 3"), "it ended with code 3");
        assert_eq!(why("kill -9 $$"), "signal 9 ended it");
        let missing = version(Path::new("/no/such/program")).expect_err("no version");
        assert!(missing.starts_with("it cannot be started: "), "{missing}");
    }

    #[test]
    fn a_long_answer_is_read_away_and_its_beginning_kept() {
        let (_tmp, path) = script("echo 2.1.330; head -c 200000 /dev/zero | tr '\\0' x");
        let answer = version(&path).expect("an answer");
        assert_eq!(numbers(&answer), Some((2, 1, 330)));
        assert_eq!(answer.len(), ANSWER);
    }
}
