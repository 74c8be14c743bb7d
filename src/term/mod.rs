//! The terminal, as bytes: what the child draws, what the user sees, and the one line of ours.
//!
//! Pure: no descriptor, no clock.

pub mod bar;
pub mod leftovers;
pub mod modes;
pub mod overlay;
pub mod pen;
pub mod restore;
pub mod scan;
pub mod screen;
pub mod shadow;
mod trust;

/// A terminal's size in character cells, and in pixels where the terminal tells (else 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Rows of cells.
    pub rows: u16,
    /// Columns of cells.
    pub cols: u16,
    /// Width of the whole screen in pixels, or 0.
    pub xpixel: u16,
    /// Height of the whole screen in pixels, or 0.
    pub ypixel: u16,
}

impl Size {
    /// A size in cells, pixels unknown.
    pub const fn new(rows: u16, cols: u16) -> Self {
        Self {
            rows,
            cols,
            xpixel: 0,
            ypixel: 0,
        }
    }
}

/// Appends a number in decimal: sequences are made by the thousand, and formatting costs more than all the rest.
fn push_number(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}
