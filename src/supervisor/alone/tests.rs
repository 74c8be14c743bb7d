use super::*;
use crate::config::Jitter;

const THROTTLE: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited";
/// The wall clock at the hook's start.
const START_MS: u64 = 1_800_000_000_000;
const MS: fn(u64) -> Duration = Duration::from_millis;

/// A supervisor, its time, and what it would see.
struct Play {
    alone: Alone,
    now: u64,
    sight: Sight,
}

fn settings() -> Settings {
    Settings {
        base: Duration::from_secs(4),
        cap: Duration::from_secs(30),
        jitter: Jitter::None,
        ..Settings::default()
    }
}

fn turn(uuid: &str, ending: Ending, consecutive_errors: u32) -> Report {
    Report::Turn(LastTurn {
        uuid: uuid.into(),
        unix_ms: START_MS - 50,
        session_id: "s".into(),
        ending,
        consecutive_errors,
        unattended_errors: consecutive_errors,
    })
}

fn error(uuid: &str, text: &str, consecutive: u32) -> Report {
    let ending = Ending::ApiError {
        text: text.into(),
        error: None,
        status: None,
    };
    turn(uuid, ending, consecutive)
}

fn play(settings: Settings) -> Play {
    let now = Now {
        elapsed: Duration::ZERO,
        unix_ms: START_MS,
    };
    Play {
        alone: Alone::new(settings, THROTTLE.into(), "s".into(), now, 7),
        now: 0,
        sight: Sight {
            report: error("e1", THROTTLE, 1),
            errors: 1,
            cli: Cli::Idle,
            worked: None,
        },
    }
}

impl Play {
    fn now(&self) -> Now {
        Now {
            elapsed: MS(self.now),
            unix_ms: START_MS + self.now,
        }
    }

    fn look(&mut self) -> Step {
        self.alone.handle(self.now(), &self.sight)
    }

    fn claim(&mut self) -> Step {
        assert_eq!(self.look(), Step::Claim("e1".into()));
        self.alone.claimed(self.now(), Claim::Ours)
    }

    /// Goes on with nothing changed, for as long as another look is asked for before `until`.
    fn run(&mut self, mut step: Step, until: u64) -> Step {
        while let Step::LookAt(at) = step {
            let at = u64::try_from(at.as_millis()).expect("a time");
            if at > until {
                self.now = until;
                return step;
            }
            assert!(at > self.now || self.now == 0, "it must not spin");
            self.now = at;
            step = self.look();
        }
        step
    }

    fn end(&mut self) -> (u64, Outcome) {
        let mut step = self.look();
        if let Step::Claim(_) = step {
            step = self.alone.claimed(self.now(), Claim::Ours);
        }
        self.finish(step)
    }

    fn finish(&mut self, step: Step) -> (u64, Outcome) {
        match self.run(step, 3_600_000) {
            Step::End(outcome) => (self.now, outcome),
            step => panic!("{step:?}"),
        }
    }
}

fn no(reason: &str) -> Outcome {
    Outcome::Nothing(reason.into())
}

#[test]
fn an_error_that_stands_is_resumed_when_the_wait_is_over() {
    let mut play = play(settings());
    assert_eq!(play.end(), (4000, Outcome::Resume));
    let wait = play.alone.wait().expect("a wait");
    assert_eq!((wait.attempt, wait.class), (1, Class::Throttle));
    assert_eq!(wait.total, MS(4000));
}

#[test]
fn it_looks_once_a_second_and_often_only_at_the_last() {
    let mut play = play(settings());
    let mut looks = Vec::new();
    let mut step = play.claim();
    while let Step::LookAt(at) = step {
        play.now = u64::try_from(at.as_millis()).expect("a time");
        looks.push(play.now);
        step = play.look();
    }
    assert_eq!(looks[..5], [1000, 2000, 3000, 3700, 3725]);
    assert_eq!(looks.len(), 16, "{looks:?}");
    assert_eq!(looks.last(), Some(&4000));
}

#[test]
fn the_shortest_wait_still_has_its_last_look() {
    let mut play = play(Settings {
        base: MS(1),
        ..settings()
    });
    assert_eq!(play.end(), (300, Outcome::Resume));
}

#[test]
fn the_wait_is_that_of_the_number_of_errors_in_a_row() {
    for (consecutive, wait) in [(1, 4000), (2, 8000), (3, 16_000), (4, 30_000), (6, 30_000)] {
        let mut play = play(settings());
        play.sight.report = error("e1", THROTTLE, consecutive);
        assert_eq!(play.end(), (wait, Outcome::Resume), "{consecutive}");
    }
    let mut play = play(settings());
    play.sight.report = error("e1", THROTTLE, 7);
    assert_eq!(play.end(), (0, Outcome::GaveUp("6 tries".into())));
}

