//! The table of watched panes on the user's terminal: the alternate screen, raw mode, keys, sizes.
//!
//! The terminal is as before at [`View::end`], and when the view is dropped; a panic leaves raw mode by the panic hook.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use ratatui::layout::Rect;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::tmux::{View, Wish};
use super::tty::{self, Tty};
use crate::tmux::keys::{Key, Keys};
use crate::tmux::table::{Look, Table, row_bytes};
use crate::tmux::watched::{Happened, Watched};

/// The alternate screen, without a cursor; lines that are too long are cut, not wrapped: the window may be narrower
/// than we know yet.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE: &[u8] = b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
/// How long a terminal that takes nothing may keep the way out from its end. What it does not take is lost.
const STALLED: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// The table.
#[derive(Debug)]
pub struct TableView {
    look: Look,
    table: Table,
    keys: Keys,
    wishes: VecDeque<Wish>,
    /// Before the first picture; it can be set up within the runtime alone.
    closed: Option<OwnedFd>,
    screen: Option<Screen>,
}

#[derive(Debug)]
struct Screen {
    tty: Tty,
    winch: Signal,
    cont: Signal,
    /// What stands on each row.
    drawn: Vec<Vec<u8>>,
    size: Rect,
    /// What the terminal did not take yet.
    pending: Vec<u8>,
    /// Other rows are to be drawn when it has.
    stale: bool,
}

impl TableView {
    /// On the terminal of stdin, which is opened but not touched.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn new(look: Look) -> io::Result<Self> {
        Ok(Self {
            look,
            table: Table::default(),
            keys: Keys::default(),
            wishes: VecDeque::new(),
            closed: Some(tty::open()?),
            screen: None,
        })
    }

    fn draw(&mut self) {
        if let Some(fd) = self.closed.take() {
            match Screen::open(fd) {
                Ok(screen) => self.screen = Some(screen),
                // Nobody could see it, and no key would come: as if the terminal were gone.
                Err(_) => self.wishes.push_back(Wish::Quit),
            }
        }
        let Some(screen) = &mut self.screen else {
            return;
        };
        if screen.draw(&self.table, self.look).is_err() {
            self.wishes.push_back(Wish::Quit);
        }
    }

    fn press(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let Some(key) = self.keys.feed(*byte) else {
                continue;
            };
            let pane = self.table.selected();
            let wish = match key {
                Key::Quit => Some(Wish::Quit),
                Key::Interrupt => Some(Wish::Interrupt),
                Key::Now => pane.map(Wish::Now),
                Key::Cancel => pane.map(Wish::Cancel),
                Key::Redraw => {
                    if let Some(screen) = &mut self.screen {
                        screen.drawn.clear();
                    }
                    Some(Wish::Redraw)
                }
                Key::Up | Key::Down => {
                    self.table.select(key == Key::Down);
                    Some(Wish::Redraw)
                }
            };
            self.wishes.extend(wish);
        }
    }
}

impl View for TableView {
    fn show(&mut self, panes: &[Watched]) {
        self.table.set(panes);
        self.draw();
    }

    fn happened(&mut self, _pane: &Watched, _what: &Happened) {}

    async fn next(&mut self) -> Wish {
        loop {
            if let Some(wish) = self.wishes.pop_front() {
                return wish;
            }
            let Some(screen) = &mut self.screen else {
                return std::future::pending().await;
            };
            let mut keys = [0; 256];
            match screen.next(&mut keys).await {
                Ok(Told::Keys(n)) => self.press(&keys[..n]),
                // Continued, somebody else may have changed the terminal meanwhile.
                Ok(Told::Anew) => {
                    screen.drawn.clear();
                    return Wish::Redraw;
                }
                Ok(Told::Writable) => {
                    if screen.flush().is_err() {
                        return Wish::Quit;
                    }
                    if screen.stale {
                        self.draw();
                    }
                }
                // The terminal is gone.
                Err(_) => return Wish::Quit,
            }
        }
    }

    fn end(&mut self) {
        self.closed = None;
        self.screen = None;
    }
}

enum Told {
    /// So many bytes.
    Keys(usize),
    /// Another size, or continued after a stop.
    Anew,
    /// The terminal takes bytes again.
    Writable,
}

impl Screen {
    fn open(fd: OwnedFd) -> io::Result<Self> {
        let winch = signal(SignalKind::window_change())?;
        let cont = signal(SignalKind::from_raw(libc::SIGCONT))?;
        let tty = Tty::new(fd)?;
        tty.enter_raw()?;
        let mut screen = Self {
            tty,
            winch,
            cont,
            drawn: Vec::new(),
            size: Rect::default(),
            pending: ENTER.to_vec(),
            stale: false,
        };
        screen.flush()?;
        Ok(screen)
    }

    async fn next(&mut self, keys: &mut [u8]) -> io::Result<Told> {
        let pending = !self.pending.is_empty();
        loop {
            tokio::select! {
                _ = self.winch.recv() => return Ok(Told::Anew),
                _ = self.cont.recv() => {
                    self.tty.enter_raw()?;
                    self.pending.extend_from_slice(ENTER);
                    return Ok(Told::Anew);
                }
                writable = self.tty.writable(), if pending => {
                    writable?;
                    return Ok(Told::Writable);
                }
                readable = self.tty.readable() => {
                    readable?;
                    match self.tty.read(keys) {
                        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                        Ok(n) => return Ok(Told::Keys(n)),
                        Err(error) if again(&error) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }

    /// Draws the rows that are others now; later where the terminal has not even taken the last ones.
    fn draw(&mut self, table: &Table, look: Look) -> io::Result<()> {
        self.flush()?;
        self.stale = !self.pending.is_empty() && !self.drawn.is_empty();
        if self.stale {
            return Ok(());
        }
        let size = tty::session_size(self.tty.winsize()?);
        let size = Rect::new(0, 0, size.cols, size.rows);
        if size != self.size || self.drawn.is_empty() {
            self.size = size;
            self.drawn = vec![Vec::new(); usize::from(size.height)];
            self.pending.extend_from_slice(b"\x1b[0m\x1b[2J");
        }
        let buffer = table.render(size, look);
        let mut at = String::new();
        for (row, drawn) in (0..size.height).zip(&mut self.drawn) {
            let bytes = row_bytes(&buffer, row);
            if bytes != *drawn {
                at.clear();
                let _ = write!(at, "\x1b[{};1H", row + 1);
                self.pending.extend_from_slice(at.as_bytes());
                self.pending.extend_from_slice(&bytes);
                *drawn = bytes;
            }
        }
        self.flush()
    }

    /// Writes what the terminal takes.
    fn flush(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            match self.tty.write(&self.pending) {
                Ok(n) => drop(self.pending.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn again(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.pending.extend_from_slice(LEAVE);
        while self.flush().is_ok() && !self.pending.is_empty() {
            let terminal = self.tty.as_fd();
            let mut fds = [PollFd::new(&terminal, PollFlags::OUT)];
            if !matches!(poll(&mut fds, Some(&STALLED)), Ok(1..)) {
                break;
            }
        }
        // The terminal itself follows: dropped, it leaves raw mode.
    }
}
