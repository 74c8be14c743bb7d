//! The system fails: a shim between the wrapper and libc (`shim.c`) gives what a kernel gives on a bad day. The
//! session survives, or ends with the terminal as it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process};

use crate::bar::{BAR, leaves};
use crate::pipe::{End, KEYS, bare, play, run};
use crate::stage::{Play, Stage};
use crate::terminal::Exit;

/// The shim, made once.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let made = folder.join(format!("shim-{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/shim.c");
        // The linker of every Rust program, so it is there.
        let status = Command::new("cc")
            .args([
                "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o",
            ])
            .args([made.as_os_str(), source.as_ref(), "-ldl".as_ref()])
            .status();
        assert!(status.expect("cc").success());
        let shim = folder.join("shim.so");
        fs::rename(&made, &shim).expect("its place");
        shim
    })
}

/// The wrapper behind the shim.
fn shimmed(play: Play, words: &str, seed: u32) -> Play {
    let (flag, report) = (play.flag(), play.path("waits"));
    play.env("LD_PRELOAD", shim())
        .env("FAULT_SHIM", words)
        .env("FAULT_SEED", seed.to_string())
        .env("FAULT_FLAG", flag)
        .env("FAULT_REPORT", report)
}

/// How often it waited for something.
#[track_caller]
fn waits(stage: &Stage) -> u64 {
    let report = fs::read_to_string(stage.home.path().join("waits")).expect("the shim was loaded");
    report.trim().parse().expect("a number")
}

/// Bytes both ways, code and terminal are as without the fault.
#[track_caller]
fn passes_all(words: &str, seed: u32) {
    let bare = bare(End::Exit);
    let run = run(shimmed(play(End::Exit, true), words, seed), |_| {});
    assert_eq!(run.stage.ends(), Exit::Code(7), "{words}, seed {seed}");
    assert_eq!(run.exit, Exit::Code(7));
    assert_eq!(run.got, KEYS.as_bytes(), "{words}, seed {seed}");
    let history = run.stage.terminal.history();
    assert!(history.starts_with(&bare), "{words}, seed {seed}");
    waits(&run.stage);
}

#[test]
fn interruptions_and_short_transfers_change_no_byte() {
    for (words, seed) in [
        ("eintr", 11),
        ("eagain", 12),
        ("timeouts", 13),
        ("one", 14),
        ("eintr,eagain,timeouts,short", 15),
        ("eintr,eagain,timeouts,short", 16),
        ("eintr,eagain,timeouts,one", 17),
    ] {
        passes_all(words, seed);
    }
}

#[test]
fn an_end_that_no_signal_tells_of_is_seen() {
    passes_all("no-sigchld", 1);
    passes_all("no-sigchld,eintr,eagain,short", 2);
}

#[test]
fn a_pty_that_is_said_to_be_closed_and_is_not_loses_nothing() {
    passes_all("pty-read-eio", 1);
}

/// A child that hears of the hangup, in the alternate screen.
const HUNG_UP: &str = r"
trap 'printf hung-up; exit 4' HUP
printf '\033[?1049h\033[>5u\033[?1000h\033[?2004h\033[?25lready'
stty raw -echo
while :; do sleep 1000 & wait; done
";

/// Linux looks for bytes first and for the end of the terminal then, so that it may tell the end too early.
#[test]
fn an_end_that_overtakes_the_last_words_loses_none() {
    let words = "stty raw -echo; printf ready; dd bs=1 count=1 of=/dev/null 2>/dev/null; printf 'last words'; exit 3";
    let stage = shimmed(Play::wrapped(words, &[]), "pty-early-eio", 1).start();
    stage.shows("ready");
    stage.strike();
    stage.types("x");
    assert_eq!(stage.ends(), Exit::Code(3));
    stage.shows("readylast words");
    waits(&stage);
}

#[test]
fn a_terminal_that_cannot_be_read_or_written_is_a_hangup() {
    for words in ["tty-read-eio", "tty-write-eio"] {
        let stage = shimmed(Play::wrapped(HUNG_UP, &[]), words, 1).start();
        stage.shows("ready");
        stage.strike();
        if words == "tty-read-eio" {
            stage.types("x");
            // It can still be written: nothing is left on.
            assert_eq!(stage.ends(), Exit::Code(4), "{words}");
        } else {
            ended(&stage);
            let exit = stage.wait("end", || stage.terminal.exit());
            assert_eq!(exit, Exit::Code(4), "{words}");
            assert!(stage.terminal.settings_restored(), "{words}");
        }
        waits(&stage);
    }
}

/// We are asked to end, so that there are last words to be written.
fn ended(stage: &Stage) {
    let pid = i32::try_from(stage.terminal.pid()).ok();
    let pid = pid.and_then(Pid::from_raw).expect("a process");
    kill_process(pid, Signal::HUP).expect("it runs");
}

#[test]
fn a_disk_that_takes_nothing_ends_no_session() {
    let failures = ["file-enospc", "file-eio", "file-enospc,eintr,short"];
    let stages = failures.map(|words| {
        let stage = shimmed(Play::stand_in(), words, 3).start();
        stage.strike();
        stage
    });
    for (words, stage) in failures.into_iter().zip(stages) {
        stage.shows(BAR);
        stage.types("\x03");
        stage.shows("not resuming");
        leaves(&stage, words);
        waits(&stage);
        let text = fs::read_to_string(stage.home.log()).unwrap_or_default();
        assert!(
            !text.contains("verdict"),
            "{words}: it was written all the same"
        );
    }
}

#[test]
fn where_no_folder_can_be_made_there_is_no_companion() {
    let words = "stty raw -echo; printf 'plugin=%s.' $CLAUDE_CODE_PLUGIN_DIRS; dd bs=1 count=1 of=/dev/null 2>/dev/null; exit 6";
    for failure in ["file-enospc", "file-eio"] {
        let play = shimmed(Play::wrapped(words, &[]), failure, 1);
        fs::write(play.flag(), "").expect("a file");
        let stage = play.start();
        stage.shows("plugin=.");
        stage.types("x");
        assert_eq!(stage.ends(), Exit::Code(6), "{failure}");
        waits(&stage);
        let run = stage.home.path().join(".local/state/claude-retry/run");
        let left = fs::read_dir(run).map_or(0, |entries| entries.flatten().count());
        assert_eq!(left, 0, "{failure}: left behind");
    }
}

#[test]
fn a_clock_that_jumps_keeps_nobody_waiting_and_spins_nobody() {
    let jumps = [
        "realtime=86400",
        "realtime=-86400",
        "monotonic=86400",
        "realtime=86400,monotonic=86400",
    ];
    let stages = jumps.map(|words| {
        shimmed(
            Play::stand_in().set("BASE", "2s").set("CAP", "2s"),
            words,
            1,
        )
        .start()
    });
    for stage in &stages {
        stage.shows(BAR);
        stage.strike();
    }
    for (words, stage) in jumps.into_iter().zip(&stages) {
        stage.logs("typing");
        stage.wait("turn", || {
            (stage.log.events("resumed").len() == 1).then_some(())
        });
        // The second throttle and its wait.
        stage.shows("retry 2/");
        stage.types("\x03");
        stage.shows("not resuming");
        stage.types("\x03");
        stage.shows("Press Ctrl-C again");
        stage.types("\x03");
        assert_eq!(stage.ends(), Exit::Code(0), "{words}");
        let waits = waits(stage);
        assert!(waits < 5000, "{words}: it waited {waits} times");
    }
}
