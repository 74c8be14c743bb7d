//! The shadow of the screen, the bar over it, and the guard round both.

use std::sync::Once;
use std::time::Duration;

use claude_retry::config::{BarMode, Notify, Settings, TranscriptMode};
use claude_retry::supervisor::session::{Event, ExitKind, Now, Outbox, Session, TerminalTraits};
use claude_retry::sys::guarded::{Guarded, Handle, install_panic_hook};
use claude_retry::term::Size;
use claude_retry::term::bar::{Model, Phase};
use claude_retry::term::overlay::Compositor;
use claude_retry::term::scan::Scanner;
use claude_retry::term::screen::Screen;

use super::Dice;
use super::step::{Step, sized_steps};

/// Without a bar the terminal gets the child's bytes and the child the user's, whatever becomes of the
/// session; any cut gives the same screen; and what is drawn over it is drawn between sequences.
pub fn check(data: &[u8]) {
    let (size, steps) = sized_steps(data);
    // The guard held where it was needed; that it was is told all the same.
    assert_eq!(pipe(size, &steps, usize::MAX), None, "the session failed");
    let fails_at = Dice::of(data).below(steps.len() + 1);
    let failure = pipe(size, &steps, fails_at).expect("a failure");
    assert!(failure.contains(ON_PURPOSE), "{failure}");
    screens(size, &steps);
    bar(size, &steps);
}

const ON_PURPOSE: &str = "it fails on purpose";

/// A session that fails at one of its events, its answer given already.
struct Fragile {
    session: Session,
    /// How many events it bears.
    left: usize,
}

impl Handle for Fragile {
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Outbox) {
        self.session.handle(now, event, out);
        assert_ne!(self.left, 0, "{ON_PURPOSE}");
        self.left -= 1;
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.session.next_deadline()
    }

    fn is_behind(&self) -> bool {
        self.session.is_behind()
    }

    fn read_on(&mut self) {
        self.session.read_on();
    }
}

/// The session under its guard, with nothing that it may resume: it bears so many events. Gives why it failed.
fn pipe(size: Size, steps: &[Step<'_>], left: usize) -> Option<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(install_panic_hook);
    let settings = Settings {
        bar: BarMode::Off,
        notify: Notify::Off,
        transcript: TranscriptMode::Off,
        retry_on: Vec::new(),
        ..Settings::default()
    };
    let traits = TerminalTraits {
        unicode: true,
        color: true,
        addressable: true,
    };
    let mut ms = 0;
    let now = |ms| Now {
        elapsed: Duration::from_millis(ms),
        unix_ms: 1_800_000_000_000 + ms,
    };
    let mut session = Guarded::new(|| Fragile {
        session: Session::new(settings, traits, size, now(0), 1),
        left,
    });
    let mut out = Outbox::default();
    let (mut drawn, mut typed) = (Vec::new(), Vec::new());
    for step in steps {
        let event = match step {
            Step::Output(bytes) => {
                drawn.extend_from_slice(bytes);
                Event::ChildOutput(bytes)
            }
            Step::Input(bytes) => {
                typed.extend_from_slice(bytes);
                Event::UserInput(bytes)
            }
            Step::Resize(size) => Event::Resize(*size),
            Step::Pass(more) => {
                ms += more;
                Event::Deadline
            }
            Step::Draw | Step::Hide => Event::Deadline,
        };
        session.handle(now(ms), &event, &mut out);
        assert_eq!(out.tty, drawn, "the terminal's bytes");
        assert_eq!(out.child, typed, "the child's bytes");
    }
    let killed = Event::ChildExited(ExitKind::Killed(9));
    session.handle(now(ms), &killed, &mut out);
    assert!(out.tty.starts_with(&drawn), "the terminal's bytes");
    assert_eq!(out.child, typed, "the child's bytes");
    session.take_failure(&mut out)
}

/// Byte by byte, each read at once, and as it comes, read when somebody asks.
fn screens(size: Size, steps: &[Step<'_>]) {
    let mut whole = Compositor::new(size, BarMode::Off, true);
    let mut single = Compositor::new(size, BarMode::Off, true);
    let (mut tty, mut drawn) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Step::Output(bytes) => {
                whole.child_output(bytes, &mut tty);
                drawn.extend_from_slice(bytes);
                for byte in bytes.chunks(1) {
                    single.child_output(byte, &mut Vec::new());
                    let _ = single.at_boundary();
                }
            }
            Step::Resize(size) => {
                whole.resize(*size);
                single.resize(*size);
            }
            // Rows are kept as they were asked for: asking in between must change nothing.
            Step::Draw => check_screen(&single.screen()),
            _ => {}
        }
    }
    assert_eq!(tty, drawn, "the terminal's bytes");
    let screen = whole.screen();
    check_screen(&screen);
    assert_eq!(single.screen(), screen, "byte by byte");
    assert_eq!(single.at_boundary(), whole.at_boundary());
}

