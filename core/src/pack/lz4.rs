//! LZ4, one block for each piece. Its context is the newest bytes, which both ends keep; the packer looks through them for every
//! piece, so they are few.

use bytes::Bytes;
use lz4_flex::block::{compress_into_with_dict, decompress_into_with_dict, get_maximum_output_size};

use super::{Codec, UnpackError};
use crate::limits::LZ4_HISTORY_BYTES;

/// What one end knows of what came before.
#[derive(Default)]
pub(super) struct History(Vec<u8>);

impl History {
    pub(super) fn pack(&mut self, bytes: &[u8]) -> Bytes {
        let mut packed = vec![0; get_maximum_output_size(bytes.len())];
        let length = compress_into_with_dict(bytes, &mut packed, &self.0).expect("invariant: there is room for the worst case");
        self.push(bytes);
        Bytes::copy_from_slice(&packed[..length])
    }

    pub(super) fn unpack(&mut self, packed: &[u8], length: usize) -> Result<Bytes, UnpackError> {
        let mut bytes = vec![0; length];
        let found = decompress_into_with_dict(packed, &mut bytes, &self.0).map_err(|_| UnpackError::Data(Codec::Lz4))?;
        if found != length {
            return Err(UnpackError::Length { said: length, found });
        }
        self.push(&bytes);
        Ok(bytes.into())
    }

    /// Keeps the newest bytes.
    fn push(&mut self, bytes: &[u8]) {
        let History(kept) = self;
        let newest = &bytes[bytes.len().saturating_sub(LZ4_HISTORY_BYTES)..];
        let room = LZ4_HISTORY_BYTES - newest.len();
        kept.drain(..kept.len().saturating_sub(room));
        kept.extend_from_slice(newest);
    }
}
