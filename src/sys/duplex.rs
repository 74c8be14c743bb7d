//! A descriptor that is read and written, watched by the runtime.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The two directions are watched apart, and whether it takes bytes only while some have to wait: else we
/// would be woken each time that the other side has taken what we wrote.
#[derive(Debug)]
pub(super) struct Duplex {
    reader: AsyncFd<File>,
    writer: Writer,
}

/// The same open file by another number.
#[derive(Debug)]
enum Writer {
    Unwatched(File),
    Watched(AsyncFd<File>),
    /// It is between the two; it stays so only where the kernel had no room to watch it.
    Lost,
}

/// Has the runtime watch an open file.
pub(super) fn watch(file: File, interest: Interest) -> io::Result<AsyncFd<File>> {
    // SAFETY: the file is owned, so it stays open until the `AsyncFd` drops it, and it always gives the same
    // number.
    #[expect(unsafe_code, reason = "the safe constructors are deprecated")]
    let watched = unsafe { AsyncFd::register_with_interest(file, interest) };
    Ok(watched?)
}

/// A "not now" where the kernel says at once that it is ready is an interruption: readiness is told when it comes, not
/// while it lasts, so nobody would wake us for what is there already.
fn not_yet(done: io::Result<usize>, file: &File, ready: PollFlags) -> io::Result<usize> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let mut fds = [PollFd::new(file, ready)];
            let now = Timespec::default();
            match poll(&mut fds, Some(&now)) {
                Ok(1..) if fds[0].revents().contains(ready) => {
                    Err(io::ErrorKind::Interrupted.into())
                }
                _ => Err(error),
            }
        }
        done => done,
    }
}

impl Duplex {
    /// Registers it with the current runtime.
    pub(super) fn new(fd: OwnedFd) -> io::Result<Self> {
        let file = File::from(fd);
        let writer = Writer::Unwatched(file.try_clone()?);
        let reader = watch(file, Interest::READABLE)?;
        Ok(Self { reader, writer })
    }

    /// The descriptor.
    pub(super) fn get_ref(&self) -> &File {
        self.reader.get_ref()
    }

    /// Waits until there is something to read.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.reader.readable().await.map(drop)
    }

    /// Waits until it takes bytes, at once where none had to wait; false when it is closed for good.
    pub(super) async fn writable(&self) -> io::Result<bool> {
        match &self.writer {
            Writer::Watched(writer) => Ok(!writer.writable().await?.ready().is_write_closed()),
            Writer::Unwatched(_) | Writer::Lost => Ok(true),
        }
    }

    /// One read; `WouldBlock` when there is nothing.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.try_io(Interest::READABLE, |mut file| {
            not_yet(file.read(buffer), file, PollFlags::IN)
        })
    }

    /// One write; `WouldBlock` when nothing is taken: then [`Duplex::writable`] waits.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.writer {
            Writer::Unwatched(file) => file.write(bytes),
            Writer::Watched(writer) => writer.try_io(Interest::WRITABLE, |mut file| {
                not_yet(file.write(bytes), file, PollFlags::OUT)
            }),
            Writer::Lost => Err(io::ErrorKind::BrokenPipe.into()),
        };
        match &written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.watch_writer()?,
            Ok(n) if *n == bytes.len() => self.unwatch_writer(),
            _ => {}
        }
        written
    }

    fn watch_writer(&mut self) -> io::Result<()> {
        self.writer = match std::mem::replace(&mut self.writer, Writer::Lost) {
            Writer::Unwatched(file) => Writer::Watched(watch(file, Interest::WRITABLE)?),
            other => other,
        };
        Ok(())
    }

    fn unwatch_writer(&mut self) {
        self.writer = match std::mem::replace(&mut self.writer, Writer::Lost) {
            Writer::Watched(writer) => Writer::Unwatched(writer.into_inner()),
            other => other,
        };
    }
}
