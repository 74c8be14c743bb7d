//! The outer terminal: a real pty with `alacritty_terminal` behind it, which answers queries as a
//! terminal does, in order.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use alacritty_terminal::event::{Event, EventListener, WindowSize};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::term::{Config, Term, TermMode};
use alacritty_terminal::vte;
use alacritty_terminal::vte::ansi::{Processor, Rgb};
use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::bell::{Bell, lock};
use super::screen::Screen;

/// The size of a cell in pixels.
const CELL: (u16, u16) = (9, 18);

/// What a terminal answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// DA1, DA2 and the cursor's position: what every terminal does.
    Plain,
    /// Mode queries (2026 among them), kitty keyboard flags, XTVERSION, colours and sizes as well.
    Full,
}

/// What runs in the terminal.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    /// Its path.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// Its whole environment.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub(crate) directory: PathBuf,
}

/// How the program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// By itself, with this code.
    Code(u32),
    /// By a signal, named by the system.
    Signal(String),
}

/// A key that is not text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key {
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Ctrl with this lower-case letter.
    Ctrl(u8),
}

/// What passed between the program and its terminal, and when.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    /// When.
    pub(crate) at: Instant,
    /// Typed, not drawn. What the terminal answers by itself is neither.
    pub(crate) typed: bool,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Rows and columns of the emulator.
#[derive(Clone, Copy)]
struct Grid {
    rows: u16,
    columns: u16,
}

impl Dimensions for Grid {
    fn total_lines(&self) -> usize {
        self.rows.into()
    }

    fn screen_lines(&self) -> usize {
        self.rows.into()
    }

    fn columns(&self) -> usize {
        self.columns.into()
    }
}

/// Collects what the emulator wants to say.
#[derive(Clone)]
struct Listener {
    kind: Kind,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    replies: Vec<u8>,
    title: String,
    size: Option<WindowSize>,
}

impl EventListener for Listener {
    fn send_event(&self, event: Event) {
        let mut heard = lock(&self.heard);
        let full = self.kind == Kind::Full;
        match event {
            Event::Title(title) => heard.title = title,
            Event::ResetTitle => heard.title.clear(),
            Event::PtyWrite(reply) if full || every_terminal_says(&reply) => {
                heard.replies.extend(reply.as_bytes());
            }
            Event::TextAreaSizeRequest(format) if full => {
                if let Some(size) = heard.size {
                    heard.replies.extend(format(size).as_bytes());
                }
            }
            Event::ColorRequest(index, format) if full => {
                // Light on dark: 256 is the foreground, 257 the background.
                let level = if index == 257 { 0x10 } else { 0xe0 };
                let color = Rgb {
                    r: level,
                    g: level,
                    b: level,
                };
                heard.replies.extend(format(color).as_bytes());
            }
            _ => {}
        }
    }
}

/// DA1, DA2, DSR: not the report of a mode (`$y`), of keyboard flags (`u`) or of a size (`t`).
fn every_terminal_says(reply: &str) -> bool {
    reply.ends_with(['c', 'n', 'R'])
}

/// Finds XTVERSION, which the emulator does not know.
#[derive(Default)]
struct VersionQuery {
    asked: bool,
}

impl vte::Perform for VersionQuery {
    fn csi_dispatch(
        &mut self,
        _params: &vte::Params,
        intermediates: &[u8],
        _ignore: bool,
        action: char,
    ) {
        self.asked |= intermediates == b">" && action == 'q';
    }
}

struct Emulator {
    term: Term<Listener>,
    processor: Processor,
    parser: vte::Parser,
    heard: Arc<Mutex<Heard>>,
    kind: Kind,
    /// Everything the program wrote.
    history: Vec<u8>,
    /// The same and what was typed, with times.
    passed: Vec<Passed>,
    exit: Option<Exit>,
    closed: bool,
}

