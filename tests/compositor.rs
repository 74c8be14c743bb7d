//! The compositor against an independent emulator: after the bar is gone, the terminal is as if it
//! had never been there.

#[path = "compositor/grammar.rs"]
mod grammar;
#[path = "compositor/oracle.rs"]
mod oracle;

use std::cell::Cell;
use std::time::Duration;

use claude_retry::config::BarMode;
use claude_retry::term::Size;
use claude_retry::term::bar::{self, Model, Phase};
use claude_retry::term::overlay::{Compositor, Placement};
use oracle::Emulator;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// One thing that happens.
#[derive(Clone)]
enum Step {
    /// The child writes.
    Child(Vec<u8>),
    /// Another model is wanted, or none.
    Bar(Option<u64>),
    /// The bar is drawn, if it may be.
    Draw,
    /// It is taken off, and the terminals are compared.
    Hide,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Child(bytes) => write!(f, "Child({:?})", String::from_utf8_lossy(bytes)),
            Self::Bar(tenths) => write!(f, "Bar({tenths:?})"),
            Self::Draw => f.write_str("Draw"),
            Self::Hide => f.write_str("Hide"),
        }
    }
}

#[derive(Clone, Debug)]
struct Case {
    rows: u16,
    cols: u16,
    /// The terminal has old text in it and the cursor stands in this row and column; else the child
    /// begins with the alternate screen.
    inline: Option<(u16, u16)>,
    synchronized: bool,
    steps: Vec<Step>,
}

fn model(tenths: u64) -> Model {
    Model {
        what: "throttled",
        attempt: 2,
        max: 6,
        phase: Phase::Waiting {
            left: Duration::from_millis(tenths * 100),
            total: Duration::from_secs(10),
            asked: None,
        },
        unicode: true,
        color: true,
    }
}

fn steps(rows: u16, cols: u16) -> impl Strategy<Value = Vec<Step>> {
    let child = (grammar::item(rows, cols), any::<u8>());
    let control = prop_oneof![
        1 => Just(None),
        2 => Just(Some(Step::Draw)),
        1 => Just(Some(Step::Hide)),
        1 => (0_u64..100).prop_map(|tenths| Some(Step::Bar(Some(tenths)))),
    ];
    let no_bar = prop_oneof![20 => Just(false), 1 => Just(true)];
    proptest::collection::vec((child, control, no_bar), 10..60).prop_map(|items| {
        let mut steps = vec![Step::Bar(Some(50))];
        for (((bytes, cut), control, no_bar), at) in items.into_iter().zip(0..) {
            let cut = usize::from(cut);
            // Some items are cut in two, with an attempt to draw in between; others join the next one.
            if at % 3 == 0 && cut % (bytes.len() + 1) > 0 {
                let (left, right) = bytes.split_at(cut % (bytes.len() + 1));
                steps.extend([
                    Step::Child(left.to_vec()),
                    Step::Draw,
                    Step::Child(right.to_vec()),
                ]);
            } else if let (Some(Step::Child(last)), 1) = (steps.last_mut(), at % 2) {
                last.extend(bytes);
            } else {
                steps.push(Step::Child(bytes));
            }
            steps.extend(control);
            if no_bar {
                steps.extend([Step::Bar(None), Step::Draw]);
            }
        }
        steps
    })
}

fn case(inline: bool) -> impl Strategy<Value = Case> {
    (6_u16..16, 8_u16..40).prop_flat_map(move |(rows, cols)| {
        let start = if inline {
            (0..rows, prop_oneof![3 => Just(0), 1 => 0..cols])
                .prop_map(Some)
                .boxed()
        } else {
            Just(None).boxed()
        };
        (start, any::<bool>(), steps(rows, cols)).prop_map(move |(inline, synchronized, steps)| {
            Case {
                rows,
                cols,
                inline,
                synchronized,
                steps,
            }
        })
    })
}

/// How often the bar was asked for, and where it came to be.
#[derive(Default)]
struct Tally {
    draws: Cell<u32>,
    rows: Cell<u32>,
    titles: Cell<u32>,
    pending: Cell<u32>,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (draws, rows) = (self.draws.get(), self.rows.get());
        let (pending, titles) = (self.pending.get(), self.titles.get());
        write!(
            f,
            "{draws} draws: {rows} on a row ({pending} with a wrap pending), {titles} in the title"
        )
    }
}

fn count(counter: &Cell<u32>) {
    counter.set(counter.get() + 1);
}

struct Run<'a> {
    tally: &'a Tally,
    compositor: Compositor,
    /// With the bar, and without.
    real: Emulator,
    alone: Emulator,
    /// Answers that reached the child.
    answers: Vec<String>,
    wanted: Option<Model>,
    case: &'a Case,
}

