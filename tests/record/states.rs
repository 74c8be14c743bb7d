//! The states of the prompt, most of them after a turn that a transient error ended: the banner is in sight,
//! and the prompt alone tells whether it is for us.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::take::{Keep, Renderer, Take};
use crate::real::grid::Step::{self, Ask, Failed, Gone, Press, Prompt, See, Turns, Type};
use crate::real::setup::Setup;
use crate::support::api::Answer;
use crate::support::terminal::{Key, Kind};

const FREE: Step = Prompt("");
const ENTER: Step = Press(Key::Enter);
const ESCAPE: Step = Press(Key::Escape);
const UP: Step = Type("\x1b[A");
const LEFT: Step = Type("\x1b[D");
const SHIFT_TAB: Step = Type("\x1b[Z");
const DOWN: Step = Type("\x1b[B");
const PAGE_UP: Step = Type("\x1b[5~");

const fn ctrl(letter: u8) -> Step {
    Press(Key::Ctrl(letter))
}

/// Rows and columns of the terminals that sessions start in, one after the other.
const STARTS: [(u16, u16); 5] = [(30, 100), (24, 80), (40, 120), (24, 60), (50, 200)];
/// Those that their windows are then resized to.
const RESIZED: [&[(u16, u16)]; 7] = [
    &[(14, 44), (100, 300)],
    &[(10, 80), (24, 34)],
    &[(6, 80), (30, 20)],
    &[(20, 20), (12, 200)],
    &[(60, 50), (8, 120)],
    &[(24, 28), (6, 300)],
    &[(100, 80), (16, 64)],
];
/// Those of what looks like a prompt where a sign of the contrary may be cut off.
const NARROW: &[(u16, u16)] = &[
    (24, 20),
    (30, 24),
    (20, 28),
    (24, 34),
    (16, 40),
    (12, 50),
    (40, 30),
    (60, 20),
];
/// The states that have such a sign.
const SIGNED: [&str; 9] = [
    "agents-view",
    "help-panel",
    "history-search",
    "file-menu",
    "slash-menu",
    "shell-selected",
    "side-question",
    "queued",
    "reader-slash",
];
/// Sessions that start in a small window.
const SMALL: [(u16, u16); 8] = [
    (6, 80),
    (8, 40),
    (10, 20),
    (12, 30),
    (24, 20),
    (6, 300),
    (100, 300),
    (16, 24),
];

/// A state.
#[derive(Clone, Debug)]
struct State {
    name: &'static str,
    setup: Setup,
    prepare: Option<fn(&Path) -> std::io::Result<()>>,
    steps: Vec<Step>,
    /// The oldest version that has it.
    since: u32,
    /// Drawn in one way only: a second renderer would show nothing else.
    once: bool,
}

impl State {
    fn new(name: &'static str, setup: Setup, steps: Vec<Step>) -> Self {
        Self {
            name,
            setup,
            prepare: None,
            steps,
            since: 0,
            once: false,
        }
    }

    fn since(mut self, patch: u32) -> Self {
        self.since = patch;
        self
    }

    fn once(mut self) -> Self {
        self.once = true;
        self
    }

    fn prepared(mut self, prepare: fn(&Path) -> std::io::Result<()>) -> Self {
        self.prepare = Some(prepare);
        self
    }
}

fn answers(first: impl IntoIterator<Item = Answer>) -> Setup {
    let mut script: Vec<Answer> = first.into_iter().collect();
    script.push(Answer::text("Recovered and done."));
    Setup::new(script)
}

fn throttled() -> Setup {
    answers([Answer::throttle()])
}

/// After a failed turn, these steps.
fn failed(name: &'static str, then: &[Step]) -> State {
    failed_in(name, throttled(), then)
}

fn failed_in(name: &'static str, setup: Setup, then: &[Step]) -> State {
    let mut steps = vec![Ask("hello there"), Failed, FREE];
    steps.extend_from_slice(then);
    State::new(name, setup, steps)
}

/// After a failed turn, this command.
fn command(name: &'static str, command: &'static str, shows: &'static [&'static str]) -> State {
    failed(name, &[Type(command), Prompt(command), ENTER, See(shows)])
}

