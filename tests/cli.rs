//! The built program's command line: what it prints, and its exit codes.

use std::path::Path;
use std::process::{Command, Output};

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs the program with a home of its own and no terminal.
fn run(home: &Path, args: &[&str], env: &[(&str, &str)]) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_claude-retry"))
        .args(args)
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .envs(env.iter().copied())
        .output()
        .expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran {
        code: status.code().expect("an exit code"),
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn write_config(home: &Path, text: &str) {
    let folder = home.join(".config/claude-retry");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("config.toml"), text).expect("a file");
}

#[test]
fn help_and_version_are_ours_and_tell_how_to_get_claudes() {
    let home = home();
    for flag in ["--help", "-h"] {
        let ran = run(home.path(), &[flag], &[]);
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("claude-retry -- --help"));
        assert!(ran.stdout.contains("--retry-max-per-hour"));
        assert_eq!(ran.stderr, "");
    }
    let ran = run(home.path(), &["--version"], &[]);
    let version = concat!("claude-retry ", env!("CARGO_PKG_VERSION"), "\n");
    assert!(ran.stdout.starts_with(version) && ran.stdout.contains("claude-retry -- --version"));
}

#[test]
fn without_a_terminal_it_becomes_the_program_with_all_arguments() {
    let home = home();
    let ran = run(
        home.path(),
        &[
            "--retry-program",
            "/bin/echo",
            "--",
            "--help",
            "--retry-cap",
            "x y",
        ],
        &[],
    );
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "--help --retry-cap x y\n")
    );
    let ran = run(home.path(), &["--retry-program=sh", "-c", "exit 7"], &[]);
    assert_eq!(ran.code, 7);
}

/// Arguments, environment, and what the message must contain.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

#[test]
fn bad_input_is_one_line_that_names_culprit_and_remedy_and_code_2() {
    let home = home();
    let cases: &[Case<'_>] = &[
        (&["--retry-capp", "1s"], &[], "did you mean --retry-cap?"),
        (&["--retry-cap"], &[], "--retry-cap needs a value"),
        (&["--retry-cap", "soon"], &[], "--retry-cap: \"soon\""),
        (
            &["x"],
            &[("CLAUDE_RETRY_BAR", "top")],
            "CLAUDE_RETRY_BAR: \"top\"",
        ),
        (&["--retry-base", "1m"], &[], "lower base or raise cap"),
        (&["ctl", "confg"], &[], "'config'"),
        (&["ctl", "completions", "klingon"], &[], "klingon"),
        (&["ctl", "demo"], &[], "terminal"),
    ];
    for (args, env, part) in cases {
        let ran = run(home.path(), args, env);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
    write_config(home.path(), "cap = \"10s\"\n\njiter = \"full\"\n");
    let ran = run(home.path(), &["x"], &[]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr
            .contains("config.toml:3: unknown key `jiter` (did you mean jitter?)")
    );
}

#[test]
fn a_program_that_is_not_there_is_127_and_one_that_cannot_run_126() {
    let home = home();
    let ran = run(
        home.path(),
        &["x"],
        &[("CLAUDE_RETRY_PROGRAM", "no-such-program")],
    );
    assert_eq!(ran.code, 127);
    assert!(
        ran.stderr.contains("CLAUDE_RETRY_PROGRAM"),
        "{}",
        ran.stderr
    );
    let ran = run(home.path(), &["--retry-program", "/etc/passwd"], &[]);
    assert_eq!(ran.code, 126);
}

#[test]
fn the_settings_that_are_printed_are_a_config_file_with_origins() {
    let home = home();
    write_config(home.path(), "cap = \"10s\"\n");
    let env = [("CLAUDE_RETRY_BASE", "2s"), ("CLAUDE_RETRY_FUTURE", "1")];
    let ran = run(home.path(), &["ctl", "config"], &env);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let line = |key: &str| {
        let line = ran.stdout.lines().find(|line| line.starts_with(key));
        line.unwrap_or_else(|| panic!("{}", ran.stdout)).to_owned()
    };
    assert!(line("cap").contains("\"10s\"") && line("cap").ends_with("config.toml:1"));
    assert!(line("base").contains("\"2s\"") && line("base").ends_with("# CLAUDE_RETRY_BASE"));
    assert!(line("jitter").ends_with("# default"));
    assert!(ran.stdout.contains("# warning: CLAUDE_RETRY_FUTURE"));

    write_config(home.path(), &ran.stdout);
    let again = run(home.path(), &["ctl", "config"], &[]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.contains("base = \"2s\""));
}

#[test]
fn completions_the_manual_and_the_alias_are_printed() {
    let home = home();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(home.path(), &["ctl", "completions", shell], &[]);
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("retry-max-per-hour"), "{shell}");
    }
    let ran = run(home.path(), &["ctl", "man"], &[]);
    assert!(ran.stdout.contains(".SH EXIT STATUS") && ran.stdout.contains("CLAUDE_RETRY_CAP"));
    let ran = run(home.path(), &["ctl", "alias"], &[("SHELL", "/bin/zsh")]);
    assert_eq!(ran.stdout, "# into ~/.zshrc:\nalias claude=claude-retry\n");
    let ran = run(home.path(), &["ctl", "alias", "fish"], &[]);
    assert!(ran.stdout.ends_with("\nalias claude claude-retry\n"));
}
