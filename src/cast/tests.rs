use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::supervisor::transcript::last_turn;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn ours() -> Ours {
    Ours {
        version: "1.2.3".into(),
        started_ms: 1_800_000_000_123,
        seed: u64::MAX,
        settings: [("base".into(), "4s".into())].into(),
        wordings: "[[wording]]\n".into(),
    }
}

fn error(text: &[u8]) -> String {
    Cast::read(text).expect_err("bad").to_string()
}

#[test]
fn both_formats_say_the_same() {
    let v2 = r#"{"version": 2, "width": 80, "height": 24, "timestamp": 7}
[0.5, "o", "a\u001b[m"]
[1.75, "i", "\r"]
[1.75, "q", "who knows"]
[2, "r", "100x30"]
[2.25, "m", "here"]
"#;
    let v3 = r#"{"version": 3, "term": {"cols": 80, "rows": 24, "type": "xterm"}, "timestamp": 7}
# a comment
[0.5, "o", "a\u001b[m"]
[1.25, "i", "\r"]
[0, "q", "who knows"]

[0.25, "r", "100x30"]
[0.25, "m", "here"]
"#;
    let v2 = Cast::read(v2.as_bytes()).expect("v2");
    let v3 = Cast::read(v3.as_bytes()).expect("v3");
    assert_eq!((v2.format, v3.format), (Format::V2, Format::V3));
    assert_eq!((v2.size, v2.timestamp), (Size::new(24, 80), Some(7)));
    assert_eq!(v3.size, v2.size);
    assert_eq!(v2.events, v3.events);
    assert_eq!(v2.events.len(), 4);
    assert_eq!(v2.events[1].at, MS(1750));
    assert_eq!(v2.enters(), [MS(1750)]);
    assert_eq!(v2.events[2].what, What::Resize(Size::new(30, 100)));
}

#[test]
fn a_time_that_goes_back_is_taken_for_late() {
    let text = "{\"version\":2,\"width\":8,\"height\":2}\n[2,\"o\",\"a\"]\n[1,\"o\",\"b\"]\n";
    let cast = Cast::read(text.as_bytes()).expect("a cast");
    assert_eq!(cast.events[1].at, MS(2000));
}

#[test]
fn half_a_line_at_the_end_is_left_out() {
    let text = "{\"version\":2,\"width\":8,\"height\":2}\n[2,\"o\",\"a\"]\n[3,\"o\",\"b";
    let cast = Cast::read(text.as_bytes()).expect("a cast");
    assert!(cast.cut && cast.events.len() == 1);
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    assert!(error(b"").starts_with("line 1: the file is empty; record one"));
    assert!(error(b"\x1b[2J").contains("no asciicast header; give a file"));
    assert!(error(b"\x1b[2J").contains("--size COLSxROWS"));
    assert!(error(b"{\"version\": 1}").contains("asciicast v1 is not read; make it v2"));
    assert!(error(b"{}").contains("has no \"version\""));
    assert!(
        error(b"{\"version\":2,\"width\":0,\"height\":2}").contains("\"width\" and \"height\"")
    );
    assert!(error(b"{\"version\":3,\"width\":8,\"height\":2}").contains("\"term\""));
    let with = |line: &str| {
        error(
            format!("{{\"version\":2,\"width\":8,\"height\":2}}\n[0,\"o\",\"\"]\n{line}\n")
                .as_bytes(),
        )
    };
    assert!(with("[1,\"o\"]").starts_with("line 3: no event, which is [time, \"code\", \"data\"]"));
    assert!(with("[-1,\"o\",\"\"]").starts_with("line 3: -1 is no time"));
    assert!(with("[1e300,\"o\",\"\"]").contains("is no time"));
    assert!(with("[604801,\"o\",\"\"]").starts_with("line 3: later than 7 days; cut"));
    assert!(with("[1,\"r\",\"90 by 30\"]").starts_with("line 3: \"90 by 30\" is no size"));
    assert!(
        with("# a comment").starts_with("line 3: no event"),
        "v2 has none"
    );
    let mut bytes = b"{\"version\":2,\"width\":8,\"height\":2}\n[0,\"o\",\"".to_vec();
    bytes.extend(b"\xff\"]\n");
    assert!(error(&bytes).starts_with("line 2: not UTF-8"));
}

