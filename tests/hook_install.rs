//! `claude-retry ctl hook`: the built program at work on the CLI's settings, in a home of its own.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rstest::rstest;
use serde_json::{Value, json};

const US: &str = env!("CARGO_BIN_EXE_claude-retry");
const THROTTLE: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited";

struct Home {
    folder: tempfile::TempDir,
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Home {
    /// A home with no settings, and a CLI that only knows its version.
    fn new() -> Self {
        let home = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        home.program("bin/claude", "echo '2.1.330 (Claude Code)'");
        fs::create_dir(home.path("proj")).expect("a folder");
        home
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, text).expect("a file");
        path
    }

    /// A program. Written by another process: while this one has a file open to write, a program that
    /// another test starts inherits it, and for that moment nobody can execute it.
    fn program(&self, path: &str, script: &str) -> PathBuf {
        let text = self.write(&format!("{path}.text"), format!("#!/bin/sh\n{script}\n"));
        self.copy(&text, path)
    }

    fn copy(&self, from: &Path, to: &str) -> PathBuf {
        let to = self.path(to);
        fs::create_dir_all(to.parent().expect("a folder")).expect("folders");
        let copied = Command::new("/bin/sh")
            .args(["-c", "cp \"$0\" \"$1\" && chmod 755 \"$1\""])
            .args([from, &to])
            .status()
            .expect("sh runs");
        assert!(copied.success());
        to
    }

    fn settings(&self) -> PathBuf {
        self.path(".claude/settings.json")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.settings()).expect("settings")
    }

    fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(["ctl", "hook"])
            .args(args)
            .current_dir(self.path("proj"))
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", self.path("bin"))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        ran(self.command(Path::new(US), args))
    }

    /// A backup, by its number.
    fn backup(&self, number: &str) -> Option<String> {
        fs::read_to_string(self.path(&format!(
            ".claude/settings.json.claude-retry-backup{number}"
        )))
        .ok()
    }

    /// The names in the folder of the settings.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path(".claude")).expect("a folder");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("a name");
        let mut names: Vec<String> = entries.map(|entry| name(entry.expect("it"))).collect();
        names.sort();
        names
    }
}

fn ran(mut command: Command) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran {
        code: status.code().expect("an exit code"),
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

fn our_command(program: &Path) -> String {
    format!("'{}' ctl hook run", program.display())
}

/// The commands of `StopFailure` in a settings file.
fn commands(text: &str) -> Vec<String> {
    let settings: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).expect("JSON");
    let groups = settings["hooks"]["StopFailure"].as_array().cloned();
    let hooks = groups.unwrap_or_default().into_iter().flat_map(|group| {
        let hooks = group["hooks"].as_array().cloned();
        hooks.unwrap_or_default()
    });
    hooks
        .map(|hook| hook["command"].as_str().expect("a command").to_owned())
        .collect()
}

#[test]
fn where_there_are_no_settings_they_are_made_and_go_again() {
    let home = Home::new();
    let install = home.run(&["install", "--yes"]);
    assert_eq!(install.code, 0, "{}", install.stderr);
    assert_eq!(commands(&home.text()), [our_command(Path::new(US))]);
    let settings: Value = serde_json::from_str(&home.text()).expect("JSON");
    let hook = &settings["hooks"]["StopFailure"][0]["hooks"][0];
    assert_eq!(hook["asyncRewake"], true);
    let mode = fs::metadata(home.settings())
        .expect("it")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(home.names(), ["settings.json"], "nothing was there to keep");
    for told in ["-p", "--bare", "disableAllHooks", "  + "] {
        assert!(install.stdout.contains(told), "{}", install.stdout);
    }

    let remove = home.run(&["remove", "--yes"]);
    assert_eq!(remove.code, 0, "{}", remove.stderr);
    assert!(!home.settings().exists());
}

const PLAIN: &str = r#"{
  "model": "opus",
  "hooks": {
    "Stop": [],
    "StopFailure": [
      {
        "matcher": "rate_limit",
        "hooks": [
          {
            "type": "command",
            "command": "notify-send throttled"
          }
        ]
      }
    ]
  }
}
"#;

