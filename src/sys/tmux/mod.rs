//! `ctl tmux watch`: panes of a tmux server whose CLI was started without us, each with a [`Session`] of its
//! own, fed by tmux's control mode.
//!
//! [`Session`]: crate::supervisor::session::Session

use std::future::Future;
use std::process::ExitCode;

use crate::config::Settings;
use crate::tmux::watched::{Happened, PaneId, Watched};

/// Which server, and what of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchOptions {
    /// The server.
    pub socket: Socket,
    /// A pane, a window or a session, in tmux's words; `None`: the current session (in tmux), else the one that
    /// tmux takes.
    pub target: Option<String>,
    /// Every session of the server, those to come as well.
    pub all: bool,
}

/// How a server is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Socket {
    /// `$TMUX`'s, else the default one.
    #[default]
    Default,
    /// `-L NAME`.
    Name(String),
    /// `-S PATH`.
    Path(std::path::PathBuf),
}

/// Whoever shows the watch: a table on a terminal, or lines. Called by the engine on its own thread, so each
/// call is to be short.
pub trait View {
    /// All watched panes, in the order of their places: at the start, after every change, and every second while a
    /// pane counts down.
    fn show(&mut self, panes: &[Watched]);

    /// Something happened to this pane. Comes before the [`View::show`] with it.
    fn happened(&mut self, pane: &Watched, what: &Happened);

    /// The next wish of whoever looks at it; pending for ever where there is none. Is dropped and called again at
    /// any time: what was read must not be lost by that.
    fn next(&mut self) -> impl Future<Output = Wish>;

    /// The watch is over: the terminal is to be as before. Is called once, before the last words.
    fn end(&mut self);
}

/// What whoever looks at the view wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The end.
    Quit,
    /// The same by Ctrl+C: exit code 130.
    Interrupt,
    /// [`View::show`] again, for instance after the terminal's size has changed.
    Redraw,
    /// Resume this pane's turn now, if it waits.
    Now(PaneId),
    /// Leave this pane's error alone, if it waits.
    Cancel(PaneId),
}

/// Why there is nothing to watch, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Bad input, or no tmux that would do: one line with the remedy, exit code 2.
    #[error("{0}")]
    Unusable(String),
    /// A failure of our own: exit code 125.
    #[error("{0}")]
    Own(String),
}

/// Watches until the end: the user's wish, a signal, or the end of what is watched. The last words are on stderr.
///
/// The code: 0 for [`Wish::Quit`] and when what was watched is gone, 1 when somebody detached us, 128 and the
/// signal's number after a signal.
///
/// # Errors
///
/// [`WatchError::Unusable`] before anything was touched; [`WatchError::Own`].
pub fn watch<V: View>(
    _options: &WatchOptions,
    _settings: Settings,
    _view: &mut V,
) -> Result<ExitCode, WatchError> {
    Err(WatchError::Own("not there yet".into()))
}
