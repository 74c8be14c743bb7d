//! While nothing is wrong the wrapper is not there: bytes, sizes, environment, codes, terminal.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use pty::{CLAUDE_RETRY, SIZE, Terminal, bare, patiently, wrapped};
use rustix::termios::{Winsize, tcgetwinsize};

/// A shell script as the CLI; `$0` is `sh`, then the arguments.
fn script(command: Command, script: &str, args: &[&str]) -> Command {
    let mut command = command;
    command.args(["-c", script, "sh"]).args(args);
    command
}

/// Bytes of every kind: all values, text cut in the middle, broken and overlong sequences.
fn odd_bytes() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend("ünïcödé 漢字 👩\u{200d}👩\u{200d}👧 e\u{301}\n".as_bytes());
    for broken in [
        &b"\x1b["[..],
        b"\x1b[38;5",
        b"\x1b]0;title without an end",
        b"\x1bP+q544e\x1b\\",
        b"\x1b[?2026h\x1b[?1049h\x1b[2J\x1b[999;999H\x1b[?2026l",
        b"\x1b[>0q\x1b[c\x1b[?u\x1b[6n\x1b]52;c;!\x07",
        b"\xe2\x94",
        b"\xff\xfe\xc0\x80",
        b"\x1b\x1b\x1b[A\x18\x1a\x9b31m\x90\x9c",
        b"\x1b_Gf=100;AAAA\x1b\\\x1b[!p\x1bc",
    ] {
        bytes.extend_from_slice(broken);
        bytes.extend_from_slice(b"|\n");
    }
    bytes.extend_from_slice(b"\x1b]1337;File=inline=1:");
    bytes.resize(bytes.len() + (1 << 20), b'A');
    bytes.extend_from_slice(b"\x07end\n");
    // A generator of its own, so that every run sends the same.
    let mut state = 0x2545_f491_u32;
    for _ in 0..200_000 {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes.push(state.to_le_bytes()[1]);
    }
    // Nothing is left on at the end, or the way out would undo it.
    bytes.extend_from_slice(b"\x18\x1b\\\x1b[?2026l\x1b[?1049l\x1bc");
    bytes
}

#[test]
fn the_terminal_gets_exactly_the_childs_bytes() {
    let tmp = tempfile::tempdir().expect("a folder");
    let file = tmp.path().join("bytes");
    fs::write(&file, odd_bytes()).expect("the bytes");
    let file = file.to_str().expect("a plain path");
    for (mode, words) in [
        ("cooked", "cat \"$1\"; exit 3"),
        ("raw", "stty raw; cat \"$1\"; exit 3"),
    ] {
        let (with, status) = Terminal::start(script(wrapped("/bin/sh"), words, &[file])).finish();
        let (without, _) = Terminal::start(script(bare("/bin/sh"), words, &[file])).finish();
        assert_eq!(status.code(), Some(3), "{mode}");
        assert!(
            without.len() >= odd_bytes().len(),
            "{mode}: the bytes were shown"
        );
        assert!(
            with == without,
            "{mode}: {} bytes, not {}",
            with.len(),
            without.len()
        );
    }
}

#[test]
fn the_child_gets_exactly_the_users_bytes() {
    let tmp = tempfile::tempdir().expect("a folder");
    let file = tmp.path().join("got");
    let bytes = odd_bytes();
    let words = "stty raw -echo; echo ready; head -c \"$1\" > \"$2\"; echo; echo over";
    let args = [
        &bytes.len().to_string(),
        file.to_str().expect("a plain path"),
    ];
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &args));
    terminal.expect("ready");
    terminal.send(&bytes);
    terminal.expect("over");
    assert!(terminal.finish().1.success());
    assert!(fs::read(&file).expect("what it got") == bytes);
}

#[test]
fn line_editing_is_the_inner_terminals() {
    let tmp = tempfile::tempdir().expect("a folder");
    let typed = b"abX\x7fc\x16\x03d\n second\x15third\n\x04";
    let run = |command: Command, file: &str| {
        let file = tmp.path().join(file);
        let args = [file.to_str().expect("a plain path")];
        let words = "echo ready; cat > \"$1\"; exit 0";
        let mut terminal = Terminal::start(script(command, words, &args));
        terminal.expect("ready");
        terminal.send(typed);
        (terminal.finish().0, fs::read(&file).expect("what it got"))
    };
    let with = run(wrapped("/bin/sh"), "with");
    assert_eq!(with.1, b"abc\x03d\nthird\n");
    assert_eq!(with, run(bare("/bin/sh"), "without"));
}

