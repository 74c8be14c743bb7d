//! What tmux calls its sessions, windows and panes: numbers that no other one of the server has or ever gets.

use std::fmt;
use std::str::FromStr;

macro_rules! id {
    ($name:ident, $sigil:literal, $what:literal) => {
        #[doc = concat!("A ", $what, " of a server: `", $sigil, "` and a number.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($sigil, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ();

            /// Fails where the text is not the sigil and a decimal number.
            fn from_str(text: &str) -> Result<Self, ()> {
                let digits = text.strip_prefix($sigil).ok_or(())?;
                super::number(digits).map(Self).ok_or(())
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
        assert_eq!("%12".parse(), Ok(PaneId(12)));
        assert_eq!("@0".parse(), Ok(WindowId(0)));
        assert_eq!(SessionId(3).to_string(), "$3");
        for not in ["", "%", "12", "@1", "%-1", "%+1", "%1x", "%99999999999"] {
            assert_eq!(not.parse::<PaneId>(), Err(()), "{not}");
        }
    }
}
