//! Command line (skeleton)
