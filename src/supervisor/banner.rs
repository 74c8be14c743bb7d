//! Screen rows to the error block that ends the conversation, wraps joined.
//!
//! The conversation stands above the prompt (or above what stands in its place) in blocks, each with a
//! sign at its start and a hanging indent. An error is a block of its own: behind `●` (older `⏺`), or
//! behind `⎿` beneath the user's line or beneath a tool's output. Only the last block counts, and only
//! where its beginning is in sight.

use std::sync::LazyLock;

use regex::Regex;
use unicode_width::UnicodeWidthStr;

use super::prompt::{self, Layout, asks_for_menu, indent, is_blank, start_of_menu_row};
use super::wording::{self, Catalogue, Reading};
use crate::term::screen::{Row, Screen};

/// The error block that ends the conversation on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banner {
    /// Its text from `API Error` (or the bare wording) on, rows joined with single spaces, control
    /// characters stripped.
    pub text: String,
    /// What it says.
    pub reading: Reading,
    /// The line of a finished turn stands behind it, with more than its duration (`· done 9:33 AM`): 2.1.330
    /// has that behind answers only, 2.1.250 behind errors too. An answer may be the very words of an error.
    pub finished: bool,
}

impl Banner {
    /// The banner that a block's text is: it must start by `API Error` or by a wording of the catalogue.
    fn of(text: &str, catalogue: &Catalogue) -> Option<Self> {
        let text = wording::plain(text);
        let reading = catalogue.read(&text);
        (reading != Reading::Unknown || wording::has_prefix(&text)).then_some(Self {
            text,
            reading,
            finished: false,
        })
    }

    /// The same of a block's rows. In a narrow terminal the CLI breaks a long word; which row ends in one is
    /// not to be seen, so every way to join them counts: the one that keeps us off first.
    fn of_rows(first: &str, more: &[Row], catalogue: &Catalogue) -> Option<Self> {
        let joined = |is_broken: &dyn Fn(usize) -> bool| {
            let mut text = first.to_owned();
            for (at, row) in more.iter().enumerate() {
                if !is_broken(at) {
                    text.push(' ');
                }
                text.push_str(row.text.trim());
            }
            Self::of(&text, catalogue)
        };
        let banner = joined(&|_| false)?;
        let one = (0..more.len()).filter_map(|broken| joined(&|at| at == broken));
        let all = joined(&|_| true);
        let strictest = one
            .chain(all)
            .filter(|other| other.reading.strictness() < banner.reading.strictness())
            .min_by_key(|other| other.reading.strictness());
        Some(match strictest {
            None => banner,
            Some(mended) if banner.reading == Reading::Unknown => mended,
            Some(Self { reading, .. }) => Self { reading, ..banner },
        })
    }
}

/// Rows of one block that are looked at: an error is never longer, not even at 20 columns.
const MAX_ROWS: usize = 24;

/// Column of the `⎿` sign, and of the text behind it.
const ELBOW_COL: usize = 2;
const ELBOW_TEXT_COL: usize = 5;

/// Column of the text behind `●`.
const BULLET_TEXT_COL: usize = 2;

/// Local commands after which an earlier error is history: they change what the conversation is.
pub(super) const REWRITING_COMMANDS: [&str; 14] = [
    "branch",
    "checkpoint",
    "clear",
    "compact",
    "continue",
    "exit",
    "fork",
    "logout",
    "new",
    "quit",
    "reset",
    "resume",
    "rewind",
    "teleport",
];

/// Finds the error block that ends the conversation, if the last block above the prompt is one.
pub fn find(screen: &Screen) -> Option<Banner> {
    find_by(screen, Catalogue::builtin())
}

/// The same by the user's catalogue.
pub fn find_by(screen: &Screen, catalogue: &Catalogue) -> Option<Banner> {
    crate::fault::point("banner");
    match prompt::layout(screen) {
        Layout::Plain(row) => find_spoken(screen, row, catalogue),
        layout => find_drawn(screen, layout.floor()?, catalogue),
    }
}

