use super::*;

const RECORDED: [&str; 2] = [
    include_str!("../../../tests/fixtures/hooks/2.1.145.jsonl"),
    include_str!("../../../tests/fixtures/hooks/2.1.330.jsonl"),
];

#[test]
fn a_throttled_session_as_the_real_cli_told_it() {
    for recorded in RECORDED {
        let events: Vec<HookEvent> = recorded
            .lines()
            .map(|line| read(line.as_bytes()).expect("an event"))
            .collect();
        let text = "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited";
        let happened: Vec<&Happened> = events.iter().map(|event| &event.happened).collect();
        assert_eq!(
            happened,
            [
                &Happened::SessionStart,
                &Happened::UserPromptSubmit,
                &Happened::StopFailure { text: text.into() },
                &Happened::UserPromptSubmit,
                &Happened::Stop,
            ]
        );
        for event in events {
            let file = event.transcript.file_stem().expect("a name");
            assert_eq!(file.to_str(), Some(event.session_id.as_str()));
        }
    }
}

#[test]
fn what_is_not_for_us_is_told_apart() {
    let of = |name: &str| {
        format!(r#"{{"hook_event_name":"{name}","session_id":"a","transcript_path":"/t.jsonl"}}"#)
    };
    assert_eq!(
        read(of("PreToolUse").as_bytes()),
        Err(Unreadable::Event("PreToolUse".into()))
    );
    for broken in ["", "{}", "[1]", "null", "{\"session_id\":7}"] {
        assert!(
            matches!(read(broken.as_bytes()), Err(Unreadable::Shape(_))),
            "{broken}"
        );
    }
    let agents = of("StopFailure").replace('}', r#","agent_id":"a1"}"#);
    assert_eq!(read(agents.as_bytes()), Err(Unreadable::Agent));
    // The text is not promised.
    let event = read(of("StopFailure").as_bytes()).expect("an event");
    let text = String::new();
    assert_eq!(event.happened, Happened::StopFailure { text });
}

#[test]
fn an_errors_text_is_plain_and_short() {
    let text = "é".repeat(10_000);
    let line = json!({
        "hook_event_name": "StopFailure", "session_id": "a", "transcript_path": "/t.jsonl",
        "last_assistant_message": format!("\u{1b}[31m{text}"),
    });
    let event = read(line.to_string().as_bytes()).expect("an event");
    let Happened::StopFailure { text } = event.happened else {
        panic!("{:?}", event.happened)
    };
    assert!(text.len() <= TEXT_AT_MOST && !text.contains('\u{1b}'));
}

#[test]
fn a_call_and_its_answers_are_a_line_each() {
    let call = Call {
        event: HookEvent {
            happened: Happened::StopFailure { text: "x".into() },
            session_id: "a".into(),
            transcript: "/t.jsonl".into(),
        },
        cli: Some(7),
    };
    let line = serde_json::to_string(&call).expect("JSON");
    assert_eq!(
        line,
        r#"{"event":"stop-failure","text":"x","session_id":"a","transcript":"/t.jsonl","cli":7}"#
    );
    assert_eq!(serde_json::from_str::<Call>(&line).expect("a call"), call);
    for answer in [Answer::Resume, Answer::LetGo, Answer::Foreign] {
        let line = serde_json::to_string(&answer).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Answer>(&line).expect("an answer"),
            answer
        );
    }
}

#[test]
fn only_the_resuming_hook_is_waited_for() {
    let hooks = plugin_hooks("claude-retry ctl hook run --wrapped");
    for told in ["SessionStart", "UserPromptSubmit", "Stop"] {
        assert_eq!(hooks["hooks"][told][0]["hooks"][0]["async"], true);
    }
    let resuming = &hooks["hooks"]["StopFailure"][0]["hooks"][0];
    assert_eq!(resuming["asyncRewake"], true);
    assert!(TIMEOUT_S * 1000 < u64::from(i32::MAX.unsigned_abs()));
}
