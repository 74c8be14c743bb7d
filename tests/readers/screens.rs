//! Screens made up.
