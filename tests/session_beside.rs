//! A session beside its user's terminal: the keys come to the CLI without it. With a fake clock and a fake CLI.

#[path = "support/fake.rs"]
mod fake;
#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use claude_retry::config::{BarMode, Jitter, ResumeMode, Settings};
use claude_retry::supervisor::alone::Claim;
use claude_retry::supervisor::retry::State;
use claude_retry::supervisor::session::{Event, PtyState, Signal, Wish};
use claude_retry::supervisor::transcript::Report;
use claude_retry::term::Size;
use fake::{COLS, FakeCli, ROWS, THROTTLE};
use world::World;

const S: fn(u64) -> Duration = Duration::from_secs;
const MS: fn(u64) -> Duration = Duration::from_millis;
const PASTE: &[u8] = b"\x1b[200~continue\x1b[201~";

type Fake = World<FakeCli>;

fn start_in(conversation: Option<&str>) -> Fake {
    start_with(conversation, ResumeMode::Auto)
}

fn start_with(conversation: Option<&str>, resume: ResumeMode) -> Fake {
    let settings = Settings {
        resume,
        base: S(4),
        cap: S(4),
        jitter: Jitter::None,
        bar: BarMode::Off,
        ..Settings::default()
    };
    let size = Size::new(ROWS, COLS);
    let world = World::new(settings.clone(), size, world::WALL, FakeCli::new());
    let mut world = world.beside(settings, size, conversation);
    draw(&mut world);
    world.run_for(S(10));
    world
}

fn draw(world: &mut Fake) {
    let frame = world.outside.frame();
    world.event(Event::ChildOutput(&frame));
}

/// A turn that somebody began is seen to run, and fails.
fn throttled() -> Fake {
    let mut world = start_in(Some("session"));
    fails_after(&mut world, S(1));
    world
}

fn fails_after(world: &mut Fake, time: Duration) {
    world.outside.busy = true;
    draw(world);
    world.run_for(time);
    let frame = world.outside.fails(world.now().unix_ms, THROTTLE);
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(1));
}

fn waits(world: &Fake) -> bool {
    matches!(world.session.state(), State::Waiting(_))
}

fn watches(world: &Fake) -> bool {
    matches!(world.session.state(), State::Watching)
}

fn holds_off(world: &Fake, why: &str) -> bool {
    matches!(world.session.state(), State::HoldingOff { reason, .. } if *reason == why)
}

/// Up to the paste, not to its Enter.
fn pasted() -> Fake {
    let mut world = throttled();
    while !matches!(world.session.state(), State::Typing { .. }) {
        world.run_for(MS(10));
    }
    assert_eq!(world.child, PASTE);
    world
}

#[test]
fn nothing_is_ever_drawn() {
    let mut world = throttled();
    world.run_for(S(10));
    let drawn: Vec<u8> = world.outside.frame();
    assert!(!drawn.is_empty());
    let text = String::from_utf8_lossy(&world.tty).into_owned();
    assert!(!text.contains("retry"), "{text}");
    assert_eq!(world.outside.turns, ["continue"]);
}

#[test]
fn a_countdown_wakes_nobody() {
    let mut world = throttled();
    world.run_for(MS(500));
    let State::Waiting(wait) = world.session.state() else {
        panic!("{:?}", world.session.state());
    };
    assert_eq!(world.session.next_deadline(), Some(wait.until));
}

#[test]
fn a_touch_before_the_paste_holds_it_off_and_then_it_goes_on() {
    let mut world = throttled();
    world.run_for(MS(2500));
    world.event(Event::Touched(MS(0)));
    world.run_for(S(1));
    assert!(holds_off(&world, "you are typing"));
    assert!(world.child.is_empty());
    world.run_for(S(5));
    assert_eq!(world.outside.turns, ["continue"]);
}

#[test]
fn a_touch_before_the_enter_takes_the_message_back() {
    let mut world = pasted();
    world.event(Event::Touched(MS(0)));
    world.run_for(MS(500));
    assert_eq!(world.child, [PASTE, b"\x05\x15"].concat());
    assert!(holds_off(&world, "you are typing"));
    assert_eq!(world.outside.draft, "");
    world.run_for(S(6));
    assert_eq!(world.outside.turns, ["continue"]);
}

#[test]
fn what_the_user_typed_behind_the_message_is_not_erased_and_not_sent() {
    let mut world = pasted();
    world.outside.draft.push('x');
    draw(&mut world);
    world.run_for(S(30));
    assert_eq!(world.child, PASTE);
    assert_eq!(world.outside.draft, "continuex");
    assert!(world.outside.turns.is_empty());
}

