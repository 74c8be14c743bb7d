//! The catalogue that is in force: the built-in wordings, less those that the user switched off, and the
//! user's own.

use std::sync::LazyLock;

use regex::{Regex, RegexSet, RegexSetBuilder};

use super::{Class, ENTRIES, Entry, Place, Reading, plain, split_prefix};

/// A wording of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// A short name, unique.
    pub name: String,
    /// A regular expression (the syntax of the `regex` crate). It may match anywhere in a text that begins
    /// by `API Error`, `^` being the start of the text or of what follows `API Error: `; any other text has
    /// to begin with it.
    pub pattern: String,
    /// Its class; `None`: a text with it is never resumed.
    pub class: Option<Class>,
}

/// What kind of permanent error a user's wording without a class is.
pub const OWN_KIND: &str = "your-own-wording";

/// What kind of permanent error it is where a user's wording fits a text that talks of limits or logins.
pub const KEPT_OFF: &str = "limit-or-login";

/// The wordings that are in force.
#[derive(Clone, Debug)]
pub struct Catalogue {
    own: Vec<Wording>,
    off: Vec<&'static str>,
    /// The user's patterns, wherever they stand.
    anywhere: RegexSet,
    /// The same at the start.
    at_start: RegexSet,
}

impl PartialEq for Catalogue {
    fn eq(&self, other: &Self) -> bool {
        (&self.own, &self.off) == (&other.own, &other.off)
    }
}

impl Eq for Catalogue {}

/// Why a wording of the user's is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The pattern is no regular expression, or too large; the reason in a line.
    #[error("{0}")]
    Pattern(String),
    /// The pattern matches what is no error.
    #[error("it matches ordinary text, which is no error")]
    MatchesAll,
    /// There is no built-in wording of this name.
    #[error("there is no built-in wording of this name")]
    Unknown,
    /// A built-in wording that keeps us off cannot be switched off.
    #[error("it keeps claude-retry from acting on what a later try does not help")]
    KeepsOff,
}

/// Nobody's errors: a pattern that matches two of them would match nearly everything.
const ORDINARY: [&str; 6] = [
    "",
    "Hello! How can I help you today?",
    "The build passed; 12 files were changed.",
    "I have read the log.",
    "好的",
    "1",
];

/// The built-in table's expressions.
struct BuiltIn {
    /// One expression an entry, in the table's order.
    set: RegexSet,
    /// The words in the throttle's own wording that would read as a usage limit.
    not_a_limit: Regex,
}

/// What a user's wording is held to.
struct Guard {
    /// An expression for each entry that keeps us off, wherever it stands, but those of a bare status.
    keeps_off: RegexSet,
    /// What talks of limits, money and logins in other words than the catalogue's.
    kept_off: Regex,
    /// A limit of that name is none of the user's account.
    rate_limit: Regex,
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern compiles")
}

/// The table's expressions, in its order.
fn anchored() -> impl Iterator<Item = String> {
    ENTRIES.iter().map(|entry| match entry.place {
        Place::Behind | Place::Start => format!("^(?:{})", entry.pattern),
        Place::Anywhere => format!("(?:{})", entry.pattern),
    })
}

static BUILT_IN: LazyLock<BuiltIn> = LazyLock::new(|| BuiltIn {
    set: RegexSet::new(anchored()).expect("the catalogue's patterns compile"),
    // A space may be lost where the CLI broke a row.
    not_a_limit: regex(r"(?i)\(not ?(?:your|an?) ?[^()]*limits?[^()]*\)"),
});

/// An expression for each entry by itself, to find what of a text is its wording: needed only where an error is
/// logged.
static EACH: LazyLock<Vec<Regex>> =
    LazyLock::new(|| anchored().map(|pattern| regex(&pattern)).collect());

