//! The hook in the CLI's settings, what else in them matters, and sessions that stand at an error.

use std::path::Path;

use serde_json::Value;

use super::cli::dotted;
use super::report::Finding;
use super::wordings::Version;
use crate::config::{HookMode, Settings};
use crate::ctl::hook::checks::{self, Place, entries};
use crate::ctl::hook::standing::{age, standing};
use crate::ctl::hook::status::of_place;
use crate::ctl::text::count;
use crate::sys;

/// Not more sessions are named.
const NAMED: usize = 5;

/// The hook, in each place where it is installed.
pub(super) fn installed(
    settings: &Settings,
    places: &[Place],
    cli: Option<Version>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for place in places {
        let mut text = String::new();
        match of_place(place, entries(place), &mut text) {
            Some(true) => findings.push(Finding::ok("installed hook", text)),
            Some(false) => findings.push(Finding::warning("installed hook", text, place.remedy)),
            None => {}
        }
    }
    if findings.is_empty() {
        findings.push(match cli {
            _ if settings.hook == HookMode::Off => Finding::ok(
                "installed hook",
                "not installed, and the wrapper brings none (`hook = off`): a prompt that is not free is not resumed",
            ),
            Some(version) if version < sys::PLUGINS_SINCE => {
                Finding::warning(
                    "installed hook",
                    format!(
                        "not installed, and version {} takes none from the wrapper, as versions since {} do: a prompt \
                         that is not free is not resumed",
                        dotted(version),
                        dotted(sys::PLUGINS_SINCE)
                    ),
                    "`claude-retry ctl hook install`, once; or update the CLI",
                )
            }
            _ => Finding::ok(
                "installed hook",
                "not installed, and not needed: the wrapper brings its own",
            ),
        });
    }
    if let Some(off) = checks::off(places, &sys::managed_settings()) {
        findings.push(Finding::warning(
            "hooks",
            format!("turned off by {} in {}", off.key, off.path.display()),
            "take it out, or live without: a prompt that is not free is not resumed",
        ));
    }
    findings
}

/// What in the CLI's own settings and environment changes how it is to be read. `env` tells whether a variable
/// is set.
pub(super) fn cli_settings(user: &Value, env: impl Fn(&str) -> bool) -> Vec<Finding> {
    let is_set = |name: &str| env(name) || !user["env"][name].is_null();
    let mut findings = Vec::new();
    if user["cleanupPeriodDays"] == 0 {
        findings.push(Finding::warning(
            "CLI settings",
            "cleanupPeriodDays is 0, so there may be no transcripts: then the screen alone decides",
            "set it to 1 or more",
        ));
    }
    let notes = [
        (
            "CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN",
            "the CLI draws inline",
        ),
        (
            "CLAUDE_CODE_RETRY_WATCHDOG",
            "the CLI itself waits longer before it shows an error",
        ),
        (
            "CLAUDE_CODE_MAX_RETRIES",
            "the CLI's own tries are set by you",
        ),
    ];
    let notes: Vec<String> = notes
        .iter()
        .filter(|(name, _)| is_set(name))
        .map(|(name, what)| format!("{name}: {what}"))
        .collect();
    if !notes.is_empty() {
        findings.push(Finding::ok("CLI settings", notes.join("; ")));
    }
    findings
}

/// The user's settings of the CLI, as far as they can be read.
pub(super) fn user_settings(config_dir: Option<&Path>) -> Value {
    let text = config_dir.and_then(|dir| sys::read_text(&dir.join("settings.json")).ok());
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// The sessions that stand at an error now, and that nobody sees to.
pub(super) fn stuck(settings: &Settings) -> Finding {
    let standing = standing(settings);
    if standing.is_empty() {
        return Finding::ok("errors now", "no session stands at one");
    }
    let mut named: Vec<String> = standing
        .iter()
        .take(NAMED)
        .map(|session| format!("{} ({} ago)", session.folder, age(session.age)))
        .collect();
    if standing.len() > NAMED {
        named.push("…".into());
    }
    let number = count(standing.len(), "session stands", "sessions stand");
    Finding::warning(
        "errors now",
        format!(
            "{number} at an error, with no wrapper: {}",
            named.join(", ")
        ),
        "type `continue` there; an old error is never acted on",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ctl::doctor::report::Status;

    #[test]
    fn an_old_cli_needs_the_hook_installed_and_a_new_one_does_not() {
        let settings = Settings::default();
        let of = |cli| installed(&settings, &[], cli)[0].status;
        assert_eq!(of(Some((2, 1, 145))), Status::Warning);
        assert_eq!(of(Some((2, 1, 330))), Status::Ok);
        assert_eq!(of(None), Status::Ok);
        let without = Settings {
            hook: HookMode::Off,
            ..settings
        };
        let finding = &installed(&without, &[], Some((2, 1, 145)))[0];
        assert_eq!(finding.status, Status::Ok);
        assert!(finding.found.contains("`hook = off`"), "{}", finding.found);
    }

    #[test]
    fn what_matters_in_the_clis_settings_is_named_and_no_value_is() {
        assert!(cli_settings(&Value::Null, |_| false).is_empty());
        let user = json!({
            "cleanupPeriodDays": 0,
            "env": { "CLAUDE_CODE_RETRY_WATCHDOG": "sk-secret", "ANTHROPIC_API_KEY": "sk-secret" },
        });
        let findings = cli_settings(&user, |name| name == "CLAUDE_CODE_MAX_RETRIES");
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0].status, Status::Warning);
        let text = format!("{findings:?}");
        assert!(text.contains("CLAUDE_CODE_RETRY_WATCHDOG") && text.contains("MAX_RETRIES"));
        assert!(!text.contains("secret"));
    }
}
