//! The program that is wrapped: this bench again, which does what single keys tell it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::streams::{self, BULK, FRAME, PASTE};

/// The argument that makes the bench the child; the stream's name follows.
pub const FLAG: &str = "--child";

/// It is there and its terminal is raw.
pub const READY: u8 = b'R';
/// Writes the bulk.
pub const GO: u8 = b'g';
/// Writes one frame.
pub const DRAW: u8 = b'f';
/// Answers with [`ECHO`]. No stream has that byte alone, but for the frames' text: it is asked for by itself.
pub const KEY: u8 = b'k';
/// See [`KEY`].
pub const ECHO: u8 = 0x05;
/// Takes [`PASTE`] bytes, then answers with [`ECHO`].
pub const TAKE: u8 = b'p';
/// Begins to write a megabyte a second.
pub const LOAD: u8 = b'l';
/// Ends that.
pub const QUIET: u8 = b'q';
/// Ends itself.
pub const END: u8 = b'x';

/// A piece of the load, and its pace: 1 MB/s.
const PIECE: usize = 4096;
const PACE: Duration = Duration::from_micros(4096);

/// Runs until [`END`] or the end of its input.
pub fn run(mode: &str) -> ExitCode {
    serve(mode).map_or(ExitCode::from(1), |()| ExitCode::SUCCESS)
}

fn serve(mode: &str) -> io::Result<()> {
    let pattern = if mode == "ansi" {
        streams::ansi()
    } else {
        streams::ascii()
    };
    let bulk = streams::repeated(&pattern, 1 << 20);
    let mut termios = tcgetattr(io::stdin())?;
    termios.make_raw();
    tcsetattr(io::stdin(), OptionalActions::Now, &termios)?;
    let loaded = Arc::new(AtomicBool::new(false));
    // Straight to the terminal: what is written at once goes out at once.
    let out = Arc::new(File::from(io::stdout().as_fd().try_clone_to_owned()?));
    let mut stdin = io::stdin();
    let write = |bytes: &[u8]| (&*out).write_all(bytes);
    write(&[READY])?;
    let mut key = [0];
    while stdin.read(&mut key)? == 1 {
        match key[0] {
            GO => {
                for _ in 0..BULK / bulk.len() {
                    write(&bulk)?;
                }
            }
            DRAW => write(&bulk[..FRAME])?,
            KEY => write(&[ECHO])?,
            TAKE => {
                let mut paste = vec![0; PASTE];
                stdin.read_exact(&mut paste)?;
                write(&[ECHO])?;
            }
            LOAD => {
                loaded.store(true, Ordering::SeqCst);
                let (loaded, out, bulk) = (Arc::clone(&loaded), Arc::clone(&out), bulk.clone());
                std::thread::spawn(move || {
                    let mut due = Instant::now();
                    for piece in bulk.chunks(PIECE).cycle() {
                        if !loaded.load(Ordering::SeqCst) || (&*out).write_all(piece).is_err() {
                            break;
                        }
                        due += PACE;
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    }
                });
            }
            QUIET => loaded.store(false, Ordering::SeqCst),
            END => break,
            _ => {}
        }
    }
    Ok(())
}
