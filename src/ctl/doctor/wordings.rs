//! Which of our wordings the CLI's program text contains, so that a release that words its errors otherwise
//! is noticed.
//!
//! The literals are those that the CLI puts together itself (2.1.145, 2.1.200, 2.1.250, 2.1.330 were looked
//! at); what is the server's own text, such as `502 Bad gateway`, is in no program. `since` and `until` are the
//! first and the last of those versions that have it.

use std::io::{self, Read};

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::report::Finding;
use crate::supervisor::wording::Class;

/// Three numbers.
pub(super) type Version = (u32, u32, u32);

/// What a literal tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An error that is resumed.
    Transient(Class),
    /// An error that is never resumed.
    Permanent,
    /// The CLI is at work, or still trying.
    AtWork,
    /// What else we read or use of it.
    Sign,
}

/// A literal of the CLI's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wording {
    pub(super) text: &'static str,
    pub(super) kind: Kind,
    since: Option<Version>,
    until: Option<Version>,
}

const fn always(kind: Kind, text: &'static str) -> Wording {
    Wording {
        text,
        kind,
        since: None,
        until: None,
    }
}

const fn since(patch: u32, kind: Kind, text: &'static str) -> Wording {
    Wording {
        since: Some((2, 1, patch)),
        ..always(kind, text)
    }
}

const fn until(patch: u32, kind: Kind, text: &'static str) -> Wording {
    Wording {
        until: Some((2, 1, patch)),
        ..always(kind, text)
    }
}

const fn between(first: u32, last: u32, kind: Kind, text: &'static str) -> Wording {
    Wording {
        since: Some((2, 1, first)),
        ..until(last, kind, text)
    }
}

use Kind::{AtWork, Permanent, Sign};

const THROTTLE: Kind = Kind::Transient(Class::Throttle);
const OVERLOADED: Kind = Kind::Transient(Class::Overloaded);
const SERVER: Kind = Kind::Transient(Class::ServerError);
const CONNECTION: Kind = Kind::Transient(Class::Connection);
const CUT: Kind = Kind::Transient(Class::Cut);

/// All of them.
#[rustfmt::skip]
pub(super) static WORDINGS: &[Wording] = &[
    always(THROTTLE, "Server is temporarily limiting requests"),
    always(THROTTLE, "Request rejected (429)"),

    always(OVERLOADED, "Repeated 529 Overloaded"),
    always(OVERLOADED, "experiencing high load, please use /model"),

    always(SERVER, "This is a server-side issue, usually temporary"),
    always(SERVER, "Internal server error"),
    always(SERVER, "API returned an empty or malformed response"),

    always(CONNECTION, "Unable to connect to API"),
    always(CONNECTION, "Connection error"),
    always(CONNECTION, "Request timed out"),
    always(CONNECTION, "fetch failed"),
    always(CONNECTION, "socket connection was closed"),
    between(250, 250, CONNECTION, "Connection dropped ("),
    since(250, CONNECTION, "a firewall or proxy may be blocking it"),
    since(250, CONNECTION, "Can't reach the API server"),
    since(250, CONNECTION, "No internet route"),

    always(CUT, "Stream idle timeout"),
    since(200, CUT, "Server error mid-response"),
    between(200, 200, CUT, "Response stalled mid-stream"),
    between(200, 200, CUT, "Connection closed while thinking"),
    between(200, 250, CUT, "Connection closed mid-response"),
    since(250, CUT, "Connection lost mid-response"),
    since(250, CUT, "The response stopped arriving"),
    since(250, CUT, "went to sleep mid-response"),
    since(250, CUT, "before a response was produced"),

    always(Permanent, "You've hit your"),
    since(200, Permanent, "You've reached your"),
    since(250, Permanent, "Usage limit reached"),
    always(Permanent, "out of extra usage"),
    always(Permanent, "Extra usage is required"),
    always(Permanent, "Usage credits required"),
    always(Permanent, "Credit balance too low"),
    always(Permanent, "Not logged in"),
    always(Permanent, "Please run /login"),
    always(Permanent, "Failed to authenticate"),
    always(Permanent, "Invalid API key"),
    always(Permanent, "OAuth token revoked"),
    always(Permanent, "organization has been disabled"),
    until(250, Permanent, "Your account does not"),
    always(Permanent, "Request too large"),
    always(Permanent, "PDF too large"),
    always(Permanent, "Image was too large"),
    always(Permanent, "Prompt is too long"),
    always(Permanent, "Context limit reached"),
    always(Permanent, "There's an issue with the selected model"),
    since(200, Permanent, "safeguards flagged"),
    until(200, Permanent, "Claude Code is unable to respond to this request"),
    always(Permanent, "Error during compaction"),

    always(AtWork, "retrying in"),
    since(200, AtWork, "will retry in"),
    since(250, AtWork, "next try in"),
    since(250, AtWork, "esc to interrupt"),

    // The transcript's error lines, the hooks, the footers of what is not a free prompt.
    always(Sign, "API Error"),
    always(Sign, "isApiErrorMessage"),
    always(Sign, "StopFailure"),
    always(Sign, "asyncRewake"),
    always(Sign, "transcript_path"),
    always(Sign, "Showing detailed transcript"),
    always(Sign, "search prompts:"),
    since(330, Sign, "CLAUDE_CODE_PLUGIN_DIRS"),
];

