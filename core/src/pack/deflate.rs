//! Raw deflate, flushed to a whole byte after each piece.
//!
//! A flush ends with an empty stored block, whose last four bytes are always the same: they are left out on the way (as in RFC 7692,
//! section 7.2.1), and never end a stream.

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Codec, UnpackError, worst};
use crate::limits::{DEFLATE_LEVEL, DEFLATE_WINDOW_BITS};

/// The end of every flush.
const FLUSHED: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// A sender's window is its own choice; a receiver holds what any may choose.
const WINDOW_BITS_MAX: u8 = 15;

pub(super) struct Packer(Box<Compress>);

impl Packer {
    pub(super) fn new() -> Packer {
        Packer(Box::new(Compress::new_with_window_bits(Compression::new(DEFLATE_LEVEL), false, DEFLATE_WINDOW_BITS)))
    }

    pub(super) fn pack(&mut self, bytes: &[u8]) -> Bytes {
        let Packer(compress) = self;
        let start = compress.total_in();
        let mut packed = Vec::with_capacity(worst(bytes.len()));
        loop {
            let done = usize::try_from(compress.total_in() - start).expect("invariant: no more is taken than there is");
            compress.compress_vec(&bytes[done..], &mut packed, FlushCompress::Sync).expect("invariant: the stream is used as it should be");
            // A full buffer may hold a part of the flush only.
            if packed.len() < packed.capacity() {
                break;
            }
            packed.reserve(64);
        }
        debug_assert!(packed.ends_with(&FLUSHED));
        Bytes::copy_from_slice(&packed[..packed.len() - FLUSHED.len()])
    }
}

pub(super) struct Unpacker(Box<Decompress>);

impl Unpacker {
    pub(super) fn new() -> Unpacker {
        Unpacker(Box::new(Decompress::new_with_window_bits(false, WINDOW_BITS_MAX)))
    }

    pub(super) fn unpack(&mut self, packed: &[u8], length: usize) -> Result<Bytes, UnpackError> {
        let mut bytes = Vec::with_capacity(length + 1); // One more than due, to see what is too long.
        self.inflate(packed, &mut bytes)?;
        self.inflate(&FLUSHED, &mut bytes)?;
        if bytes.len() != length {
            return Err(UnpackError::Length { said: length, found: bytes.len().min(length + 1) });
        }
        Ok(bytes.into())
    }

    /// Reads all of `packed`, or as much as there is room for.
    fn inflate(&mut self, packed: &[u8], bytes: &mut Vec<u8>) -> Result<(), UnpackError> {
        let Unpacker(decompress) = self;
        let bad = UnpackError::Data(Codec::Deflate);
        let start = decompress.total_in();
        loop {
            let read = decompress.total_in();
            let done = usize::try_from(read - start).map_err(|_| bad)?;
            let (rest, had) = (&packed[done..], bytes.len());
            if rest.is_empty() || had == bytes.capacity() {
                return Ok(());
            }
            let status = decompress.decompress_vec(rest, bytes, FlushDecompress::Sync).map_err(|_| bad)?;
            let is_stuck = decompress.total_in() == read && bytes.len() == had;
            if status == Status::StreamEnd || is_stuck {
                return Err(bad);
            }
        }
    }
}
