//! What the companion hook must get right beyond the grid: drafts, races with the user, several sessions, and
//! no trace behind.

use std::time::{Duration, SystemTime};

use super::checks::{
    AT_REST, BANNER, DONE, DRAWN, drawn, failed, no_resume_among, recovered, resumed, same_rows,
};
use super::mode::Mode::{self, Alone, Hook, Typing};
use super::scenarios::{ENDLESS, SETTING_UP, Scenario, scenario};
use super::setup::Setup;
use super::stage::{Outcome, RESUMED, Stage, ensure, is_rewake};
use super::versions;
use crate::support::api::Answer;
use crate::support::terminal::Key;

const DRAFT: &str = "my half typed draft";
/// Longer than the wait of [`SETTING_UP`].
const LONGER: Duration = Duration::from_secs(3);
/// The CLI reads its settings again within 3 s, on a busy machine within 5; nothing tells when it has.
const SETTINGS_READ: Duration = Duration::from_secs(5);

/// Two Esc presses that the CLI takes for two keys, and still for a pair.
const ESCAPES_APART: Duration = Duration::from_millis(150);

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    let throttled = || Setup::new([Answer::throttle(), Answer::text(DONE)]).wait(SETTING_UP);
    let twice = || Setup::new([Answer::throttle(), Answer::throttle(), Answer::text(DONE)]);
    let with_draft = || Setup::new([Answer::throttle().gated(), Answer::text(DONE)]).wait("1s");
    let by_hook: &[Mode] = &[Hook, Alone];
    let wrapped: &[Mode] = &[Typing, Hook];
    let mut all = vec![
        scenario(
            "draft-twice",
            by_hook,
            twice().wait(SETTING_UP),
            draft_twice,
        ),
        scenario("submits-40ms-before", &Mode::ALL, with_draft(), |stage| {
            submits(stage, -40)
        }),
        scenario("submits-at-the-end", &Mode::ALL, with_draft(), |stage| {
            submits(stage, 5)
        }),
        scenario("submits-60ms-after", &Mode::ALL, with_draft(), |stage| {
            submits(stage, 60)
        }),
        scenario(
            "two-sessions",
            &Mode::ALL,
            twice().wait(SETTING_UP),
            two_sessions,
        ),
        scenario("clear-in-the-wait", &Mode::ALL, throttled(), clears),
        scenario(
            "resume-in-the-wait",
            &Mode::ALL,
            Setup::new([
                Answer::text("First answer.").gated(),
                Answer::throttle(),
                Answer::text(DONE),
            ])
            .wait(SETTING_UP),
            opens_another,
        ),
        scenario("rewound-in-the-wait", wrapped, throttled(), rewinds),
        scenario(
            "another-picked-after-the-wait",
            wrapped,
            Setup::new([
                Answer::text("First answer.").gated(),
                Answer::throttle(),
                Answer::text(DONE),
            ])
            .wait(SETTING_UP),
            picks_another,
        ),
        scenario(
            "quit-in-the-wait",
            &Mode::ALL,
            throttled().wait(ENDLESS),
            quits,
        ),
        scenario(
            "six-in-a-row",
            by_hook,
            Setup::new([Answer::throttle()])
                .wait("100ms")
                .env("CLAUDE_RETRY_RESUME", "hook"),
            six_in_a_row,
        ),
        scenario(
            "started-before",
            &[Alone],
            Setup::new(
                [
                    Answer::text("At work."),
                    Answer::throttle(),
                    Answer::text(DONE),
                ]
                .into_iter()
                .zip([3, 3, 1])
                .flat_map(|(answer, times)| vec![answer; times])
                .collect::<Vec<_>>(),
            )
            .wait(SETTING_UP),
            started_before,
        ),
        scenario(
            "installed-but-off",
            &[Typing],
            throttled().wait("400ms"),
            installed_but_off,
        ),
    ];
    // 2.1.145 has but the one from its settings.
    for mut two in [
        scenario(
            "installed-too",
            &[Hook],
            throttled().wait("400ms"),
            installed_too,
        ),
        scenario(
            "installed-too-draft",
            &[Hook],
            with_draft(),
            installed_too_draft,
        ),
    ] {
        two.since = versions::PLUGIN_DIRS;
        all.push(two);
    }
    all
}

