use serde_json::Value;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::arguments::Invocation;
use super::job::State;
use super::*;
use crate::config::{Jitter, Settings, TranscriptMode};
use crate::supervisor::session::Now;
use crate::supervisor::transcript::Ending;

const ID: &str = "0b6f34c5-0c7a-4a1e-9b57-d6f1a8f2c001";
const THROTTLE: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited";

/// A job on a clock of its own.
struct Play {
    job: Job,
    at: Duration,
    out: Vec<u8>,
    child: Vec<u8>,
    effects: Vec<Effect>,
}

fn play(args: &[&str], change: impl FnOnce(&mut Settings)) -> Play {
    let args: Vec<_> = args.iter().map(OsString::from).collect();
    let mut settings = Settings {
        jitter: Jitter::None,
        ..Settings::default()
    };
    change(&mut settings);
    let mut play = Play {
        job: Job::new(settings, Invocation::read(&args), Voice::Lines, 1),
        at: Duration::ZERO,
        out: Vec::new(),
        child: Vec::new(),
        effects: Vec::new(),
    };
    play.tell(Event::Begin);
    play
}

impl Play {
    fn now(&self) -> Now {
        let unix_ms = 1_000_000 + u64::try_from(self.at.as_millis()).expect("a time");
        Now {
            elapsed: self.at,
            unix_ms,
        }
    }

    fn tell(&mut self, event: Event<'_>) {
        let mut outbox = Outbox::default();
        self.job.handle(self.now(), event, &mut outbox);
        self.out.extend(outbox.stdout);
        self.child.extend(outbox.child);
        self.effects.extend(outbox.effects);
    }

    /// The effects since the last time, without the log's.
    fn did(&mut self) -> Vec<Effect> {
        let all = std::mem::take(&mut self.effects);
        let is_log = |effect: &Effect| matches!(effect, Effect::Log(_));
        all.into_iter().filter(|effect| !is_log(effect)).collect()
    }

    /// The time goes on to the next deadline.
    fn due(&mut self) {
        self.at = self.job.next_deadline().expect("a deadline");
        self.tell(Event::Deadline);
    }

    fn turn(&self, uuid: &str, errors: u32) -> Sight {
        Sight::There {
            turn: Some(LastTurn {
                uuid: uuid.into(),
                unix_ms: self.now().unix_ms,
                session_id: ID.into(),
                ending: Ending::ApiError {
                    text: THROTTLE.into(),
                    error: None,
                    status: None,
                },
                consecutive_errors: errors,
                unattended_errors: errors,
            }),
            counts_on: false,
        }
    }

    fn fails(&mut self, n: u32) {
        self.tell(Event::Output(format!("{THROTTLE}\n").as_bytes()));
        self.tell(Event::Exited(ExitKind::Code(1)));
        let sight = self.turn(&format!("e{n}"), n);
        self.tell(Event::Sight(sight));
    }
}

fn text(args: &[&str]) -> Vec<OsString> {
    args.iter().map(OsString::from).collect()
}

const NEW: &[&str] = &["-p", "--session-id", ID, "hi"];
const STREAM: &[&str] = &[
    "-p",
    "--input-format",
    "stream-json",
    "--output-format",
    "stream-json",
];

/// The result of a turn that failed, as a line.
fn failed_turn() -> String {
    format!(
        r#"{{"type":"result","is_error":true,"result":"{THROTTLE}","session_id":"{ID}","num_turns":1}}"#
    ) + "\n"
}

/// The result of a run that was refused at once.
fn refused() -> String {
    format!(
        r#"{{"type":"result","is_error":true,"result":"{THROTTLE}","num_turns":1,"usage":{{"output_tokens":0}}}}"#
    ) + "\n"
}

#[test]
fn six_failures_with_doubled_waits_and_then_it_gives_up() {
    let mut play = play(NEW, |_| {});
    assert_eq!(play.did(), [Effect::Start(text(NEW))]);
    for (n, seconds) in [1, 2, 4, 8, 16, 30].into_iter().enumerate() {
        let n = u32::try_from(n + 1).expect("a number");
        let began = play.at;
        play.fails(n);
        let did = play.did();
        assert_eq!(did[0], Effect::Look(Where::Of(ID.into())));
        assert_eq!(
            did[1],
            Effect::Say(format!("throttled, retry {n}/6 in {seconds}.0s"))
        );
        let progress = play.job.progress().expect("a wait");
        assert_eq!((progress.attempt, progress.total.as_secs()), (n, seconds));
        play.due();
        assert_eq!(play.at, began + Duration::from_secs(seconds));
        let resumed = text(&["-p", "--resume", ID, "continue"]);
        assert_eq!(play.did(), [Effect::Start(resumed), Effect::CloseInput]);
    }
    assert_eq!(play.out, b"");
    play.fails(7);
    let did = play.did();
    assert_eq!(did[1], Effect::Say("gave up after 6 tries".into()));
    assert_eq!(did[2], Effect::End(ExitKind::Code(1)));
    assert_eq!(play.out, format!("{THROTTLE}\n").as_bytes());
    assert_eq!(play.job.next_deadline(), None);
}

