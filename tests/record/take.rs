//! One session of the CLI, driven and kept.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::paint::{emulate, paint};
use super::scrub::Scrub;
use super::states;
use super::tmux::{self, Pane};
use super::write;
use crate::real::checks::BANNER;
use crate::real::grid::{self, Step};
use crate::real::mode::Mode;
use crate::real::setup::Setup;
use crate::real::stage::{Outcome, RESUMED, Stage};
use crate::support::screen::Screen;
use crate::support::terminal::{Kind, Passed};

/// The most that a session may take: the machine may have other work.
const LIMIT: Duration = Duration::from_secs(75);
/// Nothing new for so long: the screen is at rest.
const REST: Duration = Duration::from_millis(600);
/// What is never at rest (a spinner) is taken after so long.
const ENOUGH: Duration = Duration::from_secs(6);

/// How the CLI draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renderer {
    /// As the version does of itself.
    Own,
    /// On the main screen.
    Inline,
    /// Of itself, in tmux.
    Tmux,
}

/// What is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    /// All that passed.
    Cast,
    /// The last screen, and the same in terminals of these rows and columns.
    Screens(&'static [(u16, u16)]),
}

/// A session.
#[derive(Clone, Debug)]
pub(crate) struct Take {
    /// The CLI's.
    pub(crate) version: &'static str,
    /// The scenario's or the state's.
    pub(crate) name: &'static str,
    /// How the CLI draws.
    pub(crate) renderer: Renderer,
    /// The terminal.
    pub(crate) kind: Kind,
    /// What it starts from.
    pub(crate) setup: Setup,
    /// Changes the home before the start.
    pub(crate) prepare: Option<fn(&Path) -> std::io::Result<()>>,
    /// A session before it.
    pub(crate) before: Vec<Step>,
    /// What the user does.
    pub(crate) steps: Vec<Step>,
    /// The turns that the API has got by then.
    pub(crate) turns: usize,
    /// What is kept.
    pub(crate) keep: Keep,
}

impl fmt::Display for Take {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = match self.keep {
            Keep::Cast => "cast",
            Keep::Screens(_) => "screen",
        };
        let Self { version, name, .. } = self;
        write!(f, "{version}{}::{kept}::{name}", self.suffix())
    }
}

/// Scenarios that are also recorded inline, where the version has another renderer.
const INLINE: [&str; 14] = [
    "throttle",
    "throttle-narrow",
    "throttle-short",
    "throttle-after-tool",
    "throttle-long-talk",
    "throttle-draft",
    "dialog-open",
    "shell-mode",
    "slash-menu",
    "transcript-view",
    "history-search",
    "usage-5h",
    "reply-is-banner",
    "already-recovered",
];
/// Scenarios that are also recorded in a terminal that answers queries, and in tmux.
const FULL: [&str; 12] = [
    "throttle",
    "throttle-narrow",
    "throttle-after-tool",
    "throttle-long-talk",
    "throttle-draft",
    "throttle-vim-normal",
    "dialog-open",
    "shell-mode",
    "transcript-view",
    "history-search",
    "reply-is-banner",
    "already-recovered",
];

/// Everything there is to record of a version.
pub(crate) fn all(version: &'static str) -> Vec<Take> {
    let mut takes = Vec::new();
    for case in grid::all() {
        let take = |renderer, kind| Take {
            version,
            name: case.name,
            renderer,
            kind,
            setup: case.setup.clone(),
            prepare: None,
            before: case.before.to_vec(),
            steps: case.steps.to_vec(),
            turns: case
                .turns
                .iter()
                .take_while(|turn| **turn != RESUMED)
                .count()
                .max(1),
            keep: Keep::Cast,
        };
        takes.push(take(Renderer::Own, Kind::Plain));
        if INLINE.contains(&case.name) {
            takes.push(take(Renderer::Inline, Kind::Plain));
        }
        if FULL.contains(&case.name) {
            takes.push(take(Renderer::Own, Kind::Full));
            takes.push(take(Renderer::Tmux, Kind::Plain));
        }
    }
    takes.extend(states::all(version));
    takes
}

