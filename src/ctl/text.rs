//! Text for people: folded lines, numbers with their nouns.

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
    fn a_line_is_folded_at_its_blanks() {
        assert_eq!(folded("  a bc def", 6, 2), "  a bc\n  def");
        assert_eq!(folded("  a bc def", 80, 2), "  a bc def");
        assert_eq!(folded("toolongaword x", 4, 2), "toolongaword\n  x");
    }
}
