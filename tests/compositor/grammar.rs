//! Random child output: what CLIs write, what they seldom write, and what is broken.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

fn bytes(text: impl AsRef<str>) -> Vec<u8> {
    text.as_ref().as_bytes().to_vec()
}

fn one_of(choices: &'static [&'static str]) -> BoxedStrategy<Vec<u8>> {
    select(choices).prop_map(bytes).boxed()
}

fn words() -> BoxedStrategy<Vec<u8>> {
    let piece = select(vec![
        "a",
        "bc",
        "continue ",
        "❯ ",
        "● API",
        "── ",
        "漢字",
        "한",
        "é",
        "e\u{301}",
        "x\u{308}\u{323}",
        "·",
        "  ",
        "\u{a0}",
        "✻",
    ]);
    vec(piece, 1..6)
        .prop_map(|pieces| bytes(pieces.concat()))
        .boxed()
}

fn long_text() -> BoxedStrategy<Vec<u8>> {
    (select(vec!["ab", "漢", "z漢", "- "]), 5_usize..40)
        .prop_map(|(text, times)| bytes(text.repeat(times)))
        .boxed()
}

/// Text that fills columns exactly, to leave a wrap pending.
fn to_the_edge(cols: u16) -> BoxedStrategy<Vec<u8>> {
    let cols = usize::from(cols);
    (0_usize..3, any::<bool>())
        .prop_map(move |(less, wide)| {
            let mut text = String::from("\r");
            if wide {
                text.push_str(&"w".repeat((cols - less) % 2));
                text.push_str(&"界".repeat((cols - less) / 2));
            } else {
                text.push_str(&"e".repeat(cols - less));
            }
            bytes(text)
        })
        .boxed()
}

fn sgr() -> BoxedStrategy<Vec<u8>> {
    let part = select(vec![
        "0",
        "1",
        "2",
        "3",
        "4",
        "7",
        "22",
        "23",
        "24",
        "27",
        "31",
        "39",
        "42",
        "49",
        "96",
        "105",
        "38;2;10;20;30",
        "48;2;55;55;55",
        "38;5;208",
        "48;5;17",
    ]);
    let odd = select(vec![
        "5",
        "8",
        "9",
        "29",
        "53",
        "1;2",
        "38;5;3",
        "4:3",
        "58;5;1",
        "21",
        "38:2::1:2:3",
        "38;2;300;1;1",
        "38",
        "",
    ]);
    Union::new_weighted(vec![
        (
            8,
            vec(part, 1..4)
                .prop_map(|parts| bytes(format!("\x1b[{}m", parts.join(";"))))
                .boxed(),
        ),
        (3, Just(bytes("\x1b[m")).boxed()),
        (
            1,
            odd.prop_map(|part| bytes(format!("\x1b[{part}m"))).boxed(),
        ),
    ])
    .boxed()
}

fn position(rows: u16, cols: u16) -> BoxedStrategy<Vec<u8>> {
    (1..rows + 2, 1..cols + 2, any::<bool>())
        .prop_map(|(row, col, other)| {
            bytes(format!("\x1b[{row};{col}{}", if other { 'f' } else { 'H' }))
        })
        .boxed()
}

fn counted(finals: &'static str, most: u16) -> BoxedStrategy<Vec<u8>> {
    let finals: Vec<char> = finals.chars().collect();
    (0..most, select(finals))
        .prop_map(|(count, last)| {
            if count == 0 {
                bytes(format!("\x1b[{last}"))
            } else {
                bytes(format!("\x1b[{count}{last}"))
            }
        })
        .boxed()
}

/// A row as a CLI draws it: address, erase, write.
fn whole_row(rows: u16) -> BoxedStrategy<Vec<u8>> {
    (1..=rows, words(), select(vec!["\x1b[K", "\x1b[2K", ""]))
        .prop_map(|(row, text, erase)| {
            let mut out = bytes(format!("\x1b[{row};1H{erase}"));
            out.extend(text);
            out
        })
        .boxed()
}

