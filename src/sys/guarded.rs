//! The session behind a guard: if it fails, the wrapper goes on as a plain pipe.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::task::Poll;
use std::time::Duration;

use crate::supervisor::session::{Effect, Event, ExitKind, Now, Outbox, Session, Signal};
use crate::term::leftovers::Leftovers;

/// Undoes what a child that was killed may have left on, where nobody is left who knows: an unfinished string, an
/// open update, the keyboard's flags and the screen (of both), modes, pen, cursor.
///
/// Leaving the alternate screen puts the cursor back, on the main one too: so it is saved before. The flags are popped
/// as often as any program pushes them.
const LAST_RESORT: &[u8] = b"\x1b\\\x1b[?2026l\x1b[<9u\x1b[=0u\x1b7\x1b[?1049l\x1b[<9u\x1b[=0u\x1b[>4m\
\x1b[?1l\x1b[?7h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?1004l\x1b[?2004l\x1b[?2031l\x1b[?2048l\
\x1b[4l\x1b>\x0f\x1b(B\x1b7\x1b[r\x1b8\x1b[m\x1b[?25h";

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    /// Between a panic and the end of its way up to `catch`.
    static UNWINDING: Cell<bool> = const { Cell::new(false) };
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Why tasks of ours ended before their time.
    static TASKS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Makes a panic leave raw mode before its message is printed, unless `catch` is around it: then
/// nothing is printed over the screen.
pub fn install_panic_hook() {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // Two at once end the process, whatever is around them.
        if CATCHING.get() && !UNWINDING.replace(true) {
            CAUGHT.set(Some(info.to_string()));
        } else {
            super::tty::leave_raw();
            previous(info);
        }
    }));
}

/// Runs `f`; if it panics, gives the panic's message and place.
pub(super) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    let outer = (CATCHING.replace(true), UNWINDING.replace(false));
    // What `f` borrows is used afterwards only by callers that expect it in any state.
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    CATCHING.set(outer.0);
    UNWINDING.set(outer.1);
    result.map_err(|payload| CAUGHT.take().unwrap_or_else(|| message(payload.as_ref())))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".into())
}

/// Starts a task of the current runtime. Where it panics, it ends, and [`task_failure`] tells.
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    let mut task = Box::pin(task);
    tokio::spawn(std::future::poll_fn(move |context| {
        catch(|| task.as_mut().poll(context)).unwrap_or_else(|failure| {
            TASKS.with_borrow_mut(|tasks| tasks.push(failure));
            Poll::Ready(())
        })
    }));
}

/// Why a task of this thread ended before its time, told once.
pub(super) fn task_failure() -> Option<String> {
    TASKS.with_borrow_mut(Vec::pop)
}

/// What the driver feeds: [`Session`], or a stand-in in tests.
pub trait Handle {
    /// [`Session::handle`].
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Outbox);
    /// [`Session::next_deadline`].
    fn next_deadline(&self) -> Option<Duration>;
    /// [`Session::bar_shown`].
    fn bar_shown(&self) -> bool {
        false
    }
    /// [`Session::uncover`].
    fn uncover(&mut self, _tty: &mut Vec<u8>) {}
    /// [`Session::take_bar_off`].
    fn take_bar_off(&mut self, _tty: &mut Vec<u8>) {}
    /// [`Session::leftovers`].
    fn leftovers(&self) -> Leftovers {
        Leftovers::default()
    }
    /// [`Session::withheld`].
    fn withheld(&self) -> Vec<u8> {
        Vec::new()
    }
    /// [`Session::is_behind`].
    fn is_behind(&self) -> bool {
        false
    }
    /// [`Session::read_on`].
    fn read_on(&mut self) {}
}

impl Handle for Session {
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Outbox) {
        Session::handle(self, now, event, out);
    }

    fn next_deadline(&self) -> Option<Duration> {
        Session::next_deadline(self)
    }

    fn bar_shown(&self) -> bool {
        Session::bar_shown(self)
    }

    fn uncover(&mut self, tty: &mut Vec<u8>) {
        Session::uncover(self, tty);
    }

    fn take_bar_off(&mut self, tty: &mut Vec<u8>) {
        Session::take_bar_off(self, tty);
    }

    fn leftovers(&self) -> Leftovers {
        Session::leftovers(self)
    }

    fn withheld(&self) -> Vec<u8> {
        Session::withheld(self)
    }

    fn is_behind(&self) -> bool {
        Session::is_behind(self)
    }

    fn read_on(&mut self) {
        Session::read_on(self);
    }
}

/// A session that may be gone.
pub struct Guarded<S> {
    session: Option<S>,
    failure: Option<String>,
    bar_left: bool,
    pipe: Pipe,
}

impl<S: Handle> Guarded<S> {
    /// Starts with what `make` gives, which may panic as well.
    pub fn new(make: impl FnOnce() -> S) -> Self {
        let (session, failure) = match catch(make) {
            Ok(session) => (Some(session), None),
            Err(failure) => (None, Some(failure)),
        };
        Self {
            session,
            failure,
            bar_left: false,
            pipe: Pipe::default(),
        }
    }

