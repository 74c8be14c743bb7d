//! A window's layout: `b365,80x24,0,0{45x24,0,0,0,34x24,46,0,1}`, a checksum and a tree of cells. `{…}` stand side by
//! side, `[…]` one below the other; a leaf ends in its pane's number.

use super::{PaneId, number};

/// The place of a pane in its window, in cells.
///
/// With `pane-border-status` the pane's border takes a row of its cell where no other border is: the pane itself is
/// then one row lower than its cell. Ask for `#{pane_width}` and `#{pane_height}` where the size matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The pane.
    pub pane: PaneId,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Columns to the left of it.
    pub x: u16,
    /// Rows above it.
    pub y: u16,
}

/// A window's layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The window's columns.
    pub width: u16,
    /// The window's rows.
    pub height: u16,
    /// Its panes, in the order of the layout.
    pub cells: Vec<Cell>,
}

/// Deeper than any window is divided; it keeps a mad text from using up the stack.
const DEEPEST: usize = 200;

impl Layout {
    /// Reads a layout. None where its checksum is not its text's, or it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (checksum, tree) = text.split_once(',')?;
        let checksum = u16::from_str_radix(checksum, 16).ok()?;
        if checksum != self::checksum(tree) {
            return None;
        }
        let mut reader = Reader {
            rest: tree,
            cells: Vec::new(),
        };
        let (width, height) = reader.cell(DEEPEST)?;
        reader.rest.is_empty().then_some(Self {
            width,
            height,
            cells: reader.cells,
        })
    }

    /// Where a pane stands.
    pub fn cell(&self, pane: PaneId) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.pane == pane)
    }
}

/// `layout_checksum` of tmux: a rotation and a sum.
fn checksum(tree: &str) -> u16 {
    let add = |sum: u16, byte: u8| sum.rotate_right(1).wrapping_add(u16::from(byte));
    tree.bytes().fold(0, add)
}

struct Reader<'a> {
    rest: &'a str,
    cells: Vec<Cell>,
}

impl Reader<'_> {
    /// A cell with all that is in it; gives its size.
    fn cell(&mut self, deepest: usize) -> Option<(u16, u16)> {
        let width = self.number()?;
        self.take('x')?;
        let height = self.number()?;
        self.take(',')?;
        let x = self.number()?;
        self.take(',')?;
        let y = self.number()?;
        let close = match self.rest.chars().next()? {
            '{' => '}',
            '[' => ']',
            _ => {
                self.take(',')?;
                let pane = PaneId(self.number()?);
                self.cells.push(Cell {
                    pane,
                    width,
                    height,
                    x,
                    y,
                });
                return Some((width, height));
            }
        };
        self.rest = &self.rest[1..];
        loop {
            self.cell(deepest.checked_sub(1)?)?;
            if self.take(close).is_some() {
                return Some((width, height));
            }
            self.take(',')?;
        }
    }

    fn number<T: TryFrom<u32>>(&mut self) -> Option<T> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit());
        let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        T::try_from(number(digits)?).ok()
    }

    fn take(&mut self, c: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(c)?;
        Some(())
    }
}

#[cfg(test)]
mod tests;
