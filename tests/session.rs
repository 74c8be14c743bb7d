//! The session's behaviour, with a fake clock and a fake CLI.

#[path = "support/fake.rs"]
mod fake;
#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use claude_retry::config::{BarMode, Jitter, Notify, Settings, TranscriptMode};
use claude_retry::supervisor::retry::State;
use claude_retry::supervisor::session::{Event, ExitKind, PtyState, Signal};
use claude_retry::supervisor::transcript::{Ending, Report};
use claude_retry::supervisor::verdict::Status;
use claude_retry::term::Size;
use fake::{COLS, Face, FakeCli, ROWS, THROTTLE};
use world::World;

const S: fn(u64) -> Duration = Duration::from_secs;
const MS: fn(u64) -> Duration = Duration::from_millis;
/// The wait before the first try, of the settings below.
const WAIT: Duration = Duration::from_secs(4);

fn settings() -> Settings {
    Settings {
        base: WAIT,
        cap: WAIT,
        jitter: Jitter::None,
        ..Settings::default()
    }
}

type Fake = World<FakeCli>;

fn start(settings: Settings) -> Fake {
    let mut world = World::new(settings, Size::new(ROWS, COLS), world::WALL, FakeCli::new());
    draw(&mut world);
    world.run_for(S(1));
    world
}

fn draw(world: &mut Fake) {
    let frame = world.outside.frame();
    world.event(Event::ChildOutput(&frame));
}

fn types(world: &mut Fake, keys: &str) {
    world.event(Event::UserInput(keys.as_bytes()));
}

fn fails(world: &mut Fake) {
    fails_with(world, THROTTLE);
}

fn fails_with(world: &mut Fake, text: &str) {
    let now = world.now().unix_ms;
    let frame = world.outside.fails(now, text);
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(1));
}

fn answers(world: &mut Fake) {
    let now = world.now().unix_ms;
    let frame = world.outside.answers(now, "All done.");
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(1));
}

/// The user asks something, and the turn fails; the session waits, one second into its wait.
fn throttled(settings: Settings) -> Fake {
    let mut world = start(settings);
    types(&mut world, "hello");
    types(&mut world, "\r");
    world.run_for(S(1));
    fails(&mut world);
    world
}

fn waiting(world: &Fake) -> bool {
    matches!(world.session.state(), State::Waiting(_))
}

/// The names of the log's records, in order.
fn events(world: &Fake) -> Vec<&str> {
    world
        .log
        .iter()
        .filter_map(|record| record["event"].as_str())
        .collect()
}

/// How often the log has this record.
/// Every change of the verdict, in order.
fn verdicts(world: &Fake) -> Vec<&str> {
    let records = world
        .log
        .iter()
        .filter(|record| record["event"] == "verdict");
    records
        .filter_map(|record| record["verdict"].as_str())
        .collect()
}

fn count(world: &Fake, event: &str) -> usize {
    events(world).iter().filter(|name| **name == event).count()
}

fn turns(world: &Fake) -> Vec<&str> {
    world.outside.turns.iter().map(String::as_str).collect()
}

#[test]
fn a_throttled_turn_is_resumed_once_and_what_follows_is_left_alone() {
    let mut world = throttled(settings());
    assert!(waiting(&world), "{:?}", events(&world));
    assert_eq!(turns(&world), ["hello"]);
    world.run_for(WAIT);
    assert_eq!(turns(&world), ["hello", "continue"]);
    assert_eq!(count(&world, "resumed"), 1);
    answers(&mut world);
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello", "continue"]);
    assert_eq!(world.session.state(), &State::Watching);
    assert_eq!(count(&world, "turn-ok"), 1);
}

#[test]
fn the_message_is_pasted_and_the_cr_comes_by_itself() {
    let mut world = throttled(settings());
    world.child.clear();
    world.run_for(WAIT);
    assert_eq!(world.child, b"\x1b[200~continue\x1b[201~\r");
}

