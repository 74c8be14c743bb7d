//! Signals to us, a terminal that goes, and our own death: the child gets the signal, gets time, and no
//! process is left.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use pty::{SIZE, Terminal, fifo, gone, kill, patiently, script, wrapped};
use rustix::process::Signal;
use rustix::termios::Winsize;

/// Those that ask for an end, and how a shell calls them.
const ENDS: [(Signal, &str); 4] = [
    (Signal::TERM, "TERM"),
    (Signal::HUP, "HUP"),
    (Signal::INT, "INT"),
    (Signal::QUIT, "QUIT"),
];

/// The child tells who there is: us, its leader, itself, and a process of its own. Its traps stand before this.
const TELL: &str = "echo us=${CLAUDE_RETRY%%:*}; echo leader=$PPID; sleep 1000 & \
                    echo helper=$!; echo child=$$;";

fn child(words: &str, args: &[&str]) -> Terminal {
    Terminal::start(script(wrapped("/bin/sh"), words, args))
}

/// Us first, then the others.
fn processes(terminal: &mut Terminal) -> [String; 4] {
    ["us", "leader", "helper", "child"].map(|name| terminal.value(name))
}

fn nobody_is_left(processes: &[String]) {
    for pid in processes {
        gone(pid);
    }
}

/// Its handler takes its time: it waits for somebody, and has last words.
/// The helper may not have become `sleep` yet, and still catch what the shell catches: so it is killed.
#[test]
fn a_signal_is_passed_on_and_the_child_ends_in_its_own_time() {
    let tmp = tempfile::tempdir().expect("a folder");
    for (signal, name) in ENDS {
        let waits = tmp.path().join(name);
        fifo(&waits);
        let words = format!(
            "trap 'echo got {name}; read go < \"$1\"; kill -KILL $!; echo last words; exit 9' {name}; {TELL} wait"
        );
        let mut terminal = child(&words, &[waits.to_str().expect("a plain path")]);
        let processes = processes(&mut terminal);
        kill(&processes[0], signal);
        terminal.expect(&format!("got {name}"));
        std::fs::write(&waits, "go\n").expect("it goes");
        let (output, status) = terminal.finish();
        assert!(output.ends_with(b"last words\r\n"), "{name}");
        assert_eq!(status.code(), Some(9), "{name}: the child's code counts");
        nobody_is_left(&processes);
    }
}

#[test]
fn a_child_that_ends_by_the_signal_ends_us_with_128_and_its_number() {
    for (signal, name) in ENDS {
        let mut terminal = child(&format!("ulimit -c 0; {TELL} wait"), &[]);
        let processes = processes(&mut terminal);
        kill(&processes[0], signal);
        assert_eq!(
            terminal.finish().1.code(),
            Some(128 + signal.as_raw()),
            "{name}"
        );
        // It is of the child's group; for two of them a shell lets it ignore the signal, and it is hung up.
        if matches!(signal, Signal::TERM | Signal::HUP) {
            nobody_is_left(&processes);
        } else {
            nobody_is_left(&processes[..2]);
            gone(&processes[3]);
            pty::kill_if_there(&processes[2]);
        }
    }
}

/// One that ignores it, and one that takes note of it and goes on. All of them ask for an end: also SIGINT,
/// for a Ctrl+C is a byte on its way through us, and the CLI itself ends at a SIGINT. At the same time, since
/// it takes the whole grace.
#[test]
fn a_child_that_will_not_end_is_killed_after_its_grace_and_nobody_is_left() {
    let waits: Vec<_> = ENDS
        .into_iter()
        .flat_map(|end| ["", "echo noted"].map(|action| (end, action)))
        .map(|((signal, name), action)| {
            std::thread::spawn(move || {
                let words =
                    format!("trap '{action}' {name}; {TELL} while :; do wait; sleep 1000; done");
                let mut terminal = child(&words, &[]);
                let processes = processes(&mut terminal);
                kill(&processes[0], signal);
                let status = terminal.finish().1;
                assert_eq!(status.code(), Some(128 + signal.as_raw()), "{name}");
                nobody_is_left(&processes);
            })
        })
        .collect();
    for wait in waits {
        wait.join().expect("each is killed");
    }
}

