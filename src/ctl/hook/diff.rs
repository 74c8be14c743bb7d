//! What a change of a text shows of itself.

use std::fmt::Write as _;

/// Of a line that is longer only a part is shown. Our hook's longest line is shorter, unless it is indented
/// or installed very deep.
const LINE_AT_MOST: usize = 160;

/// The lines that go and come, in one piece, each with its sign. Only they are shown: what stands around
/// them may be secret. A comma that a line gets for the sake of the next is not worth a line.
pub(super) fn diff(old: &str, new: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same = |old: &str, new: &str| {
        let comma = |long: &str, short: &str| long.strip_suffix(',') == Some(short);
        old == new || comma(old, new) || comma(new, old)
    };
    let both = before.iter().zip(&after);
    let head = both.take_while(|(old, new)| same(old, new)).count();
    let (before, after) = (&before[head..], &after[head..]);
    let both = before.iter().rev().zip(after.iter().rev());
    let tail = both.take_while(|(old, new)| old == new).count();
    let before = &before[..before.len() - tail];
    let after = &after[..after.len() - tail];
    // A minified file is one line: only the part of it that changes.
    if let ([old], [new]) = (before, after)
        && old.len().max(new.len()) > LINE_AT_MOST
    {
        let (old, new) = middle(old, new);
        return lines('-', &[old]) + &lines('+', &[new]);
    }
    lines('-', before) + &lines('+', after)
}

fn lines(sign: char, lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        let line = line.replace('\t', "    ");
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        let _ = writeln!(text, "  {sign} {line}");
    }
    text
}

/// What two lines do not have in common.
fn middle<'a>(old: &'a str, new: &'a str) -> (&'a str, &'a str) {
    let head: usize = old
        .chars()
        .zip(new.chars())
        .take_while(|(old, new)| old == new)
        .map(|(c, _)| c.len_utf8())
        .sum();
    let (old, new) = (&old[head..], &new[head..]);
    let tail: usize = old
        .chars()
        .rev()
        .zip(new.chars().rev())
        .take_while(|(old, new)| old == new)
        .map(|(c, _)| c.len_utf8())
        .sum();
    (&old[..old.len() - tail], &new[..new.len() - tail])
}