#[test]
fn six_failures_in_a_row_fall_through() {
    let mut world = throttled(Settings {
        notify: Notify::Bell,
        bar: BarMode::Off,
        ..settings()
    });
    for n in 1..=6 {
        world.run_for(WAIT);
        assert_eq!(turns(&world).len(), 1 + n);
        fails(&mut world);
    }
    world.run_for(S(1000));
    assert_eq!(turns(&world).len(), 7);
    assert_eq!(count(&world, "gave-up"), 1);
    let bells = String::from_utf8_lossy(&world.tty).matches('\x07').count();
    assert_eq!(bells, 1, "one bell");
    assert_eq!(world.session.state(), &State::Watching);

    // The user's next turn starts afresh.
    types(&mut world, "again");
    types(&mut world, "\r");
    world.run_for(S(1));
    fails(&mut world);
    assert!(matches!(world.session.state(), State::Waiting(wait) if wait.attempt == 1));
}

#[test]
fn an_answer_resets_the_count() {
    let mut world = throttled(settings());
    for _ in 0..3 {
        world.run_for(WAIT);
        fails(&mut world);
    }
    assert!(matches!(world.session.state(), State::Waiting(wait) if wait.attempt == 4));
    world.run_for(WAIT);
    answers(&mut world);
    types(&mut world, "next");
    types(&mut world, "\r");
    world.run_for(S(1));
    fails(&mut world);
    assert!(matches!(world.session.state(), State::Waiting(wait) if wait.attempt == 1));
}

#[test]
fn enter_on_the_empty_prompt_resumes_now_and_is_not_passed_on() {
    for enter in ["\r", "\x1b[13u", "\x1b[13;1:1u", "\x1b[13;65u"] {
        let mut world = throttled(settings());
        world.child.clear();
        types(&mut world, enter);
        world.run_for(MS(500));
        assert_eq!(turns(&world), ["hello", "continue"], "{enter:?}");
        assert_eq!(world.child, b"\x1b[200~continue\x1b[201~\r");
    }
}

#[test]
fn ctrl_c_on_the_empty_prompt_cancels_this_error_only() {
    for ctrl_c in ["\x03", "\x1b[99;5u"] {
        let mut world = throttled(settings());
        world.child.clear();
        types(&mut world, ctrl_c);
        world.run_for(S(100));
        assert_eq!(turns(&world), ["hello"], "{ctrl_c:?}");
        assert!(world.child.is_empty());
        assert_eq!(count(&world, "cancelled"), 1);

        types(&mut world, "again\r");
        world.run_for(S(1));
        fails(&mut world);
        assert!(waiting(&world));
    }
}

#[test]
fn with_the_bar_off_no_key_is_taken() {
    let mut world = throttled(Settings {
        bar: BarMode::Off,
        ..settings()
    });
    world.child.clear();
    types(&mut world, "\r");
    assert_eq!(world.child, b"\r");
    world.child.clear();
    types(&mut world, "\x03");
    assert_eq!(world.child, b"\x03");
}

