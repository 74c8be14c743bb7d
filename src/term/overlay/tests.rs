use std::time::Duration;

use super::super::bar::Phase;
use super::*;

const SIZE: Size = Size::new(10, 40);

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

/// A compositor on a blank alternate screen, and the bytes that it has written since.
struct Bench {
    compositor: Compositor,
    tty: Vec<u8>,
}

impl Bench {
    fn new(mode: BarMode) -> Self {
        let mut bench = Self {
            compositor: Compositor::new(SIZE, mode, true),
            tty: Vec::new(),
        };
        bench.child("\x1b[?1049h\x1b[H\x1b[2Jhello\x1b[3;1H");
        bench
    }

    fn inline() -> Self {
        Self {
            compositor: Compositor::new(SIZE, BarMode::Auto, true),
            tty: Vec::new(),
        }
    }

    fn child(&mut self, text: &str) -> String {
        self.tty.clear();
        self.compositor.child_output(text.as_bytes(), &mut self.tty);
        self.take()
    }

    fn take(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.tty)).expect("UTF-8")
    }

    fn draw(&mut self, tenths: u64) -> (Placement, String) {
        self.compositor.set_bar(Some(model(tenths)));
        let placement = self.compositor.draw(&mut self.tty);
        (placement, self.take())
    }

    fn hide(&mut self) -> String {
        self.compositor.hide(&mut self.tty);
        self.take()
    }

    fn restore(&mut self) -> String {
        self.compositor.restore(&mut self.tty);
        self.take()
    }
}

#[test]
fn without_a_bar_the_bytes_are_the_childs() {
    let mut bench = Bench::new(BarMode::Auto);
    for text in [
        "plain",
        "\x1b[",
        "31m\x1b]0;t",
        "itle\x07",
        "\x1b[?2026h",
        "\x1b[6n",
        "❯",
    ] {
        assert_eq!(bench.child(text), text);
    }
    bench.compositor.set_bar(Some(model(1)));
    assert_eq!(
        bench.child("more"),
        "more",
        "a wanted bar is not a drawn one"
    );
}

#[test]
fn only_what_changed_is_drawn_again() {
    let mut bench = Bench::new(BarMode::Auto);
    let (placement, first) = bench.draw(34);
    assert_eq!(placement, Placement::Row);
    assert!(first.contains("3.4s"));
    assert_eq!(bench.draw(34), (Placement::Row, String::new()));
    let (_, second) = bench.draw(33);
    assert!(second.contains('3') && second.len() < 60, "{second:?}");
    assert!(bench.compositor.bar_shown());
    let undrawn = bench.child("x");
    assert!(
        undrawn.ends_with('x') && undrawn.contains("\x1b[10;1H"),
        "{undrawn:?}"
    );
    assert!(!bench.compositor.bar_shown());
}

#[test]
fn updates_are_synchronized_where_the_terminal_knows_them() {
    let mut bench = Bench::new(BarMode::Auto);
    bench.compositor.set_synchronized(true);
    let (_, drawn) = bench.draw(10);
    assert!(
        drawn.starts_with("\x1b[?2026h") && drawn.ends_with("\x1b[?2026l"),
        "{drawn:?}"
    );
    let hidden = bench.hide();
    assert!(
        hidden.starts_with("\x1b[?2026h") && hidden.ends_with("\x1b[?2026l"),
        "{hidden:?}"
    );
    assert_eq!(bench.hide(), "");
}

#[test]
fn no_row_is_drawn_where_it_could_not_be_put_back() {
    for text in [
        "\x1b[",                // in a sequence
        "\u{1b}]0;x",           // in a string
        "\x1b[?2026h",          // in an update
        "\x1b[?6h",             // relative addresses
        "\x1b[4h",              // insert mode
        "\x1b[?7l",             // no autowrap
        "\x1b(0",               // line drawing
        "\x1b]8;;http://x\x07", // an open link
        "\x1b[4:3m",            // a pen that cannot be written again
        "⚠\u{fe0f}",            // a width that terminals differ on
        "\x1b[?9999h",          // who knows
        "\x1b[9m-",             // a last character that is not known
    ] {
        let mut bench = Bench::new(BarMode::Auto);
        bench.child(text);
        let (placement, bytes) = bench.draw(10);
        assert_ne!(placement, Placement::Row, "{text:?}");
        assert!(!bytes.contains("\x1b[10;"), "{text:?}: {bytes:?}");
    }
}