/// The event of the log that tells of a resume by the hook.
fn by_hook(stage: &Stage) -> &'static str {
    if stage.mode == Alone {
        "hook-resumed"
    } else {
        "woken"
    }
}

/// The user's own draft stands in the prompt over two failures and a recovery.
fn draft_twice(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    failed(stage)?;
    stage.prompt("")?;
    stage.type_text(DRAFT)?;
    stage.prompt(DRAFT)?;
    let before = drawn(stage)?;
    stage.logged_times(by_hook(stage), 2)?;
    stage.turns(3)?;
    stage.see_text(DONE)?;
    resumed(stage, 2)?;
    stage.quiet(AT_REST)?;
    stage.expect_turns(&["hello there", RESUMED, RESUMED])?;
    only_rewakes(stage)?;
    stage.expect_no_event(&["typing"])?;
    same_rows(stage, &before, DRAFT)
}

/// Whatever was resumed, the hook did it.
fn only_rewakes(stage: &Stage) -> Outcome {
    let turns = stage.api.turns();
    ensure(turns.iter().skip(1).all(|turn| is_rewake(turn)), || {
        format!("not all by the hook: {turns:?}")
    })
}

/// A draft stands there from before the error; it is submitted so many milliseconds after the end of the
/// wait. Whoever wins: one turn of the user's, and at most one of ours.
fn submits(stage: &mut Stage, after_ms: i64) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    stage.turns(1)?;
    stage.type_text("and now")?;
    stage.prompt("and now")?;
    stage.api.release();
    let waiting = stage.logged(stage.waiting())?;
    pass_until(stage, &waiting, after_ms)?;
    stage.press(Key::Enter)?;
    let users = |stage: &Stage| {
        let turns = stage.api.turns();
        let is = |turn: &&String| turn.contains("and now") && !is_rewake(turn);
        turns.iter().filter(is).count()
    };
    stage.wait("the user's turn", |stage| (users(stage) > 0).then_some(()))?;
    stage.see_text(DONE)?;
    stage.prompt("")?;
    stage.quiet(AT_REST)?;
    let turns = stage.api.turns();
    let ours = turns.iter().filter(|turn| stage.is_resume(turn)).count();
    ensure(
        users(stage) == 1 && ours <= 1 && turns.len() == 2 + ours,
        || format!("{ours} resumes among {turns:?}"),
    )
}

/// Waits until so many milliseconds after the wait that this line of the log tells of.
fn pass_until(stage: &Stage, waiting: &serde_json::Value, after_ms: i64) -> Outcome {
    let field = |name: &str| format!("no {name} in {waiting}");
    let since: jiff::Timestamp = waiting["time"]
        .as_str()
        .and_then(|time| time.parse().ok())
        .ok_or_else(|| field("time"))?;
    let wait = waiting["wait_ms"]
        .as_i64()
        .ok_or_else(|| field("wait_ms"))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(i64::MAX);
    let left = since.as_millisecond() + wait + after_ms - now;
    stage.pass(Duration::from_millis(u64::try_from(left).unwrap_or(0)));
    Ok(())
}

/// Both fail, each is resumed once.
fn two_sessions(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.set_aside();
    stage.start_again()?;
    stage.ask("hello there")?;
    stage.turns(1)?;
    stage.turn_to(0);
    stage.ask("and you")?;
    stage.logged_times(stage.waiting(), 2)?;
    stage.turns(4)?;
    for place in 0..2 {
        stage.see_text(DONE)?;
        stage.prompt("")?;
        if place == 0 {
            stage.turn_to(0);
        }
    }
    resumed(stage, 2)?;
    stage.expect_turns(&["hello there", "and you", RESUMED, RESUMED])
}

/// The failed turn is not in this conversation any more.
fn clears(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    failed(stage)?;
    stage.prompt("")?;
    stage.type_text("/clear")?;
    stage.prompt("/clear")?;
    stage.press(Key::Enter)?;
    stage.see("a screen without the error", |screen| !screen.shows(BANNER))?;
    stage.prompt("")?;
    stood_down(stage)?;
    stage.expect_turns(&["hello there"])
}

/// The user opens another conversation in the wait.
fn opens_another(stage: &mut Stage) -> Outcome {
    opens_list_in_the_wait(stage)?;
    picks_first(stage)?;
    stage.prompt("")?;
    stood_down(stage)?;
    stage.expect_turns(&["first talk", "hello there"])
}

