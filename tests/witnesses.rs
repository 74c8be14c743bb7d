//! What each witness is for: recordings of the real CLI through the session, with and without what the witness says.
//! Without it the session acts where nobody should.
//!
//! The same for every combination that can be made up is a test of `src/supervisor/verdict.rs`.

use std::path::Path;
use std::time::Duration;

use claude_retry::cast::{Cast, Event, Note, What};
use claude_retry::config::{Jitter, Settings};
use claude_retry::ctl::explain::decision::{Outcome, decisions};
use claude_retry::ctl::explain::lines::Lines;
use claude_retry::ctl::explain::replay::{Replay, clock_of};
use claude_retry::supervisor::hook::Happened;

/// Longer than any recording goes on after its error.
const WAIT: Duration = Duration::from_secs(90);

/// A recording whose witnesses can be taken away or made up.
struct Story {
    cast: Cast,
    transcript: String,
    lines: Option<Lines>,
    wall0: u64,
}

impl Story {
    fn new(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings");
        let path = root.join(format!("{name}.cast"));
        let cast = Cast::read(&std::fs::read(&path).expect("a recording")).expect("an asciicast");
        let transcript = std::fs::read_to_string(path.with_extension("transcript.jsonl"));
        let transcript = transcript.expect("a transcript");
        let lines = Lines::read(&transcript).expect("a transcript");
        let (wall0, _) = clock_of(&cast, Some(&lines));
        Self {
            cast,
            transcript,
            lines: Some(lines),
            wall0,
        }
    }

    /// Where the user typed this.
    fn typed(&self, text: &str) -> usize {
        let typed =
            |event: &Event| matches!(&event.what, What::Input(bytes) if bytes == text.as_bytes());
        let at = self.cast.events.iter().position(typed);
        at.expect("it was typed")
    }

    fn without_transcript(mut self) -> Self {
        self.lines = None;
        self
    }

    /// Without what came once the user had typed this.
    fn until_typed(mut self, text: &str) -> Self {
        let typed =
            |event: &Event| matches!(&event.what, What::Input(bytes) if bytes == text.as_bytes());
        let at = self
            .cast
            .events
            .iter()
            .position(typed)
            .expect("it was typed");
        self.cast.events.truncate(at);
        self
    }

    /// The transcript lags: it has nothing of what came once the user had typed this.
    fn lagging_since(mut self, text: &str) -> Self {
        let at = self.cast.events[self.typed(text)].at;
        let now = self.wall0 + u64::try_from(at.as_millis()).expect("a short recording");
        let time = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            let time: jiff::Timestamp = line["timestamp"].as_str()?.parse().ok()?;
            u64::try_from(time.as_millisecond()).ok()
        };
        let early = |line: &&str| time(line).is_none_or(|time| time < now);
        let lines: Vec<_> = self.transcript.lines().filter(early).collect();
        self.lines = Some(Lines::read(&lines.join("\n")).expect("a transcript"));
        self
    }

    /// With this more, a second after the end.
    fn then(self, what: What) -> Self {
        let at = self.cast.duration() + Duration::from_secs(1);
        self.at(at, what)
    }

    /// As if the session had begun so long before.
    fn begun_before(mut self, time: Duration) -> Self {
        for event in &mut self.cast.events {
            event.at += time;
        }
        self.wall0 -= u64::try_from(time.as_millis()).expect("a short time");
        self
    }

    /// With this more at that time.
    fn at(mut self, at: Duration, what: What) -> Self {
        let place = self.cast.events.partition_point(|event| event.at <= at);
        self.cast.events.insert(place, Event { at, what });
        self
    }

    /// What is done in the end; `Ok` where the turn would be resumed.
    fn decision(&self) -> Result<(), String> {
        let settings = Settings {
            base: WAIT,
            cap: WAIT,
            jitter: Jitter::None,
            ..Settings::default()
        };
        let mut replay = Replay::new(&self.cast, self.lines.as_ref(), &settings, self.wall0);
        replay.play(|len| len);
        replay.run_on();
        match decisions(&replay.steps).pop().map(|last| last.outcome) {
            Some(Outcome::WouldType { .. } | Outcome::Wakes) => Ok(()),
            Some(other) => Err(other.reason().unwrap_or_default().to_owned()),
            None => Err("no error was seen".to_owned()),
        }
    }
}