#[rstest]
#[case::two_spaces(PLAIN.to_owned())]
#[case::four_spaces(PLAIN.replace("  ", "    "))]
#[case::tabs(PLAIN.replace("  ", "\t"))]
#[case::crlf(PLAIN.replace('\n', "\r\n"))]
#[case::no_newline_at_the_end(PLAIN.trim_end().to_owned())]
#[case::byte_order_mark(format!("\u{feff}{PLAIN}"))]
#[case::minified(PLAIN.replace(['\n', ' '], ""))]
#[case::empty_places("{ \"hooks\" : { \"StopFailure\" : [ ] }\n\n}".to_owned())]
#[case::empty_object("{}".to_owned())]
#[case::odd_object("{\n\n  }\n".to_owned())]
#[case::empty_file(String::new())]
fn every_byte_is_kept_and_comes_back(#[case] before: String) {
    let home = Home::new();
    home.write(".claude/settings.json", &before);
    let settings = home.settings();
    fs::set_permissions(&settings, fs::Permissions::from_mode(0o640)).expect("its mode");
    let install = home.run(&["install", "--yes"]);
    assert_eq!(install.code, 0, "{}", install.stderr);
    let after = home.text();
    let mut wanted = commands(if before.is_empty() { "{}" } else { &before });
    wanted.push(our_command(Path::new(US)));
    assert_eq!(commands(&after), wanted);
    let lines = |text: &str| text.matches('\n').count();
    assert_eq!(
        after.matches("\r\n").count() == lines(&after) && lines(&after) > 0,
        before.contains('\r')
    );
    if before.contains("opus") {
        // What was there stands there, in pieces round what is new.
        let common = before
            .bytes()
            .zip(after.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        assert!(after.ends_with(&before[common..]), "{after}");
    }
    assert_eq!(home.backup("").as_deref(), Some(before.as_str()));
    let mode = fs::metadata(&settings).expect("it").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);

    let again = home.run(&["install", "--yes"]);
    assert!(
        again.code == 0 && again.stdout.contains("installed already"),
        "{}",
        again.stdout
    );
    assert_eq!(home.text(), after);

    let remove = home.run(&["remove", "--yes"]);
    assert_eq!(remove.code, 0, "{}", remove.stderr);
    assert_eq!(home.text(), before);
    let again = home.run(&["remove", "--yes"]);
    assert!(
        again.code == 0 && again.stdout.contains("no hook of ours"),
        "{}",
        again.stdout
    );
    assert!(home.names().iter().all(|name| !name.contains("tmp")));
}

#[test]
fn what_was_written_since_the_install_is_kept_by_a_remove() {
    let home = Home::new();
    home.write(".claude/settings.json", "{\n  \"model\": \"opus\"\n}\n");
    home.run(&["install", "--yes"]);
    home.write(
        ".claude/settings.json",
        home.text().replace("opus", "sonnet"),
    );
    assert_eq!(home.run(&["remove", "--yes"]).code, 0);
    assert_eq!(home.text(), "{\n  \"model\": \"sonnet\"\n}\n");
}

#[rstest]
#[case::comment("{\n  // mine\n  \"model\": \"opus\"\n}\n", "line 2")]
#[case::block_comment("{/* */}", "JSON")]
#[case::trailing_comma("{\"model\": \"opus\",}", "JSON")]
#[case::not_json("model = opus\n", "JSON")]
#[case::half("{\"model\":", "JSON")]
#[case::an_array("[]", "object")]
#[case::odd_hooks("{\"hooks\": \"none\"}", "hooks")]
#[case::odd_event("{\"hooks\": {\"StopFailure\": true}}", "StopFailure")]
#[case::not_utf8("{\"a\": \"\\u00e9\"}", "UTF-8")]
fn what_the_cli_would_not_take_is_left_alone(#[case] before: &str, #[case] told: &str) {
    let home = Home::new();
    let mut before = before.as_bytes().to_vec();
    if told == "UTF-8" {
        before.push(0xff);
    }
    home.write(".claude/settings.json", &before);
    let install = home.run(&["install", "--yes"]);
    assert_eq!((install.code, install.stdout.as_str()), (2, ""));
    assert!(install.stderr.contains(told) && install.stderr.contains("settings.json"));
    assert_eq!(install.stderr.lines().count(), 1, "{}", install.stderr);
    assert_eq!(fs::read(home.settings()).expect("it"), before);
    assert_eq!(home.names(), ["settings.json"]);
}

