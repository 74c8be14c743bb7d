//! The records of the log, added up. Pure.
//!
//! An **error** is a verdict to act (`verdict` / `act`), or a wait that a hook without a wrapper began
//! (`hook-waiting`). The same error judged again is one: the same `uuid`, or nothing resumed since where one of
//! the two records has none.
//! Each has one **outcome**, so that these add up to the errors:
//!
//! | outcome | the records |
//! | --- | --- |
//! | recovered | it was resumed, and the next turn of that process ended well (`turn-ok`) |
//! | failed again | it was resumed, and the next turn of that process was an error, to be resumed or not |
//! | gave up | `gave-up`; for a hook alone: it let go for the tries or the errors in an hour |
//! | cancelled | `cancelled` |
//! | left | none of these: it stood no longer (`stood-down`), for somebody went on by himself or ended the session |
//! | unseen | what came of it is not in the log: it waits now, its turn runs, or its process was killed |
//!
//! A **resume** is a turn that was seen to begin (`resumed`) after `typed` or `woken`, or a `hook-resumed`.
//! A hook alone is not told how a turn ends: its resume counts as recovered (and as *presumed*) unless the
//! session's next record is about one try more.
//!
//! **Waited** is the time from an error to the act that resumed it, over all resumes. **Saved** is, over all
//! recoveries, [`PERSON`] less the time from the first error in the row to the act that recovered it, if that
//! is more than nothing: one person, once a row of errors, however many there were.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::ctl::journal::{Fields, Journal, Record};
use crate::supervisor::wording::{Class, plain};

/// Six minutes: what a person takes to notice and type `continue`, from the issue this project began from.
pub(super) const PERSON_MS: u64 = 6 * 60 * 1000;

/// So many days are told apart, the newest.
const DAYS: i32 = 366;

/// What came of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Recovered,
    FailedAgain,
    GaveUp,
    Cancelled,
    Left,
    Unseen,
}

impl Outcome {
    pub(super) const ALL: [Self; 6] = [
        Self::Recovered,
        Self::FailedAgain,
        Self::GaveUp,
        Self::Cancelled,
        Self::Left,
        Self::Unseen,
    ];

    /// The name in the JSON.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::FailedAgain => "failed_again",
            Self::GaveUp => "gave_up",
            Self::Cancelled => "cancelled",
            Self::Left => "left",
            Self::Unseen => "unseen",
        }
    }
}

/// How a turn was resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Typed,
    Hook,
    Alone,
}

/// The figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Summary {
    /// Of the records that count.
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    pub(super) records: usize,
    /// Lines that are no records.
    pub(super) skipped: usize,
    /// Wrappers that started.
    pub(super) sessions: usize,
    pub(super) errors: usize,
    pub(super) by_class: BTreeMap<String, usize>,
    /// By the hour of the local day.
    pub(super) by_hour: [usize; 24],
    /// By the local day, from the first to the last with a record that counts, none left out; a year at most.
    pub(super) by_day: Vec<(Date, usize)>,
    pub(super) outcomes: BTreeMap<Outcome, usize>,
    pub(super) typed: usize,
    pub(super) by_hook: usize,
    pub(super) by_hook_alone: usize,
    /// The recovered ones by the number of the try.
    pub(super) by_attempt: BTreeMap<u32, usize>,
    /// Those of them that a hook alone resumed.
    pub(super) presumed: usize,
    /// Errors that were not to be resumed, or not by any witness, by reason.
    pub(super) left_alone: BTreeMap<String, usize>,
    pub(super) waited_ms: u64,
    pub(super) saved_ms: u64,
}

/// An error whose outcome is not known yet.
#[derive(Debug)]
struct Open {
    at: Timestamp,
    /// The first error in the row.
    first: Timestamp,
    uuid: Option<String>,
    attempt: u32,
    /// The act that is to resume it.
    act: Option<(Timestamp, Way)>,
    /// Its turn was seen to begin.
    runs: bool,
    /// It does not stand any more, unless it is judged again.
    gone: bool,
}