/// Is the CLI at work by what stands on the screen (its spinner line, `esc to interrupt`, its own
/// retry line) or in the title (its busy glyph)?
pub fn busy(screen: &Screen) -> bool {
    title(&screen.title) == Title::Busy || works(screen, Catalogue::builtin())
}

/// Is it at work by what stands on the screen, whatever the title says?
pub fn works(screen: &Screen, catalogue: &Catalogue) -> bool {
    works_beside(screen, find_by(screen, catalogue).as_ref())
}

/// The same where [`find_by`] has been asked already.
pub fn works_beside(screen: &Screen, banner: Option<&Banner>) -> bool {
    let layout = prompt::layout(screen);
    let footer = match layout {
        Layout::Box { lower, .. } => lower + 1,
        // The footer stands above the `$`.
        Layout::Plain(row) => row.saturating_sub(4),
        Layout::Rule(row) => row,
        // No prompt in sight: all rows may be the CLI's own.
        Layout::Nothing => 0,
    };
    let works = |row: &Row| {
        let text = row.text.to_lowercase();
        text.contains("esc to interrupt") || text.contains("retrying in")
    };
    if screen.rows[footer..].iter().any(works) {
        return true;
    }
    match (banner, layout) {
        // The spinner is always the last thing: what looks like one above an error is part of an answer.
        (Some(banner), _) => banner.reading == Reading::StillRetrying,
        // An answer may begin a row with anything here; there is no spinner.
        (None, Layout::Plain(_)) => false,
        (None, layout) => {
            let end = layout.floor().unwrap_or(screen.rows.len());
            screen.rows[..end].iter().any(is_spinner)
        }
    }
}

/// What the window's title says of the CLI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Title {
    /// It begins with the idle glyph.
    Idle,
    /// It begins with a busy glyph: a turning circle or a braille spinner.
    Busy,
    /// Anything else says nothing.
    Other,
}

/// Reads a title.
pub fn title(title: &str) -> Title {
    let mut chars = title.chars();
    let glyph = chars.next();
    if chars.next().is_some_and(|next| !next.is_whitespace()) {
        return Title::Other;
    }
    match glyph {
        Some('✳') => Title::Idle,
        Some('◐' | '◓' | '◑' | '◒' | '\u{2801}'..='\u{28ff}') => Title::Busy,
        _ => Title::Other,
    }
}

/// The frames of the CLI's spinner; each also stands before the line that a turn leaves behind.
fn is_spinner_glyph(c: char) -> bool {
    matches!(
        c,
        '·' | '✢' | '✳' | '✶' | '✻' | '✽' | '*' | '∗' | '⋆' | '✺' | '✦' | '✧'
    )
}

/// What stands behind a spinner glyph at the row's start.
fn behind_spinner_glyph(row: &Row) -> Option<&str> {
    let rest = row.text.strip_prefix(is_spinner_glyph)?;
    rest.strip_prefix([' ', '\u{a0}'])
}

/// The line of a turn that goes on: `✻ Crunching… (esc to interrupt)`, `✻ API error · retrying in 5s`.
fn is_spinner(row: &Row) -> bool {
    behind_spinner_glyph(row).is_some_and(|text| {
        let lower = text.to_lowercase();
        lower.contains('…')
            || lower.contains("esc to interrupt")
            || lower.contains("retrying in")
            || lower.contains("retry in")
            || lower.contains("next try in")
            || lower.starts_with("waiting for ")
            || (lower.starts_with("queued") && lower.contains("to send now"))
    })
}

/// The line that a turn leaves behind: `✻ Brewed for 1m 2s`, on newer versions `… · done 9:33 AM`.
static DURATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\p{Alphabetic}[\p{Alphabetic}\-']* for \d+(?:\.\d+)?[hms](?: \d+[hms])*(?P<done> · .*)?$")
        .expect("the pattern compiles")
});

/// Rows of that line at most: at 20 columns, with `· 1 shell still running` in it.
const DURATION_ROWS: usize = 4;

