//! The session behind a guard: if it fails, the wrapper goes on as a plain pipe.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use crate::supervisor::session::{Event, ExitKind, Now, Outbox, Session};

/// Undoes what a child that was killed may have left on, where the session is no longer there to know:
/// pen, cursor, mouse, focus, bracketed paste, colour scheme reports, an open update.
const LAST_RESORT: &[u8] = b"\x1b[?2026l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?2031l\x1b[m\x1b[?25h";

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes a panic leave raw mode before its message is printed, unless `catch` is around it: then
/// nothing is printed over the screen.
pub fn install_panic_hook() {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if CATCHING.get() {
            CAUGHT.set(Some(info.to_string()));
        } else {
            super::tty::leave_raw();
            previous(info);
        }
    }));
}

/// Runs `f`; if it panics, gives the panic's message and place.
pub(super) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    let outer = CATCHING.replace(true);
    // What `f` borrows is used afterwards only by callers that expect it in any state.
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    CATCHING.set(outer);
    result.map_err(|payload| CAUGHT.take().unwrap_or_else(|| message(payload.as_ref())))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".into())
}

/// What the driver feeds: [`Session`], or a stand-in in tests.
pub trait Handle {
    /// [`Session::handle`].
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Outbox);
    /// [`Session::next_deadline`].
    fn next_deadline(&self) -> Option<Duration>;
    /// [`Session::is_behind`].
    fn is_behind(&self) -> bool;
    /// [`Session::read_on`].
    fn read_on(&mut self);
}

impl Handle for Session {
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Outbox) {
        Session::handle(self, now, event, out);
    }

    fn next_deadline(&self) -> Option<Duration> {
        Session::next_deadline(self)
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
}

impl<S: Handle> Guarded<S> {
    /// Starts with what `make` gives, which may panic as well.
    pub fn new(make: impl FnOnce() -> S) -> Self {
        match catch(make) {
            Ok(session) => Self {
                session: Some(session),
                failure: None,
            },
            Err(failure) => Self {
                session: None,
                failure: Some(failure),
            },
        }
    }

    /// [`Session::handle`], or the pipe. Where the session fails at this very event, its half-made answer
    /// is dropped and the event's bytes pass.
    pub fn handle(&mut self, now: Now, event: &Event<'_>, out: &mut Outbox) {
        if let Some(session) = &mut self.session {
            let marks = (out.tty.len(), out.child.len(), out.effects.len());
            match catch(|| session.handle(now, event.clone(), out)) {
                Ok(()) => return,
                Err(failure) => {
                    out.tty.truncate(marks.0);
                    out.child.truncate(marks.1);
                    out.effects.truncate(marks.2);
                    self.fail(failure);
                }
            }
        }
        match event {
            Event::ChildOutput(bytes) => out.tty.extend_from_slice(bytes),
            Event::UserInput(bytes) => out.child.extend_from_slice(bytes),
            Event::ChildExited(ExitKind::Killed(_)) => out.tty.extend_from_slice(LAST_RESORT),
            _ => {}
        }
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
        // Dropped by itself: what is in any state may panic again.
        let session = self.session.take();
        let _ = catch(move || drop(session));
        self.failure.get_or_insert(failure);
    }

    /// Why it is gone, told once.
    pub fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes everything on, upper case, and fails at the byte `!`, half-way.
    struct Fragile;

    impl Handle for Fragile {
        fn handle(&mut self, _: Now, event: Event<'_>, out: &mut Outbox) {
            match event {
                Event::ChildOutput(bytes) => {
                    for byte in bytes {
                        assert_ne!(*byte, b'!', "cannot bear it");
                        out.tty.push(byte.to_ascii_uppercase());
                    }
                }
                Event::UserInput(bytes) => out.child.extend(bytes.to_ascii_uppercase()),
                _ => {}
            }
        }

        fn next_deadline(&self) -> Option<Duration> {
            Some(Duration::ZERO)
        }

        fn is_behind(&self) -> bool {
            true
        }

        fn read_on(&mut self) {
            panic!("cannot read it");
        }
    }

    const NOW: Now = Now {
        elapsed: Duration::ZERO,
        unix_ms: 0,
    };

    #[test]
    fn after_a_failure_it_is_a_pipe_and_the_chunk_at_hand_passes_whole() {
        install_panic_hook();
        let mut out = Outbox::default();
        let mut guarded = Guarded::new(|| Fragile);
        guarded.handle(NOW, &Event::ChildOutput(b"ab"), &mut out);
        assert_eq!(guarded.next_deadline(), Some(Duration::ZERO));
        guarded.handle(NOW, &Event::ChildOutput(b"cd!ef"), &mut out);
        guarded.handle(NOW, &Event::UserInput(b"key"), &mut out);
        assert_eq!(out.tty, b"ABcd!ef");
        assert_eq!(out.child, b"key");
        assert_eq!(guarded.next_deadline(), None);
        let failure = guarded.take_failure().expect("a failure");
        assert!(
            failure.contains("cannot bear it") && failure.contains("guarded.rs"),
            "{failure}"
        );
        assert_eq!(guarded.take_failure(), None);
    }

    #[test]
    fn a_failure_behind_the_childs_back_takes_nothing_along() {
        install_panic_hook();
        let mut guarded = Guarded::new(|| Fragile);
        assert!(guarded.is_behind());
        guarded.read_on();
        assert!(!guarded.is_behind());
        let mut out = Outbox::default();
        guarded.handle(NOW, &Event::ChildOutput(b"cd"), &mut out);
        assert_eq!(out.tty, b"cd");
        assert!(
            guarded
                .take_failure()
                .is_some_and(|failure| failure.contains("cannot read it"))
        );
    }

    #[test]
    fn a_killed_child_leaves_no_mouse_reporting_behind_a_failed_session() {
        install_panic_hook();
        let mut guarded = Guarded::<Fragile>::new(|| panic!("no start"));
        for (kind, expected) in [
            (ExitKind::Code(0), &b""[..]),
            (ExitKind::Killed(9), LAST_RESORT),
        ] {
            let mut out = Outbox::default();
            guarded.handle(NOW, &Event::ChildExited(kind), &mut out);
            assert_eq!(out.tty, expected);
        }
        assert!(
            guarded
                .take_failure()
                .is_some_and(|failure| failure.contains("no start"))
        );
    }
}