#[test]
fn what_is_read_only_stays_as_it_is() {
    let home = Home::new();
    let settings = home.write(".claude/settings.json", PLAIN);
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
    };
    let refused = |verb: &str| {
        let ran = home.run(&[verb, "--yes"]);
        assert!(
            ran.code == 2 && ran.stderr.contains("read-only"),
            "{verb}: {}",
            ran.stderr
        );
        assert!(ran.stderr.contains("chmod u+w"), "{}", ran.stderr);
        assert_eq!(home.names(), ["settings.json"]);
    };
    mode(&settings, 0o444);
    refused("install");
    mode(&settings, 0o644);
    mode(&home.path(".claude"), 0o555);
    refused("install");
    mode(&home.path(".claude"), 0o755);
    assert_eq!(home.text(), PLAIN);

    home.write(
        ".claude/settings.json",
        PLAIN.replace("notify-send throttled", "claude-retry ctl hook run"),
    );
    mode(&settings, 0o444);
    refused("remove");
    // A folder that is not there yet, in one that cannot be written to.
    let bare = Home::new();
    mode(bare.folder.path(), 0o555);
    assert_eq!(bare.run(&["install", "--yes"]).code, 2);
    mode(bare.folder.path(), 0o755);
}

#[rstest]
#[case::absolute(true, &[])]
#[case::relative(false, &[])]
#[case::chain(false, &["one", "two"])]
fn a_link_stays_a_link(#[case] absolute: bool, #[case] between: &[&str]) {
    let home = Home::new();
    let target = home.write("dotfiles/claude.json", PLAIN);
    fs::create_dir(home.path(".claude")).expect("a folder");
    let mut to = if absolute {
        target.clone()
    } else {
        "../dotfiles/claude.json".into()
    };
    for name in between {
        symlink(&to, home.path(".claude").join(name)).expect("a link");
        to = name.into();
    }
    symlink(&to, home.settings()).expect("a link");
    let install = home.run(&["install", "--yes"]);
    assert_eq!(install.code, 0, "{}", install.stderr);
    assert_eq!(fs::read_link(home.settings()).expect("a link"), to);
    assert!(!target.is_symlink());
    assert_eq!(commands(&home.text()).len(), 2);
    assert_eq!(home.backup("").as_deref(), Some(PLAIN));
    assert_eq!(fs::read_dir(home.path("dotfiles")).expect("it").count(), 1);
    home.run(&["remove", "--yes"]);
    assert_eq!(fs::read_link(home.settings()).expect("a link"), to);
    assert_eq!(home.text(), PLAIN);
}

#[test]
fn a_link_to_nothing_leads_to_new_settings_and_a_circle_to_none() {
    let home = Home::new();
    fs::create_dir(home.path(".claude")).expect("a folder");
    symlink("../dotfiles/claude.json", home.settings()).expect("a link");
    assert_eq!(home.run(&["install", "--yes"]).code, 0);
    assert!(home.settings().is_symlink());
    assert_eq!(commands(&home.text()).len(), 1);
    assert!(home.path("dotfiles/claude.json").is_file());
    assert_eq!(home.run(&["remove", "--yes"]).code, 0);
    assert!(home.settings().is_symlink() && !home.settings().exists());

    fs::remove_file(home.settings()).expect("it");
    symlink("settings.json", home.settings()).expect("a link");
    let circle = home.run(&["install", "--yes"]);
    assert!(
        circle.code == 2 && circle.stderr.contains("circle"),
        "{}",
        circle.stderr
    );
    fs::remove_file(home.settings()).expect("it");
    fs::create_dir(home.settings()).expect("a folder");
    assert_eq!(home.run(&["install", "--yes"]).code, 2);
}

#[test]
fn an_old_path_is_replaced_where_it_stands() {
    let home = Home::new();
    let old = PLAIN.replace("notify-send throttled", "/old/claude-retry ctl hook run");
    home.write(".claude/settings.json", &old);
    let gone = home.run(&["status"]);
    assert!(
        gone.code == 1 && gone.stdout.contains("/old/claude-retry: is gone"),
        "{}",
        gone.stdout
    );
    let install = home.run(&["install", "--yes"]);
    assert_eq!(install.code, 0, "{}", install.stderr);
    assert!(
        install
            .stdout
            .contains("replaced: /old/claude-retry ctl hook run")
    );
    assert_eq!(commands(&home.text()), [our_command(Path::new(US))]);
    assert!(
        home.text().contains("\"matcher\": \"rate_limit\""),
        "in its place"
    );
}

#[test]
fn the_name_in_path_outlives_the_file() {
    let home = Home::new();
    symlink(US, home.path("bin/claude-retry")).expect("a link");
    home.run(&["install", "--yes"]);
    assert_eq!(
        commands(&home.text()),
        [our_command(&home.path("bin/claude-retry"))]
    );
    assert_eq!(home.run(&["status"]).code, 0);
}

