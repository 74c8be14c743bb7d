use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Lets the time pass up to `until`, a frame at a time.
fn run_until(stage: &mut Stage, mut done: impl FnMut(&Stage) -> bool) {
    let mut now = stage.now;
    for _ in 0..1000 {
        if done(stage) {
            return;
        }
        now += MS(100);
        stage.tick(now);
    }
    panic!("it never comes to that: {:?}", stage.talk());
}

/// The first throttle stands on the screen.
fn throttled() -> Stage {
    let mut stage = Stage::new();
    run_until(&mut stage, |stage| stage.act == Act::Prompt);
    stage
}

fn paste(stage: &mut Stage) {
    stage.input(b"\x1b[200~continue\x1b[201~");
    assert_eq!(stage.draft(), MESSAGE);
    stage.input(b"\r");
}

#[test]
fn two_throttles_two_resumes_an_answer_and_the_end() {
    let mut stage = throttled();
    assert_eq!(stage.talk(), [Said::User(FIRST.into()), Said::Throttled]);
    assert_eq!(stage.take_final().len(), 2);
    paste(&mut stage);
    assert_eq!(stage.draft(), "");
    assert!(stage.busy().is_some());
    run_until(&mut stage, |stage| stage.act == Act::Prompt);
    paste(&mut stage);
    run_until(&mut stage, |stage| stage.act == Act::Answering);
    let recorded = stage.take_final().last().cloned();
    assert_eq!(
        recorded,
        Some(Said::User(MESSAGE.into())),
        "not half an answer"
    );
    run_until(&mut stage, |stage| stage.act == Act::Closing);
    assert_eq!(stage.take_final(), [Said::Answer(ANSWER.len())]);
    run_until(&mut stage, |stage| stage.ending().is_some());
    assert_eq!(stage.ending(), Some(Ending::Told(2)));
}

#[test]
fn the_first_message_types_itself_key_by_key() {
    let mut stage = Stage::new();
    let mut drafts = Vec::new();
    run_until(&mut stage, |stage| {
        drafts.push(stage.draft().len());
        stage.busy().is_some()
    });
    drafts.dedup();
    assert!(drafts.len() > FIRST.len() / 2, "{drafts:?}");
    stage.input(b"ignored\r");
    assert_eq!(stage.draft(), "", "a turn runs");
}

#[test]
fn a_paste_may_come_in_any_pieces() {
    let whole = b"\x1b[200~continue\x1b[201~";
    for cut in 1..whole.len() {
        let mut stage = throttled();
        // Esc alone would be the key.
        let cut = cut.max(2);
        stage.input(&whole[..cut]);
        stage.input(&whole[cut..]);
        assert_eq!(stage.draft(), MESSAGE);
        stage.input(b"\r");
        assert_eq!(stage.resumed, 1);
    }
}

#[test]
fn the_prompt_edits() {
    let mut stage = throttled();
    stage.input("ab\u{e9}".as_bytes());
    stage.input(b"\x7f");
    assert_eq!(stage.draft(), "ab");
    stage.input(b"\x15\r");
    assert_eq!((stage.draft(), stage.busy()), ("", None), "nothing to send");
    stage.input(b"\x1b[200~a\rb\x1b[201~");
    assert_eq!(stage.draft(), "a b");
    stage.input(b"\x1b[A\x1b[200~\x1b[201~");
    assert_eq!(stage.draft(), "a b");
    stage.input(b"\r");
    assert!(stage.busy().is_some());
    assert_eq!(stage.resumed, 0, "the user's own message");
}

#[test]
fn typing_the_message_by_hand_is_no_resume() {
    let mut stage = throttled();
    stage.input(b"continue\r");
    assert!(stage.busy().is_some());
    assert_eq!(stage.resumed, 0);
}

#[test]
fn ctrl_c_twice_leaves_at_any_time() {
    for act in [Act::Opening, Act::Thinking, Act::Prompt] {
        let mut stage = Stage::new();
        run_until(&mut stage, |stage| stage.act == act);
        stage.input(b"\x03");
        assert!(stage.is_armed() && stage.ending().is_none());
        stage.input(b"\x03");
        assert_eq!(stage.ending(), Some(Ending::Left));
    }
    let mut stage = throttled();
    stage.input(b"draft\x03");
    assert_eq!(
        (stage.draft(), stage.is_armed()),
        ("", false),
        "the draft first"
    );
    stage.input(b"\x03");
    stage.tick(stage.now + ARMED);
    stage.input(b"\x03");
    assert_eq!(stage.ending(), None, "too late: it is a first one again");
    stage.input(b"\x04");
    assert_eq!(stage.ending(), Some(Ending::Left));
}

#[test]
fn esc_interrupts_a_turn_and_the_demo_does_not_wait_for_ever() {
    let mut stage = throttled();
    paste(&mut stage);
    stage.input(b"\x1b");
    assert_eq!(stage.talk().last(), Some(&Said::Interrupted));
    assert!(stage.busy().is_none());
    let interrupted = stage.now;
    run_until(&mut stage, |stage| stage.ending().is_some());
    assert_eq!(stage.ending(), Some(Ending::Left));
    assert!(stage.now >= interrupted + ABANDONED);
}
