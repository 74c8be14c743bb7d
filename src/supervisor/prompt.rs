//! Screen rows to the state of the prompt.

use crate::term::screen::Screen;

/// The state of the CLI's prompt. Whatever is not recognised is not free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Free and empty (a dim placeholder is empty).
    Free,
    /// Something is typed in it: the text, rows joined.
    Draft(String),
    /// Shell (`!`) mode.
    Shell,
    /// A menu at the prompt (slash, `@`), or history search.
    Menu,
    /// A dialog stands where the prompt was.
    Dialog,
    /// The transcript view, with no prompt at all.
    TranscriptView,
    /// No prompt is to be seen.
    None,
}

impl Prompt {
    /// The reason in words, for bar and log: "a draft is in the prompt".
    pub const fn why(&self) -> &'static str {
        match self {
            Self::Free => "the prompt is free",
            Self::Draft(_) => "a draft is in the prompt",
            Self::Shell => "the prompt is in shell mode",
            Self::Menu => "a menu is open",
            Self::Dialog => "a dialog is open",
            Self::TranscriptView => "the transcript view is open",
            Self::None => "no prompt in sight",
        }
    }
}

/// Reads the prompt.
pub fn read(screen: &Screen) -> Prompt {
    let _ = screen;
    Prompt::None
}