/// The hook tells of an event when the recording has come to this time.
fn hook(id: u64, happened: Happened) -> What {
    What::Note(Note::Hook {
        id,
        session_id: "s".into(),
        happened,
    })
}

#[test]
fn without_the_transcript_an_answer_in_an_errors_words_is_taken_for_one() {
    let story = || Story::new("2.1.145/reply-is-banner");
    let kept_out = "the transcript's last turn ended well";
    assert_eq!(story().decision(), Err(kept_out.into()));
    assert_eq!(story().without_transcript().decision(), Ok(()));
}

#[test]
fn without_the_screen_a_turn_that_goes_on_would_be_resumed_again() {
    let story = || Story::new("2.1.330/busy-after-error").lagging_since("continue");
    assert_eq!(story().decision(), Err("the turn goes on".into()));
    let blind = story().until_typed("continue");
    assert_eq!(blind.decision(), Ok(()));
}

#[test]
fn without_the_prompt_a_draft_would_be_typed_into() {
    let story = || Story::new("2.1.330/throttle-draft");
    assert_eq!(story().decision(), Err("a draft is in the prompt".into()));
    let unseen = story().until_typed("my half typed draft");
    assert_eq!(unseen.decision(), Ok(()));
}

#[test]
fn without_the_title_a_turn_that_draws_nothing_would_be_resumed_again() {
    for version in ["2.1.145", "2.1.330"] {
        let story = || Story::new(&format!("{version}/throttle"));
        assert_eq!(story().decision(), Ok(()), "{version}");
        let busy = story().then(What::Output("\x1b]0;◐ Say hello\x07".into()));
        assert_eq!(busy.decision(), Err("the turn goes on".into()), "{version}");
    }
}

#[test]
fn without_the_session_file_a_turn_that_shows_nowhere_would_be_resumed_again() {
    for version in ["2.1.145", "2.1.330"] {
        let story = || Story::new(&format!("{version}/throttle"));
        let busy = |busy| What::Note(Note::Status { busy });
        for harmless in [None, Some(false)] {
            let story = story().at(Duration::ZERO, busy(harmless));
            assert_eq!(story.decision(), Ok(()), "{version}");
        }
        let story = story().then(busy(Some(true)));
        let reason = "the CLI's session file says that it is at work";
        assert_eq!(story.decision(), Err(reason.into()), "{version}");
    }
}

/// Where no transcript is to be found, the hook tells an answer from an error.
#[test]
fn without_the_hook_an_answer_in_an_errors_words_is_taken_for_one() {
    let story = || Story::new("2.1.145/reply-is-banner").without_transcript();
    assert_eq!(story().decision(), Ok(()));
    let end = story().cast.duration();
    let heard = story()
        .at(Duration::ZERO, hook(1, Happened::SessionStart))
        .at(end / 2, hook(2, Happened::UserPromptSubmit))
        .then(hook(3, Happened::Stop));
    let reason = "the companion hook has not told of this error";
    assert_eq!(heard.decision(), Err(reason.into()));
}

#[test]
fn without_the_times_an_error_of_an_earlier_run_would_be_resumed() {
    // The recording is of the second run; the error is from the first.
    let story = || Story::new("2.1.330/resumed-error");
    let reason = "the error is older than this session's start";
    assert_eq!(story().decision(), Err(reason.into()));
    let all_one = story().begun_before(Duration::from_mins(1));
    assert_eq!(all_one.decision(), Ok(()));
}
