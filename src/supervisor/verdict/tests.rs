//! Every combination of the witnesses, against a list of what contradicts an act; and each way.

use std::collections::BTreeMap;

use super::*;

const THROTTLE: &str = "API Error: Server is temporarily limiting requests (not your usage limit)";
const OVERLOADED: &str = "API Error: 529 Overloaded. This is a server-side issue";
const LIMIT: &str = "You've hit your session limit · resets 4:04am (UTC)";
const STRANGE: &str = "API Error: something quite new";

const STARTED: u64 = 1_000;
const FAILED: u64 = 2_000;

fn banner(text: &str, finished: bool) -> Option<Banner> {
    (!text.is_empty()).then(|| Banner {
        text: text.into(),
        reading: Catalogue::builtin().read(text),
        finished,
    })
}

fn turn(uuid: &str, unix_ms: u64, ending: Ending) -> Report {
    let consecutive_errors = u32::from(matches!(ending, Ending::ApiError { .. }));
    Report::Turn(LastTurn {
        uuid: uuid.into(),
        unix_ms,
        session_id: "s".into(),
        ending,
        consecutive_errors,
        unattended_errors: consecutive_errors,
    })
}

fn error(text: &str) -> Ending {
    Ending::ApiError {
        text: text.into(),
        error: None,
        status: None,
    }
}

/// Says of a case why nobody should act on it; none means that it is to be acted on.
type Objection = (&'static str, fn(&Witnesses<'_>) -> bool);

fn class_of(text: &str) -> Option<Class> {
    match text {
        THROTTLE => Some(Class::Throttle),
        OVERLOADED => Some(Class::Overloaded),
        _ => None,
    }
}

fn on_screen(w: &Witnesses<'_>) -> Option<Class> {
    class_of(&w.banner?.text)
}

fn is_told(w: &Witnesses<'_>) -> bool {
    matches!(w.hook, HookWitness::Told(_))
}

fn last<'a>(w: &Witnesses<'a>) -> Option<&'a LastTurn> {
    match w.report {
        Report::Turn(turn) => Some(turn),
        Report::Unknown | Report::Pending => None,
    }
}

fn last_error<'a>(w: &Witnesses<'a>) -> Option<&'a str> {
    match &last(w)?.ending {
        Ending::ApiError { text, .. } => Some(text),
        Ending::Assistant | Ending::User => None,
    }
}

/// Each by itself, in other words than the code's: none looks at what another one looks at first.
const OBJECTIONS: [Objection; 17] = [
    ("screen: at work", |w| w.works),
    ("title: busy", |w| w.title == Title::Busy),
    ("session file: busy", |w| w.status == Status::Busy),
    ("screen: no error, and nobody told of one", |w| {
        w.banner.is_none() && !is_told(w)
    }),
    (
        "screen: the error is not known, and nobody told of it",
        |w| {
            w.banner
                .is_some_and(|banner| banner.reading == Reading::Unknown)
                && !is_told(w)
        },
    ),
    ("screen: the error is no transient one", |w| {
        w.banner
            .is_some_and(|banner| matches!(banner.reading, Reading::Permanent(_)))
    }),
    ("settings: the screen's class is left out", |w| {
        on_screen(w).is_some_and(|class| !w.retry_on.contains(&class))
    }),
    ("settings: the transcript's class is left out", |w| {
        last_error(w)
            .and_then(class_of)
            .is_some_and(|class| !w.retry_on.contains(&class))
    }),
    ("transcript: not there yet", |w| {
        *w.report == Report::Pending
    }),
    ("transcript: no error", |w| {
        last(w).is_some() && last_error(w).is_none()
    }),
    ("transcript: no transient error", |w| {
        last_error(w).is_some_and(|text| class_of(text).is_none())
    }),
    ("transcript: another class than the screen's", |w| {
        let told = last_error(w).and_then(class_of);
        on_screen(w)
            .zip(told)
            .is_some_and(|(screen, told)| screen != told)
    }),
    ("transcript: dealt with, or history", |w| {
        last(w).is_some_and(|turn| {
            w.handled.contains(&turn.uuid) || turn.unix_ms < w.started_ms
                // The session is not known here: what is older than an Enter may be another one's.
                || w.entered_ms.is_some_and(|entered| turn.unix_ms < entered)
        })
    }),
    ("no transcript, no error in sight", |w| {
        *w.report == Report::Unknown && on_screen(w).is_none()
    }),
    ("no transcript, no turn seen", |w| {
        *w.report == Report::Unknown && !w.busy_seen
    }),
    ("no transcript, and the line of a finished turn", |w| {
        *w.report == Report::Unknown && w.banner.is_some_and(|banner| banner.finished)
    }),
    ("hook: silent, or of another error", |w| match w.hook {
        HookWitness::Silent => true,
        HookWitness::Told(told) => last_error(w).is_some_and(|text| !text.starts_with(told)),
        HookWitness::Absent => false,
    }),
];

