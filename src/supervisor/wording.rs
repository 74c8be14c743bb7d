//! The catalogue of error wordings and their classes: data, one place.
//!
//! The wordings are what the published CLI shows (versions 1.0.128 to 2.1.330), those that could be
//! provoked as well as those known from its documentation and issue threads. Only the beginning of a
//! text is ever required: what stands behind ` · ` is the server's own message and may be anything,
//! except that talk of usage, credit or spend limits in it rules a retry out.

mod catalogue;

pub use self::catalogue::{Catalogue, OWN_KIND, Refused, Wording};

/// What kind of transient error ended the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// 429, the server limits requests for a moment.
    Throttle,
    /// 529, overloaded.
    Overloaded,
    /// Another 5xx.
    ServerError,
    /// The connection could not be made or was dropped before an answer.
    Connection,
    /// The answer was cut in the middle.
    Cut,
}

impl Class {
    /// The class of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// All of them, in the order of the settings' documentation.
    pub const ALL: [Self; 5] = [
        Self::Throttle,
        Self::Overloaded,
        Self::ServerError,
        Self::Connection,
        Self::Cut,
    ];

    /// The name in settings and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server-error",
            Self::Connection => "connection",
            Self::Cut => "cut",
        }
    }
}

/// What an error text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A transient error: a later try helps.
    Transient(Class),
    /// A known error that a later try does not help (usage limit, billing, login, request…); the
    /// name says which.
    Permanent(&'static str),
    /// The CLI is still trying by itself.
    StillRetrying,
    /// Not in the catalogue.
    Unknown,
}

impl Reading {
    /// Of several readings of a text the one with the least counts: what keeps us off comes first.
    pub(super) const fn strictness(&self) -> u8 {
        match self {
            Self::Permanent(_) => 0,
            Self::StillRetrying => 1,
            Self::Transient(_) => 2,
            Self::Unknown => 3,
        }
    }
}

/// Where in an error text a wording has to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the start, and only behind `API Error`: too plain to be believed without.
    Behind,
    /// At the start, behind `API Error` or bare.
    Start,
    /// Anywhere in a text that is an error by another entry or by its `API Error`.
    Anywhere,
}

/// One line of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// A short name, unique.
    pub name: &'static str,
    /// What it says.
    pub reading: Reading,
    /// Where it has to stand.
    pub place: Place,
    /// The wording as a regular expression; anchored by its place.
    pub pattern: &'static str,
}

const fn transient(name: &'static str, class: Class, place: Place, pattern: &'static str) -> Entry {
    Entry {
        name,
        reading: Reading::Transient(class),
        place,
        pattern,
    }
}

const fn permanent(
    name: &'static str,
    kind: &'static str,
    place: Place,
    pattern: &'static str,
) -> Entry {
    Entry {
        name,
        reading: Reading::Permanent(kind),
        place,
        pattern,
    }
}

const fn retrying(name: &'static str, place: Place, pattern: &'static str) -> Entry {
    Entry {
        name,
        reading: Reading::StillRetrying,
        place,
        pattern,
    }
}

use Class::{Connection, Cut, Overloaded, ServerError, Throttle};
use Place::{Anywhere, Behind, Start};