/// There is a session that has ended well, and now one that has failed; the user opens the list of them.
fn opens_list_in_the_wait(stage: &mut Stage) -> Outcome {
    stage.launch_with(&[], false)?;
    stage.ask("first talk")?;
    // 2.1.145 may write a quick answer before the question, and then shows only that again.
    stage.turns(1)?;
    stage.written(&["\"type\":\"user\"", "first talk"])?;
    stage.api.release();
    stage.see_text("First answer.")?;
    stage.prompt("")?;
    // Ended at once, the CLI may leave its transcript without the answer.
    stage.written(&["\"type\":\"assistant\"", "First answer."])?;
    // A Ctrl+C before the turn is over interrupts it.
    stage.quiet(AT_REST)?;
    exits(stage)?;

    stage.start()?;
    stage.ask("hello there")?;
    failed(stage)?;
    stage.prompt("")?;
    stage.type_text("/resume")?;
    stage.prompt("/resume")?;
    stage.press(Key::Enter)?;
    stage.see_text("first talk").map(drop)
}

/// Picks the first of the list, which does not take every Enter while it loads.
fn picks_first(stage: &Stage) -> Outcome {
    stage.poll("the other session", |stage| {
        if !stage.screen().shows("First answer.") {
            stage.press(Key::Enter).ok()?;
            stage.pass(AT_REST);
        }
        stage.screen().shows("First answer.").then_some(())
    })
}

/// Nothing is to be done any more, now or once the wait is over.
fn stood_down(stage: &Stage) -> Outcome {
    stage.logged_any(&[
        "hook-let-go",
        "stood-down",
        "typing",
        "woken",
        "hook-resumed",
    ])?;
    stage.pass(LONGER);
    stage.expect_no_event(&["typing", "woken", "resumed", "hook-resumed"])?;
    no_resume_among(stage)
}

/// The user ends the CLI.
fn exits(stage: &Stage) -> Outcome {
    stage.press(Key::Ctrl(b'c'))?;
    stage.see_text("again to exit")?;
    stage.press(Key::Ctrl(b'c'))?;
    stage.ended().map(drop)
}

/// Nothing is left: no process, no folder.
fn quits(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    failed(stage)?;
    stage.prompt("")?;
    if stage.mode.wrapped() {
        // The first one is for us.
        stage.press(Key::Ctrl(b'c'))?;
        stage.logged("cancelled")?;
    } else {
        hook_waits(stage)?;
    }
    exits(stage)?;
    stage.poll("the end of all processes", |stage| {
        stage.home().processes().is_empty().then_some(())
    })?;
    let left = stage.home().left_by_wrappers();
    ensure(left.is_empty(), || format!("left behind: {left:?}"))
}

/// A process of ours waits as a hook.
pub(crate) fn hook_waits(stage: &Stage) -> Outcome {
    stage.poll("a hook that waits", |stage| {
        (!stage.home().hooks().is_empty()).then_some(())
    })
}

/// None does any more.
pub(crate) fn no_hook_waits(stage: &Stage) -> Outcome {
    stage.poll("the hook's end", |stage| {
        stage.home().hooks().is_empty().then_some(())
    })
}

/// Six resumes, and no more.
fn six_in_a_row(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    stage.logged_any(&["gave-up", "hook-let-go"])?;
    stage.quiet(AT_REST)?;
    let mut turns = vec!["hello there"];
    turns.extend([RESUMED; 6]);
    stage.expect_turns(&turns)?;
    only_rewakes(stage)?;
    no_hook_waits(stage)
}

