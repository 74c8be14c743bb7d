//! Errors (skeleton)
