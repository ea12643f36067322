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
}

impl LineMode {
    /// The mode in which bytes pass as they are: what full-screen programs and line editors choose.
    pub const RAW: LineMode =
        LineMode { canonical: false, signals: false, flushes: false, return_is_newline: false, ends: [None; 3], discards: [None; 4] };

    /// The mode a terminal opens with: lines, Ctrl-C and its kin, Ctrl-D, Ctrl-U.
    pub const COOKED: LineMode = LineMode {
        canonical: true,
        signals: true,
        flushes: true,
        return_is_newline: true,
        ends: [Some(4), None, None],
        discards: [Some(0x15), Some(3), Some(0x1c), Some(0x1a)],
    };

    /// How long the unfinished line is after `bytes` follow one that was `before` bytes long, and how long
    /// the longest line on the way was. Erasing single characters is not counted back, so both may be too
    /// large, never too small.
    pub fn measure(&self, before: usize, bytes: &[u8]) -> LineLength {
        let mut line = before;
        let mut longest = before;
        for &byte in bytes {
            let ends = byte == b'\n' || (byte == b'\r' && self.return_is_newline) || self.ends.contains(&Some(byte));
            if ends || self.discards.contains(&Some(byte)) {
                line = 0;
            } else {
                line += 1;
                longest = longest.max(line);
            }
        }
        LineLength { unfinished: line, longest }
    }
}

/// What [`LineMode::measure`] found, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineLength {
    /// The line that has no end yet.
    pub unfinished: usize,
    /// The longest line met, the unfinished ones before and after included.
    pub longest: usize,
}
