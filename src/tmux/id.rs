//! What tmux calls its sessions, windows and panes: numbers that no other one of the server has or ever gets.

use std::fmt;

macro_rules! id {
    ($name:ident, $sigil:literal, $what:literal) => {
        #[doc = concat!("A ", $what, " of a server: `", $sigil, "` and a number.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// Reads it as tmux writes it.
            pub fn read(text: &str) -> Option<Self> {
                super::number(text.strip_prefix($sigil)?).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($sigil, "{}"), self.0)
            }
        }
    };
}

id!(SessionId, "$", "session");
id!(WindowId, "@", "window");
id!(PaneId, "%", "pane");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_its_sigil_and_a_number() {
        assert_eq!(PaneId::read("%12"), Some(PaneId(12)));
        assert_eq!(WindowId::read("@0"), Some(WindowId(0)));
        assert_eq!(SessionId(3).to_string(), "$3");
        for not in ["", "%", "12", "@1", "%-1", "%+1", "%1x", "%99999999999"] {
            assert_eq!(PaneId::read(not), None, "{not}");
        }
    }
}
