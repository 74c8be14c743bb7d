//! The way out: bytes that undo what the child left on, and nothing else.

use super::modes::{Modes, Region};
use super::pen::Pen;

/// Writes what brings a terminal in this state back to how a shell expects it; nothing where
/// nothing was left on. `cursor` is the cursor's row and column from 0, where they are known.
pub fn write(modes: &Modes, pen: &Pen, cursor: Option<(u16, u16)>, out: &mut Vec<u8>) {
    if modes.is_on(2026) {
        out.extend_from_slice(b"\x1b[?2026l");
    }
    if pen.link {
        out.extend_from_slice(b"\x1b]8;;\x1b\\");
    }
    // Each screen has its own stack of keyboard flags: the alternate one's while it is on.
    // 1049 puts the main screen's cursor back: what homes it comes before.
    let homed = modes.is_on(6) && modes.alternate == Some(1049) && !modes.origin_saved;
    if let Some(mode) = modes.alternate {
        keyboard(modes, 1, out);
        if homed {
            out.extend_from_slice(b"\x1b[?6l\x1b[r");
        }
        out.extend_from_slice(format!("\x1b[?{mode}l").as_bytes());
    }
    keyboard(modes, 0, out);
    if modes.other_keys != 0 {
        out.extend_from_slice(b"\x1b[>4m");
    }
    for (mode, on) in modes.changed() {
        if !matches!(mode, 6 | 2026) {
            out.extend_from_slice(format!("\x1b[?{mode}{}", if on { 'l' } else { 'h' }).as_bytes());
        }
    }
    if modes.insert {
        out.extend_from_slice(b"\x1b[4l");
    }
    if modes.newline {
        out.extend_from_slice(b"\x1b[20l");
    }
    if modes.keypad {
        out.extend_from_slice(b"\x1b>");
    }
    if modes.cursor_style != 0 {
        out.extend_from_slice(b"\x1b[0 q");
    }
    if !modes.charsets.is_default() {
        out.extend_from_slice(b"\x0f\x1b(B\x1b)B\x1b*B\x1b+B");
    }
    let at = |row: u32, col: u32| format!("\x1b[{row};{col}H");
    if homed {
        // It is done.
    } else if modes.is_on(6) {
        // Off, it homes the cursor; where that was before is relative to the margins.
        out.extend_from_slice(b"\x1b[?6l\x1b[r");
        out.extend_from_slice(at(999, 1).as_bytes());
    } else if modes.region != Region::Full {
        // Resetting the region homes the cursor too. The slot of DECSC is nobody's any more.
        match cursor {
            Some((row, col)) if modes.alternate.is_none() => {
                out.extend_from_slice(b"\x1b[r");
                out.extend_from_slice(at(u32::from(row) + 1, u32::from(col) + 1).as_bytes());
            }
            _ => out.extend_from_slice(b"\x1b7\x1b[r\x1b8"),
        }
    }
    if !(Pen {
        link: false,
        ..*pen
    })
    .is_default()
    {
        out.extend_from_slice(b"\x1b[0m");
    }
}

/// Writes what sets anew what [`write()`] undid: the job was stopped and goes on, and the child, which did
/// not stop itself, does not know. The scroll region, charsets and origin mode are left to its repaint.
///
/// `undone` is false where nobody had the time to (SIGSTOP): keyboard flags that are still on their stack
/// must not be pushed onto it twice, or one of them stays when the child pops its own.
pub fn again(modes: &Modes, undone: bool, out: &mut Vec<u8>) {
    if let Some(mode) = modes.alternate {
        if undone {
            keyboard_again(modes, 0, out);
        }
        out.extend_from_slice(format!("\x1b[?{mode}h").as_bytes());
    }
    let pushed = modes.kitty_pushed[modes.screen()];
    if !undone && pushed > 0 {
        out.extend_from_slice(format!("\x1b[<{pushed}u").as_bytes());
    }
    keyboard_again(modes, modes.screen(), out);
    if modes.other_keys != 0 {
        out.extend_from_slice(format!("\x1b[>4;{}m", modes.other_keys).as_bytes());
    }
    for (mode, on) in modes.changed() {
        if !matches!(mode, 6 | 2026) {
            out.extend_from_slice(format!("\x1b[?{mode}{}", if on { 'h' } else { 'l' }).as_bytes());
        }
    }
    if modes.keypad {
        out.extend_from_slice(b"\x1b=");
    }
    if modes.cursor_style != 0 {
        out.extend_from_slice(format!("\x1b[{} q", modes.cursor_style).as_bytes());
    }
}

/// Pushes or sets the kitty keyboard flags of one screen.
fn keyboard_again(modes: &Modes, screen: usize, out: &mut Vec<u8>) {
    let flags = modes.kitty_flags[screen];
    for _ in 0..modes.kitty_pushed[screen] {
        out.extend_from_slice(format!("\x1b[>{flags}u").as_bytes());
    }
    if modes.kitty_set[screen] {
        out.extend_from_slice(format!("\x1b[={flags}u").as_bytes());
    }
}

/// Pops or clears the kitty keyboard flags of one screen.
fn keyboard(modes: &Modes, screen: usize, out: &mut Vec<u8>) {
    let pushed = modes.kitty_pushed[screen];
    if pushed > 0 {
        out.extend_from_slice(format!("\x1b[<{pushed}u").as_bytes());
    }
    if modes.kitty_set[screen] {
        out.extend_from_slice(b"\x1b[=0u");
    }
}
