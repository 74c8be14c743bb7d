//! What the readers make of the recordings of the real CLI, seen through an emulator that is not the
//! program's own.

#[path = "support/cast.rs"]
mod cast;
#[path = "support/replay.rs"]
mod replay;
#[path = "readers/screens.rs"]
mod screens;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cast::Cast;
use claude_retry::supervisor::banner::{self, Banner};
use claude_retry::supervisor::prompt::{self, Prompt};
use claude_retry::supervisor::transcript::{self, Ending, LastTurn};
use claude_retry::supervisor::wording::{self, Reading};
use replay::Replay;

/// The folders below the fixtures, and how many recordings are in each.
const FOLDERS: [(&str, usize); 15] = [
    ("recordings/2.0.76", 3),
    ("recordings/2.1.145", 44),
    ("recordings/2.1.145-full", 14),
    ("recordings/2.1.200", 44),
    ("recordings/2.1.200-full", 12),
    ("recordings/2.1.200-inline", 14),
    ("recordings/2.1.200-tmux", 12),
    ("recordings/2.1.250", 44),
    ("recordings/2.1.250-full", 12),
    ("recordings/2.1.250-inline", 14),
    ("recordings/2.1.250-tmux", 12),
    ("recordings/2.1.330", 44),
    ("recordings/2.1.330-full", 14),
    ("more/2.1.145", 22),
    ("more/2.1.330", 22),
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// One recording, read at its end.
struct Recording {
    folder: &'static str,
    version: &'static str,
    scenario: String,
    cast: Cast,
    busy: bool,
    banner: Option<Banner>,
    prompt: Prompt,
    typed: Option<String>,
    turn: Option<LastTurn>,
}

impl Recording {
    fn read(folder: &'static str, scenario: String) -> Self {
        let base = fixtures().join(folder);
        let (_, version) = folder.split_once('/').expect("a folder of a version");
        let cast = Cast::read(&base.join(format!("{scenario}.cast")));
        let screen = Replay::last_screen(&cast);
        let transcript = std::fs::read(base.join(format!("{scenario}.transcript.jsonl")));
        Self {
            folder,
            version,
            scenario,
            cast,
            busy: banner::busy(&screen),
            banner: banner::find(&screen),
            prompt: prompt::read(&screen),
            typed: prompt::typed(&screen),
            turn: transcript
                .ok()
                .and_then(|bytes| transcript::last_turn(&bytes, true)),
        }
    }

    fn name(&self) -> String {
        format!("{}/{}", self.folder, self.scenario)
    }

    /// What the readers alone come to.
    fn verdict(&self) -> &'static str {
        let on_screen = self
            .banner
            .as_ref()
            .is_some_and(|b| matches!(b.reading, Reading::Transient(_)));
        let in_transcript = match self.turn.as_ref().map(|turn| &turn.ending) {
            Some(Ending::ApiError { text, .. }) => {
                matches!(wording::read(text), Reading::Transient(_))
            }
            _ => false,
        };
        match (on_screen && in_transcript && !self.busy, &self.prompt) {
            (false, _) => "leave",
            (true, Prompt::Free) => "retry",
            (true, _) => "hands-off",
        }
    }

    /// What they have to come to.
    fn expected(&self, scenarios: &BTreeMap<String, String>) -> String {
        match (self.version, self.scenario.as_str()) {
            // 2.0.76 took the API's second answer by itself: no turn of it failed. 2.1.145 has no
            // screen-reader mode, and ends.
            ("2.0.76", _) | ("2.1.145", "throttle-screen-reader") => "leave".into(),
            // 2.1.145 has no retries of its own: the error shows at once. An error from before the
            // start can be told by its time alone, which is not the readers' business.
            // There is no view of agents in it either: the key did nothing.
            ("2.1.145" | "2.1.145-full", "own-retry-running" | "agents-view")
            | (_, "resumed-error") => "retry".into(),
            (_, scenario) => scenarios[scenario].clone(),
        }
    }
}