/// Needed only where the user has wordings.
static GUARD: LazyLock<Guard> = LazyLock::new(|| {
    let keeps_off = ENTRIES
        .iter()
        .filter(|entry| matches!(entry.reading, Reading::Permanent(_)))
        .map(|entry| match entry.place {
            Place::Behind => format!("^(?:{})", entry.pattern),
            Place::Start => format!(r"\b(?:{})", entry.pattern),
            Place::Anywhere => format!("(?:{})", entry.pattern),
        });
    Guard {
        keeps_off: RegexSet::new(keeps_off).expect("the catalogue's patterns compile"),
        kept_off: regex(
            r"(?i)\b(?:limits?|quotas?|credits?|billing|payment|plan|subscription|log ?in|/login|log(?:ged)? ?out|api key|unauthori[sz]ed|forbidden|permissions?|token (?:\w+ )?(?:expired|invalid|revoked))\b|/login\b",
        ),
        rate_limit: regex(r"(?i)\brate[- ]?limit\w*"),
    }
});

static PLAIN: LazyLock<Catalogue> = LazyLock::new(|| Catalogue {
    own: Vec::new(),
    off: Vec::new(),
    anywhere: RegexSet::empty(),
    at_start: RegexSet::empty(),
});

/// A compiled pattern of the user's takes no more memory than this, in bytes.
const PATTERN_SIZE: usize = 1 << 17;

/// No more of a text is looked at, in characters: an error is never longer.
const TEXT: usize = 4096;

