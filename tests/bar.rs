//! The bar over a CLI in a real terminal: it counts down where it is safe, and after it is gone screen and
//! scrollback are those of the CLI without a wrapper.

#[path = "support/emulator.rs"]
mod emulator;
#[path = "support/talker.rs"]
mod talker;
#[path = "support/window.rs"]
mod window;

use std::path::Path;
use std::sync::Mutex;

use alacritty_terminal::vte::ansi::Color;
use portable_pty::CommandBuilder;
use talker::{MESSAGE, Prompter};
use window::Window;

/// The bar's background, when it has colours.
const GROUND: Color = Color::Indexed(236);

/// How the bar goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Ctrl+C cancels the wait, then a turn begins.
    Cancelled,
    /// Enter resumes at once.
    EnterNow,
    /// The countdown ends.
    CountedDown,
    /// A turn begins by itself.
    Busy,
    /// The CLI ends.
    Exit,
}

/// A session in two windows, one without the wrapper.
#[derive(Clone, Copy, Debug)]
struct Case {
    term: &'static str,
    inline: bool,
    rows: u16,
    cols: u16,
    end: End,
}

/// The program that the tests run: see [`talker`].
#[test]
fn a_cli_that_is_told_what_to_draw() {
    talker::program();
}

fn command(case: Case, folder: &Path, wrapped: bool) -> CommandBuilder {
    let talker = std::env::current_exe().expect("this program");
    let program = if wrapped {
        Path::new(env!("CARGO_BIN_EXE_claude-retry"))
    } else {
        &talker
    };
    let mut command = CommandBuilder::new(program);
    command.args(["a_cli_that_is_told_what_to_draw", "--exact", "--nocapture"]);
    command.cwd(folder);
    command.env_clear();
    // A countdown is over when the test says so, but for those that it waits for.
    let wait = if case.end == End::CountedDown {
        "3s"
    } else {
        "10m"
    };
    let settings = [
        ("PATH", std::env::var("PATH").unwrap_or_default()),
        ("TERM", case.term.into()),
        ("LC_ALL", "C.UTF-8".into()),
        ("XDG_CONFIG_HOME", folder.display().to_string()),
        ("XDG_RUNTIME_DIR", folder.display().to_string()),
        ("CLAUDE_CONFIG_DIR", folder.display().to_string()),
        ("CLAUDE_RETRY_PROGRAM", talker.display().to_string()),
        ("CLAUDE_RETRY_LOG", "off".into()),
        ("CLAUDE_RETRY_HOOK", "off".into()),
        ("CLAUDE_RETRY_RETRY_AFTER", "off".into()),
        ("CLAUDE_RETRY_JITTER", "none".into()),
        ("CLAUDE_RETRY_BASE", wait.into()),
        ("CLAUDE_RETRY_CAP", wait.into()),
    ];
    let more = talker::environment(&folder.join("socket"), case.inline);
    for (name, value) in settings.into_iter().chain(more) {
        command.env(name, value);
    }
    command
}

struct Side {
    window: Window,
    prompter: Prompter,
    _folder: tempfile::TempDir,
}

impl Side {
    fn start(case: Case, size: (u16, u16), wrapped: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let prompter = Prompter::listen(&folder.path().join("socket"));
        // A shell's text, down to the last row, and some of it in the scrollback.
        let before: Vec<_> = (0..size.0 + 5).map(|n| format!("old {n}\r\n")).collect();
        let before = before.concat();
        let window = Window::open(command(case, folder.path(), wrapped), size, &before);
        Self {
            window,
            prompter,
            _folder: folder,
        }
    }

    /// Has a frame drawn, and shows it.
    fn told(&mut self, command: &str) -> Result<(), String> {
        self.prompter.tell(command);
        self.heard(command)
    }

    /// The program has drawn a frame: shows it.
    fn heard(&mut self, what: &str) -> Result<(), String> {
        let answer = self.prompter.answer();
        let n = answer.strip_prefix("done ").ok_or("it has ended")?;
        let end = format!("talk {n}\x07");
        self.window.until(what, |window| {
            let tail = window.bytes.windows(end.len());
            let seen = tail.rev().any(|bytes| bytes == end.as_bytes());
            seen.then_some(()).ok_or_else(|| format!("no {end:?}"))
        })
    }
}

struct Play {
    case: Case,
    bare: Side,
    with: Side,
}

