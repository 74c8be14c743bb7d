//! What must hold on whatever screen, with whatever the other witnesses say: random text, random edits of
//! the recorded screens, random orders of events. The same cases in every run;
//! `CLAUDE_RETRY_FUZZ=n` makes them n times as many.

#[path = "../fuzz/src/banner_prompt.rs"]
mod banner_prompt;
#[path = "support/cast.rs"]
mod cast;
#[path = "fuzz/dictionary.rs"]
mod dictionary;
#[path = "properties/edit.rs"]
mod edit;
#[path = "support/fake.rs"]
mod fake;
#[path = "properties/order.rs"]
mod order;
#[path = "fuzz/recorded.rs"]
mod recorded;
#[path = "support/replay.rs"]
mod replay;
#[allow(dead_code, reason = "inputs are made by the fuzz targets' seeds alone")]
#[path = "../fuzz/src/step.rs"]
mod step;
#[path = "properties/truth.rs"]
mod truth;
#[path = "properties/watch.rs"]
mod watch;
#[path = "support/world.rs"]
mod world;

use std::cell::Cell;
use std::sync::LazyLock;

use claude_retry::supervisor::banner::{self, Banner, Title};
use claude_retry::supervisor::prompt::{self, Prompt};
use claude_retry::supervisor::transcript::{Ending, Report};
use claude_retry::supervisor::verdict::{
    self, HookWitness, Status, Verdict, Witnesses, same_error,
};
use claude_retry::supervisor::wording::{self, Catalogue, Class, Reading};
use claude_retry::term::screen::Screen;
use edit::{edited, edits};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use truth::Truth;
use watch::{Before, Done, Hook, watch};

const THROTTLE: &str = "API Error: Server is temporarily limiting requests (not your usage limit)";
const OVERLOADED: &str = "API Error: 529 Overloaded";

