//! The stand-in's hands: terminal, clock and files for the [`Stage`].
#![expect(
    clippy::disallowed_methods,
    reason = "the stand-in has a clock of its own"
)]

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustix::io::{Errno, dup, read};
use rustix::termios::{
    OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

use super::draw::{ENTER, LEAVE, Painter, last_words};
use super::record::Record;
use super::stage::Stage;
use crate::term::Size;

/// A read waits for so many tenths of a second at most: a frame of the story.
const FRAME: u8 = 1;

/// Plays the story on the terminal of stdin and stdout, with its files below `folder`.
///
/// # Errors
///
/// When there is no terminal, or it or a file fails; the terminal is as before.
pub(super) fn play(folder: &Path) -> io::Result<()> {
    let start = Instant::now();
    let mut record = Record::begin(folder, &std::env::current_dir()?, unix_ms())?;
    let mut stage = Stage::new();
    let mut painter = Painter::default();
    let tty = Tty::take()?;
    let ending = loop {
        stage.tick(start.elapsed());
        // The file first: the screen is what makes the wrapper look at it.
        for said in stage.take_final() {
            record.append(said, unix_ms())?;
        }
        if let Some(ending) = stage.ending() {
            break ending;
        }
        write(&painter.paint(&stage, tty.size()?))?;
        let keys = tty.read()?;
        if !keys.is_empty() {
            stage.tick(start.elapsed());
            stage.input(&keys);
        }
    };
    let words = last_words(ending, tty.size()?.cols).join("\n") + "\n";
    drop(tty);
    write(words.as_bytes())
}

/// The wall clock, in milliseconds since the Unix epoch.
fn unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// The terminal in raw mode, with the alternate screen on; as before when dropped.
struct Tty {
    stdin: OwnedFd,
    before: Termios,
}

impl Tty {
    fn take() -> io::Result<Self> {
        let stdin = dup(io::stdin())?;
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        raw.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw.special_codes[SpecialCodeIndex::VTIME] = FRAME;
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        let tty = Self { stdin, before };
        write(ENTER)?;
        Ok(tty)
    }

    /// The size; where it is not known, the usual one.
    fn size(&self) -> io::Result<Size> {
        let size = tcgetwinsize(&self.stdin)?;
        let or = |cells, usual| if cells == 0 { usual } else { cells };
        Ok(Size {
            rows: or(size.ws_row, 24),
            cols: or(size.ws_col, 80),
            xpixel: size.ws_xpixel,
            ypixel: size.ws_ypixel,
        })
    }

    /// What was typed within a frame, perhaps nothing.
    fn read(&self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; 4096];
        let n = match read(&self.stdin, &mut buffer) {
            Err(Errno::INTR) => 0,
            other => other?,
        };
        buffer.truncate(n);
        Ok(buffer)
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        let _ = write(LEAVE);
        let _ = tcsetattr(&self.stdin, OptionalActions::Now, &self.before);
    }
}
