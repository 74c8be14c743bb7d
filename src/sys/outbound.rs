//! Bytes on their way to one descriptor.

/// How much waits at the most before the other side is no longer read.
///
/// A raw child that does not read takes about 12 kB, a terminal some 64 kB; the rest of a large paste or of
/// a burst waits here, and behind this in the kernel.
pub(super) const LIMIT: usize = 256 * 1024;

/// A queue of bytes in one piece, so that a chunk goes out in one write.
///
/// # Bounded
///
/// The queue itself takes whatever it is given: bytes are never dropped. Who fills it stops reading
/// while [`Outbound::is_full`].
#[derive(Debug, Default)]
pub(super) struct Outbound {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbound {
    /// Is there nothing to write?
    pub(super) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Must its source wait?
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() - self.sent >= LIMIT
    }

    /// What is to be written.
    pub(super) fn pending(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Takes these bytes and leaves `bytes` empty, with its memory.
    pub(super) fn push(&mut self, bytes: &mut Vec<u8>) {
        if self.is_empty() {
            self.clear();
            std::mem::swap(&mut self.bytes, bytes);
        } else {
            // Keeps the memory bounded while it never runs quite empty.
            if self.sent >= LIMIT {
                self.bytes.drain(..self.sent);
                self.sent = 0;
            }
            self.bytes.append(bytes);
        }
    }

    /// The first `n` pending bytes are written.
    pub(super) fn advance(&mut self, n: usize) {
        self.sent = (self.sent + n).min(self.bytes.len());
        if self.is_empty() {
            self.clear();
        }
    }

    /// Forgets what is pending: nobody is there to take it.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_whatever_the_writes_take() {
        let mut queue = Outbound::default();
        let (mut expected, mut seen) = (Vec::new(), Vec::new());
        let mut write = |queue: &mut Outbound, take: usize| {
            let n = take.min(queue.pending().len());
            seen.extend_from_slice(&queue.pending()[..n]);
            queue.advance(n);
        };
        for round in 0..200usize {
            let mut chunk = vec![u8::try_from(round).expect("a byte"); round * 31];
            expected.extend_from_slice(&chunk);
            queue.push(&mut chunk);
            assert!(chunk.is_empty());
            write(&mut queue, round * 29 % 4096);
        }
        write(&mut queue, usize::MAX);
        assert!(queue.is_empty());
        assert_eq!(seen, expected);
    }

    #[test]
    fn full_and_memory_are_bounded_by_the_limit() {
        let mut queue = Outbound::default();
        queue.push(&mut vec![0; LIMIT - 1]);
        assert!(!queue.is_full());
        queue.push(&mut vec![0; 1]);
        assert!(queue.is_full());
        for _ in 0..10_000 {
            queue.advance(1000);
            queue.push(&mut vec![0; 1000]);
        }
        assert!(
            queue.bytes.capacity() < 8 * LIMIT,
            "{}",
            queue.bytes.capacity()
        );
    }
}
