//! What must hold for every input, whoever makes it up. The fuzz targets run these on what libFuzzer finds,
//! `tests/fuzz.rs` on a fixed number of mutated recordings; each function panics where something does not
//! hold.
//!
//! An input is the bytes themselves, so that a recording is one as it is. [`step`] says how events are put
//! between them.

pub mod banner_prompt;
pub mod keys;
pub mod scan;
pub mod shadow;
pub mod step;
pub mod transcript;

/// A small generator of numbers: which way an input is cut depends on the input alone.
pub(crate) struct Dice(u64);

impl Dice {
    /// Seeded by the bytes themselves (FNV-1a).
    pub(crate) fn of(data: &[u8]) -> Self {
        let hash = data.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash | 1)
    }

    /// A number below `end`, which is not 0 (xorshift64).
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }

    /// `data` in pieces of up to `longest` bytes.
    pub(crate) fn cut<'a>(&mut self, data: &'a [u8], longest: usize) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        let mut rest = data;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((1 + self.below(longest)).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}
