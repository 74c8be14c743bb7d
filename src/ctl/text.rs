//! Text for people: folded lines, numbers with their nouns.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

/// `1 error`, `2 errors`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A line folded at blanks, what follows indented. A word that is longer than a line stays whole.
pub(super) fn folded(line: &str, width: usize, indent: usize) -> String {
    let mut text = String::new();
    let start = line.len() - line.trim_start().len();
    let (head, rest) = line.split_at(start);
    text += head;
    let mut used = head.len();
    for word in rest.split_inclusive(' ') {
        let len = word.trim_end().chars().count();
        if used + len > width && used > indent {
            text.truncate(text.trim_end().len());
            text.push('\n');
            text += &" ".repeat(indent);
            used = indent;
        }
        text += word;
        used += word.chars().count();
    }
    text
}

/// A path as it may be shown: without control characters.
pub(super) fn path(path: &Path) -> String {
    let path = path.to_string_lossy();
    path.chars().filter(|c| !c.is_control()).collect()
}

/// A JSON value in one line; DEL and the C1 controls are escaped too, which JSON lets stand.
pub(super) fn json(value: &Value) -> String {
    let text = value.to_string();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// The columns of stdout; 80 where that is no terminal, or it does not know.
pub(super) fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    match size.map_or(0, |size| usize::from(size.ws_col)) {
        0 => 80,
        columns => columns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_controls_the_terminal() {
        let text = "a\u{9b}2J\u{7f}\u{1b}b";
        assert_eq!(path(text.as_ref()), "a2Jb");
        let line = json(&Value::from(text));
        assert_eq!(line, "\"a\\u009b2J\\u007f\\u001bb\"");
        assert_eq!(serde_json::from_str::<String>(&line).expect("JSON"), text);
    }

    #[test]
    fn a_line_is_folded_at_its_blanks() {
        assert_eq!(folded("  a bc def", 6, 2), "  a bc\n  def");
        assert_eq!(folded("  a bc def", 80, 2), "  a bc def");
        assert_eq!(folded("toolongaword x", 4, 2), "toolongaword\n  x");
    }
}
