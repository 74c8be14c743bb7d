//! The screens.

use claude_retry::term::screen::Screen;

use crate::Expected;
use crate::conversations::{answers, failed, fooled, languages, places, tools, users};
use crate::draw::{Below, bullet, elbow, page, rule, session, user};

pub(crate) const BANNER: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit)";

/// One screen, and what should come of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) expected: Expected,
    picture: Picture,
}

enum Picture {
    /// A conversation above a prompt.
    Session(String, Below),
    /// All of it.
    Page(Box<Screen>),
}

impl Case {
    pub(crate) fn screen(&self, cols: u16) -> Screen {
        match &self.picture {
            Picture::Session(conversation, below) => session(cols, conversation, below),
            Picture::Page(screen) => (**screen).clone(),
        }
    }
}

/// All of them, drawn for this width.
pub(crate) fn cases(cols: u16) -> Vec<Case> {
    let mut cases = Vec::new();
    for (expected, all) in [
        (Expected::Left, tools(cols)),
        (Expected::Left, answers(cols)),
        (Expected::Left, users(cols)),
        (Expected::Left, languages(cols)),
        (Expected::Left, places(cols)),
        (Expected::Fooled, fooled(cols)),
        (Expected::Resumed, failed(cols)),
    ] {
        cases.extend(all.into_iter().map(|(name, conversation)| Case {
            name,
            expected,
            picture: Picture::Session(conversation, Below::default()),
        }));
    }
    cases.extend(
        below(cols)
            .into_iter()
            .map(|(name, expected, conversation, below)| Case {
                name,
                expected,
                picture: Picture::Session(conversation, below),
            }),
    );
    cases.extend(
        pages(cols)
            .into_iter()
            .map(|(name, expected, screen)| Case {
                name,
                expected,
                picture: Picture::Page(Box::new(screen)),
            }),
    );
    cases
}