/// Everything there is to record of a version's prompt: each state in each renderer, the terminals and the
/// windows in turn.
pub(super) fn all(version: &'static str) -> Vec<Take> {
    let patch = version.rsplit('.').next().and_then(|n| n.parse().ok());
    let patch: u32 = patch.unwrap_or(u32::MAX);
    let mut takes = Vec::new();
    // Another start for each version, so that a state is seen in other windows on each.
    let mut turn = turn_of(patch);
    for (place, state) in states().into_iter().enumerate() {
        if patch < state.since {
            continue;
        }
        let in_both = [
            "free",
            "draft",
            "shell",
            "history-search",
            "usage-limit",
            "queued",
        ];
        let has_both = patch > 145 && !state.once;
        let mut renderers = match (has_both, in_both.contains(&state.name)) {
            (false, _) => vec![Renderer::Own],
            (true, true) => vec![Renderer::Own, Renderer::Inline],
            // The others in one on this version, in the other on the next.
            (true, false) if (place + turn_of(patch)).is_multiple_of(2) => vec![Renderer::Own],
            (true, false) => vec![Renderer::Inline],
        };
        if [
            "free",
            "draft-wide",
            "slash-menu",
            "model",
            "transcript-view",
        ]
        .contains(&state.name)
        {
            renderers.push(Renderer::Tmux);
        }
        for renderer in renderers {
            turn += 1;
            let kind = if turn.is_multiple_of(2) {
                Kind::Plain
            } else {
                Kind::Full
            };
            let (rows, columns) = STARTS[turn % STARTS.len()];
            takes.push(Take {
                version,
                name: state.name,
                renderer,
                kind,
                setup: state.setup.clone().size(rows, columns),
                prepare: state.prepare,
                before: Vec::new(),
                steps: state.steps.clone(),
                keep: Keep::Screens(if SIGNED.contains(&state.name) {
                    NARROW
                } else {
                    RESIZED[turn % RESIZED.len()]
                }),
            });
        }
    }
    takes.extend(small(version, patch));
    takes
}

/// A number for a version, unlike its neighbours'.
fn turn_of(patch: u32) -> usize {
    usize::try_from(patch).unwrap_or(0) / 50
}

/// Sessions whose windows were small, or huge, from the start. The user sees too little of them for a
/// recorder to wait for.
fn small(version: &'static str, patch: u32) -> Vec<Take> {
    let mut takes = Vec::new();
    for (place, (rows, columns)) in SMALL.into_iter().enumerate() {
        let inline = patch > 145 && place % 2 == 1;
        takes.push(Take {
            version,
            name: "started-small",
            renderer: if inline {
                Renderer::Inline
            } else {
                Renderer::Own
            },
            kind: if place % 3 == 0 {
                Kind::Full
            } else {
                Kind::Plain
            },
            setup: throttled().size(rows, columns),
            prepare: None,
            before: Vec::new(),
            steps: vec![
                See(&["❯"]),
                Type("hello there"),
                See(&["there"]),
                ENTER,
                Turns(1),
            ],
            keep: Keep::Screens(&[]),
        });
    }
    takes
}

fn states() -> Vec<State> {
    let mut all = free();
    all.extend(drafts());
    all.extend(modes_and_menus());
    all.extend(views());
    all.extend(dialogs());
    all.extend(questions());
    all.extend(at_work());
    all.extend(first_screens());
    all.extend(screen_reader());
    all
}

