//! The standard descriptors as they were when we were started.
//!
//! Before `main` the runtime of Rust opens `/dev/null` in the place of each of the three that is closed
//! (`<&-`, `2>&-`), and a program started by us would inherit that. It is to get what we got, so they are
//! looked at before the runtime does.

use std::sync::atomic::{AtomicU8, Ordering};

use libc::c_int;

/// A bit for each descriptor that was closed.
static CLOSED: AtomicU8 = AtomicU8::new(0);

extern "C" fn look() {
    for fd in 0..3 {
        // SAFETY: asks for a flag of a descriptor, which need not be open.
        #[expect(unsafe_code, reason = "the safe call takes an open descriptor")]
        let open = unsafe { libc::fcntl(fd, libc::F_GETFD) } != -1;
        if !open {
            CLOSED.fetch_or(1 << fd, Ordering::Relaxed);
        }
    }
}

/// Has the loader call [`look`] before the runtime starts.
#[expect(unsafe_code, reason = "nothing of ours runs earlier by itself")]
// Sound: what is in this section are functions that take no argument they need, and this one makes three
// system calls and sets an atomic: it needs nothing of the runtime.
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
#[used]
static LOOK: extern "C" fn() = look;

/// Was this one closed?
pub(super) fn is_closed(fd: c_int) -> bool {
    CLOSED.load(Ordering::Relaxed) & (1 << fd) != 0
}

/// Those that were closed.
fn closed() -> impl Iterator<Item = c_int> {
    let closed = CLOSED.load(Ordering::Relaxed);
    (0..3).filter(move |fd| closed & (1 << fd) != 0)
}

/// Closes those that were closed when we were started. To be called between fork and exec, or right before
/// exec: a descriptor that is opened later would take the place.
pub(super) fn close_again() {
    close_again_but(None);
}

/// The same for a child whose descriptor `but` is a pipe of ours.
pub(super) fn close_again_but(but: Option<c_int>) {
    for fd in closed().filter(|fd| Some(*fd) != but) {
        // SAFETY: it is the runtime's `/dev/null`, which nobody owns, and nothing is opened from here on.
        #[expect(unsafe_code, reason = "nobody owns it, so nobody can drop it")]
        unsafe {
            libc::close(fd);
        }
    }
}