/// Who has an error: a wrapper, or a session with a hook alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owner {
    Wrapper(u32),
    Session(String),
}

impl Summary {
    /// Adds up the records since a time; errors before it count for nothing that came of them.
    pub(super) fn of(journal: &Journal, since: Option<Timestamp>, zone: &TimeZone) -> Self {
        let mut adding = Adding {
            sum: Self::default(),
            open: HashMap::new(),
            kept_out: HashMap::new(),
            days: BTreeMap::new(),
            since,
            zone,
        };
        adding.sum.skipped = journal.skipped;
        for record in &journal.records {
            adding.record(record);
        }
        adding.end()
    }

    pub(super) fn outcome(&self, outcome: Outcome) -> usize {
        self.outcomes.get(&outcome).copied().unwrap_or_default()
    }

    pub(super) fn resumes(&self) -> usize {
        self.typed + self.by_hook + self.by_hook_alone
    }

    /// The figures with stable names.
    pub(super) fn json(&self) -> Value {
        let by_day = self.by_day.iter();
        let by_day: Vec<Value> = by_day
            .map(|(day, errors)| json!({ "day": day.to_string(), "errors": errors }))
            .collect();
        let mut by_class: BTreeMap<&str, usize> =
            Class::ALL.iter().map(|class| (class.name(), 0)).collect();
        by_class.extend(self.by_class.iter().map(|(class, n)| (class.as_str(), *n)));
        let outcomes: BTreeMap<&str, usize> = Outcome::ALL
            .iter()
            .map(|outcome| (outcome.name(), self.outcome(*outcome)))
            .collect();
        let by_attempt: BTreeMap<String, usize> = self
            .by_attempt
            .iter()
            .map(|(attempt, n)| (attempt.to_string(), *n))
            .collect();
        json!({
            "first": self.first.map(|at| at.to_string()),
            "last": self.last.map(|at| at.to_string()),
            "records": self.records,
            "skipped_lines": self.skipped,
            "sessions": self.sessions,
            "errors": {
                "total": self.errors,
                "by_class": by_class,
                "by_hour": self.by_hour,
                "by_day": by_day,
            },
            "outcomes": outcomes,
            "resumes": {
                "total": self.resumes(),
                "typed": self.typed,
                "by_hook": self.by_hook,
                "by_hook_alone": self.by_hook_alone,
            },
            "recovered": { "presumed": self.presumed, "by_attempt": by_attempt },
            "left_alone": {
                "total": self.left_alone.values().sum::<usize>(),
                "by_reason": self.left_alone,
            },
            "time": {
                "waited_ms": self.waited_ms,
                "saved_ms": self.saved_ms,
                "person_ms": PERSON_MS,
            },
        })
    }
}

struct Adding<'a> {
    sum: Summary,
    open: HashMap<Owner, Open>,
    /// The error that each was last told to keep out of, as reason and text: told again it is no other.
    kept_out: HashMap<Owner, (String, String)>,
    days: BTreeMap<Date, usize>,
    since: Option<Timestamp>,
    zone: &'a TimeZone,
}