#[test]
fn an_error_is_resumed_once_however_long_the_transcript_lags() {
    let mut play = play(STREAM, |_| {});
    let line = failed_turn();
    play.tell(Event::Output(line.as_bytes()));
    let sight = play.turn("e1", 1);
    play.tell(Event::Sight(sight.clone()));
    play.due();
    assert!(String::from_utf8_lossy(&play.child).contains("continue"));
    play.child.clear();
    // The second turn fails at once, and the file still ends in the first one's error.
    play.tell(Event::Output(line.as_bytes()));
    play.tell(Event::Sight(sight.clone()));
    assert_eq!(play.job.progress(), None);
    play.due();
    let sight = play.turn("e2", 2);
    play.tell(Event::Sight(sight));
    assert_eq!(play.job.progress().map(|wait| wait.attempt), Some(2));
    play.due();
    // The third never shows: it is passed on.
    play.tell(Event::Output(line.as_bytes()));
    for _ in 0..100 {
        let sight = play.turn("e2", 2);
        play.tell(Event::Sight(sight));
        if play.job.next_deadline().is_none() {
            break;
        }
        play.due();
    }
    assert_eq!(play.job.state, State::Running);
    let printed = String::from_utf8(play.out).expect("text");
    let results = printed
        .lines()
        .filter(|line| line.contains(r#""type":"result""#));
    assert_eq!(results.count(), 1);
}

#[test]
fn lines_are_whole_and_the_same_under_any_chunking() {
    let stream = [
        "-p",
        "--output-format",
        "stream-json",
        "--session-id",
        ID,
        "hi",
    ];
    let failed = format!(
        r#"{{"type":"system","subtype":"init"}}
{{"z":1,"a":"é","type":"assistant"}}
{{"result":"{THROTTLE}","is_error":true,"type":"result","session_id":"{ID}","num_turns":1}}
"#
    );
    let done = "{\"type\":\"system\",\"subtype\":\"init\"}\n{\"b\" : 2,\"type\":\"assistant\"}\n{\"type\":\"result\",\"is_error\":false,\"num_turns\":1}\n";
    let mut outputs = Vec::new();
    for size in 1..=failed.len() {
        let mut play = play(&stream, |settings| settings.stream_events = false);
        for chunk in failed.as_bytes().chunks(size) {
            play.tell(Event::Output(chunk));
            assert!(play.out.is_empty() || play.out.ends_with(b"\n"));
        }
        play.tell(Event::Exited(ExitKind::Code(1)));
        let sight = play.turn("e1", 1);
        play.tell(Event::Sight(sight));
        play.due();
        for chunk in done.as_bytes().chunks(size) {
            play.tell(Event::Output(chunk));
        }
        play.tell(Event::Exited(ExitKind::Code(0)));
        outputs.push(String::from_utf8(play.out).expect("text"));
    }
    assert_eq!(
        outputs[0],
        "{\"type\":\"system\",\"subtype\":\"init\"}\n{\"z\":1,\"a\":\"é\",\"type\":\"assistant\"}\n{\"b\" : 2,\"type\":\"assistant\"}\n{\"type\":\"result\",\"is_error\":false,\"num_turns\":2}\n"
    );
    outputs.dedup();
    assert_eq!(outputs.len(), 1);
}

#[test]
fn what_is_held_can_be_had_as_it_was_printed() {
    let mut play = play(NEW, |_| {});
    play.tell(Event::Output(b"half an ans"));
    assert_eq!(play.job.withheld(), b"half an ans");
    assert_eq!(play.out, b"");
}

#[test]
fn a_text_is_held_to_its_end_and_its_last_line_may_be_the_error() {
    let begun = "x".repeat(70 * 1024) + "\n";
    let mut cut = play(NEW, |_| {});
    cut.tell(Event::Output(begun.as_bytes()));
    cut.fails(1);
    assert_eq!(cut.out, b"");
    assert!(cut.job.progress().is_some());
    cut.due();
    cut.tell(Event::Output(b"all of it\n"));
    cut.tell(Event::Exited(ExitKind::Code(0)));
    assert_eq!(cut.out, b"all of it\n");

    // Where the transcript knows of no error it is what the CLI had to say.
    let mut said = play(NEW, |_| {});
    said.tell(Event::Output(format!("{begun}{THROTTLE}\n").as_bytes()));
    said.tell(Event::Exited(ExitKind::Code(1)));
    said.tell(Event::Sight(Sight::Missing { kept: true }));
    assert_eq!(said.out, format!("{begun}{THROTTLE}\n").as_bytes());
    assert_eq!(said.did().last(), Some(&Effect::End(ExitKind::Code(1))));
}

#[test]
fn with_the_transcript_off_the_output_decides_where_the_session_is_known() {
    let off = |settings: &mut Settings| settings.transcript = TranscriptMode::Off;
    let fails = |play: &mut Play| {
        play.tell(Event::Output(THROTTLE.as_bytes()));
        play.tell(Event::Exited(ExitKind::Code(1)));
    };
    let mut known = play(NEW, off);
    fails(&mut known);
    assert!(known.job.progress().is_some());
    let mut unknown = play(&["-p", "-c", "hi"], off);
    fails(&mut unknown);
    assert_eq!(unknown.did().last(), Some(&Effect::End(ExitKind::Code(1))));
}

#[test]
fn a_signal_ends_a_wait_at_once_and_a_run_by_itself() {
    let mut waiting = play(NEW, |_| {});
    waiting.fails(1);
    waiting.did();
    waiting.tell(Event::Signal(Signal::Int));
    assert_eq!(waiting.did(), [Effect::End(ExitKind::Killed(2))]);
    assert_eq!(waiting.out, b"");

    let mut running = play(NEW, |_| {});
    running.did();
    running.tell(Event::Signal(Signal::Term));
    assert_eq!(running.did(), [Effect::Kill(Signal::Term)]);
    running.tell(Event::Output(THROTTLE.as_bytes()));
    running.tell(Event::Exited(ExitKind::Code(1)));
    assert_eq!(running.did(), [Effect::End(ExitKind::Code(1))]);
    assert_eq!(running.out, THROTTLE.as_bytes());
}

#[test]
fn the_records_are_those_of_a_session() {
    let mut play = play(NEW, |_| {});
    play.fails(1);
    play.due();
    play.tell(Event::Output(b"done\n"));
    play.tell(Event::Exited(ExitKind::Code(0)));
    let records: Vec<&Value> = play
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Log(record) => Some(record),
            _ => None,
        })
        .collect();
    let events: Vec<_> = records
        .iter()
        .filter_map(|record| record["event"].as_str())
        .collect();
    assert_eq!(
        events,
        ["verdict", "waiting", "typed", "resumed", "turn-ok", "exit"]
    );
    assert_eq!(records[0]["verdict"], "act");
    assert_eq!(records[0]["uuid"], "e1");
    assert_eq!(records[1]["wait_ms"], 1000);
}