#[test]
fn a_key_that_comes_in_two_reads_is_still_one_key() {
    let mut world = throttled(settings());
    world.child.clear();
    types(&mut world, "\x1b[1");
    types(&mut world, "3u");
    world.run_for(MS(500));
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn a_lone_escape_is_passed_on() {
    let mut world = throttled(settings());
    world.child.clear();
    types(&mut world, "\x1b");
    world.run_for(MS(100));
    assert_eq!(world.child, b"\x1b");
}

#[test]
fn typing_pauses_and_the_wait_goes_on_when_the_prompt_is_empty_again() {
    let mut world = throttled(settings());
    types(&mut world, "a");
    world.run_for(S(8));
    assert!(matches!(world.session.state(), State::Paused { .. }));
    assert_eq!(turns(&world), ["hello"]);
    types(&mut world, "\x7f");
    world.run_for(S(1));
    assert!(waiting(&world), "{:?}", world.session.state());
    world.run_for(WAIT);
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn a_draft_is_never_touched_and_when_it_is_cleared_the_turn_resumes() {
    let mut world = throttled(settings());
    types(&mut world, "my draft");
    world.run_for(S(300));
    assert_eq!(world.outside.draft, "my draft");
    assert_eq!(turns(&world), ["hello"]);
    assert!(
        matches!(world.session.state(), State::HoldingOff { reason, .. } if reason.contains("draft")),
        "{:?}",
        world.session.state()
    );
    types(&mut world, "\x15");
    world.run_for(S(2));
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn a_draft_that_is_submitted_is_the_users_own_turn() {
    let mut world = throttled(settings());
    types(&mut world, "never mind");
    types(&mut world, "\r");
    world.run_for(S(20));
    assert_eq!(turns(&world), ["hello", "never mind"]);
    assert_eq!(world.session.state(), &State::Watching);
    answers(&mut world);
    world.run_for(S(60));
    assert_eq!(turns(&world), ["hello", "never mind"]);
}

#[test]
fn a_dialog_holds_it_off_and_it_goes_on_when_it_closes() {
    let mut world = throttled(settings());
    world.outside.face = Face::Dialog;
    draw(&mut world);
    world.run_for(S(60));
    assert_eq!(turns(&world), ["hello"]);
    assert!(
        matches!(world.session.state(), State::HoldingOff { reason, .. } if reason.contains("dialog")),
        "{:?}",
        world.session.state()
    );
    let frame = world.outside.closes();
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(1));
    assert_eq!(turns(&world), ["hello", "continue"]);
}

/// Runs up to the moment when the message stands in the prompt and CR is not yet sent.
fn in_the_middle_of_typing(settings: Settings) -> Fake {
    let mut world = throttled(settings);
    while !matches!(world.session.state(), State::Typing { .. }) {
        world.run_for(MS(10));
    }
    assert_eq!(world.outside.draft, "continue");
    world.child.clear();
    world
}

#[test]
fn a_key_during_the_typing_undoes_it_and_arrives_after() {
    let mut world = in_the_middle_of_typing(settings());
    types(&mut world, "x");
    world.run_for(MS(600));
    assert_eq!(world.child, b"\x15x");
    assert_eq!(world.outside.draft, "x");
    assert_eq!(turns(&world), ["hello"]);
    // And the draft is respected from then on.
    world.run_for(S(60));
    assert_eq!(world.outside.draft, "x");
    assert_eq!(turns(&world), ["hello"]);
}

#[test]
fn a_terminals_answer_passes_during_the_typing() {
    let mut world = in_the_middle_of_typing(settings());
    types(&mut world, "\x1b[?62;22c");
    assert_eq!(world.child, b"\x1b[?62;22c");
    world.run_for(S(1));
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn mouse_and_focus_wait_for_the_cr() {
    let mut world = in_the_middle_of_typing(settings());
    types(&mut world, "\x1b[O\x1b[<35;10;10M");
    assert!(world.child.is_empty());
    world.run_for(S(1));
    assert_eq!(world.child, b"\r\x1b[O\x1b[<35;10;10M");
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn a_prompt_that_does_not_show_the_message_gets_no_cr() {
    let mut world = throttled(settings());
    world.child.clear();
    world.outside.deaf = true;
    world.run_for(S(100));
    let paste = "\x1b[200~continue\x1b[201~\x15";
    assert_eq!(String::from_utf8_lossy(&world.child), paste.repeat(2));
    assert_eq!(count(&world, "gave-up"), 1);
}

#[test]
fn a_cr_that_was_not_taken_leaves_nothing_behind() {
    let mut world = throttled(settings());
    world.outside.swallow_cr = true;
    world.run_for(S(100));
    assert_eq!(world.outside.draft, "");
    assert_eq!(turns(&world), ["hello"]);
    assert_eq!(count(&world, "gave-up"), 1);
}

#[test]
fn a_message_that_reads_like_the_banner_is_no_error() {
    let mut world = start(settings());
    types(&mut world, "hello\r");
    world.run_for(S(1));
    let now = world.now().unix_ms;
    let frame = world.outside.answers(now, THROTTLE);
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello"]);
    assert_eq!(verdicts(&world), ["wait", "keep-out"]);
    assert_eq!(world.session.state(), &State::Watching);
}

#[test]
fn an_error_from_before_the_start_is_history() {
    let mut world = start(settings());
    let frame = world.outside.fails(world::WALL - 1, THROTTLE);
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(100));
    assert_eq!(turns(&world), Vec::<&str>::new());
    assert_eq!(count(&world, "waiting"), 0);
}

#[test]
fn an_error_in_a_session_that_was_just_resumed_is_history() {
    let mut world = start(settings());
    world.run_for(S(60));
    let before = world.now().unix_ms - 10_000;
    types(&mut world, "\r"); // in the picker of /resume
    let frame = world.outside.fails(before, THROTTLE);
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(100));
    assert_eq!(count(&world, "waiting"), 0);
}

#[test]
fn a_transcript_that_lags_is_waited_for_and_one_that_stays_silent_keeps_us_out() {
    let mut world = start(settings());
    types(&mut world, "hello\r");
    world.run_for(S(1));
    let now = world.now().unix_ms;
    let frame = world.outside.fails(now, THROTTLE);
    let report = std::mem::replace(&mut world.outside.report, Report::Pending);
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(1));
    assert_eq!(count(&world, "waiting"), 0);
    world.outside.report = report;
    world.run_for(MS(300));
    assert_eq!(count(&world, "waiting"), 1);

    let mut world = start(settings());
    types(&mut world, "hello\r");
    world.run_for(S(1));
    let frame = world.outside.fails(now, THROTTLE);
    world.outside.report = Report::Pending;
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(100));
    assert_eq!(count(&world, "waiting"), 0);
    assert_eq!(verdicts(&world), ["wait", "keep-out"]);
}

