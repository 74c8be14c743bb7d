//! Transcripts that are no proper files: nothing blocks, nothing is read that need not be, nothing panics.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{read_errors_since, read_last_turn};
use crate::supervisor::transcript::Ending;

/// A turn that failed.
fn failed(uuid: &str) -> String {
    let line = serde_json::json!({
        "type": "assistant", "uuid": uuid, "parentUuid": null, "sessionId": "s",
        "timestamp": "2026-01-01T00:00:00.000Z", "isApiErrorMessage": true, "error": "rate_limit",
        "message": {"content": [{"type": "text", "text": "API Error: 529 Overloaded."}]},
    });
    format!("{line}\n")
}

/// The uuid of the turn that failed last, by the file.
fn last(path: &Path) -> Option<String> {
    let turn = read_last_turn(path).ok().flatten()?;
    matches!(turn.ending, Ending::ApiError { .. }).then_some(turn.uuid)
}

/// How much this thread has read so far; Linux only.
fn read_so_far() -> Option<u64> {
    let io = fs::read_to_string("/proc/thread-self/io").ok()?;
    io.lines()
        .find_map(|line| line.strip_prefix("rchar: ")?.parse().ok())
}

#[test]
fn of_two_hundred_megabytes_only_the_end_is_read() {
    let tmp = tempfile::tempdir().expect("a folder");
    let path = tmp.path().join("a.jsonl");
    let mut file = File::create(&path).expect("a file");
    file.write_all(failed("first").as_bytes()).expect("a line");
    // A hole: it reads as NULs.
    file.set_len(200 << 20).expect("a large file");
    let mut file = OpenOptions::new().append(true).open(&path).expect("it");
    let before = read_so_far();
    assert_eq!(last(&path), None, "nothing but NULs in reach");
    let tails = read_so_far()
        .zip(before)
        .map(|(after, before)| after - before);
    assert!(tails.is_none_or(|read| read < 6 << 20), "{tails:?} bytes");

    file.write_all(format!("\n{}", failed("last")).as_bytes())
        .expect("a line");
    let before = read_so_far();
    assert_eq!(last(&path).as_deref(), Some("last"));
    let tail = read_so_far()
        .zip(before)
        .map(|(after, before)| after - before);
    assert!(tail.is_none_or(|read| read < 1 << 20), "{tail:?} bytes");
    assert_eq!(read_errors_since(&path, 0).expect("it"), 1);
}

#[test]
fn what_cannot_be_read_is_an_error_and_never_waited_for() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| tmp.path().join(name);
    fs::create_dir(at("folder")).expect("a folder");
    symlink(at("nothing"), at("dangling")).expect("a link");
    symlink(at("loop"), at("loop")).expect("a link");
    symlink("/dev/tty", at("terminal")).expect("a link");
    symlink("/dev/zero", at("endless")).expect("a link");
    let made = std::process::Command::new("mkfifo")
        .arg(at("pipe"))
        .status();
    assert!(made.expect("mkfifo").success());
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("a socket");
    for name in [
        "folder", "dangling", "loop", "terminal", "endless", "pipe", "socket", "missing",
    ] {
        let path = at(name);
        let (done, waits) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            done.send((
                read_last_turn(&path).is_err(),
                read_errors_since(&path, 0).is_err(),
            ))
        });
        let both = waits.recv_timeout(std::time::Duration::from_secs(30));
        assert_eq!(both, Ok((true, true)), "{name}");
    }
}

#[test]
fn odd_lines_hide_no_turn() {
    let tmp = tempfile::tempdir().expect("a folder");
    let path = tmp.path().join("a.jsonl");
    let good = failed("good");
    for odd in [
        "",
        "\0\0\0\0\0\n",
        "\u{feff}",
        "{\n",
        "[]\n",
        "\"uuid\"\n",
        "{\"uuid\":1}\n",
        "{\"type\":\"assistant\",\"uuid\":\"half",
        "\n\n\n\r\n",
    ] {
        for text in [format!("{good}{odd}"), format!("{odd}\n{good}")] {
            fs::write(&path, &text).expect("a file");
            assert_eq!(last(&path).as_deref(), Some("good"), "{text:?}");
        }
    }
    // Nested too deeply for anybody.
    let deep = format!(
        "{}{}\n{good}",
        "{\"uuid\":".repeat(100_000),
        "[".repeat(100_000)
    );
    fs::write(&path, deep).expect("a file");
    assert_eq!(last(&path).as_deref(), Some("good"));
    // Not UTF-8.
    fs::write(
        &path,
        [&b"\xff\xfe{\"uuid\"\x80\n"[..], good.as_bytes()].concat(),
    )
    .expect("a file");
    assert_eq!(last(&path).as_deref(), Some("good"));
}

#[test]
fn a_file_that_others_write_meanwhile_gives_a_whole_turn_or_none() {
    let tmp = tempfile::tempdir().expect("a folder");
    let path = tmp.path().join("a.jsonl");
    let (one, other) = (tmp.path().join("one"), tmp.path().join("other"));
    let filler = format!(
        "{{\"type\":\"mode\",\"text\":\"{}\"}}\n",
        "x".repeat(400_000)
    );
    let texts = [failed("one"), filler.clone() + &failed("two")];
    fs::write(&path, &texts[0]).expect("a file");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                // Replaced, truncated in place, grown in place.
                for text in &texts {
                    fs::write(&one, text).expect("a file");
                    fs::rename(&one, &path).expect("a rename");
                }
                fs::write(&other, &texts[1]).expect("a file");
                fs::rename(&other, &path).expect("a rename");
                let file = OpenOptions::new().write(true).open(&path).expect("it");
                file.set_len(10).expect("cut");
                file.set_len(0).expect("cut");
                drop(file);
                fs::write(&path, &texts[0]).expect("a file");
            }
        });
        let mut seen = 0;
        for _ in 0..2000 {
            if let Some(uuid) = last(&path) {
                assert!(uuid == "one" || uuid == "two", "{uuid}");
                seen += 1;
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(seen > 0);
    });
}
