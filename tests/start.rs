//! What the child starts with: the terminal, its session, its signals, the environment, descriptors.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use pty::{CLAUDE_RETRY, Idle, Terminal, bare, script, wrapped};
use rustix::process::{getpgrp, getpid, getppid, getsid};
use rustix::termios::{InputModes, LocalModes, OutputModes, tcgetpgrp, tcgetsid, ttyname};

#[test]
fn the_terminal_is_raw_before_the_childs_first_words() {
    for words in ["echo first; read line", "printf 1st; exec cat"] {
        let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &[]));
        terminal.expect("st");
        let now = terminal.attributes();
        let local = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
        assert!(!now.local_modes.intersects(local), "{now:?}");
        let input = InputModes::ICRNL | InputModes::IXON | InputModes::ISTRIP;
        assert!(!now.input_modes.intersects(input), "{now:?}");
        assert!(!now.output_modes.contains(OutputModes::OPOST), "{now:?}");
    }
}

/// The answer to a query in the very first bytes is for the child: the terminal must not echo it.
#[test]
fn an_answer_to_the_childs_first_query_is_not_echoed() {
    let words = "stty raw -echo; printf '\\033[6n'; head -c 6 | od -An -c; printf over";
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &[]));
    terminal.expect("\x1b[6n");
    terminal.send(b"\x1b[5;7R");
    let (output, _) = terminal.finish();
    let text = String::from_utf8_lossy(&output).into_owned();
    assert_eq!(text, "\x1b[6n 033   [   5   ;   7   R\nover");
}

/// Whole lines and the begin of one: typed before we are there, they are the child's.
#[test]
fn what_was_typed_ahead_reaches_the_child_once_and_in_order() {
    let run = |command: Command| {
        let mut idle = Idle::open();
        idle.type_ahead(b"one\ntwo\nthr");
        let mut terminal = idle.start(script(
            command,
            "read a; echo a=$a; read b; echo b=$b; echo ready; read c; echo c=$c",
            &[],
        ));
        let first = (terminal.value("a"), terminal.value("b"));
        terminal.expect("ready");
        terminal.send(b"ee\n");
        (first, terminal.value("c"))
    };
    let with = run(wrapped("/bin/sh"));
    assert_eq!(with.0, ("one".to_owned(), "two".to_owned()));
    assert_eq!(with.1, "three");
    assert_eq!(with, run(bare("/bin/sh")));
}

/// Not a test: the child of [`the_child_is_in_the_foreground_of_a_session_of_its_own`].
#[test]
fn child_that_tells_its_session() {
    if std::env::var_os("TELL_THE_SESSION").is_none() {
        return;
    }
    let terminals = [
        std::io::stdin().as_fd(),
        std::io::stdout().as_fd(),
        std::io::stderr().as_fd(),
    ]
    .map(|fd| ttyname(fd, Vec::new()).expect("a terminal"));
    assert!(terminals.iter().all(|name| *name == terminals[0]));
    // Opening it works for who has it as the controlling terminal.
    let controlling = fs::File::open("/dev/tty").expect("a controlling terminal");
    let stdin = std::io::stdin();
    let number = |pid: rustix::process::Pid| pid.as_raw_nonzero().get();
    let session = number(getsid(None).expect("a session"));
    let told = [
        ("session", session),
        ("leader", number(getppid().expect("a parent"))),
        ("terminal", number(tcgetsid(&stdin).expect("its session"))),
        ("child", number(getpid())),
        ("group", number(getpgrp())),
        ("foreground", number(tcgetpgrp(&stdin).expect("a group"))),
        ("tty", number(tcgetpgrp(&controlling).expect("a group"))),
    ];
    let mut stdout = std::io::stdout();
    for (name, value) in told {
        writeln!(stdout, "{name}={value}").expect("it is told");
    }
    writeln!(stdout, "name={}", terminals[0].to_string_lossy()).expect("it is told");
    pty::end(0)
}

#[test]
fn the_child_is_in_the_foreground_of_a_session_of_its_own() {
    let mut command = pty::ourselves(
        wrapped,
        "child_that_tells_its_session",
        ("TELL_THE_SESSION", "1"),
    );
    command.env("RUST_BACKTRACE", "0");
    let idle = Idle::open();
    let outer = ttyname(idle.shared(), Vec::new()).expect("its name");
    let mut terminal = idle.start(command);
    let mut number = |name: &str| terminal.value(name);
    let session = number("session");
    // Its parent leads it, so that its group is not an orphaned one: see src/sys/monitor.rs.
    assert_eq!(number("leader"), session);
    assert_eq!(number("terminal"), session, "the pty is the session's");
    let child = number("child");
    assert_eq!(number("group"), child, "it leads a group");
    assert_eq!(number("foreground"), child, "which is in the foreground");
    assert_eq!(number("tty"), child);
    assert_ne!(number("name"), outer.to_string_lossy());
    assert_ne!(session, terminal.pid().to_string(), "and not ours");
    assert!(terminal.finish().1.success());
}