impl Catalogue {
    /// The built-in one.
    pub fn builtin() -> &'static Self {
        &PLAIN
    }

    /// With these wordings more, and without the built-in ones of these names.
    ///
    /// # Errors
    ///
    /// The first of `own` that [`check`](Self::check) refuses.
    pub fn new(own: Vec<Wording>, off: Vec<&'static str>) -> Result<Self, Refused> {
        for wording in &own {
            Self::check(&wording.pattern)?;
        }
        let set = |anchor: &str| {
            let patterns = own
                .iter()
                .map(|wording| format!("{anchor}(?:{})", wording.pattern));
            RegexSetBuilder::new(patterns)
                .size_limit(PATTERN_SIZE * own.len().max(1))
                .build()
                .map_err(|error| Refused::Pattern(one_line(&error)))
        };
        Ok(Self {
            anywhere: set("")?,
            at_start: set("^")?,
            own,
            off,
        })
    }

    /// Is this a pattern that can be taken?
    ///
    /// # Errors
    ///
    /// [`Refused::Pattern`] and [`Refused::MatchesAll`].
    pub fn check(pattern: &str) -> Result<(), Refused> {
        let build = |pattern: &str| {
            let mut builder = regex::RegexBuilder::new(pattern);
            let built = builder.size_limit(PATTERN_SIZE).build();
            built.map_err(|error| Refused::Pattern(one_line(&error)))
        };
        let regex = build(pattern)?;
        // As it is used: a comment at its end would take the bracket.
        build(&format!("^(?:{pattern})"))?;
        let matches = |text: &&str| regex.is_match(text);
        if regex.is_match("")
            || ORDINARY
                .iter()
                .copied()
                .filter(|text| matches(text))
                .count()
                > 1
        {
            return Err(Refused::MatchesAll);
        }
        Ok(())
    }

    /// The name of the built-in wording that may be switched off by it.
    ///
    /// # Errors
    ///
    /// [`Refused::Unknown`], and [`Refused::KeepsOff`]: without a wording of an error that is not transient, or
    /// that the CLI is still trying, we would act where nobody should.
    pub fn switch(name: &str) -> Result<&'static str, Refused> {
        match ENTRIES.iter().find(|entry| entry.name == name) {
            Some(entry) if matches!(entry.reading, Reading::Transient(_)) => Ok(entry.name),
            Some(_) => Err(Refused::KeepsOff),
            None => Err(Refused::Unknown),
        }
    }

    /// The user's own.
    pub fn own(&self) -> &[Wording] {
        &self.own
    }

    /// The built-in ones that are switched off.
    pub fn off(&self) -> &[&'static str] {
        &self.off
    }

    /// Reads one error text (wraps joined, no glyph, with or without the leading `API Error: `).
    ///
    /// A text that starts neither by `API Error` nor by a wording that the CLI shows bare is
    /// [`Reading::Unknown`]. Of several wordings one that keeps us off wins, then one of the CLI's own
    /// retries, then one of the user's.
    pub fn read(&self, text: &str) -> Reading {
        let mut text = plain(text);
        if let Some((at, _)) = text.char_indices().nth(TEXT) {
            text.truncate(at);
        }
        let (prefixed, body) = split_prefix(&text);
        let own = self.read_own(&text, prefixed, body);
        let built_in = self.read_built_in(prefixed, body, own.is_some());
        own.map(|own| guarded(own, &text))
            .into_iter()
            .chain(built_in)
            // The catalogue names what it is; the guard does not.
            .min_by_key(|reading| {
                (
                    reading.strictness(),
                    *reading == Reading::Permanent(KEPT_OFF),
                )
            })
            .unwrap_or(Reading::Unknown)
    }

    /// By the built-in wordings; `believed` where the text is an error by another word.
    fn read_built_in(&self, prefixed: bool, body: &str, believed: bool) -> Option<Reading> {
        let body = BUILT_IN.not_a_limit.replace_all(body, "");
        let hits = BUILT_IN.set.matches(&body);
        let matched = || {
            let entries = hits.iter().map(|index| &ENTRIES[index]);
            entries.filter(|entry| !self.off.contains(&entry.name))
        };
        if !prefixed && !believed && !matched().any(|entry| starts(entry, prefixed)) {
            return None;
        }
        matched()
            .filter(|entry| entry.place == Place::Anywhere || starts(entry, prefixed))
            .map(|entry| entry.reading)
            .min_by_key(Reading::strictness)
    }

    /// Do the user's wordings alone make it a transient error?
    pub fn is_own_alone(&self, text: &str) -> bool {
        let text = plain(text);
        let (prefixed, body) = split_prefix(&text);
        !self.own.is_empty()
            && !matches!(
                self.read_built_in(prefixed, body, false),
                Some(Reading::Transient(_))
            )
    }

    /// What of a text is a built-in wording of an error, with the `API Error` before it: words of the
    /// CLI's, whoever wrote the rest. Empty where it is none.
    pub fn wording_of(&self, text: &str) -> String {
        let text = plain(text);
        let (prefixed, body) = split_prefix(&text);
        let head = if prefixed { "API Error: " } else { "" };
        let found = ENTRIES
            .iter()
            .zip(&*EACH)
            .filter(|(entry, _)| starts(entry, prefixed))
            .filter_map(|(_, regex)| regex.find(body))
            .max_by_key(regex::Match::end);
        let found = found.map_or("", |found| found.as_str());
        format!("{head}{found}")
            .trim_end_matches([' ', ':'])
            .to_owned()
    }

    /// By the user's wordings.
    fn read_own(&self, text: &str, prefixed: bool, body: &str) -> Option<Reading> {
        if self.own.is_empty() {
            return None;
        }
        let mut matched: Vec<usize> = if prefixed {
            let both = [text, body].map(|text| self.anywhere.matches(text));
            both.iter().flat_map(|matches| matches.iter()).collect()
        } else {
            self.at_start.matches(body).iter().collect()
        };
        matched.sort_unstable();
        let classes = || matched.iter().map(|index| self.own[*index].class);
        if classes().any(|class| class.is_none()) {
            return Some(Reading::Permanent(OWN_KIND));
        }
        classes().flatten().next().map(Reading::Transient)
    }
}

/// May this wording make a text that it begins an error?
const fn starts(entry: &Entry, prefixed: bool) -> bool {
    match entry.place {
        Place::Behind => prefixed,
        Place::Start => true,
        Place::Anywhere => false,
    }
}

/// A user's pattern may be wider than meant: what talks of limits, money or logins anywhere in the text
/// stays what it is.
fn guarded(own: Reading, text: &str) -> Reading {
    let text = BUILT_IN.not_a_limit.replace_all(text, "");
    let talk = GUARD.rate_limit.replace_all(&text, "");
    if matches!(own, Reading::Transient(_))
        && (GUARD.keeps_off.is_match(split_prefix(&text).1) || GUARD.kept_off.is_match(&talk))
    {
        Reading::Permanent(KEPT_OFF)
    } else {
        own
    }
}

/// The regex crate draws a picture over several lines; its last one says what is wrong.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    let last = last.unwrap_or("it is no regular expression");
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
