//! Words for tmux's command parser, as a control client writes them.

/// One argument of a command that is written to a control client, such that tmux takes it as it is: nothing in it
/// ends the argument or the command, and no variable, home or escape is put in. Formats are another matter: a
/// command that expands them (`display-message`, `-F`) still does.
///
/// A NUL is left out: no argument can hold one.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\0' => {}
            '\'' => quoted.push_str(r"'\''"),
            // A command is a line: between double quotes, and only there, a line's end has another spelling.
            '\n' => quoted.push_str(r#"'"\n"'"#),
            '\r' => quoted.push_str(r#"'"\r"'"#),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_argument_is_one_line_without_an_end_of_its_own() {
        assert_eq!(quote(""), "''");
        assert_eq!(
            quote("%0 ; $HOME ~ \\ \" #{x}"),
            "'%0 ; $HOME ~ \\ \" #{x}'"
        );
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("a\nb\r\0c"), r#"'a'"\n"'b'"\r"'c'"#);
    }
}
