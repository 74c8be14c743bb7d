//! Screen rows to the state of the prompt.
//!
//! The CLI draws its prompt between two rules of `─` over the whole width; its first row begins with
//! `❯` (older versions `>`, shell mode `!`) and a no-break space, further rows of a draft are indented
//! by two. In screen-reader mode there are no rules: the last row is `$` with the cursor behind it.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::wording::plain;
use crate::term::screen::{Row, Screen};

/// The state of the CLI's prompt. Whatever is not recognised is not free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Free and empty (a dim placeholder is empty).
    Free,
    /// Something is typed in it: the text, rows joined.
    Draft(String),
    /// Shell (`!`) mode.
    Shell,
    /// A menu at the prompt (slash, `@`), or history search.
    Menu,
    /// A dialog stands where the prompt was.
    Dialog,
    /// The transcript view, with no prompt at all.
    TranscriptView,
    /// No prompt is to be seen.
    None,
}

impl Prompt {
    /// Its name in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Draft(_) => "draft",
            Self::Shell => "shell",
            Self::Menu => "menu",
            Self::Dialog => "dialog",
            Self::TranscriptView => "transcript-view",
            Self::None => "none",
        }
    }

    /// The reason in words, for bar and log: "a draft is in the prompt".
    pub const fn why(&self) -> &'static str {
        match self {
            Self::Free => "the prompt is free",
            Self::Draft(_) => "a draft is in the prompt",
            Self::Shell => "the prompt is in shell mode",
            Self::Menu => "a menu is open",
            Self::Dialog => "a dialog is open",
            Self::TranscriptView => "the transcript view is open",
            Self::None => "no prompt in sight",
        }
    }
}

/// Column where the text of the prompt begins, behind its sign and a space.
const TEXT_COL: usize = 2;

/// Footer texts (below the prompt or at the bottom of a dialog) that mean that keys go elsewhere.
const DIALOG_SIGNS: [&str; 15] = [
    "esc to cancel",
    "esc to exit",
    "esc to close",
    "space to close",
    "to go back",
    "esc to go back",
    "esc to return",
    "enter to confirm",
    // The view of agents has a prompt of its own, for a new session.
    "enter to return",
    "enter to select",
    "enter to save",
    "press enter to continue",
    "do you want to",
    "continuing automatically at",
    "y/n",
];

/// The end of the window's title in the view of agents, whose prompt begins another session.
const AGENTS_TITLE: &str = "claude agents";

/// Texts of the menus that belong to the prompt: history search, the panel of shortcuts.
const MENU_SIGNS: [&str; 4] = [
    "search prompts",
    "search history",
    "filter history",
    "/ for commands",
];

/// Where the parts of the screen are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// The prompt's box: its two rules.
    Box {
        /// The rule above the prompt.
        upper: usize,
        /// The rule below it.
        lower: usize,
    },
    /// No box, but a rule over the whole width: a dialog or a view below it.
    Rule(usize),
    /// Screen-reader mode: the row that begins with `$`.
    Plain(usize),
    /// Nothing of the kind.
    Nothing,
}

impl Layout {
    /// The row below the conversation: the conversation's rows are those before it.
    pub(super) const fn floor(self) -> Option<usize> {
        match self {
            Self::Box { upper: row, .. } | Self::Rule(row) | Self::Plain(row) => Some(row),
            Self::Nothing => None,
        }
    }
}

/// Finds the prompt's place.
pub(super) fn layout(screen: &Screen) -> Layout {
    let rules: Vec<usize> = (0..screen.rows.len())
        .filter(|&row| is_rule(&screen.rows[row], screen.size.cols.into()))
        .collect();
    for pair in rules.windows(2).rev() {
        let (upper, lower) = (pair[0], pair[1]);
        let rows = &screen.rows[upper + 1..lower];
        if lower > upper + 1 && (is_box(rows) || is_end_of_box(&screen.rows[upper], rows)) {
            return Layout::Box { upper, lower };
        }
    }
    if let Some(&row) = rules.last() {
        return Layout::Rule(row);
    }
    match screen.rows.iter().rposition(|row| !is_blank(row)) {
        Some(row) if screen.rows[row].text.starts_with('$') => Layout::Plain(row),
        _ => Layout::Nothing,
    }
}

/// Reads the prompt.
pub fn read(screen: &Screen) -> Prompt {
    crate::fault::point("prompt");
    match layout(screen) {
        Layout::Box { upper, lower } => read_box(screen, upper, lower),
        Layout::Rule(row) => read_below(&screen.rows[row..]),
        Layout::Plain(row) => read_plain(screen, row),
        Layout::Nothing if has_choices(&screen.rows) => Prompt::Dialog,
        Layout::Nothing => read_end(&screen.rows),
    }
}