#[test]
fn backups_do_not_grow_without_bound() {
    let home = Home::new();
    for n in 0..6 {
        home.write(".claude/settings.json", format!("{{\"n\": {n}}}"));
        assert_eq!(home.run(&["install", "--yes"]).code, 0);
    }
    let kept = ["", ".1", ".2", ".3"].map(|number| home.backup(number));
    let text = |n: u32| Some(format!("{{\"n\": {n}}}"));
    assert_eq!(kept, [text(5), text(4), text(3), None]);
    for _ in 0..3 {
        home.run(&["remove", "--yes"]);
        home.run(&["install", "--yes"]);
    }
    assert_eq!(home.names().len(), 4, "{:?}", home.names());
    assert!([home.backup(""), home.backup(".1")].contains(&text(5)));
}

#[test]
fn project_settings_are_those_of_the_folder() {
    let home = Home::new();
    let install = home.run(&["install", "--project", "--yes"]);
    assert_eq!(install.code, 0, "{}", install.stderr);
    assert!(!home.settings().exists());
    let local = home.path("proj/.claude/settings.local.json");
    assert_eq!(commands(&fs::read_to_string(&local).expect("it")).len(), 1);
    assert_eq!(home.run(&["status"]).code, 0);
    assert_eq!(home.run(&["remove", "--project", "--yes"]).code, 0);
    assert!(!local.exists());
    assert_eq!(home.run(&["status"]).code, 1);
}

#[test]
fn the_clis_own_folder_is_respected() {
    let home = Home::new();
    let mut command = home.command(Path::new(US), &["install", "--yes"]);
    command.env("CLAUDE_CONFIG_DIR", home.path("elsewhere"));
    assert_eq!(ran(command).code, 0);
    assert!(home.path("elsewhere/settings.json").exists() && !home.settings().exists());
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let home = Home::new();
    home.write(".claude/settings.json", PLAIN);
    let install = home.run(&["install"]);
    assert_eq!((install.code, install.stdout.as_str()), (2, ""));
    assert!(
        install.stderr.contains("ctl hook install --yes"),
        "{}",
        install.stderr
    );
    assert_eq!(home.text(), PLAIN);
    assert_eq!(home.names(), ["settings.json"]);
    // Where there is nothing to ask, nobody need be there.
    assert_eq!(home.run(&["remove"]).code, 0);
}

#[test]
fn in_a_terminal_only_a_yes_is_a_yes() {
    let home = Home::new();
    home.write(".claude/settings.json", PLAIN);
    let ask = |answer: &str| {
        let system = portable_pty::native_pty_system();
        let pair = system
            .openpty(portable_pty::PtySize::default())
            .expect("a pty");
        let mut command = portable_pty::CommandBuilder::new(US);
        command.args(["ctl", "hook", "install"]);
        command.cwd(home.path("proj"));
        command.env_clear();
        command.env("HOME", home.folder.path());
        command.env("PATH", home.path("bin"));
        let mut child = pair.slave.spawn_command(command).expect("it runs");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let mut writer = pair.master.take_writer().expect("a writer");
        let mut shown = Vec::new();
        let mut byte = [0];
        while !shown.ends_with(b"[y/N] ") {
            assert_eq!(reader.read(&mut byte).expect("the question"), 1);
            shown.push(byte[0]);
        }
        writer.write_all(answer.as_bytes()).expect("the answer");
        // The end of a terminal is an error on Linux.
        let _ = reader.read_to_end(&mut shown);
        let code = child.wait().expect("its end").exit_code();
        (code, String::from_utf8_lossy(&shown).into_owned())
    };
    for answer in ["\n", "n\n", "yep\n", "\u{4}"] {
        let (code, shown) = ask(answer);
        assert_eq!(code, 1, "{shown}");
        assert!(
            shown.contains("+ ") && shown.contains("asyncRewake"),
            "{shown}"
        );
        assert_eq!(home.text(), PLAIN);
    }
    let (code, shown) = ask("y\n");
    assert_eq!(code, 0, "{shown}");
    assert_eq!(commands(&home.text()).len(), 2);
}

