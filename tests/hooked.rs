//! The session with a companion hook in the CLI, with a fake clock and a fake CLI.

#[path = "support/fake.rs"]
mod fake;
#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use claude_retry::config::{Jitter, ResumeMode, Settings, TranscriptMode};
use claude_retry::supervisor::hook::{Answer, Happened, HookEvent, HookId};
use claude_retry::supervisor::retry::State;
use claude_retry::supervisor::session::Event;
use claude_retry::supervisor::transcript::{Ending, Report};
use claude_retry::term::Size;
use fake::{COLS, Face, FakeCli, ROWS, THROTTLE};
use world::World;

const S: fn(u64) -> Duration = Duration::from_secs;
const WAIT: Duration = Duration::from_secs(4);
/// The hook's process that waits after the first error.
const FIRST: HookId = 1;

type Fake = World<FakeCli>;

fn settings() -> Settings {
    Settings {
        base: WAIT,
        cap: WAIT,
        jitter: Jitter::None,
        ..Settings::default()
    }
}

fn tells(world: &mut Fake, id: HookId, happened: Happened) {
    tells_of("session", world, id, happened);
}

fn tells_of(session: &str, world: &mut Fake, id: HookId, happened: Happened) {
    let event = HookEvent {
        happened,
        session_id: session.into(),
        transcript: format!("/home/dev/.claude/projects/p/{session}.jsonl").into(),
    };
    world.event(Event::Hook(id, event));
}

fn failure() -> Happened {
    Happened::StopFailure {
        text: THROTTLE.into(),
    }
}

fn draw(world: &mut Fake) {
    let frame = world.outside.frame();
    world.event(Event::ChildOutput(&frame));
}

fn types(world: &mut Fake, keys: &str) {
    world.event(Event::UserInput(keys.as_bytes()));
}

/// A session whose hook lives; the user has asked something.
fn asked(settings: Settings) -> Fake {
    let mut world = World::new(settings, Size::new(ROWS, COLS), world::WALL, FakeCli::new());
    draw(&mut world);
    world.run_for(S(1));
    tells(&mut world, 100, Happened::SessionStart);
    types(&mut world, "hello");
    types(&mut world, "\r");
    tells(&mut world, 101, Happened::UserPromptSubmit);
    world.run_for(S(1));
    world
}

/// The turn fails on the screen and in the transcript.
fn fails(world: &mut Fake) {
    let now = world.now().unix_ms;
    let frame = world.outside.fails(now, THROTTLE);
    world.event(Event::ChildOutput(&frame));
}

/// It has failed, the hook has told of it, and a second of the wait is over.
fn throttled(settings: Settings) -> Fake {
    let mut world = asked(settings);
    fails(&mut world);
    tells(&mut world, FIRST, failure());
    world.run_for(S(1));
    assert!(matches!(world.session.state(), State::Waiting(_)));
    world
}

fn turns(world: &Fake) -> Vec<&str> {
    world.outside.turns.iter().map(String::as_str).collect()
}

fn count(world: &Fake, event: &str) -> usize {
    let of = |record: &&serde_json::Value| record["event"] == event;
    world.log.iter().filter(of).count()
}

#[test]
fn into_a_free_prompt_it_is_typed_and_the_hook_is_let_go() {
    let mut world = throttled(settings());
    world.run_for(WAIT);
    assert_eq!(turns(&world), ["hello", "continue"]);
    tells(&mut world, 102, Happened::UserPromptSubmit);
    world.run_for(S(10));
    assert_eq!(world.answers, [(FIRST, Answer::LetGo)]);
}