/// Every combination: is it acted on exactly where nobody objects? And each objection must be the only one
/// somewhere: without that witness there would be a false act.
#[test]
fn it_acts_on_a_combination_exactly_where_no_witness_objects() {
    let banners: Vec<_> = ["", THROTTLE, OVERLOADED, LIMIT, STRANGE]
        .into_iter()
        .map(|text| banner(text, false))
        .chain([banner(THROTTLE, true)])
        .collect();
    let reports = [
        Report::Unknown,
        Report::Pending,
        turn("a", FAILED, Ending::Assistant),
        turn("u", FAILED, Ending::User),
        turn("e", FAILED, error(THROTTLE)),
        turn("e", FAILED, error(OVERLOADED)),
        turn("e", FAILED, error(LIMIT)),
        turn("e", FAILED, error(STRANGE)),
        turn("e", STARTED - 1, error(THROTTLE)),
        turn("handled", FAILED, error(THROTTLE)),
    ];
    let hooks = [
        HookWitness::Absent,
        HookWitness::Silent,
        HookWitness::Told(""),
        HookWitness::Told(THROTTLE),
        HookWitness::Told(OVERLOADED),
    ];
    let handled = ["handled".to_owned()];
    let mut only: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut acts, mut all) = (0, 0);
    for (banner, report, hook) in banners.iter().flat_map(|banner| {
        let pairs = reports
            .iter()
            .flat_map(|report| hooks.iter().map(move |hook| (report, hook)));
        pairs.map(move |(report, hook)| (banner, report, hook))
    }) {
        for bits in 0..=0b1_1111_1111_u32 {
            let bit = |n: u32| bits >> n & 1 == 1;
            let two = |n: u32| bits >> n & 3;
            let (Some(title), Some(status), Some(entered_ms)) = (
                [Title::Idle, Title::Busy, Title::Other].get(two(0) as usize),
                [Status::Unknown, Status::Idle, Status::Busy].get(two(2) as usize),
                [None, Some(FAILED - 1), Some(FAILED + 1)].get(two(5) as usize),
            ) else {
                continue;
            };
            let witnesses = Witnesses {
                banner: banner.as_ref(),
                works: bit(4),
                title: *title,
                prompt: &Prompt::Free,
                status: *status,
                hook: *hook,
                report,
                handled: &handled,
                session_id: None,
                started_ms: STARTED,
                entered_ms: *entered_ms,
                busy_seen: bit(7),
                retry_on: if bit(8) {
                    &[Class::Throttle]
                } else {
                    &Class::ALL
                },
                catalogue: Catalogue::builtin(),
            };
            let objections: Vec<_> = OBJECTIONS
                .iter()
                .filter(|(_, objects)| objects(&witnesses))
                .map(|(name, _)| *name)
                .collect();
            let act = matches!(judge(&witnesses), Verdict::Act(_));
            assert_eq!(act, objections.is_empty(), "{objections:?} {witnesses:#?}");
            acts += u32::from(act);
            all += 1;
            if let [objection] = objections[..] {
                *only.entry(objection).or_default() += 1;
            }
        }
    }
    let needless: Vec<_> = OBJECTIONS
        .iter()
        .filter(|(name, _)| !only.contains_key(name))
        .collect();
    assert!(needless.is_empty(), "{needless:?}");
    assert!(acts > 100 && acts * 50 < all, "{acts} of {all}");
}

/// The way for each state of the prompt.
#[test]
fn a_way_is_open_exactly_where_the_table_has_one() {
    use ResumeMode::{Auto, Hook, Type};
    let others = [
        Prompt::Draft("rm".into()),
        Prompt::Shell,
        Prompt::Menu,
        Prompt::TranscriptView,
    ];
    for refused in [false, true] {
        for hook in [false, true] {
            for mode in [Auto, Type, Hook] {
                let open = |prompt: &Prompt| way(prompt, hook, mode, refused).ok();
                let by_hook = (hook && mode != Type).then_some(Way::Hook);
                let free = match (mode, hook, refused) {
                    (Hook, false, _) => None,
                    (Hook, true, _) | (Auto, true, true) => Some(Way::Hook),
                    _ => Some(Way::Typing),
                };
                assert_eq!(open(&Prompt::Free), free, "{hook} {mode:?} {refused}");
                for prompt in &others {
                    assert_eq!(
                        open(prompt),
                        by_hook,
                        "{prompt:?} {hook} {mode:?} {refused}"
                    );
                }
                assert_eq!(open(&Prompt::Dialog), None);
                assert_eq!(open(&Prompt::None), None);
            }
        }
    }
}

/// The log has what each witness says, and nothing that somebody wrote.
#[test]
fn the_witnesses_are_told_in_words_of_ours() {
    let secret = "API Error: 529 the secret plan";
    let banner = banner(secret, false);
    let report = turn("e", FAILED, error(secret));
    let witnesses = Witnesses {
        banner: banner.as_ref(),
        works: false,
        title: Title::Idle,
        prompt: &Prompt::Draft("the secret plan".into()),
        status: Status::Idle,
        hook: HookWitness::Told(secret),
        report: &report,
        handled: &[],
        session_id: None,
        started_ms: STARTED,
        entered_ms: None,
        busy_seen: true,
        retry_on: &Class::ALL,
        catalogue: Catalogue::builtin(),
    };
    assert_eq!(
        witnesses.to_json(),
        json!({
            "screen": "overloaded", "busy": false, "prompt": "draft", "title": "idle",
            "transcript": "overloaded", "hook": "told", "cli": "idle",
        })
    );
}