#[test]
fn decorrelated_waits_build_on_those_before() {
    let mut longest = Duration::ZERO;
    for seed in 0..200 {
        let settings = Settings {
            jitter: Jitter::Decorrelated,
            ..settings()
        };
        let mut play = play(settings.clone());
        play.alone = Alone::new(settings, String::new(), "s".into(), play.now(), seed);
        play.sight.report = error("e1", THROTTLE, 3);
        play.look();
        let total = play.alone.wait().expect("a wait").total;
        longest = longest.max(total);
        assert!(total >= MS(4000) && total <= MS(30_000), "{total:?}");
    }
    assert!(longest > MS(12_000), "no first wait is longer: {longest:?}");
}

#[test]
fn the_storm_guard_counts_the_errors_of_the_last_hour() {
    let mut play = play(Settings {
        max_per_hour: 3,
        ..settings()
    });
    play.sight.errors = 3;
    assert!(matches!(play.look(), Step::Claim(_)));
    play.alone.state = State::Confirming;
    play.sight.errors = 4;
    assert_eq!(play.look(), gave_up("over 3 errors in an hour".into()));
}

#[test]
fn a_transcript_that_lags_is_waited_for() {
    for before in [
        Report::Pending,
        turn("u1", Ending::User, 0),
        turn("a1", Ending::Assistant, 0),
        error("e0", "API Error: 529 Overloaded", 1),
    ] {
        let mut play = play(settings());
        let after = std::mem::replace(&mut play.sight.report, before);
        let step = play.look();
        assert_eq!(step, Step::LookAt(MS(100)));
        play.run(step, 1900);
        play.sight.report = after;
        assert_eq!(play.look(), Step::Claim("e1".into()));
    }
}

#[test]
fn what_is_not_the_events_error_is_left_alone() {
    let cases = [
        (Report::Unknown, "the transcript has no turn"),
        (Report::Pending, "the transcript has no turn"),
        (
            turn("u1", Ending::User, 0),
            "the transcript does not end in an error",
        ),
        (
            turn("a1", Ending::Assistant, 0),
            "the transcript does not end in an error",
        ),
        (
            error("e0", "API Error: 529 Overloaded", 1),
            "the transcript ends in another error",
        ),
    ];
    for (report, reason) in cases {
        let mut play = play(settings());
        play.sight.report = report;
        assert_eq!(play.end(), (2000, no(reason)));
        assert_eq!(play.alone.wait(), None);
    }
}

#[test]
fn an_error_of_another_session_or_time_is_left_alone() {
    type Change = fn(&mut LastTurn);
    let session: Change = |turn| turn.session_id = "other".into();
    let old: Change = |turn| turn.unix_ms = START_MS - 60_001;
    let future: Change = |turn| turn.unix_ms = START_MS + 60_001;
    let cases = [
        (session, "the transcript ends in another session's error"),
        (old, "the transcript ends in an error of another time"),
        (future, "the transcript ends in an error of another time"),
    ];
    for (change, reason) in cases {
        let mut play = play(settings());
        if let Report::Turn(turn) = &mut play.sight.report {
            change(turn);
        }
        assert_eq!(play.end(), (2000, no(reason)));
    }
}

#[test]
fn only_transient_errors_of_the_classes_asked_for_are_resumed() {
    let reason = |text: &str, retry_on: &[Class]| {
        let mut play = play(Settings {
            retry_on: retry_on.to_vec(),
            ..settings()
        });
        play.alone.text = text.into();
        play.sight.report = error("e1", text, 1);
        play.end()
    };
    let all = Class::ALL;
    let limit = "You've hit your session limit · resets 4:04am (UTC)";
    assert_eq!(
        reason(limit, &all),
        (0, Outcome::Refused("the error is not transient"))
    );
    let unknown = "API Error: something new";
    assert_eq!(
        reason(unknown, &all),
        (0, Outcome::Refused("the error is not in the catalogue"))
    );
    assert_eq!(
        reason(THROTTLE, &[Class::Cut]),
        (0, Outcome::Refused("retry-on leaves this class out"))
    );
    assert_eq!(reason(THROTTLE, &[Class::Throttle]).1, Outcome::Resume);
}

#[test]
fn an_event_without_a_text_goes_by_the_transcript_and_a_long_one_by_its_beginning() {
    let mut play = play(settings());
    play.alone.text = String::new();
    assert_eq!(play.end().1, Outcome::Resume);

    let long = format!("{THROTTLE} {}", "\u{f6}".repeat(5000));
    let mut cut = self::play(settings());
    cut.alone.text = super::super::hook::cut(&long).into();
    cut.sight.report = error("e1", &long, 1);
    assert_eq!(cut.end().1, Outcome::Resume);
}

#[test]
fn a_cli_that_is_busy_yet_is_waited_for_but_not_for_long() {
    let mut play = play(settings());
    play.sight.cli = Cli::Busy;
    let step = play.look();
    assert_eq!(step, Step::LookAt(MS(100)));
    play.run(step, 500);
    play.sight.cli = Cli::Idle;
    assert_eq!(play.look(), Step::Claim("e1".into()));

    let mut busy = self::play(settings());
    busy.sight.cli = Cli::Busy;
    assert_eq!(busy.end(), (2000, no("the CLI is still at work")));
}

