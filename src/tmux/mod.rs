//! tmux, as a control client sees it, and what is shown of the panes that are watched. Pure: no clock, no descriptor,
//! no process.

mod id;
pub mod keys;
mod protocol;
mod quote;
pub mod table;
pub mod watched;

pub use id::{PaneId, SessionId, WindowId};
pub use protocol::{Message, Parser, Reply};
pub use quote::quote;

/// A decimal number of digits alone: no sign, no blank.
fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}
