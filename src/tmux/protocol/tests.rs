use super::*;

/// tmux 3.3a, whole sessions of a control client.
const SESSIONS: [&[u8]; 2] = [
    include_bytes!("../../../tests/fixtures/tmux/3.3a-session.control"),
    include_bytes!("../../../tests/fixtures/tmux/3.3a-sizes.control"),
];

fn all(bytes: &[u8]) -> Vec<Message> {
    Parser::default().feed(bytes)
}

fn one(line: &str) -> Message {
    let mut messages = all(format!("{line}\n").as_bytes());
    assert_eq!(messages.len(), 1, "{line}");
    messages.remove(0)
}

/// A message with its bytes as text.
fn shown(message: &Message) -> String {
    match message {
        Message::Output { pane, bytes } => format!("Output {pane} \"{}\"", bytes.escape_ascii()),
        Message::Reply(reply) => {
            let lines = reply.lines.iter();
            let lines = lines.map(|line| format!("\n    \"{}\"", line.escape_ascii()));
            let (number, failed) = (reply.number, reply.failed);
            format!(
                "Reply {number} failed: {failed}{}",
                lines.collect::<String>()
            )
        }
        Message::Other(line) => format!("Other \"{}\"", line.escape_ascii()),
        message => format!("{message:?}"),
    }
}

#[test]
fn a_session_that_was_recorded_is_understood_whole() {
    insta::with_settings!({ snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"), prepend_module_to_snapshot => false }, {
        for (bytes, name) in SESSIONS.into_iter().zip(["tmux_session", "tmux_sizes"]) {
            let messages = all(bytes);
            let lines: Vec<String> = messages.iter().map(shown).collect();
            insta::assert_snapshot!(name, lines.join("\n"));
        }
    });
}

#[test]
fn any_cut_gives_the_same_messages() {
    for bytes in SESSIONS {
        let whole = all(bytes);
        for cut in 0..=bytes.len() {
            let mut parser = Parser::default();
            let mut messages = parser.feed(&bytes[..cut]);
            messages.extend(parser.feed(&bytes[cut..]));
            assert_eq!(messages, whole, "cut at {cut}");
        }
        let mut parser = Parser::default();
        let singly = bytes.iter().flat_map(|byte| parser.feed(&[*byte]));
        assert_eq!(singly.collect::<Vec<_>>(), whole);
    }
}

#[test]
fn output_is_what_the_program_wrote() {
    let output = |line: &[u8]| match all(&[line, b"\n"].concat()).as_slice() {
        [Message::Output { pane, bytes }] => (pane.0, bytes.clone()),
        other => panic!("{other:?}"),
    };
    let every: Vec<u8> = (0..=255).collect();
    let mut line = b"%output %7 ".to_vec();
    for byte in &every {
        match byte {
            0..b' ' | b'\\' => line.extend(format!("\\{byte:03o}").bytes()),
            byte => line.push(*byte),
        }
    }
    assert_eq!(output(&line), (7, every));
    assert_eq!(output(b"%output %0 "), (0, vec![]));
    assert_eq!(output(b"%output %0   a  "), (0, b"  a  ".to_vec()));
    assert_eq!(output(br"%output %0 a\1b\9\"), (0, br"a\1b\9\".to_vec()));
    assert_eq!(output(br"%output %0 \400\777"), (0, br"\400\777".to_vec()));
    assert_eq!(output(b"%output %1 \xff\xc3"), (1, vec![0xff, 0xc3]));
    assert_eq!(
        output(br"%extended-output %3 17 more : \033[m : x"),
        (3, b"\x1b[m : x".to_vec())
    );
}

#[test]
fn a_block_ends_at_its_own_end_alone() {
    let text = b"%begin 12 7 1\n%end 12 8 1\n%end 12 7 1 \n%end\n%output %0 a\n%begin 12 7 1\n\xff\n\n%error 12 7 1\n%exit\n";
    let reply = Reply {
        time: 12,
        number: 7,
        flags: 1,
        failed: true,
        lines: [
            &b"%end 12 8 1"[..],
            b"%end 12 7 1 ",
            b"%end",
            b"%output %0 a",
            b"%begin 12 7 1",
            b"\xff",
            b"",
        ]
        .map(Vec::from)
        .to_vec(),
    };
    let exit = Message::Exit { reason: None };
    assert_eq!(all(text), [Message::Reply(reply), exit]);
}

#[test]
fn what_is_unknown_or_odd_is_kept_as_it_is() {
    for line in [
        "",
        " ",
        "%",
        "no notification",
        "%novelty %0 a",
        "%output",
        "%output 0 a",
        "%output %x a",
        "%extended-output %0 1 a",
        "%begin 1 2",
        "%end 1 2 1",
        "%error 1 2 1",
        "%session-changed",
        "%session-changed 1 name",
        "%window-renamed @1 name",
    ] {
        assert_eq!(one(line), Message::Other(line.into()), "{line}");
    }
}

#[test]
fn what_makes_a_listing_old_is_told_by_its_word() {
    for line in [
        "%window-add @1",
        "%unlinked-window-add @1",
        "%window-close @1",
        "%unlinked-window-close @1",
        "%layout-change @0 b25d,80x24,0,0,0 b25d,80x24,0,0,0 *",
        "%layout-change @0 in a form of tomorrow",
        "%layout-change",
        "%session-renamed $1 an odd  name",
        "%subscription-changed cmd $0 @2 1 %3 new : a : b",
    ] {
        assert_eq!(one(line), Message::Rearranged, "{line}");
    }
}

#[test]
fn names_and_reasons_may_have_blanks() {
    assert_eq!(
        one("%session-changed $1 an odd  name"),
        Message::SessionChanged(SessionId(1))
    );
    assert_eq!(
        one("%exit too far behind"),
        Message::Exit {
            reason: Some("too far behind".into())
        }
    );
    assert_eq!(one("%exit"), Message::Exit { reason: None });
}
