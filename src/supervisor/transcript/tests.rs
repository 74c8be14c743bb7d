use super::*;

/// A transcript in the making: each line a second after the one before, its child.
#[derive(Default)]
struct File {
    lines: Vec<String>,
    last: Option<String>,
    second: u32,
}

impl File {
    fn push(&mut self, uuid: &str, rest: &str) -> &mut Self {
        let parent = self
            .last
            .as_ref()
            .map_or("null".to_owned(), |last| format!("{last:?}"));
        self.second += 1;
        self.lines.push(format!(
            r#"{{"parentUuid":{parent},"isSidechain":false,{rest},"uuid":"{uuid}","timestamp":"2026-11-24T03:13:{:02}.354Z","sessionId":"s1"}}"#,
            self.second
        ));
        self.last = Some(uuid.to_owned());
        self
    }
    fn user(&mut self, uuid: &str, text: &str) -> &mut Self {
        self.push(
            uuid,
            &format!(r#""type":"user","message":{{"role":"user","content":{text:?}}}"#),
        )
    }
    fn meta(&mut self, uuid: &str, text: &str) -> &mut Self {
        self.push(
            uuid,
            &format!(
                r#""type":"user","isMeta":true,"message":{{"role":"user","content":{text:?}}}"#
            ),
        )
    }
    fn answer(&mut self, uuid: &str) -> &mut Self {
        self.push(uuid, r#""type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"Hello."}]}"#)
    }
    fn error(&mut self, uuid: &str) -> &mut Self {
        self.push(uuid, r#""type":"assistant","message":{"model":"<synthetic>","content":[{"type":"text","text":"API Error: 529\nOverloaded"}]},"error":"server_error","isApiErrorMessage":true,"apiErrorStatus":529"#)
    }
    fn system(&mut self, uuid: &str) -> &mut Self {
        self.push(uuid, r#""type":"system","subtype":"turn_duration""#)
    }
    fn read(&self) -> LastTurn {
        last_turn(self.lines.join("\n").as_bytes(), true).expect("a turn")
    }
}

#[test]
fn an_error_is_read_in_full() {
    let turn = File::default()
        .user("u1", "hello")
        .error("e1")
        .system("x1")
        .read();
    assert_eq!(
        turn,
        LastTurn {
            uuid: "e1".into(),
            unix_ms: 1_795_489_982_354,
            session_id: "s1".into(),
            ending: Ending::ApiError {
                text: "API Error: 529 Overloaded".into(),
                error: Some("server_error".into()),
                status: Some(529),
            },
            consecutive_errors: 1,
            unattended_errors: 1,
        }
    );
}

#[test]
fn the_answer_that_the_cli_makes_up_between_two_runs_starts_no_count_anew() {
    const FILLER: &str = r#""type":"assistant","message":{"model":"<synthetic>","content":[{"type":"text","text":"No response requested."}]},"isApiErrorMessage":false"#;
    let mut file = File::default();
    file.user("u1", "hello").error("e1");
    for n in 2..=3 {
        file.meta(&format!("m{n}"), "Continue from where you left off.")
            .push(&format!("f{n}"), FILLER)
            .user(&format!("u{n}"), "continue")
            .error(&format!("e{n}"));
    }
    assert_eq!(file.read().consecutive_errors, 3);
    // As long as nothing follows it is the newest line: the error before it is history.
    file.meta("m4", "Continue from where you left off.")
        .push("f4", FILLER);
    let turn = file.read();
    assert_eq!((turn.uuid.as_str(), turn.ending), ("f4", Ending::Assistant));
    // The same words of the model's own are an answer.
    let own = FILLER
        .replace("<synthetic>", "claude-x")
        .replace(",\"isApiErrorMessage\":false", "");
    file.push("a1", &own).user("u5", "go").error("e5");
    assert_eq!(file.read().consecutive_errors, 1);
}

#[test]
fn a_line_with_the_costs_is_seen() {
    let line = r#"{"type":"cost-state","sessionId":"s1","totalCostUSD":0.1}"#;
    assert!(has_costs(format!("{{}}\n{line}\n").as_bytes()));
    assert!(!has_costs(
        b"{\"type\":\"user\",\"text\":\"{\\\"type\\\":\\\"cost-state\\\"\"}"
    ));
    assert!(!has_costs(b""));
}

#[test]
fn turns_that_a_hook_began_are_unattended() {
    // As 2.1.145 and 2.1.330 write them; the field's shape is not promised.
    for origin in [
        r#"{"kind":"task-notification"}"#,
        r#"{"kind":"task-notification","producer":"session-task"}"#,
    ] {
        let mut file = File::default();
        let woken = format!(
            r#""type":"user","origin":{origin},"message":{{"role":"user","content":"<task-notification>"}}"#
        );
        file.user("u0", "a").error("e0");
        file.push("w1", &woken).error("e1");
        file.push("w2", &woken).error("e2");
        assert_eq!(
            (
                file.read().consecutive_errors,
                file.read().unattended_errors
            ),
            (3, 3)
        );
        let human = r#""type":"user","origin":{"kind":"human"},"message":{"role":"user","content":"continue"}"#;
        file.push("u3", human).error("e3");
        file.push("w4", &woken).error("e4");
        assert_eq!(
            (
                file.read().consecutive_errors,
                file.read().unattended_errors
            ),
            (5, 2)
        );
        let odd =
            r#""type":"user","origin":"human","message":{"role":"user","content":"continue"}"#;
        file.push("u5", odd).error("e5");
        assert_eq!(
            (
                file.read().consecutive_errors,
                file.read().unattended_errors
            ),
            (6, 1)
        );
        file.push("w6", &woken);
        assert_eq!(file.read().ending, Ending::User);
    }
}

#[test]
fn consecutive_errors_end_at_an_answer() {
    let mut file = File::default();
    file.user("u0", "a")
        .error("e0")
        .user("u1", "continue")
        .answer("a1")
        .user("u2", "b")
        .error("e1");
    assert_eq!(file.read().consecutive_errors, 1);
    file.system("x")
        .user("u3", "continue")
        .error("e2")
        .user("u4", "continue")
        .error("e3");
    assert_eq!(file.read().consecutive_errors, 3);
    file.user("u5", "continue");
    assert_eq!(
        (file.read().ending, file.read().consecutive_errors),
        (Ending::User, 0)
    );
    file.answer("a2");
    assert_eq!(
        (file.read().ending, file.read().consecutive_errors),
        (Ending::Assistant, 0)
    );
}

/// Seen on 2.1.250: the user's line behind the error that answers it.
#[test]
fn the_parent_is_older_wherever_it_stands() {
    let mut file = File::default();
    file.user("u1", "hello").system("x1").error("e1");
    file.lines.rotate_left(1);
    assert_eq!(file.read().uuid, "e1");
    // Even with a later time.
    file.lines[2] = file.lines[2].replace("03:13:01", "03:13:59");
    assert_eq!(file.read().uuid, "e1");
}

#[test]
fn a_branch_that_was_left_does_not_count() {
    let mut file = File::default();
    file.user("u1", "hello").error("e1");
    file.last = Some("u1".into());
    file.user("u2", "other");
    assert_eq!(
        (file.read().uuid.as_str(), file.read().ending),
        ("u2", Ending::User)
    );
}

#[test]
fn half_lines_bad_utf8_and_strangers_are_passed_over() {
    let mut file = File::default();
    file.user("u1", "hello").error("e1");
    let mut bytes =
        b"half a line with \"uuid\":1}\n[1,2]\n\n{\"type\":\"mode\"}\n{\"uuid\":7}\n".to_vec();
    bytes.extend(b"{\"type\":\"attachment\",\"uuid\":\"\xff\xfe\"}\n");
    bytes.extend(file.lines.join("\n").as_bytes());
    bytes.extend(b"\n{\"type\":\"user\",\"uuid\":\"u9\",\"parentUuid\":\"e1\",\"timest");
    for whole in [true, false] {
        assert_eq!(last_turn(&bytes, whole).expect("a turn").uuid, "e1");
    }
    // Text that is not UTF-8 in a line of the chain does not hide the line.
    let line = file.lines[1].replace("529\\n", "\u{1}");
    let at = line.find('\u{1}').expect("the mark");
    let mut bytes = line.into_bytes();
    bytes[at] = 0xff;
    assert_eq!(
        last_turn(&bytes, true).map(|turn| turn.uuid),
        Some("e1".into())
    );
}

/// Every cut of the front gives the last turn or nothing, and never panics.
#[test]
fn any_tail_will_do() {
    let mut file = File::default();
    file.user("u1", "hello")
        .answer("a1")
        .user("u2", "more")
        .error("e1")
        .system("x");
    let bytes = file.lines.join("\n").into_bytes();
    let error_at = bytes.len() - file.lines[3].len() - file.lines[4].len() - 1;
    for from in 0..bytes.len() {
        let turn = last_turn(&bytes[from..], false);
        assert_eq!(
            turn.as_ref().map(|turn| turn.uuid.as_str()),
            (from < error_at).then_some("e1")
        );
    }
    // A cut of the end: never a line that is not whole.
    for to in 0..bytes.len() {
        let turn = last_turn(&bytes[..to], true);
        let whole = bytes[..to]
            .split(|&b| b == b'\n')
            .filter(|line| line.ends_with(b"}"))
            .count();
        if whole == 0 {
            assert_eq!(turn, None);
        }
    }
}

#[test]
fn sidechains_are_not_the_conversation() {
    let mut file = File::default();
    file.user("u1", "hello").answer("a1").error("e1");
    file.lines[2] = file.lines[2].replace("\"isSidechain\":false", "\"isSidechain\":true");
    assert_eq!(file.read().ending, Ending::Assistant);
}

#[test]
fn a_local_command_does_not_hide_the_error() {
    let mut file = File::default();
    file.user("u1", "hello").error("e1").system("x1");
    file.meta(
        "m1",
        "<local-command-caveat>Caveat: …</local-command-caveat>",
    );
    file.user(
        "u2",
        "<command-name>/model</command-name>\n            <command-message>model</command-message>",
    );
    file.user(
        "u3",
        "<local-command-stdout>Kept model as Sonnet</local-command-stdout>",
    );
    assert_eq!(
        (file.read().uuid.as_str(), file.read().consecutive_errors),
        ("e1", 1)
    );
    file.user("u4", "go on");
    assert_eq!(file.read().ending, Ending::User);
    file.error("e2");
    assert_eq!(file.read().consecutive_errors, 2);
}

#[test]
fn a_compact_does_whether_it_fails_or_not() {
    for before in [File::answer, File::error] {
        let mut file = File::default();
        before(file.user("u1", "hello"), "b1");
        file.meta(
            "m1",
            "<local-command-caveat>Caveat: …</local-command-caveat>",
        );
        file.user(
            "u2",
            "<command-name>/compact</command-name>\n<command-message>compact</command-message>",
        );
        file.push("x1", r#""type":"system","subtype":"local_command","content":"<local-command-stderr>Error during compaction: API Error: 529</local-command-stderr>""#);
        assert_eq!(
            (file.read().uuid.as_str(), file.read().ending),
            ("u2", Ending::User)
        );
    }
}

/// A hook's word, a skill's text: meta lines of this kind begin a turn.
#[test]
fn other_meta_lines_and_commands_go_on() {
    let mut file = File::default();
    file.user("u1", "hello")
        .error("e1")
        .meta("m1", "Stop hook feedback: go on");
    assert_eq!(file.read().ending, Ending::User);
    let mut file = File::default();
    file.user("u1", "hello").error("e1");
    file.user(
        "u2",
        "<command-message>review</command-message>\n<command-name>/review</command-name>",
    );
    assert_eq!(file.read().ending, Ending::User);
    let mut file = File::default();
    file.user("u1", "hello")
        .error("e1")
        .user("u2", "[Request interrupted by user]");
    assert_eq!(file.read().ending, Ending::User);
    let mut file = File::default();
    file.user("u1", "hello")
        .error("e1")
        .user("u2", "what is <command-name>/model</command-name>?");
    assert_eq!(file.read().ending, Ending::User);
}

#[test]
fn a_circle_of_parents_ends() {
    let mut file = File::default();
    file.user("u1", "hello").error("e1");
    file.lines[0] = file.lines[0].replace("\"parentUuid\":null", "\"parentUuid\":\"e1\"");
    let turn = last_turn(file.lines.join("\n").as_bytes(), true);
    assert!(turn.is_none_or(|turn| turn.consecutive_errors <= 1));
}

#[test]
fn nothing_is_no_turn() {
    assert_eq!(last_turn(b"", true), None);
    assert_eq!(
        last_turn(b"{\"type\":\"mode\",\"sessionId\":\"s\"}\n", true),
        None
    );
}

#[test]
fn errors_are_counted_from_a_time_on_in_every_branch() {
    let mut file = File::default();
    file.user("u1", "hello").error("e1").user("u2", "on");
    file.error("e2").answer("a1").user("u3", "more").error("e3");
    // The user went back.
    file.last = Some("u1".into());
    file.error("e4");
    let sidechain = file.lines[6].replace("Sidechain\":false", "Sidechain\":true");
    file.lines.push(sidechain);
    let text = file.lines.join("\n");
    let since = |second: u32| {
        let at = unix_ms(&format!("2026-11-24T03:13:{second:02}.354Z")).expect("a time");
        errors_since(text.as_bytes(), true, at)
    };
    assert_eq!([1, 2, 3, 5, 8, 9].map(since), [4, 4, 3, 2, 1, 0]);
    assert_eq!(errors_since(&text.as_bytes()[10..], false, 0), 4);
    assert_eq!(errors_since(b"", true, 0), 0);
}