#[test]
fn a_draft_stays_and_the_hook_resumes() {
    let mut world = throttled(settings());
    types(&mut world, "my draft");
    world.run_for(S(9));
    assert!(matches!(world.session.state(), State::Paused { .. }));
    // Left alone for ten seconds: what was left of the wait is counted down.
    world.run_for(S(2));
    assert!(matches!(world.session.state(), State::Waiting(_)));
    world.run_for(S(3));
    assert_eq!(turns(&world), ["hello", "(woken)"]);
    assert_eq!(world.outside.draft, "my draft");
    assert_eq!(world.answers, [(FIRST, Answer::Resume)]);
    assert_eq!((count(&world, "typing"), count(&world, "woken")), (0, 1));
    assert_eq!(count(&world, "resumed"), 1);

    // And again, with the draft still there: nobody is typing, so there is no pause.
    tells(&mut world, 102, Happened::UserPromptSubmit);
    fails(&mut world);
    tells(&mut world, 2, failure());
    world.run_for(WAIT + S(1));
    assert_eq!(turns(&world), ["hello", "(woken)", "(woken)"]);
    assert_eq!(world.outside.draft, "my draft");
    assert_eq!(world.answers[1..], [(2, Answer::Resume)]);

    // The hook tells of the end, whatever stands in the prompt.
    let now = world.now().unix_ms;
    let frame = world.outside.answers(now, "All done.");
    world.event(Event::ChildOutput(&frame));
    tells(&mut world, 103, Happened::Stop);
    world.run_for(S(1));
    assert_eq!(count(&world, "turn-ok"), 1);
}

#[test]
fn a_draft_that_reads_like_the_message_is_a_draft() {
    let mut world = throttled(settings());
    types(&mut world, "continue");
    world.run_for(S(30));
    assert_eq!(turns(&world), ["hello", "(woken)"]);
    // The turn is not seen to run: the CLI is slow. The draft is not ours to clear.
    world.outside.busy = false;
    draw(&mut world);
    world.child.clear();
    world.run_for(S(30));
    assert!(world.child.is_empty());
    assert_eq!(world.outside.draft, "continue");
}

#[test]
fn under_a_dialog_nothing_is_asked_for_until_that_closes_and_the_bar_says_so() {
    for (draft, turn) in [("", "continue"), ("my draft", "(woken)")] {
        let mut world = throttled(settings());
        world.outside.draft = draft.into();
        world.outside.face = Face::Dialog;
        draw(&mut world);
        world.run_for(S(60));
        assert!(world.answers.is_empty());
        let shown = String::from_utf8_lossy(&world.tty).into_owned();
        assert!(shown.contains("goes on when the dialog closes"));
        assert!(matches!(world.session.state(), State::HoldingOff { .. }));
        let frame = world.outside.closes();
        world.event(Event::ChildOutput(&frame));
        world.run_for(S(1));
        assert_eq!(turns(&world), ["hello", turn]);
        assert_eq!(world.outside.draft, draft);
        assert_eq!(count(&world, "resumed"), 1);
    }
}

/// The user takes the turn back in a dialog: the error leaves the screen, the transcript says nothing.
fn rewound(draft: &str) -> Fake {
    let mut world = throttled(settings());
    world.outside.face = Face::Dialog;
    draw(&mut world);
    world.run_for(S(1));
    world.outside.conversation.clear();
    world.outside.draft = draft.into();
    let frame = world.outside.closes();
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(60));
    world
}

#[test]
fn a_turn_that_was_taken_back_is_not_resumed() {
    for draft in ["", "hello", "@src/main.rs hello", "/review"] {
        let mut world = rewound(draft);
        assert_eq!(turns(&world), ["hello"], "{draft:?}");
        assert!(world.answers.is_empty());
        let held = world.log.iter().filter(|record| record["event"] == "hold");
        assert!(held.count() <= 2, "{:?}", world.log);
        // What the user asks then is the next turn.
        types(&mut world, "\x15");
        types(&mut world, "again");
        types(&mut world, "\r");
        tells(&mut world, 102, Happened::UserPromptSubmit);
        world.run_for(S(60));
        assert_eq!(turns(&world), ["hello", "again"]);
        assert_eq!(world.answers, [(FIRST, Answer::LetGo)]);
    }
}

