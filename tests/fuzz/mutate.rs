//! Inputs like a seed, and not quite it.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

/// Longer ones are cut: one case must not take the time of a hundred.
const LONGEST: usize = 6_000;

/// Changes a seed in a few places; `other` is spliced in.
pub(crate) fn mutate(rng: &mut StdRng, seed: &[u8], other: &[u8], dictionary: &[&[u8]]) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..rng.random_range(1..=8) {
        change(rng, &mut data, other, dictionary);
    }
    data.truncate(LONGEST);
    data
}

fn change(rng: &mut StdRng, data: &mut Vec<u8>, other: &[u8], dictionary: &[&[u8]]) {
    let at = rng.random_range(0..=data.len());
    let token = dictionary[rng.random_range(0..dictionary.len())];
    match rng.random_range(0..9) {
        0 => {
            if let Some(byte) = data.get_mut(at) {
                *byte ^= 1 << rng.random_range(0..8);
            }
        }
        1 => {
            if let Some(byte) = data.get_mut(at) {
                *byte = rng.random();
            }
        }
        2 => data.truncate(at),
        3 => drop(data.drain(..at)),
        4 => drop(data.drain(part(rng, at, data.len()))),
        5 => {
            let twice = data[part(rng, at, data.len())].to_vec();
            let to = rng.random_range(0..=data.len());
            data.splice(to..to, twice);
        }
        6 => {
            let from = rng.random_range(0..=other.len());
            let foreign = other[part(rng, from, other.len())].to_vec();
            data.splice(at..at, foreign);
        }
        7 => {
            let end = (at + token.len()).min(data.len());
            data.splice(at..end, token.iter().copied());
        }
        _ => drop(data.splice(at..at, token.iter().copied())),
    }
}

/// A short part that begins there.
fn part(rng: &mut impl Rng, at: usize, end: usize) -> std::ops::Range<usize> {
    let longest = (end - at).min(200);
    at..at + rng.random_range(0..=longest)
}
