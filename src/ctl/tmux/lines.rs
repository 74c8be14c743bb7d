//! What happens to the watched panes, a line each: for files, pipes and terminals that cannot be drawn on.

use std::io::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::sys::tmux::{View, Wish};
use crate::sys::unix_ms;
use crate::tmux::table::event;
use crate::tmux::watched::{Happened, Watched};

pub(super) struct Lines<W> {
    out: W,
    /// Nobody reads them any more.
    closed: bool,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, closed: false }
    }
}

impl<W: Write> View for Lines<W> {
    fn show(&mut self, _panes: &[Watched]) {}

    fn happened(&mut self, pane: &Watched, what: &Happened) {
        let line = format!("{} {}\n", now(), event(pane, what));
        let written = self.out.write_all(line.as_bytes());
        self.closed |= written.and_then(|()| self.out.flush()).is_err();
    }

    async fn next(&mut self) -> Wish {
        if self.closed {
            return Wish::Quit;
        }
        std::future::pending().await
    }

    fn end(&mut self) {}
}

/// The local time, `14:03:59`.
fn now() -> String {
    let ms = i64::try_from(unix_ms()).unwrap_or_default();
    let time = Timestamp::from_millisecond(ms).unwrap_or_default();
    let local = time.to_zoned(TimeZone::system());
    local.strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tmux::watched::{PaneId, Standing};

    fn pane() -> Watched {
        Watched {
            pane: PaneId(3),
            place: "main:0.1".into(),
            folder: Some("/srv".into()),
            standing: Standing::Watching,
            resumed: 0,
            last: None,
        }
    }

    #[test]
    fn an_event_is_a_line_with_the_time() {
        let mut lines = Lines::new(Vec::new());
        lines.happened(&pane(), &Happened::Joined);
        lines.happened(&pane(), &Happened::Left);
        let text = String::from_utf8(lines.out).expect("UTF-8");
        let (first, rest) = text.split_once('\n').expect("a line");
        let (time, first) = first.split_once(' ').expect("a time");
        assert_eq!(time.len(), 8, "{time}");
        assert_eq!(first, "main:0.1 %3 /srv: watching");
        assert!(rest.ends_with(" main:0.1 %3 /srv: gone\n"), "{rest}");
    }

    #[test]
    fn who_reads_no_more_ends_the_watch() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut lines = Lines::new(Full);
        lines.happened(&pane(), &Happened::Joined);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let next = std::pin::pin!(lines.next());
        assert_eq!(next.poll(&mut context), std::task::Poll::Ready(Wish::Quit));
    }
}
