//! How a terminal treats its input at one moment: what matters for not losing it.

/// The input settings of a terminal's line discipline, as far as accepting input depends on them.
///
/// Control characters that are switched off are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineMode {
    /// Input is held until a line is complete (`ICANON`), so a line has a greatest length.
    pub canonical: bool,
    /// The interrupt keys send signals (`ISIG`).
    pub signals: bool,
    /// Such a signal discards what was typed before it (`NOFLSH` is clear).
    pub flushes: bool,
    /// A carriage return ends a line as a newline does (`ICRNL` without `IGNCR`).
    pub return_is_newline: bool,
    /// Keys that end a line besides newline: end of file, and the two spare ones.
    pub ends: [Option<u8>; 3],
    /// Keys that discard the line typed so far: kill, and the signal keys where they flush.
    pub discards: [Option<u8>; 4],
    /// The key that takes the next one literally, whatever it is (Ctrl-V), where lines are collected.
    pub quotes: Option<u8>,
}

impl LineMode {
    /// The mode in which bytes pass as they are: what full-screen programs and line editors choose.
    pub const RAW: LineMode = LineMode {
        canonical: false,
        signals: false,
        flushes: false,
        return_is_newline: false,
        ends: [None; 3],
        discards: [None; 4],
        quotes: None,
    };

    /// The mode a terminal opens with: lines, Ctrl-C and its kin, Ctrl-D, Ctrl-U.
    pub const COOKED: LineMode = LineMode {
        canonical: true,
        signals: true,
        flushes: true,
        return_is_newline: true,
        ends: [Some(4), None, None],
        discards: [Some(0x15), Some(3), Some(0x1c), Some(0x1a)],
        quotes: Some(0x16),
    };

    /// How long the unfinished line is after `bytes` follow `before`, and how long the longest line on the way was. Erasing single
    /// characters is not counted back, so both may be too large, never too small.
    pub fn measure(&self, before: UnfinishedLine, bytes: &[u8]) -> Measured {
        let mut line = before;
        let mut longest = before.bytes;
        for &byte in bytes {
            let ends = byte == b'\n' || (byte == b'\r' && self.return_is_newline) || self.ends.contains(&Some(byte));
            if !line.quotes_next && (ends || self.discards.contains(&Some(byte))) {
                line = UnfinishedLine::default();
            } else {
                let quotes_next = !line.quotes_next && self.quotes == Some(byte);
                line = UnfinishedLine { bytes: line.bytes + 1, quotes_next };
                longest = longest.max(line.bytes);
            }
        }
        Measured { unfinished: line, longest }
    }
}

/// A line that has no end yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnfinishedLine {
    /// Its length.
    pub bytes: usize,
    /// Its last key was one that takes the next literally.
    pub quotes_next: bool,
}

/// What [`LineMode::measure`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// What is left without an end.
    pub unfinished: UnfinishedLine,
    /// The longest line met in bytes, the unfinished ones before and after included.
    pub longest: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_newline_ends_no_line_also_when_it_is_typed_alone() {
        let at_once = LineMode::COOKED.measure(UnfinishedLine::default(), b"ab\x16\ncd");
        assert_eq!((at_once.unfinished.bytes, at_once.longest), (6, 6));
        let quoting = LineMode::COOKED.measure(UnfinishedLine::default(), b"ab\x16").unfinished;
        assert_eq!(LineMode::COOKED.measure(quoting, b"\n").unfinished.bytes, 4);
    }

    #[test]
    fn a_quoted_quote_quotes_nothing() {
        assert_eq!(LineMode::COOKED.measure(UnfinishedLine::default(), b"\x16\x16\nx").unfinished.bytes, 1);
    }
}
