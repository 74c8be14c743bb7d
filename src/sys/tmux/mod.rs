//! `ctl tmux watch`: panes of a tmux server whose CLI was started without us, each with a [`Session`] of its
//! own, fed by tmux's control mode.
//!
//! # The processes
//!
//! One control client a session that is watched (`tmux -C attach-session`, without a size of its own), and a short
//! process for each text that is to be typed: `load-buffer -` cannot read a control client's input (3.3a).
//!
//! # Acts
//!
//! What a session wants typed goes into the pane by `paste-buffer`, not by `send-keys`: that is taken by copy mode where
//! the pane is in it, and copied to the other panes by synchronize-panes; a paste goes to the pane's program alone, and
//! copy mode stays as it is. Before the message, before its Enter and before what takes it back the pane is looked at
//! anew (`look.rs`), and tmux itself checks at the paste that this is still true: a server that was stuck types nothing
//! late.
//!
//! # What it costs
//!
//! Nothing wakes the loop but tmux, the end of a CLI, a signal, or a deadline of a session. tmux reads the panes of a
//! session that has no other client only as fast as we do, so their output is taken off at once, whatever else is to be done.
//!
//! [`Session`]: crate::supervisor::session::Session

mod client;
mod engine;
mod list;
mod look;
mod options;
mod pane;
mod processes;
mod server;

use std::future::Future;
use std::process::ExitCode;

use self::client::ClientId;
use self::engine::Watch;
use super::guarded;
use crate::config::Settings;
use crate::tmux::PaneId;
use crate::tmux::watched::{Happened, Watched};

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
/// The code: 0 for [`Wish::Quit`] and when what was watched is gone, 1 when somebody detached us twice, 128 and the
/// signal's number after a signal.
///
/// # Errors
///
/// [`WatchError::Unusable`] before anything was touched; [`WatchError::Own`].
pub fn watch<V: View>(
    options: &WatchOptions,
    settings: Settings,
    view: &mut V,
) -> Result<ExitCode, WatchError> {
    crate::fault::arm();
    guarded::install_panic_hook();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| WatchError::Own(format!("failed to start the event loop: {error}")))?;
    let _context = runtime.enter();
    let watch = runtime.block_on(Watch::start(options, settings));
    let mut watch = watch.inspect_err(|_| view.end())?;
    let end = guarded::catch(|| runtime.block_on(watch.run(view)));
    // A failure of the loop's own code: options and clients are seen to all the same.
    let _ = guarded::catch(|| runtime.block_on(watch.finish()));
    view.end();
    match end {
        Ok(end) => Ok(end.tell()),
        Err(failure) => Err(WatchError::Own(failure)),
    }
}

/// What wakes the loop, but for signals and deadlines.
#[derive(Debug)]
enum News {
    /// A control client said something.
    Said(ClientId, Vec<u8>),
    /// A control client has ended.
    Gone(ClientId),
    /// A buffer was loaded, or could not be.
    Loaded(PaneId, Loaded),
    /// The CLI in a pane has ended.
    Ended(PaneId, rustix::process::Pid),
}

/// A buffer for a pane.
#[derive(Debug)]
struct Loaded {
    /// Its name.
    buffer: String,
    /// What is in it.
    text: Vec<u8>,
    /// Is it there?
    there: bool,
}

/// How a watch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// As was wished.
    Quit,
    /// By Ctrl+C in the view.
    Interrupt,
    /// By a signal of this number.
    Signal(u8),
    /// What was watched is gone: in words.
    Gone(String),
    /// Somebody put an end to our client: in words.
    Detached(String),
}

impl End {
    /// The last words, and the code.
    #[expect(clippy::print_stderr, reason = "the terminal is as before")]
    fn tell(&self) -> ExitCode {
        let (words, code) = match self {
            Self::Quit => (None, 0),
            Self::Interrupt => (None, 130),
            Self::Signal(number) => (None, 128 + number),
            Self::Gone(words) => (Some(words), 0),
            Self::Detached(words) => (Some(words), 1),
        };
        if let Some(words) = words {
            eprintln!("claude-retry: {words}");
        }
        ExitCode::from(code)
    }
}