fn region(rows: u16) -> BoxedStrategy<Vec<u8>> {
    (1..=rows, 1..=rows)
        .prop_map(|(top, bottom)| {
            if top == 1 {
                bytes("\x1b[r")
            } else {
                bytes(format!("\x1b[{top};{bottom}r"))
            }
        })
        .boxed()
}

/// A last row with wide characters under its first and its last columns, below a known one; then the cursor
/// goes elsewhere, most times.
fn wide_ends(rows: u16, cols: u16) -> BoxedStrategy<Vec<u8>> {
    let middle = usize::from(cols.saturating_sub(4));
    (1..rows, any::<[bool; 2]>(), 0_u8..4)
        .prop_map(move |(row, [left, right], leave)| {
            let side = |wide| if wide { "界" } else { "||" };
            let (above, text) = (rows - 1, "m".repeat(middle));
            let mut out = format!(
                "\x1b[{above};1H\x1b[2K\x1b[{rows};1H\x1b[2K{}{text}{}",
                side(left),
                side(right)
            );
            if leave > 0 {
                let _ = write!(out, "\x1b[{row};1H");
            }
            bytes(out)
        })
        .boxed()
}

/// A frame in a synchronized update, as newer CLIs draw it.
fn frame(rows: u16) -> BoxedStrategy<Vec<u8>> {
    vec(whole_row(rows), 1..4)
        .prop_map(|rows| {
            let mut out = bytes("\x1b[?2026h");
            out.extend(rows.concat());
            out.extend(b"\x1b[?2026l");
            out
        })
        .boxed()
}

/// A scroll region, addressed from the screen's or from its own first row, that is scrolled and most times
/// given up again.
fn region_scrolled(rows: u16) -> BoxedStrategy<Vec<u8>> {
    let moves = select(vec![
        "\n\n", "\x1bM", "\x1b[2S", "\x1b[T", "\x1b[L", "\x1b[M",
    ]);
    (1..rows, 2..=rows, any::<bool>(), moves, 0_u8..3)
        .prop_map(move |(top, bottom, origin, moves, end)| {
            let (top, bottom) = (top.min(bottom - 1), bottom);
            let mut out = format!("\x1b[{top};{bottom}r");
            let at = if moves == "\n\n" { bottom } else { top };
            if origin {
                let at = at - top + 1;
                let _ = write!(out, "\x1b[?6h\x1b[{at};1H{moves}text");
            } else {
                let _ = write!(out, "\x1b[{at};1H{moves}text");
            }
            if origin && end > 0 {
                out.push_str("\x1b[?6l");
            }
            if end > 1 {
                out.push_str("\x1b[r");
            }
            out.push_str("\x1b[1;1H");
            bytes(out)
        })
        .boxed()
}

/// REP, right behind its character: there alone is what it repeats the same with and without a bar.
fn repeat() -> BoxedStrategy<Vec<u8>> {
    (select(vec!["-", "漢", "x"]), 1_u16..30)
        .prop_map(|(text, count)| bytes(format!("\x18{text}\x1b[{count}b")))
        .boxed()
}

