//! Sessions and process groups, as numbers of which the kernel may not know one.
//!
//! In a container, what started us can lie outside our pid namespace: its session and its group are then 0
//! to us. rustix's calls take 0 for impossible (they panic, or worse), so these go by libc.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use libc::pid_t;
use rustix::process::Pid;

/// A session or a process group; `OUTSIDE` where its leader lies outside our pid namespace.
pub(super) type Id = pid_t;

/// What the kernel calls every leader that we cannot see.
#[cfg(test)]
pub(super) const OUTSIDE: Id = 0;

/// The number of a process as an [`Id`]: what it leads.
pub(super) fn led_by(leader: Pid) -> Id {
    leader.as_raw_nonzero().get()
}

/// The session of a process, of ourselves for `None`.
///
/// # Errors
///
/// When there is no such process.
pub(super) fn session_of(pid: Option<Pid>) -> io::Result<Id> {
    // SAFETY: takes a number, gives a number.
    #[expect(unsafe_code, reason = "the safe call takes 0 for impossible")]
    checked(unsafe { libc::getsid(Pid::as_raw(pid)) })
}

/// The process group of a process, of ourselves for `None`.
///
/// # Errors
///
/// When there is no such process.
pub(super) fn group_of(pid: Option<Pid>) -> io::Result<Id> {
    // SAFETY: takes a number, gives a number.
    #[expect(unsafe_code, reason = "the safe call takes 0 for impossible")]
    checked(unsafe { libc::getpgid(Pid::as_raw(pid)) })
}

/// Is this our controlling terminal?
pub(super) fn is_controlling(terminal: impl AsFd) -> bool {
    // SAFETY: the descriptor is open while it is borrowed; gives a number.
    #[expect(unsafe_code, reason = "the safe call takes 0 for impossible")]
    checked(unsafe { libc::tcgetsid(terminal.as_fd().as_raw_fd()) }).is_ok()
}

fn checked(id: Id) -> io::Result<Id> {
    if id < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_known_and_those_of_nobody_are_errors() {
        let own = rustix::process::getpid();
        assert!(session_of(None).expect("a session") >= OUTSIDE);
        assert_eq!(session_of(None).ok(), session_of(Some(own)).ok());
        assert_eq!(group_of(None).ok(), group_of(Some(own)).ok());
        let nobody = Pid::from_raw(i32::MAX);
        assert!(session_of(nobody).is_err());
        assert!(group_of(nobody).is_err());
        assert!(!is_controlling(
            std::fs::File::open("/dev/null").expect("a file")
        ));
    }
}
