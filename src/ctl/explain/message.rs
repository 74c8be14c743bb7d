//! The message of a recording that does not tell it: where it was typed, the CLI drew it.

use crate::cast::{Cast, What};
use crate::config::BarMode;
use crate::supervisor::prompt;
use crate::term::overlay::Compositor;

/// What stood in the prompt when we pressed Enter, where it is as long as `masked`, which is all `x`.
pub(super) fn drawn(cast: &Cast, masked: &str) -> Option<String> {
    if cast.ours.is_none() || masked.chars().any(|c| c != 'x') {
        return None;
    }
    let len = masked.chars().count();
    let mut screen = Compositor::new(cast.size, BarMode::Off, true);
    for event in &cast.events {
        match &event.what {
            What::Output(bytes) => screen.child_output(bytes, &mut Vec::new()),
            What::Resize(size) => screen.resize(*size),
            What::Typed(bytes) if bytes == b"\r" => {
                let typed = prompt::typed(&screen.screen()).unwrap_or_default();
                // A row's end stands for a space or for nothing.
                let mut either = [typed.replace('\n', " "), typed.replace('\n', "")].into_iter();
                let found = either.find(|text| text.trim_end().chars().count() == len);
                if let Some(text) = found {
                    return Some(text.trim_end().to_owned());
                }
            }
            _ => {}
        }
    }
    None
}
