//! Runs without a terminal (`-p`), with a CLI made of a shell script.

#[path = "headless/world.rs"]
mod world;

#[path = "headless/ends.rs"]
mod ends;
#[path = "headless/formats.rs"]
mod formats;
#[path = "headless/input.rs"]
mod input;
#[path = "headless/untouched.rs"]
mod untouched;
