//! What is none of our business passes as it is.

use std::fs;
use std::io::{BufRead as _, Write as _};

use crate::world::{THROTTLE, World};

const LIMIT: &str = "You've hit your session limit · resets 4:04am (UTC)";

#[test]
fn a_run_that_succeeds_prints_exactly_its_own_bytes_in_each_format() {
    let mut odd: Vec<u8> = (0..=255).collect();
    odd.extend_from_slice(b"\r\n\n no end");
    let five_mb = [b"0123456789abcde\n".repeat(320 * 1024), b"end".to_vec()].concat();
    let list = b"{\"type\":\"system\",\"subtype\":\"init\"}\n{\"b\" : 1.10,\"a\":[ ]}\n\xff\n{\"type\":\"result\",\"z\":1,\"is_error\":false}\n{\"type\":\"result\",\"is_err".to_vec();
    for format in ["text", "json", "stream-json"] {
        for bytes in [&b""[..], b"one", &odd, &five_mb, &list] {
            let world = World::new(&["cat \"$WORLD/answer\""]);
            fs::write(world.path("answer"), bytes).expect("the answer");
            let ran = world.run(&["-p", "--output-format", format, "hi"]);
            assert_eq!(ran.code, 0);
            assert!(
                ran.out == bytes,
                "{format}: {} of {} bytes",
                ran.out.len(),
                bytes.len()
            );
            assert_eq!(ran.err, "");
            assert_eq!(world.runs(), 1);
        }
    }
}

#[test]
fn what_is_not_transient_is_passed_on_at_once_with_its_code() {
    let limit = format!("asked; failed \"{LIMIT}\"; echo \"{LIMIT}\"; exit 1");
    let limit_json = format!("asked; failed \"{LIMIT}\"; result true \"{LIMIT}\"; exit 1");
    let result = |is_error: bool, text: &str, id: &str| {
        format!(
            r#"{{"type":"result","subtype":"success","is_error":{is_error},"api_error_status":429,"duration_ms":10,"num_turns":1,"result":"{text}","session_id":"{id}","total_cost_usd":0.5,"usage":{{"output_tokens":0}}}}"#
        )
    };
    // The text, and where it is a result, whether that is an error.
    let cases = [
        ("text", &*limit, 1, LIMIT, None),
        ("json", &limit_json, 1, LIMIT, Some(true)),
        ("stream-json", &limit_json, 1, LIMIT, Some(true)),
        (
            "text",
            "echo Not logged in; exit 1",
            1,
            "Not logged in",
            None,
        ),
        ("text", "echo \"$throttle\"; exit 3", 3, THROTTLE, None),
        // An answer that quotes it.
        (
            "text",
            "asked; failed; echo \"$throttle\"",
            0,
            THROTTLE,
            None,
        ),
        (
            "json",
            "result false \"$throttle\"; exit 1",
            1,
            THROTTLE,
            Some(false),
        ),
    ];
    for (format, plan, code, text, is_error) in cases {
        let world = World::new(&[plan, "echo never"]);
        let ran = world.run(&["-p", "--output-format", format, "hi"]);
        let told = (ran.code, world.runs(), ran.err.as_str());
        assert_eq!(told, (code, 1, ""), "{format}: {plan}");
        let id = &world.args(1)[1];
        let expected = is_error.map_or(text.to_owned(), |is_error| result(is_error, text, id));
        assert_eq!(ran.text(), format!("{expected}\n"), "{format}: {plan}");
    }
}

#[test]
fn an_error_that_the_transcript_does_not_confirm_is_passed_on() {
    for (plan, why) in [
        (
            "asked; echo \"$throttle\"; exit 1",
            "does not end in an error",
        ),
        (
            "asked; failed 'API Error: 500 Internal server error.'; echo \"$throttle\"; exit 1",
            "another error",
        ),
        (
            "asked; failed; sed -i s/20..-/2001-/ \"$transcript\"; echo \"$throttle\"; exit 1",
            "another time",
        ),
    ] {
        let world = World::new(&[plan, "echo never"]);
        let ran = world.run(&["-p", "hi"]);
        assert_eq!((ran.code, world.runs()), (1, 1), "{plan}");
        assert!(
            ran.err.starts_with("claude-retry: not retried: "),
            "{}",
            ran.err
        );
        assert!(ran.err.contains(why), "{}", ran.err);
        assert_eq!(ran.text(), format!("{THROTTLE}\n"));
    }
}

#[test]
fn a_class_that_retry_on_leaves_out_is_passed_on() {
    let mut world = World::new(&["fail_text", "echo never"]);
    world.set("CLAUDE_RETRY_RETRY_ON", "cut");
    assert_eq!((world.run(&["-p", "hi"]).code, world.runs()), (1, 1));
}

#[test]
fn a_verb_is_never_held_back() {
    // What it prints is there while it runs: it goes on only when that was read.
    let world = World::new(&["echo ready; read answer; echo \"got $answer\""]);
    let mut command = world.command(&["mcp", "serve"]);
    command.stdin(std::process::Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut out = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    writeln!(child.stdin.take().expect("a pipe"), "me").expect("it reads");
    line.clear();
    out.read_line(&mut line).expect("a line");
    assert_eq!(line, "got me\n");
    assert!(child.wait().expect("its end").success());
    assert_eq!(world.args(1), ["mcp", "serve"]);
}

#[test]
fn lines_of_a_stream_come_as_they_are_written() {
    let world = World::new(&["said one; read answer; said \"$answer\""]);
    let mut command = world.command(&[
        "-p",
        "--output-format",
        "stream-json",
        "--input-format",
        "stream-json",
    ]);
    command.stdin(std::process::Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut out = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert!(line.contains("one"));
    writeln!(child.stdin.take().expect("a pipe"), "two").expect("it reads");
    line.clear();
    out.read_line(&mut line).expect("a line");
    assert!(line.contains("two"));
    assert!(child.wait().expect("its end").success());
}

#[test]
fn without_a_terminal_and_without_print_it_is_the_same() {
    let world = World::new(&["fail_text", "echo the answer"]);
    let ran = world.run(&["say hi"]);
    assert_eq!((ran.code, ran.text()), (0, "the answer\n"));
    let [.., message] = &world.args(2)[..] else {
        panic!()
    };
    assert_eq!(message, "continue");
}