/// Sessions that are at work already when the hook comes. 2.1.145 does not look for settings in a folder that
/// was not there when it started, and not right after the start.
fn started_before(stage: &mut Stage) -> Outcome {
    let folder = stage.home().path().join(".claude");
    std::fs::create_dir(&folder).map_err(|error| format!("no {}: {error}", folder.display()))?;
    for session in 0..3 {
        if session > 0 {
            stage.set_aside();
        }
        stage.start_again()?;
        stage.ask("begin")?;
        stage.see_text("At work.")?;
        stage.prompt("")?;
    }
    stage.pass(SETTINGS_READ);
    stage.install()?;
    stage.pass(SETTINGS_READ);
    for (place, text) in ["one", "two", "three"].into_iter().enumerate() {
        if place > 0 {
            stage.turn_to(place - 1);
        }
        stage.ask(text)?;
        stage.turns(place + 4)?;
    }
    stage.turns(9)?;
    for place in 0..3 {
        stage.see_text(DONE)?;
        stage.prompt("")?;
        if place < 2 {
            stage.turn_to(place);
        }
    }
    resumed(stage, 3)?;
    let mut turns = vec!["begin"; 3];
    turns.extend(["one", "two", "three", RESUMED, RESUMED, RESUMED]);
    stage.expect_turns(&turns)
}

/// The hook in the settings keeps out of what a wrapper does without it.
fn installed_but_off(stage: &mut Stage) -> Outcome {
    stage.install()?;
    once(stage)
}

/// The hook is there twice: from the wrapper, and from the settings.
fn installed_too(stage: &mut Stage) -> Outcome {
    stage.install()?;
    once(stage)
}

/// One resume, and none behind it.
fn once(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    let turns = ["hello there", RESUMED];
    recovered(stage, &turns)?;
    no_hook_waits(stage)?;
    stage.pass(AT_REST);
    stage.expect_no_event(&["hook-resumed"])?;
    stage.expect_turns(&turns)
}

fn installed_too_draft(stage: &mut Stage) -> Outcome {
    stage.install()?;
    stage.start()?;
    stage.ask("hello there")?;
    stage.turns(1)?;
    stage.type_text(DRAFT)?;
    stage.prompt(DRAFT)?;
    stage.api.release();
    failed(stage)?;
    let before = drawn(stage)?;
    stage.logged("woken")?;
    stage.turns(2)?;
    stage.see_text(DONE)?;
    resumed(stage, 1)?;
    no_hook_waits(stage)?;
    stage.pass(AT_REST);
    stage.expect_no_event(&["hook-resumed", "typing"])?;
    stage.expect_turns(&["hello there", RESUMED])?;
    same_rows(stage, &before, DRAFT)
}

/// The wrapper is due, and holds off.
fn holds_off(stage: &Stage, why: &str) -> Outcome {
    stage.sit_through(|| {
        stage.wait("a resume that is held off", |stage| {
            let holds = stage.events("hold");
            let this = |hold: &serde_json::Value| {
                hold["reason"]
                    .as_str()
                    .is_some_and(|reason| reason.contains(why))
            };
            holds.iter().any(this).then_some(())
        })
    })
}

/// The user takes back the message whose turn has failed: no line of the transcript tells.
fn rewinds(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    failed(stage)?;
    stage.prompt("")?;
    stage.press(Key::Escape)?;
    stage.pass(ESCAPES_APART);
    stage.press(Key::Escape)?;
    stage.see_text("Restore the code and/or conversation")?;
    stage.type_text("\x1b[A")?;
    stage.see("the message chosen", |screen| !screen.shows("❯ (current)"))?;
    stage.press(Key::Enter)?;
    stage.see_text("Restore conversation")?;
    // 2.1.200 draws it before it takes keys for it.
    stage.quiet(DRAWN)?;
    stage.press(Key::Enter)?;
    stage.prompt("hello there")?;
    // In the one mode the hook could resume past the draft, in the other nothing can.
    let why = if stage.mode == Hook {
        "not in sight"
    } else {
        "draft"
    };
    holds_off(stage, why)?;
    stage.press(Key::Ctrl(b'u'))?;
    stage.prompt("")?;
    holds_off(stage, "not in sight")?;
    stage.quiet(AT_REST)?;
    stage.expect_turns(&["hello there"])?;
    stage.ask("and now")?;
    stage.see_text(DONE)?;
    stage.quiet(AT_REST)?;
    stage.expect_no_event(&["typing", "woken"])?;
    stage.expect_turns(&["hello there", "and now"])
}

/// The list of sessions is open when the wait is over; then the user picks another one.
fn picks_another(stage: &mut Stage) -> Outcome {
    opens_list_in_the_wait(stage)?;
    holds_off(stage, "dialog")?;
    picks_first(stage)?;
    stage.logged("stood-down")?;
    stage.quiet(AT_REST)?;
    stage.expect_turns(&["first talk", "hello there"])
}
