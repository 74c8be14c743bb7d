//! Runs without a terminal (`-p`), with a CLI made of a shell script.

#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;
#[path = "headless/world.rs"]
mod world;

#[path = "headless/ends.rs"]
mod ends;
#[path = "headless/formats.rs"]
mod formats;
#[path = "headless/input.rs"]
mod input;
#[path = "headless/terminal.rs"]
mod terminal;
#[path = "headless/untouched.rs"]
mod untouched;