/// Every row is there, and every column of it is a place in its text.
fn check_screen(screen: &Screen) {
    assert_eq!(screen.rows.len(), usize::from(screen.size.rows));
    let (row, col) = screen.cursor;
    assert!(
        row < screen.size.rows && col <= screen.size.cols,
        "{screen:?}"
    );
    assert!(
        !screen.title.contains(char::is_control),
        "{:?}",
        screen.title
    );
    for row in &screen.rows {
        assert!(row.cells.len() <= usize::from(screen.size.cols), "{row:?}");
        let mut before = 0;
        for (col, cell) in row.cells.iter().enumerate() {
            assert!(before <= cell.start, "{row:?}");
            before = cell.start;
            let _ = row.from_col(col);
        }
    }
}

/// With a bar: what is written besides the child's bytes is written between sequences, and is whole.
fn bar(size: Size, steps: &[Step<'_>]) {
    let mut screen = Compositor::new(size, BarMode::Auto, true);
    let mut scanner = Scanner::new();
    let mut between = |ours: &[u8]| {
        if !ours.is_empty() {
            assert!(scanner.at_boundary(), "in the middle: {ours:?}");
            scanner.feed(ours, |_| {});
            assert!(scanner.at_boundary(), "not whole: {ours:?}");
        }
    };
    let mut drawn = Scanner::new();
    let mut left = 3_000;
    for step in steps {
        let mut tty = Vec::new();
        match step {
            Step::Output(bytes) => {
                let clear = drawn.at_boundary();
                drawn.feed(bytes, |_| {});
                screen.child_output(bytes, &mut tty);
                assert!(tty.ends_with(bytes), "the child's bytes");
                let ours = &tty[..tty.len() - bytes.len()];
                assert!(clear || ours.is_empty(), "in the middle: {ours:?}");
                between(ours);
                continue;
            }
            Step::Input(_) => screen.set_bar(None),
            Step::Resize(size) => screen.resize(*size),
            Step::Pass(ms) => left -= ms % 3_000 % left,
            Step::Draw => {
                screen.set_bar(Some(model(left)));
                if screen.cursor_query_wanted() {
                    screen.query_cursor(&mut tty);
                    screen.cursor_report(1 + u16::try_from(left % 30).unwrap_or(0), 1);
                }
                screen.draw(&mut tty);
            }
            Step::Hide => screen.hide(&mut tty),
        }
        assert!(
            drawn.at_boundary() || tty.is_empty(),
            "in the middle: {tty:?}"
        );
        between(&tty);
    }
    let mut tty = Vec::new();
    screen.restore(&mut tty);
    assert!(screen.at_boundary(), "a way out that is not whole");
    assert!(!screen.bar_shown(), "a bar left behind");
}

fn model(left: u64) -> Model {
    Model {
        what: "throttled",
        attempt: 2,
        max: 6,
        phase: Phase::Waiting {
            left: Duration::from_millis(left),
            total: Duration::from_secs(3),
            asked: None,
        },
        unicode: true,
        color: true,
    }
}
