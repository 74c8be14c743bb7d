//! What is right, and what is to be seen at all: told without the readers under test.

use std::collections::BTreeMap;
use std::path::Path;

use claude_retry::supervisor::prompt::Prompt;
use claude_retry::term::screen::Screen;

/// What is right for a state of the prompt, or a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Right {
    /// The prompt: one of these.
    pub(crate) prompt: Vec<String>,
    /// The CLI is at work: one of these.
    pub(crate) busy: Vec<bool>,
    /// The class of the error on the screen, where there is one in sight: one of these.
    pub(crate) class: Vec<String>,
    /// `retry`, `hands-off`, `leave`: one of these.
    pub(crate) verdict: Vec<String>,
}

/// `screens.json`, `scenarios.json` and `more.json`.
pub(crate) struct Table {
    states: BTreeMap<String, String>,
    scenarios: BTreeMap<String, String>,
}

impl Table {
    pub(crate) fn read(folder: &Path) -> Self {
        let read = |name: &str| -> BTreeMap<String, String> {
            let text = std::fs::read_to_string(folder.join(name)).expect("a table");
            serde_json::from_str(&text).expect("JSON")
        };
        let mut scenarios = read("scenarios.json");
        scenarios.extend(read("more.json"));
        Self {
            states: read("screens.json"),
            scenarios,
        }
    }

    /// What is right for a state, on this version where it differs: `"model@2.1.145"`.
    pub(crate) fn of_state(&self, version: &str, subject: &str) -> Right {
        let line = of(&self.states, version, subject);
        let words: Vec<&str> = line.split_whitespace().collect();
        let [prompt, busy, class, verdict] = words[..] else {
            panic!("{subject}: {line:?} is not `prompt busy class verdict`");
        };
        let any = |words: &str| words.split('|').map(Into::into).collect();
        Right {
            prompt: any(prompt),
            busy: busy.split('|').map(|word| word == "busy").collect(),
            class: any(class),
            verdict: any(verdict),
        }
    }

    /// What is right at the end of a scenario.
    pub(crate) fn of_scenario(&self, version: &str, subject: &str) -> Right {
        let mut prompt: Vec<String> = PROMPTS.map(Into::into).into();
        let verdict = match (version, subject) {
            // It has no screen-reader mode: it refuses to start.
            ("2.1.145", "throttle-screen-reader") => "leave",
            // It has no retries of its own: the error shows at once. Nor a view of agents: the key did nothing.
            // An error from before the start can be told by its time alone: not the readers' business.
            ("2.1.145", "own-retry-running" | "agents-view") | (_, "resumed-error") => "retry",
            _ => of(&self.scenarios, version, subject),
        };
        match verdict {
            "retry" => prompt.truncate(1),
            "hands-off" => drop(prompt.remove(0)),
            _ => {}
        }
        Right {
            prompt,
            busy: vec![false],
            class: Vec::new(),
            verdict: vec![verdict.into()],
        }
    }
}

/// The states of a prompt.
const PROMPTS: [&str; 7] = [
    "free",
    "draft",
    "shell",
    "menu",
    "dialog",
    "transcript-view",
    "none",
];

fn of<'a>(table: &'a BTreeMap<String, String>, version: &str, subject: &str) -> &'a str {
    let of_version = table.get(&format!("{subject}@{version}"));
    let line = of_version.or_else(|| table.get(subject));
    line.unwrap_or_else(|| panic!("nothing says what is right for {subject}"))
}

/// The name of a state.
pub(crate) fn name(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Free => "free",
        Prompt::Draft(_) => "draft",
        Prompt::Shell => "shell",
        Prompt::Menu => "menu",
        Prompt::Dialog => "dialog",
        Prompt::TranscriptView => "transcript-view",
        Prompt::None => "none",
    }
    .into()
}

/// All that can be seen, blanks left out: however it is broken into rows.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Is the whole of this error in sight, its sign and its text? And what a `⎿` belongs to: below none of the
/// conversation's heads it may be a tool's output.
pub(crate) fn shows_error(screen: &Screen, error: &str) -> bool {
    let all: String = screen.rows.iter().map(|row| squeezed(&row.text)).collect();
    let head = screen
        .rows
        .iter()
        .position(|row| row.text.starts_with(['❯', '>', '●', '⏺', '!']));
    let owned = &screen.rows[head.unwrap_or(0)..];
    let owned: String = owned.iter().map(|row| squeezed(&row.text)).collect();
    let error = squeezed(error);
    let signs = ["●", "⏺", "error:"];
    signs
        .iter()
        .any(|sign| all.contains(&format!("{sign}{error}")))
        || (head.is_some() && owned.contains(&format!("⎿{error}")))
}

/// Is so little of the screen left that a prompt, and what stands below it, cannot be whole?
pub(crate) fn prompt_is_cut(screen: &Screen) -> bool {
    let rules = screen.rows.iter().filter(|row| row.text.starts_with("──"));
    let spoken = screen.rows.iter().any(|row| row.text.starts_with('$'));
    (screen.rows.len() < 12 || screen.size.cols < 30)
        && (rules.count() < 2 && !spoken || screen.rows.len() < 12)
}