/// Runs a property on that many cases, the same ones each time.
fn holds<S: Strategy>(cases: u32, values: &S, property: impl Fn(S::Value)) {
    let times = std::env::var("CLAUDE_RETRY_FUZZ").map_or(1, |n| n.parse().expect("a number"));
    let config = Config {
        cases: cases * times,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let result = TestRunner::new_with_rng(config, rng).run(values, |value| {
        property(value);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// The last screens of all recordings.
static SCREENS: LazyLock<Vec<Screen>> = LazyLock::new(recorded::last_screens);

/// Those of them that show a transient error above a free prompt.
static FAILED: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let failed = |screen: &Screen| is_transient(screen) && prompt::read(screen) == Prompt::Free;
    let all = SCREENS.iter().enumerate();
    all.filter(|(_, screen)| failed(screen))
        .map(|(n, _)| n)
        .collect()
});

fn is_transient(screen: &Screen) -> bool {
    banner::find(screen).is_some_and(|b| matches!(b.reading, Reading::Transient(_)))
}

/// A recorded screen, edited.
fn screen() -> impl Strategy<Value = Screen> {
    (0..SCREENS.len(), edits()).prop_map(|(n, edits)| edited(&SCREENS[n], &edits))
}

/// The same of one whose turn failed.
fn failed_screen() -> impl Strategy<Value = Screen> {
    let failed = proptest::sample::select(FAILED.as_slice());
    (failed, edits()).prop_map(|(n, edits)| edited(&SCREENS[n], &edits))
}

#[test]
fn random_text_is_read_without_a_panic() {
    let token = prop_oneof![
        3 => (0..dictionary::SCREEN.len()).prop_map(|n| dictionary::SCREEN[n].to_vec()),
        1 => "\\PC{1,20}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 1..8),
    ];
    let text = proptest::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat());
    holds(400, &text, |text| banner_prompt::check(&text));
}

#[test]
fn an_edited_screen_is_read_without_a_panic() {
    holds(3_000, &screen(), |screen| {
        banner_prompt::check_screen(&screen);
    });
}

const HOPELESS: &[&str] = &[
    "You've hit your session limit · resets 3am",
    "API Error: 401 Invalid API key",
    "Prompt is too long",
    "API Error: something that nobody has seen before",
    "All done.",
    "",
];

/// Says that the turn is not to be resumed.
fn settled() -> impl Strategy<Value = Truth> {
    prop_oneof![
        Just(Truth::Answered),
        Just(Truth::Asked),
        (0..HOPELESS.len()).prop_map(|n| Truth::Hopeless(HOPELESS[n])),
        Just(Truth::Old(THROTTLE)),
        Just(Truth::Old(OVERLOADED)),
        Just(Truth::Pending),
    ]
}

fn truth() -> impl Strategy<Value = Truth> {
    prop_oneof![
        settled(),
        Just(Truth::Failed(THROTTLE)),
        Just(Truth::Failed(OVERLOADED))
    ]
}

fn hook() -> impl Strategy<Value = Hook> {
    let told = prop_oneof![Just(""), Just(THROTTLE), Just(OVERLOADED)];
    prop_oneof![
        3 => Just(Hook::Absent),
        1 => Just(Hook::Silent),
        2 => told.prop_map(|text| Hook::Tells(text.to_owned())),
    ]
}

fn before() -> impl Strategy<Value = Before> {
    (any::<bool>(), hook()).prop_map(|(busy, hook)| Before { busy, hook })
}

/// The heart of it: the transcript says that nothing is to be resumed, so nothing is, whatever stands on
/// the screen and whatever a hook tells.
#[test]
fn a_transcript_that_says_no_is_the_last_word() {
    let case = (
        proptest::collection::vec(prop_oneof![screen(), failed_screen()], 1..3),
        settled(),
        before(),
    );
    let candidates = Cell::new(0);
    holds(250, &case, |(screens, truth, before)| {
        let report = truth.report();
        assert_eq!(watch(&screens, &report, &before), Done::default());
        candidates.set(candidates.get() + u32::from(screens.iter().any(is_transient)));
    });
    assert!(candidates.get() > 100, "{} candidates", candidates.get());
}

/// The transcript says yes: the message is typed, if at all, into a free prompt, and once.
#[test]
fn nothing_is_typed_but_into_a_free_prompt() {
    let case = (failed_screen(), before());
    let typed = Cell::new(0);
    holds(500, &case, |(screen, before)| {
        let text = match banner::find(&screen).map(|banner| banner.reading) {
            Some(Reading::Transient(Class::Overloaded)) => OVERLOADED,
            _ => THROTTLE,
        };
        let done = watch(&[screen], &Truth::Failed(text).report(), &before);
        for prompt in &done.typed_into {
            assert_eq!(*prompt, Prompt::Free);
        }
        typed.set(typed.get() + done.typed_into.len());
    });
    assert!(typed.get() > 100, "typed {} times", typed.get());
}

/// What the verdict is asked with.
#[derive(Clone, Debug)]
struct Asked {
    screen: Screen,
    truth: Option<Truth>,
    hook: Hook,
    handled: bool,
    known: bool,
    entered: Option<i8>,
    busy_seen: bool,
    status: Status,
    retry_on: Vec<Class>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let classes = proptest::sample::subsequence(Class::ALL.to_vec(), 0..=Class::ALL.len());
    let few = prop_oneof![Just(Class::ALL.to_vec()), classes];
    (
        screen(),
        proptest::option::weighted(0.8, truth()),
        hook(),
        proptest::bool::weighted(0.1),
        any::<bool>(),
        proptest::option::of(-2_i8..3),
        any::<bool>(),
        prop_oneof![
            3 => Just(Status::Unknown),
            3 => Just(Status::Idle),
            1 => Just(Status::Busy),
        ],
        few,
    )
        .prop_map(
            |(screen, truth, hook, handled, known, entered, busy_seen, status, retry_on)| Asked {
                screen,
                truth,
                hook,
                handled,
                known,
                entered,
                busy_seen,
                status,
                retry_on,
            },
        )
}

/// What the readers give, kept for as long as the witnesses borrow it.
struct Seen {
    banner: Option<Banner>,
    works: bool,
    title: Title,
    prompt: Prompt,
    report: Report,
    handled: Vec<String>,
}

impl Seen {
    fn of(asked: &Asked) -> Self {
        let handled = if asked.handled { "last" } else { "earlier" };
        Self {
            banner: banner::find(&asked.screen),
            works: banner::works(&asked.screen, Catalogue::builtin()),
            title: banner::title(&asked.screen.title),
            prompt: prompt::read(&asked.screen),
            report: asked.truth.as_ref().map_or(Report::Unknown, Truth::report),
            handled: vec![handled.to_owned()],
        }
    }

    /// The one place that puts the witnesses together.
    fn witnesses<'a>(&'a self, asked: &'a Asked) -> Witnesses<'a> {
        Witnesses {
            banner: self.banner.as_ref(),
            works: self.works,
            title: self.title,
            prompt: &self.prompt,
            status: asked.status,
            hook: match &asked.hook {
                Hook::Absent => HookWitness::Absent,
                Hook::Silent => HookWitness::Silent,
                Hook::Tells(text) => HookWitness::Told(text),
            },
            report: &self.report,
            handled: &self.handled,
            session_id: asked.known.then_some("session"),
            started_ms: world::WALL,
            entered_ms: asked
                .entered
                .map(|ms| world::WALL.saturating_add_signed(ms.into())),
            busy_seen: asked.busy_seen,
            retry_on: &asked.retry_on,
            catalogue: Catalogue::builtin(),
        }
    }
}

/// To act takes every witness: none says no, and either the transcript or the screen says yes.
#[test]
fn the_verdict_is_to_act_only_where_no_witness_contradicts() {
    let acts = Cell::new(0);
    holds(4_000, &asked(), |asked| {
        let seen = Seen::of(&asked);
        let Verdict::Act(failure) = verdict::judge(&seen.witnesses(&asked)) else {
            return;
        };
        acts.set(acts.get() + 1);
        assert!(!banner::busy(&asked.screen), "at work");
        assert_ne!(asked.status, Status::Busy, "at work by its file");
        assert!(asked.retry_on.contains(&failure.class), "left out");
        assert_ne!(asked.hook, Hook::Silent, "the hook is silent");
        let on_screen = seen.banner.as_ref().map(|banner| banner.reading);
        match on_screen {
            Some(Reading::Transient(class)) => assert_eq!(class, failure.class),
            Some(Reading::Unknown) | None => assert!(matches!(asked.hook, Hook::Tells(_))),
            other => panic!("on the screen {other:?}"),
        }
        match &seen.report {
            Report::Turn(turn) => {
                let Ending::ApiError { text, .. } = &turn.ending else {
                    panic!("the turn did not fail");
                };
                assert_eq!(wording::read(text), Reading::Transient(failure.class));
                assert!(turn.unix_ms >= world::WALL, "history");
                assert_eq!(failure.uuid.as_ref(), Some(&turn.uuid));
                assert!(!asked.handled, "dealt with already");
                if let Hook::Tells(told) = &asked.hook {
                    assert!(same_error(told, text), "the hook told of another");
                }
            }
            Report::Unknown => {
                assert!(
                    on_screen.is_some() && asked.busy_seen,
                    "by the screen alone"
                );
            }
            Report::Pending => panic!("the transcript is not there yet"),
        }
    });
    assert!(acts.get() > 100, "{} acts", acts.get());
}
