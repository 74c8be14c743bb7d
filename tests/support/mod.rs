//! What the tests on the real CLI stand on. Each piece knows nothing of the others but the [`bell`].

pub(crate) mod api;
pub(crate) mod bell;
pub(crate) mod home;
pub(crate) mod screen;
pub(crate) mod terminal;
