//! Screen rows to the error block that ends the conversation, wraps joined.

use super::wording::Reading;
use crate::term::screen::Screen;

/// The error block that ends the conversation on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banner {
    /// Its text from `API Error` (or the bare wording) on, rows joined with single spaces, control
    /// characters stripped.
    pub text: String,
    /// What it says.
    pub reading: Reading,
}

/// Finds the error block that ends the conversation, if the last block above the prompt is one.
pub fn find(screen: &Screen) -> Option<Banner> {
    let _ = screen;
    None
}

/// Is the CLI at work by what stands on the screen (its spinner line, `esc to interrupt`, its own
/// retry line) or in the title (its busy glyph)?
pub fn busy(screen: &Screen) -> bool {
    let _ = screen;
    false
}
