use super::*;
use Reading::{Permanent, StillRetrying, Transient, Unknown};

/// Texts as the CLI shows them, and what they say.
#[rustfmt::skip]
const TEXTS: &[(&str, Reading)] = &[
    ("API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited", Transient(Throttle)),
    ("API Error: Server is temporarily limiting requests (not your usage limit)", Transient(Throttle)),
    ("API Error: Server is temporarily limiting requests (not your usage limit) · Try later, friend", Transient(Throttle)),
    ("API Error: Request rejected (429) · Rate limited", Transient(Throttle)),
    ("API Error: Request rejected (429) · This request would exceed your account's rate limit. Please try again later.", Transient(Throttle)),
    ("API Error: Request rejected (429) · This request would exceed your organization's rate limit of 50,000 input tokens per minute", Transient(Throttle)),
    ("API Error: Rate limit reached", Transient(Throttle)),
    (r#"API Error: 429 {"type":"error","error":{"type":"rate_limit_error","message":"Rate limited"}}"#, Transient(Throttle)),
    ("API Error: 529 Overloaded. This is a server-side issue, usually temporary — try again in a moment. If it persists, check your inference gateway (127.0.0.1:9110).", Transient(Overloaded)),
    ("API Error: Repeated 529 Overloaded errors. Try again later.", Transient(Overloaded)),
    ("API Error: Overloaded", Transient(Overloaded)),
    ("Overloaded", Transient(Overloaded)),
    (r#"API Error: 529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, Transient(Overloaded)),
    (r#"API Error: 500 {"type":"error","error":{"type":"api_error","message":"Overloaded"}}"#, Transient(Overloaded)),
    ("Opus is experiencing high load, please use /model to switch to Sonnet", Transient(Overloaded)),
    ("API Error: 500 Internal server error. This is a server-side issue, usually temporary — try again in a moment.", Transient(ServerError)),
    ("API Error: 502 Bad Gateway", Transient(ServerError)),
    ("API Error: 503 Service unavailable. This is a server-side issue, usually temporary — try again in a moment.", Transient(ServerError)),
    ("API Error: 503 no healthy upstream", Transient(ServerError)),
    ("API Error: 504 Gateway timeout. This is a server-side issue", Transient(ServerError)),
    ("API Error: 522 <none>", Transient(ServerError)),
    ("API Error: 408 Request timeout", Transient(ServerError)),
    ("API Error: API returned an empty or malformed response (HTTP 200)", Transient(ServerError)),
    ("API Error: Connection dropped (ECONNRESET). Check the gateway set in ANTHROPIC_BASE_URL, then try again.", Transient(Connection)),
    ("API Error: Unable to connect to API (ECONNRESET)", Transient(Connection)),
    ("API Error: Unable to connect to API (ENOTFOUND)", Transient(Connection)),
    ("API Error: Connection refused — is the proxy up?", Transient(Connection)),
    ("Can't reach the API server — check your connection", Transient(Connection)),
    ("No internet route — you may be offline", Transient(Connection)),
    ("API Error: Connection error.", Transient(Connection)),
    ("API Error: Request timed out.", Transient(Connection)),
    ("API Error: fetch failed", Transient(Connection)),
    ("API Error: The socket connection was closed unexpectedly.", Transient(Connection)),
    ("API Error: Server error mid-response. The response above may be incomplete.", Transient(Cut)),
    ("API Error: Connection lost mid-response. The response above may be incomplete.", Transient(Cut)),
    ("Connection closed mid-response", Transient(Cut)),
    ("API Error: Response stalled mid-stream", Transient(Cut)),
    ("API Error: The response stopped arriving", Transient(Cut)),
    ("API Error: Your computer went to sleep mid-response", Transient(Cut)),
    ("API Error: Connection closed before a response was produced", Transient(Cut)),
    ("API Error: Connection closed while thinking", Transient(Cut)),
    ("API Error: Stream idle timeout - partial response received", Transient(Cut)),

    ("API Error (529 {\"type\":\"error\"}) · Retrying in 4 seconds… (attempt 3/10)", StillRetrying),
    ("API Error (Connection error.) · Retrying in 1 seconds… (attempt 1/10)", StillRetrying),
    ("API error · retrying in 5s · attempt 1/10", StillRetrying),
    ("429 Rate limited · retrying in 2s · attempt 3/10", StillRetrying),
    ("API Error: 529 Overloaded · will retry in 3s", StillRetrying),

    ("You've hit your session limit · resets 4:04am (UTC)", Permanent("usage-limit")),
    ("You've hit your 5-hour limit · resets 4:13am (UTC)", Permanent("usage-limit")),
    ("You've hit your weekly limit · resets Nov 26, 3:13am (UTC)", Permanent("usage-limit")),
    ("You've hit your Opus limit · resets 4am", Permanent("usage-limit")),
    ("Usage limit reached · set to continue automatically at 4:13am", Permanent("usage-limit")),
    ("Claude AI usage limit reached|1795493583", Permanent("usage-limit")),
    ("5-hour limit reached ∙ resets 3pm", Permanent("usage-limit")),
    ("API Error: Request rejected (429) · You have reached your specified API usage limits. You will regain access on 2026-12-01", Permanent("usage-limit")),
    ("API Error: Request rejected (429) · Your workspace's monthly spend limit is exhausted", Permanent("usage-limit")),
    ("API Error: Server is temporarily limiting requests (not your usage limit) · You are out of extra usage", Permanent("usage-limit")),
    ("API Error: Usage credits required for 1M context · run /model to switch to standard context", Permanent("credits")),
    ("Credit balance too low · Add funds: https://platform.claude.com/settings/billing", Permanent("credits")),
    ("Not logged in · Please run /login", Permanent("login")),
    ("Invalid API key · Fix external API key", Permanent("login")),
    ("Please run /login · API Error: 403 forbidden", Permanent("login")),
    ("API Error: 401 invalid x-api-key", Permanent("login")),
    ("API Error: 403 forbidden", Permanent("login")),
    ("API Error: 404 model: claude-nope", Permanent("model")),
    ("API Error: 400 messages: bad thing", Permanent("request")),
    ("API Error: 400 {\"error\":{\"message\":\"Overloaded\"}}", Permanent("request")),
    ("API Error: 413 Request too large", Permanent("request")),
    ("Request too large (max 32MB). Double press esc to go back and try with a smaller file.", Permanent("request")),
    ("Prompt is too long", Permanent("context")),
    ("Context limit reached · /compact or /clear to continue", Permanent("context")),
    ("API Error: Unable to connect to API (SELF_SIGNED_CERT_IN_CHAIN)", Permanent("tls")),
    ("API Error: Unable to connect to API: SSL certificate verification failed", Permanent("tls")),
    ("Error during compaction: API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited", Permanent("compaction")),
    ("Error: Error during compaction: API Error: 529 Overloaded", Permanent("compaction")),
    ("This organization has been disabled", Permanent("organization")),

    ("API Error: something nobody has seen", Unknown),
    ("API Error", Unknown),
    ("API Error: ", Unknown),
    ("", Unknown),
    ("The log says: API Error: Server is temporarily limiting requests", Unknown),
    ("Overloaded methods in this class are confusing.", Unknown),
    ("Request timed out, so I tried again.", Unknown),
    ("Connection error handling is in src/net.rs.", Unknown),
    ("429 is the status for too many requests", Unknown),
    ("The certificate has expired", Unknown),
    ("Check your quota and your usage limits", Unknown),
    ("API Errors: Server is temporarily limiting requests", Unknown),
    ("You've used 98% of your session limit", Unknown),
];

#[test]
fn every_text_reads_as_it_should() {
    let wrong: Vec<_> = TEXTS
        .iter()
        .map(|&(text, want)| (text, want, read(text)))
        .filter(|t| t.1 != t.2)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn white_space_and_controls_do_not_matter() {
    assert_eq!(
        read("API\u{a0}Error:\n  Server is\ttemporarily limiting\u{7} requests"),
        Transient(Throttle)
    );
    assert_eq!(plain(" a\u{a0}\u{1b} b\r\n \u{7} c\u{7} "), "a b c");
}

#[test]
fn names_are_unique_and_every_entry_can_match() {
    let mut names: Vec<_> = entries().iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), entries().len());
    // Every transient entry is exercised by a text above.
    for entry in entries() {
        let pattern = regex::Regex::new(&format!("^(?:{})", entry.pattern)).expect("a pattern");
        let hit = TEXTS
            .iter()
            .any(|(text, _)| pattern.is_match(split_prefix(&plain(text)).1));
        assert!(
            hit || matches!(entry.reading, Permanent(_) | StillRetrying) || entry.place == Behind,
            "{}",
            entry.name
        );
    }
}

/// The server's own message is never required.
#[test]
fn the_suffix_is_never_required() {
    for &(text, want) in TEXTS.iter().filter(|t| matches!(t.1, Transient(_))) {
        if let Some((head, _)) = text.split_once(" · ") {
            assert_eq!(read(head), want, "{head}");
        }
    }
}

fn own(name: &str, pattern: &str, class: Option<Class>) -> Wording {
    Wording {
        name: name.into(),
        pattern: pattern.into(),
        class,
    }
}

#[test]
fn a_wording_of_the_users_stands_anywhere_behind_the_prefix_and_else_at_the_start() {
    let warming = own("gateway", "gateway is warming up", Some(ServerError));
    let catalogue = Catalogue::new(vec![warming], Vec::new()).expect("it is good");
    for text in [
        "API Error: gateway is warming up",
        "API Error: 599 the gateway is warming up, wait",
        "gateway is warming up",
    ] {
        assert_eq!(catalogue.read(text), Transient(ServerError), "{text}");
        assert_eq!(read(text), Unknown, "{text}");
    }
    assert_eq!(catalogue.read("The gateway is warming up"), Unknown);
}

#[test]
fn the_start_of_a_users_pattern_is_that_of_the_text_or_of_what_follows_the_prefix() {
    let both = ["^API Error: Teapot", "^Teapot"];
    for pattern in both {
        let teapot = own("teapot", pattern, Some(Connection));
        let catalogue = Catalogue::new(vec![teapot], Vec::new()).expect("it is good");
        assert_eq!(
            catalogue.read("API Error: Teapot boils"),
            Transient(Connection)
        );
        assert_eq!(
            catalogue.read("API Error: a Teapot boils"),
            Unknown,
            "{pattern}"
        );
    }
}

#[test]
fn what_keeps_us_off_beats_a_wording_of_the_users() {
    for (text, reading) in TEXTS.iter().filter(|(text, _)| text.len() > 12) {
        let exact = own("exact", &regex::escape(text), Some(Throttle));
        let catalogue = Catalogue::new(vec![exact], Vec::new()).expect("it is good");
        let read = catalogue.read(text);
        match reading {
            Permanent(_) | StillRetrying => assert_eq!(read, *reading, "{text}"),
            // What is known to nobody else may still talk of a limit or a login.
            Transient(_) | Unknown => {
                let kept_off = *reading == Unknown && matches!(read, Permanent(_));
                assert!(read == Transient(Throttle) || kept_off, "{text}: {read:?}");
            }
        }
    }
    let never = own("never", "529", None);
    let catalogue = Catalogue::new(vec![never], Vec::new()).expect("it is good");
    assert_eq!(
        catalogue.read("API Error: 529 Overloaded"),
        Permanent(OWN_KIND)
    );
}

#[test]
fn a_wording_that_is_switched_off_is_not_known_any_more() {
    let name = Catalogue::switch("429 rejected").expect("it is there");
    let catalogue = Catalogue::new(Vec::new(), vec![name]).expect("it is good");
    let text = "API Error: Request rejected (429) · Rate limited";
    assert_eq!(read(text), Transient(Throttle));
    assert_eq!(catalogue.read(text), Unknown);
    assert_eq!(
        catalogue.read("API Error: 529 Overloaded"),
        Transient(Overloaded)
    );
}

#[test]
fn what_keeps_us_off_cannot_be_switched_off() {
    for entry in entries() {
        let expected = match entry.reading {
            Transient(_) => Ok(entry.name),
            _ => Err(Refused::KeepsOff),
        };
        assert_eq!(Catalogue::switch(entry.name), expected);
    }
    assert_eq!(Catalogue::switch("no such"), Err(Refused::Unknown));
}

#[test]
fn a_pattern_that_is_none_or_matches_everything_is_refused() {
    for pattern in ["", "x*", "a|", "(?i)", ".", r"\w", "[a-z ]+"] {
        assert_eq!(
            Catalogue::check(pattern),
            Err(Refused::MatchesAll),
            "{pattern}"
        );
    }
    for pattern in ["(", "[", "a{1000000}", r"(?<=x)y", r"\1", "(?x)foo # note"] {
        let Err(Refused::Pattern(reason)) = Catalogue::check(pattern) else {
            panic!("{pattern} was taken");
        };
        assert!(!reason.is_empty() && !reason.contains('\n'), "{reason:?}");
    }
}

/// A pattern may be wider than its author meant.
#[test]
fn a_users_wording_never_takes_a_limit_or_a_login_for_transient() {
    let wide = ["(?i)limit", "(?i)expired", r"4\d\d", "(?i)contact|again"];
    let own: Vec<_> = wide
        .iter()
        .enumerate()
        .map(|(n, pattern)| own(&format!("wide {n}"), pattern, Some(Throttle)))
        .collect();
    let catalogue = Catalogue::new(own, Vec::new()).expect("it is good");
    for text in [
        "API Error: You have hit your limit, contact your admin",
        "API Error: Limit reached · resets at midnight",
        "API Error: token expired · Please run /login",
        "API Error: Session expired. Log in again",
        "401 Unauthorized",
        "403 forbidden",
        "API Error: add a payment method and try again",
        "API Error: 400 try again",
        "again: upgrade your plan",
    ] {
        let read = catalogue.read(text);
        assert!(matches!(read, Permanent(_) | Unknown), "{text}: {read:?}");
    }
    for text in [
        "API Error: rate limit of the gateway, try again",
        "API Error: the lease expired",
    ] {
        assert_eq!(catalogue.read(text), Transient(Throttle), "{text}");
    }
}

#[test]
fn what_is_logged_of_a_text_is_a_wording_and_no_more() {
    let catalogue = Catalogue::builtin();
    for (text, wording) in [
        (
            "API Error: 529 Overloaded is what the secret log says",
            "API Error: 529 Overloaded",
        ),
        ("API Error: the secret plan", "API Error"),
        ("Your account is overdrawn by 5,300 EUR", "Your account is"),
        ("The secret plan", ""),
        (
            "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited",
            "API Error: Server is temporarily limiting requests",
        ),
    ] {
        assert_eq!(catalogue.wording_of(text), wording);
    }
}