impl Play {
    fn dumb(&self) -> bool {
        self.case.term == "dumb"
    }

    fn both(&mut self, command: &str) -> Result<(), String> {
        self.bare.told(command)?;
        self.with.told(command)
    }

    /// A bar is on the last row, or on the first; all else is as without it.
    fn bar_shows(&mut self, when: &str) -> Result<i32, String> {
        let bare = &self.bare.window.emulator;
        self.with.window.until(when, |window| {
            let (emulator, (rows, cols)) = (&window.emulator, window.size);
            let last = i32::from(rows) - 1;
            let is_bar =
                |row: &i32| (0..usize::from(cols)).all(|col| emulator.cell(*row, col).bg == GROUND);
            let row = [last, 0].into_iter().find(is_bar).ok_or("no bar")?;
            match emulator.difference_but_for(Some(row), bare) {
                Some(difference) => Err(difference),
                None => Ok(row),
            }
        })
    }

    /// The bar's news are in the title, and no row is ours.
    fn title_shows(&mut self, when: &str) -> Result<(), String> {
        self.with.window.until(when, |window| {
            let title = window.emulator.title();
            title.contains("retry 1/").then_some(()).ok_or(title)
        })
    }

    fn is_gone(&mut self, when: &str) -> Result<(), String> {
        let bare = &self.bare.window.emulator;
        self.with
            .window
            .until(when, |window| match window.emulator.difference(bare) {
                Some(difference) => Err(difference),
                None => Ok(()),
            })
    }

    /// Both windows get another size, and the CLI draws anew.
    fn resize(&mut self, rows: u16, cols: u16) -> Result<(), String> {
        let command = format!("size {rows} {cols}");
        for side in [&mut self.bare, &mut self.with] {
            side.window.resize((rows, cols));
            side.told(&command)?;
        }
        Ok(())
    }

    /// What is drawn while a bar stands: it comes back each time.
    fn draw_under_the_bar(&mut self) -> Result<(), String> {
        // A prompt that is higher than the window cannot be drawn anew in its place, inline.
        if self.bare.window.size.0 >= 24 {
            for command in ["notes", "no notes", "scroll", "region", "no region"] {
                self.both(command)?;
                self.bar_shows(command)?;
            }
            self.both("origin")?;
            self.title_shows("origin mode")?;
            self.both("no origin")?;
            self.bar_shows("no origin mode")?;
        }
        // With an update open there is none; it takes its child's end to bring it back.
        self.both("open")?;
        self.both("close")?;
        self.bar_shows("an update")?;
        Ok(())
    }

    fn run(mut self) -> Result<(), String> {
        let Case {
            rows, cols, end, ..
        } = self.case;
        let (start, dumb) = (self.with.window.size, self.dumb());
        self.both("begin")?;
        if self.case.term == "xterm-256color" {
            self.both("ask")?;
        }
        self.is_gone("before the error")?;
        self.both("fail")?;
        if !dumb {
            let row = self.bar_shows("after the error")?;
            let under = self.bare.window.emulator.row_text(row);
            if !(under.starts_with('漢') && under.ends_with('字')) {
                return Err(format!("no wide characters under its ends: {under:?}"));
            }
            self.draw_under_the_bar()?;
        }
        // The size of the case, and a larger one. Inline, a narrower one is another matter: the terminal wraps
        // the bar before anybody hears of it.
        let mut sizes = [(rows, cols), (rows + 7, cols + 9)];
        if !self.case.inline {
            sizes.reverse();
        }
        for (rows, cols) in sizes {
            self.resize(rows, cols)?;
            if !dumb {
                self.bar_shows(&format!("resized to {rows} x {cols}"))?;
                // Once more at the other size: in one kind of terminal, for the time that it takes.
                if self.case.term == TERMS[0] {
                    self.draw_under_the_bar()?;
                }
            }
        }
        match end {
            End::Cancelled => {
                self.with.window.press(b"\x03");
                self.with.window.until("Ctrl+C", |window| {
                    let row = window.emulator.row_text(i32::from(window.size.0) - 1);
                    let cancelled = row.contains("not resuming") || row.contains("cancelled");
                    cancelled.then_some(()).ok_or(row)
                })?;
                self.bar_shows("cancelled")?;
                self.both("busy")?;
            }
            End::EnterNow | End::CountedDown => {
                if dumb {
                    // Where it is seen whole, so that it can be typed into.
                    self.resize(start.0, start.1)?;
                } else if end == End::EnterNow {
                    self.with.window.press(b"\r");
                }
                self.bare.window.press(MESSAGE.as_bytes());
                self.bare.heard("the message")?;
                self.bare.window.press(b"\r");
                self.bare.heard("the message sent")?;
                self.with.heard("the message, by the wrapper")?;
                self.with.heard("the message sent, by the wrapper")?;
            }
            End::Busy => self.both("busy")?,
            End::Exit => {}
        }
        if end != End::Exit {
            self.is_gone("after the bar")?;
            // What comes next goes where it would have gone.
            self.both("notes")?;
            self.is_gone("afterwards")?;
        }
        for side in [&mut self.bare, &mut self.with] {
            side.prompter.tell("exit");
            side.window.finish()?;
        }
        self.is_gone("at the end")?;
        if dumb {
            same(&self.with.window.bytes, &self.bare.window.bytes)?;
        }
        Ok(())
    }
}