impl Adding<'_> {
    fn counts(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since)
    }

    fn record(&mut self, record: &Record) {
        let (at, fields) = (record.at, &record.fields());
        if self.counts(at) {
            self.sum.records += 1;
            self.sum.first = Some(self.sum.first.map_or(at, |first| first.min(at)));
            self.sum.last = Some(self.sum.last.map_or(at, |last| last.max(at)));
            self.days.entry(self.local(at).date()).or_default();
        }
        if fields.is_alone() {
            self.of_hook(at, fields);
        } else {
            self.of_wrapper(at, fields);
        }
    }

    fn local(&self, at: Timestamp) -> jiff::Zoned {
        at.to_zoned(self.zone.clone())
    }

    fn of_wrapper(&mut self, at: Timestamp, fields: &Fields) {
        let owner = Owner::Wrapper(fields.pid);
        match fields.event.as_str() {
            "start" => {
                // The one before with this number was killed.
                self.close(&owner, Outcome::Unseen);
                self.kept_out.remove(&owner);
                self.sum.sessions += usize::from(self.counts(at));
            }
            "verdict" if fields.verdict.as_deref() == Some("act") => {
                self.error(owner, at, fields);
            }
            "verdict" if fields.verdict.as_deref() == Some("keep-out") => {
                self.keep_out(owner, at, fields);
            }
            "waiting" => {
                if let (Some(open), Some(attempt)) = (self.open.get_mut(&owner), fields.attempt) {
                    open.attempt = attempt;
                }
            }
            "typed" => self.act(&owner, at, Way::Typed),
            "woken" => self.act(&owner, at, Way::Hook),
            "resumed" => {
                self.kept_out.remove(&owner);
                self.runs(&owner);
            }
            "stood-down" => {
                if let Some(open) = self.open.get_mut(&owner).filter(|open| !open.runs) {
                    open.gone = true;
                }
            }
            "turn-ok" => {
                self.kept_out.remove(&owner);
                let outcome = match self.open.get(&owner) {
                    Some(open) if open.runs => Outcome::Recovered,
                    _ => Outcome::Left,
                };
                self.close(&owner, outcome);
            }
            "gave-up" => self.close(&owner, Outcome::GaveUp),
            "cancelled" => self.close(&owner, Outcome::Cancelled),
            "end" | "exit" => self.ended(&owner),
            _ => {}
        }
    }

    fn of_hook(&mut self, at: Timestamp, fields: &Fields) {
        let Some(session) = fields.session.clone() else {
            return;
        };
        let owner = Owner::Session(session);
        match fields.event.as_str() {
            "hook-waiting" => {
                let more = self.open.get(&owner).is_some_and(|open| {
                    open.runs && fields.attempt.unwrap_or_default() <= open.attempt
                });
                if more {
                    // The count began anew: in between was a turn that ended well, or the user's own.
                    self.close(&owner, Outcome::Recovered);
                }
                self.error(owner, at, fields);
            }
            "hook-resumed" => {
                self.act(&owner, at, Way::Alone);
                self.runs(&owner);
            }
            "hook-let-go" => match self.open.get(&owner) {
                Some(open) if !open.runs => self.close(&owner, Outcome::Left),
                // The turn that it had resumed failed once too often, or in an error that is not to be resumed.
                Some(_) if fields.gave_up => self.close(&owner, Outcome::GaveUp),
                Some(_) if fields.refused => self.close(&owner, Outcome::FailedAgain),
                _ => {}
            },
            _ => {}
        }
    }

    fn error(&mut self, owner: Owner, at: Timestamp, fields: &Fields) {
        let attempt = fields.attempt.unwrap_or(1);
        let mut first = at;
        if let Some(open) = self.open.get_mut(&owner) {
            let same = match (&open.uuid, &fields.uuid) {
                (Some(one), Some(other)) => one == other,
                // The screen has none, and the transcript may come later than the screen, or be lost to sight.
                _ => !open.runs && !open.gone,
            };
            if same {
                open.uuid = open.uuid.take().or_else(|| fields.uuid.clone());
                open.gone = false;
                return;
            }
            if open.runs {
                first = open.first;
                self.close(&owner, Outcome::FailedAgain);
            } else {
                self.close(&owner, Outcome::Left);
            }
        }
        if self.counts(at) {
            let class = plain(fields.class.as_deref().unwrap_or("unknown"));
            self.sum.errors += 1;
            *self.sum.by_class.entry(class).or_default() += 1;
            let local = self.local(at);
            *self.days.entry(local.date()).or_default() += 1;
            if let Ok(hour) = usize::try_from(local.hour()) {
                self.sum.by_hour[hour] += 1;
            }
        }
        let open = Open {
            at,
            first,
            uuid: fields.uuid.clone(),
            attempt,
            act: None,
            runs: false,
            gone: false,
        };
        self.open.insert(owner, open);
    }

    /// An error that is not to be resumed, or nothing in which to see one.
    fn keep_out(&mut self, owner: Owner, at: Timestamp, fields: &Fields) {
        let text = fields.text.as_deref().unwrap_or_default();
        match self.open.get(&owner) {
            // What waits is looked at again before it is resumed, and is counted already.
            Some(open) if !open.runs && !open.gone => return,
            Some(open) if open.runs && !text.is_empty() => self.close(&owner, Outcome::FailedAgain),
            _ => {}
        }
        if fields.text.as_deref() == Some("") {
            return;
        }
        let reason = plain(fields.reason.as_deref().unwrap_or("unknown"));
        let told = (reason.clone(), text.to_owned());
        if self.kept_out.insert(owner, told.clone()) != Some(told) && self.counts(at) {
            *self.sum.left_alone.entry(reason).or_default() += 1;
        }
    }

    fn act(&mut self, owner: &Owner, at: Timestamp, way: Way) {
        if let Some(open) = self.open.get_mut(owner) {
            open.act = Some((at, way));
        }
    }

    fn runs(&mut self, owner: &Owner) {
        let Some(open) = self.open.get_mut(owner).filter(|open| !open.runs) else {
            return;
        };
        let Some((act, way)) = open.act else { return };
        open.runs = true;
        let at = open.at;
        if self.counts(at) {
            *match way {
                Way::Typed => &mut self.sum.typed,
                Way::Hook => &mut self.sum.by_hook,
                Way::Alone => &mut self.sum.by_hook_alone,
            } += 1;
            self.sum.waited_ms = self.sum.waited_ms.saturating_add(between(at, act));
        }
    }

    /// The session is over.
    fn ended(&mut self, owner: &Owner) {
        let outcome = match self.open.get(owner) {
            Some(open) if open.runs => Outcome::Unseen,
            _ => Outcome::Left,
        };
        self.close(owner, outcome);
    }

    fn close(&mut self, owner: &Owner, outcome: Outcome) {
        let Some(open) = self.open.remove(owner) else {
            return;
        };
        let outcome = match outcome {
            Outcome::Unseen if open.gone => Outcome::Left,
            outcome => outcome,
        };
        if !self.counts(open.at) {
            return;
        }
        *self.sum.outcomes.entry(outcome).or_default() += 1;
        if let (Outcome::Recovered, Some((act, way))) = (outcome, open.act) {
            *self.sum.by_attempt.entry(open.attempt).or_default() += 1;
            self.sum.presumed += usize::from(way == Way::Alone);
            let saved = PERSON_MS.saturating_sub(between(open.first, act));
            self.sum.saved_ms = self.sum.saved_ms.saturating_add(saved);
        }
    }

    fn end(mut self) -> Summary {
        let owners: Vec<Owner> = self.open.keys().cloned().collect();
        for owner in owners {
            match (&owner, self.open.get(&owner)) {
                (Owner::Session(_), Some(open)) if open.runs => {
                    self.close(&owner, Outcome::Recovered);
                }
                _ => self.close(&owner, Outcome::Unseen),
            }
        }
        if let (Some((first, _)), Some((last, _))) =
            (self.days.first_key_value(), self.days.last_key_value())
        {
            // A clock that was years off does not make a list of thousands.
            let year = last.saturating_sub(jiff::Span::new().days(DAYS - 1));
            let days = (*first).max(year).series(jiff::Span::new().days(1));
            let days = days.take_while(|day| day <= last);
            self.sum.by_day = days
                .map(|day| (day, self.days.get(&day).copied().unwrap_or_default()))
                .collect();
        }
        self.sum
    }
}

/// Milliseconds from one time to another; none where the clock went back.
fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