#[test]
fn an_untrusted_last_row_gives_way_to_the_first_and_then_to_the_title() {
    let mut bench = Bench::new(BarMode::Auto);
    bench.child("\x1b[10;1H\x1b[9mstruck\x1b[m\x1b[5;1H");
    let (placement, bytes) = bench.draw(10);
    assert_eq!(placement, Placement::Row);
    assert!(bytes.starts_with("\x1b[1;1H"), "{bytes:?}");
    bench.child("\x1b[H\x1b[9mstruck\x1b[m\x1b[5;1H");
    let (placement, bytes) = bench.draw(10);
    assert_eq!(placement, Placement::Title);
    assert_eq!(bytes, "\x1b]0;⟳ throttled · retry 2/6 in 1s\x07");
    bench.child("\x1b[10;1H\x1b[K\x1b[5;1H");
    let (placement, bytes) = bench.draw(10);
    assert_eq!(placement, Placement::Row);
    assert!(bytes.ends_with("\x1b]0;\x07"), "{bytes:?}");
}

#[test]
fn the_childs_title_comes_back() {
    let mut bench = Bench::new(BarMode::Title);
    bench.child("\x1b]0;✳ Claude\x07");
    assert_eq!(
        bench.draw(34),
        (
            Placement::Title,
            "\x1b]0;⟳ throttled · retry 2/6 in 4s\x07".into()
        )
    );
    assert_eq!(
        bench.draw(31),
        (Placement::Title, String::new()),
        "whole seconds"
    );
    assert_eq!(bench.hide(), "\x1b]0;✳ Claude\x07");
    bench.draw(34);
    assert_eq!(bench.child("\x1b]2;◐ other\x07"), "\x1b]2;◐ other\x07");
    assert!(
        !bench.compositor.bar_shown(),
        "the child's own title has taken its place"
    );
    assert_eq!(bench.compositor.title(), "◐ other");
    bench.draw(34);
    let saved = bench.child("\x1b[22;0t");
    assert_eq!(
        saved, "\x1b]0;◐ other\x07\x1b[22;0t",
        "what the child saves is its own"
    );
    bench.draw(34);
    bench.compositor.set_bar(None);
    assert_eq!(bench.compositor.draw(&mut bench.tty), Placement::None);
    assert_eq!(bench.take(), "\x1b]0;◐ other\x07");
}

#[test]
fn off_and_dumb_terminals_get_nothing() {
    let mut off = Bench::new(BarMode::Off);
    assert!(matches!(off.draw(1), (Placement::Hidden(_), text) if text.is_empty()));
    let mut compositor = Compositor::new(SIZE, BarMode::Auto, false);
    compositor.set_bar(Some(model(1)));
    let mut tty = Vec::new();
    assert!(matches!(compositor.draw(&mut tty), Placement::Hidden(_)));
    assert!(!compositor.cursor_query_wanted() && tty.is_empty());
}

#[test]
fn answers_are_matched_to_who_asked() {
    let mut bench = Bench::inline();
    assert!(!bench.compositor.cursor_report(1, 1), "nobody asked");
    bench.child("\r\x1b[J\x1b[6n");
    assert!(matches!(bench.draw(10).0, Placement::Hidden(_)));
    assert!(bench.compositor.cursor_query_wanted());
    bench.compositor.query_cursor(&mut bench.tty);
    assert_eq!(bench.take(), "\x1b[6n");
    assert!(!bench.compositor.cursor_query_wanted(), "asked once");
    assert!(
        !bench.compositor.cursor_report(4, 1),
        "the child asked first"
    );
    assert!(bench.compositor.cursor_report(4, 1));
    assert!(!bench.compositor.cursor_report(4, 1), "nothing is open");
    let (placement, bytes) = bench.draw(10);
    assert_eq!(placement, Placement::Row);
    assert!(
        bytes.starts_with("\x1b[10;1H") && bytes.ends_with("\x1b[4;1H"),
        "{bytes:?}"
    );
}

