//! Stdin: passed on, kept, replayed where a run starts over, and as lines of JSON.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::world::{Live, THROTTLE, World};

const READ: &str = "cat > \"$WORLD/stdin.$n\"; ";

#[test]
fn a_run_that_had_done_something_is_resumed_and_gets_no_input() {
    let first = format!("{READ} echo ran >> \"$WORLD/tool\"; fail_json 2 7");
    let world = World::new(&[&first, &format!("{READ} asked; result false done")]);
    let ran = world.run_with(&["-p", "--output-format", "json"], b"the prompt");
    assert_eq!(ran.code, 0);
    assert_eq!(world.file("stdin.1"), b"the prompt");
    assert_eq!(world.file("stdin.2"), b"");
    assert_eq!(world.file("tool"), b"ran\n");
    assert!(world.args(2).ends_with(&[
        "--resume".into(),
        world.args(1)[1].clone(),
        "continue".into()
    ]));
}

#[test]
fn without_a_transcript_it_starts_over_with_the_same_input() {
    let prompt = [b"a prompt\xff\n".repeat(100_000), b"end".to_vec()].concat();
    for (format, plan, answer) in [
        ("text", "echo \"$throttle\"; exit 1", "echo done"),
        (
            "json",
            "result true \"$throttle\"; exit 1",
            "result false done",
        ),
        (
            "stream-json",
            "init; result true \"$throttle\"; exit 1",
            "init; result false done",
        ),
    ] {
        let world = World::new(&[&format!("{READ}{plan}"), &format!("{READ}{answer}")]);
        let ran = world.run_with(&["-p", "--output-format", format, "--verbose"], &prompt);
        assert_eq!((ran.code, world.runs()), (0, 2), "{format}: {}", ran.err);
        assert_eq!(world.args(1), world.args(2));
        assert!(world.file("stdin.1") == prompt && world.file("stdin.2") == prompt);
    }
}

#[test]
fn without_a_transcript_what_may_have_done_something_is_never_run_again() {
    for (args, plan) in [
        (
            &["-p", "--output-format", "json", "hi"][..],
            "result true \"$throttle\" 2 7; exit 1",
        ),
        (
            &["-p", "--output-format", "json", "hi"],
            "result true \"$throttle\" 1 7; exit 1",
        ),
        (
            &["-p", "--no-session-persistence", "hi"],
            "echo \"$throttle\"; exit 1",
        ),
        (
            &["-p", "hi"],
            "mkdir -p \"$HOME/.claude\"; echo '{\"cleanupPeriodDays\":0}' > \"$HOME/.claude/settings.json\"; echo \"$throttle\"; exit 1",
        ),
        (&["-p", "-c", "hi"], "echo \"$throttle\"; exit 1"),
        (
            &["-p", "-r", "00000000-0000-4000-8000-000000000000", "hi"],
            "echo \"$throttle\"; exit 1",
        ),
    ] {
        let world = World::new(&[plan, "echo never"]);
        let ran = world.run(args);
        assert_eq!((ran.code, world.runs()), (1, 1), "{args:?}");
        assert!(
            ran.err.starts_with("claude-retry: not retried: "),
            "{}",
            ran.err
        );
        assert_eq!(ran.err.lines().count(), 1);
    }
}

#[test]
fn over_10_mb_it_is_passed_on_and_cannot_start_over() {
    let input = vec![b'x'; 10 * 1024 * 1024 + 1];
    let world = World::new(&[&format!("{READ}echo \"$throttle\"; exit 1"), "echo never"]);
    let ran = world.run_with(&["-p"], &input);
    assert_eq!((ran.code, world.runs()), (1, 1));
    assert_eq!(world.file("stdin.1").len(), input.len());
    assert!(
        ran.err.contains("more than 10 MB came on stdin"),
        "{}",
        ran.err
    );
    assert_eq!(ran.text(), format!("{THROTTLE}\n"));
    // Where it is resumed it is not needed.
    let world = World::new(&[&format!("{READ}fail_text"), "echo done"]);
    let ran = world.run_with(&["-p"], &input);
    assert_eq!((ran.code, ran.text()), (0, "done\n"));
}

#[test]
fn a_session_that_only_the_cli_knows_is_found_by_its_error() {
    let world = World::new(&[
        "id=aaaaaaaa-0000-4000-8000-000000000000; transcript=$HOME/.claude/projects/$(pwd | sed 's/[^a-zA-Z0-9]/-/g')/$id.jsonl; mkdir -p \"${transcript%/*}\"; fail_text",
        "echo done",
    ]);
    let ran = world.run(&["-cp", "hi"]);
    assert_eq!((ran.code, ran.text()), (0, "done\n"), "{}", ran.err);
    assert_eq!(world.args(1), ["-cp", "hi"]);
    assert_eq!(
        world.args(2),
        [
            "-p",
            "--resume",
            "aaaaaaaa-0000-4000-8000-000000000000",
            "continue"
        ]
    );
}