/// Any one thing that a child may write, for a terminal of this size.
pub(crate) fn item(rows: u16, cols: u16) -> BoxedStrategy<Vec<u8>> {
    Union::new_weighted(vec![
        (24, words()),
        (3, long_text()),
        (4, to_the_edge(cols)),
        (3, wide_ends(rows, cols)),
        (2, frame(rows)),
        (2, region_scrolled(rows)),
        (12, sgr()),
        (14, position(rows, cols)),
        (14, whole_row(rows)),
        (10, one_of(&["\r\n", "\n", "\r", "\r\r\n"])),
        (2, one_of(&["\n\n\n\n\n\n\n\n", "\x1b[999B\n\n"])),
        (6, counted("ABCDEFG", 6)),
        (2, counted("d`ae", 5)),
        (
            6,
            one_of(&[
                "\x1b[K",
                "\x1b[2K",
                "\x1b[1K",
                "\x1b[J",
                "\x1b[2J",
                "\x1b[1J",
                "\x1b[3J",
                "\x1b[2J\x1b[H",
            ]),
        ),
        (3, counted("XP@", 8)),
        (3, counted("LM", 4)),
        (2, counted("ST", 3)),
        (2, region(rows)),
        (3, one_of(&["\x1bD", "\x1bM", "\x1bE", "\x1b7", "\x1b8"])),
        (
            2,
            one_of(&["\x1b[?1049h", "\x1b[?1049l", "\x1b[?1049h\x1b[2J\x1b[H"]),
        ),
        (
            4,
            one_of(&["\x1b[?2026h", "\x1b[?2026l", "\x1b[?2026l", "\x1b[?2026l"]),
        ),
        (
            3,
            one_of(&[
                "\x1b]0;✳ task\x07",
                "\x1b]2;other\x1b\\",
                "\x1b]0;\x07",
                "\x1b[22;0t",
                "\x1b[23;0t",
            ]),
        ),
        (
            2,
            one_of(&[
                "\x1b]8;id=1;http://h/\x1b\\link\x1b]8;;\x1b\\",
                "\x1b]8;id=2;u\x07",
                "\x1b]8;;\x07",
            ]),
        ),
        (
            3,
            one_of(&[
                "\t", "\x08", "\x08\x08", "\x07", "\x1bH", "\x1b[Z", "\x1b[I", "\x1b[3g",
            ]),
        ),
        (2, repeat()),
        (
            2,
            one_of(&[
                "\x1b[?7l", "\x1b[?7h", "\x1b[?7h", "\x1b[4h", "\x1b[4l", "\x1b[4l", "\x1b[20h",
                "\x1b[20l",
            ]),
        ),
        (1, one_of(&["\x1b[?6h", "\x1b[?6l", "\x1b[?6l"])),
        (
            2,
            one_of(&[
                "\x1b(0", "\x1b(B", "\x1b(B", "\x0e", "\x0f", "\x0f", "\x1b)0",
            ]),
        ),
        (
            2,
            one_of(&[
                "\x1b[6n",
                "\x1b[5n",
                "\x1b[c",
                "\x1b[?u",
                "\x1b[>1u",
                "\x1b[<u",
                "\x1b[?2004h",
                "\x1b[?25l",
                "\x1b[?25h",
            ]),
        ),
        (
            2,
            one_of(&[
                "\x1b[s",
                "\x1b[u",
                "\x1b[!p",
                "\x1b#8",
                "\x1bc\x1b]0;reset\x07",
                "\x1b[?1000h",
                "\x1b[2 q",
                "\x1b=",
                "\x1b>",
            ]),
        ),
        (
            2,
            one_of(&[
                "⚠\u{fe0f}",
                "👩\u{200d}💻",
                "🇩🇪",
                "👍🏽",
                "\u{301}",
                "\u{200b}",
                "\u{ad}",
                "ก\u{e33}",
                "\u{85}",
                "\u{fffd}",
            ]),
        ),
        (
            2,
            select(vec![
                &b"\xff"[..],
                b"\xe2\x9d",
                b"\xc3(",
                b"\x1b[?12;3",
                b"\x1b[3\x07;4H",
                b"\x1b[1;2<3m",
                b"\x1b]7;unfinished",
                b"\x1bP+q544e\x1b\\",
                b"\x1b_Ga=q;AAAA\x1b\\",
                b"\x1b_Gf=32;AAAA\x1b\\",
                b"\x18",
                b"\x1a",
                b"\x1b",
                b"\x1b[?9999h",
                b"\x1b[1;1;1;1;1*z",
            ])
            .prop_map(<[u8]>::to_vec)
            .boxed(),
        ),
    ])
    .boxed()
}