#[test]
fn a_large_paste_waits_for_the_child_and_output_does_not_wait_for_it() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (go, got) = (tmp.path().join("go"), tmp.path().join("got"));
    pty::fifo(&go);
    let paste: Vec<u8> = (0..1u32 << 20)
        .map(|n| n.to_le_bytes()[usize::from(n % 3 == 0)])
        .collect();
    let words = "stty raw -echo; echo ready; cat \"$2\"; head -c \"$1\" > \"$3\"; echo over";
    let args = [
        &paste.len().to_string(),
        go.to_str().expect("a plain path"),
        got.to_str().expect("a plain path"),
    ];
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &args));
    terminal.expect("ready");
    let (mut keyboard, typed) = (terminal.keyboard(), paste.clone());
    let typing = std::thread::spawn(move || keyboard.write_all(&typed));
    // The child reads nothing yet, and writes more than all buffers hold.
    let mut go = patiently("the child waits", move || {
        fs::OpenOptions::new()
            .write(true)
            .open(go)
            .expect("the pipe")
    });
    for _ in 0..64 {
        go.write_all(&[b'o'; 16 * 1024]).expect("the pipe");
    }
    go.write_all(b"still here").expect("the pipe");
    terminal.expect("still here");
    assert!(!typing.is_finished(), "the paste went nowhere");
    drop(go);
    terminal.expect("over");
    assert!(terminal.finish().1.success());
    typing.join().expect("the typist").expect("all was taken");
    assert!(fs::read(&got).expect("what it got") == paste);
}

#[test]
fn a_child_may_end_with_its_input_unread() {
    let tmp = tempfile::tempdir().expect("a folder");
    let go = tmp.path().join("go");
    pty::fifo(&go);
    let words = "stty raw -echo; echo ready; cat \"$1\"; exit 3";
    let args = [go.to_str().expect("a plain path")];
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &args));
    terminal.expect("ready");
    let mut keyboard = terminal.keyboard();
    let (sender, typed) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        while keyboard.write_all(&[b'x'; 4096]).is_ok() && sender.send(()).is_ok() {}
    });
    // Much more than its terminal holds: the rest waits in us.
    for _ in 0..32 {
        typed.recv_timeout(pty::PATIENCE).expect("it is taken");
    }
    drop(patiently("the child waits", move || {
        fs::OpenOptions::new()
            .write(true)
            .open(go)
            .expect("the pipe")
    }));
    drop(typed);
    assert_eq!(terminal.finish().1.code(), Some(3));
}

/// Not a test: the child of [`sizes_are_passed_on_with_pixels`], which prints the size at every byte.
#[test]
fn child_that_prints_the_size() {
    if std::env::var_os("PRINT_THE_SIZE").is_none() {
        return;
    }
    #[expect(clippy::print_stdout, reason = "the child's output")]
    let print = || {
        let Winsize {
            ws_row,
            ws_col,
            ws_xpixel,
            ws_ypixel,
        } = tcgetwinsize(std::io::stdin()).expect("a size");
        println!("size={ws_row} {ws_col} {ws_xpixel} {ws_ypixel}");
    };
    print();
    while let Ok(1) = std::io::stdin().read(&mut [0]) {
        print();
    }
}

#[test]
fn sizes_are_passed_on_with_pixels() {
    let mut command = wrapped(std::env::current_exe().expect("this program"));
    command.env("PRINT_THE_SIZE", "1");
    command.args(["child_that_prints_the_size", "--exact", "--nocapture"]);
    let mut terminal = Terminal::start(command);
    assert_eq!(terminal.value("size"), "24 80 800 480", "at exec already");
    for (size, expected) in [
        (
            Winsize {
                ws_row: 50,
                ws_col: 133,
                ws_xpixel: 1330,
                ws_ypixel: 1000,
            },
            "50 133 1330 1000",
        ),
        (
            Winsize {
                ws_row: 50,
                ws_col: 133,
                ws_xpixel: 0,
                ws_ypixel: 0,
            },
            "50 133 0 0",
        ),
        (
            Winsize {
                ws_row: 1,
                ws_col: 1,
                ws_xpixel: 0,
                ws_ypixel: 0,
            },
            "1 1 0 0",
        ),
        (SIZE, "24 80 800 480"),
    ] {
        terminal.resize(size);
        // A signal and a key are not in order.
        loop {
            terminal.send(b"\n");
            if terminal.value("size") == expected {
                break;
            }
        }
    }
    terminal.send(b"\x04");
    assert!(terminal.finish().1.success());
}

