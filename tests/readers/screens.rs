//! Screens made up to deceive the readers, drawn through the emulator.

use claude_retry::supervisor::banner::{self, Banner};
use claude_retry::supervisor::prompt::{self, Prompt};
use claude_retry::supervisor::wording::{Class, Reading};
use claude_retry::term::Size;
use claude_retry::term::screen::Screen;

use crate::replay::Replay;

const BANNER: &str = "API Error: Server is temporarily limiting requests (not your usage limit)";
const COLS: u16 = 100;

fn rule(cols: u16) -> String {
    "─".repeat(cols.into())
}

/// Lines from the top, the cursor hidden at a place from 0.
fn draw(size: Size, lines: &str, cursor: (u16, u16)) -> Screen {
    let mut replay = Replay::new(size);
    replay.feed(lines.replace('\n', "\r\n").as_bytes());
    replay.feed(format!("\x1b[?25l\x1b[{};{}H", cursor.0 + 1, cursor.1 + 1).as_bytes());
    replay.screen()
}

/// A conversation above an empty prompt, at the bottom of a screen that is just high enough.
fn session_in(cols: u16, conversation: &str) -> Screen {
    with_prompt(cols, conversation, "❯\u{a0}\x1b[7m \x1b[27m", 2)
}

fn session(conversation: &str) -> Screen {
    session_in(COLS, conversation)
}

fn with_prompt(cols: u16, conversation: &str, prompt: &str, cursor_col: u16) -> Screen {
    with_footer(cols, conversation, prompt, cursor_col, "  ? for shortcuts")
}

fn with_footer(cols: u16, conversation: &str, prompt: &str, col: u16, footer: &str) -> Screen {
    let rule = rule(cols);
    let text = format!("{conversation}\n{rule}\n{prompt}\n{rule}\n{footer}");
    let above = u16::try_from(conversation.split('\n').count()).expect("few rows");
    let rows = u16::try_from(text.lines().count()).expect("few rows");
    draw(Size::new(rows, cols), &text, (above + 1, col))
}

/// Just the prompt, below an answer.
fn prompt(text: &str, cursor_col: u16) -> Screen {
    with_prompt(COLS, "● Hello.\n", text, cursor_col)
}