/// It comes by the kernel, by the shell, and as the end of input. A program may handle the first alone, as
/// one that writes its state at it.
#[test]
fn a_hangup_that_comes_again_is_told_once() {
    let words = format!(
        "trap 'echo told=hup' HUP; trap 'echo size=$(stty size)' WINCH; \
         trap 'kill $!; echo end; exit 9' TERM; {TELL} while :; do wait; done"
    );
    let mut terminal = child(&words, &[]);
    let processes = processes(&mut terminal);
    for row in 30..33 {
        kill(&processes[0], Signal::HUP);
        if row == 30 {
            assert_eq!(terminal.value("told"), "hup");
        }
        // What comes behind it on the same way tells that it has been dealt with.
        terminal.resize(Winsize {
            ws_row: row,
            ..SIZE
        });
        assert_eq!(terminal.value("size"), format!("{row} 80"));
    }
    kill(&processes[0], Signal::TERM);
    terminal.expect("end");
    let (output, status) = terminal.finish();
    assert_eq!(status.code(), Some(9));
    let text = String::from_utf8_lossy(&output);
    assert_eq!(text.matches("told=").count(), 1, "{text}");
    nobody_is_left(&processes[..2]);
    gone(&processes[3]);
    pty::kill_if_there(&processes[2]);
}

/// Not a test: a terminal in a process of its own, which can be killed with it.
#[test]
fn host_of_a_terminal() {
    let Ok(words) = std::env::var("HOSTED_WORDS") else {
        return;
    };
    let told = std::env::var("HOSTED_PATH").expect("its path");
    let mut terminal = child(&words, &[&told]);
    #[expect(clippy::print_stdout, reason = "the host's report")]
    for name in ["us", "leader", "helper", "child"] {
        println!("{name}={}", terminal.value(name));
    }
    let _ = std::io::stdin().read(&mut [0]);
}

/// Starts the host; gives it and the processes in its terminal.
fn hosted(words: &str, path: &Path) -> (Child, Vec<String>) {
    let mut host = Command::new(std::env::current_exe().expect("this program"))
        .args(["host_of_a_terminal", "--exact", "--nocapture"])
        .env("HOSTED_WORDS", words)
        .env("HOSTED_PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the host");
    let mut lines = BufReader::new(host.stdout.take().expect("its report")).lines();
    let processes = ["us=", "leader=", "helper=", "child="].map(|name| {
        let mut values = lines.by_ref().map_while(Result::ok);
        values
            .find_map(|line| line.strip_prefix(name).map(str::to_owned))
            .expect("a report")
    });
    (host, processes.into())
}

/// The child gets SIGHUP, once, and time; afterwards nobody is left. The same where we are killed: then it is
/// the kernel that tells the child.
#[test]
fn the_child_is_hung_up_when_the_terminal_goes_and_when_we_are_killed() {
    let tmp = tempfile::tempdir().expect("a folder");
    for us_too in [false, true] {
        let path = tmp.path().join(format!("told-{us_too}"));
        fifo(&path);
        let words = format!("trap 'kill $!; echo hung up > \"$1\"; exit' HUP; {TELL} wait");
        let (mut host, processes) = hosted(&words, &path);
        if us_too {
            kill(&processes[0], Signal::KILL);
        } else {
            host.kill().expect("the host ends");
        }
        let told = patiently("the child's word", move || std::fs::read_to_string(path));
        assert_eq!(told.expect("a word"), "hung up\n");
        nobody_is_left(&processes[1..]);
        host.kill().expect("the host ends");
        host.wait().expect("the host has ended");
        gone(&processes[0]);
    }
}

#[test]
fn a_child_that_ignores_that_its_terminal_went_is_killed_after_its_grace() {
    let tmp = tempfile::tempdir().expect("a folder");
    let words = format!("trap '' HUP; {TELL} while :; do wait; sleep 1000; done");
    let (mut host, processes) = hosted(&words, tmp.path());
    host.kill().expect("the host ends");
    host.wait().expect("the host has ended");
    nobody_is_left(&processes);
}
