//! A thread that writes a file: a disk that is slow keeps nobody from typing.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::Duration;

use super::super::guarded;

/// So much waits to be written at most.
const QUEUE: usize = 8 * 1024 * 1024;
/// For so long is the disk waited for at the end.
const AT_END: Duration = Duration::from_secs(3);

/// What is written goes here.
#[derive(Debug)]
pub(super) struct Sink {
    texts: Sender<String>,
    waiting: Arc<AtomicUsize>,
    /// How it ended.
    end: Receiver<io::Result<()>>,
}

impl Sink {
    /// Starts the thread; to be called once nothing is forked any more.
    ///
    /// # Errors
    ///
    /// Where there is no thread to be had.
    pub(super) fn start(file: File) -> io::Result<Self> {
        Self::start_with(file)
    }

    fn start_with(mut file: impl Write + Send + 'static) -> io::Result<Self> {
        let (texts, to_write) = mpsc::channel::<String>();
        let (ended, end) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || {
                let all = guarded::catch(|| {
                    to_write.iter().try_for_each(|text| {
                        crate::fault::point("recorder-thread");
                        let written = file.write_all(text.as_bytes());
                        left.fetch_sub(text.len(), Ordering::Relaxed);
                        written
                    })
                });
                let _ = ended.send(all.unwrap_or_else(|failure| Err(io::Error::other(failure))));
            })?;
        Ok(Self {
            texts,
            waiting,
            end,
        })
    }

    /// Has it written, some time.
    ///
    /// # Errors
    ///
    /// Why something before it could not be written, or that too much waits.
    pub(super) fn write(&self, text: String) -> Result<(), String> {
        match self.end.try_recv() {
            Ok(Err(error)) => return Err(error.to_string()),
            Ok(Ok(())) | Err(TryRecvError::Disconnected) => return Err("no thread writes".into()),
            Err(TryRecvError::Empty) => {}
        }
        let len = text.len();
        if self.waiting.load(Ordering::Relaxed) + len > QUEUE {
            return Err("the disk is too slow".into());
        }
        self.waiting.fetch_add(len, Ordering::Relaxed);
        // Where the thread has just ended, the next write tells.
        let _ = self.texts.send(text);
        Ok(())
    }

    /// Waits until everything is written, but not for ever.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub(super) fn finish(self) -> Result<(), String> {
        drop(self.texts);
        match self.end.recv_timeout(AT_END) {
            Ok(all) => all.map_err(|error| error.to_string()),
            Err(RecvTimeoutError::Timeout) => Err("the disk is too slow".into()),
            Err(RecvTimeoutError::Disconnected) => Err("no thread writes".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a write when it is told to.
    struct Slow(Receiver<()>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.recv() {
                Ok(()) => Ok(bytes.len()),
                Err(_) => Err(io::Error::other("no space")),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_slow_disk_is_not_waited_for_and_fills_no_memory() {
        let (go, told) = mpsc::channel();
        let sink = Sink::start_with(Slow(told)).expect("a thread");
        let text = "x".repeat(1024 * 1024);
        for _ in 0..8 {
            sink.write(text.clone()).expect("room");
            go.send(()).expect("it waits");
        }
        sink.finish().expect("written");

        let (go, told) = mpsc::channel();
        let sink = Sink::start_with(Slow(told)).expect("a thread");
        for _ in 0..8 {
            sink.write(text.clone()).expect("room");
        }
        sink.write("x".into()).expect_err("full");
        drop(go);
        assert_eq!(sink.finish(), Err("no space".into()));
    }
}