impl Wording {
    /// Should a CLI of this version have it? Of an unknown version only what every version has.
    fn is_expected(&self, version: Option<Version>) -> bool {
        match version {
            Some(version) => {
                self.since.is_none_or(|since| version >= since)
                    && self.until.is_none_or(|until| version <= until)
            }
            None => self.since.is_none() && self.until.is_none(),
        }
    }
}

/// So much of a program is looked at at once.
const CHUNK: usize = 1 << 20;

/// Which of [`WORDINGS`] a program's text contains, in UTF-8 or in UTF-16, which engines keep text in that is
/// not all Latin. About 0.4 s for a quarter of a gigabyte.
///
/// # Errors
///
/// The program cannot be read.
pub(super) fn find(mut program: impl Read) -> io::Result<Vec<bool>> {
    let narrow = WORDINGS
        .iter()
        .map(|wording| wording.text.as_bytes().to_vec());
    let wide = WORDINGS.iter().map(|wording| {
        let units = wording.text.encode_utf16();
        units.flat_map(u16::to_le_bytes).collect()
    });
    let patterns: Vec<Vec<u8>> = narrow.chain(wide).collect();
    let longest = patterns.iter().map(Vec::len).max().unwrap_or_default();
    // Overlapping, for one wording may stand in another; without a prefilter, which so many would not help.
    let automaton = AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .build(&patterns)
        .map_err(io::Error::other)?;
    let mut found = vec![false; WORDINGS.len()];
    let mut buffer = vec![0; CHUNK + longest];
    let mut kept = 0;
    loop {
        let read = match program.read(&mut buffer[kept..]) {
            Ok(0) => return Ok(found),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let filled = kept + read;
        for hit in automaton.find_overlapping_iter(&buffer[..filled]) {
            found[hit.pattern().as_usize() % WORDINGS.len()] = true;
        }
        // What the next chunk may complete.
        kept = filled.min(longest - 1);
        buffer.copy_within(filled - kept..filled, 0);
    }
}

/// What the wordings found mean for a CLI of this version.
pub(super) fn judge(found: &[bool], version: Option<Version>) -> Vec<Finding> {
    let expected: Vec<(&Wording, bool)> = WORDINGS
        .iter()
        .zip(found.iter().copied())
        .filter(|(wording, _)| wording.is_expected(version))
        .collect();
    let missing = |of: &dyn Fn(Kind) -> bool| -> Vec<&'static str> {
        let missing = expected
            .iter()
            .filter(|(wording, found)| !found && of(wording.kind));
        missing.map(|(wording, _)| wording.text).collect()
    };
    let count = |of: &dyn Fn(Kind) -> bool| expected.iter().filter(|(w, _)| of(w.kind)).count();
    let is_wording = |kind| kind != Sign;
    let (all, lost) = (count(&is_wording), missing(&is_wording));
    let lost_throttle = missing(&|kind| kind == THROTTLE);
    let lost_transient = missing(&|kind| matches!(kind, Kind::Transient(_)));
    let mut told = format!(
        "{} of {all} wordings found in its program text",
        all - lost.len()
    );
    if !lost.is_empty() {
        told += ", missing: ";
        told += &quoted(&lost);
    }
    let wordings = if !lost_throttle.is_empty() {
        let told = format!("the throttle is worded otherwise in this version: {told}");
        Finding::warning("wordings", told, NEW_WORDING)
    } else if !lost_transient.is_empty() {
        Finding::warning("wordings", told, NEW_WORDING)
    } else {
        // An error that is not known is left alone, as one is that is known never to be resumed.
        Finding::ok("wordings", told)
    };
    let (all, lost) = (count(&|kind| kind == Sign), missing(&|kind| kind == Sign));
    let signs = if lost.is_empty() {
        Finding::ok(
            "interfaces",
            format!("all {all} that are used are in its program text"),
        )
    } else {
        let told = format!(
            "{} of {all} that are used are missing: {}",
            lost.len(),
            quoted(&lost)
        );
        Finding::warning("interfaces", told, OTHER_CLI)
    };
    vec![wordings, signs]
}

const NEW_WORDING: &str = "look into `claude-retry ctl log` whether errors are still resumed; a newer \
    claude-retry may know the new wording, and a [[wording]] in config.toml adds it";
const OTHER_CLI: &str = "a newer claude-retry may know this version; where a witness is missing it waits or \
    keeps out";

fn quoted(texts: &[&str]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests;
