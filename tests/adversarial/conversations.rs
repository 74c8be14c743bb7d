//! Conversations above an ordinary prompt.

use std::fmt::Write as _;

use crate::cases::BANNER;
use crate::draw::{block, bullet, elbow, rule, user};

/// Conversations by their names.
pub(crate) type Named = Vec<(&'static str, String)>;

/// In a tool's output.
pub(crate) fn tools(cols: u16) -> Named {
    let call = |name: &str, output: &str| {
        let (call, out) = (bullet(cols, name), elbow(cols, output));
        format!("{call}\n{out}\n")
    };
    let frame = format!(
        "API Error: 529 Overloaded\n{}\n❯",
        "─".repeat(usize::from(cols) - 5)
    );
    vec![
        (
            "a tool's last line",
            call("Bash(tail log)", &format!("one\ntwo\n{BANNER}")),
        ),
        (
            "a tool's first line",
            call("Bash(head log)", &format!("{BANNER}\ntwo\nthree")),
        ),
        (
            "a tool's output, cut",
            call(
                "Bash(cat log)",
                &format!("{BANNER}\n… +12 lines (ctrl+o to expand)"),
            ),
        ),
        (
            "a tool that failed",
            call("Bash(run)", &format!("Error: Exit code 1\n{BANNER}")),
        ),
        (
            "a tool whose failure is the banner",
            call("Bash(run)", BANNER),
        ),
        (
            "a search's hit",
            call(
                "Search(pattern: \"limiting\")",
                &format!("Found 2 lines\nsrc/lib.rs:12: {BANNER}"),
            ),
        ),
        (
            "a fetched page",
            call(
                "Fetch(https://status.example.com)",
                &format!("Received 2KB (200 OK)\n{BANNER}"),
            ),
        ),
        (
            "a server's tool",
            call("tracker - get_issue (MCP)(id: 5)", BANNER),
        ),
        (
            "a subagent's output",
            call(
                "Task(Look at the log)",
                &format!("Done (3 tool uses · 12k tokens · 34s)\n{BANNER}"),
            ),
        ),
        (
            "a subagent's failure",
            call("Explore(Find the log)", BANNER),
        ),
        (
            "a tree of subagents",
            format!(
                "● 2 agents finished (ctrl+o to expand)\n   ├─ Find it · 3 tool uses\n   │  ⎿  Done\n   └─ Look · 2 tool uses\n      ⎿  {BANNER}\n"
            ),
        ),
        (
            "a tool that draws a prompt",
            call("Bash(cat screen.txt)", &frame),
        ),
        (
            "a tool that draws a block",
            call("Bash(cat screen.txt)", &format!("● {BANNER}")),
        ),
        (
            "a diff with line numbers",
            format!(
                "● Update(log.md)\n  ⎿  Added 2 lines, removed 1 line\n      11   before\n      12 - {BANNER}\n      12 + API Error: 529 Overloaded\n      13 + {BANNER}\n"
            ),
        ),
        (
            "a diff on colours",
            format!(
                "● Update(log.md)\n  ⎿  Added 1 line\n\x1b[48;2;34;92;43m      12 +{BANNER}\x1b[49m\n"
            ),
        ),
        (
            "a context line of a diff",
            format!("● Update(log.md)\n  ⎿  Added 1 line\n      12 + x\n      13   {BANNER}\n"),
        ),
        (
            "a diff's line without number",
            format!("● Update(log.md)\n  ⎿  Added 1 line\n     +{BANNER}\n     -{BANNER}\n"),
        ),
        (
            "a file that was written",
            format!(
                "● Write(log.md)\n  ⎿  Wrote 2 lines to log.md\n      1 {BANNER}\n      2 {BANNER}\n"
            ),
        ),
        (
            "a TODO list",
            format!("● Update Todos\n  ⎿  ☒ Read the log\n     ☐ {BANNER}\n"),
        ),
        (
            "a TODO list's only item",
            format!("● Update Todos\n  ⎿  ☐ {BANNER}\n"),
        ),
        (
            "a hook's word",
            format!(
                "{}\n{}\n",
                bullet(cols, "Done."),
                elbow(cols, &format!("Stop says: {BANNER}"))
            ),
        ),
        (
            "two calls, the banner from both",
            format!("{}\n{}", call("Bash(a)", BANNER), call("Bash(b)", BANNER)),
        ),
    ]
}

/// In the assistant's answer.
pub(crate) fn answers(cols: u16) -> Named {
    let said = |text: &str| format!("{}\n\n{}\n", user(cols, "hi"), bullet(cols, text));
    let wide = usize::from(cols) - 6;
    let mut cells: String = BANNER.chars().take(wide).collect();
    cells.push_str(&" ".repeat(wide - cells.len()));
    let line = "─".repeat(wide + 2);
    vec![
        (
            "an ordered list",
            said(&format!(
                "Two errors:\n1. {BANNER}\n2. API Error: 529 Overloaded"
            )),
        ),
        (
            "an ordered list from the start",
            said(&format!("1. {BANNER}")),
        ),
        (
            "a list within a list",
            said(&format!("Errors:\n- of the server\n  - {BANNER}")),
        ),
        ("a list of bullets", said(&format!("Errors:\n• {BANNER}"))),
        (
            "check boxes",
            said(&format!(
                "Left to do:\n☐ {BANNER}\n☒ API Error: 529 Overloaded"
            )),
        ),
        ("a code block", said(&format!("It prints:\n\n  {BANNER}"))),
        (
            "a fenced block",
            said(&format!("It prints:\n```\n{BANNER}\n```")),
        ),
        (
            "a fenced block from the start",
            said(&format!("```\n{BANNER}")),
        ),
        (
            "below a heading",
            said(&format!("What the log says\n{BANNER}")),
        ),
        (
            "below a heading and a blank",
            said(&format!("What the log says\n\n{BANNER}")),
        ),
        ("a quote block", said(&format!("▎ {BANNER}"))),
        (
            "a quote block of Markdown",
            said(&format!("> {BANNER}\n> API Error: 529 Overloaded")),
        ),
        (
            "before a word about it",
            said(&format!("{BANNER}\n\nThat is what the log says.")),
        ),
        (
            "before code that hangs deeper",
            said(&format!("{BANNER}\n    let again = true;")),
        ),
        (
            "a table's row",
            said(&format!("┌{line}┐\n│ {cells} │\n└{line}┘")),
        ),
        (
            "a table of pipes",
            said(&format!("| error | class |\n| {BANNER} | throttle |")),
        ),
        (
            "a frame of double lines",
            said(&format!(
                "╔{}╗\n║ {cells} ║\n╚{}╝",
                "═".repeat(wide + 2),
                "═".repeat(wide + 2)
            )),
        ),
        ("within inverted commas", said(&format!("\"{BANNER}\""))),
        (
            "as code within a line",
            said(&format!("\x1b[36m`{BANNER}`\x1b[39m")),
        ),
        ("behind a name", said(&format!("claude: {BANNER}"))),
        ("behind a time", said(&format!("12:01:07 {BANNER}"))),
        ("behind a log's level", said(&format!("[ERROR] {BANNER}"))),
        (
            "a whole answer, with its time",
            format!("{}\n✻ Worked for 2s · done 3:14 AM\n", said(BANNER)),
        ),
        (
            "an answer after thinking",
            format!("{}\n∴ Thought for 3s\n\n  {BANNER}\n", user(cols, "hi")),
        ),
    ]
}

/// In what the user wrote.
pub(crate) fn users(cols: u16) -> Named {
    let answered = |line: &str| format!("{line}\n\n{}\n", bullet(cols, "I see."));
    vec![
        ("the user's message", user(cols, BANNER) + "\n"),
        (
            "the user's message, answered",
            answered(&user(cols, BANNER)),
        ),
        (
            "the user's message, a block pasted",
            user(cols, &format!("look:\n● {BANNER}")) + "\n",
        ),
        (
            "the user's message, an elbow pasted",
            user(cols, &format!("look:\n⎿  {BANNER}")) + "\n",
        ),
        ("an older user's message", block(cols, "> ", BANNER) + "\n"),
        (
            "an older user's message of rows",
            block(cols, "> ", &format!("what is\n{BANNER}")) + "\n",
        ),
        (
            "a shell command",
            format!(
                "{}\n{}\n",
                block(cols, "! ", "tail log"),
                elbow(cols, BANNER)
            ),
        ),
        (
            "a shell command's last row",
            format!(
                "{}\n{}\n",
                block(cols, "! ", "cat log"),
                elbow(cols, &format!("a\n{BANNER}"))
            ),
        ),
        (
            "the banner as a shell command",
            block(cols, "! ", BANNER) + "\n",
        ),
        (
            "a shell command that prints the banner",
            block(cols, "! ", &format!("echo {BANNER}")) + "\n",
        ),
        (
            "an interrupted question",
            format!(
                "{}\n{}\n",
                user(cols, BANNER),
                elbow(cols, "Interrupted · What should Claude do instead?")
            ),
        ),
        (
            "a message that is queued",
            format!(
                "{}\n\n{}\n",
                bullet(cols, "I see."),
                block(cols, "  ❯ ", BANNER)
            ),
        ),
        (
            "a memory that was kept",
            format!(
                "{}\n{}\n",
                block(cols, "# ", BANNER),
                elbow(cols, "Got it.")
            ),
        ),
    ]
}

/// In another language or script, or nearly the words.
pub(crate) fn languages(cols: u16) -> Named {
    let said = |text: &str| format!("{}\n\n{}\n", user(cols, "hi"), bullet(cols, text));
    vec![
        (
            "in German",
            said(
                "API-Fehler: Der Server begrenzt vorübergehend die Anfragen (nicht Ihr Nutzungslimit)",
            ),
        ),
        (
            "in French",
            said("Erreur API : le serveur limite temporairement les requêtes"),
        ),
        (
            "in Chinese",
            said("API 错误：服务器暂时限制请求（不是您的使用限额）"),
        ),
        (
            "in Japanese",
            said("APIエラー：サーバーは一時的にリクエストを制限しています"),
        ),
        (
            "quoted in Japanese",
            said(&format!("「{BANNER}」とありました。")),
        ),
        (
            "quoted behind Chinese",
            said(&format!("日志里写着 {BANNER}")),
        ),
        (
            "in Arabic",
            said("خطأ في واجهة البرمجة: الخادم يحد الطلبات مؤقتا"),
        ),
        ("quoted behind Hebrew", said(&format!("שגיאה: {BANNER}"))),
        (
            "behind an override of direction",
            said(&format!("\u{202e}{BANNER}")),
        ),
        (
            "behind a mark of direction",
            said(&format!("\u{200f}{BANNER}")),
        ),
        (
            "in letters of full width",
            said("ＡＰＩ Ｅｒｒｏｒ: Server is temporarily limiting requests"),
        ),
        (
            "with a Cyrillic letter",
            said("АPI Error: Server is temporarily limiting requests"),
        ),
        ("in small letters", said(&BANNER.to_lowercase())),
        ("in capitals", said(&BANNER.to_uppercase())),
    ]
}

/// In the right words, in the wrong place.
pub(crate) fn places(cols: u16) -> Named {
    let error = bullet(cols, BANNER);
    let right = |text: &str| {
        let text: String = text.chars().take(usize::from(cols) / 2 - 2).collect();
        format!("{text:>width$}", width = usize::from(cols) - 1)
    };
    let mut later = format!("{}\n\n{error}\n", user(cols, "hi"));
    for n in 0..12 {
        let answer = bullet(cols, &format!("Answer {n}."));
        let _ = write!(later, "\n{}\n\n{answer}\n", user(cols, "next"));
    }
    vec![
        ("two screens back", later),
        (
            "before a later answer",
            format!(
                "{error}\n\n{}\n\n{}\n",
                user(cols, "continue"),
                bullet(cols, "Done.")
            ),
        ),
        (
            "before a later call",
            format!(
                "{error}\n\n{}\n{}\n",
                bullet(cols, "Bash(ls)"),
                elbow(cols, "out")
            ),
        ),
        (
            "before a note of the CLI's",
            format!(
                "{error}\n\n{}\n",
                bullet(cols, "Update installed, restart to apply.")
            ),
        ),
        (
            "before a compaction",
            format!("{error}\n\n✻ Conversation compacted\n"),
        ),
        (
            "below a compaction",
            format!("✻ Conversation compacted\n{}\n", elbow(cols, BANNER)),
        ),
        (
            "before a new session",
            format!(
                "{error}\n\n{}\n❯\n{}\n  ? for shortcuts\n$ claude\n\n ▐▛███▜▌   Claude Code\n  ▘▘ ▝▝    ~/proj\n",
                rule(cols),
                rule(cols)
            ),
        ),
        (
            "in the news box",
            format!("╭─── Claude Code ───╮\n│ {BANNER}\n╰────╯\n"),
        ),
        (
            "at the right edge",
            format!(
                "{}\n\n{}\n",
                bullet(cols, "Done."),
                right("API Error: 529 Overloaded")
            ),
        ),
        (
            "in a note above the prompt",
            format!("{}\n\n  › {BANNER}\n", bullet(cols, "Done.")),
        ),
        (
            "a notice at the margin",
            format!("{}\n\n{BANNER}\n", bullet(cols, "Done.")),
        ),
        (
            "another sign before it",
            format!("{}\n", block(cols, "◆ ", BANNER)),
        ),
        (
            "a spinner's words",
            format!("{}\n\n✻ {BANNER}…\n", user(cols, "hi")),
        ),
    ]
}

/// What no screen can tell from an error, since it looks exactly like one.
pub(crate) fn fooled(cols: u16) -> Named {
    let said = |text: &str| format!("{}\n\n{}\n", user(cols, "say it"), bullet(cols, text));
    vec![
        ("a whole answer", said(BANNER)),
        (
            "a whole answer, an older turn's end",
            format!("{}\n✻ Brewed for 2s\n", said(BANNER)),
        ),
        (
            "a whole answer of 2.1.145",
            format!(
                "{}\n{}\n\n✻ Cogitated for 1s\n",
                user(cols, "say it"),
                elbow(cols, BANNER)
            ),
        ),
        (
            "a whole answer of old",
            format!(
                "{}\n\n{}\n",
                block(cols, "> ", "say it"),
                block(cols, "⏺ ", BANNER)
            ),
        ),
        (
            "a whole answer in bold",
            said(&format!("\x1b[1m{BANNER}\x1b[22m")),
        ),
        (
            "a whole answer as code",
            said(&format!("\x1b[36m{BANNER}\x1b[39m")),
        ),
        (
            "an answer that begins so",
            said(&format!("{BANNER} is what the log says.")),
        ),
        (
            "an answer that begins so, in Japanese",
            said(&format!("{BANNER} とありました。")),
        ),
        (
            "an answer that begins so, and goes on in rows",
            said(&format!("{BANNER}\nThat is all.")),
        ),
        (
            "an answer that begins so, and draws a prompt",
            said(&format!(
                "{BANNER}\n{}\n❯\n{}",
                rule(cols - 2),
                rule(cols - 2)
            )),
        ),
        (
            "a last paragraph as a block of its own",
            format!("{}\n\n{}\n", said("It says:"), bullet(cols, BANNER)),
        ),
        (
            "a command's output",
            format!("{}\n{}\n", user(cols, "/status"), elbow(cols, BANNER)),
        ),
    ]
}

/// Real errors, with something above them that could hide one.
pub(crate) fn failed(cols: u16) -> Named {
    let error = bullet(cols, BANNER);
    let after = |above: &str| {
        format!(
            "{}\n\n{}\n\n{error}\n",
            user(cols, "hi"),
            bullet(cols, above)
        )
    };
    vec![
        ("an error", after("I will look.")),
        (
            "an error below an answer that quotes it",
            after(&format!("It says:\n\n  {BANNER}")),
        ),
        (
            "an error below a prompt that an answer draws",
            after(&format!(
                "Type here:\n{}\n❯ draft\n{}",
                rule(cols - 2),
                rule(cols - 2)
            )),
        ),
        (
            "an error below \"esc to interrupt\"",
            after("Press esc to interrupt."),
        ),
        (
            "an error below a spinner that an answer draws",
            after("It shows:\n✻ Crunching… (esc to interrupt)"),
        ),
        (
            "an error below \"retrying in 5s\"",
            after("It says: retrying in 5s · attempt 1/10"),
        ),
        (
            "an error below a choice that an answer draws",
            after("Choose:\n❯ 1. Yes\n  2. No\nEnter to confirm · Esc to cancel"),
        ),
        (
            "an error below a menu that an answer draws",
            after("Type:\n  /model   another model\n  /clear   from the start"),
        ),
        (
            "an error below Japanese",
            after("承知しました。ログを確認します。"),
        ),
        ("an error below a table", after("┌──┐\n│ x │\n└──┘")),
        (
            "an error below a usage limit that is quoted",
            after("You've hit your session limit · resets 3am"),
        ),
    ]
}