/// The prompt is free.
fn free() -> Vec<State> {
    let settings = |text: &'static str| throttled().args(&["--settings", text]);
    vec![
        failed("free", &[]),
        State::new("fresh", throttled(), vec![FREE]),
        failed("exit-armed", &[ctrl(b'c'), See(&["again to exit"])]),
        failed("accept-edits", &[SHIFT_TAB]),
        failed("plan-mode", &[SHIFT_TAB, SHIFT_TAB]),
        failed(
            "stashed",
            &[Type("put aside"), Prompt("put aside"), ctrl(b's'), FREE],
        ),
        failed_in(
            "status-line",
            settings(
                r#"{"statusLine":{"type":"command","command":"printf 'one line\\nand another \\033[7m 42%% \\033[0m'"}}"#,
            ),
            &[See(&["and another"])],
        ),
        failed_in(
            "vim-insert",
            settings(r#"{"editorMode":"vim"}"#),
            &[See(&["INSERT"])],
        ),
        failed_in(
            "vim-normal",
            settings(r#"{"editorMode":"vim"}"#),
            &[See(&["INSERT"]), ESCAPE, Gone("INSERT")],
        ),
        State::new(
            "todos",
            answers([
                Answer::tool(
                    "TodoWrite",
                    json!({"todos": [
                        {"content": "Read the plan", "status": "completed", "activeForm": "Reading the plan"},
                        {"content": "Build the wall", "status": "in_progress", "activeForm": "Building the wall"},
                        {"content": "Paint it", "status": "pending", "activeForm": "Painting it"}]}),
                ),
                Answer::throttle(),
            ]),
            vec![Ask("hello there"), Failed, FREE],
        ),
        State::new(
            "tasks-listed",
            answers([
                Answer::tool(
                    "TaskCreate",
                    json!({"subject": "Build the wall", "description": "Of bricks", "activeForm": "Building the wall"}),
                ),
                Answer::throttle(),
            ]),
            vec![Ask("hello there"), Failed, FREE],
        ),
        failed("cost-printed", &[Type("/cost"), Prompt("/cost"), ENTER]),
        State::new(
            "background-shell",
            in_background(),
            vec![Ask("hello there"), Failed, FREE],
        ),
        State::new(
            "two-failures",
            answers([
                Answer::throttle(),
                Answer::error(529, "overloaded_error", "Overloaded"),
            ]),
            vec![
                Ask("hello there"),
                Failed,
                Ask("and again"),
                See(&["529 Overloaded"]),
                FREE,
            ],
        ),
        State::new(
            "long-talk",
            answers([long_answer(), Answer::throttle()]),
            vec![
                Ask("hello there"),
                See(&["Paragraph 39"]),
                Ask("and again"),
                Failed,
                FREE,
            ],
        ),
        State::new(
            "api-key",
            throttled().api_key(),
            vec![Ask("hello there"), See(&["Request rejected (429)"]), FREE],
        ),
    ]
}

/// A command of the assistant's goes on in the background, and the turn fails.
fn in_background() -> Setup {
    answers([
        Answer::tool(
            "Bash",
            json!({"command": "sleep 600", "description": "Waits", "run_in_background": true}),
        ),
        Answer::throttle(),
    ])
    .args(&["--settings", r#"{"permissions":{"allow":["Bash"]}}"#])
}

/// More than a screen.
fn long_answer() -> Answer {
    let paragraphs = (0..40).map(|n| {
        format!("Paragraph {n}: the quick brown fox jumps over the lazy dog, and keeps on running.")
    });
    Answer::text(paragraphs.collect::<Vec<_>>().join("\n\n"))
}

/// Something is typed in the prompt.
fn drafts() -> Vec<State> {
    let mut long = Vec::new();
    for part in 0..12 {
        let text = format!(
            "part {part} of a draft that is longer than the box, with words enough for a row or two of it "
        );
        let end = format!("part {part} of");
        long.push(Type(text.leak()));
        long.push(See(vec![&*end.leak()].leak()));
    }
    let mut rows = Vec::new();
    for row in 0..30 {
        let (text, end) = (format!("row {row}\\"), format!("row {row}"));
        rows.push(Type(text.leak()));
        rows.push(See(vec![&*end.leak()].leak()));
        rows.push(ENTER);
    }
    vec![
        failed(
            "draft",
            &[Type("my half typed draft"), Prompt("my half typed draft")],
        ),
        failed("draft-continue", &[Type("continue"), Prompt("continue")]),
        failed("draft-blank", &[Type("   ")]),
        failed(
            "draft-blank-lines",
            &[
                Type("\\"),
                See(&["\\"]),
                ENTER,
                Gone("\\"),
                Type("\\"),
                See(&["\\"]),
                ENTER,
                Gone("\\"),
            ],
        ),
        failed(
            "draft-lines",
            &[
                Type("one\\"),
                See(&["one\\"]),
                ENTER,
                Gone("one\\"),
                Type("two\\"),
                See(&["two\\"]),
                ENTER,
                Gone("two\\"),
                Type("three"),
                See(&["three"]),
            ],
        ),
        failed(
            "draft-wide",
            &[
                Type("草稿はここに 그리고 여기 🦀🚀 e\u{301}a\u{308} ok"),
                See(&["ok"]),
            ],
        ),
        failed(
            "draft-wide-wrapped",
            &[
                Type(
                    "長い草稿は箱の幅より長くなければならない、だからもう少し書く。そして最後まで書き続ける ab",
                ),
                See(&["ab"]),
                Type("行がいくつも要るから。 ok"),
                See(&["ok"]),
            ],
        ),
        failed("draft-long", &long),
        failed("draft-rows", &rows),
        failed(
            "draft-pasted",
            &[
                Type("\x1b[200~a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\nn\no\np\x1b[201~"),
                See(&["Pasted text", "p"]),
            ],
        ),
        failed(
            "draft-of-rules",
            &[Type("──────────"), See(&["──────────"])],
        ),
        failed(
            "draft-cursor-home",
            &[Type("my draft"), Prompt("my draft"), ctrl(b'a')],
        ),
        failed(
            "draft-esc-armed",
            &[Type("my draft"), Prompt("my draft"), ESCAPE],
        ),
        failed("draft-from-history", &[UP, Prompt("hello there")]),
        failed("draft-wide-one", &[Type("好"), See(&["好"])]),
        failed("draft-nbsp", &[Type("\u{a0}")]),
    ]
}

/// The prompt takes what is typed for something else.
fn modes_and_menus() -> Vec<State> {
    vec![
        failed("shell", &[Type("!"), Step::Glyph('!')]),
        failed(
            "shell-draft",
            &[
                Type("!"),
                Step::Glyph('!'),
                Type("rm -rf build"),
                See(&["rm -rf build"]),
            ],
        ),
        failed("memory", &[Type("#")]),
        failed(
            "memory-draft",
            &[Type("# keep it short"), See(&["keep it short"])],
        ),
        failed("slash-menu", &[Type("/"), See(&["/add-dir"])]),
        failed("slash-filtered", &[Type("/mod"), See(&["/model"])]),
        failed("slash-argument", &[Type("/model "), See(&["/model"])]),
        failed(
            "slash-unknown",
            &[Type("/nosuchcommand"), See(&["/nosuch"])],
        ),
        failed("slash-in-draft", &[Type("do /mod"), See(&["do /mod"])]),
        failed("file-menu", &[Type("@"), See(&["@"])]).prepared(some_files),
        failed("file-in-draft", &[Type("look at @al"), See(&["@al"])]).prepared(some_files),
        failed(
            "history-search",
            &[ctrl(b'r'), See(&["search prompts:", "Filter history"])],
        ),
        failed(
            "history-search-query",
            &[
                ctrl(b'r'),
                See(&["search prompts:", "Filter history"]),
                Type("hel"),
                See(&["hel"]),
            ],
        ),
        State::new(
            "shell-selected",
            in_background(),
            vec![Ask("hello there"), Failed, FREE, DOWN],
        ),
        failed("thinking-key", &[Type("\x1bt")]),
        failed("model-key", &[Type("\x1bp")]),
        failed("tasks-key", &[ctrl(b't')]),
        failed(
            "side-question",
            &[Type("/btw why"), See(&["/btw why"]), ENTER],
        ),
        failed(
            "editor-key",
            &[Type("a draft"), Prompt("a draft"), ctrl(b'g')],
        ),
        failed("help-panel", &[Type("?"), See(&["for commands"])]),
    ]
}

fn some_files(home: &Path) -> std::io::Result<()> {
    for name in ["alpha.rs", "beta.rs", "gamma.md"] {
        std::fs::write(home.join("proj").join(name), "")?;
    }
    Ok(())
}

/// No prompt, or not this session's.
fn views() -> Vec<State> {
    vec![
        failed(
            "transcript-view",
            &[ctrl(b'o'), See(&["detailed transcript"])],
        ),
        failed("rewind", &[ESCAPE, ESCAPE, See(&["Rewind"])]),
        failed("agents-view", &[LEFT]).since(200),
        State::new(
            "scrolled-up",
            answers([long_answer(), Answer::throttle()]),
            vec![
                Ask("hello there"),
                See(&["Paragraph 39"]),
                Ask("and again"),
                Failed,
                FREE,
                PAGE_UP,
            ],
        )
        .since(200),
        State::new(
            "background-dialog",
            in_background(),
            vec![
                Ask("hello there"),
                Failed,
                FREE,
                Type("/tasks"),
                Prompt("/tasks"),
                ENTER,
                See(&["sleep 600"]),
            ],
        ),
        failed(
            "transcript-search",
            &[
                ctrl(b'o'),
                See(&["detailed transcript"]),
                Type("/"),
                Type("he"),
            ],
        )
        .since(200),
    ]
}

/// A dialog that the user opened.
fn dialogs() -> Vec<State> {
    let selects: &[&str] = &["Select", "Enter", "Esc", "esc"];
    vec![
        command("model", "/model", &["Select model"]),
        command("config", "/config", selects),
        command(
            "rate-limit-options",
            "/rate-limit-options",
            &["⎿", "What do you want", "Unknown", "Esc"],
        ),
        command("resume", "/resume", selects),
        command("permissions", "/permissions", selects).once(),
        command("memory-dialog", "/memory", selects).once(),
        command("agents", "/agents", &["Esc", "esc", "has been removed"]).once(),
        command("theme", "/theme", selects).once(),
        command("hooks", "/hooks", selects).once(),
        command("mcp", "/mcp", &["Esc", "esc", "No MCP servers"]).once(),
        command("help", "/help", selects).once(),
        command("status", "/status", selects).once(),
        command("effort", "/effort", selects).once(),
        command("export", "/export", selects).once(),
        command("login", "/login", &["login method", "Login", "Log in"]),
        State::new(
            "usage-limit",
            usage_limit(),
            vec![Ask("hello there"), See(&["hit your"])],
        ),
    ]
}

/// A 429 of a usage limit that ends in an hour.
fn usage_limit() -> Setup {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let hour = Duration::from_hours(1);
    let reset = now.unwrap_or_default() + hour;
    let message = "This request would exceed your account's rate limit. Please try again later.";
    answers([Answer::error(429, "rate_limit_error", message)
        .header("anthropic-ratelimit-unified-status", "rejected")
        .header(
            "anthropic-ratelimit-unified-reset",
            reset.as_secs().to_string(),
        )
        .header(
            "anthropic-ratelimit-unified-representative-claim",
            "five_hour",
        )
        .header("retry-after", hour.as_secs().to_string())])
}

/// The CLI asks the user.
fn questions() -> Vec<State> {
    let asked = |name, tool: &'static str, input: Value, shows: &'static [&'static str]| {
        let setup = answers([Answer::throttle(), Answer::tool(tool, input)])
            .args(&["--permission-mode", "default"]);
        failed_in(name, setup, &[Ask("continue"), Turns(2), See(shows)])
    };
    vec![
        asked(
            "permission-shell",
            "Bash",
            json!({"command": "touch made", "description": "Makes a file"}),
            &["Do you want to"],
        ),
        asked(
            "permission-write",
            "Write",
            json!({"file_path": "made.txt", "content": "API Error: 529 Overloaded\nand more\n"}),
            &["Do you want to", "Error"],
        ),
        asked(
            "question",
            "AskUserQuestion",
            json!({"questions": [{"question": "Which way?", "header": "Way", "multiSelect": false,
                "options": [{"label": "Left", "description": "To the sea"}, {"label": "Right", "description": "To the hills"}]}]}),
            &["Which way?", "Error"],
        ),
        failed_in(
            "plan-approval",
            answers([
                Answer::throttle(),
                Answer::tool(
                    "ExitPlanMode",
                    json!({"plan": "# Plan\n\n1. Build\n2. Paint"}),
                ),
            ])
            .args(&["--permission-mode", "plan"]),
            &[
                Ask("continue"),
                Turns(2),
                See(&["proceed", "Ready to code", "Exit plan"]),
            ],
        ),
    ]
}

/// A turn runs.
fn at_work() -> Vec<State> {
    let gated = || answers([Answer::throttle(), Answer::text("Handled.").gated()]);
    let works: &[Step] = &[Ask("continue"), Turns(2)];
    let then = |steps: &[Step]| [works, steps].concat();
    vec![
        failed_in("busy", gated(), works),
        failed_in(
            "busy-draft",
            gated(),
            &then(&[Type("and a draft"), Prompt("and a draft")]),
        ),
        failed_in(
            "queued",
            gated(),
            &then(&[
                Type("and do that too"),
                Prompt("and do that too"),
                ENTER,
                FREE,
            ]),
        ),
        failed_in(
            "queued-two",
            gated(),
            &then(&[
                Type("do that too"),
                Prompt("do that too"),
                ENTER,
                FREE,
                Type("and this"),
                Prompt("and this"),
                ENTER,
                FREE,
            ]),
        ),
        failed_in(
            "interrupted",
            gated(),
            &then(&[
                See(&["interrupt", "…"]),
                ESCAPE,
                See(&["nterrupted", "❯ continue"]),
            ]),
        ),
        failed_in(
            "busy-slash",
            gated(),
            &then(&[Type("/"), See(&["/add-dir"])]),
        ),
        failed_in(
            "busy-transcript",
            gated(),
            &then(&[ctrl(b'o'), See(&["detailed transcript"])]),
        ),
        State::new(
            "own-retry",
            answers(std::iter::repeat_n(Answer::throttle(), 12))
                .env("CLAUDE_CODE_MAX_RETRIES", "10"),
            vec![Ask("hello there"), Turns(3)],
        )
        .since(199),
    ]
}

/// What stands there before any session.
fn first_screens() -> Vec<State> {
    let no_token = || throttled().env("CLAUDE_CODE_OAUTH_TOKEN", "");
    vec![
        State::new("trust", throttled(), vec![See(&["trust"])]).prepared(untrusted),
        State::new(
            "not-logged-in",
            no_token(),
            vec![
                FREE,
                Type("hello there"),
                Prompt("hello there"),
                ENTER,
                See(&["Please run /login", "login method"]),
            ],
        ),
    ]
}

fn change_state(home: &Path, change: impl FnOnce(&mut Value)) -> std::io::Result<()> {
    let path = home.join(".claude.json");
    let mut state = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
    change(&mut state);
    std::fs::write(path, state.to_string())
}

fn untrusted(home: &Path) -> std::io::Result<()> {
    change_state(home, |state| state["projects"] = json!({}))
}

/// Drawn for a screen reader.
fn screen_reader() -> Vec<State> {
    let spoken = |name, steps: &[Step]| {
        failed_in(name, throttled().args(&["--ax-screen-reader"]), steps)
            .since(200)
            .once()
    };
    vec![
        spoken("reader-free", &[]),
        spoken("reader-draft", &[Type("my draft"), Prompt("my draft")]),
        spoken("reader-blank", &[Type(" ")]),
        spoken("reader-shell", &[Type("!"), See(&["!"])]),
        spoken("reader-slash", &[Type("/"), See(&["/"])]),
        spoken(
            "reader-model",
            &[Type("/model"), See(&["/model"]), ENTER, See(&["odel"])],
        ),
        spoken("reader-transcript", &[ctrl(b'o')]),
        spoken("reader-history", &[ctrl(b'r')]),
        spoken("reader-rewind", &[ESCAPE, ESCAPE]),
        spoken("reader-wide", &[Type("草稿 🦀"), See(&["草稿"])]),
    ]
}