#[test]
fn the_last_look_finds_that_the_conversation_went_on() {
    let mut world = throttled(settings());
    let Report::Turn(turn) = &mut world.outside.report else {
        panic!("a turn");
    };
    turn.uuid = "another".into();
    turn.ending = Ending::User;
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello"]);
    assert_eq!(count(&world, "typing"), 0);
}

#[test]
fn without_a_transcript_the_screen_acts_only_if_a_turn_was_seen() {
    let off = Settings {
        transcript: TranscriptMode::Off,
        ..settings()
    };
    let mut world = throttled(off.clone());
    world.run_for(WAIT);
    assert_eq!(turns(&world), ["hello", "continue"]);
    fails(&mut world);
    world.run_for(WAIT);
    assert_eq!(turns(&world), ["hello", "continue", "continue"]);

    let mut world = start(off);
    let frame = world.outside.fails(world::WALL, THROTTLE);
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(100));
    assert_eq!(count(&world, "waiting"), 0);
}

#[test]
fn what_is_not_transient_or_not_wanted_is_left() {
    for text in [
        "You've hit your session limit · resets 4:04am (UTC)",
        "API Error: 400 messages: bad thing",
        "Credit balance too low · Add funds",
        "API Error: something that nobody has seen",
    ] {
        let mut world = start(settings());
        types(&mut world, "hello\r");
        world.run_for(S(1));
        fails_with(&mut world, text);
        world.run_for(S(100));
        assert_eq!(turns(&world), ["hello"], "{text}");
        assert_eq!(count(&world, "waiting"), 0, "{text}");
    }
    let mut world = throttled(Settings {
        retry_on: vec![],
        ..settings()
    });
    world.run_for(S(100));
    assert_eq!(count(&world, "waiting"), 0);
}