impl<'a> Run<'a> {
    fn new(case: &'a Case, tally: &'a Tally) -> Self {
        let mut real = Emulator::new(case.rows, case.cols);
        let mut alone = Emulator::new(case.rows, case.cols);
        let mut compositor = Compositor::new(Size::new(case.rows, case.cols), BarMode::Auto, true);
        compositor.set_synchronized(case.synchronized);
        if let Some((row, col)) = case.inline {
            let old = |line: u16| format!("\x1b[{line};1Hold {line} \x1b[31mtext\x1b[m");
            let before: String = (1..=case.rows).map(old).collect();
            let start = format!("\x1b[{};{}H", row + 1, col + 1);
            for text in [&before, &start] {
                real.feed(text.as_bytes());
                alone.feed(text.as_bytes());
            }
        }
        let mut run = Self {
            tally,
            compositor,
            real,
            alone,
            answers: Vec::new(),
            wanted: None,
            case,
        };
        if case.inline.is_none() {
            run.child(b"\x1b[?1049h\x1b[H")
                .expect("nothing is drawn yet");
        }
        run
    }

    /// Brings what the terminal answered to whom it is for.
    fn hear(&mut self) {
        for reply in self.real.take_replies() {
            let report = reply
                .strip_prefix("\x1b[")
                .and_then(|rest| rest.strip_suffix('R'));
            let report = report.and_then(|rest| rest.split_once(';'));
            let ours = report.is_some_and(|(row, col)| {
                let number = |text: &str| text.parse().expect("a report of two numbers");
                self.compositor.cursor_report(number(row), number(col))
            });
            if !ours {
                self.answers.push(reply);
            }
        }
    }

    fn child(&mut self, bytes: &[u8]) -> Result<(), TestCaseError> {
        let mut tty = Vec::new();
        let shown = self.compositor.bar_shown();
        self.compositor.child_output(bytes, &mut tty);
        prop_assert!(tty.ends_with(bytes));
        prop_assert!(
            shown || tty == bytes,
            "without a bar the bytes are the child's"
        );
        self.real.feed(&tty);
        self.alone.feed(bytes);
        self.hear();
        Ok(())
    }

    fn draw(&mut self) -> Result<(), TestCaseError> {
        let mut placement = self.draw_once();
        if matches!(placement, Placement::Hidden(_)) && self.compositor.cursor_query_wanted() {
            let mut tty = Vec::new();
            self.compositor.query_cursor(&mut tty);
            self.real.feed(&tty);
            self.hear();
            placement = self.draw_once();
        }
        count(&self.tally.draws);
        match placement {
            Placement::Row => {
                count(&self.tally.rows);
                if self.real.cursor().2 {
                    count(&self.tally.pending);
                }
                let model = self.wanted.as_ref().expect("only a wanted bar is drawn");
                let bar: String = bar::glyphs(model, self.case.cols)
                    .iter()
                    .map(|glyph| glyph.symbol)
                    .collect();
                let last = i32::from(self.case.rows) - 1;
                prop_assert!(
                    [last, 0].iter().any(|row| self.real.row_text(*row) == bar),
                    "the bar {bar:?} is not to be seen"
                );
                prop_assert_eq!(self.real.cursor(), self.alone.cursor());
            }
            Placement::Title => count(&self.tally.titles),
            Placement::Hidden(_) | Placement::None => {}
        }
        let mut again = Vec::new();
        let twice = self.compositor.draw(&mut again);
        prop_assert_eq!(
            (twice, again),
            (placement, Vec::new()),
            "drawing again writes nothing"
        );
        Ok(())
    }

    fn draw_once(&mut self) -> Placement {
        let mut tty = Vec::new();
        let placement = self.compositor.draw(&mut tty);
        self.real.feed(&tty);
        placement
    }

    fn hide(&mut self) -> Result<(), TestCaseError> {
        let mut tty = Vec::new();
        self.compositor.hide(&mut tty);
        self.real.feed(&tty);
        // In an open update the emulator shows nothing of what it got, and a title cannot be put back
        // in the middle of a sequence.
        if self.compositor.at_boundary() {
            self.compare("hidden")
        } else {
            Ok(())
        }
    }

    fn compare(&self, when: &str) -> Result<(), TestCaseError> {
        match self.real.difference(&self.alone) {
            Some(difference) => Err(TestCaseError::fail(format!("{when}: {difference}"))),
            None => Ok(()),
        }
    }

    fn both(&mut self, bytes: &[u8], when: &str) -> Result<(), TestCaseError> {
        self.real.feed(bytes);
        self.alone.feed(bytes);
        self.compare(when)
    }

    fn run(mut self) -> Result<(), TestCaseError> {
        for step in &self.case.steps {
            match step {
                Step::Child(bytes) => self.child(bytes)?,
                Step::Bar(tenths) => {
                    self.wanted = tenths.map(model);
                    self.compositor.set_bar(self.wanted.clone());
                }
                Step::Draw => self.draw()?,
                Step::Hide => self.hide()?,
            }
        }
        // The child finishes what it began.
        self.child(b"\x18")?;
        self.child(b"\x1b[?2026l")?;
        self.draw()?;
        self.hide()?;
        self.both(b"M", "a marker printed")?;
        self.both(b"\x1b8S", "the saved cursor restored")?;
        self.both(b"\x1b[?1049l", "the main screen")?;
        self.alone.take_replies();
        Ok(())
    }
}