#[test]
fn a_cli_that_tells_nothing_of_itself_is_no_hindrance() {
    let mut play = play(settings());
    play.sight.cli = Cli::Unknown;
    assert_eq!(play.end(), (4000, Outcome::Resume));
}

#[test]
fn of_two_hooks_for_one_error_one_acts() {
    let mut play = play(settings());
    assert_eq!(play.look(), Step::Claim("e1".into()));
    let step = play.alone.claimed(play.now(), Claim::Taken);
    assert_eq!(play.finish(step), (2000, no(TAKEN)));
    assert_eq!(play.alone.wait(), None);
}

#[test]
fn an_error_that_was_acted_on_may_be_the_one_before() {
    let mut play = play(settings());
    assert_eq!(play.look(), Step::Claim("e1".into()));
    let step = play.alone.claimed(play.now(), Claim::Taken);
    play.run(step, 1000);
    play.sight.report = error("e2", THROTTLE, 2);
    assert_eq!(play.look(), Step::Claim("e2".into()));
    let step = play.alone.claimed(play.now(), Claim::Ours);
    assert_eq!(play.finish(step), (9000, Outcome::Resume));
}

#[test]
fn the_error_before_may_even_have_been_free() {
    // Nobody acted on it: it is from before the hook was installed.
    let mut play = play(settings());
    let step = play.claim();
    play.run(step, 900);
    play.sight.report = turn("u2", Ending::User, 0);
    play.now = 1000;
    let step = play.look();
    assert_eq!(step, Step::LookAt(MS(1100)));
    play.run(step, 1500);
    play.sight.report = error("e2", THROTTLE, 2);
    assert_eq!(play.look(), Step::Claim("e2".into()));
    let step = play.alone.claimed(play.now(), Claim::Ours);
    assert_eq!(play.finish(step), (9500, Outcome::Resume));
}

/// Everything that can happen while it waits, at every look after those that allow for a lag.
#[test]
fn whoever_goes_on_is_left_alone_up_to_the_very_end() {
    type Change = fn(&mut Sight);
    let cases: [(Change, &str); 8] = [
        (|s| s.cli = Cli::Gone, "the CLI has ended"),
        (|s| s.cli = Cli::Elsewhere, "the CLI shows another session"),
        (|s| s.cli = Cli::Busy, "the CLI is at work"),
        (
            |s| s.report = turn("u2", Ending::User, 0),
            "the conversation went on",
        ),
        (
            |s| s.report = turn("a2", Ending::Assistant, 0),
            "the conversation went on",
        ),
        (
            |s| s.report = error("e2", THROTTLE, 2),
            "the conversation went on",
        ),
        (|s| s.report = Report::Pending, "the transcript is gone"),
        (|s| s.report = Report::Unknown, "the transcript is gone"),
    ];
    for (change, reason) in cases {
        for at in [2000, 3000, 3700, 3725, 3850, 3975, 4000] {
            let mut play = play(settings());
            let step = play.claim();
            play.run(step, at - 1);
            change(&mut play.sight);
            play.now = at;
            assert_eq!(play.look(), nothing(reason), "at {at}");
        }
    }
}

#[test]
fn a_session_that_is_left_before_it_is_confirmed_is_left_alone() {
    for (cli, reason) in [
        (Cli::Gone, "the CLI has ended"),
        (Cli::Elsewhere, "the CLI shows another session"),
    ] {
        let mut play = play(settings());
        play.sight.cli = cli;
        assert_eq!(play.end(), (0, no(reason)));
    }
}

#[test]
fn a_late_look_is_no_shorter() {
    // The machine slept, say: the wait is long over, and the last look is as long as ever.
    let mut play = play(settings());
    play.claim();
    play.now = 50_000;
    let step = play.look();
    assert_eq!(play.finish(step), (50_300, Outcome::Resume));
}

/// Goes through the last look of a CLI that has worked for so long, in microseconds, at so many
/// milliseconds; gives when it ended.
fn last_look(worked: impl Fn(u64) -> u64) -> u64 {
    let mut play = play(settings());
    let mut step = play.claim();
    while let Step::LookAt(at) = step {
        play.now = u64::try_from(at.as_millis()).expect("a time");
        play.sight.worked = Some(Duration::from_micros(worked(play.now)));
        step = play.look();
    }
    assert_eq!(step, Step::End(Outcome::Resume));
    play.now
}

#[test]
fn the_last_look_begins_anew_when_the_cli_stirs() {
    // Idle, it works for 3 ms of 25; before the last look nothing counts.
    assert_eq!(last_look(|at| at * 120), 4000);
    assert_eq!(
        last_look(|at| if at < 3700 { at * 900 } else { 3_330_000 }),
        4000
    );
    // A key that costs 5 ms.
    for at in [3710, 3900, 3990, 4000] {
        let end = last_look(|now| if now < at { 0 } else { 5000 });
        assert_eq!(end, at.next_multiple_of(25) + 300, "{at}");
    }
    // Somebody types on and on.
    assert_eq!(last_look(|at| at * 500), 6700);
}