/// Where the line that a turn leaves behind ends at `last`: its first row, and whether there is more in it than
/// the duration.
fn start_of_duration(rows: &[Row], last: usize) -> Option<(usize, bool)> {
    for start in (last.saturating_sub(DURATION_ROWS - 1)..=last).rev() {
        if let Some(text) = behind_spinner_glyph(&rows[start]) {
            let mut text = text.trim_end().to_owned();
            for row in &rows[start + 1..=last] {
                text.push(' ');
                text.push_str(row.text.trim());
            }
            let found = DURATION.captures(&text)?;
            return Some((start, found.name("done").is_some()));
        }
        if !is_hanging(&rows[start]) {
            return None;
        }
    }
    None
}

/// A row that goes on with the one above it; one blank more where the CLI broke before a space.
fn is_hanging(row: &Row) -> bool {
    !is_blank(row) && (BULLET_TEXT_COL..=BULLET_TEXT_COL + 1).contains(&indent(row))
}

/// A tool's call: `Bash(ls)`, `server - tool (MCP)(…)`.
static TOOL_CALL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[\p{Alphabetic}][\w.:\-]*(?: [\w.:\-]+){0,4}(?: \(MCP\))?\(")
        .expect("the pattern compiles")
});

/// What begins at a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// `●`, `⏺`: a message, a tool's call, an error.
    Bullet,
    /// `⎿`: what belongs to the block above it.
    Elbow,
    /// `❯`, older `>`: the user's line.
    User,
    /// `!`: a shell command of the user's.
    Shell,
}

fn head(row: &Row) -> Option<Head> {
    let mut chars = row.text.chars().peekable();
    let blanks = std::iter::from_fn(|| chars.next_if(|c| c.is_whitespace())).count();
    let head = match (blanks, chars.next()?) {
        (0, '●' | '⏺') => Head::Bullet,
        (ELBOW_COL, '⎿') => Head::Elbow,
        (0, '❯' | '>') => Head::User,
        (0, '!') => Head::Shell,
        _ => return None,
    };
    chars.next().is_none_or(char::is_whitespace).then_some(head)
}

/// The text behind a head's sign.
fn text_of(row: &Row) -> &str {
    let mut chars = row.text.trim_start().chars();
    chars.next();
    chars.as_str().trim_start()
}

/// The block whose last row is `last`: its first row, where that is in sight. Rows of one block follow
/// each other without a blank one.
fn start_of_block(rows: &[Row], last: usize) -> Option<(usize, Head)> {
    for start in (last.saturating_sub(MAX_ROWS - 1)..=last).rev() {
        if let Some(head) = head(&rows[start]) {
            return Some((start, head));
        }
        if is_blank(&rows[start]) || indent(&rows[start]) < BULLET_TEXT_COL {
            return None;
        }
    }
    None
}

fn find_drawn(screen: &Screen, floor: usize, catalogue: &Catalogue) -> Option<Banner> {
    let rows = &screen.rows;
    let cols = usize::from(screen.size.cols);
    let mut end = floor;
    let asked = asks_for_menu(screen);
    let mut durations = 0;
    let mut finished = false;
    // Skip what stands between the conversation and the prompt.
    loop {
        let last = end.checked_sub(1)?;
        let row = &rows[last];
        if is_blank(row) || is_at_right(row, cols) {
            end = last;
        } else if let Some(start) = start_of_note(rows, last) {
            end = start;
        } else if let Some(start) =
            start_of_menu_row(rows, last, asked).or_else(|| start_of_tasks(rows, last))
        {
            end = start;
        } else if let Some((start, more)) = start_of_duration(rows, last) {
            // There is never a second one.
            if durations > 0 {
                return None;
            }
            durations += 1;
            finished = more;
            end = start;
        } else if let Some(start) = start_of_local_command(rows, last, catalogue) {
            end = start;
        } else {
            break;
        }
    }
    let last = end - 1;
    let (start, head) = start_of_block(rows, last)?;
    let text_col = match head {
        Head::Bullet => BULLET_TEXT_COL,
        Head::Elbow => ELBOW_TEXT_COL,
        Head::User | Head::Shell => return None,
    };
    // The hanging indent; one more where the CLI broke before a space.
    let hangs = |row: &Row| (text_col..=text_col + 1).contains(&indent(row));
    if !rows[start + 1..=last].iter().all(hangs) || rows[start..=last].iter().any(is_filled) {
        return None;
    }
    let banner = Banner {
        finished,
        ..Banner::of_rows(text_of(&rows[start]), &rows[start + 1..=last], catalogue)?
    };
    match (head, owner(rows, start, cols)) {
        (Head::Elbow, Owner::Tool | Owner::Shell | Owner::OutOfSight) => None,
        (Head::Elbow, Owner::Command("compact")) => Some(Banner {
            reading: Reading::Permanent("compaction"),
            ..banner
        }),
        _ => Some(banner),
    }
}