impl Take {
    /// Of the folder.
    fn suffix(&self) -> &'static str {
        match (self.renderer, self.keep, self.kind) {
            (Renderer::Own, Keep::Cast, Kind::Full) => "-full",
            (Renderer::Own, ..) => "",
            (Renderer::Inline, ..) => "-inline",
            (Renderer::Tmux, ..) => "-tmux",
        }
    }

    /// Plays it and writes what is kept below this folder.
    pub(crate) fn record(&self, folder: &Path) -> Result<(), String> {
        let setup = match self.renderer {
            Renderer::Inline => self
                .setup
                .clone()
                .env("CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN", "1"),
            Renderer::Own | Renderer::Tmux => self.setup.clone(),
        };
        let size = (usize::from(setup.size.0), usize::from(setup.size.1));
        let stage = Stage::new(self.version, Mode::Typing, self.kind, setup)?;
        let mut stage = stage.patient(LIMIT);
        self.play(&mut stage, size, folder)
            .map_err(|error| format!("{error}\n{}", stage.dump()))
    }

    fn play(&self, stage: &mut Stage, size: (usize, usize), folder: &Path) -> Outcome {
        let home = stage.home().path().to_owned();
        let scrub = Scrub::new(&home);
        if let Some(prepare) = self.prepare {
            prepare(&home).map_err(|error| error.to_string())?;
        }
        if !self.before.is_empty() {
            stage.launch_with(&[], false)?;
            walk(stage, &self.before)?;
            rest(stage);
        }
        let began = Instant::now();
        let pane = (self.renderer == Renderer::Tmux).then(|| Pane::follow(&home));
        stage.launch_as(&self.setup.args, false, |command| match pane {
            Some(_) => tmux::command(command, &home),
            None => command,
        })?;
        walk(stage, &self.steps)?;
        stage.turns(self.turns)?;
        rest(stage);
        let folder = folder.join(match self.keep {
            Keep::Cast => "recordings",
            Keep::Screens(_) => "screens",
        });
        let folder = folder.join(format!("{}{}", self.version, self.suffix()));
        let title = format!("{} · claude {}", self.name, self.version);
        let transcript = stage.home().transcript();
        let write_transcript = |stem: &str| match &transcript {
            Some(text) => {
                let slim = matches!(self.keep, Keep::Screens(_));
                let text = write::transcript(text, slim, &scrub)?;
                write::file(&folder.join(format!("{stem}.transcript.jsonl")), &text)
            }
            None => Ok(()),
        };
        match (self.keep, pane) {
            (Keep::Cast, pane) => {
                let mut passed = stage.terminal().passed();
                if let Some(pane) = pane {
                    passed.retain(|part| part.typed);
                    passed.extend(pane.passed());
                    passed.sort_by_key(|part| part.at);
                }
                let events = write::events(began, &passed, &scrub)?;
                let text = write::header(size, &title) + &events;
                write::file(&folder.join(format!("{}.cast", self.name)), &text)?;
                write_transcript(self.name)
            }
            (Keep::Screens(_), Some(pane)) => {
                let bytes: Vec<u8> = pane.passed().iter().flat_map(Passed::of).collect();
                let stem = stem(self.name, size);
                keep(emulate(size, &bytes), &scrub, &title, &folder, &stem)?;
                write_transcript(&stem)
            }
            (Keep::Screens(sizes), None) => {
                let this = stem(self.name, size);
                keep(stage.screen(), &scrub, &title, &folder, &this)?;
                // One for all sizes: nothing happens in between.
                write_transcript(if sizes.is_empty() { &this } else { self.name })?;
                for &(rows, columns) in sizes {
                    let before = stage.terminal().written();
                    stage.resize(rows, columns)?;
                    drawn_after(stage, before);
                    let stem = stem(self.name, (rows.into(), columns.into()));
                    keep(stage.screen(), &scrub, &title, &folder, &stem)?;
                }
                Ok(())
            }
        }
    }
}

impl Passed {
    fn of(&self) -> Vec<u8> {
        self.bytes.clone()
    }
}

/// The name of a screen's files.
fn stem(name: &str, (rows, columns): (usize, usize)) -> String {
    format!("{name}.{rows}x{columns}")
}

/// Keeps a screen: a cast of one write, which draws it.
fn keep(mut screen: Screen, scrub: &Scrub, title: &str, folder: &Path, stem: &str) -> Outcome {
    scrub.screen(&mut screen)?;
    let size = (screen.cells.len(), screen.cells[0].len());
    let text = write::header(size, title) + &write::event(0.0, false, &paint(&screen)?);
    write::file(&folder.join(format!("{stem}.cast")), &text)
}

/// Does what the user does. Nobody logs a failed turn here: the user sees it.
fn walk(stage: &Stage, steps: &[Step]) -> Outcome {
    for step in steps {
        match step {
            // A person does nothing as fast as the next step.
            Step::Failed => {
                stage.see_text(BANNER)?;
                rest(stage);
            }
            step => grid::walk(stage, std::slice::from_ref(step))?,
        }
    }
    Ok(())
}

/// Waits until the CLI has drawn anew, unless it does not.
fn drawn_after(stage: &Stage, before: usize) {
    let until = Instant::now() + ENOUGH;
    while stage.terminal().written() == before && Instant::now() < until {
        stage.pass(REST / 10);
    }
    rest(stage);
}

/// Waits until nothing more is drawn.
fn rest(stage: &Stage) {
    let until = Instant::now() + ENOUGH;
    let mut quiet = 0;
    while Instant::now() < until && quiet < 2 {
        let before = stage.terminal().written();
        stage.pass(REST);
        let same = stage.terminal().written() == before;
        quiet = if same { quiet + 1 } else { 0 };
    }
}
