//! What a scenario starts from.

use crate::support::api::Answer;
use crate::support::home::Auth;

/// What a scenario starts from.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// What the API answers.
    pub(crate) api: Vec<Answer>,
    /// Rows and columns.
    pub(crate) size: (u16, u16),
    /// How the CLI pays.
    pub(crate) auth: Auth,
    /// The CLI's arguments.
    pub(crate) args: Vec<&'static str>,
    /// Our settings, and whatever else.
    pub(crate) env: Vec<(&'static str, &'static str)>,
}

impl Setup {
    /// The usual one: an answer to each turn, 30 rows by 100 columns, a subscriber, short exact waits.
    pub(crate) fn new(api: impl Into<Vec<Answer>>) -> Self {
        Self {
            api: api.into(),
            size: (30, 100),
            auth: Auth::OAuth,
            args: Vec::new(),
            env: vec![
                ("CLAUDE_RETRY_JITTER", "none"),
                ("CLAUDE_RETRY_BASE", "400ms"),
                ("CLAUDE_RETRY_CAP", "400ms"),
            ],
        }
    }

    /// In a terminal of this size.
    pub(crate) fn size(mut self, rows: u16, columns: u16) -> Self {
        self.size = (rows, columns);
        self
    }

    /// With this wait before each resume.
    pub(crate) fn wait(self, wait: &'static str) -> Self {
        self.env("CLAUDE_RETRY_BASE", wait)
            .env("CLAUDE_RETRY_CAP", wait)
    }

    /// With this variable; a later one beats an earlier one.
    pub(crate) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.retain(|(known, _)| *known != name);
        self.env.push((name, value));
        self
    }

    /// With these arguments for the CLI.
    pub(crate) fn args(mut self, args: &[&'static str]) -> Self {
        self.args = args.to_vec();
        self
    }

    /// As a user with an API key.
    pub(crate) fn api_key(mut self) -> Self {
        self.auth = Auth::ApiKey;
        self
    }

    /// The CLI draws for a screen reader: no prompt between rules.
    pub(crate) fn for_screen_reader(&self) -> bool {
        self.args.contains(&"--ax-screen-reader")
    }
}