#[test]
fn an_option_that_is_not_known_is_looked_up_in_the_help() {
    let help = "echo '  --future <when>   Some day'";
    let world = World::new(&["fail_text", help, "echo done"]);
    let ran = world.run(&["-p", "--future", "now", "hi"]);
    assert_eq!((ran.code, ran.text()), (0, "done\n"), "{}", ran.err);
    assert_eq!(world.args(2), ["--help"]);
    assert_eq!(world.args(3)[..3], ["-p", "--future", "now"]);
    let world = World::new(&["fail_text", "echo nothing", "echo never"]);
    let ran = world.run(&["-p", "--future", "now", "hi"]);
    assert_eq!((ran.code, world.runs()), (1, 2));
    assert!(ran.err.contains("write --future=value"), "{}", ran.err);
}

const STREAM: &[&str] = &[
    "-p",
    "--input-format",
    "stream-json",
    "--output-format",
    "stream-json",
    "--verbose",
];
/// A turn for each line that comes: the first ones fail.
const LIVES: &str = r#"while read -r line; do
    printf '%s\n' "$line" >> "$WORLD/stdin.$n"
    turn=$((${turn:-0} + 1)); n=$turn
    init; asked
    if [ $turn -le $FAILS ]; then failed; code=1; result true "$throttle"; else code=0; result false "done $turn"; fi
    n=1
done; exit $code"#;

#[test]
fn a_process_that_lives_on_gets_the_message_as_a_line() {
    let mut world = World::new(&[LIVES]);
    world.set("FAILS", "2");
    let mut command = world.command(STREAM);
    let mut live = Live::new(command.stdin(Stdio::piped()));
    let mut stdin = live.child.stdin.take().expect("a pipe");
    writeln!(stdin, "{{\"type\":\"user\",\"n\":1}}").expect("it reads");
    live.hears("retry 2/6");
    // Ends only when the answer is there: the end of the input waits for it.
    drop(stdin);
    let ran = live.end();
    assert_eq!(ran.code, 0, "{}", ran.err);
    let kinds: Vec<_> = ran
        .lines()
        .iter()
        .map(|line| line["subtype"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(kinds, ["init", "claude_retry", "claude_retry", "success"]);
    assert_eq!(world.runs(), 1);
    let stdin = String::from_utf8(world.file("stdin.1")).expect("text");
    let lines: Vec<Value> = stdin
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["message"]["content"][0]["text"], "continue");
    // The costs of one process are counted by itself.
    assert_eq!(ran.lines()[3]["total_cost_usd"], 0.5);
    assert_eq!(ran.lines()[3]["num_turns"], 3);
}

#[test]
fn who_writes_while_it_waits_goes_on_himself() {
    let mut world = World::patient(&[LIVES]);
    world.set("FAILS", "1");
    let mut command = world.command(STREAM);
    let mut live = Live::new(command.stdin(Stdio::piped()));
    let mut stdin = live.child.stdin.take().expect("a pipe");
    writeln!(stdin, "{{\"type\":\"user\",\"n\":1}}").expect("it reads");
    live.hears("retry 1/6");
    writeln!(stdin, "{{\"type\":\"user\",\"n\":2}}").expect("it reads");
    drop(stdin);
    let ran = live.end();
    assert_eq!(ran.code, 0);
    let lines = ran.lines();
    let kinds: Vec<_> = lines
        .iter()
        .map(|line| (line["subtype"].as_str(), line["is_error"].as_bool()))
        .collect();
    assert_eq!(
        kinds,
        [
            (Some("init"), None),
            (Some("claude_retry"), None),
            (Some("success"), Some(true)),
            (Some("init"), None),
            (Some("success"), Some(false)),
        ]
    );
    assert!(world.events().contains(&"stood-down".to_owned()));
}

#[test]
fn a_process_whose_input_has_ended_is_started_again_and_set_up_again() {
    let setup =
        r#"{"type":"control_request","request_id":"r1","request":{"subtype":"initialize"}}"#;
    let answer = r#"read -r setup; printf '%s\n' "$setup" > "$WORLD/setup.$n"; echo '{"type":"control_response","response":{"request_id":"r1"}}'"#;
    let first = format!("{answer}; {READ} fail_stream");
    let second = format!("{answer}; {READ} asked; init; result false done");
    let world = World::new(&[&first, &second]);
    let input = format!("{setup}\n{{\"type\":\"user\",\"n\":1}}\n");
    let ran = world.run_with(STREAM, input.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let setup = format!("{setup}\n").into_bytes();
    assert_eq!(
        (world.file("setup.1"), world.file("setup.2")),
        (setup.clone(), setup)
    );
    let message: Value = serde_json::from_slice(&world.file("stdin.2")).expect("one line");
    assert_eq!(message["message"]["content"][0]["text"], "continue");
    let responses = ran
        .lines()
        .iter()
        .filter(|line| line["type"] == "control_response")
        .count();
    assert_eq!(responses, 1);
    assert!(
        world
            .args(2)
            .ends_with(&["--resume".into(), world.args(1)[1].clone()])
    );
}