/// Ignored and blocked signals are inherited, and a program may go by them: `nohup` is one that ignores.
#[test]
fn the_child_starts_with_the_signals_that_we_were_started_with() {
    assert!(
        Path::new("/proc/self/status").exists(),
        "this test reads /proc"
    );
    for traps in [
        "",
        "trap '' USR1",
        "trap '' HUP",
        "trap '' INT QUIT TERM",
        "trap '' TSTP TTOU",
    ] {
        let run = |program: &str| {
            let words = format!("{traps}\n exec \"$1\" -E '^Sig(Blk|Ign|Cgt)' /proc/self/status");
            let mut command = script(bare("/bin/bash"), &words, &[program]);
            command.env("CLAUDE_RETRY_PROGRAM", "/bin/grep");
            let (output, _) = Terminal::start(command).finish();
            String::from_utf8_lossy(&output).into_owned()
        };
        assert_eq!(run(CLAUDE_RETRY), run("/bin/grep"), "{traps}");
    }
}

#[test]
fn the_environment_is_passed_on_and_only_our_variables_added() {
    let environment = |command: Command| {
        let mut command = command;
        command
            .env_remove("SHELL")
            .env("ODD", "a b\u{fc}")
            .current_dir("/");
        let (output, _) = Terminal::start(command).finish();
        let text = String::from_utf8(output).expect("text");
        let pair = |line: &str| {
            line.split_once('=')
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
        };
        text.lines().filter_map(pair).collect::<BTreeMap<_, _>>()
    };
    let mut with = environment(wrapped("/usr/bin/env"));
    let nested = with.remove("CLAUDE_RETRY").expect("our variable");
    let (pid, tty) = nested.split_once(':').expect("pid:tty");
    assert!(
        pid.parse::<u32>().is_ok() && tty.starts_with("/dev/"),
        "{nested}"
    );
    let [plugin, socket] = ["CLAUDE_CODE_PLUGIN_DIRS", "CLAUDE_RETRY_SOCKET"]
        .map(|name| with.remove(name).expect("the companion hook's"));
    let folder = plugin.strip_suffix("/plugin").expect("the plugin");
    assert_eq!(socket.strip_suffix("/socket"), Some(folder));
    assert!(!Path::new(folder).exists(), "it goes with the wrapper");
    assert_eq!(with, environment(bare("/usr/bin/env")));

    let mut off = wrapped("/usr/bin/env");
    off.env("CLAUDE_RETRY_HOOK", "off")
        .env("CLAUDE_RETRY_SOCKET", "/leaked");
    let without = environment(off);
    let ours = ["CLAUDE_CODE_PLUGIN_DIRS", "CLAUDE_RETRY_SOCKET"];
    assert!(!ours.iter().any(|name| without.contains_key(*name)));
}

#[test]
fn name_folder_and_descriptors_are_passed_on() {
    let tmp = tempfile::tempdir().expect("a folder");
    fs::write(tmp.path().join("settings"), "from the descriptor").expect("a file");
    let words = "exec 7<settings; exec \"$@\"";
    let inner = "pwd; cat <&7; echo; echo name=$0 one=$1 two=$2";
    let mut command = script(
        bare("/bin/sh"),
        words,
        &[CLAUDE_RETRY, "-c", inner, "x", "", "a b"],
    );
    let tmp_path = tmp.path().canonicalize().expect("its real path");
    command.current_dir(&tmp_path);
    let (output, _) = Terminal::start(command).finish();
    let text = String::from_utf8(output).expect("text");
    let expected = format!(
        "{}\r\nfrom the descriptor\r\nname=x one= two=a b\r\n",
        tmp_path.display()
    );
    assert_eq!(text, expected);
}

#[test]
fn the_inner_terminal_starts_with_the_outer_ones_attributes() {
    let words = "stty -ixon intr ^K erase ^H; stty -g; CLAUDE_RETRY_PROGRAM=stty \"$1\" -g";
    let (output, _) = Terminal::start(script(bare("/bin/sh"), words, &[CLAUDE_RETRY])).finish();
    let text = String::from_utf8(output).expect("text");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(lines[0], lines[1]);
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
}

#[test]
fn a_program_that_cannot_run_is_named() {
    let tmp = tempfile::tempdir().expect("a folder");
    let plain = tmp.path().join("plain");
    fs::write(&plain, "text").expect("a file");
    let broken = tmp.path().join("broken");
    executable(&broken, "#!/nonexistent/interpreter\n");
    for (program, code) in [
        (Path::new("/nonexistent/claude"), 127),
        (&plain, 126),
        (&broken, 126),
        (tmp.path(), 126),
    ] {
        let (output, status) = Terminal::start(wrapped(program)).finish();
        let text = String::from_utf8_lossy(&output);
        assert_eq!(status.code(), Some(code), "{text}");
        assert!(text.contains(&*program.to_string_lossy()), "{text}");
    }
}

#[test]
fn an_alias_link_to_ourselves_is_skipped() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (alias, real) = (tmp.path().join("alias"), tmp.path().join("real"));
    for folder in [&alias, &real] {
        fs::create_dir(folder).expect("a folder");
    }
    symlink(CLAUDE_RETRY, alias.join("claude")).expect("a link");
    executable(
        &real.join("claude"),
        "#!/bin/sh\necho the real one: \"$@\"\n",
    );
    let run = |folders: &[&Path]| {
        let mut command = wrapped("");
        command.env_remove("CLAUDE_RETRY_PROGRAM").arg("hello");
        command.env("PATH", std::env::join_paths(folders).expect("a path"));
        command.env("HOME", tmp.path());
        Terminal::start(command).finish()
    };
    assert_eq!(run(&[&alias, &real]).0, b"the real one: hello\r\n");
    assert_eq!(run(&[&alias]).1.code(), Some(127));
}
