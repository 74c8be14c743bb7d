//! How long to wait before try `n`.
//!
//! The formulas are those of the AWS Architecture Blog, "Exponential Backoff And Jitter":
//! <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>.
//! With `ceiling = min(cap, base * 2^attempt)`:
//!
//! | jitter | wait |
//! | --- | --- |
//! | full | `uniform(0, ceiling)` |
//! | equal | `ceiling / 2 + uniform(0, ceiling / 2)` |
//! | decorrelated | `min(cap, uniform(base, 3 * previous wait))`, the first from `base` |
//! | none | `ceiling` |

use std::time::Duration;

use rand::{Rng, RngExt};

use crate::config::Jitter;

/// The waits of one series of consecutive failed turns.
#[derive(Clone, Debug)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    jitter: Jitter,
    /// The last wait drawn: only decorrelated jitter looks at it.
    previous: Duration,
}

impl Backoff {
    /// Waits between `base` and `cap`.
    pub const fn new(base: Duration, cap: Duration, jitter: Jitter) -> Self {
        Self {
            base,
            cap,
            jitter,
            previous: base,
        }
    }

    /// Begins a new series.
    pub const fn reset(&mut self) {
        self.previous = self.base;
    }

    /// The highest wait of this attempt (from 0): `min(cap, base * 2^attempt)`.
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let factor = 1u32.checked_shl(attempt).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }

    /// Draws the wait of this attempt (from 0).
    pub fn draw(&mut self, attempt: u32, rng: &mut impl Rng) -> Duration {
        let ceiling = self.ceiling(attempt);
        let wait = match self.jitter {
            Jitter::Full => uniform(Duration::ZERO, ceiling, rng),
            Jitter::Equal => ceiling / 2 + uniform(Duration::ZERO, ceiling / 2, rng),
            Jitter::Decorrelated => {
                let high = self.previous.saturating_mul(3).max(self.base);
                uniform(self.base, high, rng).min(self.cap)
            }
            Jitter::None => ceiling,
        };
        self.previous = wait;
        wait
    }
}

fn uniform(low: Duration, high: Duration, rng: &mut impl Rng) -> Duration {
    if high <= low {
        return low;
    }
    let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(rng.random_range(nanos(low)..=nanos(high)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn draws(jitter: Jitter, attempt: u32) -> Vec<Duration> {
        let mut rng = StdRng::seed_from_u64(7);
        (0..2000)
            .map(|_| Backoff::new(S(1), S(30), jitter).draw(attempt, &mut rng))
            .collect()
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let backoff = Backoff::new(S(1), S(30), Jitter::None);
        let ceilings: Vec<u64> = (0..7).map(|n| backoff.ceiling(n).as_secs()).collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff.ceiling(31), S(30));
        assert_eq!(backoff.ceiling(32), S(30));
        assert_eq!(backoff.ceiling(u32::MAX), S(30));
    }

    #[test]
    fn none_sleeps_exactly_the_ceiling() {
        assert!(draws(Jitter::None, 3).iter().all(|d| *d == S(8)));
    }

    #[test]
    fn full_jitter_is_uniform_from_zero_to_the_ceiling() {
        let draws = draws(Jitter::Full, 3);
        assert!(draws.iter().all(|d| *d <= S(8)));
        // A mean of half the ceiling and both ends reached: not equal jitter, not a fixed wait.
        let mean = draws.iter().sum::<Duration>() / 2000;
        assert!(mean > S(3) && mean < S(5), "mean {mean:?}");
        assert!(draws.iter().any(|d| *d < S(1)));
        assert!(draws.iter().any(|d| *d > S(7)));
    }

    #[test]
    fn equal_jitter_never_sleeps_less_than_half() {
        let draws = draws(Jitter::Equal, 3);
        assert!(draws.iter().all(|d| *d >= S(4) && *d <= S(8)));
        assert!(draws.iter().any(|d| *d < S(5)) && draws.iter().any(|d| *d > S(7)));
    }

    #[test]
    fn decorrelated_jitter_grows_from_the_last_wait_and_starts_anew_after_a_reset() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut backoff = Backoff::new(S(1), S(30), Jitter::Decorrelated);
        let mut previous = S(1);
        for _ in 0..200 {
            let wait = backoff.draw(0, &mut rng);
            assert!(wait >= S(1) && wait <= S(30) && wait <= previous * 3);
            previous = wait;
        }
        backoff.reset();
        assert!(backoff.draw(0, &mut rng) <= S(3));
    }

    #[test]
    fn the_same_seed_draws_the_same_waits() {
        assert_eq!(draws(Jitter::Full, 2), draws(Jitter::Full, 2));
    }
}
