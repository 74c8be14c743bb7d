//! What is pure about tmux: the lines of its control mode, and what is shown of the panes that are watched.

pub mod watched;