#[test]
fn a_turn_that_begins_behind_the_paste_gets_no_enter() {
    let mut world = pasted();
    world.outside.busy = true;
    draw(&mut world);
    world.run_for(S(1));
    assert_eq!(world.child, [PASTE, b"\x05\x15"].concat());
    assert!(watches(&world));
}

#[test]
fn a_program_in_the_foreground_gets_no_enter() {
    let mut world = pasted();
    world.outside.pty = PtyState {
        raw: true,
        foreground: false,
    };
    world.run_for(MS(500));
    assert_eq!(world.child, PASTE);
    assert!(!matches!(world.session.state(), State::Typing { .. }));
    // Nor is it taken back by keys that the program would get.
    world.run_for(S(5));
    assert_eq!(world.child, PASTE);
    world.outside.pty.foreground = true;
    world.run_for(S(2));
    assert!(world.child.starts_with(&[PASTE, b"\x05\x15"].concat()));
}

#[test]
fn the_end_takes_back_what_is_half_typed() {
    let mut world = pasted();
    world.event(Event::Signal(Signal::Term));
    assert_eq!(world.child, [PASTE, b"\x05\x15"].concat());
    let mut world = pasted();
    world.outside.draft.push('x');
    draw(&mut world);
    world.event(Event::Signal(Signal::Term));
    assert_eq!(world.child, PASTE, "the user's, in part");
}

#[test]
fn the_end_waits_for_what_is_not_drawn_yet() {
    for (late, gone) in [(MS(100), true), (MS(400), false)] {
        let mut world = throttled();
        world.outside.deaf = true;
        while !matches!(world.session.state(), State::Typing { .. }) {
            world.run_for(MS(10));
        }
        world.event(Event::Signal(Signal::Term));
        assert!(world.session.has_left_over());
        world.run_for(late);
        world.outside.deaf = false;
        world.outside.draft = "continue".into();
        draw(&mut world);
        world.run_for(S(1));
        let erased = world.child.ends_with(b"\x05\x15");
        assert_eq!(erased, gone, "{late:?}");
        assert!(!world.session.has_left_over());
        world.run_for(S(60));
        assert_eq!(world.outside.turns, Vec::<String>::new());
    }
}

/// The paste never arrives, and the typing is given up.
fn lost() -> Fake {
    let mut world = throttled();
    world.outside.deaf = true;
    while !matches!(world.session.state(), State::Typing { .. }) {
        world.run_for(MS(10));
    }
    while matches!(world.session.state(), State::Typing { .. }) {
        world.run_for(MS(10));
    }
    world.outside.deaf = false;
    world
}

fn erased(world: &Fake) -> bool {
    world.child.windows(2).any(|keys| keys == b"\x05\x15")
}

#[test]
fn the_same_word_of_the_users_is_not_erased() {
    // Typed by hand: the pane was touched.
    let mut world = lost();
    world.touched = Some(MS(500));
    world.outside.draft = "continue".into();
    draw(&mut world);
    world.run_for(S(1));
    assert!(!erased(&world));
    assert!(!world.session.has_left_over());
    // Nobody tells of a key, but it was seen to grow.
    let mut world = lost();
    for draft in ["cont", "continue"] {
        world.outside.draft = draft.into();
        draw(&mut world);
        world.run_for(MS(500));
    }
    assert!(!erased(&world));
    // What was not touched is ours.
    let mut world = lost();
    world.outside.draft = "continue".into();
    draw(&mut world);
    world.run_for(S(1));
    assert!(erased(&world));
}

#[test]
fn what_the_user_made_of_the_message_is_the_users() {
    let mut world = pasted();
    world.outside.draft.push('x');
    draw(&mut world);
    world.run_for(S(12));
    assert!(!matches!(world.session.state(), State::Typing { .. }));
    // Taken off again, by keys that nobody told of.
    world.outside.draft = "continue".into();
    draw(&mut world);
    world.run_for(S(5));
    assert!(!erased(&world));
    assert_eq!(world.outside.draft, "continue");
}

#[test]
fn a_key_behind_the_look_leaves_the_message_to_the_user() {
    let mut world = pasted();
    world.slow = true;
    world.event(Event::Touched(MS(0)));
    world.run_for(MS(300));
    // The look before the Enter, and the one before the take-back, are not answered: meanwhile a key came.
    world.event(Event::Pty(PtyState {
        raw: true,
        foreground: true,
    }));
    world.outside.draft.push('x');
    draw(&mut world);
    world.event(Event::Pty(PtyState {
        raw: true,
        foreground: true,
    }));
    world.run_for(S(5));
    assert_eq!(world.child, PASTE);
    assert_eq!(world.outside.draft, "continuex");
}

