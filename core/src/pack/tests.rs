//! What both ends of each codec do together, and with what nobody packed.

use proptest::prelude::*;

use super::*;
use crate::limits::PACKED_MAX;

/// Text that repeats itself, cut anywhere, with noise in between.
fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let words = prop::collection::vec("[a-z]{1,8} |\\x1b\\[[0-9]{1,2}m|\\r\\n", 1..200).prop_map(|words| words.concat().into_bytes());
    let noise = prop::collection::vec(any::<u8>(), 1..3000);
    let long = (any::<u8>(), PACKED_MAX - 9..=PACKED_MAX).prop_map(|(byte, length)| vec![byte; length]);
    prop::collection::vec(prop_oneof![12 => words, 4 => noise, 1 => long], 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))] // Three codecs each; the fuzz target `unpack` goes on where these end.

    #[test]
    fn every_byte_comes_back_whatever_the_pieces(pieces in pieces()) {
        for &codec in Codec::ALL {
            let (mut packer, mut unpacker) = (Packer::new(codec), Unpacker::new(codec));
            for piece in &pieces {
                let packed = packer.pack(piece);
                prop_assert!(packed.len() <= worst(piece.len()));
                prop_assert_eq!(unpacker.unpack(&packed, piece.len()), Ok(Bytes::copy_from_slice(piece)));
            }
        }
    }

    #[test]
    fn bytes_that_nobody_packed_end_in_an_error_or_in_as_many_as_were_said(
        good in prop::collection::vec(any::<u8>(), 1..500),
        junk in prop::collection::vec(any::<u8>(), 0..500),
        length in 0..PACKED_MAX,
    ) {
        for &codec in Codec::ALL {
            let (mut packer, mut unpacker) = (Packer::new(codec), Unpacker::new(codec));
            unpacker.unpack(&packer.pack(&good), good.len()).unwrap();
            if let Ok(bytes) = unpacker.unpack(&junk, length) {
                prop_assert_eq!(bytes.len(), length);
            }
        }
    }

    #[test]
    fn a_wrong_length_is_noticed(piece in prop::collection::vec(any::<u8>(), 2..2000), wrong in 0..4000usize) {
        prop_assume!(wrong != piece.len());
        for &codec in Codec::ALL {
            let packed = Packer::new(codec).pack(&piece);
            prop_assert!(Unpacker::new(codec).unpack(&packed, wrong).is_err(), "{codec:?}");
        }
    }
}

#[test]
fn a_context_makes_the_second_of_two_alike_much_smaller() {
    let text: Vec<u8> = (0..40).flat_map(|n| format!("\x1b[01;34mfolder{n}\x1b[0m {}\r\n", n * 7919).into_bytes()).collect();
    for &codec in Codec::ALL {
        let mut packer = Packer::new(codec);
        let (first, second) = (packer.pack(&text).len(), packer.pack(&text).len());
        assert!(second * 8 < first, "{codec:?}: {first} {second}");
    }
}

#[test]
fn a_piece_that_is_missing_or_cut_is_noticed() {
    let text = b"total 24\r\ndrwxr-xr-x 2 user user 4096 Jan  1 12:00 folder\r\n".repeat(20);
    for &codec in Codec::ALL {
        let mut packer = Packer::new(codec);
        let (first, second) = (packer.pack(&text), packer.pack(&text));
        assert!(Unpacker::new(codec).unpack(&second, text.len()).is_err(), "{codec:?}: the first never came");
        let mut unpacker = Unpacker::new(codec);
        assert!(unpacker.unpack(&first[..first.len() / 2], text.len()).is_err(), "{codec:?}: cut in the middle");
    }
}

#[test]
fn deflate_that_ends_its_stream_is_refused_though_its_length_is_right() {
    let stored = [0x01, 0x02, 0x00, 0xfd, 0xff, b'h', b'i']; // One final block.
    assert_eq!(Unpacker::new(Codec::Deflate).unpack(&stored, 2), Err(UnpackError::Data(Codec::Deflate)));
}

#[test]
fn bombs_end_at_the_length_they_were_said_to_have() {
    for (codec, bomb) in bombs() {
        let found = Unpacker::new(codec).unpack(&bomb, PACKED_MAX);
        let bounded = matches!(found, Err(UnpackError::Length { said: PACKED_MAX, found }) if found == PACKED_MAX + 1);
        assert!(bounded || found == Err(UnpackError::Data(codec)), "{codec:?}: {found:?}");
    }
}

/// Four megabytes of zeros, packed by each codec at its best.
fn bombs() -> Vec<(Codec, Vec<u8>)> {
    let zeros = vec![0; 4 << 20];
    let mut deflate = Vec::with_capacity(1 << 20);
    let mut best = flate2::Compress::new(flate2::Compression::best(), false);
    best.compress_vec(&zeros, &mut deflate, flate2::FlushCompress::Sync).unwrap();
    assert!(zeros.len() / deflate.len() > 1000, "a thousand times as much as it looks");
    vec![
        #[cfg(feature = "zstd")]
        (Codec::Zstd, ::zstd::bulk::compress(&zeros, 19).unwrap()),
        (Codec::Deflate, deflate),
        (Codec::Lz4, lz4_flex::compress(&zeros)),
    ]
}

#[test]
fn places_are_kept_for_those_last_used_and_a_cleared_one_counts_as_before() {
    let mut recent: Recent<u16, u32> = Recent::new(3);
    for key in 1..=3 {
        *recent.touch(key) = u32::from(key);
    }
    recent.clear(1);
    assert_eq!(*recent.touch(1), 0);
    *recent.touch(4) = 4; // 2 makes room.
    assert_eq!((*recent.touch(3), *recent.touch(4), *recent.touch(2)), (3, 4, 0));
    *recent.touch(5) = 5;
    assert_eq!(*recent.touch(3), 0, "of 3, 4, 2, 5 it was used first");
}