/// The same bytes, or where they differ.
fn same(with: &[u8], bare: &[u8]) -> Result<(), String> {
    if with == bare {
        return Ok(());
    }
    let at = with.iter().zip(bare).take_while(|(a, b)| a == b).count();
    let part = |bytes: &[u8]| {
        let (from, to) = (at.saturating_sub(40), (at + 80).min(bytes.len()));
        bytes[from..to].escape_ascii().to_string()
    };
    Err(format!("byte {at}: {}\nnot {}", part(with), part(bare)))
}

fn play(case: Case) -> Result<(), String> {
    // An error is read in a window that shows it whole, which may become smaller then.
    let size = (case.rows.max(24), case.cols);
    let play = Play {
        case,
        bare: Side::start(case, size, false),
        with: Side::start(case, size, true),
    };
    play.run().map_err(|error| format!("{case:?}: {error}"))
}

/// Plays some at a time.
fn play_all(cases: Vec<Case>) {
    let cases = Mutex::new(cases);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(case) = { cases.lock().expect("the cases").pop() } {
                    if let Err(error) = play(case) {
                        failures.lock().expect("the failures").push(error);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("the failures");
    assert!(
        failures.is_empty(),
        "{} failed\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}

const ROWS: [u16; 5] = [2, 5, 24, 50, 100];
const COLS: [u16; 5] = [20, 40, 80, 120, 300];

const TERMS: [&str; 3] = ["xterm-256color", "linux", "screen-256color"];

/// Every size on one screen in every terminal, the ends by turns.
fn matrix(inline: bool) -> Vec<Case> {
    let sizes = ROWS.map(|rows| COLS.map(|cols| (rows, cols)));
    let mut cases = Vec::new();
    for (rows, cols) in sizes.concat() {
        for term in TERMS {
            let n = cases.len();
            // Keys of the bar's are taken where the prompt is seen to be free.
            let end = match (rows, n % 4) {
                (2 | 5, n) => [End::Busy, End::Exit][n % 2],
                (_, 0) => End::Cancelled,
                (_, 1) => End::EnterNow,
                (_, 2) => End::Busy,
                _ => End::Exit,
            };
            cases.push(Case {
                term,
                inline,
                rows,
                cols,
                end,
            });
        }
    }
    cases
}

#[test]
fn on_the_alternate_screen_a_bar_leaves_no_trace_at_any_size() {
    play_all(matrix(false));
}

#[test]
fn inline_a_bar_leaves_no_trace_at_any_size() {
    play_all(matrix(true));
}

#[test]
fn a_countdown_that_ends_leaves_no_trace() {
    let case = |term, inline| Case {
        term,
        inline,
        rows: 24,
        cols: 80,
        end: End::CountedDown,
    };
    let cases = TERMS.map(|term| [case(term, false), case(term, true)]);
    play_all(cases.concat());
}

#[test]
fn on_a_dumb_terminal_not_a_byte_is_ours() {
    let sizes = [(24, 20), (24, 40), (2, 80), (5, 120), (100, 300)];
    let cases = sizes.map(|(rows, cols)| {
        [false, true].map(|inline| Case {
            term: "dumb",
            inline,
            rows,
            cols,
            end: End::CountedDown,
        })
    });
    play_all(cases.concat());
}