/// What stands typed in the prompt, for reading back: without placeholder and suggestions, a line feed
/// where the CLI broke a row (see [`same_text`]). `None` where no prompt of the ordinary kind is to be
/// seen.
pub fn typed(screen: &Screen) -> Option<String> {
    match layout(screen) {
        Layout::Box { upper, lower } => {
            if !matches!(sign(&screen.rows[upper + 1]), Some('❯' | '>')) {
                return None;
            }
            Some(box_text(screen, upper, lower))
        }
        Layout::Plain(row) => Some(plain_text(&screen.rows[row])),
        Layout::Rule(_) | Layout::Nothing => None,
    }
}

/// Is the text that was read from the prompt the message? A row's end in `read` (a line feed) may stand
/// for a space or for nothing; a no-break space is a space; combining marks, which a screen may lose, do
/// not count.
pub fn same_text(read: &str, message: &str) -> bool {
    let seen: Vec<char> = read.chars().filter(|&c| counts(c)).map(unify).collect();
    let wanted: Vec<char> = message
        .trim_end()
        .chars()
        .filter(|&c| counts(c))
        .map(unify)
        .collect();
    let (mut i, mut j) = (0, 0);
    while i < seen.len() {
        if seen[i] == '\n' {
            i += 1;
            while wanted.get(j) == Some(&' ') {
                j += 1;
            }
            while seen.get(i) == Some(&' ') {
                i += 1;
            }
        } else if wanted.get(j) == Some(&seen[i]) {
            i += 1;
            j += 1;
        } else {
            return false;
        }
    }
    j == wanted.len()
}

/// Does the character take room of its own?
fn counts(c: char) -> bool {
    c == '\n' || c.width().is_some_and(|width| width > 0)
}

fn unify(c: char) -> char {
    if c == '\u{a0}' { ' ' } else { c }
}

/// Only blanks?
pub(super) fn is_blank(row: &Row) -> bool {
    row.text.chars().all(char::is_whitespace)
}

/// A rule over the whole width, from the first column on. A label may stand in it, in a narrow terminal longer
/// than what is left of the rule: `─── History 1/1 ────`.
fn is_rule(row: &Row, cols: usize) -> bool {
    let mut chars = row.text.chars();
    let Some(line @ ('─' | '▔' | '━')) = chars.next() else {
        return false;
    };
    if chars.next() != Some(line) {
        return false;
    }
    let (mut drawn, mut all) = (2, 2);
    for c in chars {
        all += 1;
        drawn += usize::from(c == line);
    }
    let width = row.text.width();
    let labelled = || {
        let side = [line; 3].iter().collect::<String>();
        row.text.starts_with(&side) && row.text.ends_with(&side)
    };
    row.text.ends_with(line) && width + 1 >= cols && (drawn * 2 >= all || labelled())
}

/// The sign at the prompt's start, when a space stands behind it.
fn sign(row: &Row) -> Option<char> {
    let mut chars = row.text.chars();
    let sign = chars.next()?;
    match chars.next() {
        // The blank behind the sign of an empty prompt may be cut off with the trailing blanks.
        None | Some(' ' | '\u{a0}') => Some(sign),
        Some(_) => None,
    }
}

/// The rows between two rules: are they a prompt's?
fn is_box(rows: &[Row]) -> bool {
    let Some((first, more)) = rows.split_first() else {
        return false;
    };
    matches!(sign(first), Some('❯' | '>' | '!' | '#' | '&'))
        && more
            .iter()
            .all(|row| is_blank(row) || indent(row) >= TEXT_COL)
}

/// The last rows of a draft that is longer than its box: the rule above them tells how many are out of sight,
/// `─── ↑ 21 more ───`.
fn is_end_of_box(upper: &Row, rows: &[Row]) -> bool {
    has_more_above(upper)
        && rows
            .iter()
            .all(|row| is_blank(row) || indent(row) >= TEXT_COL)
}

fn has_more_above(upper: &Row) -> bool {
    upper.text.contains(" ↑ ") && upper.text.contains(" more ")
}

/// The column of the first character that is not a blank.
pub(super) fn indent(row: &Row) -> usize {
    row.text.chars().take_while(|c| c.is_whitespace()).count()
}

fn read_box(screen: &Screen, upper: usize, lower: usize) -> Prompt {
    let first = &screen.rows[upper + 1];
    match sign(first) {
        Some('!') => return Prompt::Shell,
        // Memory (`#`) and background (`&`) modes take the text for something else than a message.
        Some('#' | '&') => return Prompt::Menu,
        _ => {}
    }
    if screen.title.ends_with(AGENTS_TITLE) || goes_on_by_itself(screen, upper, lower) {
        return Prompt::Dialog;
    }
    match read_below(&screen.rows[lower + 1..]) {
        Prompt::None => {}
        other => return other,
    }
    let text = box_text(screen, upper, lower);
    if has_more_above(&screen.rows[upper]) {
        return Prompt::Draft(plain(&text));
    }
    if text.starts_with(['/', '@']) || has_menu_above(screen, upper) {
        return Prompt::Menu;
    }
    if text.trim().is_empty() {
        // A blank that was typed is a draft too: the cursor has moved.
        return match cursor(screen, upper, lower) {
            Some((row, TEXT_COL)) if row == upper + 1 && lower == upper + 2 => Prompt::Free,
            Some(_) => Prompt::Draft(String::new()),
            None => Prompt::Menu,
        };
    }
    Prompt::Draft(plain(&text))
}

