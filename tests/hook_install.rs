//! `claude-retry ctl hook`: the built program at work on the CLI's settings, in a home of its own.

#[path = "hook_install/home.rs"]
mod home;
#[path = "hook_install/standing.rs"]
mod standing;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rstest::rstest;
use serde_json::{Value, json};

use crate::home::{Home, US, commands, our_command, ran};

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
            ran.code == 2 && ran.stdout.is_empty() && ran.stderr.contains("read-only"),
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
    let old = PLAIN
        .replace("notify-send throttled", "/old/claude-retry ctl hook run")
        .replace("rate_limit", "*");
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
    assert!(home.text().contains("\"matcher\": \"*\""), "in its place");
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

#[test]
fn what_only_a_folder_names_is_never_run() {
    let home = Home::new();
    let ran = home.path("ran");
    let theirs = home.program(
        "proj/x/claude-retry",
        &format!("touch '{}'; echo 'claude-retry 9.9.9'", ran.display()),
    );
    for (command, file) in [
        (our_command(&theirs), "proj/.claude/settings.json"),
        (
            "./x/claude-retry ctl hook run".into(),
            "proj/.claude/settings.local.json",
        ),
    ] {
        let hook = json!({"type": "command", "command": command, "asyncRewake": true});
        let text = json!({"hooks": {"StopFailure": [{"hooks": [hook]}]}}).to_string();
        let file = home.write(file, text);
        let status = home.run(&["status"]);
        assert!(
            status.code == 1 && status.stdout.contains("not run to be asked"),
            "{}",
            status.stdout
        );
        fs::remove_file(file).expect("it");
    }
    assert!(!ran.exists());
}

#[test]
fn settings_of_ours_that_keep_the_hook_from_working_are_told() {
    let home = Home::new();
    assert_eq!(home.run(&["install", "--yes"]).code, 0);
    for (name, value, told) in [
        ("CLAUDE_RETRY_HOOK", "off", "hook = off"),
        ("CLAUDE_RETRY_RESUME", "type", "resume = type"),
    ] {
        let mut command = home.command(Path::new(US), &["status"]);
        command.env(name, value);
        let status = ran(command);
        assert!(
            status.code == 1 && status.stdout.contains(told),
            "{}",
            status.stdout
        );
    }
}

#[test]
fn a_group_that_leaves_errors_out_is_told_and_mended() {
    let home = Home::new();
    let hook =
        json!({"type": "command", "command": our_command(Path::new(US)), "asyncRewake": true});
    let group =
        json!({"matcher": "rate_limit", "hooks": [hook, {"type": "command", "command": "a"}]});
    let settings = json!({"hooks": {"StopFailure": [group]}}).to_string();
    home.write(".claude/settings.json", settings);
    let status = home.run(&["status"]);
    assert!(
        status.code == 1 && status.stdout.contains("\"rate_limit\""),
        "{}",
        status.stdout
    );
    assert_eq!(home.run(&["install", "--yes"]).code, 0);
    let after: serde_json::Value = serde_json::from_str(&home.text()).expect("JSON");
    let groups = &after["hooks"]["StopFailure"];
    assert_eq!(groups[0]["hooks"].as_array().map(Vec::len), Some(1));
    assert_eq!(groups[1]["hooks"][0]["asyncRewake"], true);
    assert!(groups[1]["matcher"].is_null());
    assert_eq!(home.run(&["status"]).code, 0);
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
fn what_it_says() {
    use std::fmt::Write as _;
    let home = Home::new();
    home.write(
        ".claude/settings.json",
        PLAIN
            .replace("notify-send throttled", "/old/claude-retry ctl hook run")
            .replace("rate_limit", "*"),
    );
    let mut said = String::new();
    for args in [
        &["status"][..],
        &["install", "--yes"],
        &["install", "--yes"],
        &["status"],
        &["remove", "--yes"],
        &["install"],
    ] {
        let ran = home.run(args);
        let _ = writeln!(said, "$ claude-retry ctl hook {}", args.join(" "));
        said += &ran.stdout;
        said += &ran.stderr;
        let _ = writeln!(said, "exit code {}\n", ran.code);
    }
    let said = said
        .replace(US, "/home/dev/.cargo/bin/claude-retry")
        .replace(&home.path("").display().to_string(), "/home/dev/");
    let mut snapshots = insta::Settings::clone_current();
    snapshots.set_prepend_module_to_snapshot(false);
    snapshots.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    snapshots.bind(|| insta::assert_snapshot!("hook-install", said));
}
