//! What a run has printed and what of it is held back.

use super::arguments::Format;
use super::result::{Object, Printed, Totals};
use super::stream::{Kind, Lines, kind};
use crate::supervisor::wording::{has_prefix, plain};

/// The failed turn by what was printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The error's text, normalised.
    pub(super) text: String,
    /// The session, where it is told.
    pub(super) session: Option<String>,
    /// The HTTP status, where it is told.
    pub(super) status: Option<u64>,
    /// More than a request that was refused: an answer, or a part of one.
    pub(super) something_done: bool,
}

impl Said {
    fn of(result: &Object) -> Option<Self> {
        if !result.is("is_error") {
            return None;
        }
        let tokens = result
            .object("usage")
            .and_then(|usage| usage.count("output_tokens"));
        Some(Self {
            text: plain(&result.text("result")?),
            session: result.text("session_id"),
            status: result.count("api_error_status"),
            something_done: result.count("num_turns") != Some(1) || tokens != Some(0),
        })
    }
}

impl Said {
    /// The whole text, or, behind the beginning of an answer (2.1.330 prints that when the stream is cut), its last line.
    fn in_text(text: &str) -> Option<Self> {
        let whole = plain(text);
        let last = plain(text.trim_end().lines().next_back()?);
        let behind_more = !has_prefix(&whole) && has_prefix(&last);
        let text = if behind_more { last } else { whole };
        (!text.is_empty()).then(|| Self {
            text,
            something_done: behind_more,
            ..Self::default()
        })
    }
}

/// What is to be dropped of a resumed run's lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    /// The next line that a run, or a turn, begins.
    pub(super) init: bool,
    /// The answer to the request of this id, which was answered before.
    pub(super) response: Option<String>,
    /// Our own message, where the CLI repeats it.
    pub(super) message: Option<String>,
}

/// The output of the runs, to be printed as that of one.
#[derive(Debug)]
pub(super) struct Output {
    format: Format,
    /// Text or JSON that is held until the run has ended.
    held: Vec<u8>,
    lines: Lines,
    /// A result that may be taken back, as it was printed.
    result: Option<Vec<u8>>,
    pub(super) dropped: Dropped,
    /// The results of the failed runs, as one.
    before: Option<Printed>,
    /// The text that was taken back last.
    taken: Vec<u8>,
    /// What the costs of the next result are those of.
    totals: Totals,
}

/// What a line of the stream was, where that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// It tells of a turn that runs.
    Turn,
    /// A result that is an error.
    Failed,
    /// A result that is none.
    Ended,
}

impl Output {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            held: Vec::new(),
            lines: Lines::default(),
            result: None,
            dropped: Dropped::default(),
            before: None,
            taken: Vec::new(),
            totals: Totals::OfRun,
        }
    }

    /// Takes what was printed; what is not held back goes to `out`. Gives what the lines were that tell of turns.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Vec<Passed> {
        match self.format {
            Format::Text | Format::Json => self.held.extend_from_slice(bytes),
            Format::StreamJson => {
                let lines = self.lines.feed(bytes);
                return lines
                    .into_iter()
                    .filter_map(|line| self.line(line, out))
                    .collect();
            }
        }
        Vec::new()
    }

    fn line(&mut self, line: Vec<u8>, out: &mut Vec<u8>) -> Option<Passed> {
        let kind = kind(&line);
        match &kind {
            Kind::Init if std::mem::take(&mut self.dropped.init) => return Some(Passed::Turn),
            Kind::Response(id) if self.dropped.response.as_ref() == Some(id) => {
                self.dropped.response = None;
                return None;
            }
            Kind::User(Some(uuid)) if self.dropped.message.as_ref() == Some(uuid) => return None,
            // What becomes of our message (`command_lifecycle`, 2.1.330) is no news to who did not send it.
            Kind::Other if self.tells_of_message(&line) => return None,
            _ => {}
        }
        match kind {
            Kind::Result => {
                self.dropped.init = false;
                self.release(out);
                let failed = Printed::read(&line).is_some_and(|it| it.result.is("is_error"));
                self.result = Some(line);
                if failed {
                    return Some(Passed::Failed);
                }
                self.release(out);
                return Some(Passed::Ended);
            }
            Kind::Init | Kind::Turn | Kind::User(_) => {
                self.release(out);
                out.extend_from_slice(&line);
                return Some(Passed::Turn);
            }
            Kind::Response(_) | Kind::Other => out.extend_from_slice(&line),
        }
        None
    }

    fn tells_of_message(&self, line: &[u8]) -> bool {
        let uuid = self.dropped.message.as_ref().map(String::as_bytes);
        uuid.is_some_and(|uuid| line.windows(uuid.len()).any(|part| part == uuid))
    }

    /// What the run says of its failed turn, if it ends in an error.
    pub(super) fn said(&self) -> Option<Said> {
        match self.format {
            Format::Text => Said::in_text(std::str::from_utf8(&self.held).ok()?),
            Format::Json => Said::of(&Printed::read(&self.held)?.result),
            Format::StreamJson => Said::of(&Printed::read(self.result.as_ref()?)?.result),
        }
    }

    /// The run that failed is followed by another: what is held of it is taken back, its amounts are kept.
    /// `totals`: what the next result's costs are those of.
    pub(super) fn take_back(&mut self, totals: Totals) {
        let held = match self.format {
            Format::StreamJson => self.result.take().unwrap_or_default(),
            Format::Text | Format::Json => std::mem::take(&mut self.held),
        };
        self.before = match (Printed::read(&held), self.before.take()) {
            (Some(this), Some(before)) => Some(this.behind(&before, self.totals)),
            (this, before) => this.or(before),
        };
        self.taken = held;
        self.totals = totals;
    }

    /// Prints what was taken back after all, for nothing follows it.
    pub(super) fn give_back(&mut self, out: &mut Vec<u8>) {
        let taken = std::mem::take(&mut self.taken);
        out.extend(self.before.take().map_or(taken, |before| before.bytes()));
    }

    /// Prints what is held back: a result with the amounts of the runs before, if there were any.
    pub(super) fn release(&mut self, out: &mut Vec<u8>) {
        let held = match self.format {
            Format::StreamJson => self.result.take().unwrap_or_default(),
            Format::Text | Format::Json => std::mem::take(&mut self.held),
        };
        if held.is_empty() {
            return;
        }
        let summed = self.before.take().and_then(|before| {
            let this = Printed::read(&held)?;
            Some(this.behind(&before, self.totals).bytes())
        });
        self.totals = Totals::OfRun;
        out.extend(summed.unwrap_or(held));
    }

    /// The run has ended: nothing of it is to come. It may have been cut in the middle of a line, which is then the last.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        let mut rest = self.lines.take_rest();
        if !rest.is_empty() {
            self.release(out);
            out.append(&mut rest);
        }
    }

    /// Everything that is held, as it was printed.
    pub(super) fn withheld(&self) -> Vec<u8> {
        let result = self.result.as_deref().unwrap_or_default();
        [&self.held, result, self.lines.rest()].concat()
    }
}
