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
    let stream = [
        "-p",
        "--input-format",
        "stream-json",
        "--output-format",
        "stream-json",
    ];
    let mut play = play(&stream, |_| {});
    let line = format!(
        r#"{{"type":"result","is_error":true,"result":"{THROTTLE}","session_id":"{ID}","num_turns":1}}"#
    ) + "\n";
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
    said.tell(Event::Sight(Sight::Missing));
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