#[test]
fn status_says_what_keeps_the_hook_from_working() {
    let home = Home::new();
    let status = || home.run(&["status"]);
    let fresh = status();
    assert!(
        fresh.code == 1 && fresh.stdout.contains("not installed"),
        "{}",
        fresh.stdout
    );
    let with = |program: &Path| {
        home.write(
            ".claude/settings.json",
            json!({"hooks": {"StopFailure": [{"hooks": [{
                "type": "command", "command": our_command(program), "asyncRewake": true
            }]}]}})
            .to_string(),
        );
        status()
    };
    assert_eq!(with(Path::new(US)).code, 0);
    let copy = home.copy(Path::new(US), "copy/claude-retry");
    let same = with(&copy);
    assert!(same.code == 0 && same.stdout.contains("another file of this version"));
    let old = with(&home.program("old/claude-retry", "echo 'claude-retry 0.0.9'"));
    assert!(
        old.code == 1 && old.stdout.contains("version 0.0.9, and this is"),
        "{}",
        old.stdout
    );
    let other = with(&home.program("other/claude-retry", "echo hello"));
    assert!(other.code == 1 && other.stdout.contains("does not say that it is"));
    let plain = with(&home.write("plain/claude-retry", ""));
    assert!(
        plain.code == 1 && plain.stdout.contains("cannot be executed"),
        "{}",
        plain.stdout
    );

    with(Path::new(US));
    home.write(
        "proj/.claude/settings.local.json",
        home.text().replace(US, &copy.display().to_string()),
    );
    let two = status();
    assert!(
        two.code == 1 && two.stdout.contains("different commands"),
        "{}",
        two.stdout
    );
    home.write("proj/.claude/settings.local.json", home.text());
    assert_eq!(status().code, 0, "the CLI runs one of them");
    home.write("proj/.claude/settings.local.json", "{}");

    let works = with(Path::new(US));
    assert!(
        works.code == 0 && works.stdout.contains("Claude Code: 2.1.330"),
        "{}",
        works.stdout
    );
    let lame = home.write(
        ".claude/settings.json",
        home.text().replace("true", "false"),
    );
    assert!(status().code == 1 && status().stdout.contains("no asyncRewake"));
    fs::remove_file(lame).expect("it");
    with(Path::new(US));
    for (version, told) in [
        ("2.1.77", "no StopFailure"),
        ("2.1.100", "not seen to resume"),
    ] {
        home.program("bin/claude", &format!("echo '{version} (Claude Code)'"));
        let old = status();
        assert!(old.code == 1 && old.stdout.contains(told), "{}", old.stdout);
    }
    fs::remove_file(home.path("bin/claude")).expect("it");
    assert_eq!(status().code, 0, "perhaps it is elsewhere");
    home.write("proj/.claude/settings.json", "{\"disableAllHooks\": true}");
    let off = status();
    assert!(
        off.code == 1 && off.stdout.contains("hooks are off: disableAllHooks"),
        "{}",
        off.stdout
    );
    let install = home.run(&["install", "--project", "--yes"]);
    assert!(install.code == 0 && install.stdout.contains("would not work now"));
    home.write(".claude/settings.json", "{ // }");
    let broken = status();
    assert!(
        broken.code == 1 && broken.stdout.contains("not plain JSON"),
        "{}",
        broken.stdout
    );
}

/// The hook's exit code 2 resumes a turn: nothing that goes wrong may give it.
#[test]
fn the_hook_itself_never_fails_with_2() {
    let home = Home::new();
    home.write(".config/claude-retry/config.toml", "nonsense");
    for args in [
        &["run"][..],
        &["run", "--wrapped"],
        &["run", "--of-a-later-version", "x"],
        &["run", "--help"],
    ] {
        assert_ne!(home.run(args).code, 2, "{args:?}");
    }
}