    /// [`Session::handle`], or the pipe. Where the session fails at this very event, its half-made answer
    /// is dropped and the event's bytes pass, behind what it had withheld.
    pub fn handle(&mut self, now: Now, event: &Event<'_>, out: &mut Outbox) {
        if let Some(session) = &mut self.session {
            let mut marks = (out.tty.len(), out.child.len(), out.effects.len());
            let (mut withheld, mut bar) = (Vec::new(), true);
            let output = matches!(event, Event::ChildOutput(_));
            let handled = catch(|| {
                withheld = session.withheld();
                bar = session.bar_shown();
                if output && bar {
                    // A step of its own: what takes the row off counts also where the rest fails.
                    session.uncover(&mut out.tty);
                    (marks.0, bar) = (out.tty.len(), false);
                }
                session.handle(now, event.clone(), out);
            });
            let Err(failure) = handled else { return };
            out.tty.truncate(marks.0);
            out.child.truncate(marks.1);
            out.effects.truncate(marks.2);
            self.end(failure, !output, bar);
            self.pipe.to_child = withheld;
        }
        self.pipe.handle(event, out);
    }

    /// [`Session::next_deadline`].
    pub fn next_deadline(&mut self) -> Option<Duration> {
        let session = self.session.as_ref()?;
        match catch(|| session.next_deadline()) {
            Ok(deadline) => deadline,
            Err(failure) => {
                self.fail(failure);
                None
            }
        }
    }

    /// [`Session::is_behind`].
    pub fn is_behind(&self) -> bool {
        self.session.as_ref().is_some_and(Handle::is_behind)
    }

    /// [`Session::read_on`].
    pub fn read_on(&mut self) {
        if let Some(session) = &mut self.session
            && let Err(failure) = catch(|| session.read_on())
        {
            self.fail(failure);
        }
    }

    /// The session is not to be asked again.
    pub fn fail(&mut self, failure: String) {
        let Some(session) = &self.session else { return };
        let stood = catch(|| (session.withheld(), session.bar_shown()));
        let (withheld, bar) = stood.unwrap_or((Vec::new(), true));
        self.end(failure, true, bar);
        self.pipe.to_child = withheld;
    }

    /// It is asked for what the pipe has to know, and dropped. `quiet`: the child's bytes that it was told of are on
    /// the terminal, and no others, so that it may still take off a `bar` that stands.
    fn end(&mut self, failure: String, quiet: bool, bar: bool) {
        self.failure.get_or_insert(failure);
        let Some(mut session) = self.session.take() else {
            return;
        };
        // Each by itself: what is in any state may panic again.
        let mut bytes = Vec::new();
        if bar && quiet && catch(|| session.take_bar_off(&mut bytes)).is_ok() {
            self.pipe.to_tty = bytes;
        }
        self.bar_left = bar && self.pipe.to_tty.is_empty();
        self.pipe.left = catch(|| session.leftovers()).ok();
        let _ = catch(move || drop(session));
    }

    /// A bar of ours may stand that the session could not take off any more; told once.
    pub fn take_bar_left(&mut self) -> bool {
        std::mem::take(&mut self.bar_left)
    }

    /// Why it is gone, told once; and what it left to be written.
    pub fn take_failure(&mut self, out: &mut Outbox) -> Option<String> {
        self.pipe.settle(out);
        self.failure.take()
    }
}

/// What goes on without a session.
struct Pipe {
    /// What the child has on; none where even that cannot be told.
    left: Option<Leftovers>,
    /// What the session left to be written.
    to_tty: Vec<u8>,
    to_child: Vec<u8>,
}

impl Default for Pipe {
    fn default() -> Self {
        Self {
            left: Some(Leftovers::default()),
            to_tty: Vec::new(),
            to_child: Vec::new(),
        }
    }
}

impl Pipe {
    fn settle(&mut self, out: &mut Outbox) {
        out.tty.append(&mut self.to_tty);
        out.child.append(&mut self.to_child);
    }

    fn handle(&mut self, event: &Event<'_>, out: &mut Outbox) {
        self.settle(out);
        match event {
            Event::ChildOutput(bytes) => {
                out.tty.extend_from_slice(bytes);
                self.ask(|left| left.feed(bytes));
            }
            Event::UserInput(bytes) => out.child.extend_from_slice(bytes),
            Event::Signal(Signal::Tstp) => out.effects.push(Effect::Suspend),
            Event::ChildStopped => self.undo(&mut out.tty),
            Event::Resumed => {
                let mut bytes = Vec::new();
                self.ask(|left| left.again(&mut bytes));
                out.tty.append(&mut bytes);
            }
            Event::ChildExited(kind) => {
                self.undo(&mut out.tty);
                if self.left.is_none() && matches!(kind, ExitKind::Killed(_)) {
                    out.tty.extend_from_slice(LAST_RESORT);
                }
            }
            _ => {}
        }
    }

    fn undo(&mut self, tty: &mut Vec<u8>) {
        let mut bytes = Vec::new();
        self.ask(|left| left.restore(&mut bytes));
        if self.left.is_some() {
            tty.append(&mut bytes);
        }
    }

    fn ask(&mut self, what: impl FnOnce(&mut Leftovers)) {
        if let Some(left) = &mut self.left
            && catch(|| what(left)).is_err()
        {
            self.left = None;
        }
    }
}

#[cfg(test)]
mod tests;