#[test]
fn words_in_other_places_are_no_error() {
    let cases = [
        ("a list", format!("❯ hi\n\n● Two things:\n  - {BANNER}\n")),
        ("a list's only item", format!("❯ hi\n\n● - {BANNER}\n")),
        (
            "a paragraph",
            format!("❯ hi\n\n● The log ends so:\n\n  {BANNER}\n"),
        ),
        (
            "a code block",
            format!("❯ hi\n\n● Look:\n\n    {BANNER}\n\n✻ Worked for 2s\n"),
        ),
        ("a quotation", format!("❯ hi\n\n● > {BANNER}\n")),
        ("a sentence", format!("❯ hi\n\n● It said {BANNER}\n")),
        (
            "a diff",
            format!("❯ hi\n\n● Update(log.txt)\n  ⎿  Updated log.txt\n       12 + {BANNER}\n"),
        ),
        (
            "a heading with code below",
            format!("❯ hi\n\n● {BANNER}\n        more\n"),
        ),
        (
            "a tool's output",
            format!("❯ hi\n\n● Bash(tail log)\n  ⎿  {BANNER}\n\n✻ Worked for 2s\n"),
        ),
        (
            "a wrapped call's output",
            format!("❯ hi\n\n● Bash(tail\n      log)\n  ⎿  {BANNER}\n"),
        ),
        (
            "a tool of a server",
            format!("❯ hi\n\n● logs - tail (MCP)(file: \"x\")\n  ⎿  {BANNER}\n"),
        ),
        (
            "more output",
            format!("❯ hi\n\n● Bash(tail log)\n  ⎿  {BANNER}\n     {BANNER}\n"),
        ),
        (
            "an elbow in the output",
            format!("❯ hi\n\n● Bash(tail log)\n  ⎿  x\n     ⎿  {BANNER}\n"),
        ),
        ("a shell command", format!("! tail log\n  ⎿  {BANNER}\n")),
        (
            "a shell command's second part",
            format!("! tail log\n  ⎿  out\n  ⎿  {BANNER}\n"),
        ),
        (
            "the user's line",
            format!("\x1b[48;5;237m❯ {BANNER}\x1b[0m\n"),
        ),
        (
            "the user's lines",
            format!("\x1b[48;5;237m❯ what is this:\n  {BANNER}\x1b[0m\n"),
        ),
        (
            "a filled block",
            format!("\x1b[48;5;237m● {BANNER}\x1b[0m\n"),
        ),
        (
            "a slash command's output",
            "❯ /status\n  ⎿  All is well\n".to_owned(),
        ),
        (
            "a beginning out of sight",
            "  is temporarily limiting requests\n".to_owned(),
        ),
        ("an owner out of sight", format!("  ⎿  {BANNER}\n")),
        (
            "two turns' ends",
            format!("● {BANNER}\n\n✻ Worked for 2s\n\n✻ Baked for 3s\n"),
        ),
        (
            "a turn that goes on",
            format!("● {BANNER}\n\n❯ continue\n\n✻ Crunching…\n"),
        ),
        (
            "a turn that just began",
            format!("● {BANNER}\n\n❯ continue\n"),
        ),
        (
            "after a compaction",
            format!("● {BANNER}\n\n❯ /compact\n  ⎿  Compacted\n"),
        ),
        ("after a rewind", format!("● {BANNER}\n\n❯ /rewind\n")),
        (
            "a warning",
            "● You've used 98% of your session limit\n".to_owned(),
        ),
        ("nothing", String::new()),
    ];
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|(name, text)| Some((name, banner::find(&session(text))?)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_error_is_found_among_what_may_follow_it() {
    let cases = [
        ("2.1.330", format!("❯ hi\n\n● {BANNER}\n\n")),
        ("2.1.145", format!("❯ hi\n  ⎿  {BANNER}\n\n✻ Brewed for 1m 2s\n")),
        ("older", format!("> hi\n\n⏺ {BANNER}\n")),
        ("the effort", format!("● {BANNER}\n{:>98}\n", "◐ medium · /effort")),
        ("a call, its output, the error", format!("● Bash(x)\n  ⎿  out\n     put\n  ⎿  {BANNER}\n")),
        ("an answer and the error", format!("❯ hi\n\n● I will look (soon).\n  ⎿  {BANNER}\n")),
        ("a dialog that was closed", format!("● {BANNER}\n\n❯ /model\n  ⎿  Kept model as Sonnet\n")),
        ("two of them", format!("● {BANNER}\n\n❯ /model\n  ⎿  Kept it\n\n❯ /cost\n  ⎿  $0.00\n     in all\n")),
        ("a command's turn", format!("❯ /review\n  ⎿  {BANNER}\n")),
        ("a slash menu", format!("● {BANNER}\n\n  ❯ /add-dir   Add\n    /agents    Manage\n")),
        ("a wrap", "● API Error: Server is temporarily limiting\n  requests (not your usage limit)\n".to_owned()),
        ("a wrap before a space", "❯ hi\n  ⎿  API Error: Server is temporarily limiting\n      requests (not your usage limit)\n".to_owned()),
    ];
    let expected = Banner {
        text: BANNER.into(),
        reading: Reading::Transient(Class::Throttle),
        finished: false,
    };
    for (name, text) in cases {
        assert_eq!(
            banner::find(&session(&text)).as_ref(),
            Some(&expected),
            "{name}"
        );
    }
}

/// Its beginning is out of sight, so it may begin with anything: `!` too.
#[test]
fn a_draft_that_is_longer_than_its_box_is_one() {
    let upper = format!("─── ↑ 21 more {}", "─".repeat(86));
    let end = |rows: &str, col| {
        let text = format!(
            "● {BANNER}\n\n{upper}\n{rows}\n{}\n  ? for shortcuts",
            rule(COLS)
        );
        draw(Size::new(10, COLS), &text, (3, col))
    };
    let screen = end("  row 21\n  row 22", 8);
    assert_eq!(prompt::read(&screen), Prompt::Draft("row 21 row 22".into()));
    assert!(banner::find(&screen).is_some());
    assert_eq!(prompt::typed(&screen), None);
    assert_eq!(prompt::read(&end("", 2)), Prompt::Draft(String::new()));
    assert_eq!(prompt::read(&end("❯ ", 2)), Prompt::Draft(String::new()));
}

/// In screen-reader mode the prompt looks free while the history is searched; a row above it tells.
#[test]
fn a_spoken_history_search_is_no_free_prompt() {
    let spoken = |footer: &str| {
        let text = format!("you: hi\nerror: {BANNER}\n{footer}\neffort: medium · /effort\n$");
        draw(Size::new(10, COLS), &text, (4, 1))
    };
    assert_eq!(prompt::read(&spoken("auto mode on")), Prompt::Free);
    let searched = spoken("search prompts: auto mode on");
    assert_eq!(prompt::read(&searched), Prompt::Menu);
    assert!(banner::find(&searched).is_some());
}

/// It has no glyph there, and may have had no room in the row above.
#[test]
fn a_spoken_line_of_a_finished_turn_is_no_rest_of_the_error() {
    let text = format!("you: hi\nerror: {BANNER} · Rate limit\nBaked for 0s · done 7:05 PM\n$");
    let found = banner::find(&draw(Size::new(6, COLS), &text, (3, 1))).expect("an error");
    assert_eq!(found.text, format!("{BANNER} · Rate limit"));
}

#[test]
fn a_spoken_prompt_is_free_with_the_cursor_where_text_begins() {
    let at = |col| {
        let text = format!("you: hi\nerror: {BANNER}\neffort: high · /effort\n$");
        prompt::read(&draw(Size::new(10, COLS), &text, (3, col)))
    };
    assert_eq!((at(1), at(3)), (Prompt::Free, Prompt::Free));
    assert_eq!(at(4), Prompt::Draft(String::new()));
}

#[test]
fn a_commands_output_may_have_paragraphs() {
    let text = format!(
        "● {BANNER}\n\n❯ /agents\n  ⎿  It has been removed.\n\n     Ask for it:\n       • so\n\n     Docs: here\n"
    );
    assert!(banner::find(&session(&text)).is_some());
    let said = text.replace("❯ /agents\n  ⎿  ", "● I said:\n\n     ");
    assert_eq!(banner::find(&session(&said)), None);
}

/// The prompt of the view of agents is not the session's; its footer may be out of sight.
#[test]
fn the_view_of_agents_is_told_by_its_title() {
    let text = format!("● {BANNER}\n\n{0}\n❯ \n{0}", rule(COLS));
    let size = Size::new(5, COLS);
    assert_eq!(prompt::read(&draw(size, &text, (3, 2))), Prompt::Free);
    let titled = format!("\x1b]0;1 awaiting input · claude agents\x07{text}");
    assert_eq!(prompt::read(&draw(size, &titled, (3, 2))), Prompt::Dialog);
}

/// Its columns break every other sign in a narrow terminal.
#[test]
fn a_narrow_panel_of_shortcuts_is_a_menu() {
    let footer = "  ! for   double tap   ctrl +\n  shell   esc to clear shift + _\n  / for   shift + tab  ctrl + z\n  commandsto           to";
    let screen = with_footer(34, "● Hello.\n", "❯\u{a0}", 2, footer);
    assert_eq!(prompt::read(&screen), Prompt::Menu);
    for footer in [
        "  ! fordouble  ctr\n       tap esc l +\n  shellto clearsh",
        "  !    esc     ctr\n  for  esc to  l+s\n  sh   clear   hif",
    ] {
        let screen = with_footer(20, "● Hello.\n", "❯\u{a0}", 2, footer);
        assert_eq!(prompt::read(&screen), Prompt::Menu);
    }
}

#[test]
fn a_label_may_be_longer_than_its_rule() {
    let text = format!(
        "● API Error: 529\n  Overloaded\n\n─── History 1/1 ────\n❯ hello there\n{}\n  ● high · /effort",
        rule(20)
    );
    let screen = draw(Size::new(8, 20), &text, (4, 13));
    assert_eq!(prompt::read(&screen), Prompt::Draft("hello there".into()));
    assert!(banner::find(&screen).is_some());
}

#[test]
fn a_list_of_tasks_may_stand_above_the_prompt() {
    let text = format!(
        "❯ hi\n\n● {BANNER}\n\n✻ Sautéed for 0s\n\n  2 tasks (0 done, 2 open)\n  ◻ Build the wall\n    of bricks\n  ◻ Paint it\n"
    );
    assert!(banner::find(&session(&text)).is_some());
    let text = text.replace("tasks (", "things (");
    assert_eq!(banner::find(&session(&text)), None);
}

#[test]
fn a_note_of_the_prompt_may_be_broken() {
    let text = "❯ hi\n  ⎿  API Error: 529\n     Overloaded\n\n✻ Churned for 0s ·\n   1 shell still\n  running\n\n  › Stashed\n  (auto-restores\n  after submit)";
    assert!(banner::find(&session_in(20, text)).is_some());
}

#[test]
fn the_effort_may_be_cut_off() {
    let text = "❯ hi\n  ⎿  API Error: 529\n     Overloaded\n\n  ◐ medium · /eff…";
    assert!(banner::find(&session_in(20, text)).is_some());
}

#[test]
fn a_sign_of_a_dialog_may_be_broken() {
    let text = format!(
        "● {BANNER}\n\n{}\n  Resume session\n  Ctrl+B to only show current branch · Esc to\n  close",
        rule(COLS)
    );
    let screen = draw(Size::new(10, COLS), &text, (9, 0));
    assert_eq!(prompt::read(&screen), Prompt::Dialog);
}

#[test]
fn a_menu_may_have_broken_descriptions() {
    let menu = format!(
        "● {BANNER}\n\n  ❯ /add-dir      Add a working\n                  directory\n    /autocompact  Set how full the\n                  context gets before\n                  auto-summarizing"
    );
    let screen = with_prompt(COLS, &menu, "❯\u{a0}/", 3);
    assert_eq!(prompt::read(&screen), Prompt::Menu);
    assert!(banner::find(&screen).is_some());
    // 2.1.250 draws it with no mark; without what asks for a menu it is an answer's end.
    let menu = format!("● {BANNER}\n\n\n  /model   Set the model\n  /doctor  Health-check");
    assert!(banner::find(&with_prompt(COLS, &menu, "❯\u{a0}/o", 4)).is_some());
    assert_eq!(banner::find(&with_prompt(COLS, &menu, "❯\u{a0}", 2)), None);
}

/// Whatever is typed would cancel that.
#[test]
fn a_prompt_that_goes_on_by_itself_is_not_free() {
    let notice = "● Usage limit reached · continuing automatically\n  at 7:55pm · esc or type to cancel\n\n✻ Sautéed for 0s\n";
    let screen = session(notice);
    assert_eq!(prompt::read(&screen), Prompt::Dialog);
    let screen = with_footer(28, "● Hello.\n", "❯\u{a0}", 2, "  ⚠ Usage limit reached ·…");
    assert_eq!(prompt::read(&screen), Prompt::Dialog);
}

#[test]
fn a_narrow_search_is_a_menu() {
    let footer = "  search       he… ⏸ manual mode\n  prompts:";
    let screen = with_footer(34, "● Hello.\n", "❯\u{a0}", 2, footer);
    assert_eq!(prompt::read(&screen), Prompt::Menu);
}

/// At 20 columns the CLI breaks "temporarily", and the effort is nearly as wide as the screen.
#[test]
fn a_word_that_was_broken_is_joined() {
    let text = "● API Error:\n  Server is\n  temporari\n  ly\n  limiting\n  requests\n  (not your\n  usage\n  limit)\n\n  ● high · /effort";
    let found = banner::find(&session_in(20, text)).expect("an error");
    assert_eq!(
        (found.text.as_str(), found.reading),
        (BANNER, Reading::Transient(Class::Throttle))
    );
}

/// 2.1.250 draws the time of a turn's end behind errors too, 2.1.330 behind answers only: it is told apart.
#[test]
fn the_line_of_a_finished_turn_may_follow_an_error() {
    let wide = format!("❯ hi\n\n● {BANNER}\n\n✻ Worked for 2s · done 3:14 AM\n");
    let found = banner::find(&session(&wide)).expect("an error");
    assert!(found.finished && found.text == BANNER, "{found:?}");
    let narrow = "❯ hi\n\n● API Error: 529\n  Overloaded\n\n✻ Worked for 2s ·\n  done 3:14 AM\n";
    let found = banner::find(&session_in(20, narrow)).expect("an error");
    assert!(found.finished && found.text == "API Error: 529 Overloaded");
    let twice = format!("● {BANNER}\n\n✻ Worked for 2s\n\n✻ Worked for 2s · done 3:14 AM\n");
    assert_eq!(banner::find(&session(&twice)), None);
}

#[test]
fn a_failed_compaction_is_never_transient() {
    for text in [
        "❯ /compact\n  ⎿  Error during compaction: API Error: 529 Overloaded\n".to_owned(),
        "❯ /compact short\n  ⎿  Error: Error during compaction: API Error:\n     529 Overloaded\n"
            .to_owned(),
        format!("❯ /compact\n  ⎿  {BANNER}\n"),
    ] {
        let found = banner::find(&session(&text)).expect("an error");
        assert_eq!(found.reading, Reading::Permanent("compaction"));
    }
}

#[test]
fn a_very_narrow_terminal_will_do() {
    let text = "● API Error: Server\n  is temporarily\n  limiting requests\n  (not your usage\n  limit) · Rate\n  limited\n\n";
    let found = banner::find(&session_in(20, text)).expect("an error");
    assert_eq!(found.text, format!("{BANNER} · Rate limited"));
    assert_eq!(prompt::read(&session_in(20, text)), Prompt::Free);
}

#[test]
fn what_the_edge_cuts_is_no_candidate() {
    let lines = format!("❯ hi\n\n● {BANNER}");
    let screen = draw(Size::new(3, COLS), &lines, (2, 0));
    assert_eq!(
        (banner::find(&screen), prompt::read(&screen)),
        (None, Prompt::None)
    );
    // The upper rule alone is no prompt.
    let screen = draw(
        Size::new(4, COLS),
        &format!("{lines}\n{}", rule(COLS)),
        (3, 0),
    );
    assert_eq!(prompt::read(&screen), Prompt::None);
    let screen = draw(
        Size::new(5, COLS),
        &format!("{lines}\n{}\n❯\u{a0}", rule(COLS)),
        (4, 2),
    );
    assert_eq!(prompt::read(&screen), Prompt::None);
}

#[test]
fn only_a_free_prompt_is_free() {
    let draft = |text: &str| Prompt::Draft(text.to_owned());
    let cases = [
        ("empty", "❯\u{a0}\x1b[7m \x1b[27m", 2, Prompt::Free),
        ("empty, a plain space", "❯ ", 2, Prompt::Free),
        ("older", ">\u{a0}\x1b[7m \x1b[27m", 2, Prompt::Free),
        (
            "a placeholder",
            "❯\u{a0}\x1b[7mR\x1b[27m\x1b[2mesend your message\x1b[22m",
            2,
            Prompt::Free,
        ),
        (
            "a placeholder, all dim",
            "❯\u{a0}\x1b[2mTry \"fix it\"\x1b[22m",
            2,
            Prompt::Free,
        ),
        ("a draft", "❯\u{a0}hello there", 13, draft("hello there")),
        (
            "a draft like a placeholder",
            "❯\u{a0}\x1b[7mR\x1b[27mesend your message",
            2,
            draft("Resend your message"),
        ),
        (
            "one letter under the cursor",
            "❯\u{a0}\x1b[7mc\x1b[27m",
            2,
            draft("c"),
        ),
        (
            "a suggestion behind a draft",
            "❯\u{a0}con\x1b[2mtinue\x1b[22m",
            5,
            draft("con"),
        ),
        ("a blank", "❯\u{a0} \x1b[7m \x1b[27m", 3, draft("")),
        (
            "an empty second row",
            "❯\u{a0}\n  \x1b[7m \x1b[27m",
            2,
            draft(""),
        ),
        (
            "rows",
            "❯\u{a0}one\n  two\n\n  three",
            7,
            draft("one two three"),
        ),
        (
            "a rule in a draft",
            "❯\u{a0}a\n  ────\n  b",
            3,
            draft("a ──── b"),
        ),
        (
            "a banner",
            "❯\u{a0}API Error: Overloaded",
            23,
            draft("API Error: Overloaded"),
        ),
        ("a slash", "❯\u{a0}/", 3, Prompt::Menu),
        ("a file", "❯\u{a0}@src", 6, Prompt::Menu),
        ("shell mode", "!\u{a0}", 2, Prompt::Shell),
        (
            "shell mode, a draft",
            "!\u{a0}rm -rf build",
            14,
            Prompt::Shell,
        ),
        ("memory", "#\u{a0}", 2, Prompt::Menu),
        ("a stranger", "?\u{a0}", 2, Prompt::None),
        ("no space", "❯x", 2, Prompt::None),
        ("the cursor elsewhere", "❯\u{a0}", 50, draft("")),
    ];
    for (name, text, col, expected) in cases {
        assert_eq!(prompt::read(&prompt(text, col)), expected, "{name}");
    }
}

#[test]
fn the_footer_and_the_cursor_have_a_say() {
    let free = "❯\u{a0}\x1b[7m \x1b[27m";
    for (footer, expected) in [
        ("  ? for shortcuts", Prompt::Free),
        ("  -- INSERT --", Prompt::Free),
        ("  ⏵⏵ auto mode on · esc to interrupt", Prompt::Free),
        (
            "    Continuing automatically at 4:13am · Esc to cancel",
            Prompt::Dialog,
        ),
        ("  Enter to confirm · Esc to cancel", Prompt::Dialog),
        ("  search prompts: x", Prompt::Menu),
        ("  ! for bash mode   / for commands", Prompt::Menu),
    ] {
        let screen = with_footer(COLS, "● Hello.\n", free, 2, footer);
        assert_eq!(prompt::read(&screen), expected, "{footer}");
    }
    // The cursor stands below the box, in view or inverse: the keys go there. (At 20 columns what is
    // selected in the footer may be cut off: 2.1.250.)
    let mut screen = prompt(free, 2);
    screen.cursor = (5, 0);
    assert_ne!(prompt::read(&screen), Prompt::Free);
    screen.cursor = (5, 10);
    assert_ne!(prompt::read(&screen), Prompt::Free);
    screen.cursor_hidden = false;
    screen.cursor = (5, 0);
    assert_ne!(prompt::read(&screen), Prompt::Free);
    let mut screen = with_footer(COLS, "● Hello.\n", "❯\u{a0}", 2, "\x1b[7mf\x1b[27mind");
    screen.cursor = (5, 0);
    assert_ne!(prompt::read(&screen), Prompt::Free);
}

#[test]
fn dialogs_are_dialogs() {
    let error = format!("❯ hi\n\n● {BANNER}\n\n");
    let cases = [
        format!(
            "{}\n  Select model\n  ❯ 1. Default\n    2. Opus\n",
            "▔".repeat(100)
        ),
        format!(
            "{}\n  Bash command\n  Do you want to proceed?\n  ❯ 1. Yes\n    2. No\n",
            rule(COLS)
        ),
        format!(
            "{}\n  Something new\n  Press Enter to continue\n",
            rule(COLS)
        ),
        format!(
            "{}\n  Rewind\n  Enter to select · Esc to exit\n",
            rule(COLS)
        ),
    ];
    for dialog in cases {
        let screen = draw(Size::new(16, COLS), &format!("{error}{dialog}"), (5, 2));
        assert_eq!(prompt::read(&screen), Prompt::Dialog, "{dialog}");
        assert_eq!(prompt::typed(&screen), None);
        assert!(
            banner::find(&screen).is_some(),
            "the error still stands: {dialog}"
        );
    }
    let boxed = "╭──────╮\n│ ❯ 1. Yes │\n│   2. No │\n╰──────╯";
    let screen = draw(Size::new(12, COLS), &format!("{error}{boxed}"), (5, 2));
    assert_eq!(prompt::read(&screen), Prompt::Dialog);
}

/// A name may stand in the upper rule.
#[test]
fn a_label_in_a_rule_does_not_hide_the_prompt() {
    let label = format!("{} my session ──", "─".repeat(85));
    let text = format!("● {BANNER}\n\n{label}\n❯\u{a0}\n{}", rule(COLS));
    let screen = draw(Size::new(5, COLS), &text, (3, 2));
    assert_eq!(prompt::read(&screen), Prompt::Free);
    assert!(banner::find(&screen).is_some());
}

#[test]
fn screen_reader_mode_is_read_by_its_words() {
    let footer =
        "auto mode on (shift+tab to cycle)\neffort: medium · /effort\nResend your message\n$";
    let read = |text: &str, col| {
        let rows = u16::try_from(text.lines().count()).expect("few rows");
        draw(Size::new(rows + 2, COLS), text, (rows - 1, col))
    };
    let screen = read(&format!("you: hi\nerror: {BANNER}\n{footer}"), 1);
    assert_eq!(prompt::read(&screen), Prompt::Free);
    assert_eq!(
        banner::find(&screen).map(|banner| banner.text),
        Some(BANNER.into())
    );

    let long = "error: API Error: 529 Overloaded. This is a server-side issue, usually temporary — try again in a\nmoment.";
    let screen = read(&format!("you: hi\n{long}\n{footer}"), 1);
    let found = banner::find(&screen).expect("an error");
    assert_eq!(
        found.text,
        "API Error: 529 Overloaded. This is a server-side issue, usually temporary — try again in a moment."
    );

    let draft = read(&format!("error: {BANNER}\n{footer}\u{a0} go on"), 8);
    assert_eq!(prompt::read(&draft), Prompt::Draft("go on".into()));
    assert_eq!(prompt::typed(&draft), Some("go on".into()));

    let later = read(&format!("error: {BANNER}\nyou: continue\n{footer}"), 1);
    assert_eq!(banner::find(&later), None);
    let busy = read(
        "you: continue\nBaking…\nauto mode on  ·  esc to interrupt\neffort: high\n$",
        1,
    );
    assert!(banner::busy(&busy));
    let list = read(
        &format!("claude: Look…\n* at this…\n* and that\n{footer}"),
        1,
    );
    assert!(!banner::busy(&list));
    let said = read(&format!("claude: error: {BANNER}\n{footer}"), 1);
    assert_eq!(banner::find(&said), None);
}

#[test]
fn work_shows_in_the_spinner_the_footer_or_the_title() {
    let idle = "❯\u{a0}";
    for line in [
        "✻ Crunching…",
        "· Scheming… (12s · ↓ 1.2k tokens · esc to interrupt)",
        "* Flambéing…\n  ⎿  Tip: start small",
        "✻ API error · retrying in 5s · attempt 1/10",
        "✻ Waiting for 2 background agents to finish",
        "✻ Queued · Enter to send now",
        "❯ hi\n  ⎿  API Error (529 overloaded) · Retrying in 4 seconds… (attempt 3/10)",
    ] {
        assert!(banner::busy(&session(&format!("{line}\n"))), "{line}");
    }
    for line in [
        "✻ Brewed for 2s",
        "● Press esc to interrupt",
        "●  ✻ Crunching…",
        "● Wait:\n  ✻ Crunching…\n  * and…",
        "❯ retrying in 5s",
    ] {
        assert!(!banner::busy(&session(&format!("{line}\n"))), "{line}");
    }
    let footer = with_footer(
        COLS,
        "● Hi.\n",
        idle,
        2,
        "  auto mode on · esc to interrupt",
    );
    assert!(banner::busy(&footer));
    assert!(!banner::busy(&with_prompt(
        COLS,
        "● Hi.\n",
        "❯\u{a0}esc to interrupt",
        18
    )));
    for (title, busy) in [
        ("◐ Claude Code", true),
        ("⠂ fix it", true),
        ("⠐ fix it", true),
        ("✳ Claude Code", false),
        ("", false),
        ("~/proj", false),
        ("◐nonsense", false),
    ] {
        let screen = Screen {
            title: title.into(),
            ..session("● Hi.\n")
        };
        assert_eq!(banner::busy(&screen), busy, "{title}");
    }
}

#[test]
fn what_was_typed_is_read_back() {
    let typed = |text: &str, col| prompt::typed(&prompt(text, col));
    assert_eq!(typed("❯\u{a0}continue", 10).as_deref(), Some("continue"));
    assert_eq!(typed("❯\u{a0}", 2).as_deref(), Some(""));
    assert_eq!(
        typed("❯\u{a0}\x1b[2mTry it\x1b[22m", 2).as_deref(),
        Some("")
    );
    assert_eq!(typed("!\u{a0}ls", 4), None);
    let wrapped = typed("❯\u{a0}please go\n  on", 4).expect("a prompt");
    assert!(prompt::same_text(&wrapped, "please go on"));
    assert!(
        prompt::same_text(&wrapped, "please goon"),
        "a wrap may be in a word"
    );
    for (read, message, same) in [
        ("continue", "continue", true),
        ("continuex", "continue", false),
        ("continu", "continue", false),
        ("", "continue", false),
        ("con tinue", "continue", false),
        ("go\u{a0}on", "go on", true),
        ("go  on", "go on", false),
        ("gone\non", "gone  on", true),
        ("cafe", "cafe\u{301}", true),
        ("cafe\u{301}", "cafe", true),
        ("日本\n語", "日本語", true),
        ("Continue", "continue", false),
    ] {
        assert_eq!(
            prompt::same_text(read, message),
            same,
            "{read:?} {message:?}"
        );
    }
}

/// Pieces of screens, put together at random below: nothing may panic, and what is free is empty.
const PIECES: &[&str] = &[
    "\n",
    "❯\u{a0}",
    "❯ /model",
    "> ",
    "! ls",
    "● ",
    "  ⎿  ",
    "⎿",
    "  ",
    BANNER,
    "API Error",
    "────────────────────",
    "▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔",
    "✻ Brewed for 0s",
    "✻ Crunching…",
    "\x1b[2mplaceholder\x1b[22m",
    "\x1b[7m \x1b[27m",
    "\x1b[7m日\x1b[27m本",
    "e\u{301}",
    "❯ 1. Yes",
    "$",
    "error: ",
    "/",
    "é",
    "\u{3000}",
    "\x1b[48;5;237mfilled\x1b[0m",
    "esc to interrupt",
];

proptest::proptest! {
    #[test]
    fn no_screen_makes_the_readers_panic(
        picks in proptest::collection::vec(0..PIECES.len(), 0..40),
        rows in 1u16..20,
        cols in 2u16..40,
        at in (0u16..20, 0u16..40),
    ) {
        let text: String = picks.into_iter().map(|pick| PIECES[pick]).collect();
        let cursor = (at.0.min(rows - 1), at.1.min(cols - 1));
        let screen = draw(Size::new(rows, cols), &text, cursor);
        let state = prompt::read(&screen);
        if state == Prompt::Free {
            proptest::prop_assert_eq!(prompt::typed(&screen), Some(String::new()));
        }
        let _ = banner::busy(&screen);
        if let Some(banner) = banner::find(&screen) {
            proptest::prop_assert!(!banner.text.contains(char::is_control));
        }
    }
}

/// A word that keeps us off may be broken where a row ends.
#[test]
fn a_limit_that_is_broken_into_rows_is_one() {
    for broken in [
        "API Error: 429 {\"message\":\"insuffi\n  cient_quota\"}",
        "API Error: 429 your usage_li\n  mit is reached",
        "API Error: 429 {\"usage_\n  limit\":1,\"message\":\"wait\n  please\"}",
    ] {
        let screen = session(&format!("❯ hi\n\n● {broken}\n"));
        let banner = banner::find(&screen).expect("an error");
        assert!(
            matches!(banner.reading, Reading::Permanent(_)),
            "{banner:?}"
        );
    }
}

#[test]
fn a_status_line_of_the_users_is_no_panel_of_shortcuts() {
    let screen = with_footer(COLS, "● Hello.\n", "❯\u{a0}", 2, "  ! 3 uncommitted files");
    assert_eq!(prompt::read(&screen), Prompt::Free);
}