impl Emulator {
    fn new(kind: Kind, grid: Grid) -> Self {
        let heard = Arc::default();
        let listener = Listener {
            kind,
            heard: Arc::clone(&heard),
        };
        let config = Config {
            kitty_keyboard: kind == Kind::Full,
            ..Config::default()
        };
        let mut emulator = Self {
            term: Term::new(config, &grid, listener),
            processor: Processor::new(),
            parser: vte::Parser::new(),
            heard,
            kind,
            history: Vec::new(),
            passed: Vec::new(),
            exit: None,
            closed: false,
        };
        emulator.resize(grid);
        emulator
    }

    /// Takes output, gives the answers to what it asked.
    fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.history.extend_from_slice(bytes);
        self.note(false, bytes);
        // Byte by byte, so that the answer to XTVERSION stands in order among the others.
        for byte in bytes {
            self.processor.advance(&mut self.term, &[*byte]);
            let mut version = VersionQuery::default();
            self.parser.advance(&mut version, &[*byte]);
            if version.asked && self.kind == Kind::Full {
                let answer = b"\x1bP>|outer-terminal 1.0\x1b\\";
                lock(&self.heard).replies.extend(answer);
            }
        }
        std::mem::take(&mut lock(&self.heard).replies)
    }

    fn note(&mut self, typed: bool, bytes: &[u8]) {
        self.passed.push(Passed {
            at: Instant::now(),
            typed,
            bytes: bytes.to_vec(),
        });
    }

    /// Shows an update (mode 2026) that was left open for too long, as terminals do.
    fn end_overdue_update(&mut self) {
        let due = self.processor.sync_timeout().sync_timeout();
        if due.is_some_and(|due| due <= Instant::now()) {
            self.processor.stop_sync(&mut self.term);
        }
    }

    fn resize(&mut self, grid: Grid) {
        self.term.resize(grid);
        lock(&self.heard).size = Some(WindowSize {
            num_lines: grid.rows,
            num_cols: grid.columns,
            cell_width: CELL.0,
            cell_height: CELL.1,
        });
    }
}

/// A program in its terminal. Killed, where it still runs, when dropped.
pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    emulator: Arc<Mutex<Emulator>>,
    pid: u32,
    /// The line settings before the program started.
    settings: String,
}

impl Terminal {
    /// Starts the command in a terminal of `rows` by `columns`; output and exit ring the bell.
    pub(crate) fn start(
        command: &Command,
        kind: Kind,
        (rows, columns): (u16, u16),
        bell: &Bell,
    ) -> io::Result<Self> {
        let grid = Grid { rows, columns };
        let pair = native_pty_system()
            .openpty(pty_size(grid))
            .map_err(io::Error::other)?;
        let settings = line_settings(&*pair.master);
        let mut builder = CommandBuilder::new(&command.program);
        builder.args(&command.args);
        builder.env_clear();
        for (name, value) in &command.env {
            builder.env(name, value);
        }
        builder.cwd(&command.directory);
        let mut child = pair
            .slave
            .spawn_command(builder)
            .map_err(io::Error::other)?;
        drop(pair.slave);
        let pid = child.process_id().unwrap_or_default();
        let reader = pair.master.try_clone_reader().map_err(io::Error::other)?;
        let writer = pair.master.take_writer().map_err(io::Error::other)?;
        let writer = Arc::new(Mutex::new(writer));
        let emulator = Arc::new(Mutex::new(Emulator::new(kind, grid)));

        std::thread::spawn({
            let (emulator, writer) = (Arc::clone(&emulator), Arc::clone(&writer));
            let bell = bell.clone();
            move || read(reader, &emulator, &writer, &bell)
        });
        std::thread::spawn({
            let (emulator, bell) = (Arc::clone(&emulator), bell.clone());
            move || {
                let exit = match child.wait() {
                    Ok(status) => match status.signal() {
                        Some(signal) => Exit::Signal(signal.to_owned()),
                        None => Exit::Code(status.exit_code()),
                    },
                    Err(error) => Exit::Signal(error.to_string()),
                };
                lock(&emulator).exit = Some(exit);
                bell.ring();
            }
        });
        Ok(Self {
            master: pair.master,
            writer,
            emulator,
            pid,
            settings,
        })
    }

