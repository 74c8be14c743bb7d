use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;

fn os(args: &[&str]) -> Vec<OsString> {
    args.iter().map(OsString::from).collect()
}

fn whose_of(args: &[&str]) -> Result<Whose, String> {
    whose(&os(args), None)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it").permissions().mode() & 0o777
}

#[test]
fn a_file_of_ours_unless_something_else_was_asked_for() {
    for args in [
        &[][..],
        &["-c"],
        &["--resume", "abc"],
        &["fix the tests"],
        &["--", "-d"],
        &["--model", "debug"],
    ] {
        assert_eq!(whose_of(args), Ok(Whose::Ours), "{args:?}");
    }
    for args in [
        &["--debug-file", "a.log"][..],
        &["-c", "--debug-file=a.log"],
        &["--debug-file", "a.log", "-d"],
        &["--debug-file", "a.log", "--debug-file", "b.log"],
    ] {
        assert_eq!(
            whose_of(args),
            Ok(Whose::Theirs("a.log".into())),
            "{args:?}"
        );
    }
    for args in [
        &["-d"][..],
        &["-cd"],
        &["-dapi"],
        &["--debug"],
        &["--debug=api"],
        &["--debug-to-stderr"],
        &["-c", "--debug"],
        &["--debug-file"],
        &["--bg", "fix the tests"],
        &["attach", "abc"],
        &["mcp", "list"],
    ] {
        assert!(whose_of(args).is_err(), "{args:?}");
    }
}

#[test]
fn another_level_of_the_users_is_kept() {
    assert!(whose(&[], Some("info".as_ref())).is_err());
    assert_eq!(whose(&[], Some("debug".as_ref())), Ok(Whose::Ours));
}

#[test]
fn the_file_is_private_and_goes_with_its_owner() {
    let tmp = tempfile::tempdir().expect("a folder");
    let place = tmp.path().join("claude-retry");
    let debug = DebugFile::create(std::slice::from_ref(&place)).expect("a file");
    let folder = debug.path.parent().expect("a folder").to_owned();
    assert_eq!(mode(&debug.path), 0o600);
    assert_eq!((mode(&folder), mode(&place)), (0o700, 0o700));
    assert_eq!(
        debug.args(),
        os(&["--debug-file", debug.path.to_str().expect("text")])
    );
    // As the CLI does.
    symlink(&debug.path, folder.join("latest")).expect("a link");
    drop(debug);
    assert!(!folder.exists());
    assert!(place.exists());
}

#[test]
fn a_file_of_the_users_is_read_and_never_touched() {
    let tmp = tempfile::tempdir().expect("a folder");
    let path = tmp.path().join("a.log");
    fs::write(&path, "words").expect("a file");
    let args = os(&["--debug-file", path.to_str().expect("text")]);
    let mut debug = DebugFile::new(&args).expect("theirs");
    assert!(debug.args().is_empty());
    assert_eq!(debug.tail().expect("it"), b"words");
    debug.keep_short(super::super::clock::Clock::instant());
    drop(debug);
    assert_eq!(fs::read(path).expect("it"), b"words");
}

#[test]
fn only_the_end_is_read_and_what_is_no_file_is_not() {
    let tmp = tempfile::tempdir().expect("a folder");
    let debug = DebugFile::create(&[tmp.path().join("place")]).expect("a file");
    let len = usize::try_from(TAIL).expect("small");
    let mut bytes = vec![b'x'; len];
    bytes.extend(b"end");
    fs::write(&debug.path, &bytes).expect("a file");
    let tail = debug.tail().expect("it");
    assert!(tail.len() == len && tail.ends_with(b"end"));

    fs::remove_file(&debug.path).expect("it was there");
    assert!(debug.tail().is_err(), "vanished");
    assert!(debug.try_keep_short(0).is_err());
    fs::create_dir(&debug.path).expect("a folder in its place");
    assert!(debug.tail().is_err(), "replaced");
    fs::remove_dir(&debug.path).expect("it was there");
    let made = std::process::Command::new("mkfifo")
        .arg(&debug.path)
        .status();
    assert!(made.expect("mkfifo").success());
    assert!(debug.tail().is_err(), "a pipe");
}

#[test]
fn a_large_file_at_rest_is_emptied_under_the_writer() {
    let tmp = tempfile::tempdir().expect("a folder");
    let debug = DebugFile::create(&[tmp.path().join("place")]).expect("a file");
    let append = || {
        let mut file = OpenOptions::new().append(true).open(&debug.path);
        let file = file.as_mut().expect("it");
        file.write_all(b"12345").expect("room");
        file.try_clone().expect("a copy")
    };
    let file = append();
    assert!(!debug.try_keep_short(4).expect("it"), "just written");
    assert!(debug.try_keep_short(5).expect("it"), "not large");
    assert_eq!(fs::read(&debug.path).expect("it"), b"12345");
    file.set_modified(SystemTime::UNIX_EPOCH).expect("a time");
    assert!(debug.try_keep_short(4).expect("it"));
    append();
    assert_eq!(fs::read(&debug.path).expect("it"), b"12345", "no hole");

    // A link in its place is not followed.
    let elsewhere = tmp.path().join("elsewhere");
    fs::rename(&debug.path, &elsewhere).expect("moved");
    symlink(&elsewhere, &debug.path).expect("a link");
    assert!(debug.try_keep_short(0).expect("a link"));
    assert_eq!(fs::read(elsewhere).expect("it"), b"12345");
}