#[test]
fn sessions_that_stand_at_an_error_are_named() {
    let home = Home::new();
    let session = |n: u32, pid: u32, cwd: &str, lines: &[Value]| {
        let id = format!("0b6f34c5-0c7a-4a1e-9b57-d6f1a8f2c00{n}");
        let state = json!({"pid": pid, "sessionId": id, "cwd": cwd, "startedAt": 1});
        home.write(&format!(".claude/sessions/{pid}.json"), state.to_string());
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        let lines = lines.join("\n") + "\n";
        home.write(&format!(".claude/projects/-any/{id}.jsonl"), lines);
    };
    let line = |kind: &str, n: u32, text: &str, error: bool| {
        json!({"type": kind, "uuid": format!("u{n}"), "sessionId": "s", "isApiErrorMessage": error,
            "timestamp": format!("2026-01-01T00:00:0{n}.000Z"),
            "message": {"content": [{"type": "text", "text": text}]}})
    };
    let user = line("user", 1, "hello", false);
    let failed = |text: &str| [user.clone(), line("assistant", 2, text, true)];
    // Processes that live for as long as the test holds their stdin.
    let mut cats: Vec<_> = (0..5)
        .map(|_| {
            let mut cat = Command::new("cat");
            cat.stdin(Stdio::piped()).stdout(Stdio::null());
            cat.spawn().expect("cat runs")
        })
        .collect();
    let pid = |n: usize| cats[n].id();
    session(0, pid(0), "/work/standing", &failed(THROTTLE));
    session(
        1,
        pid(1),
        "/work/limit",
        &failed("You've hit your session limit · resets 4:04am (UTC)"),
    );
    let mut on = failed(THROTTLE).to_vec();
    on.push(line("user", 3, "continue", false));
    session(2, pid(2), "/work/went-on", &on);
    session(
        3,
        pid(3),
        "/work/cut",
        &failed("API Error: Connection lost mid-response. The response above may be incomplete."),
    );
    session(4, i32::MAX.unsigned_abs(), "/work/dead", &failed(THROTTLE));
    // Another process has the number now.
    let reused = json!({"pid": pid(4), "sessionId": "0b6f34c5-0c7a-4a1e-9b57-d6f1a8f2c000",
        "cwd": "/work/reused", "startedAt": 1, "procStart": "1"});
    if cfg!(target_os = "linux") {
        home.write(
            &format!(".claude/sessions/{}.json", pid(4)),
            reused.to_string(),
        );
    }
    home.write(".claude/sessions/notes.json", "{}");

    let mut command = home.command(Path::new(US), &["install", "--yes"]);
    command.env("CLAUDE_RETRY_RETRY_ON", "throttle,overloaded");
    let install = ran(command);
    for cat in &mut cats {
        drop(cat.stdin.take());
        cat.wait().expect("its end");
    }
    assert_eq!(install.code, 0, "{}", install.stderr);
    let named: Vec<&str> = install
        .stdout
        .lines()
        .filter(|line| line.contains("/work/"))
        .collect();
    assert_eq!(named.len(), 1, "{}", install.stdout);
    assert!(
        named[0].contains("/work/standing (") && named[0].ends_with(THROTTLE),
        "{named:?}"
    );
    assert!(install.stdout.contains("type `continue` there"));
}

/// Linux only: elsewhere the environment of another process cannot be read.
#[cfg(target_os = "linux")]
#[test]
fn a_session_under_a_wrapper_is_left_to_it() {
    let home = Home::new();
    let system = portable_pty::native_pty_system();
    let pair = system
        .openpty(portable_pty::PtySize::default())
        .expect("a pty");
    let terminal = pair.master.tty_name().expect("a name");
    let named_under = |wrapper: String| {
        let mut cat = portable_pty::CommandBuilder::new("/bin/cat");
        cat.env("CLAUDE_RETRY", wrapper);
        let mut cat = pair.slave.spawn_command(cat).expect("cat runs");
        let pid = cat.process_id().expect("its number");
        let id = "0b6f34c5-0c7a-4a1e-9b57-d6f1a8f2c000";
        let state = json!({"pid": pid, "sessionId": id, "cwd": "/work/it", "startedAt": 1});
        home.write(&format!(".claude/sessions/{pid}.json"), state.to_string());
        let error = json!({"type": "assistant", "uuid": "u", "sessionId": "s", "isApiErrorMessage": true,
            "timestamp": "2026-01-01T00:00:01.000Z",
            "message": {"content": [{"type": "text", "text": THROTTLE}]}});
        home.write(
            &format!(".claude/projects/-it/{id}.jsonl"),
            format!("{error}\n"),
        );
        home.run(&["remove", "--yes"]);
        let install = home.run(&["install", "--yes"]);
        cat.kill().expect("it ends");
        cat.wait().expect("its end");
        fs::remove_file(home.path(&format!(".claude/sessions/{pid}.json"))).expect("it");
        install.stdout.contains("/work/it")
    };
    let (us, terminal) = (std::process::id(), terminal.display());
    assert!(!named_under(format!("{us}:{terminal}")));
    assert!(
        named_under(format!("{us}:/dev/pts/none")),
        "the variable leaked"
    );
    assert!(
        named_under(format!("{}:{terminal}", i32::MAX)),
        "the wrapper is dead"
    );
}
