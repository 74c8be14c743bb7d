//! What is printed, in each format: one answer, whatever it took.

use serde_json::Value;

use crate::world::{THROTTLE, World};

const STREAM: &[&str] = &["-p", "--output-format", "stream-json", "--verbose", "hi"];

#[test]
fn text_is_the_last_answer_alone_and_the_other_arguments_are_the_same() {
    let world = World::new(&["fail_text", "fail_text", "echo the answer"]);
    let ran = world.run(&[
        "-p",
        "--model",
        "opus",
        "hi there",
        "--allowedTools",
        "Bash",
        "Edit",
    ]);
    assert_eq!((ran.code, ran.text()), (0, "the answer\n"));
    let first = world.args(1);
    assert_eq!(first[0], "--session-id");
    let id = &first[1];
    let rest = [
        "-p",
        "--model",
        "opus",
        "hi there",
        "--allowedTools",
        "Bash",
        "Edit",
    ];
    assert_eq!(first[2..], rest);
    let resumed = [
        "-p",
        "--model",
        "opus",
        "--allowedTools",
        "Bash",
        "Edit",
        "--resume",
        id,
        "continue",
    ];
    assert_eq!(world.args(2), resumed);
    assert_eq!(world.args(3), resumed);
    assert_eq!(
        ran.err,
        "claude-retry: throttled, retry 1/6 in 0.1s\nclaude-retry: throttled, retry 2/6 in 0.1s\n"
    );
    let events = world.events();
    let once = ["verdict", "waiting", "typed", "resumed"];
    let expected = [&["start"][..], &once, &once, &["turn-ok", "exit", "end"]].concat();
    assert_eq!(events, expected);
}

#[test]
fn json_is_one_object_with_the_amounts_of_all_runs() {
    let world = World::new(&["fail_json 2 7", "fail_json", "asked; result false done 1 5"]);
    let ran = world.run(&["-p", "--output-format", "json", "hi"]);
    assert_eq!(ran.code, 0);
    let [result] = &ran.lines()[..] else {
        panic!("{}", ran.text())
    };
    assert_eq!(result["result"], "done");
    assert_eq!(result["num_turns"], 4);
    assert_eq!(result["duration_ms"], 30);
    assert_eq!(result["usage"]["output_tokens"], 12);
    assert_eq!(result["total_cost_usd"], 1.5);
}

#[test]
fn costs_that_the_session_counts_are_not_counted_twice() {
    let world = World::new(&[
        "asked; failed; costs; result true \"$throttle\" 2 7; exit 1",
        "asked; result false done 1 5 0.75",
    ]);
    let ran = world.run(&["-p", "--output-format", "json", "hi"]);
    let result = &ran.lines()[0];
    assert_eq!(result["total_cost_usd"], 0.75);
    assert_eq!(result["num_turns"], 3);
}

fn told(lines: &[Value]) -> Vec<String> {
    let part = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    lines
        .iter()
        .map(|line| {
            format!(
                "{} {} {}",
                part(line, "type"),
                part(line, "subtype"),
                line["run"]
            )
        })
        .collect()
}

#[test]
fn a_stream_goes_on_with_one_init_and_one_result_and_a_line_a_wait() {
    let world = World::new(&[
        "fail_stream 2 7",
        "fail_stream",
        "asked; init; said two; result false done 1 5",
    ]);
    let ran = world.run(STREAM);
    assert_eq!(ran.code, 0);
    let lines = ran.lines();
    assert_eq!(
        told(&lines),
        [
            "system init 1",
            "assistant  1",
            "system claude_retry null",
            "assistant  2",
            "system claude_retry null",
            "assistant  3",
            "result success null",
        ]
    );
    let wait = &lines[2];
    assert_eq!(wait["attempt"], 1);
    assert_eq!(wait["max_retries"], 6);
    assert_eq!(wait["error"], "throttle");
    assert_eq!(wait["error_status"], 429);
    assert!(wait["retry_delay_ms"].is_u64());
    assert_eq!(wait["session_id"], world.args(1)[1]);
    let result = &lines[6];
    assert_eq!(result["num_turns"], 4);
    assert_eq!(result["total_cost_usd"], 1.5);
    // Lines that are no results are the CLI's own bytes.
    assert!(
        ran.text()
            .starts_with("{\"type\":\"system\",\"subtype\":\"init\",\"run\":1}\n")
    );
}

#[test]
fn the_line_of_ours_can_be_turned_off() {
    let mut world = World::new(&["fail_stream", "asked; init; said two; result false done"]);
    world.set("CLAUDE_RETRY_STREAM_EVENTS", "off");
    let lines = world.run(STREAM).lines();
    assert_eq!(
        told(&lines),
        [
            "system init 1",
            "assistant  1",
            "assistant  2",
            "result success null"
        ]
    );
}

#[test]
fn giving_up_prints_the_last_error_once_and_keeps_the_code() {
    for (format, plan) in [
        ("text", "fail_text"),
        ("json", "fail_json"),
        ("stream-json", "fail_stream"),
    ] {
        let mut world = World::new(&[plan, plan, plan, "echo too much"]);
        world.set("CLAUDE_RETRY_MAX_RETRIES", "2");
        let ran = world.run(&["-p", "--output-format", format, "hi"]);
        assert_eq!((ran.code, world.runs()), (1, 3), "{format}");
        assert!(
            ran.err.ends_with("claude-retry: gave up after 2 tries\n"),
            "{}",
            ran.err
        );
        if format == "text" {
            assert_eq!(ran.text(), format!("{THROTTLE}\n"));
        } else {
            let results: Vec<_> = ran
                .lines()
                .into_iter()
                .filter(|line| line["type"] == "result")
                .collect();
            assert_eq!(results.len(), 1, "{format}");
            assert_eq!(results[0]["num_turns"], 3);
            assert_eq!(results[0]["is_error"], true);
        }
        assert!(world.events().contains(&"gave-up".to_owned()));
    }
}

#[test]
fn with_verbose_json_is_one_list_without_the_failed_result() {
    let list = |parts: &str| format!("asked; {{ echo \"[$(init),$(said x),$({parts})]\"; }}");
    let failed = format!("{}; failed; exit 1", list("result true \"$throttle\" 2 7"));
    let world = World::new(&[&failed, &list("result false done 1 5")]);
    let ran = world.run(&["-p", "--output-format", "json", "--verbose", "hi"]);
    let items: Vec<Value> = serde_json::from_str(ran.text()).expect("a list");
    assert_eq!(
        told(&items),
        [
            "system init 1",
            "assistant  1",
            "assistant  2",
            "result success null"
        ]
    );
    assert_eq!(items[3]["num_turns"], 3);
}
