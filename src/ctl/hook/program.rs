//! Asks a program for its version, for so long and no longer.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::OFlags;

/// A program that has not answered by then will not: the CLI's own takes a tenth of it on a slow machine.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// More of the answer is not read.
const ANSWER: usize = 1024;

/// What `PROGRAM --version` prints, if it ends in time and well.
pub(crate) fn version(program: &Path) -> Option<String> {
    answer(program, "--version")
}

/// What `PROGRAM ARGUMENT` prints, if it ends in time and well.
pub(crate) fn answer(program: &Path, argument: &str) -> Option<String> {
    let mut child = Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let looks = TIMEOUT.as_millis() / LOOK.as_millis();
    let status = (0..looks).find_map(|_| match child.try_wait() {
        Ok(None) => {
            std::thread::sleep(LOOK);
            None
        }
        other => other.ok().flatten(),
    });
    if status.is_none() {
        // It may have ended right now, and then there is nobody to kill.
        let _ = child.kill();
        let _ = child.wait();
    }
    if !status?.success() {
        return None;
    }
    let mut stdout = child.stdout.take()?;
    // A child of its own may hold the pipe.
    rustix::fs::fcntl_setfl(&stdout, OFlags::NONBLOCK).ok()?;
    let mut answer = vec![0; ANSWER];
    let len = stdout.read(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer[..len]).into_owned())
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

    #[test]
    fn only_a_program_that_ends_well_has_a_version() {
        assert_eq!(version(Path::new("/bin/false")), None);
        assert_eq!(version(Path::new("/no/such/program")), None);
    }
}