fn recordings() -> Vec<Recording> {
    let mut all = Vec::new();
    for (folder, count) in FOLDERS {
        let mut names: Vec<String> = std::fs::read_dir(fixtures().join(folder))
            .expect("the recordings are there")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "cast")
            })
            .map(|path| {
                path.file_stem()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        assert_eq!(names.len(), count, "{folder}");
        names.sort_unstable();
        all.extend(names.into_iter().map(|name| Recording::read(folder, name)));
    }
    all
}

/// What is right at the end of each scenario.
fn scenarios() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for file in ["scenarios.json", "more.json"] {
        let text = std::fs::read_to_string(fixtures().join(file)).expect("scenarios");
        let some: BTreeMap<String, String> = serde_json::from_str(&text).expect("JSON");
        all.extend(some);
    }
    all
}

#[test]
fn every_recording_is_read_for_what_it_is() {
    let scenarios = scenarios();
    let wrong: Vec<_> = recordings()
        .iter()
        .map(|r| (r.name(), r.expected(&scenarios), r.verdict()))
        .filter(|(_, expected, verdict)| expected != verdict)
        .collect();
    assert!(wrong.is_empty(), "(recording, expected, read): {wrong:#?}");
}

/// Wraps are joined to the very text that the transcript has, at every width.
#[test]
fn the_banner_is_the_transcripts_text() {
    let mut compared = 0;
    for recording in recordings() {
        let (
            Some(banner),
            Some(LastTurn {
                ending: Ending::ApiError { text, .. },
                ..
            }),
        ) = (&recording.banner, &recording.turn)
        else {
            continue;
        };
        // A note of the CLI's below the error; a text that it words differently on the screen.
        if ["Usage limit reached", "Credit balance too low"]
            .iter()
            .any(|s| banner.text.starts_with(s))
        {
            continue;
        }
        assert_eq!(&banner.text, text, "{}", recording.name());
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}

/// What each state of the prompt looks like.
#[test]
fn the_prompt_is_read_by_scenario() {
    for recording in recordings()
        .iter()
        .filter(|r| r.folder.starts_with("recordings/2.1"))
    {
        let name = recording.name();
        let prompt = &recording.prompt;
        match recording.scenario.as_str() {
            "throttle-draft" => {
                assert_eq!(
                    *prompt,
                    Prompt::Draft("my half typed draft".into()),
                    "{name}"
                );
                assert_eq!(recording.typed.as_deref(), Some("my half typed draft"));
            }
            "draft-quotes-banner" => assert!(matches!(prompt, Prompt::Draft(_)), "{name}"),
            "dialog-open" | "usage-5h" | "usage-7d" => {
                assert_eq!(*prompt, Prompt::Dialog, "{name}");
            }
            "shell-mode" | "shell-mode-draft" => assert_eq!(*prompt, Prompt::Shell, "{name}"),
            "slash-menu" | "history-search" => assert_eq!(*prompt, Prompt::Menu, "{name}"),
            "transcript-view" => assert_eq!(*prompt, Prompt::TranscriptView, "{name}"),
            "throttle-screen-reader" if recording.version == "2.1.145" => {
                assert_eq!(*prompt, Prompt::None, "{name}");
            }
            _ => {
                assert_eq!(*prompt, Prompt::Free, "{name}");
                assert_eq!(recording.typed.as_deref(), Some(""), "{name}");
            }
        }
        let works = matches!(recording.scenario.as_str(), "busy-after-error")
            || (recording.scenario == "own-retry-running"
                && !recording.version.starts_with("2.1.145"));
        assert_eq!(recording.busy, works, "{name}");
    }
}

/// The same after what else a user may do, or be asked.
#[test]
fn the_prompt_is_read_after_more() {
    let draft = |text: &str| Prompt::Draft(text.to_owned());
    for recording in recordings().iter().filter(|r| r.folder.starts_with("more")) {
        let newer = recording.version == "2.1.330";
        let expected = match recording.scenario.as_str() {
            "draft-blank" => draft(""),
            "draft-one-letter" => draft("c"),
            "draft-newline" => draft("one two"),
            "draft-rows" => draft(
                "one two three four five six seven eight nine ten eleven twelve thirteen fourteen \
                 fifteen sixteen seventeen",
            ),
            // The CLI puts the message of an interrupted turn back into the prompt.
            "interrupted-late" => draft("continue"),
            "file-menu" if !newer => draft("look at @"),
            "file-menu" | "help-panel" => Prompt::Menu,
            // The older one queues the command, above the prompt.
            "dialog-while-busy" if !newer => Prompt::Menu,
            "rewind" | "dialog-while-busy" => Prompt::Dialog,
            // Only the newer one has that view, and in its auto mode asks nobody.
            "agents-view" if newer => Prompt::Dialog,
            "permission-asked" if !newer => Prompt::Dialog,
            _ => Prompt::Free,
        };
        assert_eq!(recording.prompt, expected, "{}", recording.name());
        assert_eq!(
            recording.busy,
            recording.scenario == "dialog-while-busy",
            "{}",
            recording.name()
        );
        if recording.scenario == "draft-rows" {
            let typed = recording.typed.as_deref().expect("a prompt");
            assert!(typed.contains('\n') && prompt::same_text(typed, &typed.replace('\n', " ")));
        }
    }
}

/// Where no turn failed, no moment of the whole session looks as if one had: at the end of every write
/// of the CLI's the screen is read.
#[test]
fn no_frame_of_a_good_session_is_a_candidate() {
    const GOOD: [&str; 6] = [
        "reply-quotes-banner",
        "tool-prints-banner",
        "tool-prints-banner-last",
        "user-quotes-banner",
        "draft-quotes-banner",
        "pasted-as-shell",
    ];
    for recording in recordings() {
        let good = GOOD.contains(&recording.scenario.as_str());
        let mut replay = Replay::new(recording.cast.size);
        for (at, bytes) in recording.cast.output().enumerate() {
            replay.feed(bytes);
            let screen = replay.screen();
            let banner = banner::find(&screen);
            let state = prompt::read(&screen);
            let _ = (banner::busy(&screen), prompt::typed(&screen));
            assert!(
                !good || banner.is_none(),
                "{} at {at}: {banner:?} {state:?}",
                recording.name()
            );
        }
    }
}

/// The adapter shows what another emulator showed of the same recording.
#[test]
fn the_replay_agrees_with_the_recorded_screen() {
    for recording in recordings() {
        // Only the older recordings have one.
        let newer = ["2.1.200", "2.1.250"];
        if recording.folder.starts_with("more")
            || newer
                .iter()
                .any(|version| recording.version.starts_with(version))
        {
            continue;
        }
        let name = format!("{}.screen.txt", recording.scenario);
        let path = fixtures().join(recording.folder).join(name);
        let text = std::fs::read_to_string(path).expect("a screen");
        let screen = Replay::last_screen(&recording.cast);
        let (row, col) = screen.cursor;
        let mine: Vec<_> = screen.rows.iter().map(|r| r.text.trim_end()).collect();
        let theirs: Vec<_> = text.lines().map(str::trim_end).collect();
        assert_eq!(mine, theirs[..mine.len()], "{}", recording.name());
        assert!(
            text.contains(&format!("[cursor {row},{col}]")),
            "{}",
            recording.name()
        );
    }
}

#[test]
fn the_whole_corpus() {
    let mut all = String::new();
    for recording in recordings() {
        let _ = writeln!(all, "{}: {}", recording.name(), recording.verdict());
        let busy = if recording.busy { "busy" } else { "idle" };
        let _ = writeln!(all, "    screen: {busy}, {}", recording.prompt.why());
        if let Some(banner) = &recording.banner {
            let _ = writeln!(all, "    banner: {:?} {:?}", banner.reading, banner.text);
        }
        if let Some(turn) = &recording.turn {
            let _ = writeln!(
                all,
                "    turn: {:?}, {} in a row",
                turn.ending, turn.consecutive_errors
            );
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("readers-corpus", all));
}