#[test]
fn an_id_of_ours_is_a_random_one() {
    let mut rng = StdRng::seed_from_u64(1);
    let ids: Vec<String> = (0..64).map(|_| records::uuid(&mut rng)).collect();
    for id in &ids {
        assert!(arguments::is_uuid(id), "{id}");
        assert_eq!(&id[14..15], "4");
        assert!("89ab".contains(&id[19..20]), "{id}");
    }
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), 64);
}

#[test]
fn a_text_starts_over_only_where_a_transcript_would_have_told_of_what_was_done() {
    let kept = Sight::Missing { kept: true };
    let unkept = Sight::Missing { kept: false };
    let json = ["-p", "--output-format", "json", "hi"];
    let refused = refused();
    for (args, said, sight, waits) in [
        (&["-p", "hi"][..], THROTTLE, &kept, true),
        (&["-p", "hi"], THROTTLE, &unkept, false),
        (&["-p", "--settings", "{}", "hi"], THROTTLE, &kept, false),
        // This one says so itself.
        (&json, &refused, &unkept, true),
    ] {
        let mut play = play(args, |_| {});
        play.tell(Event::Output(said.as_bytes()));
        play.tell(Event::Exited(ExitKind::Code(1)));
        play.tell(Event::Sight(sight.clone()));
        assert_eq!(play.job.progress().is_some(), waits, "{args:?}, {sight:?}");
        let ended = play.did().last() == Some(&Effect::End(ExitKind::Code(1)));
        assert_eq!(ended, !waits);
    }
}