#[test]
fn the_child_learns_of_a_new_size_by_sigwinch() {
    let words = "trap 'echo size=$(stty size); kill $!; exit' WINCH; sleep 1000 & echo ready; wait";
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &[]));
    terminal.expect("ready");
    terminal.resize(Winsize { ws_row: 30, ..SIZE });
    assert_eq!(terminal.value("size"), "30 80");
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
fn codes_are_passed_on() {
    for code in [0, 1, 2, 42, 126, 127, 128, 255] {
        let words = format!("exit {code}");
        let (output, status) = Terminal::start(script(wrapped("/bin/sh"), &words, &[])).finish();
        assert_eq!(status.code(), Some(code));
        assert!(output.is_empty(), "nothing of ours: {output:?}");
    }
}

#[test]
fn a_killed_child_ends_us_with_128_and_its_number() {
    for (name, number) in [("KILL", 9), ("TERM", 15), ("ABRT", 6), ("HUP", 1)] {
        let words = format!("echo last words; kill -{name} $$");
        let (output, status) = Terminal::start(script(wrapped("/bin/sh"), &words, &[])).finish();
        assert_eq!(
            (status.code(), status.signal()),
            (Some(128 + number), None),
            "{name}"
        );
        assert!(output.starts_with(b"last words\r\n"), "{output:?}");
    }
}

#[test]
fn a_grandchild_that_keeps_the_terminal_does_not_keep_us() {
    let words = "sleep 1000 & echo pid=$!; exit 4";
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &[]));
    let pid = terminal.value("pid");
    assert_eq!(terminal.finish().1.code(), Some(4));
    // As under a shell, it lives on.
    pty::kill(&pid, rustix::process::Signal::KILL);
    pty::gone(&pid);
}

/// Runs our command under a shell and shows the terminal before and after.
fn around(words: &str) -> String {
    let look = "stty -g; { [ -r /proc/self/fdinfo/0 ] && grep flags /proc/self/fdinfo/0; } || :";
    let around =
        format!("stty -ixon intr ^K; {look}; echo BEGIN; {words}; echo END=$?; {look}; echo OVER");
    let mut terminal = Terminal::start(script(bare("/bin/bash"), &around, &[CLAUDE_RETRY]));
    terminal.expect("OVER");
    let text = String::from_utf8_lossy(&terminal.finish().0).into_owned();
    let (before, rest) = text.split_once("BEGIN\r\n").expect("a beginning");
    let (_, rest) = rest.split_once("END=").expect("an end");
    let (code, after) = rest.split_once("\r\n").expect("a code");
    assert_eq!(after.trim_end_matches("OVER\r\n"), before, "{words}");
    code.to_owned()
}

#[test]
fn the_terminal_is_as_before() {
    assert_eq!(
        around("CLAUDE_RETRY_PROGRAM=/bin/sh \"$1\" -c 'stty raw -echo; exit 6'"),
        "6"
    );
    assert_eq!(
        around("CLAUDE_RETRY_PROGRAM=/bin/sh \"$1\" -c 'kill -9 $$'"),
        "137"
    );
    assert_eq!(
        around(
            "CLAUDE_RETRY_PROGRAM=/bin/sh \"$1\" -c 'kill -TERM ${CLAUDE_RETRY%%:*}; exec sleep 1000'"
        ),
        "143"
    );
    assert_eq!(
        around("CLAUDE_RETRY_PROGRAM=/nonexistent/claude \"$1\""),
        "127"
    );
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

#[test]
fn without_a_terminal_it_becomes_the_program() {
    let mut command = script(
        wrapped("/bin/sh"),
        "echo $$ ${CLAUDE_RETRY-none}; exit 5",
        &[],
    );
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let pid = child.id();
    let output = child.wait_with_output().expect("its output");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("{pid} none\n")
    );
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn in_print_mode_and_inside_itself_it_becomes_the_program() {
    let pid_in = |terminal: &mut Terminal| terminal.value("pid");
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), "echo pid=$$", &["-p"]));
    assert_eq!(pid_in(&mut terminal), terminal.pid().to_string(), "-p");
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), "echo pid=$$", &["--", "-p"]));
    assert_ne!(
        pid_in(&mut terminal),
        terminal.pid().to_string(),
        "a prompt of -p"
    );

    let nested = "echo pid=$$; exec \"$1\" -c 'echo pid=$$'";
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), nested, &[CLAUDE_RETRY]));
    assert_eq!(
        pid_in(&mut terminal),
        pid_in(&mut terminal),
        "inside itself"
    );

    let mut leaked = script(wrapped("/bin/sh"), "echo pid=$$", &[]);
    leaked.env(
        "CLAUDE_RETRY",
        format!("{}:/dev/pts/none", std::process::id()),
    );
    let mut terminal = Terminal::start(leaked);
    assert_ne!(
        pid_in(&mut terminal),
        terminal.pid().to_string(),
        "on another terminal"
    );
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
