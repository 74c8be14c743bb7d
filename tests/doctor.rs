//! `ctl doctor` at the built program: with and without a CLI, broken settings, a log that cannot be written, a
//! terminal that answers and one that does not.

#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use pty::Terminal;

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, text).expect("a file");
        path
    }

    /// A program that tells a version and has these wordings in its text.
    fn cli(&self, version: &str, wordings: &[&str]) {
        let text = format!(
            "#!/bin/sh\necho '{version} (Claude Code)'\nexit\n{}\n",
            wordings.join("\n")
        );
        let path = self.write(".local/bin/claude", &text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    fn run(&self, args: &[&str], env: &[(&str, &str)]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_claude-retry"))
            .args(["ctl", "doctor"])
            .args(args)
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", "/usr/bin:/bin")
            .envs(env.iter().copied())
            .current_dir(self.path())
            .output()
            .expect("the program runs");
        assert!(output.stderr.is_empty(), "{:?}", output.stderr);
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        (output.status.code().expect("an exit code"), stdout)
    }

    fn report(&self, env: &[(&str, &str)]) -> Report {
        let (code, stdout) = self.run(&["--json"], env);
        let json: Value = serde_json::from_str(&stdout).expect("JSON");
        let problems = json["problems"].as_u64().expect("a number");
        assert_eq!(code, i32::from(problems > 0), "{json:#}");
        Report(json)
    }
}

struct Report(Value);

impl Report {
    fn check(&self, name: &str) -> &Value {
        let checks = self.0["checks"].as_array().expect("checks");
        let check = checks.iter().find(|check| check["name"] == name);
        check.unwrap_or_else(|| panic!("no {name}: {:#}", self.0))
    }

    fn status(&self, name: &str) -> &str {
        self.check(name)["status"].as_str().expect("a status")
    }

    fn has(&self, name: &str, part: &str) -> bool {
        self.check(name)["found"]
            .as_str()
            .expect("text")
            .contains(part)
    }
}

/// Everything that the newest version is expected to contain is not repeated here: these are enough for it to
/// be read, and too few.
const SOME: [&str; 3] = [
    "Server is temporarily limiting requests",
    "Not logged in",
    "API Error",
];

#[test]
fn without_a_cli_that_is_a_problem_with_a_remedy_and_all_else_is_looked_at() {
    let home = Home::new();
    let report = home.report(&[]);
    assert_eq!(report.status("CLI"), "problem");
    let remedy = report.check("CLI")["remedy"].as_str().expect("a remedy");
    assert!(
        remedy.contains("npm i -g @anthropic-ai/claude-code"),
        "{remedy}"
    );
    for name in [
        "settings",
        "transcripts",
        "sessions",
        "log",
        "companion hook",
        "installed hook",
        "TERM",
    ] {
        report.check(name);
    }
    let (code, text) = home.run(&[], &[]);
    assert_eq!(code, 1);
    assert!(text.starts_with("problem  CLI"), "{text}");
    assert!(text.contains("1 problem, "), "{text}");
}

#[test]
fn a_cli_is_found_with_its_version_and_its_wordings() {
    let home = Home::new();
    home.cli("2.1.330", &SOME);
    let report = home.report(&[]);
    assert_eq!(report.status("CLI"), "ok");
    assert!(report.has("CLI", "version 2.1.330"));
    assert_eq!(report.status("wordings"), "warning");
    assert!(report.has("wordings", "2 of 4"), "{:#}", report.0);
    assert!(report.has("wordings", "\"Unable to connect to API\""));
    assert!(
        report.has("wordings", "worded otherwise"),
        "one of the throttle's two is missing"
    );
    assert_eq!(report.status("interfaces"), "warning");

    home.cli("2.1.331", &[]);
    let report = home.report(&[]);
    assert_eq!(report.status("CLI"), "warning");
    assert!(report.has("CLI", "newer than 2.1.330"));
    assert_eq!(report.status("wordings"), "warning");
    assert!(
        report.has("wordings", "could not be read"),
        "{:#}",
        report.0
    );
    home.cli("2.1.77", &SOME);
    assert!(home.report(&[]).has("CLI", "older than 2.1.112"));
    home.cli("no idea", &SOME);
    assert!(home.report(&[]).has("CLI", "does not tell its version"));
}

#[test]
fn a_cli_that_does_not_run_is_a_problem_and_so_is_one_that_starts_us() {
    let home = Home::new();
    let problem = |text: &str, why: &str| {
        let path = home.write(".local/bin/claude", text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
        let report = home.report(&[]);
        assert_eq!(report.status("CLI"), "problem", "{:#}", report.0);
        assert!(report.has("CLI", why), "{:#}", report.0);
    };
    problem("#!/bin/sh\nexit 3\n", "it ended with code 3");
    problem("#!/no/such/shell\n", "it cannot be started");
    let ours = env!("CARGO_BIN_EXE_claude-retry");
    problem(
        &format!("#!/bin/sh\nexec {ours} \"$@\"\n"),
        "which is claude-retry",
    );
}

#[test]
fn a_pipe_in_a_files_place_blocks_nothing() {
    let home = Home::new();
    home.cli("2.1.330", &SOME);
    for name in [".config/claude-retry/config.toml", ".claude/settings.json"] {
        let path = home.write(name, "");
        fs::remove_file(&path).expect("out of the way");
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo").success());
    }
    let report = home.report(&[]);
    assert_eq!(report.status("settings"), "problem");
    assert!(report.has("settings", "it is no plain file"));
}

#[test]
fn json_into_a_pipe_does_not_find_fault_with_the_pipe() {
    let home = Home::new();
    let report = home.report(&[]);
    assert_eq!(report.status("terminal"), "ok");
    assert!(report.has("terminal", "not looked at"));
}

#[test]
fn broken_settings_are_a_problem_with_file_and_line() {
    let home = Home::new();
    home.cli("2.1.330", &SOME);
    let sound = home.report(&[("CLAUDE_RETRY_FUTURE", "sk-secret")]);
    assert_eq!(sound.status("settings"), "ok");
    assert_eq!(sound.status("environment"), "warning");
    assert!(sound.has("environment", "CLAUDE_RETRY_FUTURE"));
    assert!(!sound.0.to_string().contains("secret"));
    home.write(
        ".config/claude-retry/config.toml",
        "cap = \"10s\"\njiter = \"full\"\n",
    );
    let report = home.report(&[]);
    assert_eq!(report.status("settings"), "problem");
    assert!(report.has(
        "settings",
        "config.toml:2: unknown key `jiter` (did you mean jitter?)"
    ));
    assert_eq!(report.status("CLI"), "ok");
}

#[test]
fn a_log_that_cannot_be_written_is_a_problem() {
    let home = Home::new();
    home.cli("2.1.330", &SOME);
    assert_eq!(home.report(&[]).status("log"), "ok");
    home.write("file", "");
    let log = home.path().join("file/log");
    let report = home.report(&[("CLAUDE_RETRY_LOG", &log.to_string_lossy())]);
    assert_eq!(report.status("log"), "problem");
    assert_eq!(
        home.report(&[("CLAUDE_RETRY_LOG", "off")]).status("log"),
        "warning"
    );
}

#[test]
fn nothing_is_written_into_the_clis_folder_and_no_secret_is_told() {
    let home = Home::new();
    home.cli("2.1.145", &SOME);
    home.write(
        ".claude/settings.json",
        r#"{"env":{"ANTHROPIC_AUTH_TOKEN":"sk-secret"}}"#,
    );
    let env = [
        ("ANTHROPIC_API_KEY", "sk-secret"),
        ("CLAUDE_CODE_OAUTH_TOKEN", "sk-secret"),
        ("CLAUDE_RETRY_SOCKET", "sk-secret"),
    ];
    let report = home.report(&env);
    assert!(!report.0.to_string().contains("secret"));
    assert_eq!(report.status("installed hook"), "warning");
    let entries = fs::read_dir(home.path().join(".claude")).expect("the folder");
    assert_eq!(entries.count(), 1);
    let run = home.path().join(".local/state/claude-retry/run");
    assert_eq!(fs::read_dir(run).expect("the place").count(), 0);
}

/// In a terminal, between two looks at its attributes.
fn in_terminal(home: &Home) -> Terminal {
    started(
        home,
        "stty -g; \"$0\" ctl doctor; echo code $?; stty -g; read -r line; echo \"[$line]\"",
    )
}

/// A script in a terminal, whose `$0` is the program.
fn started(home: &Home, script: &str) -> Terminal {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", script])
        .arg(env!("CARGO_BIN_EXE_claude-retry"))
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .env("NO_COLOR", "1")
        .env("TERM", "xterm-256color")
        .current_dir(home.path());
    Terminal::start(command)
}

/// What the terminal showed; its attributes must be as before, and nothing left over for the shell.
fn shown(mut terminal: Terminal) -> String {
    terminal.expect("code 0");
    terminal.send(b"mine\n");
    let (bytes, _) = terminal.finish();
    let text = String::from_utf8(bytes).expect("UTF-8").replace('\r', "");
    let attributes: Vec<&str> = text
        .lines()
        .filter(|line| line.matches(':').count() > 20)
        .collect();
    assert_eq!(attributes.len(), 2, "{text}");
    assert_eq!(attributes[0], attributes[1]);
    assert!(text.contains("\n[mine]\n"), "{text}");
    text
}

fn line<'a>(text: &'a str, name: &str) -> &'a str {
    let mut lines = text.lines();
    let line = lines.find(|line| line.get(9..).is_some_and(|rest| rest.starts_with(name)));
    line.unwrap_or_else(|| panic!("no {name}: {text}"))
}

