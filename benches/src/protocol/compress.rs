//! How much smaller each codec makes what real programs say, and what that takes.

use std::hint::black_box;
use std::io;
use std::time::Instant;

use bytes::Bytes;
use orchflow_core::limits::PACK_LEAST_BYTES;
use orchflow_core::pack::{Codec, Packer, Unpacker};

use super::recordings::{Reads, all};
use crate::interleave::interleave;
use crate::pin::Pinned;
use crate::plan::Plan;
use crate::report::{Better, Figures, Group, Reach, Sheet, Spec};

const fn ratio(name: &'static str) -> Spec {
    let note = "times smaller, reads of the recordings with 64 bytes or more; the reference begins anew with each";
    Spec { name, unit: "x", better: Better::Higher, reach: Reach::Nothing, note }
}

const fn time(name: &'static str) -> Spec {
    Spec {
        name,
        unit: "us",
        better: Better::Lower,
        reach: Reach::Nothing,
        note: "to pack a read, 1 KB on average; the reference unpacks it",
    }
}

/// The lines of this group.
pub(super) const GROUP: Group = Group {
    specs: &[
        ratio("compress.ratio.zstd"),
        ratio("compress.ratio.deflate"),
        ratio("compress.ratio.lz4"),
        time("compress.us.zstd"),
        time("compress.us.deflate"),
        time("compress.us.lz4"),
    ],
    measure,
};

fn measure(plan: &Plan, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let _pinned = Pinned::packed()?;
    let worth = |reads: Reads| reads.into_iter().filter(|read| read.len() >= PACK_LEAST_BYTES).collect::<Reads>();
    let recordings: Vec<Reads> = all()?.into_iter().map(|(_, reads)| worth(reads)).collect();
    let bytes: usize = recordings.iter().flatten().map(Vec::len).sum();
    let reads: usize = recordings.iter().map(Vec::len).sum();
    for &codec in Codec::ALL {
        let packed: Vec<Vec<Bytes>> = recordings.iter().map(|reads| pack(codec, reads)).collect();
        let kept: usize = packed.iter().flatten().map(Bytes::len).sum();
        let anew: usize = recordings.iter().flatten().map(|read| Packer::new(codec).pack(read).len()).sum();
        let smaller = |packed: usize| bytes as f64 / packed as f64;
        sheet.put(&format!("compress.ratio.{}", codec.name()), Figures::of_pairs(&[smaller(kept)], &[smaller(anew)]));

        let each = |begun: Instant| begun.elapsed().as_secs_f64() * 1e6 / reads as f64;
        let mut packs = || {
            let begun = Instant::now();
            recordings.iter().for_each(|reads| drop(black_box(pack(codec, reads))));
            Ok(each(begun))
        };
        let mut unpacks = || {
            let begun = Instant::now();
            for (packed, reads) in packed.iter().zip(&recordings) {
                let mut unpacker = Unpacker::new(codec);
                for (packed, read) in packed.iter().zip(reads) {
                    let whole = unpacker.unpack(packed, read.len()).map_err(io::Error::other)?;
                    if whole != read[..] {
                        return Err(io::Error::other("what was packed comes back as something else"));
                    }
                }
            }
            Ok(each(begun))
        };
        let [packs, unpacks] = interleave(plan.pick(11, 101), [&mut packs, &mut unpacks])?;
        sheet.put(&format!("compress.us.{}", codec.name()), Figures::of_pairs(&packs, &unpacks));
    }
    Ok(())
}

fn pack(codec: Codec, reads: &Reads) -> Vec<Bytes> {
    let mut packer = Packer::new(codec);
    reads.iter().map(|read| packer.pack(read)).collect()
}