/// What a `⎿` block belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner<'a> {
    /// The user's message: the block is what came of the turn.
    User,
    /// A slash command.
    Command(&'a str),
    /// A `!` command: the block is its output.
    Shell,
    /// A tool's call: the block is its output.
    Tool,
    /// A message of the assistant, or a tool's output above it.
    Message,
    /// It would be above the first row.
    OutOfSight,
}

/// Finds what the `⎿` block that begins at `start` belongs to.
fn owner(rows: &[Row], start: usize, cols: usize) -> Owner<'_> {
    let Some(above) = start.checked_sub(1) else {
        return Owner::OutOfSight;
    };
    if is_blank(&rows[above]) || is_at_right(&rows[above], cols) {
        // Set apart: nobody's output (so the transcript view shows an error).
        return Owner::Message;
    }
    let Some((first, head)) = start_of_block(rows, above) else {
        return Owner::OutOfSight;
    };
    let text = text_of(&rows[first]);
    match head {
        Head::User => slash_command(text).map_or(Owner::User, Owner::Command),
        Head::Shell => Owner::Shell,
        Head::Bullet if is_tool_call(&rows[first..=above]) => Owner::Tool,
        // The second `⎿` below a tool's call is the error of the turn (2.1.145), not the tool's output;
        // below a shell command it would still be output.
        Head::Elbow => match owner(rows, first, cols) {
            shell @ (Owner::Shell | Owner::Command(_) | Owner::OutOfSight) => shell,
            _ => Owner::Message,
        },
        Head::Bullet => Owner::Message,
    }
}

/// The call's own name may be broken into rows, that of a server's tool in a narrow terminal.
fn is_tool_call(block: &[Row]) -> bool {
    let mut text = text_of(&block[0]).trim_end().to_owned();
    for row in &block[1..] {
        text.push(' ');
        text.push_str(row.text.trim());
    }
    TOOL_CALL.is_match(&text)
}

/// The name of the slash command in a line of the user's.
fn slash_command(text: &str) -> Option<&str> {
    let name = text.strip_prefix('/')?.split_whitespace().next()?;
    name.chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ':'))
        .then_some(name)
}

/// Where the block that ends at `last` is a slash command that the CLI itself did (`/model`), with its
/// output or still without: the command's row. Such a command starts no turn; what stands above it still
/// ends the conversation.
fn start_of_local_command(rows: &[Row], last: usize, catalogue: &Catalogue) -> Option<usize> {
    let (mut start, mut kind) =
        start_of_block(rows, last).or_else(|| start_of_output(rows, last))?;
    while kind == Head::Elbow {
        let mut text = text_of(&rows[start]).to_owned();
        if let Some(next) = rows.get(start + 1).filter(|_| start < last) {
            text.push(' ');
            text.push_str(next.text.trim());
        }
        if Banner::of(&text, catalogue).is_some() {
            return None;
        }
        (start, kind) = start_of_block(rows, start.checked_sub(1)?)?;
    }
    let name = slash_command(text_of(&rows[start]))?;
    (kind == Head::User && !REWRITING_COMMANDS.contains(&name)).then_some(start)
}

/// The same of a command's output with blank rows in it.
fn start_of_output(rows: &[Row], last: usize) -> Option<(usize, Head)> {
    for start in (last.saturating_sub(MAX_ROWS - 1)..=last).rev() {
        if head(&rows[start]) == Some(Head::Elbow) {
            return Some((start, Head::Elbow));
        }
        if !is_blank(&rows[start]) && indent(&rows[start]) < ELBOW_TEXT_COL {
            return None;
        }
    }
    None
}