#[test]
fn an_answer_to_an_older_question_is_ours_but_worth_nothing() {
    let mut bench = Bench::inline();
    bench.child("\r\x1b[J");
    bench.draw(10);
    bench.compositor.query_cursor(&mut bench.tty);
    bench.take();
    bench.child("text\r\n");
    assert!(bench.compositor.cursor_report(4, 1));
    assert!(matches!(bench.draw(10).0, Placement::Hidden(_)));
    assert!(bench.compositor.cursor_query_wanted(), "asked anew");
}

#[test]
fn nobody_is_asked_without_a_wanted_row() {
    for mode in [BarMode::Title, BarMode::Off] {
        let mut compositor = Compositor::new(SIZE, mode, true);
        compositor.set_bar(Some(model(1)));
        assert!(!compositor.cursor_query_wanted());
    }
    assert!(!Bench::inline().compositor.cursor_query_wanted());
}

#[test]
fn after_a_resize_the_bar_waits_for_the_childs_repaint() {
    let mut bench = Bench::new(BarMode::Auto);
    bench.draw(10);
    bench.compositor.resize(Size::new(12, 50));
    assert!(!bench.compositor.bar_shown());
    assert_eq!(
        bench.child("\x1b[H"),
        "\x1b[H",
        "the terminal has moved the bar: it is not taken off"
    );
    assert_eq!(bench.draw(10).0, Placement::Title);
    bench.child("\x1b[2J\x1b[3;1Hanew\r");
    let (placement, bytes) = bench.draw(10);
    assert_eq!(placement, Placement::Row);
    assert!(bytes.contains("\x1b[12;1H"), "{bytes:?}");
    bench.compositor.trust_lost();
    assert!(!bench.compositor.bar_shown());
    assert_ne!(bench.draw(10).0, Placement::Row);
}

#[test]
fn an_intact_exit_is_left_alone() {
    let mut bench = Bench::inline();
    bench.child(
        "\x1b[?1049h\x1b[?2004h\x1b[?1003h\x1b[>5u\x1b[?25l\x1b[2;5r\x1b[1mtext\x1b[m\x1b[r\x1b[<u\x1b[?1003l\x1b[?2004l\x1b[?25h\x1b[?1049l\r\n",
    );
    assert_eq!(bench.restore(), "");
}

#[test]
fn what_was_left_on_is_undone_once() {
    for (left, undone) in [
        ("\x1b[?1049h", "\x1b[?1049l"),
        ("\x1b[?2026h", "\x1b[?2026l"),
        ("\x1b[?25l", "\x1b[?25h"),
        ("\x1b[?7l", "\x1b[?7h"),
        ("\x1b[?1000;1006h", "\x1b[?1000l\x1b[?1006l"),
        ("\x1b[?9h", "\x1b[?9l"),
        ("\x1b[?1002h", "\x1b[?1002l"),
        ("\x1b[?1003h", "\x1b[?1003l"),
        ("\x1b[?1005h", "\x1b[?1005l"),
        ("\x1b[?1015h", "\x1b[?1015l"),
        ("\x1b[?1016h", "\x1b[?1016l"),
        ("\x1b[?1004h", "\x1b[?1004l"),
        ("\x1b[?2004h", "\x1b[?2004l"),
        ("\x1b[?2031h", "\x1b[?2031l"),
        ("\x1b[?1h", "\x1b[?1l"),
        ("\x1b=", "\x1b>"),
        ("\x1b[>1u\x1b[>5u", "\x1b[<2u"),
        ("\x1b[=3u", "\x1b[=0u"),
        ("\x1b[>1u\x1b[?1049h\x1b[>5u", "\x1b[<1u\x1b[?1049l\x1b[<1u"),
        ("\x1b[>4;2m", "\x1b[>4m"),
        ("\x1b[4h", "\x1b[4l"),
        ("\x1b[20h", "\x1b[20l"),
        ("\x1b[5 q", "\x1b[0 q"),
        ("\x0e", "\x0f\x1b(B\x1b)B\x1b*B\x1b+B"),
        ("\x1b[1;31m", "\x1b[0m"),
        ("\x1b]8;;u\x07", "\x1b]8;;\x1b\\"),
        ("\x1b[2;5r\x1b[4;2H", "\x1b[r\x1b[4;2H"),
        ("\x1b[?6h", "\x1b[?6l\x1b[r\x1b[999;1H"),
        ("\x1b[3", "\x18"),
    ] {
        let mut bench = Bench::inline();
        bench.child(left);
        assert_eq!(bench.restore(), undone, "{left:?}");
        assert_eq!(bench.restore(), "", "{left:?}, a second time");
    }
}

