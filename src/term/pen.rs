//! The pen: how the next character will be drawn (SGR), and what can be said of it exactly.

use super::push_number;
use super::scan::Csi;

/// A colour, in the form in which it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// The terminal's own.
    #[default]
    Default,
    /// Of the 16 (SGR 30 to 37, 90 to 97 and their backgrounds).
    Named(u8),
    /// Of the 256 (SGR 38;5).
    Indexed(u8),
    /// Red, green, blue (SGR 38;2).
    Rgb(u8, u8, u8),
}

/// Attributes that the shadow's emulator keeps.
pub mod attr {
    /// SGR 1.
    pub const BOLD: u16 = 1;
    /// SGR 2.
    pub const DIM: u16 = 1 << 1;
    /// SGR 3.
    pub const ITALIC: u16 = 1 << 2;
    /// SGR 4.
    pub const UNDERLINE: u16 = 1 << 3;
    /// SGR 7.
    pub const INVERSE: u16 = 1 << 4;
    /// SGR 5, not kept by the emulator.
    pub const BLINK: u16 = 1 << 5;
    /// SGR 8, not kept.
    pub const CONCEAL: u16 = 1 << 6;
    /// SGR 9, not kept.
    pub const STRIKE: u16 = 1 << 7;
    /// SGR 53, not kept.
    pub const OVERLINE: u16 = 1 << 8;
}

/// SGR codes of the attributes, in the order of their bits.
const CODES: [u8; 9] = [1, 2, 3, 4, 7, 5, 8, 9, 53];

/// More parameters than this in one sequence, and terminals disagree.
const PARAM_LIMIT: usize = 16;

/// The pen's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pen {
    /// Foreground.
    pub fg: Color,
    /// Background.
    pub bg: Color,
    /// Bits of [`attr`].
    pub attrs: u16,
    /// Something beyond all this was asked for since the last reset (curly or coloured underlines, …).
    pub unknown: bool,
    /// A hyperlink (OSC 8) is open. Not a part of SGR: no reset closes it.
    pub link: bool,
}

impl Pen {
    /// The pen can be put back exactly.
    pub fn is_restorable(&self) -> bool {
        !self.unknown && !self.link
    }

    /// A cell drawn with this pen can be drawn again exactly from what the emulator keeps.
    pub fn is_plain(&self) -> bool {
        let kept = attr::BOLD | attr::DIM | attr::ITALIC | attr::UNDERLINE | attr::INVERSE;
        let both = attr::BOLD | attr::DIM;
        let forgets_form = |color| matches!(color, Color::Indexed(0..=15));
        self.is_restorable()
            && self.attrs & !kept == 0
            && self.attrs & both != both
            && !forgets_form(self.fg)
            && !forgets_form(self.bg)
    }

    /// Nothing is set.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Takes an SGR sequence.
    pub fn apply(&mut self, csi: &Csi) {
        if csi.has_sub() || csi.params.len() > PARAM_LIMIT {
            self.unknown = true;
            return;
        }
        let mut values = csi.params.iter().map(|param| param.value);
        while let Some(value) = values.next() {
            match value {
                0 => {
                    *self = Self {
                        link: self.link,
                        ..Self::default()
                    }
                }
                1 => self.attrs |= attr::BOLD,
                2 => self.attrs |= attr::DIM,
                3 => self.attrs |= attr::ITALIC,
                4 => self.attrs |= attr::UNDERLINE,
                5 => self.attrs |= attr::BLINK,
                7 => self.attrs |= attr::INVERSE,
                8 => self.attrs |= attr::CONCEAL,
                9 => self.attrs |= attr::STRIKE,
                22 => self.attrs &= !(attr::BOLD | attr::DIM),
                23 => self.attrs &= !attr::ITALIC,
                24 => self.attrs &= !attr::UNDERLINE,
                25 => self.attrs &= !attr::BLINK,
                27 => self.attrs &= !attr::INVERSE,
                28 => self.attrs &= !attr::CONCEAL,
                29 => self.attrs &= !attr::STRIKE,
                30..=37 => self.fg = named(value - 30),
                39 => self.fg = Color::Default,
                40..=47 => self.bg = named(value - 40),
                49 => self.bg = Color::Default,
                53 => self.attrs |= attr::OVERLINE,
                55 => self.attrs &= !attr::OVERLINE,
                90..=97 => self.fg = named(value - 90 + 8),
                100..=107 => self.bg = named(value - 100 + 8),
                38 | 48 => match extended(&mut values) {
                    Some(color) if value == 38 => self.fg = color,
                    Some(color) => self.bg = color,
                    None => {
                        self.unknown = true;
                        return;
                    }
                },
                _ => self.unknown = true,
            }
        }
    }

