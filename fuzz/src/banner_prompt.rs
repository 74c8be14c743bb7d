//! The readers of the screen.

use claude_retry::config::BarMode;
use claude_retry::supervisor::banner;
use claude_retry::supervisor::prompt::{self, Prompt};
use claude_retry::supervisor::wording::{self, Reading};
use claude_retry::term::overlay::Compositor;
use claude_retry::term::screen::{Row, Screen};

use super::step::{Step, sized_steps};

/// Every screen that the child draws, in whatever size, is read without a panic, and what is read is what
/// [`check_screen`] asks for.
pub fn check(data: &[u8]) {
    let (size, steps) = sized_steps(data);
    let mut screen = Compositor::new(size, BarMode::Off, true);
    for step in steps {
        match step {
            Step::Output(bytes) => screen.child_output(bytes, &mut Vec::new()),
            Step::Resize(size) => screen.resize(size),
            Step::Draw => check_screen(&screen.screen()),
            _ => {}
        }
    }
    check_screen(&screen.screen());
}

/// What must hold for any screen.
pub fn check_screen(screen: &Screen) {
    let state = prompt::read(screen);
    let typed = prompt::typed(screen);
    let busy = banner::busy(screen);
    let found = banner::find(screen);
    assert_eq!(prompt::read(screen), state, "read twice");

    match &state {
        Prompt::Free => {
            assert_eq!(typed.as_deref(), Some(""), "free, and not empty");
            assert!(has_cursor(screen), "free, and the cursor is elsewhere");
        }
        Prompt::Draft(text) => {
            assert_eq!(wording::plain(text), *text, "a draft of one plain line");
        }
        _ => {}
    }
    if let Some(text) = &typed {
        check_typed(text);
    }
    if let Some(found) = &found {
        assert_eq!(wording::plain(&found.text), found.text, "one plain line");
        let is_read = wording::read(&found.text);
        assert!(
            found.reading == is_read || found.reading == Reading::Permanent("compaction"),
            "{found:?} reads {is_read:?}"
        );
        assert!(
            is_read != Reading::Unknown || wording::has_prefix(&found.text),
            "no error: {found:?}"
        );
        assert!(
            busy || found.reading != Reading::StillRetrying,
            "still trying, and not at work: {found:?}"
        );
    }
}

/// The cursor stands behind a prompt's sign, or is hidden and parked at a row's start, and drawn behind one.
fn has_cursor(screen: &Screen) -> bool {
    let (row, col) = screen.cursor;
    let sign = |row: &Row| row.text.chars().next();
    let stands = match screen.rows.get(usize::from(row)).and_then(sign) {
        Some('❯' | '>') => col == 2,
        // For a screen reader: right behind the sign, or (2.1.200) where text would begin.
        Some('$') => matches!(col, 1 | 3),
        _ => false,
    };
    let drawn =
        |row: &Row| matches!(sign(row), Some('❯' | '>')) && row.cells.iter().any(|c| c.inverse);
    stands || screen.cursor_hidden && col == 0 && screen.rows.iter().any(drawn)
}

/// What is read back as the message has the message's characters, in order.
fn check_typed(text: &str) {
    let letters = |text: &str| {
        let all = text.chars().filter(|c| !c.is_whitespace());
        all.filter(|c| !is_mark(*c)).collect::<String>()
    };
    for message in ["continue", "please go on", "weiter, bitte — 続けて"] {
        if prompt::same_text(text, message) {
            assert_eq!(letters(text), letters(message), "read back");
        }
    }
    if !text.contains(['\n', '\u{a0}']) {
        assert!(prompt::same_text(text.trim_end(), text), "{text:?}");
    }
}

/// A character without a place of its own.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}')
}