#[test]
fn a_dialog_in_front_of_the_message_does_not_make_it_the_users() {
    let mut world = pasted();
    world.run_for(MS(50));
    world.slow = true;
    world.event(Event::Touched(MS(0)));
    world.run_for(MS(300));
    world.event(Event::Pty(world.outside.pty));
    world.outside.face = fake::Face::Dialog;
    draw(&mut world);
    world.event(Event::Pty(world.outside.pty));
    assert_eq!(world.child, PASTE);
    world.slow = false;
    world.outside.face = fake::Face::Prompt;
    draw(&mut world);
    world.run_for(S(2));
    assert_eq!(world.child, [PASTE, b"\x05\x15"].concat());
}

#[test]
fn what_did_not_get_there_is_tried_again_and_counts_for_nothing() {
    let mut world = throttled();
    world.outside.deaf = true;
    while !matches!(world.session.state(), State::Typing { .. }) {
        world.run_for(MS(10));
    }
    world.event(Event::NotTyped);
    assert!(holds_off(&world, "the terminal was too slow"));
    world.outside.deaf = false;
    world.run_for(S(3));
    assert_eq!(world.outside.turns, ["continue"]);
}

#[test]
fn a_message_that_turns_up_too_late_is_taken_back_and_no_longer_than_it_may_be_ours() {
    for (late, gone) in [(S(20), true), (S(200), false)] {
        let mut world = throttled();
        world.outside.deaf = true;
        while !matches!(world.session.state(), State::Typing { .. }) {
            world.run_for(MS(10));
        }
        // Over, and the prompt shows nothing of it.
        while matches!(world.session.state(), State::Typing { .. }) {
            world.run_for(MS(10));
        }
        world.outside.face = fake::Face::Dialog;
        draw(&mut world);
        world.run_for(late.saturating_sub(S(15)));
        world.outside.face = fake::Face::Prompt;
        world.outside.deaf = false;
        world.outside.draft = "continue".into();
        draw(&mut world);
        world.run_for(MS(300));
        let erased = world.child.windows(2).any(|keys| keys == b"\x05\x15");
        assert_eq!(erased, gone, "{late:?}");
    }
}

#[test]
fn a_look_that_took_too_long_is_taken_again() {
    let mut world = throttled();
    world.slow = true;
    world.run_for(S(4));
    assert!(matches!(world.session.state(), State::LastLook(_)));
    world.slow = false;
    world.event(Event::NotTyped);
    assert!(holds_off(&world, "the terminal was too slow"));
    world.run_for(S(3));
    assert_eq!(world.outside.turns, ["continue"]);
}

#[test]
fn a_slow_look_before_the_enter_is_taken_again_and_at_last_the_message_back() {
    let mut world = pasted();
    world.slow = true;
    world.run_for(S(1));
    world.event(Event::NotTyped);
    assert!(matches!(world.session.state(), State::Typing { .. }));
    world.slow = false;
    world.event(Event::NotTyped);
    world.run_for(MS(200));
    assert_eq!(world.outside.turns, ["continue"]);
    let mut world = pasted();
    world.slow = true;
    world.run_for(S(15));
    assert_eq!(world.child, PASTE, "nothing is typed without a look");
    world.slow = false;
    world.event(Event::NotTyped);
    world.run_for(S(2));
    assert!(world.child.starts_with(&[PASTE, b"\x05\x15"].concat()));
}

#[test]
fn an_enter_that_did_not_get_there_is_no_resume() {
    let mut world = pasted();
    world.outside.swallow_cr = true;
    while !matches!(world.session.state(), State::Settling { .. }) {
        world.run_for(MS(10));
    }
    world.event(Event::NotTyped);
    assert_eq!(world.child, [PASTE, b"\r\x05\x15"].concat());
    assert!(holds_off(&world, "the terminal was too slow"));
    world.outside.swallow_cr = false;
    world.run_for(S(3));
    assert_eq!(world.outside.turns, ["continue"]);
}

#[test]
fn an_error_that_somebody_else_has_is_left_alone() {
    for claim in [Claim::Taken, Claim::Impossible] {
        let mut world = start_in(Some("session"));
        world.claim = claim;
        fails_after(&mut world, S(1));
        world.run_for(S(10));
        assert!(watches(&world), "{claim:?}");
        assert!(world.child.is_empty());
    }
}

