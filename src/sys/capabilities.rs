//! What the terminal says of itself: a few questions, and a bounded wait for the answers.
//!
//! Every terminal answers DA1, so that comes last, as a fence: when its answer is there, what was not
//! answered before it never will be. In tmux, tmux answers.

use std::fs::File;
use std::io::{self, Read, Write};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, getpgrp, getpid, kill_process};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr};

use super::clock::Clock;
use super::tty;

/// For the fence: a terminal at the other end of a slow line takes that long.
const WAIT: Duration = Duration::from_millis(1500);
/// DECRQM for synchronized updates and bracketed paste, the kitty keyboard's flags.
const MODES: &[u8] = b"\x1b[?2026$p\x1b[?2004$p\x1b[?u";
/// The cursor's position, and DA1 as the fence.
const FENCE: &[u8] = b"\x1b[6n\x1b[c";
/// No answers are longer; what is more is somebody typing.
const MOST: usize = 4096;

/// What DECRPM says of a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No answer, or not known to it.
    Unknown,
    /// Known, and on or off.
    Known,
    /// Known, and on or off for ever.
    Fixed,
}

/// The answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// DECRQM 2026.
    pub synchronized: Mode,
    /// DECRQM 2004.
    pub paste: Mode,
    /// `CSI ? u`: the kitty keyboard protocol.
    pub keyboard: bool,
    /// Did it tell where its cursor is?
    pub cursor: bool,
    /// DA1.
    pub attributes: bool,
}

/// Why it was not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unasked {
    /// stdin or stdout is something else.
    NoTerminal,
    /// `TERM` says that it would not understand.
    Dumb,
    /// Another job has it.
    Background,
    /// Something is there to be read that is not an answer: it is the shell's.
    TypedAhead,
    /// Ctrl+C came, and SIGINT is ignored here (so a shell without job control starts what it puts into the
    /// background): nobody wants more of it all the same.
    Interrupted,
    /// In the system's words.
    Failed(String),
}

/// Asks the terminal. Its attributes are as before when this returns, and no answer is left for the shell.
/// What is typed meanwhile is lost, and Ctrl+C ends this program, as it would have without raw mode.
///
/// # Errors
///
/// Why it was not asked.
pub fn ask() -> Result<Answers, Unasked> {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    if !isatty(&stdin) || !isatty(&stdout) || !tty::same_terminal(&stdin, &stdout) {
        return Err(Unasked::NoTerminal);
    }
    let term = super::env("TERM").unwrap_or_default();
    if term.is_empty() || term == "dumb" {
        return Err(Unasked::Dumb);
    }
    // Setting its attributes would stop us.
    if tcgetpgrp(&stdin).is_ok_and(|group| group != getpgrp()) {
        return Err(Unasked::Background);
    }
    // The console of Linux prints what it does not know of these.
    let modes = if term == "linux" { &[][..] } else { MODES };
    let told = exchange(&[modes, FENCE].concat());
    if matches!(&told, Err(error) if error.kind() == io::ErrorKind::Interrupted) {
        // All is as it was by now.
        let _ = kill_process(getpid(), Signal::INT);
        return Err(Unasked::Interrupted);
    }
    told.unwrap_or_else(|error| Err(Unasked::Failed(error.to_string())))
}

