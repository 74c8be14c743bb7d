//! The transcript is no proper file, or changes under us: the session goes on, and nobody types.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::bar::{BAR, ERROR, cancels_and_leaves, leaves};
use crate::stage::{Play, Stage};

/// Where the stand-in writes to.
fn transcript(stage: &Stage) -> PathBuf {
    stage.wait("transcript", || {
        // A file has no event.
        std::thread::sleep(Duration::from_millis(5));
        stage.ring();
        let folders = fs::read_dir(stage.home.path().join(".claude/projects")).ok()?;
        let mut files = folders
            .flatten()
            .flat_map(|folder| fs::read_dir(folder.path()));
        files.find_map(|mut files| Some(files.next()?.ok()?.path()))
    })
}

/// Something else is put in its place. The stand-in writes on to the file that it has open.
fn replaced(path: &Path, put: impl FnOnce(&Path)) {
    fs::remove_file(path).expect("it is there");
    put(path);
}

/// What the wrapper has read so far, and its largest size in memory, in kB; Linux only.
fn cost(stage: &Stage) -> Option<(u64, u64)> {
    let read =
        |name: &str| fs::read_to_string(format!("/proc/{}/{name}", stage.terminal.pid())).ok();
    let value = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some((
        value(&read("io")?, "rchar:")?,
        value(&read("status")?, "VmHWM:")?,
    ))
}

#[test]
fn two_hundred_megabytes_are_not_read() {
    let stage = Play::held().start();
    let path = transcript(&stage);
    let mut file = OpenOptions::new().append(true).open(&path).expect("it");
    file.set_len(200 << 20).expect("a large file");
    file.write_all(b"\n").expect("a line's end");
    stage.go(&path);
    stage.shows(BAR);
    if let Some((read, memory)) = cost(&stage) {
        assert!(read < 8 << 20, "{read} bytes read");
        assert!(memory < 64 << 10, "{memory} kB of memory");
    }
    assert!(fs::metadata(&path).expect("it").len() > 200 << 20);
    cancels_and_leaves(&stage, "200 MB");
}

fn fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo").success());
}

#[test]
fn what_cannot_be_read_is_waited_for_in_vain_and_nobody_types() {
    let kinds = ["folder", "pipe", "dangling", "loop", "garbage", "large"];
    let stages = kinds.map(|kind| {
        let stage = Play::held().set("BASE", "1s").start();
        let path = transcript(&stage);
        match kind {
            "folder" => replaced(&path, |path| fs::create_dir(path).expect("a folder")),
            "pipe" => replaced(&path, fifo),
            "dangling" => replaced(&path, |path| symlink("nothing", path).expect("a link")),
            "loop" => replaced(&path, |path| symlink(path, path).expect("a link")),
            "garbage" => replaced(&path, |path| {
                fs::write(
                    path,
                    b"\0{\"uuid\":\xff\n\n{\"type\":\"assistant\",\"uuid\":\"x",
                )
                .expect("a file");
            }),
            // With no turn in reach.
            _ => replaced(&path, |path| {
                let file = fs::File::create(path).expect("a file");
                file.set_len(200 << 20).expect("a large file");
            }),
        }
        stage.go(&path);
        stage
    });
    for (kind, stage) in kinds.into_iter().zip(stages) {
        stage.shows(ERROR);
        stage.wait(kind, || {
            let verdict = stage.log.events("verdict").pop()?;
            assert_ne!(verdict["verdict"], "act", "{kind}: {verdict}");
            (verdict["verdict"] == "keep-out").then_some(())
        });
        assert!(!stage.terminal.screen().shows(BAR), "{kind}");
        if let Some((read, memory)) = cost(&stage) {
            // Some looks of 4 MB at the most.
            assert!(read < 200 << 20, "{kind}: {read} bytes read");
            assert!(memory < 64 << 10, "{kind}: {memory} kB of memory");
        }
        leaves(&stage, kind);
    }
}

#[test]
fn what_changes_during_the_wait_makes_us_stand_down() {
    let kinds = ["truncated", "removed", "replaced", "a pipe now"];
    // The wait is longer than this test's patience: the user ends it, and only after the change.
    let stages = kinds.map(|_| Play::stand_in().start());
    for (kind, stage) in kinds.into_iter().zip(&stages) {
        let path = transcript(stage);
        stage.shows(BAR);
        match kind {
            "truncated" => {
                let file = OpenOptions::new().write(true).open(&path).expect("it");
                file.set_len(0).expect("cut");
            }
            "removed" => fs::remove_file(&path).expect("it is there"),
            "replaced" => {
                let line = json!({
                    "type": "assistant", "uuid": "other", "sessionId": "other",
                    "timestamp": "2026-01-01T00:00:00.000Z",
                    "message": {"content": [{"type": "text", "text": "All is well."}]},
                });
                let beside = path.with_extension("new");
                fs::write(&beside, format!("{line}\n")).expect("a file");
                fs::rename(&beside, &path).expect("a rename");
            }
            _ => replaced(&path, fifo),
        }
    }
    for (kind, stage) in kinds.into_iter().zip(&stages) {
        stage.types("\r");
        stage.logs("stood-down");
        leaves(stage, kind);
    }
}
