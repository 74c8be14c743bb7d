//! Where each part of a JSON text stands, so that a change can leave every other byte alone.

use std::ops::Range;

/// A value and its place in the text, in bytes.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
}

/// What a value is, as far as we look into it.
#[derive(Debug)]
pub(super) enum Kind {
    Object(Vec<Member>),
    Array(Vec<Node>),
    Scalar,
}

/// A member of an object; `span` is from its key to the end of its value.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) span: Range<usize>,
    pub(super) value: Node,
}

impl Node {
    /// The member that counts: of several with one name, the last, as the CLI takes them.
    pub(super) fn member(&self, key: &str) -> Option<&Member> {
        match &self.kind {
            Kind::Object(members) => members.iter().rev().find(|member| member.key == key),
            _ => None,
        }
    }

    /// The elements of an array; none of anything else.
    pub(super) fn elements(&self) -> &[Self] {
        match &self.kind {
            Kind::Array(elements) => elements,
            _ => &[],
        }
    }

    /// The places of what is in it, members or elements.
    pub(super) fn inside(&self) -> Vec<Range<usize>> {
        match &self.kind {
            Kind::Object(members) => members.iter().map(|member| member.span.clone()).collect(),
            Kind::Array(elements) => elements.iter().map(|node| node.span.clone()).collect(),
            Kind::Scalar => Vec::new(),
        }
    }
}

/// The places in a text that a JSON parser has taken already; `None` if it is no JSON after all.
pub(super) fn places(text: &str) -> Option<Node> {
    let mut reader = Reader { text, at: 0 };
    let root = reader.value()?;
    reader.blank();
    (reader.at == text.len()).then_some(root)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Takes this byte, with the blanks before it.
    fn take(&mut self, byte: u8) -> bool {
        self.blank();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn value(&mut self) -> Option<Node> {
        self.blank();
        let start = self.at;
        let kind = match self.peek()? {
            b'{' => Kind::Object(self.list(b'}', Self::member)?),
            b'[' => Kind::Array(self.list(b']', Self::value)?),
            b'"' => {
                self.string()?;
                Kind::Scalar
            }
            _ => {
                while self
                    .peek()
                    .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
                {
                    self.at += 1;
                }
                (self.at > start).then_some(Kind::Scalar)?
            }
        };
        let span = start..self.at;
        Some(Node { span, kind })
    }

    fn list<T>(&mut self, end: u8, item: fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.at += 1;
        let mut items = Vec::new();
        if self.take(end) {
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            if self.take(end) {
                return Some(items);
            }
            self.take(b',').then_some(())?;
        }
    }

    fn member(&mut self) -> Option<Member> {
        self.blank();
        let start = self.at;
        let key = self.string()?;
        self.take(b':').then_some(())?;
        let value = self.value()?;
        let span = start..self.at;
        Some(Member { key, span, value })
    }

    fn string(&mut self) -> Option<String> {
        let start = self.at;
        (self.peek()? == b'"').then_some(())?;
        self.at += 1;
        while self.peek()? != b'"' {
            self.at += if self.peek()? == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        serde_json::from_str(self.text.get(start..self.at)?).ok()
    }
}
