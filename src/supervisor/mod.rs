//! The decisions. Pure: no clock, no source of randomness, no file, no descriptor, no async.

pub mod alone;
pub mod backoff;
pub mod banner;
pub mod headless;
pub mod hook;
pub mod keys;
pub mod prompt;
pub mod retry;
pub mod retry_after;
pub mod session;
pub mod transcript;
pub mod typing;
pub mod verdict;
pub mod wording;