    /// Writes a reset and all that is set: from any pen to this one.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\x1b[0");
        for (bit, code) in CODES.iter().enumerate() {
            if self.attrs & (1 << bit) != 0 {
                push_parameter(*code, out);
            }
        }
        write_color(self.fg, 30, out);
        write_color(self.bg, 40, out);
        out.push(b'm');
    }
}

fn named(index: u16) -> Color {
    Color::Named(u8::try_from(index).unwrap_or(0))
}

/// The colour behind 38 or 48.
fn extended(values: &mut impl Iterator<Item = u16>) -> Option<Color> {
    let byte = |value: Option<u16>| value.and_then(|value| u8::try_from(value).ok());
    match values.next()? {
        2 => {
            let (r, g, b) = (values.next(), values.next(), values.next());
            Some(Color::Rgb(byte(r)?, byte(g)?, byte(b)?))
        }
        5 => Some(Color::Indexed(byte(values.next())?)),
        _ => None,
    }
}

fn write_color(color: Color, base: u8, out: &mut Vec<u8>) {
    let parameters: &[u8] = match color {
        Color::Default => &[],
        Color::Named(index) if index < 8 => &[base + index],
        Color::Named(index) => &[base + 52 + index],
        Color::Indexed(index) => &[base + 8, 5, index],
        Color::Rgb(r, g, b) => &[base + 8, 2, r, g, b],
    };
    for parameter in parameters {
        push_parameter(*parameter, out);
    }
}

fn push_parameter(parameter: u8, out: &mut Vec<u8>) {
    out.push(b';');
    push_number(parameter, out);
}

#[cfg(test)]
mod tests {
    use super::super::scan::{Scanner, Token};
    use super::*;

    fn pen(bytes: &[u8]) -> Pen {
        let mut pen = Pen::default();
        Scanner::new().feed(bytes, |token| {
            if let Token::Csi(csi) = token {
                pen.apply(csi);
            }
        });
        pen
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_pen() {
        for bytes in [
            &b"\x1b[m"[..],
            b"\x1b[1;3;4;7;5;8;9;53m",
            b"\x1b[31;44m",
            b"\x1b[97;100m",
            b"\x1b[38;5;3;48;5;200m",
            b"\x1b[2;38;2;1;2;3;48;2;255;0;9m",
        ] {
            let one = pen(bytes);
            let mut written = Vec::new();
            one.write(&mut written);
            assert_eq!(pen(&written), one, "{}", String::from_utf8_lossy(&written));
            assert!(one.is_restorable());
        }
    }

    #[test]
    fn what_the_emulator_drops_is_not_plain() {
        for bytes in [
            &b"\x1b[9m"[..],
            b"\x1b[5m",
            b"\x1b[8m",
            b"\x1b[1;2m",
            b"\x1b[38;5;1m",
            b"\x1b[53m",
        ] {
            let pen = pen(bytes);
            assert!(!pen.is_plain() && pen.is_restorable(), "{bytes:?}");
        }
        for bytes in [
            &b"\x1b[4:3m"[..],
            b"\x1b[58;5;1m",
            b"\x1b[21m",
            b"\x1b[38;2;300;0;0m",
            b"\x1b[38m",
        ] {
            assert!(!pen(bytes).is_restorable(), "{bytes:?}");
        }
        assert!(pen(b"\x1b[9;29;1;22;2m").is_plain());
        assert!(pen(b"\x1b[4:3;1m\x1b[0;1m").is_plain());
    }
}