#[test]
fn what_was_taken_back_is_printed_where_nothing_can_follow() {
    let line = format!(
        r#"{{"type":"result","is_error":true,"result":"{THROTTLE}","num_turns":1,"session_id":"{ID}"}}"#
    ) + "\n";
    let twice = line.replace(r#""num_turns":1"#, r#""num_turns":2"#);
    for (format, said, expected) in [
        ("text", format!("{THROTTLE}\n"), format!("{THROTTLE}\n")),
        ("json", line.clone(), twice.clone()),
        ("stream-json", line.clone(), twice.clone()),
    ] {
        let args = ["-p", "--session-id", ID, "--output-format", format, "hi"];
        let mut play = play(&args, |settings| settings.stream_events = false);
        for n in 1..=2 {
            play.tell(Event::Output(said.as_bytes()));
            play.tell(Event::Exited(ExitKind::Code(1)));
            let sight = play.turn(&format!("e{n}"), n);
            play.tell(Event::Sight(sight));
            assert_eq!(play.out, b"");
            play.due();
        }
        assert!(play.job.is_again());
        play.tell(Event::NotStarted);
        assert_eq!(String::from_utf8_lossy(&play.out), expected, "{format}");
        assert_eq!(play.did().last(), Some(&Effect::End(ExitKind::Code(1))));
    }
}

/// One with lines as input whose turn has failed and that waits.
fn waiting() -> Play {
    let mut play = play(STREAM, |settings| settings.stream_events = false);
    let line = failed_turn();
    play.tell(Event::Input(b"{\"type\":\"user\"}\n"));
    play.tell(Event::Output(line.as_bytes()));
    let sight = play.turn("e1", 1);
    play.tell(Event::Sight(sight));
    assert!(play.job.progress().is_some());
    play.child.clear();
    play
}

#[test]
fn a_wait_is_ended_by_a_message_of_the_users_and_by_no_other_line() {
    let others = "{\"type\":\"keep_alive\"}\n\n{\"type\":\"control_response\",\"response\":{}}\n";
    let message = "{\"type\":\"user\",\"message\":1}\n";
    for size in 1..others.len() {
        let mut play = waiting();
        for chunk in others.as_bytes().chunks(size) {
            play.tell(Event::Input(chunk));
        }
        assert_eq!(play.child, others.as_bytes(), "chunks of {size}");
        assert!(play.job.progress().is_some());
        for chunk in message.as_bytes().chunks(size) {
            play.tell(Event::Input(chunk));
        }
        assert_eq!(play.child, [others, message].concat().as_bytes());
        assert_eq!(play.job.state, State::Running);
    }
}

#[test]
fn the_message_is_never_in_the_middle_of_a_line_of_the_users() {
    // It began before the error: nothing is typed, whether it goes on or not.
    let line = failed_turn();
    for more in ["", "\"keep"] {
        let mut torn = play(STREAM, |_| {});
        torn.tell(Event::Input(b"{\"type\":"));
        torn.tell(Event::Output(line.as_bytes()));
        let sight = torn.turn("e1", 1);
        torn.tell(Event::Sight(sight));
        if more.is_empty() {
            torn.due();
        } else {
            torn.tell(Event::Input(more.as_bytes()));
        }
        assert_eq!(torn.child, format!("{{\"type\":{more}").as_bytes());
        assert_eq!(torn.job.state, State::Running);
    }
    // It began in the wait: it stands behind.
    let mut begun = waiting();
    begun.tell(Event::Input(b"{\"type\":"));
    begun.due();
    let sent = String::from_utf8(begun.child).expect("text");
    let (ours, theirs) = sent.split_once('\n').expect("a line");
    assert!(ours.contains("continue"));
    assert_eq!(theirs, "{\"type\":");
}

#[test]
fn a_line_that_was_cut_stands_behind_the_result() {
    let args = [
        "-p",
        "--output-format",
        "stream-json",
        "--session-id",
        ID,
        "hi",
    ];
    let mut play = play(&args, |_| {});
    let printed = format!(r#"{{"type":"result","is_error":true,"result":"{THROTTLE}"}}"#)
        + "\n{\"type\":\"sys";
    play.tell(Event::Output(printed.as_bytes()));
    play.tell(Event::Exited(ExitKind::Code(1)));
    assert_eq!(String::from_utf8_lossy(&play.out), printed);
    assert_eq!(play.did().last(), Some(&Effect::End(ExitKind::Code(1))));
}

#[test]
fn what_comes_during_a_wait_may_be_too_much_to_start_over_with() {
    let refused = refused();
    let mut play = play(STREAM, |settings| settings.stream_events = false);
    play.tell(Event::Input(b"{\"type\":\"user\"}\n"));
    play.tell(Event::InputEnded);
    play.tell(Event::Output(refused.as_bytes()));
    play.tell(Event::Exited(ExitKind::Code(1)));
    play.tell(Event::Sight(Sight::Missing { kept: true }));
    assert!(play.job.progress().is_some());
    while play.job.hears_between_runs() {
        play.tell(Event::Input(&vec![b'\n'; 1024 * 1024]));
    }
    play.did();
    play.due();
    let did = play.did();
    assert!(
        matches!(&did[0], Effect::Say(text) if text.contains("more than 10 MB")),
        "{did:?}"
    );
    assert_eq!(did.last(), Some(&Effect::End(ExitKind::Code(1))));
    assert_eq!(play.out, refused.as_bytes());
}