fn check(inline: bool) -> Tally {
    let number = |name: &str, default: u32| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let cases = number("CLAUDE_RETRY_STREAMS", 5000) / 2;
    let seed = number("CLAUDE_RETRY_STREAMS_SEED", 1);
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let tally = Tally::default();
    let result = runner.run(&case(inline), |case| Run::new(&case, &tally).run());
    if let Err(error) = result {
        panic!("{error}");
    }
    tally
}

/// A test that never draws would prove nothing.
fn drawn_often(tally: &Tally, one_in: u32) {
    assert!(
        tally.rows.get() * one_in > tally.draws.get(),
        "the bar is on a row too seldom: {tally}"
    );
    assert!(
        tally.pending.get() > 0,
        "never with a wrap pending: {tally}"
    );
}

#[test]
fn alternate_screen_streams_are_as_if_no_bar_had_been_there() {
    drawn_often(&check(false), 7);
}

#[test]
fn inline_streams_are_as_if_no_bar_had_been_there() {
    drawn_often(&check(true), 20);
}

/// A recording: its size, and what the CLI wrote, read by read.
fn recording(name: &str) -> (u16, u16, Vec<String>) {
    let path = format!(
        "{}/tests/fixtures/recordings/{name}.cast",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut lines = text.lines();
    let header: serde_json::Value =
        serde_json::from_str(lines.next().expect("a header")).expect("the header is JSON");
    let size = |key: &str| {
        header[key]
            .as_u64()
            .and_then(|size| u16::try_from(size).ok())
    };
    let output = lines.filter_map(|line| {
        let (_, kind, data): (f64, String, String) = serde_json::from_str(line).expect("an event");
        (kind == "o").then_some(data)
    });
    let output = output.collect();
    (
        size("height").expect("rows"),
        size("width").expect("columns"),
        output,
    )
}

/// The screen as the readers get it is what the independent emulator shows.
fn same_screen(compositor: &mut Compositor, emulator: &Emulator, when: &str) {
    let screen = compositor.screen();
    for (row, number) in screen.rows.iter().zip(0..) {
        assert_eq!(
            row.text,
            emulator.row_text(number).trim_end_matches(' '),
            "row {number} {when}"
        );
    }
    let (row, col, _) = emulator.cursor();
    assert_eq!(
        (i32::from(screen.cursor.0), usize::from(screen.cursor.1)),
        (row, col),
        "{when}"
    );
}

/// Plays a recording with the bar drawn and taken off behind every read, in a terminal whose cursor
/// starts in row `start` of `rows` above old text. Gives the share of reads with a bar on a row, in percent.
fn replay(name: &str, from_bottom: bool) -> u32 {
    let (rows, cols, output) = recording(name);
    let inline = from_bottom.then_some((rows - 1, 0));
    // A child that begins inline at the top of a fresh terminal is the case without old text.
    let case = Case {
        rows,
        cols,
        inline: Some(inline.unwrap_or((0, 0))),
        synchronized: true,
        steps: Vec::new(),
    };
    let tally = Tally::default();
    let mut run = Run::new(&case, &tally);
    if !from_bottom {
        run.real = Emulator::new(rows, cols);
        run.alone = Emulator::new(rows, cols);
    }
    let fail = |read: usize| move |error: TestCaseError| panic!("{name}, read {read}: {error}");
    for (read, data) in output.iter().enumerate() {
        run.child(data.as_bytes()).unwrap_or_else(fail(read));
        if !from_bottom && run.compositor.at_boundary() {
            same_screen(
                &mut run.compositor,
                &run.alone,
                &format!("{name}, read {read}"),
            );
        }
        run.wanted = Some(model(u64::try_from(read).expect("few reads") % 90));
        run.compositor.set_bar(run.wanted.clone());
        run.draw().unwrap_or_else(fail(read));
        if read % 2 == 0 {
            run.hide().unwrap_or_else(fail(read));
        }
    }
    run.hide().unwrap_or_else(fail(output.len()));
    run.both(b"M", name).unwrap_or_else(fail(output.len()));
    tally.rows.get() * 100 / tally.draws.get()
}

#[test]
fn recordings_are_as_if_no_bar_had_been_there() {
    for (name, from_top, from_bottom) in [
        ("2.1.330/throttle", 80, 80),
        ("2.1.330-full/throttle", 80, 80),
        ("2.1.145/throttle", 0, 60),
        ("2.0.76/throttle-long-talk", 30, 30),
        ("2.0.76/busy-after-error", 0, 0),
        ("2.0.76/dialog-open", 0, 10),
    ] {
        let share = replay(name, false);
        assert!(
            share >= from_top,
            "{name}: a bar on a row at {share} % of the reads"
        );
        let share = replay(name, true);
        assert!(
            share >= from_bottom,
            "{name} from the bottom: a bar on a row at {share} % of the reads"
        );
    }
}
