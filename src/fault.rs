//! Fault points: places where a test makes this program fail, to see what a fault of ours does to a session.
//!
//! `CLAUDE_RETRY_FAULT=NAME:N:FILE` makes the `N`th pass (from 1) of the point `NAME` panic that comes once `FILE`
//! is there; a comma separates several. Only builds with debug assertions have them; in a release a point is nothing.
//!
//! A point may stand in the layers that know no file: they only say where they are.

#[cfg(debug_assertions)]
mod armed {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// What was asked for.
    static FAULTS: OnceLock<Vec<Fault>> = OnceLock::new();

    struct Fault {
        point: Vec<u8>,
        left: AtomicUsize,
        file: PathBuf,
    }

    /// Reads what was asked for; to be called where a session begins.
    pub(crate) fn arm() {
        let text = std::env::var_os("CLAUDE_RETRY_FAULT").unwrap_or_default();
        let faults = text.as_bytes().split(|&byte| byte == b',');
        let _ = FAULTS.set(faults.filter_map(parse).collect());
    }

    fn parse(text: &[u8]) -> Option<Fault> {
        let mut parts = text.splitn(3, |&byte| byte == b':');
        let (point, count, file) = (parts.next()?, parts.next()?, parts.next()?);
        let count = str::from_utf8(count).ok()?.parse().ok()?;
        Some(Fault {
            point: point.to_vec(),
            left: AtomicUsize::new(count),
            file: OsString::from_vec(file.to_vec()).into(),
        })
    }

    /// Panics here, if it was asked for. Once only: what puts things right may pass the same point.
    pub(crate) fn point(name: &'static str) {
        let mut faults = FAULTS.get().into_iter().flatten();
        let Some(fault) = faults.find(|fault| fault.point == name.as_bytes()) else {
            return;
        };
        if fault.left.load(Ordering::Relaxed) > 0 && fault.file.exists() {
            let before = fault.left.fetch_sub(1, Ordering::Relaxed);
            assert!(before != 1, "a fault at the point {name}");
        }
    }
}

#[cfg(debug_assertions)]
pub(crate) use armed::{arm, point};

/// Nothing.
#[cfg(not(debug_assertions))]
pub(crate) const fn arm() {}

/// Nothing.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) const fn point(_name: &'static str) {}
