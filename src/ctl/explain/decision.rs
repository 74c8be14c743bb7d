//! What came of each error, from what the session logged.

use std::time::Duration;

use serde_json::Value;

use super::replay::{Step, WOULD_TYPE};

/// The verdict on an error that was acted on.
const DEALT_WITH: &str = "this error was dealt with already";

/// How it stands with an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The wait runs, or stands while the user types.
    Waits,
    /// The message was typed: the recording shows it.
    Typed,
    /// The message would be typed, and was not.
    WouldType {
        /// What the recording's own course made of it, where that is something else.
        then: Option<String>,
    },
    /// The hook would resume the turn, or did.
    Wakes,
    /// Due, but no way to resume is open.
    HoldsOff(String),
    /// The error does not stand any more.
    StoodDown(String),
    /// The tries are spent.
    GaveUp(String),
    /// The user told it to leave the error alone.
    Cancelled,
    /// Not acted on at all.
    KeptOut(String),
}

impl Outcome {
    /// One word for a program.
    pub const fn verdict(&self) -> &'static str {
        match self {
            Self::Waits | Self::Typed | Self::WouldType { .. } | Self::Wakes => "act",
            Self::HoldsOff(_) => "hold-off",
            Self::StoodDown(_) => "stood-down",
            Self::GaveUp(_) => "gave-up",
            Self::Cancelled => "cancelled",
            Self::KeptOut(_) => "keep-out",
        }
    }

    /// Why, where there is a reason.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::HoldsOff(why) | Self::StoodDown(why) | Self::GaveUp(why) | Self::KeptOut(why) => {
                Some(why)
            }
            Self::Waits | Self::Typed | Self::WouldType { .. } | Self::Wakes | Self::Cancelled => {
                None
            }
        }
    }

    /// Nothing that is logged later is about this error.
    const fn is_final(&self) -> bool {
        !matches!(
            self,
            Self::Waits | Self::HoldsOff(_) | Self::StoodDown(_) | Self::WouldType { .. }
        )
    }
}

/// One error and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// When the verdict was.
    pub at: Duration,
    /// The error line.
    pub text: String,
    /// Its class, where it is of one.
    pub class: Option<String>,
    /// How long the wait is in all, in milliseconds.
    pub wait_ms: Option<u64>,
    /// What came of it.
    pub outcome: Outcome,
}

/// The errors of a replay, in order.
pub fn decisions(steps: &[Step]) -> Vec<Decision> {
    let mut all: Vec<Decision> = Vec::new();
    let (mut text, mut class) = (String::new(), None);
    for step in steps {
        let record = &step.record;
        let event = record["event"].as_str().unwrap_or_default();
        if let Some(line) = record["text"]
            .as_str()
            .filter(|_| matches!(event, "candidate" | "hook-failure" | "verdict"))
        {
            line.clone_into(&mut text);
            class = string(&record["class"]).or(class.filter(|_| event == "verdict"));
        }
        let outcome = match (event, record["verdict"].as_str()) {
            ("verdict", Some("act")) => Outcome::Waits,
            // Its words in [`judge`](crate::supervisor::verdict::judge). Here nobody resumed it, so it still stands.
            ("verdict", Some("keep-out")) if reason(record) == DEALT_WITH && !all.is_empty() => {
                continue;
            }
            ("verdict", Some("keep-out")) => Outcome::KeptOut(reason(record)),
            _ => {
                if let Some(last) = all.last_mut().filter(|last| !last.outcome.is_final()) {
                    follow(last, event, record);
                }
                continue;
            }
        };
        all.push(Decision {
            at: step.at,
            text: text.clone(),
            class: string(&record["class"]).or_else(|| class.clone()),
            wait_ms: None,
            outcome,
        });
    }
    all
}

/// What is logged about an error that is being dealt with.
fn follow(decision: &mut Decision, event: &str, record: &Value) {
    decision.outcome = match event {
        "waiting" => {
            decision.wait_ms = record["wait_ms"].as_u64();
            Outcome::Waits
        }
        "paused" | "unpaused" if !matches!(decision.outcome, Outcome::WouldType { .. }) => {
            Outcome::Waits
        }
        WOULD_TYPE => Outcome::WouldType { then: None },
        "hold" | "undone" | "stood-down"
            if matches!(decision.outcome, Outcome::WouldType { .. }) =>
        {
            Outcome::WouldType {
                then: Some(reason(record)),
            }
        }
        "typed" => Outcome::Typed,
        "woken" => Outcome::Wakes,
        "hold" => Outcome::HoldsOff(reason(record)),
        "stood-down" => Outcome::StoodDown(reason(record)),
        "gave-up" => Outcome::GaveUp(string(&record["why"]).unwrap_or_default()),
        "cancelled" => Outcome::Cancelled,
        _ => return,
    };
}

fn reason(record: &Value) -> String {
    string(&record["reason"]).unwrap_or_default()
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