#[test]
fn a_pty_that_is_not_raw_holds_it_off() {
    let mut world = throttled(settings());
    world.outside.pty = PtyState {
        raw: false,
        foreground: true,
    };
    world.run_for(S(20));
    assert_eq!(turns(&world), ["hello"]);
    assert!(matches!(world.session.state(), State::HoldingOff { .. }));
    world.outside.pty.raw = true;
    world.run_for(S(3));
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn while_the_job_is_stopped_the_countdown_stands() {
    let mut world = throttled(settings());
    world.event(Event::Signal(Signal::Tstp));
    assert_eq!(world.suspended, 1);
    assert_eq!(world.session.next_deadline(), None);
    world.run_for(S(500));
    world.event(Event::Resumed);
    draw(&mut world);
    world.run_for(S(1));
    assert!(waiting(&world));
    assert_eq!(turns(&world), ["hello"]);
    world.run_for(WAIT);
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn the_storm_guard_stops_us() {
    let mut world = throttled(Settings {
        max_per_hour: 2,
        ..settings()
    });
    for _ in 0..2 {
        world.run_for(WAIT);
        fails(&mut world);
    }
    world.run_for(S(100));
    assert_eq!(turns(&world).len(), 3);
    assert_eq!(count(&world, "gave-up"), 1);
}

#[test]
fn until_an_error_both_directions_are_exactly_the_bytes() {
    let mut world = start(settings());
    let mut drawn = world.outside.frame();
    for chunk in [
        &b"\x1b[?1049h\x1b]0;t"[..],
        b"itle\x07\xe2",
        b"\x9d\xaf",
        b"\x1b[",
    ] {
        world.event(Event::ChildOutput(chunk));
        drawn.extend_from_slice(chunk);
        world.run_for(S(1));
    }
    assert_eq!(world.tty, drawn);
    let mut typed = Vec::new();
    for chunk in [
        &b"\x1b"[..],
        b"[",
        b"A\x1b[200~x",
        b"\xff\x00",
        b"\x1b[201~",
    ] {
        world.event(Event::UserInput(chunk));
        typed.extend_from_slice(chunk);
        assert_eq!(world.child, typed);
    }
}

#[test]
fn the_bar_shows_while_it_waits_and_is_gone_after() {
    let mut world = throttled(settings());
    let tty = String::from_utf8_lossy(&world.tty);
    assert!(tty.contains("throttled"), "{tty:?}");
    world.run_for(WAIT);
    answers(&mut world);
    world.tty.clear();
    draw(&mut world);
    world.run_for(S(10));
    assert_eq!(world.tty, world.outside.frame());
}

#[test]
fn an_idle_session_wants_no_wake_up() {
    let world = start(settings());
    assert_eq!(world.session.next_deadline(), None);
}

#[test]
fn at_the_childs_end_the_bar_is_gone_and_the_modes_are_undone() {
    let mut world = throttled(settings());
    world.tty.clear();
    world.event(Event::ChildExited(ExitKind::Code(0)));
    let tty = String::from_utf8_lossy(&world.tty);
    assert!(tty.contains("\x1b[?2004l"), "{tty:?}");
    assert_eq!(world.session.next_deadline(), None);
}

#[test]
fn enter_right_after_the_submitting_enter_is_taken_and_after_a_letter_it_is_not() {
    let mut world = start(settings());
    types(&mut world, "hello");
    types(&mut world, "\r");
    let now = world.now().unix_ms;
    let frame = world.outside.fails(now, THROTTLE);
    world.event(Event::ChildOutput(&frame));
    world.run_for(MS(200));
    assert!(waiting(&world));
    types(&mut world, "\r");
    world.run_for(S(1));
    assert_eq!(turns(&world), ["hello", "continue"]);

    // The CLI is slow to draw the letter: the prompt still looks empty.
    let mut world = throttled(settings());
    world.outside.deaf = true;
    world.child.clear();
    types(&mut world, "a\r");
    assert_eq!(world.child, b"a\r");
}

#[test]
fn our_cursor_question_and_the_childs_are_answered_each_to_its_own() {
    let mut world = World::new(
        settings(),
        Size::new(ROWS, COLS),
        world::WALL,
        FakeCli::new(),
    );
    world.outside.inline = true;
    draw(&mut world);
    // The child asks while nothing is wrong.
    world.event(Event::ChildOutput(b"\x1b[6n"));
    types(&mut world, "\x1b[22;3R");
    assert_eq!(world.child, b"\x1b[22;3R");
    types(&mut world, "hello");
    types(&mut world, "\r");
    world.run_for(S(1));
    world.tty.clear();
    world.child.clear();
    fails(&mut world);
    assert!(waiting(&world));
    let asked = |world: &Fake| {
        String::from_utf8_lossy(&world.tty)
            .matches("\x1b[6n")
            .count()
    };
    assert_eq!(asked(&world), 1, "an inline child's place is asked for");
    types(&mut world, "\x1b[22;3R");
    world.run_for(MS(300));
    assert!(world.child.is_empty(), "the answer is ours");
    assert!(String::from_utf8_lossy(&world.tty).contains("throttled"));
}

#[test]
fn a_terminal_that_does_not_answer_is_not_waited_for() {
    let mut world = World::new(
        settings(),
        Size::new(ROWS, COLS),
        world::WALL,
        FakeCli::new(),
    );
    world.outside.inline = true;
    draw(&mut world);
    types(&mut world, "hello");
    types(&mut world, "\r");
    world.run_for(S(1));
    fails(&mut world);
    let title = "\x1b]0;";
    assert!(
        String::from_utf8_lossy(&world.tty).contains(title),
        "the title counts down"
    );
    world.run_for(WAIT);
    answers(&mut world);
    world.run_for(S(60));
    let asked = String::from_utf8_lossy(&world.tty)
        .matches("\x1b[6n")
        .count();
    assert!(asked <= 3, "{asked} questions");
    // A lone escape passes at once.
    world.child.clear();
    types(&mut world, "\x1b");
    assert_eq!(world.child, b"\x1b");
}

#[test]
fn a_lone_escape_of_long_ago_does_not_make_the_bars_keys_alt_keys() {
    let mut world = start(settings());
    types(&mut world, "hello");
    types(&mut world, "\r");
    world.run_for(S(1));
    types(&mut world, "\x1b");
    fails(&mut world);
    world.run_for(S(1));
    assert!(waiting(&world), "{:?}", events(&world));
    world.child.clear();
    types(&mut world, "\x03");
    assert_eq!(count(&world, "cancelled"), 1);
    assert!(world.child.is_empty());
}

#[test]
fn no_key_slips_through_between_the_paste_and_the_cr() {
    let mut world = in_the_middle_of_typing(settings());
    // Esc was passed on right before, and makes this an Alt key.
    types(&mut world, "\x1b");
    types(&mut world, "x");
    assert!(world.child.is_empty(), "the message is not drawn yet");
    world.run_for(S(1));
    assert_eq!(turns(&world), ["hello"]);
    assert_eq!(world.child, b"\x15\x1bx");
}

#[test]
fn bytes_keep_their_order_when_a_pause_begins_in_the_middle_of_a_key() {
    let mut world = throttled(settings());
    world.child.clear();
    types(&mut world, "a\x1b");
    types(&mut world, "[A");
    types(&mut world, "b");
    world.run_for(S(1));
    assert_eq!(world.child, b"a\x1b[Ab");
}

#[test]
fn after_a_signal_to_end_nothing_is_typed_any_more() {
    for signal in [Signal::Term, Signal::Hup, Signal::Int, Signal::Quit] {
        let mut world = throttled(settings());
        world.event(Event::Signal(signal));
        world.run_for(S(100));
        draw(&mut world);
        world.run_for(S(100));
        assert_eq!(turns(&world), ["hello"]);

        let mut world = in_the_middle_of_typing(settings());
        world.event(Event::Signal(signal));
        world.run_for(S(100));
        assert_eq!(turns(&world), ["hello"]);
        assert_eq!(world.child, b"\x15");
    }
}

#[test]
fn a_draft_that_is_cleared_early_does_not_shorten_the_wait() {
    let long = Duration::from_mins(5);
    let mut world = throttled(Settings {
        base: long,
        cap: long,
        ..settings()
    });
    types(&mut world, "a");
    world.run_for(S(30));
    types(&mut world, "\x7f");
    world.run_for(S(200));
    assert_eq!(turns(&world), ["hello"]);
    world.run_for(S(120));
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn ctrl_c_during_the_typing_cancels() {
    let mut world = in_the_middle_of_typing(settings());
    types(&mut world, "\x03");
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello"]);
    assert_eq!(count(&world, "cancelled"), 1);
    assert_eq!(world.child, b"\x15", "it is not passed on");
}

#[test]
fn a_message_typed_during_the_typing_is_a_series_of_its_own() {
    let mut world = throttled(settings());
    world.run_for(WAIT);
    fails(&mut world);
    while !matches!(world.session.state(), State::Typing { .. }) {
        world.run_for(MS(10));
    }
    types(&mut world, "stop that\r");
    world.run_for(S(1));
    assert_eq!(turns(&world), ["hello", "continue", "stop that"]);
    fails(&mut world);
    assert!(matches!(world.session.state(), State::Waiting(wait) if wait.attempt == 1));
}

#[test]
fn the_bars_keys_are_the_clis_while_it_works_or_the_prompt_is_not_free() {
    for key in ["\r", "\x03"] {
        let mut world = throttled(settings());
        world.outside.face = Face::Dialog;
        draw(&mut world);
        world.run_for(S(1));
        world.child.clear();
        types(&mut world, key);
        assert_eq!(world.child, key.as_bytes());

        // At work again, and not looked at yet.
        let mut world = throttled(settings());
        world.outside.busy = true;
        draw(&mut world);
        world.child.clear();
        types(&mut world, key);
        assert_eq!(world.child, key.as_bytes());
    }
}

#[test]
fn nothing_is_typed_into_the_middle_of_a_paste() {
    let mut world = throttled(settings());
    types(&mut world, "\x1b[200~");
    world.run_for(S(60));
    assert_eq!(turns(&world), ["hello"]);
    types(&mut world, "pasted\x1b[201~");
    world.run_for(S(60));
    assert_eq!(world.outside.draft, "pasted");
    assert_eq!(turns(&world), ["hello"]);
}

#[test]
fn two_enters_of_one_read_resume_once_and_neither_is_passed_on() {
    let mut world = throttled(settings());
    world.child.clear();
    types(&mut world, "\r\r");
    world.run_for(S(1));
    assert_eq!(world.child, b"\x1b[200~continue\x1b[201~\r");
}

#[test]
fn mouse_focus_and_answers_do_not_pause_the_wait() {
    let mut world = throttled(settings());
    types(&mut world, "\x1b[I\x1b[<35;10;10M\x1b[?62;22c");
    world.run_for(WAIT);
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn an_error_that_was_cancelled_is_never_acted_on_again() {
    let mut world = throttled(settings());
    types(&mut world, "\x03");
    world.run_for(S(20));
    // An Enter forgets what was judged by its text; the uuid is remembered.
    types(&mut world, "\r");
    draw(&mut world);
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello"]);
    assert_eq!(count(&world, "waiting"), 1);
}

#[test]
fn a_resize_or_a_stop_during_the_typing_submits_nothing_by_mistake() {
    let mut world = in_the_middle_of_typing(settings());
    world.event(Event::Resize(Size::new(ROWS, COLS)));
    draw(&mut world);
    world.run_for(S(2));
    assert_eq!(turns(&world), ["hello", "continue"]);

    let mut world = in_the_middle_of_typing(settings());
    types(&mut world, "\x1b[I");
    world.event(Event::ChildStopped);
    assert_eq!(world.child, b"\x15\x1b[I", "what was held is given back");
    world.event(Event::Resumed);
    draw(&mut world);
    world.run_for(S(3));
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn giving_up_is_announced_as_it_is_set() {
    for (notify, bytes) in [
        (Notify::Bell, "\x07"),
        (
            Notify::Desktop,
            "\x1b]9;claude-retry: gave up after 1 try\x07",
        ),
        (Notify::Off, ""),
    ] {
        let mut world = throttled(Settings {
            notify,
            bar: BarMode::Off,
            max_retries: 1,
            ..settings()
        });
        world.run_for(WAIT);
        world.tty.clear();
        let now = world.now().unix_ms;
        let frame = world.outside.fails(now, THROTTLE);
        world.event(Event::ChildOutput(&frame));
        world.run_for(S(20));
        let tty = String::from_utf8_lossy(&world.tty);
        let frame = String::from_utf8_lossy(&frame);
        assert_eq!(tty.strip_prefix(frame.as_ref()), Some(bytes));
    }
}

/// The CLI's own file is a witness of the last look too: the wait is kept, and told once.
#[test]
fn while_the_session_file_says_that_a_turn_runs_it_holds_off_and_goes_on_after() {
    let mut world = throttled(settings());
    world.event(Event::Status(Status::Busy));
    world.run_for(S(300));
    assert_eq!(turns(&world), ["hello"]);
    assert_eq!(count(&world, "hold"), 1);
    assert_eq!(count(&world, "waiting"), 1);
    world.event(Event::Status(Status::Idle));
    world.run_for(S(10));
    assert_eq!(turns(&world), ["hello", "continue"]);
    assert_eq!(count(&world, "waiting"), 1);
}

/// Before the verdict its patience begins when the file says that the turn is over.
#[test]
fn an_error_under_a_turn_that_runs_by_the_session_file_is_judged_when_that_is_over() {
    let mut world = start(settings());
    types(&mut world, "hello\r");
    world.run_for(S(1));
    world.event(Event::Status(Status::Busy));
    fails(&mut world);
    world.run_for(S(60));
    assert_eq!(verdicts(&world), ["wait"]);
    world.event(Event::Status(Status::Idle));
    world.run_for(S(2));
    assert_eq!(verdicts(&world), ["wait", "act"]);
    assert_eq!(count(&world, "waiting"), 1);
}