#[test]
fn sizes_are_columns_first_and_within_reason() {
    assert_eq!(parse_size("100x30"), Some(Size::new(30, 100)));
    for bad in ["", "100", "x", "0x30", "30x2001", "-1x5", "100x30x2"] {
        assert_eq!(parse_size(bad), None, "{bad}");
    }
}

#[test]
fn a_raw_capture_loses_nothing() {
    let bytes: Vec<u8> = (0..20_000u32)
        .map(|n| n.to_le_bytes()[usize::from(n % 7 == 0)])
        .collect();
    let cast = Cast::raw(&bytes, Size::new(24, 80));
    let pieces = cast.events.iter().map(|event| match &event.what {
        What::Output(bytes) => bytes.clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!(pieces.collect::<Vec<_>>().concat(), bytes);
    assert!(cast.events.windows(2).all(|two| two[0].at < two[1].at));
}

/// Everything that was written, read again.
fn read_back(text: &str) -> Cast {
    let header = Writer::header(Size::new(24, 80), &ours(), "xterm");
    assert!(header.starts_with("{\"version\":2,\"width\":80,\"height\":24,"));
    Cast::read(format!("{header}{text}").as_bytes()).expect("what we wrote")
}

#[test]
fn what_is_written_is_read() {
    let mut writer = Writer::default();
    let notes = [
        Note::Session { id: "s".into() },
        Note::Status { busy: Some(true) },
        Note::Status { busy: None },
        Note::Hook {
            id: 3,
            session_id: "s".into(),
            happened: Happened::StopFailure {
                text: "API Error: x".into(),
            },
        },
        Note::Hook {
            id: 4,
            session_id: "s".into(),
            happened: Happened::Stop,
        },
        Note::HookGone { id: 3 },
        Note::Asked {
            whole_ms: 5,
            left_ms: 4,
        },
        Note::Clock { unix_ms: 7 },
        Note::Stopped,
        Note::Resumed,
    ];
    let mut text = writer.output(MS(1), b"out\r\n\x1b[m") + &writer.input(MS(2), b"\x1b[A");
    text += &writer.typed(MS(3), b"ours\r");
    text += &writer.resize(MS(4), Size::new(30, 100));
    for note in &notes {
        text += &writer.note(MS(5), note);
    }
    text += &writer.exit(MS(6), ExitKind::Killed(9));
    let cast = read_back(&text);
    assert_eq!(cast.ours, Some(ours()));
    let mut want = vec![
        (1, What::Output(b"out\r\n\x1b[m".to_vec())),
        (2, What::Input(b"\x1b[A".to_vec())),
        (3, What::Typed(b"ours\r".to_vec())),
        (4, What::Resize(Size::new(30, 100))),
    ];
    want.extend(notes.into_iter().map(|note| (5, What::Note(note))));
    want.push((6, What::Exit(ExitKind::Killed(9))));
    let got: Vec<_> = cast
        .events
        .into_iter()
        .map(|event| (event.at, event.what))
        .collect();
    assert_eq!(
        got,
        want.into_iter()
            .map(|(at, what)| (MS(at), what))
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_character_in_two_writes_comes_whole_and_only_what_is_none_is_lost() {
    let text = "a漢é👩\u{200d}👧b".as_bytes();
    for cut in 0..=text.len() {
        let mut writer = Writer::default();
        let lines = writer.output(MS(1), &text[..cut])
            + &writer.input(MS(1), b"x")
            + &writer.output(MS(2), &text[cut..]);
        let out: Vec<u8> = read_back(&lines)
            .events
            .into_iter()
            .filter_map(|event| match event.what {
                What::Output(bytes) => Some(bytes),
                _ => None,
            })
            .flatten()
            .collect();
        assert_eq!(out, text, "cut at {cut}");
    }
    let mut writer = Writer::default();
    let lines = writer.output(MS(1), b"a\xffb\xe2\x94") + &writer.exit(MS(2), ExitKind::Code(0));
    let cast = read_back(&lines);
    assert_eq!(cast.events[0].what, What::Output("a\u{fffd}b".into()));
    assert_eq!(cast.events[1].what, What::Output("\u{fffd}".into()));
}

#[test]
fn typed_text_becomes_x_and_keys_stay() {
    let feed = |inputs: &[&[u8]]| {
        let mut mask = Mask::default();
        let mut out = Vec::new();
        for input in inputs {
            out.extend(mask.feed(input));
        }
        out.extend(mask.flush());
        String::from_utf8(out).expect("text")
    };
    assert_eq!(feed(&[b"hello\r"]), "xxxxx\r");
    assert_eq!(feed(&["süß 漢".as_bytes()]), "xxxxx");
    for kept in [
        "\x03\x1a\x15\x7f\t\x1b[A\x1b[Z\x1bOA\x1bOP\x1b[24~\x1b[1;5C\x1b[3;5~\x1b[[A\x1b\r",
        "\x1b[13;2u\x1b[99;5u\x1b[97;5u\x1b[27;5;13~\x1b[57376;2u",
        "\x1b[<0;120;40M\x1b[<0;120;40m\x1b[I\x1b[?2026;2$y\x1b[?62;4c\x1b[?997;1n\x1b[120;7R",
        "\x1bP>|term 1.2\x1b\\",
    ] {
        assert_eq!(feed(&[kept.as_bytes()]), kept);
    }
    for (typed, masked) in [
        ("\x1bh\x1bé", "\x1bx\x1bx"),
        ("\x1b]1my secret\r", "\x1b]xxxxxxxxxx\r"),
        ("\x1b[1234\r", "\x1b[xxxx\r"),
        ("\x1b[Mabc", "\x1b[Mxxx"),
        ("\x1bOp\x1bOj\x1bO5A", "\x1bOx\x1bOx\x1b[1;5A"),
        ("\x1b[27;7;64~", "\x1b[27;7;120~"),
        ("\x1b[97;3u\x1b[97;3;98u", "\x1b[120;3u\x1b[120;3u"),
        // On a Cyrillic layout.
        ("\x1b[1089::99;5u", "\x1b[99;5u"),
        ("\x1b[13u\x1b[27u\x1b[127u", "\r\x1b[27;1u\x7f"),
    ] {
        assert_eq!(feed(&[typed.as_bytes()]), masked, "{typed:?}");
    }
    assert_eq!(feed(&[b"\x1b"]), "\x1b");
    assert_eq!(
        feed(&[b"\x1b[200~pass\nword\x1b[201~ok\r"]),
        "\x1b[200~xxxxxxxxx\x1b[201~xx\r"
    );
    // The kitty protocol names the key at its press and at its release.
    assert_eq!(
        feed(&[b"\x1b[112;;112u\x1b[112;1:3u\x1b[99;5u"]),
        "x\x1b[99;5u"
    );
    // The terminal's answers stay, but for those that may hold a clipboard or a title.
    assert_eq!(
        feed(&[b"\x1b[?62;4c\x1b[3;4R\x1b]52;c;c2VjcmV0\x07\x1b[I"]),
        "\x1b[?62;4c\x1b[3;4R\x1b[I"
    );
    // Cut anywhere, a paste keeps its brackets and nothing else.
    let paste = b"\x1b[200~secret \x1b[201 text\x1b[201~\r";
    for cut in 0..=paste.len() {
        let out = feed(&[&paste[..cut], &paste[cut..]]);
        assert!(
            out.starts_with("\x1b[200~xxxxxxx") && out.ends_with("x\x1b[201~\r"),
            "{cut}: {out:?}"
        );
        assert!(!out.contains("secret") && !out.contains("text"), "{out:?}");
    }
}

#[test]
fn whatever_esc_begins_no_typed_word_survives() {
    use rand::{Rng, RngExt, SeedableRng};
    let mut random = rand::rngs::SmallRng::seed_from_u64(5);
    let marks = || (0..=255u8).map(|byte| vec![0x1b, byte]);
    let longer =
        marks().flat_map(|start| (0..=255u8).map(move |byte| [&start[..], &[byte]].concat()));
    let is_typed = |byte: &u8| byte.is_ascii_alphanumeric() && *byte != b'x';
    for prefix in marks().chain(longer) {
        let mut word = || -> Vec<u8> {
            let len = random.random_range(3..12);
            let bytes = std::iter::repeat_with(|| (random.next_u32() & 0x7f) as u8);
            bytes.filter(is_typed).take(len).collect()
        };
        let typed = [&prefix[..], &word(), b" ", &word(), b"\r"].concat();
        let mut mask = Mask::default();
        let (mut out, mut rest) = (Vec::new(), &typed[..]);
        while !rest.is_empty() {
            let piece;
            (piece, rest) = rest.split_at(random.random_range(1..=rest.len()));
            out.extend(mask.feed(piece));
            if random.random_range(0..8) == 0 {
                out.extend(mask.flush());
            }
        }
        out.extend(mask.flush());
        let run = out.split(|byte| !is_typed(byte)).map(<[u8]>::len).max();
        assert!(
            run < Some(3),
            "{:?} -> {:?}",
            typed.escape_ascii().to_string(),
            out.escape_ascii().to_string()
        );
    }
}

#[test]
fn a_reduced_transcript_tells_the_same_at_every_line() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut count = 0;
    for kind in ["recordings", "more"] {
        for folder in std::fs::read_dir(root.join(kind))
            .expect("the fixtures")
            .flatten()
        {
            let files = std::fs::read_dir(folder.path())
                .into_iter()
                .flatten()
                .flatten();
            for file in
                files.filter(|file| file.path().extension().is_some_and(|ext| ext == "jsonl"))
            {
                let full = std::fs::read(file.path()).expect("a transcript");
                let ends = (0..full.len()).filter(|&at| full[at] == b'\n');
                for end in ends {
                    let part = &full[..=end];
                    let reduced = reduce(part);
                    assert_eq!(
                        last_turn(reduced.as_bytes(), true),
                        last_turn(part, true),
                        "{}",
                        file.path().display()
                    );
                }
                count += 1;
            }
        }
    }
    assert!(count > 150, "only {count} transcripts");
}

#[test]
fn nothing_of_the_conversation_is_left_in_a_reduced_transcript() {
    let line = |value: Value| value.to_string() + "\n";
    let user = |content: Value| {
        line(json!({
            "type": "user", "uuid": "u", "parentUuid": null, "timestamp": "2026-01-01T00:00:00.000Z", "sessionId": "s",
            "cwd": "/home/dev/secret", "gitBranch": "secret", "isMeta": {"secret": 1}, "error": ["secret"],
            "message": {"role": "user", "content": content}, "toolUseResult": "secret",
        }))
    };
    let text = user(json!("my secret"))
        + &user(
            json!([{"type": "text", "text": "secret"}, {"type": "tool_result", "content": "secret"}]),
        )
        + &user(json!(
            "<command-name>/model secret</command-name><command-args>secret</command-args>"
        ))
        + &user(json!("<local-command-stdout>secret</local-command-stdout>"))
        + &line(
            json!({"type": "assistant", "uuid": "a", "message": {"role": "assistant", "content": [{"type": "thinking", "thinking": "secret"}, {"type": "text", "text": "secret"}]}}),
        )
        + &line(
            json!({"type": "system", "uuid": "b", "subtype": "local_command", "content": "secret"}),
        )
        + &user(json!("<command-name>my(secret)</command-name>"))
        + &line(
            json!({"type": "user", "uuid": "f", "error": "secret", "apiErrorType": "secret", "message": {"role": "secret"}}),
        )
        + &line(json!({"type": "last-prompt", "lastPrompt": "secret"}))
        + &line(
            json!({"type": "assistant", "uuid": "e", "isApiErrorMessage": true, "error": "rate_limit", "message": {"role": "assistant", "content": [{"type": "text", "text": "API Error: x"}]}}),
        );
    let reduced = reduce(text.as_bytes());
    assert!(!reduced.contains("secret"), "{reduced}");
    assert!(
        reduced.contains("<command-name>/model</command-name>") && reduced.contains("API Error: x")
    );
    assert_eq!(reduced.lines().count(), 9);
}
