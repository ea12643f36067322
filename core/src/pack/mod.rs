//! Output made smaller on its way, where that pays.
//!
//! A terminal says much the same again and again, in pieces of a few hundred bytes. Each by itself packs badly; with a **context**, which is what
//! was said before, they pack three to ten times smaller. So a [`Packer`] goes on from piece to piece, and the [`Unpacker`] at the
//! other end needs every one of them, in order. Both begin anew together, whenever the sender says so: a context is memory, and
//! a [`Recent`] bounds how many there are. Whether packing pays is measured, by [`Gain`].
//!
//! What came from outside is unpacked into as much memory as a limit allows, whatever it says of itself, and ends in an [`UnpackError`].
//!
//! Deliberately absent: what may be packed at all. Where one context holds what an attacker can write and what he wants to
//! read, lengths tell (CRIME; RFC 7692, section 8): see the security considerations of `docs/protocol.md`.

mod codec;
mod deflate;
mod gain;
mod lz4;
mod recent;
#[cfg(feature = "zstd")]
mod zstd;

use bytes::Bytes;

pub use codec::Codec;
pub use gain::Gain;
pub use recent::Recent;

/// Makes pieces of one stream of bytes smaller.
///
/// # Examples
/// ```
/// # use orchflow_core::pack::{Codec, Packer, Unpacker};
/// let (mut packer, mut unpacker) = (Packer::new(Codec::Deflate), Unpacker::new(Codec::Deflate));
/// let line = b"drwxr-xr-x 2 user user 4096 Jan  1 12:00 folder\r\n";
/// let (first, second) = (packer.pack(line), packer.pack(line));
/// assert!(second.len() < 8); // As before.
/// for packed in [first, second] {
///     assert_eq!(unpacker.unpack(&packed, line.len()).unwrap(), line[..]);
/// }
/// ```
pub struct Packer(Pack);

enum Pack {
    Deflate(deflate::Packer),
    Lz4(lz4::History),
    #[cfg(feature = "zstd")]
    Zstd(zstd::Packer),
}

impl Packer {
    /// Begins a context. It takes memory by its codec: see [`Codec`].
    pub fn new(codec: Codec) -> Packer {
        Packer(match codec {
            Codec::Deflate => Pack::Deflate(deflate::Packer::new()),
            Codec::Lz4 => Pack::Lz4(lz4::History::default()),
            #[cfg(feature = "zstd")]
            Codec::Zstd => Pack::Zstd(zstd::Packer::new()),
        })
    }

    /// The next piece, packed; `bytes` must not be empty. It may come out longer than it was, by an eighth.
    pub fn pack(&mut self, bytes: &[u8]) -> Bytes {
        debug_assert!(!bytes.is_empty(), "nothing is not worth a piece");
        match &mut self.0 {
            Pack::Deflate(packer) => packer.pack(bytes),
            Pack::Lz4(history) => history.pack(bytes),
            #[cfg(feature = "zstd")]
            Pack::Zstd(packer) => packer.pack(bytes),
        }
    }
}

/// As long as a piece of so many bytes may come out, at worst: deflate may spend nine bits on a byte.
const fn worst(bytes: usize) -> usize {
    bytes + bytes / 8 + 64
}

/// Undoes what a [`Packer`] of the same codec did, piece by piece from its first on.
pub struct Unpacker {
    codec: Codec,
    unpack: Unpack,
}

enum Unpack {
    Deflate(deflate::Unpacker),
    Lz4(lz4::History),
    #[cfg(feature = "zstd")]
    Zstd(zstd::Unpacker),
}

impl Unpacker {
    /// Begins a context.
    pub fn new(codec: Codec) -> Unpacker {
        let unpack = match codec {
            Codec::Deflate => Unpack::Deflate(deflate::Unpacker::new()),
            Codec::Lz4 => Unpack::Lz4(lz4::History::default()),
            #[cfg(feature = "zstd")]
            Codec::Zstd => Unpack::Zstd(zstd::Unpacker::new()),
        };
        Unpacker { codec, unpack }
    }

    /// Which codec it undoes.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The next piece, which is said to have been `length` bytes. Takes little more memory than those, so hold them against a limit before.
    ///
    /// # Errors
    /// [`UnpackError`]. The context is then of no more use.
    pub fn unpack(&mut self, packed: &[u8], length: usize) -> Result<Bytes, UnpackError> {
        match &mut self.unpack {
            Unpack::Deflate(unpacker) => unpacker.unpack(packed, length),
            Unpack::Lz4(history) => history.unpack(packed, length),
            #[cfg(feature = "zstd")]
            Unpack::Zstd(unpacker) => unpacker.unpack(packed, length),
        }
    }
}

/// What was to be unpacked is not what a packer made, or does not belong after what came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnpackError {
    /// The codec cannot read it.
    Data(Codec),
    /// It is more or less than it was said to be.
    Length {
        /// Bytes it was said to be.
        said: usize,
        /// Bytes it is; where there are more than was said, one more than that.
        found: usize,
    },
}

impl std::fmt::Display for UnpackError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            UnpackError::Data(codec) => write!(f, "cannot be read as {}: begin the context anew where it was not kept", codec.name()),
            UnpackError::Length { said, found } if found > said => write!(f, "is longer than the {said} bytes it is said to be"),
            UnpackError::Length { said, found } => write!(f, "is {found} bytes, and said to be {said}"),
        }
    }
}

impl std::error::Error for UnpackError {}

#[cfg(test)]
mod tests;