/// A row whose text stands at the right edge, alone: the effort, a time. In a narrow terminal some are longer
/// than half a row: `● high · /effort`, `ctrl+g to edit in Vim`.
fn is_at_right(row: &Row, cols: usize) -> bool {
    let width = row.text.width();
    let from = indent(row);
    let long = || row.text.contains("ctrl+g to edit in ") || is_effort(row.text.trim_start());
    let at_edge = width + 10 >= cols && !is_blank(row);
    at_edge && (from >= cols / 2 || (from >= BULLET_TEXT_COL && long()))
}

/// `◐ medium · /effort`, its end maybe cut off.
fn is_effort(text: &str) -> bool {
    text.starts_with(['○', '◔', '◑', '◐', '◕', '●', '◉']) && text.contains(" · /e")
}

/// The head of the list of tasks, which 2.1.200 keeps above the prompt: `1 tasks (0 done, 1 open)`.
static TASKS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^  \d+ tasks? \(\d").expect("the pattern compiles"));

/// Where the list of tasks that ends at `last` begins.
fn start_of_tasks(rows: &[Row], last: usize) -> Option<usize> {
    let above = rows[..=last].iter().rposition(|row| {
        is_blank(row) || indent(row) < BULLET_TEXT_COL || TASKS.is_match(&row.text)
    })?;
    TASKS.is_match(&rows[above].text).then_some(above)
}

/// Where a note of the prompt's own begins that ends at `last`: `› Stashed (auto-restores after submit)`, broken
/// in a narrow terminal.
fn start_of_note(rows: &[Row], last: usize) -> Option<usize> {
    const MOST: usize = 3;
    for start in (last.saturating_sub(MOST - 1)..=last).rev() {
        if rows[start].text.starts_with("  › ") {
            return Some(start);
        }
        if !is_hanging(&rows[start]) {
            return None;
        }
    }
    None
}

/// A row that is filled with a colour: the user's own line.
fn is_filled(row: &Row) -> bool {
    row.cells.iter().any(|cell| cell.filled)
}

/// Screen-reader mode: blocks begin by a word and a colon, wraps are not indented, and the lines of the
/// footer stand between the conversation and the `$`.
fn find_spoken(screen: &Screen, floor: usize, catalogue: &Catalogue) -> Option<Banner> {
    const LABEL: &str = "error: ";
    let rows = &screen.rows[..floor];
    let cols = usize::from(screen.size.cols);
    let start = rows.iter().rposition(|row| row.text.starts_with(LABEL))?;
    let mut text = rows[start].text[LABEL.len()..].to_owned();
    let mut next = start + 1;
    // A row is a wrap's rest where its first word had no room in the row before.
    while let Some(row) = rows.get(next) {
        let word = row
            .text
            .split_whitespace()
            .next()
            .map_or(0, UnicodeWidthStr::width);
        let ended = DURATION.is_match(&row.text);
        if word == 0 || ended || rows[next - 1].text.width() + 1 + word <= cols {
            break;
        }
        text.push(' ');
        text.push_str(row.text.trim());
        next += 1;
    }
    let said = |row: &Row| {
        row.text
            .split_once(": ")
            .is_some_and(|(label, _)| SPEAKERS.contains(&label))
    };
    if rows[next..].len() > MAX_FOOTER || rows[next..].iter().any(said) {
        return None;
    }
    let finished = |row: &Row| {
        let found = DURATION.captures(&row.text);
        found.is_some_and(|found| found.name("done").is_some())
    };
    Some(Banner {
        finished: rows[next..].iter().any(finished),
        ..Banner::of(&text, catalogue)?
    })
}

/// Who speaks in screen-reader mode.
const SPEAKERS: [&str; 10] = [
    "you",
    "claude",
    "assistant",
    "error",
    "tool",
    "tool result",
    "result",
    "system",
    "shell",
    "output",
];

/// Rows of the footer in screen-reader mode, at most.
const MAX_FOOTER: usize = 8;
