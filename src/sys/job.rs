//! Job control: may we stop, and stopping.

use rustix::process::{Pid, Signal, getppid, kill_current_process_group};

use super::ids::{group_of, session_of};

/// Is there nobody who could continue us? By POSIX: no process of our group has a parent in another
/// group of the same session. Only our own line of parents is looked at: the group's leader is on it.
pub(super) fn is_orphaned() -> bool {
    let (Ok(session), Ok(group)) = (session_of(None), group_of(None)) else {
        return true;
    };
    let mut parent = getppid();
    // The line ends at process 1; the bound guards against a line that changes meanwhile.
    for _ in 0..64 {
        let Some(pid) = parent else { return true };
        if session_of(Some(pid)).ok() != Some(session) {
            return true;
        }
        if group_of(Some(pid)).is_ok_and(|other| other != group) {
            return false;
        }
        parent = parent_of(pid);
    }
    true
}

/// The parent of another process; unknown off Linux, where our own parent has to be the shell.
fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    parent_in_stat(&stat)
}

/// `pid (name) state ppid …`, and the name may hold anything.
fn parent_in_stat(stat: &str) -> Option<Pid> {
    let (_, fields) = stat.rsplit_once(") ")?;
    Pid::from_raw(fields.split(' ').nth(1)?.parse().ok()?)
}

/// Stops our process group, all of the shell's job. Returns when we are continued.
///
/// SIGSTOP, since SIGTSTP is taken by us, and is ignored by what starts us in a shell script.
pub(super) fn stop_group() {
    let _ = kill_current_process_group(Signal::STOP);
}

/// Stops our process group as a program is stopped that wants the terminal in the background: the next
/// `fg` then tells us by SIGCONT, which a shell does not send to a job that runs. Does nothing in an
/// orphaned group, and where SIGTTOU is ignored.
pub(super) fn stop_group_in_background() {
    let _ = kill_current_process_group(Signal::TTOU);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_read_behind_any_name() {
        assert_eq!(parent_in_stat("12 (sh) S 7 12 12"), Pid::from_raw(7));
        assert_eq!(parent_in_stat("12 (a) S 3 (b) R 9 1"), Pid::from_raw(9));
        assert_eq!(parent_in_stat("12 (sh) S 0 12"), None);
        assert_eq!(parent_in_stat(""), None);
    }
}