fn exchange(questions: &[u8]) -> io::Result<Result<Answers, Unasked>> {
    // What would end or stop us waits until the terminal is as it was.
    let _held = Held::new();
    let mut raw = Raw::enter(File::from(tty::open()?))?;
    // In raw mode also what has no Enter behind it yet is to be seen.
    if is_readable(&raw.terminal)? {
        raw.keep = true;
        return Ok(Err(Unasked::TypedAhead));
    }
    raw.terminal.write_all(questions)?;
    let until = Clock::instant() + WAIT;
    let mut heard = Vec::new();
    loop {
        let left = until.saturating_duration_since(Clock::instant());
        if left.is_zero() || heard.len() > MOST {
            break;
        }
        let mut polled = [PollFd::new(&raw.terminal, PollFlags::IN)];
        match poll(&mut polled, Some(&left.try_into().unwrap_or_default())) {
            Ok(0) => break,
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let mut buffer = [0; 512];
        match raw.terminal.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => heard.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if read_answers(&heard).attributes {
            raw.keep = true;
            break;
        }
        // Ctrl+C: raw mode makes a byte of it.
        if heard.contains(&3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    Ok(Ok(read_answers(&heard)))
}

fn is_readable(terminal: &File) -> io::Result<bool> {
    let mut polled = [PollFd::new(terminal, PollFlags::IN)];
    loop {
        match poll(&mut polled, Some(&Timespec::default())) {
            Err(rustix::io::Errno::INTR) => {}
            polled => return Ok(polled? > 0),
        }
    }
}

/// The terminal in raw mode, and as it was when dropped.
struct Raw {
    terminal: File,
    before: Termios,
    /// What is there to be read is the shell's: nothing was asked, or the fence was reached.
    keep: bool,
}

impl Raw {
    fn enter(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        raw.control_modes = before.control_modes;
        tcsetattr(&terminal, OptionalActions::Now, &raw)?;
        Ok(Self {
            terminal,
            before,
            keep: false,
        })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let how = if self.keep {
            OptionalActions::Now
        } else {
            // A late answer would be typed into the shell.
            OptionalActions::Flush
        };
        let _ = tcsetattr(&self.terminal, how, &self.before);
    }
}

/// The signals that end or stop a program, held back while this lives.
struct Held {
    before: libc::sigset_t,
}

impl Held {
    fn new() -> Self {
        let (mut set, mut before) = (no_signals(), no_signals());
        for signal in [
            libc::SIGINT,
            libc::SIGTERM,
            libc::SIGHUP,
            libc::SIGQUIT,
            libc::SIGTSTP,
            // Of a shell that takes the terminal back meanwhile.
            libc::SIGTTOU,
        ] {
            // SAFETY: the set is initialised, and the signal is one.
            #[expect(unsafe_code, reason = "rustix has no signal masks")]
            unsafe {
                libc::sigaddset(&raw mut set, signal);
            }
        }
        // SAFETY: both sets are initialised and live throughout.
        #[expect(unsafe_code, reason = "rustix has no signal masks")]
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut before);
        }
        Self { before }
    }
}

fn no_signals() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: there is room for a set.
    #[expect(unsafe_code, reason = "rustix has no signal masks")]
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
    }
    // SAFETY: the call above has initialised it; with a valid pointer it cannot fail.
    #[expect(unsafe_code, reason = "rustix has no signal masks")]
    unsafe {
        set.assume_init()
    }
}

impl Drop for Held {
    #[expect(unsafe_code, reason = "rustix has no signal masks")]
    fn drop(&mut self) {
        // SAFETY: the set was filled in by pthread_sigmask.
        unsafe {
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &raw const self.before,
                std::ptr::null_mut(),
            );
        }
    }
}

/// Finds the answers in what was read; keys that were typed meanwhile may stand between them.
fn read_answers(bytes: &[u8]) -> Answers {
    let mut answers = Answers {
        synchronized: Mode::Unknown,
        paste: Mode::Unknown,
        keyboard: false,
        cursor: false,
        attributes: false,
    };
    let mut rest = bytes;
    while let Some(at) = rest.windows(2).position(|two| two == b"\x1b[") {
        rest = &rest[at + 2..];
        let Some(end) = rest.iter().position(|byte| (0x40..=0x7e).contains(byte)) else {
            break;
        };
        let (parameters, last) = (&rest[..end], rest[end]);
        rest = &rest[end + 1..];
        match (parameters, last) {
            ([b'?', mode @ .., b'$'], b'y') => {
                let [mode @ .., b';', state] = mode else {
                    continue;
                };
                let state = match state {
                    b'1' | b'2' => Mode::Known,
                    b'3' | b'4' => Mode::Fixed,
                    _ => Mode::Unknown,
                };
                match mode {
                    b"2026" => answers.synchronized = state,
                    b"2004" => answers.paste = state,
                    _ => {}
                }
            }
            ([b'?', ..], b'u') => answers.keyboard = true,
            ([b'?', ..], b'c') => answers.attributes = true,
            ([b'0'..=b'9', ..], b'R') => answers.cursor = true,
            _ => {}
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_found_among_keys() {
        let answers = read_answers(
            b"ls\x1b[A\x1b[?2026;2$y\x1b[?2004;1$y\x1b[?0u\x1bOP\x1b[12;40R\x1b[?62;4c\x1b[200~",
        );
        let all = Answers {
            synchronized: Mode::Known,
            paste: Mode::Known,
            keyboard: true,
            cursor: true,
            attributes: true,
        };
        assert_eq!(answers, all);
    }

    #[test]
    fn what_is_not_known_or_cut_off_is_no_answer() {
        let none = read_answers(b"");
        assert!(!none.attributes && none.synchronized == Mode::Unknown);
        let some = read_answers(b"\x1b[?2026;0$y\x1b[?2004;4$y\x1b[1;1R\x1b[?62");
        assert_eq!(
            (some.synchronized, some.paste),
            (Mode::Unknown, Mode::Fixed)
        );
        assert!(some.cursor && !some.attributes && !some.keyboard);
        for odd in [
            &b"\x1b[?$y"[..],
            b"\x1b[?;$y",
            b"\x1b[",
            b"\x1b[u",
            b"\x1b[c",
        ] {
            assert_eq!(read_answers(odd), none, "{odd:?}");
        }
    }
}