/// The cursor in the box: the terminal's, or, where that is hidden and parked at a row's start (2.0.76),
/// the one that is drawn as an inverse cell.
fn cursor(screen: &Screen, upper: usize, lower: usize) -> Option<(usize, usize)> {
    let (row, col) = (usize::from(screen.cursor.0), usize::from(screen.cursor.1));
    if (upper + 1..lower).contains(&row) {
        return Some((row, col));
    }
    if !(screen.cursor_hidden && col == 0) {
        return None;
    }
    let inverse = |row: &Row| row.cells.iter().position(|cell| cell.inverse);
    // Where it is drawn nowhere, or elsewhere, the keys may go to something whose mark was cut off.
    (upper + 1..lower).find_map(|row| Some((row, inverse(&screen.rows[row])?)))
}

/// The text typed into the box, rows by line feeds.
fn box_text(screen: &Screen, upper: usize, lower: usize) -> String {
    let rows = &screen.rows[upper + 1..lower];
    if is_placeholder(rows) {
        return String::new();
    }
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        text.push_str(undimmed(row, TEXT_COL).trim_end_matches([' ', '\u{a0}']));
    }
    text.truncate(text.trim_end_matches('\n').len());
    text
}

/// All of the text is dim, but for the first character where the cursor is drawn on it.
fn is_placeholder(rows: &[Row]) -> bool {
    let mut dim = 0;
    for (index, row) in rows.iter().enumerate() {
        for (col, cell) in row.cells.iter().enumerate().skip(TEXT_COL) {
            let is_cursor = index == 0 && col == TEXT_COL && cell.inverse;
            if cell.dim {
                dim += 1;
            } else if !is_cursor && !is_blank_at(row, col) {
                return false;
            }
        }
    }
    dim > 0
}

/// Is there a blank in that column?
fn is_blank_at(row: &Row, col: usize) -> bool {
    row.from_col(col)
        .chars()
        .next()
        .is_none_or(char::is_whitespace)
}

/// The row's text from a column on, without what is dim (suggestions, argument hints).
fn undimmed(row: &Row, from: usize) -> String {
    let mut text = String::new();
    let mut col = from;
    while let Some(cell) = row.cells.get(col) {
        let start = cell.start as usize;
        let mut next = col + 1;
        while row
            .cells
            .get(next)
            .is_some_and(|other| other.start == cell.start)
        {
            next += 1;
        }
        let end = row
            .cells
            .get(next)
            .map_or(row.text.len(), |other| other.start as usize);
        if !cell.dim {
            text.push_str(&row.text[start..end]);
        }
        col = next;
    }
    text
}

/// A slash or `@` menu drawn above the prompt's box (2.1.330 draws it there).
fn has_menu_above(screen: &Screen, upper: usize) -> bool {
    upper > 0 && start_of_menu_row(&screen.rows, upper - 1, false).is_some()
}

/// Is what is typed something that a menu is drawn for?
pub(super) fn asks_for_menu(screen: &Screen) -> bool {
    typed(screen).is_some_and(|text| text.starts_with('/') || text.contains('@'))
}

/// Where the entry of a menu whose last row this is begins: in a narrow terminal its description is broken.
/// With `asked` the prompt asks for a menu: then it is enough to look a little like one (2.1.250).
pub(super) fn start_of_menu_row(rows: &[Row], last: usize, asked: bool) -> Option<usize> {
    /// Deeper than any name begins; more rows than a description takes at 20 columns.
    const DESCRIPTION_COL: usize = 8;
    const MOST: usize = 6;
    for start in (last.saturating_sub(MOST)..=last).rev() {
        if is_menu_row(&rows[start], asked) {
            return Some(start);
        }
        if is_blank(&rows[start]) || indent(&rows[start]) < DESCRIPTION_COL {
            return None;
        }
    }
    None
}

/// A row of the slash menu or of the file menu.
fn is_menu_row(row: &Row, asked: bool) -> bool {
    let Some(behind) = row.text.strip_prefix("  ") else {
        return false;
    };
    let marked = behind
        .strip_prefix("❯ ")
        .or_else(|| behind.strip_prefix("  "));
    let Some(rest) = marked.or(asked.then_some(behind)) else {
        return false;
    };
    if asked && rest.starts_with("No commands match") {
        return true;
    }
    match rest.chars().next() {
        Some('/') => rest[1..].starts_with(|c: char| c.is_alphanumeric()),
        Some('+' | '*' | '◇') => rest.chars().nth(1) == Some(' '),
        _ => false,
    }
}

