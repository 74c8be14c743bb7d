//! How a JSON text is laid out, and new parts in the same way.

use std::ops::Range;

use serde_json::Value;

/// The layout of a text.
#[derive(Clone, Debug)]
pub(super) struct Style {
    /// How its lines end.
    pub(super) newline: &'static str,
    /// What one level is indented by; `None` where all is on one line.
    indent: Option<String>,
    /// Behind a colon, and behind a comma on one line.
    space: &'static str,
}

impl Style {
    /// The style of a text with its root there. What a text does not show is as the CLI writes it: two
    /// spaces, LF.
    pub(super) fn of(text: &str, root: Range<usize>) -> Self {
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let inner = text.get(root).unwrap_or_default();
        let filled = inner.len() > 2 && inner.contains(':');
        let on_one_line = filled && !inner.contains('\n');
        let indent = inner
            .lines()
            .skip(1)
            .find(|line| !line.trim().is_empty())
            .map(|line| line[..line.len() - line.trim_start().len()].to_owned())
            .filter(|indent| !indent.is_empty());
        // What writes one line puts a space behind both or behind none.
        let tight = on_one_line
            && !inner
                .split_once("\":")
                .is_some_and(|(_, rest)| rest.starts_with(' '));
        let space = if tight { "" } else { " " };
        Self {
            newline,
            indent: (!on_one_line).then(|| indent.unwrap_or_else(|| "  ".to_owned())),
            space,
        }
    }

    fn flat(&self) -> Self {
        Self {
            indent: None,
            ..self.clone()
        }
    }

    /// The value as text, its first line put where it goes, the others indented by `base`.
    pub(super) fn render(&self, value: &Value, base: &str) -> String {
        let (open, close, items): (_, _, Vec<String>) = match value {
            Value::Object(members) => {
                let inner = self.deeper(base);
                let member = |(key, value): (&String, &Value)| self.member(key, value, &inner);
                ('{', '}', members.iter().map(member).collect())
            }
            Value::Array(elements) => {
                let inner = self.deeper(base);
                let element = |value| self.render(value, &inner);
                ('[', ']', elements.iter().map(element).collect())
            }
            scalar => return scalar.to_string(),
        };
        if self.indent.is_none() {
            return format!("{open}{}{close}", items.join(&format!(",{}", self.space)));
        }
        let (newline, inner) = (self.newline, self.deeper(base));
        let items = items.join(&format!(",{newline}{inner}"));
        format!("{open}{newline}{inner}{items}{newline}{base}{close}")
    }

    fn member(&self, key: &str, value: &Value, base: &str) -> String {
        let key = Value::from(key);
        format!("{key}:{}{}", self.space, self.render(value, base))
    }

    fn deeper(&self, base: &str) -> String {
        format!("{base}{}", self.indent.as_deref().unwrap_or_default())
    }

    /// The text of a new last item in a container, and the place that it takes.
    pub(super) fn addition(
        &self,
        text: &str,
        container: Range<usize>,
        last: Option<Range<usize>>,
        key: Option<&str>,
        value: &Value,
    ) -> (Range<usize>, String) {
        let item = |style: &Self, base: &str| match key {
            Some(key) => style.member(key, value, base),
            None => style.render(value, base),
        };
        let newline = self.newline;
        if let Some(last) = last {
            let place = last.end..last.end;
            let (indent, begins_line) = line_of(text, last.start);
            if self.indent.is_some() && begins_line {
                return (place, format!(",{newline}{indent}{}", item(self, indent)));
            }
            let style = if text[container].contains('\n') {
                self.clone()
            } else {
                self.flat()
            };
            return (place, format!(",{}{}", self.space, item(&style, indent)));
        }
        let place = container.start + 1..container.end - 1;
        if self.indent.is_none() {
            return (place, item(self, ""));
        }
        let (base, _) = line_of(text, container.start);
        let inner = self.deeper(base);
        let item = item(self, &inner);
        (place, format!("{newline}{inner}{item}{newline}{base}"))
    }

    /// The text of a value in the place of another.
    pub(super) fn in_place(&self, text: &str, old: Range<usize>, value: &Value) -> String {
        let (indent, _) = line_of(text, old.start);
        let style = if text[old].contains('\n') {
            self.clone()
        } else {
            self.flat()
        };
        style.render(value, indent)
    }
}

/// What the line of this place is indented by, and whether the place is right behind that.
fn line_of(text: &str, at: usize) -> (&str, bool) {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[start..];
    let indent = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
    (indent, start + indent.len() == at)
}