    /// The program's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The screen as it is.
    pub(crate) fn screen(&self) -> Screen {
        let mut emulator = lock(&self.emulator);
        emulator.end_overdue_update();
        let title = lock(&emulator.heard).title.clone();
        Screen::of(&emulator.term, &title)
    }

    /// Everything the program wrote.
    pub(crate) fn history(&self) -> Vec<u8> {
        lock(&self.emulator).history.clone()
    }

    /// What passed between the program and this terminal.
    pub(crate) fn passed(&self) -> Vec<Passed> {
        lock(&self.emulator).passed.clone()
    }

    /// How many bytes the program has written.
    pub(crate) fn written(&self) -> usize {
        lock(&self.emulator).history.len()
    }

    /// How the program ended, once it has and its output is read.
    pub(crate) fn exit(&self) -> Option<Exit> {
        let emulator = lock(&self.emulator);
        emulator.exit.clone().filter(|_| emulator.closed)
    }

    /// Are the line settings those from before the program started?
    pub(crate) fn settings_restored(&self) -> bool {
        line_settings(&*self.master) == self.settings
    }

    /// The modes that a program must leave as it found them: mouse, paste, focus, keyboard, alternate
    /// screen, a hidden cursor.
    pub(crate) fn modes_left_on(&self) -> TermMode {
        let quiet = TermMode::default();
        let mode = *lock(&self.emulator).term.mode();
        mode.symmetric_difference(quiet)
    }

    /// Changes the window's size.
    pub(crate) fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        let grid = Grid { rows, columns };
        lock(&self.emulator).resize(grid);
        self.master.resize(pty_size(grid)).map_err(io::Error::other)
    }

    /// Types text, as it is.
    pub(crate) fn type_text(&self, text: &str) -> io::Result<()> {
        self.send(text.as_bytes())
    }

    /// Presses a key, in the encoding that the program asked for.
    pub(crate) fn press(&self, key: Key) -> io::Result<()> {
        let mode = *lock(&self.emulator).term.mode();
        let kitty = mode.contains(TermMode::DISAMBIGUATE_ESC_CODES);
        let bytes = match key {
            Key::Enter => "\r".into(),
            Key::Escape if kitty => "\x1b[27u".into(),
            Key::Escape => "\x1b".into(),
            Key::Ctrl(letter) if kitty => format!("\x1b[{letter};5u"),
            Key::Ctrl(letter) => char::from(letter & 0x1f).to_string(),
        };
        self.send(bytes.as_bytes())
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        lock(&self.emulator).note(true, bytes);
        let mut writer = lock(&self.writer);
        writer.write_all(bytes)?;
        writer.flush()
    }

    /// Kills the program.
    pub(crate) fn kill(&self) {
        kill(self.pid);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if lock(&self.emulator).exit.is_none() {
            self.kill();
        }
    }
}

/// Kills one process; that it is gone already is as good.
pub(crate) fn kill(pid: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn pty_size(grid: Grid) -> PtySize {
    PtySize {
        rows: grid.rows,
        cols: grid.columns,
        pixel_width: grid.columns * CELL.0,
        pixel_height: grid.rows * CELL.1,
    }
}

/// Every line setting, comparable.
fn line_settings(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios())
}

/// Feeds the emulator until the pty is closed.
fn read(
    mut reader: Box<dyn Read + Send>,
    emulator: &Mutex<Emulator>,
    writer: &Mutex<Box<dyn Write + Send>>,
    bell: &Bell,
) {
    let mut buffer = [0; 16 * 1024];
    // EIO is the end of a pty.
    // Linux may tell the end before the last bytes.
    while let Ok(read @ 1..) = reader
        .read(&mut buffer)
        .or_else(|_| reader.read(&mut buffer))
    {
        let answers = lock(emulator).feed(&buffer[..read]);
        if !answers.is_empty() {
            let mut writer = lock(writer);
            // A program that has just ended needs no answer.
            let _ = writer.write_all(&answers).and_then(|()| writer.flush());
        }
        bell.ring();
    }
    lock(emulator).closed = true;
    bell.ring();
}
