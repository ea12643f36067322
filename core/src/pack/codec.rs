//! The ways of packing.

/// A way of packing, by how much smaller it makes things; the smallest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// Zstandard (RFC 8878). Written in C, so it is there with the feature `zstd` only.
    #[cfg(feature = "zstd")]
    Zstd,
    /// Raw deflate (RFC 1951), which is undone in browsers too.
    Deflate,
    /// Blocks of LZ4, each with the newest bytes before it as its dictionary. A context is 8 KiB, where the others have more than 350.
    Lz4,
}

impl Codec {
    /// Those that are built in, the best first.
    pub const ALL: &[Codec] = &[
        #[cfg(feature = "zstd")]
        Codec::Zstd,
        Codec::Deflate,
        Codec::Lz4,
    ];

    /// Its name, also as a feature of the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "zstd")]
            Codec::Zstd => "zstd",
            Codec::Deflate => "deflate",
            Codec::Lz4 => "lz4",
        }
    }

    /// Its number in a frame's flags.
    pub const fn number(self) -> u8 {
        match self {
            Codec::Deflate => 1,
            Codec::Lz4 => 2,
            #[cfg(feature = "zstd")]
            Codec::Zstd => 3,
        }
    }

    /// The codec with this number, where it is built in.
    pub fn from_number(number: u8) -> Option<Codec> {
        Codec::ALL.iter().copied().find(|codec| codec.number() == number)
    }
}