/// Permanent entries win over those still retrying, these over transient ones; among equals the first.
#[rustfmt::skip]
static ENTRIES: &[Entry] = &[
    // Never to be resumed.
    permanent("compaction", "compaction", Start, r"(?:Error: )?Error during compaction"),
    permanent("limit hit", "usage-limit", Start, r"You(?:'|’)ve (?:hit|reached) your (?:\S+ ){0,6}limit"),
    permanent("limit reached", "usage-limit", Start, r"(?:Claude (?:AI )?)?(?:[Uu]sage|[Ss]ession|5-hour|[Ww]eekly|Opus|Sonnet)(?: \w+)? limit reached"),
    permanent("api usage limits", "usage-limit", Start, r"You have reached your specified API usage limits"),
    permanent("out of extra usage", "usage-limit", Start, r"(?:You(?:'|’)re )?[Oo]ut of extra usage"),
    permanent("extra usage required", "credits", Start, r"Extra usage is required"),
    permanent("usage credits", "credits", Start, r"Usage credits required"),
    permanent("credit balance", "credits", Start, r"(?:Your )?[Cc]redit balance (?:is )?too low"),
    permanent("spend limit", "spend-limit", Start, r"(?:Your |You(?:'|’)ve reached your )?(?:\w+ )?[Ss]pend(?:ing)? limit"),
    permanent("not logged in", "login", Start, r"Not logged in"),
    permanent("run login", "login", Start, r"Please run /login"),
    permanent("failed to authenticate", "login", Start, r"Failed to authenticate"),
    permanent("api key", "login", Start, r"Invalid (?:API key|auth token|bearer token)"),
    permanent("oauth token", "login", Start, r"OAuth (?:token|session) (?:has )?(?:been )?(?:revoked|expired)"),
    permanent("organisation", "organization", Start, r"(?:Your|This) organi[sz]ation (?:has|is|does)\b"),
    permanent("account", "organization", Start, r"Your account (?:does not|has been|is) "),
    permanent("request too large", "request", Start, r"Request too large"),
    permanent("media too large", "request", Start, r"(?:PDF|Image|File|Attachment)s? (?:was |is )?too large"),
    permanent("prompt too long", "context", Start, r"(?:Prompt|Input|Conversation) (?:is )?too long"),
    permanent("context limit", "context", Start, r"Context limit reached"),
    permanent("model", "model", Start, r"There(?:'|’)s an issue with the selected model"),
    permanent("model not found", "model", Behind, r"(?:The )?[Mm]odel\b.{0,80}(?:not found|does not exist|not available|may not exist)"),
    permanent("safeguards", "policy", Start, r"(?:\S+ ){0,6}safeguards (?:have )?flagged"),
    permanent("usage policy", "policy", Start, r"Claude Code is unable to respond to this request"),
    permanent("401", "login", Behind, r"401\b"),
    permanent("403", "login", Behind, r"403\b"),
    permanent("404", "model", Behind, r"404\b"),
    // 408 and 429 are transient, every other 4xx is about the request.
    permanent("4xx", "request", Behind, r"4(?:0[02579]|1\d|2[0-8]|[3-9]\d)\b"),
    permanent("tls", "tls", Anywhere, r"(?i)certificate|self[-_ ]signed|\bssl\b|\bERR_(?:SSL|TLS)|CERT_|_CERT\b|UNABLE_TO_(?:VERIFY|GET_ISSUER)"),
    permanent("limit in the message", "usage-limit", Anywhere, r"(?i)usage[ _]limit|(?:5-hour|five-hour|session|weekly|daily|monthly) (?:usage )?limit|spend(?:ing)?[ _](?:limit|cap)|usage credits?|credit balance|(?:out of|not enough|insufficient|no)[ _](?:credits?|funds|balance|quota)|extra usage|quota|billing|\bresets? (?:at |in |on )?(?:\d|[A-Z][a-z]{2} \d)"),

    // The CLI still tries by itself.
    retrying("retrying in", Anywhere, r"(?i)\bretrying (?:in|after)\b|\bwill retry in\b|\bnext try in\b|\battempt \d+ ?(?:/|of) ?\d+\b"),
    retrying("retrying line", Start, r"[^·]{1,80} · (?:Retrying|retrying|will retry|next try) in\b"),
    retrying("interruptible", Anywhere, r"(?i)\besc to interrupt\b"),

    // The answer was cut.
    transient("server error mid-response", Cut, Start, r"Server error mid-response\b"),
    transient("connection mid-response", Cut, Start, r"Connection (?:lost|closed|dropped|reset) mid-(?:response|stream)\b"),
    transient("stalled", Cut, Start, r"(?:Response|Stream) stalled mid-(?:stream|response)\b"),
    transient("stopped arriving", Cut, Start, r"The response stopped arriving\b"),
    transient("went to sleep", Cut, Start, r"Your computer went to sleep mid-response\b"),
    transient("no response produced", Cut, Behind, r"[^·]{1,120}\bbefore a response was produced\b"),
    transient("while thinking", Cut, Start, r"Connection (?:lost|closed|dropped) while thinking\b"),
    transient("stream idle", Cut, Start, r"Stream idle timeout\b"),

    // 529, under whichever status it comes.
    transient("529", Overloaded, Behind, r"529\b"),
    transient("529 overloaded", Overloaded, Start, r"529 Overloaded\b"),
    transient("repeated 529", Overloaded, Start, r"Repeated 529 Overloaded errors?\b"),
    transient("overloaded", Overloaded, Behind, r"Overloaded\b"),
    transient("overloaded alone", Overloaded, Start, r"Overloaded\.?(?: · .*)?$"),
    transient("overloaded body", Overloaded, Behind, r#"5\d\d \{.*(?:"overloaded_error"|"Overloaded")"#),
    transient("high load", Overloaded, Start, r"[^·]{1,60}\bexperiencing high load, please use /model\b"),

    // 429 without a quota.
    transient("throttle", Throttle, Start, r"Server is temporarily limiting requests\b"),
    transient("429 rejected", Throttle, Start, r"Request rejected \(429\)"),
    transient("rate limit", Throttle, Behind, r"Rate limit(?:ed| reached)\b"),
    transient("rate limit alone", Throttle, Start, r"Rate limit reached\.?(?: · .*)?$"),
    transient("429", Throttle, Behind, r"429\b"),

    // Other 5xx.
    transient("5xx", ServerError, Behind, r"5(?:0[0234]|2[0-8])\b"),
    transient("5xx in words", ServerError, Start, r"(?:500 Internal server error|502 Bad gateway|503 Service unavailable|504 Gateway time-?out)\b"),
    transient("no healthy upstream", ServerError, Behind, r"no healthy upstream\b"),
    transient("internal server error", ServerError, Behind, r"Internal server error\b"),
    transient("408", ServerError, Behind, r"408\b"),
    transient("malformed response", ServerError, Start, r"API returned an empty or malformed response\b"),

    // No answer at all.
    transient("connection dropped", Connection, Start, r"Connection dropped \("),
    transient("unable to connect", Connection, Start, r"Unable to connect to API\b"),
    transient("connection refused", Connection, Start, r"Connection refused — "),
    transient("can't reach", Connection, Start, r"Can(?:'|’)t reach the API server\b"),
    transient("no route", Connection, Start, r"No internet route — "),
    transient("connection", Connection, Behind, r"Connection (?:error|dropped|refused|reset|closed|lost|timed out)\b"),
    transient("timed out", Connection, Behind, r"Request timed out\b"),
    transient("fetch failed", Connection, Behind, r"(?:TypeError: )?fetch failed\b"),
    transient("socket closed", Connection, Behind, r"(?:The )?socket connection was closed\b"),
    transient("connection alone", Connection, Start, r"(?:Connection error|Request timed out|fetch failed|(?:The )?socket connection was closed(?: unexpectedly)?)\.?(?: · .*)?$"),
    transient("errno", Connection, Behind, r"(?:ECONNRESET|ECONNREFUSED|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EPIPE|ConnectionRefused|UND_ERR_SOCKET)\b"),
];

/// The built-in wordings.
pub fn entries() -> &'static [Entry] {
    ENTRIES
}

