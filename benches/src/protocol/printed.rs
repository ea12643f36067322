//! What a program is known to print, so that each byte of it can be told from any other.

use crate::child;

/// Bytes that a program says before it prints: that it is ready.
pub(super) const READY: u64 = 1;

/// The same text over and over, after it said that it is ready.
pub(super) struct Printed(Vec<u8>);

impl Printed {
    /// By a program that prints so many bytes at a time.
    pub(super) fn by(write_bytes: usize) -> Printed {
        Printed(child::lines(write_bytes))
    }

    /// Whether these are the bytes from `offset` on.
    pub(super) fn holds(&self, offset: u64, bytes: &[u8]) -> bool {
        let unchecked = READY.saturating_sub(offset).min(bytes.len() as u64);
        let mut rest = &bytes[unchecked as usize..];
        let mut at = (offset + unchecked).saturating_sub(READY) as usize % self.0.len();
        while !rest.is_empty() {
            let count = rest.len().min(self.0.len() - at);
            if rest[..count] != self.0[at..at + count] {
                return false;
            }
            (rest, at) = (&rest[count..], 0);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_its_place() {
        let printed = Printed::by(100);
        let all: Vec<u8> = b"R".iter().copied().chain(child::lines(100)).chain(child::lines(100)).collect();
        assert!((0..150).all(|at| printed.holds(at as u64, &all[at..at + 50])));
        assert!(printed.holds(0, b"") && printed.holds(0, b"R"));
        assert!(!printed.holds(2, &all[1..20]), "a byte is doubled");
        assert!(!printed.holds(1, &all[2..20]), "a byte is missing");
    }
}
