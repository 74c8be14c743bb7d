//! What the pure core costs: scanner, shadow, readers, bar, transcript. `cargo bench --bench core`.

#[path = "overhead/streams.rs"]
#[expect(dead_code, reason = "the other bench uses the rest")]
mod streams;

use std::path::{Path, PathBuf};
use std::time::Duration;

use claude_retry::cast::{Cast, What};
use claude_retry::config::BarMode;
use claude_retry::supervisor::wording::Catalogue;
use claude_retry::supervisor::{banner, prompt, transcript};
use claude_retry::term::Size;
use claude_retry::term::bar::{self, Model, Phase};
use claude_retry::term::overlay::Compositor;
use claude_retry::term::scan::Scanner;
use claude_retry::term::screen::Screen;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

/// The size that the figures are told for.
const LARGE: Size = Size {
    rows: 50,
    cols: 200,
    xpixel: 0,
    ypixel: 0,
};
const STREAMS: [&str; 2] = ["ascii", "ansi"];
/// Screens of the real CLI, 50 by 200: at work, a draft, a menu, a list.
const SCREENS: [&str; 4] = ["busy", "draft-esc-armed", "reader-slash", "tasks-listed"];

fn stream(name: &str) -> Vec<u8> {
    let pattern = if name == "ansi" {
        streams::ansi()
    } else {
        streams::ascii()
    };
    streams::repeated(&pattern, 1 << 20)
}

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(path)
}

/// What draws the screen of this name.
fn drawing(name: &str) -> Vec<u8> {
    let path = fixture(&format!("screens/2.1.330/{name}.50x200.cast"));
    let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let cast = Cast::read(&file).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let output = cast
        .events
        .into_iter()
        .filter_map(|event| match event.what {
            What::Output(data) => Some(data),
            _ => None,
        });
    output.flatten().collect()
}

fn drawn(name: &str) -> Compositor {
    let mut compositor = Compositor::new(LARGE, BarMode::Auto, true);
    compositor.child_output(&drawing(name), &mut Vec::new());
    compositor
}

fn model(left_ms: u64) -> Model {
    Model {
        what: "throttled",
        attempt: 2,
        max: 6,
        phase: Phase::Waiting {
            left: Duration::from_millis(left_ms),
            total: Duration::from_secs(30),
            asked: None,
        },
        unicode: true,
        color: true,
    }
}

#[divan::bench(args = STREAMS)]
fn scanner(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = stream(name);
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench_local(|| {
            let mut tokens = 0_u64;
            Scanner::new().feed(black_box(&bytes), |_| tokens += 1);
            tokens
        });
}

#[divan::bench(args = STREAMS)]
fn shadow(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = stream(name);
    let mut compositor = Compositor::new(LARGE, BarMode::Auto, true);
    let mut tty = Vec::new();
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench_local(|| {
            tty.clear();
            compositor.child_output(black_box(&bytes), &mut tty);
            compositor.at_boundary()
        });
}

/// A picture of a screen of which one row has changed.
#[divan::bench(args = SCREENS)]
fn screen(bencher: Bencher<'_, '_>, name: &str) {
    let mut compositor = drawn(name);
    bencher.bench_local(|| {
        compositor.child_output(b"\x1b[s\x1b[2;3Hx\x1b[u", &mut Vec::new());
        compositor.screen()
    });
}

/// The same of a screen that was drawn anew.
#[divan::bench(args = SCREENS)]
fn screen_anew(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = drawing(name);
    bencher
        .with_inputs(|| {
            let mut compositor = drawn(name);
            compositor.screen();
            compositor.child_output(&bytes, &mut Vec::new());
            compositor.at_boundary();
            compositor
        })
        .bench_local_refs(Compositor::screen);
}

/// The readers of one verdict: prompt, error block, spinner, title.
fn read(screen: &Screen) -> impl Sized + use<> {
    let banner = banner::find_by(screen, Catalogue::builtin());
    let works = banner::works_beside(screen, banner.as_ref());
    (
        prompt::read(screen),
        banner,
        works,
        banner::title(&screen.title),
    )
}

#[divan::bench(args = SCREENS)]
fn readers(bencher: Bencher<'_, '_>, name: &str) {
    let screen = drawn(name).screen();
    bencher.bench_local(|| read(black_box(&screen)));
}

/// An error that ends a conversation: everything is read.
#[divan::bench]
fn readers_of_an_error(bencher: Bencher<'_, '_>) {
    let error = "\x1b[44;1H\u{25cf} API Error: Server is temporarily limiting requests (not your usage limit) \
        \u{b7} Rate limited";
    let rule = "\u{2500}".repeat(200);
    let below = format!("\x1b[46;1H{rule}\x1b[47;1H\u{276f}\u{a0}\x1b[48;1H{rule}\x1b[47;3H");
    let mut compositor = Compositor::new(LARGE, BarMode::Auto, true);
    let talk = "words of an answer ".repeat(10);
    let talk = (1..43).fold(String::new(), |all, row| {
        all + &format!("\x1b[{row};1H  {talk}")
    });
    let all = format!("\x1b[?1049h\x1b[2J{talk}{error}{below}");
    compositor.child_output(all.as_bytes(), &mut Vec::new());
    let screen = compositor.screen();
    assert!(banner::find(&screen).is_some(), "it is an error");
    bencher.bench_local(|| read(black_box(&screen)));
}

#[divan::bench]
fn prompt_alone(bencher: Bencher<'_, '_>) {
    let screen = drawn("draft-esc-armed").screen();
    bencher.bench_local(|| prompt::read(black_box(&screen)));
}

/// A frame of the countdown.
#[divan::bench]
fn bar_frame(bencher: Bencher<'_, '_>) {
    let mut compositor = drawn("draft-esc-armed");
    let mut left = 30_000;
    let mut tty = Vec::new();
    bencher.bench_local(|| {
        tty.clear();
        left = if left < 100 { 30_000 } else { left - 100 };
        compositor.set_bar(Some(model(left)));
        compositor.draw(&mut tty);
        tty.len()
    });
}

/// The child draws under a bar, and it is drawn again.
#[divan::bench]
fn bar_off_and_on(bencher: Bencher<'_, '_>) {
    let mut compositor = drawn("draft-esc-armed");
    compositor.set_bar(Some(model(5_000)));
    let mut tty = Vec::new();
    bencher.bench_local(|| {
        tty.clear();
        compositor.child_output(b"\x1b[2;3Hx", &mut tty);
        compositor.draw(&mut tty);
        tty.len()
    });
}

#[divan::bench]
fn bar_glyphs(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| bar::glyphs(black_box(&model(5_000)), 200));
}

/// The tail of a long transcript, a megabyte of it.
#[divan::bench]
fn transcript_tail(bencher: Bencher<'_, '_>) {
    let path = fixture("recordings/2.1.330/throttle-long-talk.transcript.jsonl");
    let once = std::fs::read(path).expect("a transcript");
    let tail = once.repeat((1 << 20) / once.len());
    bencher
        .counter(BytesCount::of_slice(&tail))
        .bench_local(|| transcript::last_turn(black_box(&tail), false));
}