/// What the rows below the conversation, or below the prompt, say.
fn read_below(rows: &[Row]) -> Prompt {
    // A sign may be broken into two rows.
    let text = joined(rows);
    let says = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
    if says(&["showing detailed "]) {
        Prompt::TranscriptView
    } else if says(&MENU_SIGNS) || rows.iter().any(is_shortcuts) || is_search(rows) {
        Prompt::Menu
    } else if says(&DIALOG_SIGNS)
        || has_choices(rows)
        || rows.first().is_some_and(|row| row.text.starts_with('▔'))
    {
        Prompt::Dialog
    } else {
        Prompt::None
    }
}

/// The first row of the panel of shortcuts, whose columns break every other sign in a narrow terminal. (A status
/// line of the user's may begin with `! ` too.)
fn is_shortcuts(row: &Row) -> bool {
    let text = row.text.trim_start();
    text.starts_with("! for") || text.starts_with("!  ")
}

/// After a usage limit the CLI goes on by itself, unless the user types: said above the prompt and below it,
/// where either may be cut off.
fn goes_on_by_itself(screen: &Screen, upper: usize, lower: usize) -> bool {
    const NOTICE_ROWS: usize = 12;
    let above = &screen.rows[upper.saturating_sub(NOTICE_ROWS)..upper];
    let below = &screen.rows[lower + 1..];
    joined(above).contains("continuing automatically at ")
        || below
            .iter()
            .any(|row| row.text.trim_start().starts_with("⚠ Usage limit"))
}

/// The rows' words in lower case.
fn joined(rows: &[Row]) -> String {
    let words = rows.iter().flat_map(|row| row.text.split_whitespace());
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

/// `search prompts:` in a column that is too narrow for it.
fn is_search(rows: &[Row]) -> bool {
    let first = |row: &Row| row.text.split_whitespace().next().map(str::to_lowercase);
    rows.windows(2).any(|pair| {
        first(&pair[0]).as_deref() == Some("search")
            && first(&pair[1]).as_deref() == Some("prompts:")
    })
}

/// No rule and no prompt in sight: what the last rows say. (Above them may stand a conversation.)
fn read_end(rows: &[Row]) -> Prompt {
    const SHELL: &str = "! for shell mode";
    let Some(last) = rows.iter().rposition(|row| !is_blank(row)) else {
        return Prompt::None;
    };
    let end = &rows[last.saturating_sub(FOOTER_ROWS - 1)..=last];
    if end.iter().any(|row| row.text.starts_with(SHELL)) {
        return Prompt::Shell;
    }
    read_below(end)
}

/// A list of numbered choices with the mark at one of them: `❯ 1. Yes`.
fn has_choices(rows: &[Row]) -> bool {
    rows.iter().any(|row| {
        let text = row.text.trim_start().trim_start_matches(['│', ' ']);
        let Some(rest) = text.strip_prefix("❯ ") else {
            return false;
        };
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        digits > 0 && rest[digits..].starts_with(". ")
    })
}

/// Column where what is typed begins in screen-reader mode.
const SPOKEN_COL: u16 = 3;

/// Rows of a footer in screen-reader mode, or of a view's last words.
const FOOTER_ROWS: usize = 8;

/// Screen-reader mode: the row begins with `$`. What the prompt is taken for stands in the rows above it: while
/// the history is searched, `search prompts:`.
fn read_plain(screen: &Screen, row: usize) -> Prompt {
    let text = plain_text(&screen.rows[row]);
    let (cursor_row, cursor_col) = screen.cursor;
    if usize::from(cursor_row) != row {
        return Prompt::Menu;
    }
    let footer = &screen.rows[row.saturating_sub(FOOTER_ROWS)..row];
    let says = |row: &Row| {
        let text = row.text.to_lowercase();
        MENU_SIGNS.iter().any(|sign| text.starts_with(sign))
    };
    if footer.iter().any(says) {
        return Prompt::Menu;
    }
    match text.chars().next() {
        Some('/' | '@') => Prompt::Menu,
        Some('!') => Prompt::Shell,
        Some(_) => Prompt::Draft(plain(&text)),
        // Behind the sign, or where text would begin (2.1.200).
        None if matches!(cursor_col, 1 | SPOKEN_COL) => Prompt::Free,
        None => Prompt::Draft(String::new()),
    }
}

/// What is typed behind the `$`.
fn plain_text(row: &Row) -> String {
    undimmed(row, 1).trim_matches([' ', '\u{a0}']).to_owned()
}