#[test]
fn an_error_is_left_to_the_hook_where_that_alone_is_to_resume() {
    let mut world = start_with(Some("session"), ResumeMode::Hook);
    world.outside.busy = true;
    draw(&mut world);
    world.run_for(S(1));
    let frame = world.outside.fails(world.now().unix_ms, THROTTLE);
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(10));
    assert!(watches(&world) && world.claims.is_empty());
}

#[test]
fn over_a_draft_a_hook_may_claim_first() {
    let mut world = start_in(Some("session"));
    world.outside.draft = "mine".into();
    fails_after(&mut world, S(1));
    assert!(world.claims.is_empty() && !waits(&world));
    world.claim = Claim::Taken;
    world.run_for(S(3));
    assert_eq!(world.claims.len(), 1);
    assert!(watches(&world));
    // It is taken as soon as we could type.
    let mut world = start_in(Some("session"));
    world.outside.draft = "mine".into();
    fails_after(&mut world, S(1));
    world.outside.draft.clear();
    draw(&mut world);
    world.run_for(MS(500));
    assert!(waits(&world));
    // Nobody had it.
    let mut world = start_in(Some("session"));
    world.outside.draft = "mine".into();
    fails_after(&mut world, S(1));
    world.run_for(S(3));
    assert!(waits(&world));
    world.outside.draft.clear();
    draw(&mut world);
    world.run_for(S(6));
    assert_eq!(world.outside.turns, ["continue"]);
    // Where we could type we do not wait for a hook.
    let mut world = start_in(Some("session"));
    fails_after(&mut world, S(1));
    assert_eq!(world.claims.len(), 1);
}

#[test]
fn an_error_without_a_name_is_left_alone() {
    let mut world = start_in(None);
    world.outside.busy = true;
    draw(&mut world);
    world.run_for(S(1));
    world.outside.fails(world.now().unix_ms, THROTTLE);
    world.outside.report = Report::Unknown;
    draw(&mut world);
    world.run_for(S(10));
    assert!(world.child.is_empty());
    let told = world
        .log
        .iter()
        .any(|line| line["reason"] == "no transcript, and a hook may have this error");
    assert!(told, "{:?}", world.log);
}

#[test]
fn a_conversation_that_was_opened_is_history_until_the_cli_works_in_it() {
    // Nobody knows this session: /resume, after a turn a while ago.
    let mut world = start_in(Some("another"));
    world.outside.busy = true;
    draw(&mut world);
    world.run_for(S(1));
    let answer = world.outside.answers(world.now().unix_ms, "Done.");
    world.event(Event::ChildOutput(&answer));
    world.run_for(S(60));
    // As the transcript tells of a session that is not the one that was seen so far.
    world.outside.session = "opened".into();
    let frame = world.outside.fails(world.now().unix_ms, THROTTLE);
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(10));
    assert!(watches(&world) && world.child.is_empty());
    // Its next turn is seen to run.
    fails_after(&mut world, S(1));
    assert!(waits(&world));
}

#[test]
fn a_turn_of_the_users_begins_the_count_anew_and_ours_does_not() {
    let mut world = throttled();
    let attempt = |world: &Fake| world.session.state().wait().map(|wait| wait.attempt);
    assert_eq!(attempt(&world), Some(1));
    for n in 2..=3 {
        world.run_for(S(5));
        let frame = world.outside.fails(world.now().unix_ms, THROTTLE);
        world.event(Event::ChildOutput(&frame));
        world.run_for(S(1));
        assert_eq!(attempt(&world), Some(n));
    }
    // The user begins one before the wait is over.
    fails_after(&mut world, S(1));
    assert_eq!(attempt(&world), Some(1));
}

#[test]
fn an_error_of_the_same_words_is_another_though_no_turn_was_seen() {
    let mut world = start_in(Some("session"));
    // One of long ago.
    let frame = world.outside.fails(world::WALL - 60_000, THROTTLE);
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(5));
    assert!(watches(&world));
    world
        .outside
        .conversation
        .push("\x1b[48;5;237m❯ again \x1b[0m".into());
    let frame = world.outside.fails(world.now().unix_ms, THROTTLE);
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(1));
    assert!(waits(&world));
}

#[test]
fn wishes_are_obeyed() {
    let mut world = throttled();
    world.event(Event::Wish(Wish::Now));
    world.run_for(S(1));
    assert_eq!(world.outside.turns, ["continue"]);
    let mut world = throttled();
    world.event(Event::Wish(Wish::Cancel));
    world.run_for(S(60));
    assert!(watches(&world) && world.child.is_empty());
}