#[test]
fn an_error_that_comes_into_sight_again_is_resumed() {
    let mut world = rewound("");
    world.outside.conversation.push(format!("● {THROTTLE}"));
    draw(&mut world);
    world.run_for(S(2));
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn work_that_shows_for_a_moment_does_not_end_it_for_good() {
    let mut world = throttled(settings());
    world.outside.busy = true;
    draw(&mut world);
    world.run_for(S(2));
    assert_eq!(world.answers, [(FIRST, Answer::LetGo)]);
    world.outside.busy = false;
    draw(&mut world);
    world.run_for(WAIT + S(2));
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn who_comes_back_to_a_session_finds_history() {
    let mut world = throttled(settings());
    let before = world.outside.report.clone();
    types(&mut world, "/clear");
    types(&mut world, "\x15");
    world.outside.deaf = true;
    types(&mut world, "\r");
    world.outside.report = Report::Pending;
    world.run_for(S(30));
    assert_eq!(world.answers, [(FIRST, Answer::LetGo)]);
    world.outside.deaf = false;
    world.outside.report = before;
    world.outside.conversation.push("● again".into());
    world.outside.conversation.push(format!("● {THROTTLE}"));
    draw(&mut world);
    world.run_for(S(60));
    assert_eq!(turns(&world), ["hello"]);
}

#[test]
fn cancel_ends_the_hook_with_nothing() {
    let mut world = throttled(settings());
    types(&mut world, "\x03");
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello"]);
    assert_eq!(world.answers, [(FIRST, Answer::LetGo)]);
}

#[test]
fn now_is_now_for_the_hook_too() {
    let mut world = throttled(Settings {
        resume: ResumeMode::Hook,
        ..settings()
    });
    world.child.clear();
    types(&mut world, "\r");
    assert_eq!(turns(&world), ["hello", "(woken)"]);
    assert!(world.child.is_empty());
}

#[test]
fn resume_by_typing_only_waits_for_the_prompt() {
    let mut world = throttled(Settings {
        resume: ResumeMode::Type,
        ..settings()
    });
    types(&mut world, "my draft");
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello"]);
    assert!(world.answers.is_empty());
    types(&mut world, "\x15");
    world.run_for(S(2));
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn resume_by_the_hook_only_never_types() {
    let mut world = throttled(Settings {
        resume: ResumeMode::Hook,
        ..settings()
    });
    world.child.clear();
    world.run_for(S(10));
    assert_eq!(turns(&world), ["hello", "(woken)"]);

    // No process waits: there is no way.
    fails(&mut world);
    tells(&mut world, 2, failure());
    world.run_for(S(1));
    world.event(Event::HookGone(2));
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello", "(woken)"]);
    assert!(world.child.is_empty());
    assert!(matches!(world.session.state(), State::HoldingOff { .. }));
}

#[test]
fn an_error_that_the_living_hook_does_not_tell_of_is_not_ours() {
    let mut world = asked(settings());
    fails(&mut world);
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello"]);
    let kept_out = world.log.iter().any(|record| {
        record["verdict"] == "keep-out"
            && record["reason"]
                .as_str()
                .is_some_and(|reason| reason.contains("hook"))
    });
    assert!(kept_out, "{:?}", world.log);
}

#[test]
fn a_hook_that_was_turned_off_is_missed_once_and_then_not_waited_for() {
    let mut world = throttled(settings());
    world.run_for(WAIT);
    tells(&mut world, 102, Happened::UserPromptSubmit);
    tells(&mut world, 103, Happened::Stop);
    let now = world.now().unix_ms;
    let frame = world.outside.answers(now, "All done.");
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(1));
    // From here on it tells nothing any more.
    types(&mut world, "next");
    types(&mut world, "\r");
    world.run_for(S(1));
    fails(&mut world);
    world.run_for(S(10));
    assert_eq!(turns(&world), ["hello", "continue", "next", "continue"]);
}

#[test]
fn an_event_whose_turn_did_not_end_in_that_error_is_stood_down() {
    // A failed `/compact`: the same event and the same words, and no error line.
    let mut world = asked(settings());
    let now = world.now().unix_ms;
    let frame = world.outside.answers(now, "All done.");
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(1));
    tells(&mut world, FIRST, failure());
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello"]);
    assert_eq!(world.answers, [(FIRST, Answer::LetGo)]);
    assert_eq!(world.session.state(), &State::Watching);
}

#[test]
fn an_event_of_another_error_than_the_transcripts_is_stood_down() {
    let mut world = asked(settings());
    fails(&mut world);
    let text = "API Error: 529 Overloaded. This is a server-side issue".into();
    tells(&mut world, FIRST, Happened::StopFailure { text });
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello"]);
    assert_eq!(world.answers, [(FIRST, Answer::LetGo)]);
}

#[test]
fn without_a_transcript_the_hook_alone_proves_nothing() {
    let mut world = asked(Settings {
        transcript: TranscriptMode::Off,
        ..settings()
    });
    world.outside.busy = false;
    draw(&mut world);
    tells(&mut world, FIRST, failure());
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello"]);
    assert_eq!(world.answers, [(FIRST, Answer::LetGo)]);
}

#[test]
fn what_covers_the_screen_does_not_hide_a_failed_turn() {
    let mut world = asked(settings());
    world.outside.face = Face::Dialog;
    draw(&mut world);
    world.run_for(S(1));
    let now = world.now().unix_ms;
    drop(world.outside.fails(now, THROTTLE));
    // The dialog covers where it stands.
    let error = world.outside.conversation.pop().expect("the error");
    draw(&mut world);
    tells(&mut world, FIRST, failure());
    world.run_for(WAIT + S(12));
    assert!(matches!(world.session.state(), State::HoldingOff { .. }));
    world.outside.conversation.push(error);
    let frame = world.outside.closes();
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(1));
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn an_error_that_is_scrolled_away_is_one_all_the_same_but_not_after_an_enter() {
    for enter in [false, true] {
        let mut world = asked(settings());
        let now = world.now().unix_ms;
        drop(world.outside.fails(now, THROTTLE));
        drop(world.outside.conversation.pop());
        draw(&mut world);
        world.run_for(S(1));
        if enter {
            world.outside.deaf = true;
            types(&mut world, "\r");
            world.outside.deaf = false;
        }
        tells(&mut world, FIRST, failure());
        world.run_for(WAIT + S(3));
        let resumed: &[&str] = if enter {
            &["hello"]
        } else {
            &["hello", "continue"]
        };
        assert_eq!(turns(&world), resumed);
        let answer = if enter { Answer::LetGo } else { Answer::Resume };
        assert!(!enter || world.answers == [(FIRST, answer)]);
    }
}

#[test]
fn a_prompt_that_takes_nothing_is_given_up_where_the_hook_is_not_wanted() {
    let mut world = throttled(Settings {
        resume: ResumeMode::Type,
        ..settings()
    });
    world.outside.deaf = true;
    world.run_for(S(300));
    assert_eq!((count(&world, "typing"), count(&world, "gave-up")), (2, 1));
    assert_eq!(world.answers, [(FIRST, Answer::LetGo)]);
}

#[test]
fn an_event_that_comes_late_opens_the_way() {
    let mut world = throttled(Settings {
        resume: ResumeMode::Hook,
        ..settings()
    });
    world.event(Event::HookGone(FIRST));
    world.run_for(S(60));
    assert_eq!(turns(&world), ["hello"]);
    tells(&mut world, 2, failure());
    world.run_for(S(1));
    assert_eq!(turns(&world), ["hello", "(woken)"]);
}

#[test]
fn the_next_error_keeps_its_own_hook_where_the_transcript_lags() {
    let mut world = throttled(settings());
    world.event(Event::HookGone(FIRST));
    types(&mut world, "never mind");
    let before = world.outside.report.clone();
    types(&mut world, "\r");
    tells(&mut world, 102, Happened::UserPromptSubmit);
    fails(&mut world);
    let now = std::mem::replace(&mut world.outside.report, before);
    tells(&mut world, 2, failure());
    world.outside.report = now;
    world.run_for(S(30));
    assert_eq!(turns(&world), ["hello", "never mind", "continue"]);
}

#[test]
fn a_failed_turn_under_work_that_goes_on_is_judged_when_that_is_over() {
    let mut world = asked(settings());
    let now = world.now().unix_ms;
    drop(world.outside.fails(now, THROTTLE));
    // Agents in the background, for one.
    world.outside.busy = true;
    draw(&mut world);
    tells(&mut world, FIRST, failure());
    world.run_for(S(30));
    assert!(world.answers.is_empty());
    assert_eq!(turns(&world), ["hello"]);
    world.outside.busy = false;
    draw(&mut world);
    world.run_for(WAIT + S(2));
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn a_usage_limit_on_the_screen_contradicts() {
    let mut world = asked(settings());
    let now = world.now().unix_ms;
    let frame = world
        .outside
        .fails(now, "You've hit your session limit · resets 4:04am (UTC)");
    world.event(Event::ChildOutput(&frame));
    if let Report::Turn(turn) = &mut world.outside.report {
        turn.ending = Ending::ApiError {
            text: THROTTLE.into(),
            error: None,
            status: None,
        };
    }
    tells(&mut world, FIRST, failure());
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello"]);
    assert_eq!(world.answers, [(FIRST, Answer::LetGo)]);
}

#[test]
fn a_usage_limit_by_the_hook_is_left_alone() {
    let mut world = asked(settings());
    let text = "You've hit your session limit · resets 4:04am (UTC)";
    let now = world.now().unix_ms;
    let frame = world.outside.fails(now, text);
    world.event(Event::ChildOutput(&frame));
    tells(
        &mut world,
        FIRST,
        Happened::StopFailure { text: text.into() },
    );
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello"]);
    assert_eq!(world.answers, [(FIRST, Answer::LetGo)]);
}

#[test]
fn two_events_of_one_error_resume_once() {
    let mut world = throttled(settings());
    types(&mut world, "my draft");
    tells(&mut world, 2, failure());
    world.run_for(S(60));
    assert_eq!(turns(&world), ["hello", "(woken)"]);
    world.run_for(S(60));
    let mut answers = world.answers.clone();
    answers.sort_by_key(|(id, _)| *id);
    assert_eq!(answers, [(FIRST, Answer::Resume), (2, Answer::LetGo)]);
}

#[test]
fn another_error_in_the_wait_is_the_one_that_counts() {
    let mut world = throttled(settings());
    types(&mut world, "never mind");
    types(&mut world, "\r");
    tells(&mut world, 102, Happened::UserPromptSubmit);
    fails(&mut world);
    tells(&mut world, 2, failure());
    world.run_for(S(30));
    assert_eq!(turns(&world), ["hello", "never mind", "continue"]);
    assert!(world.answers.contains(&(FIRST, Answer::LetGo)));
}

#[test]
fn a_user_who_goes_on_in_the_wait_is_left_to_it() {
    let mut world = throttled(settings());
    types(&mut world, "never mind");
    types(&mut world, "\r");
    tells(&mut world, 102, Happened::UserPromptSubmit);
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello", "never mind"]);
    assert_eq!(world.answers, [(FIRST, Answer::LetGo)]);
}

#[test]
fn late_news_of_the_failed_turn_does_not_end_the_wait() {
    let mut world = asked(settings());
    fails(&mut world);
    tells(&mut world, FIRST, failure());
    world.run_for(S(1));
    tells(&mut world, 101, Happened::UserPromptSubmit);
    world.run_for(WAIT);
    assert_eq!(turns(&world), ["hello", "continue"]);
}

#[test]
fn another_session_in_the_wait_ends_it() {
    let mut world = throttled(settings());
    tells_of("another", &mut world, 102, Happened::SessionStart);
    assert_eq!(world.answers, [(FIRST, Answer::LetGo)]);
    world.outside.report = Report::Pending;
    world.outside.conversation.clear();
    draw(&mut world);
    world.run_for(S(100));
    assert_eq!(turns(&world), ["hello"]);
}

#[test]
fn a_hooks_process_that_is_gone_leaves_the_typing() {
    let mut world = throttled(settings());
    world.event(Event::HookGone(FIRST));
    world.run_for(WAIT);
    assert_eq!(turns(&world), ["hello", "continue"]);
    assert!(world.answers.is_empty());
}

#[test]
fn a_prompt_that_does_not_take_the_message_leaves_the_hook() {
    let mut world = throttled(settings());
    world.outside.deaf = true;
    world.run_for(S(60));
    assert_eq!(turns(&world), ["hello", "(woken)"]);
    assert_eq!(world.answers, [(FIRST, Answer::Resume)]);
}

#[test]
fn six_resumes_and_the_seventh_hook_is_let_go() {
    let mut world = throttled(Settings {
        resume: ResumeMode::Hook,
        ..settings()
    });
    for n in 2..=7 {
        world.run_for(WAIT);
        fails(&mut world);
        tells(&mut world, n, failure());
        world.run_for(S(1));
    }
    world.run_for(S(100));
    assert_eq!(turns(&world).len(), 7);
    assert_eq!(world.answers.last(), Some(&(7, Answer::LetGo)));
    assert_eq!(count(&world, "gave-up"), 1);
}