#[test]
fn a_terminal_that_answers_is_told_of_and_left_as_it_was() {
    let home = Home::new();
    home.cli("2.1.330", &SOME);
    let mut terminal = in_terminal(&home);
    terminal.expect("\x1b[?2026$p\x1b[?2004$p\x1b[?u\x1b[6n\x1b[c");
    terminal.send(b"\x1b[?2026;2$y\x1b[?2004;2$y\x1b[?0u\x1b[3;1R\x1b[?62;22c");
    let text = shown(terminal);
    for name in [
        "terminal",
        "answers",
        "bar",
        "synchronized updates",
        "keyboard protocol",
    ] {
        assert!(line(&text, name).starts_with("ok "), "{text}");
    }
    assert!(line(&text, "synchronized updates").contains("yes"));
    assert!(line(&text, "size").contains("24 rows of 80 columns"));
}

#[test]
fn a_terminal_that_answers_the_fence_alone_is_asked_no_longer() {
    let home = Home::new();
    home.cli("2.1.330", &SOME);
    let mut terminal = in_terminal(&home);
    terminal.expect("\x1b[c");
    terminal.send(b"\x1b[?6c");
    let text = shown(terminal);
    assert!(line(&text, "answers").starts_with("ok "));
    assert!(line(&text, "bar").starts_with("warning "));
    assert!(line(&text, "synchronized updates").contains("no: "));
}

