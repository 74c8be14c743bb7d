//! No wake-up while nothing happens: neither the wrapper nor the leader beside it does anything.
#![cfg(target_os = "linux")]
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use pty::{Terminal, script, wrapped};

/// Behind what happened, the wrapper may look at the screen some times more; that is over when nothing has woken it
/// for so long.
const SETTLED: Duration = Duration::from_secs(1);

/// For so long nothing may wake it then.
const IDLE: Duration = Duration::from_secs(2);

/// How often each thread of these processes has gone to sleep so far.
fn sleeps(pids: [&str; 2]) -> BTreeMap<String, u64> {
    let threads = pids.into_iter().flat_map(|pid| {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("this test reads /proc");
        threads.map(|thread| thread.expect("a thread").path())
    });
    let count = |status: &str| {
        let mut lines = status.lines();
        let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        count.trim().parse().ok()
    };
    threads
        .filter_map(|thread| {
            // A thread may end in between.
            let status = fs::read_to_string(thread.join("status")).ok()?;
            let count = count(&status).expect("a count");
            Some((thread.display().to_string(), count))
        })
        .collect()
}

/// Waits until nothing wakes them, then sees that this stays so.
#[track_caller]
fn nothing_wakes(pids: [&str; 2]) {
    let deadline = Instant::now() + pty::PATIENCE;
    let (mut since, mut last) = (Instant::now(), sleeps(pids));
    while since.elapsed() < SETTLED {
        assert!(Instant::now() < deadline, "it does not come to rest");
        std::thread::sleep(pty::LOOK);
        let now = sleeps(pids);
        if now != last {
            (since, last) = (Instant::now(), now);
        }
    }
    std::thread::sleep(IDLE);
    assert_eq!(sleeps(pids), last, "something has woken it");
}

/// The wrapper with all that it watches, around a child with these words. The leader is the child's parent.
fn started(words: &str) -> (Terminal, String, String) {
    let words =
        format!("stty raw -echo; echo leader=$PPID; echo us=${{CLAUDE_RETRY%%:*}}; {words}");
    let mut command = script(wrapped("/bin/sh"), &words, &[]);
    command.env_remove("CLAUDE_RETRY_BAR");
    let mut terminal = Terminal::start(command);
    let leader = terminal.value("leader");
    let us = terminal.value("us");
    assert_ne!(leader, us);
    (terminal, us, leader)
}

#[test]
fn nothing_wakes_it_while_the_child_does_nothing() {
    let (mut terminal, us, leader) = started("printf first; exec sleep 1000");
    terminal.expect("first");
    nothing_wakes([&us, &leader]);
}

#[test]
fn nothing_wakes_it_after_output_and_typing() {
    let words = "seq 3000; printf '\\033[2J\\033[Hdrawn\\r\\n> '; exec cat";
    let (mut terminal, us, leader) = started(words);
    terminal.expect("drawn\r\n> ");
    for word in ["hello", " again", "\x1b[A", "\x7f"] {
        terminal.send(word.as_bytes());
        terminal.expect(word);
    }
    nothing_wakes([&us, &leader]);
}
