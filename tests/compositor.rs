//! The compositor against an independent emulator: after the bar is gone, the terminal is as if it
//! had never been there.

#[path = "compositor/case.rs"]
mod case;
#[path = "support/emulator.rs"]
mod emulator;
#[path = "compositor/grammar.rs"]
mod grammar;
#[path = "compositor/run.rs"]
mod run;
#[path = "compositor/tally.rs"]
mod tally;

use case::{Case, case};
use claude_retry::term::overlay::Compositor;
use emulator::Emulator;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use run::{Run, model};
use tally::Tally;

/// Runs the random sessions of one kind: `CLAUDE_RETRY_STREAMS` of both, drawn from `CLAUDE_RETRY_STREAMS_SEED`.
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
        panic!("CLAUDE_RETRY_STREAMS_SEED={seed}: {error}");
    }
    tally
}

#[test]
fn alternate_screen_streams_are_as_if_no_bar_had_been_there() {
    check(false).is_full(7);
}

#[test]
fn inline_streams_are_as_if_no_bar_had_been_there() {
    check(true).is_full(20);
}

#[test]
fn sessions_that_once_left_a_trace_leave_none() {
    for case in case::found() {
        let run = Run::new(&case, &Tally::default()).run();
        run.unwrap_or_else(|error| panic!("{error}\n{case:#?}"));
    }
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
        ("2.0.76/throttle-long-talk", 10, 10),
        ("2.0.76/busy-after-error", 0, 0),
        ("2.0.76/dialog-open", 0, 5),
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