/// `API Error: …`, and the older `API Error (529 …)`.
const PREFIX: &str = "API Error";

/// Reads one error text by the built-in wordings, see [`Catalogue::read`].
pub fn read(text: &str) -> Reading {
    Catalogue::builtin().read(text)
}

/// Does the text begin as the CLI's API errors do?
pub fn has_prefix(text: &str) -> bool {
    split_prefix(text).0
}

/// The text with control characters out, each run of white space (a no-break space too) one space, no
/// space at either end.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(char::is_whitespace) {
        let word = word.chars().filter(|c| !c.is_control());
        let before = out.len();
        if before > 0 {
            out.push(' ');
        }
        let start = out.len();
        out.extend(word);
        if out.len() == start {
            out.truncate(before);
        }
    }
    out
}

/// Splits a leading `API Error: `, `API Error (` or `API Error ` off.
fn split_prefix(text: &str) -> (bool, &str) {
    let Some(rest) = text.strip_prefix(PREFIX) else {
        return (false, text);
    };
    if let Some(body) = rest.strip_prefix(':') {
        (true, body.trim_start())
    } else if let Some(body) = rest.strip_prefix(" (") {
        (true, body)
    } else if let Some(body) = rest.strip_prefix(' ') {
        (true, body.strip_prefix("· ").unwrap_or(body))
    } else if rest.is_empty() {
        (true, rest)
    } else {
        (false, text)
    }
}

#[cfg(test)]
mod tests;
