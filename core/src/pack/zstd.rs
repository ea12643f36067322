//! Zstandard, flushed after each piece; one endless frame of it.

use bytes::Bytes;
use zstd::stream::raw::{CParameter, DParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};

use super::{Codec, UnpackError, worst};
use crate::limits::{ZSTD_LEVEL, ZSTD_WINDOW_BITS};

pub(super) struct Packer(Encoder<'static>);

impl Packer {
    pub(super) fn new() -> Packer {
        let mut encoder = Encoder::new(ZSTD_LEVEL).expect("invariant: there is memory, as everywhere");
        encoder.set_parameter(CParameter::WindowLog(ZSTD_WINDOW_BITS)).expect("invariant: the window is one of those there are");
        Packer(encoder)
    }

    pub(super) fn pack(&mut self, bytes: &[u8]) -> Bytes {
        let mut packed = Vec::with_capacity(worst(bytes.len()));
        let mut input = InBuffer::around(bytes);
        loop {
            let at = packed.len();
            let mut output = OutBuffer::around_pos(&mut packed, at);
            let is_in = input.pos() == bytes.len();
            let done = if is_in { self.0.flush(&mut output) } else { self.0.run(&mut input, &mut output).map(|_| 1) };
            let left = done.expect("invariant: the stream is used as it should be");
            if left == 0 {
                return Bytes::copy_from_slice(&packed);
            }
            if packed.len() == packed.capacity() {
                packed.reserve(64);
            }
        }
    }
}

pub(super) struct Unpacker(Decoder<'static>);

impl Unpacker {
    pub(super) fn new() -> Unpacker {
        let mut decoder = Decoder::new().expect("invariant: there is memory, as everywhere");
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_BITS)).expect("invariant: the window is one of those there are");
        Unpacker(decoder)
    }

    pub(super) fn unpack(&mut self, packed: &[u8], length: usize) -> Result<Bytes, UnpackError> {
        let mut bytes = Vec::with_capacity(length + 1); // One more than due, to see what is too long.
        let mut input = InBuffer::around(packed);
        loop {
            let (read, had) = (input.pos(), bytes.len());
            let mut output = OutBuffer::around_pos(&mut bytes, had);
            let hint = self.0.run(&mut input, &mut output).map_err(|_| UnpackError::Data(Codec::Zstd))?;
            let is_stuck = input.pos() == read && bytes.len() == had;
            if is_stuck || bytes.len() > length {
                break;
            }
            if hint == 0 {
                return Err(UnpackError::Data(Codec::Zstd)); // The frame ends; ours never does.
            }
        }
        if bytes.len() != length || input.pos() < packed.len() {
            return Err(UnpackError::Length { said: length, found: bytes.len().min(length + 1) });
        }
        Ok(bytes.into())
    }
}
