//! What a countdown costs: at most ten wake-ups and frames a second, and only the cells that change.

#[path = "support/emulator.rs"]
mod emulator;
#[path = "support/fake.rs"]
mod fake;
#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use claude_retry::config::{BarMode, Jitter, Settings};
use claude_retry::supervisor::retry::State;
use claude_retry::supervisor::session::Event;
use claude_retry::term::Size;
use claude_retry::term::overlay::{Compositor, Placement};
use claude_retry::term::scan::{Scanner, Token};
use emulator::Emulator;
use fake::{COLS, FakeCli, ROWS, THROTTLE};
use world::World;

const SECOND: Duration = Duration::from_secs(1);

/// A session that counts down for so long, from its first frame on.
fn counting_down(wait: Duration) -> World<FakeCli> {
    let settings = Settings {
        base: wait,
        cap: wait,
        jitter: Jitter::None,
        ..Settings::default()
    };
    let size = Size::new(ROWS, COLS);
    let mut world = World::new(settings, size, world::WALL, FakeCli::new());
    world.event(Event::ChildOutput(b"\x1b[?1049h\x1b[2J\x1b[H"));
    let frame = world.outside.frame();
    world.event(Event::ChildOutput(&frame));
    for keys in ["hello", "\r"] {
        world.event(Event::UserInput(keys.as_bytes()));
        world.run_for(SECOND);
    }
    let now = world.now().unix_ms;
    let frame = world.outside.fails(now, THROTTLE);
    world.event(Event::ChildOutput(&frame));
    world.run_for(SECOND);
    assert!(matches!(world.session.state(), State::Waiting(_)));
    world
}

/// How many columns the bytes print to.
fn printed(bytes: &[u8]) -> usize {
    let mut columns = 0;
    Scanner::new().feed(bytes, |token| {
        if let Token::Text(text) = token {
            columns += text.chars().count();
        }
    });
    columns
}

#[test]
fn a_countdown_wakes_us_ten_times_a_second_and_draws_only_the_cells_that_change() {
    // With tenths, with whole seconds, with minutes.
    for wait in [10, 90, 600] {
        let mut world = counting_down(Duration::from_secs(wait));
        let mut emulator = Emulator::new(ROWS, COLS);
        emulator.feed(&std::mem::take(&mut world.tty));
        let last = i32::from(ROWS) - 1;
        let row = |emulator: &Emulator| -> Vec<_> {
            let cols = 0..usize::from(COLS);
            cols.map(|col| emulator.cell(last, col).clone()).collect()
        };
        for second in 1..=6 {
            let until = world.elapsed + SECOND;
            let (mut wakes, mut frames) = (0, 0);
            while let Some(deadline) = world.session.next_deadline().filter(|at| *at < until) {
                wakes += 1;
                world.elapsed = deadline;
                world.event(Event::Deadline);
                let frame = std::mem::take(&mut world.tty);
                if frame.is_empty() {
                    continue;
                }
                frames += 1;
                let before = row(&emulator);
                emulator.feed(&frame);
                let after = row(&emulator);
                let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
                let columns = printed(&frame);
                // The character before the cursor is printed anew, for a wrap that may be pending.
                assert!(
                    changed > 0 && columns <= changed + 1,
                    "{columns} columns for {changed} cells: {:?}",
                    String::from_utf8_lossy(&frame)
                );
                // A place and a colour for each at the most, then cursor and pen.
                assert!(
                    frame.len() <= 40 * columns + 40,
                    "{} bytes for {columns} columns",
                    frame.len()
                );
            }
            assert!(wakes <= 10, "{wakes} wake-ups in second {second} of {wait}");
            assert!(frames <= wakes);
            world.elapsed = until;
        }
        assert!(matches!(world.session.state(), State::Waiting(_)));
    }
}

#[test]
fn a_notice_that_does_not_count_wakes_nobody_until_it_ends() {
    let mut world = counting_down(10 * SECOND);
    world.event(Event::UserInput(b"\x03"));
    world.run_for(Duration::from_millis(50));
    assert!(matches!(world.session.state(), State::Cancelled { .. }));
    world.tty.clear();
    let next = world.session.next_deadline().expect("the notice ends");
    assert!(
        next > world.elapsed + 5 * SECOND,
        "{:?}",
        next.saturating_sub(world.elapsed)
    );
}

/// A row's blank end is erased, as it was before: blanks that are written there are copied, and wrapped in
/// a window that becomes narrower. Blanks that the child wrote are written.
#[test]
fn a_blank_end_is_put_back_by_erasing_it() {
    let mut compositor = Compositor::new(Size::new(4, 20), BarMode::Auto, true);
    let mut tty = Vec::new();
    compositor.child_output(b"\x1b[?1049h\x1b[2J\x1b[4;1Hab  \x1b[H", &mut tty);
    let model = claude_retry::term::bar::Model {
        what: "throttled",
        attempt: 1,
        max: 6,
        phase: claude_retry::term::bar::Phase::Resuming,
        unicode: true,
        color: true,
    };
    compositor.set_bar(Some(model));
    assert_eq!(compositor.draw(&mut tty), Placement::Row);
    tty.clear();
    compositor.hide(&mut tty);
    let text = String::from_utf8_lossy(&tty);
    assert_eq!(text, "\x1b[0m\x1b[4;1H\x1b[0mab  \x1b[K\x1b[0m\x1b[1;1H");
}
