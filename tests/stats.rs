//! `ctl log` and `ctl stats` at the built program: rotated files, spans, JSON, what is not there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

struct Home(tempfile::TempDir);

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir_all(home.log().parent().expect("a folder")).expect("folders");
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn log(&self) -> PathBuf {
        self.path()
            .join(".local/state/claude-retry/claude-retry.log")
    }

    fn rotated(&self, number: u32) -> PathBuf {
        let mut path = self.log().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }

    fn run(&self, args: &[&str], env: &[(&str, &str)]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_claude-retry"))
            .arg("ctl")
            .args(args)
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .envs(env.iter().copied())
            .output()
            .expect("the program runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Ran {
            code: output.status.code().expect("an exit code"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(args, &[]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        serde_json::from_str(&ran.stdout).expect("JSON")
    }
}

/// A record of so many hours ago.
fn record(hours: i64, pid: u32, fields: &str) -> String {
    let at = Timestamp::now() - SignedDuration::from_hours(hours);
    format!("{{\"time\":\"{at:.3}\",\"pid\":{pid},{fields}}}\n")
}

/// An error of so many hours ago that was recovered at once.
fn recovered(hours: i64, pid: u32) -> String {
    [
        r#""event":"start","version":"0.1.0""#,
        r#""event":"verdict","verdict":"act","class":"throttle","uuid":"a""#,
        r#""event":"waiting","attempt":1,"max":6,"wait_ms":900"#,
        r#""event":"typed","attempt":1"#,
        r#""event":"resumed""#,
        r#""event":"turn-ok""#,
    ]
    .map(|fields| record(hours, pid, fields))
    .concat()
}

#[test]
fn where_there_is_nothing_that_is_said_and_is_no_failure() {
    let home = Home::new();
    for (args, env) in [
        (&["log"][..], &[][..]),
        (&["stats"], &[]),
        (&["stats", "--since", "7d"], &[]),
        (&["log"], &[("CLAUDE_RETRY_LOG", "off")]),
        (&["stats"], &[("CLAUDE_RETRY_LOG", "off")]),
    ] {
        let ran = home.run(args, env);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{args:?}");
        assert_eq!(ran.stdout.lines().count(), 1, "{args:?}: {}", ran.stdout);
    }
    assert_eq!(home.json(&["stats", "--json"])["errors"]["total"], 0);
    assert_eq!(home.run(&["log", "--json"], &[]).stdout, "");
}

#[test]
fn rotated_files_are_read_with_the_log_and_a_span_leaves_the_old_out() {
    let home = Home::new();
    fs::write(home.rotated(2), recovered(24 * 20, 100)).expect("a file");
    fs::write(home.rotated(1), recovered(30, 100)).expect("a file");
    let log = recovered(2, 100) + &recovered(1, 101) + "{\"time\":\"2026";
    fs::write(home.log(), log).expect("a file");

    let errors = |args: &[&str]| home.json(args)["errors"]["total"].clone();
    assert_eq!(errors(&["stats", "--json"]), 4);
    assert_eq!(errors(&["stats", "--json", "--since", "7d"]), 3);
    assert_eq!(errors(&["stats", "--json", "--since", "90m"]), 1);
    let all = home.json(&["stats", "--json"]);
    assert_eq!(all["outcomes"]["recovered"], 4);
    assert_eq!(all["time"]["saved_ms"], 4 * 360_000);
    assert_eq!(all["skipped_lines"], 1);
    let table = home.run(&["stats"], &[]).stdout;
    assert!(table.starts_with("4 errors in the whole log"), "{table}");
    assert!(
        table.contains("saved     24m") && !table.contains('\x1b'),
        "{table}"
    );
    let ascii = home.run(&["stats"], &[("LANG", "C")]).stdout;
    assert!(ascii.is_ascii(), "{ascii}");

    let lines = |args: &[&str]| home.run(args, &[]).stdout.lines().count();
    assert_eq!(lines(&["log", "--json"]), 24);
    assert_eq!(lines(&["log", "--json", "-n", "5"]), 5);
    assert_eq!(lines(&["log", "--json", "--since", "7d"]), 18);
    assert_eq!(lines(&["log", "--json", "--since", "7d", "-n", "2"]), 2);
    let text = home.run(&["log", "-n", "2"], &[]).stdout;
    assert!(text.contains("101  the turn ended well\n"), "{text}");
    assert!(
        text.ends_with("(1 line passed over: half written, or not ours)\n"),
        "{text}"
    );
}

#[test]
fn more_than_thirty_decisions_are_only_shown_on_demand() {
    let home = Home::new();
    let log: String = (0..10).map(|pid| recovered(1, 100 + pid)).collect();
    fs::write(home.log(), log).expect("a file");
    let lines = |args: &[&str]| home.run(args, &[]).stdout.lines().count();
    assert_eq!(lines(&["log", "--json"]), 30);
    assert_eq!(lines(&["log", "--json", "--since", "1d"]), 60);
    assert_eq!(lines(&["log", "--json", "-n", "1000"]), 60);
}

#[test]
fn a_bad_argument_is_one_line_and_code_2() {
    let home = Home::new();
    for (args, part) in [
        (
            &["log", "--since", "yesterday"][..],
            "--since: \"yesterday\"",
        ),
        (&["stats", "--since", "7"], "7d, 12h or 90m"),
        (&["log", "-n", "few"], "few"),
        (&["stats", "--sinc", "7d"], "--since"),
    ] {
        let ran = home.run(args, &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}");
        assert!(ran.stderr.contains(part), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn a_log_that_cannot_be_read_is_named_with_code_2() {
    let home = Home::new();
    fs::create_dir(home.log()).expect("a folder in its place");
    for verb in ["log", "stats"] {
        let ran = home.run(&[verb], &[]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(
            ran.stderr.contains("claude-retry.log: it is no plain file"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_span_without_records_is_no_empty_log_and_a_path_does_not_reach_the_terminal_raw() {
    let home = Home::new();
    let record = r#"{"time":"2020-01-01T10:00:00.000Z","pid":7,"event":"typed"}"#;
    fs::write(home.log(), format!("{record}\n")).expect("a log");
    let ran = home.run(&["log", "--since", "1s"], &[]);
    assert!(
        ran.stdout.starts_with("none in the last 1s in "),
        "{}",
        ran.stdout
    );

    let odd = home.path().join("odd\u{1b}]0;x\u{7}");
    let env = [("CLAUDE_RETRY_LOG", odd.to_str().expect("UTF-8"))];
    let ran = home.run(&["log"], &env);
    assert!(
        ran.stdout.starts_with("no decisions yet in "),
        "{}",
        ran.stdout
    );
    fs::create_dir(&odd).expect("a folder in its place");
    let failed = home.run(&["log"], &env);
    assert_eq!(failed.code, 2);
    for text in [ran.stdout, failed.stderr] {
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
    }
}