type Footed = Vec<(&'static str, Expected, String, Below)>;

/// Something about the prompt itself.
fn below(cols: u16) -> Footed {
    let good = format!("{}\n\n{}\n", user(cols, "hi"), bullet(cols, "Done."));
    let error = format!("{}\n\n{}\n", user(cols, "hi"), bullet(cols, BANNER));
    let footer = |footer: &str| Below {
        footer: footer.to_owned(),
        ..Below::default()
    };
    let prompt = |prompt: &str, col| Below {
        prompt: prompt.to_owned(),
        col,
        ..Below::default()
    };
    let placeholder = format!("❯\u{a0}\x1b[2m{}\x1b[22m", &BANNER[..20]);
    let draft = format!("❯\u{a0}{}", &BANNER[..20]);
    let (left, resumed, held) = (Expected::Left, Expected::Resumed, Expected::HeldOff);
    vec![
        (
            "in the status line",
            left,
            good.clone(),
            footer(&format!("  {BANNER}")),
        ),
        (
            "in the status line, as a block",
            left,
            good.clone(),
            footer(&format!("● {BANNER}")),
        ),
        (
            "in a placeholder",
            left,
            good.clone(),
            prompt(&placeholder, 2),
        ),
        ("in a draft", left, good.clone(), prompt(&draft, 22)),
        (
            "in a draft of rows",
            left,
            good.clone(),
            prompt("❯\u{a0}see\n  ● API Error: 529", 5),
        ),
        (
            "an error above a placeholder that quotes it",
            resumed,
            error.clone(),
            prompt(&placeholder, 2),
        ),
        (
            "an error above a draft that quotes it",
            held,
            error.clone(),
            prompt(&draft, 22),
        ),
        (
            "an error above a draft that is the message",
            held,
            error.clone(),
            prompt("❯\u{a0}go on, please", 16),
        ),
        (
            "an error above a draft of Japanese",
            held,
            error.clone(),
            prompt("❯\u{a0}続けて", 8),
        ),
        (
            "an error above a draft of one dim row",
            held,
            error.clone(),
            prompt("❯\u{a0}go\x1b[2m on\x1b[22m", 4),
        ),
        (
            "an error above shell mode",
            held,
            error.clone(),
            prompt("!\u{a0}\x1b[7m \x1b[27m", 2),
        ),
        (
            "an error above a slash",
            held,
            error.clone(),
            prompt("❯\u{a0}/", 3),
        ),
        (
            "an error above a prompt without cursor",
            held,
            error.clone(),
            prompt("❯\u{a0}", 0),
        ),
        (
            "an error, and a status line about \"Esc to cancel\"",
            held,
            error.clone(),
            footer("  Esc to cancel"),
        ),
        (
            "an error, and a status line about the limit",
            resumed,
            error.clone(),
            footer("  5h: 98% used · resets 3am"),
        ),
        (
            "an error, and a status line of colours",
            resumed,
            error.clone(),
            footer("  \x1b[48;5;22m main \x1b[0m \x1b[7m 12% \x1b[27m"),
        ),
        (
            "an error, and an update that waits",
            resumed,
            error.clone(),
            footer("  ✓ Update installed · Restart to apply"),
        ),
        (
            "an error, and a history search",
            held,
            error,
            footer("  search prompts: go"),
        ),
        (
            "nothing, and a status line that retries",
            left,
            good,
            footer("  retrying in 5s"),
        ),
    ]
}

/// Whole screens.
fn pages(cols: u16) -> Vec<(&'static str, Expected, Screen)> {
    let error = format!("{}\n\n{}\n", user(cols, "hi"), bullet(cols, BANNER));
    let rule = rule(cols);
    let rows = |text: &str| u16::try_from(text.split('\n').count()).expect("few rows");
    let below = format!("{rule}\n❯\u{a0}\n{rule}\n  ? for shortcuts");
    // The error's first row is above the screen.
    let block = bullet(cols, &format!("{BANNER} · {BANNER}"));
    let half = block.split_once('\n').map_or("  limit)", |(_, rest)| rest);
    let half = format!("{half}\n\n{below}");
    let half_elbow = elbow(cols, &format!("{BANNER} · {BANNER}"));
    let half_elbow = half_elbow
        .split_once('\n')
        .map_or("     limit)", |(_, rest)| rest);
    let half_elbow = format!("{half_elbow}\n\n{below}");
    let cut = format!("{error}\n{rule}\n❯\u{a0}");
    let bare = error.trim_end().to_owned();
    let dialog = |text: &str| format!("{error}\n{}\n  {text}\n", "▔".repeat(cols.into()));
    let good = format!("{}\n\n{}\n", user(cols, "hi"), bullet(cols, "Done."));
    let told = format!(
        "{good}\n{}\n  {BANNER}\n  Enter to confirm · Esc to cancel",
        "▔".repeat(cols.into())
    );
    let view = format!("{error}\n{rule}\n  Showing detailed transcript · ctrl+o to toggle");
    let asked = dialog("Do you want to proceed?\n  ❯ 1. Yes\n    2. No");
    let menu = dialog("Select model\n  ❯ 1. Default\n    2. Opus\n  Esc to exit");
    let spoken = |last: &str| format!("you: hi\n{last}\n? for shortcuts\n$");
    let at_dollar = |text: &str| (rows(text) - 1, 1);
    let (claude, tool, listed) = (
        spoken(&format!("claude: {BANNER}")),
        spoken(&format!("tool result: error: {BANNER}")),
        spoken(&format!("claude: Errors:\n- error: {BANNER}")),
    );
    let titled = {
        let mut screen = page(cols, &format!("{good}\n{below}"), (rows(&good) + 1, 2));
        screen.title = format!("✳ {BANNER}");
        screen
    };
    vec![
        ("in the title", Expected::Left, titled),
        (
            "half scrolled off",
            Expected::Missed,
            page(cols, &half, (rows(&half) - 3, 2)),
        ),
        (
            "half scrolled off below an elbow",
            Expected::Missed,
            page(cols, &half_elbow, (rows(&half_elbow) - 3, 2)),
        ),
        (
            "the prompt cut by the edge",
            Expected::HeldOff,
            page(cols, &cut, (rows(&cut) - 1, 2)),
        ),
        (
            "no prompt at all",
            Expected::Missed,
            page(cols, &bare, (0, 0)),
        ),
        (
            "an error under a question",
            Expected::HeldOff,
            page(cols, &asked, (0, 0)),
        ),
        (
            "an error under a menu",
            Expected::HeldOff,
            page(cols, &menu, (0, 0)),
        ),
        (
            "an error under the transcript view",
            Expected::HeldOff,
            page(cols, &view, (0, 0)),
        ),
        (
            "a dialog that tells of it",
            Expected::Left,
            page(cols, &told, (0, 0)),
        ),
        (
            "spoken by the assistant",
            Expected::Left,
            page(cols, &claude, at_dollar(&claude)),
        ),
        (
            "spoken by a tool",
            Expected::Left,
            page(cols, &tool, at_dollar(&tool)),
        ),
        (
            "spoken in a list",
            Expected::Left,
            page(cols, &listed, at_dollar(&listed)),
        ),
    ]
}