#[test]
fn a_terminal_that_never_answers_is_not_waited_for_for_ever() {
    let home = Home::new();
    home.cli("2.1.330", &SOME);
    let mut terminal = in_terminal(&home);
    terminal.expect("\x1b[c");
    assert!(line(&shown(terminal), "answers").starts_with("warning "));
}

#[test]
fn what_was_typed_ahead_is_the_shells() {
    let home = Home::new();
    home.cli("2.1.330", &SOME);
    // Typed while the other program runs: the question is not asked.
    let mut terminal = started(
        &home,
        "read -r _; \"$0\" ctl doctor; echo code $?; read -r line; echo \"[$line]\"",
    );
    terminal.send(b"\nmine\n");
    terminal.expect("[mine]");
    let (bytes, _) = terminal.finish();
    let text = String::from_utf8(bytes).expect("UTF-8");
    assert!(
        text.contains("typed ahead") && !text.contains("\x1b[c"),
        "{text}"
    );
}

#[test]
fn ctrl_c_during_the_question_ends_it() {
    let home = Home::new();
    home.cli("2.1.330", &SOME);
    let mut terminal = started(&home, "trap : INT; \"$0\" ctl doctor; echo code $?");
    terminal.expect("\x1b[c");
    terminal.send(b"\x03");
    terminal.expect("code 130");
    terminal.finish();
}
