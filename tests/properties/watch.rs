//! A session before a screen that does not change, with a transcript that says what it says.

#![allow(dead_code, reason = "each test file uses its part")]

use std::time::Duration;

use claude_retry::config::{BarMode, Jitter, Settings};
use claude_retry::supervisor::hook::{Answer, Happened, HookEvent};
use claude_retry::supervisor::prompt::{self, Prompt};
use claude_retry::supervisor::session::Event;
use claude_retry::supervisor::transcript::Report;
use claude_retry::term::overlay::Compositor;
use claude_retry::term::screen::Screen;

use crate::recorded::drawn;
use crate::world::{self, Outside, World};

pub(crate) const MESSAGE: &str = "go on, please";

/// What the session did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// The prompt, each time that the message was typed.
    pub(crate) typed_into: Vec<Prompt>,
    /// How often the hook was told to resume.
    pub(crate) woken: usize,
    /// How often the verdict was to act.
    pub(crate) acts: usize,
}

struct Still {
    report: Report,
    /// What the session sees, read by the same reader and by nothing of the session's.
    screen: Compositor,
    typed_into: Vec<Prompt>,
    woken: usize,
}

impl Outside for Still {
    fn transcript(&mut self, _unix_ms: u64) -> Report {
        self.report.clone()
    }

    fn child_reads(&mut self, bytes: &[u8]) -> Vec<u8> {
        if String::from_utf8_lossy(bytes).contains(MESSAGE) {
            self.typed_into.push(prompt::read(&self.screen.screen()));
        }
        Vec::new()
    }

    fn hook_ends(&mut self, answer: Answer) -> Vec<u8> {
        self.woken += usize::from(answer == Answer::Resume);
        Vec::new()
    }
}

/// What happens before the screen: a turn runs, and a hook may live.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    pub(crate) busy: bool,
    /// Of the hook.
    pub(crate) hook: Hook,
}

/// What the companion hook does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    /// It does not live in the session.
    Absent,
    /// It lives, and tells of no failed turn.
    Silent,
    /// It lives, and tells of one with this text.
    Tells(String),
}

/// Shows these screens, one after the other, for a good while each.
pub(crate) fn watch(screens: &[Screen], report: &Report, before: &Before) -> Done {
    let settings = Settings {
        message: MESSAGE.into(),
        base: Duration::from_secs(2),
        cap: Duration::from_secs(2),
        jitter: Jitter::None,
        bar: BarMode::Off,
        ..Settings::default()
    };
    let size = screens[0].size;
    let still = Still {
        report: report.clone(),
        screen: Compositor::new(size, BarMode::Off, true),
        typed_into: Vec::new(),
        woken: 0,
    };
    let mut world = World::new(settings, size, world::WALL, still);
    let draw = |world: &mut World<Still>, bytes: &[u8]| {
        world.outside.screen.child_output(bytes, &mut Vec::new());
        world.event(Event::ChildOutput(bytes));
        world.run_for(Duration::from_millis(500));
    };
    if before.busy {
        draw(&mut world, "\x1b[H✻ Crunching…\r\n".as_bytes());
    }
    let hook = |happened| HookEvent {
        happened,
        session_id: "session".into(),
        transcript: "/home/dev/session.jsonl".into(),
    };
    if before.hook != Hook::Absent {
        world.event(Event::Hook(1, hook(Happened::UserPromptSubmit)));
    }
    for screen in screens {
        if screen.size != world.outside.screen.size() {
            world.outside.screen.resize(screen.size);
            world.event(Event::Resize(screen.size));
        }
        draw(&mut world, &drawn(screen));
        if let Hook::Tells(text) = &before.hook {
            let text = text.clone();
            world.event(Event::Hook(2, hook(Happened::StopFailure { text })));
        }
        world.run_for(Duration::from_secs(20));
    }
    let acts = world.log.iter().filter(|record| record["verdict"] == "act");
    Done {
        acts: acts.count(),
        typed_into: world.outside.typed_into,
        woken: world.outside.woken,
    }
}
