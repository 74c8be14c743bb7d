//! Events in the middle of bytes. `0xff`, which no UTF-8 text has, begins one, a letter says which:
//!
//! | bytes | event |
//! | --- | --- |
//! | `ff r ROWS COLS` | the terminal has another size |
//! | `ff t N` | N² milliseconds pass |
//! | `ff i` | what follows, up to the next event, is the user's input |
//! | `ff d` | the bar is drawn |
//! | `ff h` | the bar is taken off |
//! | `ff` and anything else | a cut: the child's bytes before and after come in two reads |

use claude_retry::term::Size;

const MARK: u8 = 0xff;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The child writes these bytes, at least one.
    Output(&'a [u8]),
    /// The user types these, at least one.
    Input(&'a [u8]),
    /// The terminal has this size now.
    Resize(Size),
    /// So many milliseconds pass.
    Pass(u64),
    /// The bar is drawn.
    Draw,
    /// The bar is taken off.
    Hide,
}

/// The size where the input does not begin by one.
pub const SIZE: Size = Size::new(24, 80);

/// Cuts an input into what happens.
pub fn steps(data: &[u8]) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = data;
    let mut typed = false;
    while let Some(&first) = rest.first() {
        if first != MARK {
            let end = rest.iter().position(|&byte| byte == MARK);
            let (bytes, after) = rest.split_at(end.unwrap_or(rest.len()));
            steps.push(if typed {
                Step::Input(bytes)
            } else {
                Step::Output(bytes)
            });
            rest = after;
            continue;
        }
        typed = false;
        rest = match rest {
            [_, b'r', rows, cols, after @ ..] => {
                steps.push(Step::Resize(size(*rows, *cols)));
                after
            }
            [_, b't', n, after @ ..] => {
                steps.push(Step::Pass(u64::from(*n) * u64::from(*n)));
                after
            }
            [_, b'i', after @ ..] => {
                typed = true;
                after
            }
            [_, b'd', after @ ..] => {
                steps.push(Step::Draw);
                after
            }
            [_, b'h', after @ ..] => {
                steps.push(Step::Hide);
                after
            }
            [_, _, after @ ..] => after,
            _ => &[],
        };
    }
    steps
}

/// The first size, and what happens after that.
pub fn sized_steps(data: &[u8]) -> (Size, Vec<Step<'_>>) {
    let mut steps = steps(data);
    match steps.first() {
        Some(Step::Resize(size)) => {
            let size = *size;
            steps.remove(0);
            (size, steps)
        }
        _ => (SIZE, steps),
    }
}

/// One byte says how many cells: up to 200 each number, then each fourth one.
fn cells(byte: u8) -> u16 {
    let n = u16::from(byte);
    if n < 200 { n } else { 200 + 4 * (n - 200) }
}

fn size(rows: u8, cols: u8) -> Size {
    Size::new(cells(rows), cells(cols))
}

/// The bytes of a [`Step::Resize`] to this size, or the next smaller one that a byte can say.
pub fn resize(size: Size) -> [u8; 4] {
    let byte = |n: u16| {
        let mut all = (0..=u8::MAX).rev();
        all.find(|&byte| cells(byte) <= n).unwrap_or(0)
    };
    [MARK, b'r', byte(size.rows), byte(size.cols)]
}
