//! The imperative shell, unix: it performs what the session decides.