#[test]
fn the_way_out_takes_the_bar_off_first() {
    let mut bench = Bench::new(BarMode::Auto);
    bench.draw(10);
    let bytes = bench.restore();
    let row = bytes.find("\x1b[10;1H").expect("the row is put back");
    let leave = bytes.find("\x1b[?1049l").expect("the screen is left");
    assert!(row < leave);
    let mut bench = Bench::new(BarMode::Title);
    bench.child("\x1b]0;mine\x07");
    bench.draw(10);
    bench.child("\x1b[3");
    assert!(bench.restore().starts_with("\x18\x1b]0;mine\x07") || !bench.compositor.bar_shown());
}

#[test]
fn the_readers_see_the_screen_without_the_bar() {
    let mut bench = Bench::new(BarMode::Auto);
    bench.child("\x1b[2m漢字 x\u{a0}\x1b[m\x1b[7m \x1b[m\x1b[41m \x1b[m \x1b[?2004h\x1b]0;t\x07");
    let before = bench.compositor.screen();
    bench.draw(10);
    assert_eq!(bench.compositor.screen(), before);
    assert_eq!(
        (before.size, before.cursor, before.alternate),
        (SIZE, (2, 10), true)
    );
    assert!(before.bracketed_paste && !before.cursor_hidden);
    assert_eq!(before.title, "t");
    assert_eq!(before.rows.len(), 10);
    assert_eq!(before.rows[0].text, "hello");
    let row = &before.rows[2];
    assert_eq!(row.text, "漢字 x\u{a0}");
    assert_eq!(row.cells.len(), 7);
    assert_eq!(
        row.cells.iter().map(|cell| cell.start).collect::<Vec<_>>(),
        [0, 0, 3, 3, 6, 7, 8]
    );
    assert!(
        row.cells
            .iter()
            .all(|cell| cell.dim && !cell.inverse && !cell.filled)
    );
    assert_eq!(row.from_col(5), "x\u{a0}");
    bench.child("\r\x1b[K\x1b[7mend");
    assert!(bench.compositor.screen().rows[2].cells[2].inverse);
    assert_eq!(bench.compositor.screen().rows[2].text, "end");
}

#[test]
fn keyboard_flags_are_popped_once_at_a_stop_and_pushed_once_after_it() {
    let said = |act: &dyn Fn(&mut Compositor, &mut Vec<u8>)| {
        let mut compositor = Compositor::new(SIZE, BarMode::Off, true);
        compositor.child_output(b"\x1b[>5u\x1b[?1000h", &mut Vec::new());
        let mut tty = Vec::new();
        act(&mut compositor, &mut tty);
        String::from_utf8(tty).expect("text")
    };
    // Our own stop, and then the child's.
    let stopped = said(&|compositor, tty| {
        compositor.suspend(tty);
        compositor.suspend(tty);
    });
    assert_eq!(stopped, "\x1b[<1u\x1b[?1000l\x1b[?1000l");
    let continued = said(&|compositor, tty| {
        compositor.suspend(&mut Vec::new());
        compositor.resume(tty);
    });
    assert_eq!(continued, "\x1b[>5u\x1b[?1000h");
    // Nobody saw the stop: they are on the stack still.
    let unseen = said(&|compositor, tty| compositor.resume(tty));
    assert_eq!(unseen, "\x1b[<1u\x1b[>5u\x1b[?1000h");
}

#[test]
fn origin_mode_ends_before_what_puts_the_cursor_back() {
    let undone = |bytes: &[u8]| {
        let mut compositor = Compositor::new(SIZE, BarMode::Off, true);
        compositor.child_output(bytes, &mut Vec::new());
        let mut tty = Vec::new();
        compositor.restore(&mut tty);
        String::from_utf8(tty).expect("text")
    };
    assert_eq!(undone(b"\x1b[?1049h\x1b[?6h"), "\x1b[?6l\x1b[r\x1b[?1049l");
    // There it was on before: leaving the screen brings it back.
    assert!(undone(b"\x1b[?6h\x1b[?1049h").starts_with("\x1b[?1049l\x1b[?6l"));
}
