//! A histogram of durations that costs one relaxed addition to record into.
//!
//! Buckets are log-linear: eight to every power of two, so a bucket is never wider than one eighth of its lower
//! edge, from a nanosecond to the end of `u64`. Memory is fixed: 496 buckets of 8 bytes, just under 4 KiB. Any
//! thread may record while another takes a snapshot; the snapshot then holds or misses that value, never half a count.
//!
//! What is rounded is rounded up: a quantile is never below the true one, an exported bucket never holds more
//! than it should. Numbers that look better than the truth are the one error a latency histogram must not make.
//!
//! Deliberately absent: a minimum and a maximum (each needs a compare-and-swap loop; the first and the last
//! bucket tell them to one eighth), and a count and a sum of their own. Both come from the buckets, so the three cannot
//! disagree, also in the middle of a `record`; an exact sum would be a second addition and double the cost.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Buckets to a power of two, as a power of two: 2³ = 8, which bounds the relative error by 1/8.
const SUB_BITS: u32 = 3;

/// Buckets to a power of two.
const SUBS: usize = 1 << SUB_BITS;

/// One bucket for each value below 8, then eight for each of the 61 powers of two from 2³ to 2⁶³.
const BUCKETS: usize = SUBS + (u64::BITS - SUB_BITS) as usize * SUBS;

/// Counts durations, in nanoseconds, by size.
///
/// # Examples
/// ```
/// # use orchflow_core::metrics::Histogram;
/// let histogram = Histogram::new();
/// for micros in 1..=100 {
///     histogram.record(micros * 1_000);
/// }
/// let snapshot = histogram.snapshot();
/// assert_eq!(snapshot.count(), 100);
/// let median = snapshot.quantile_ns(0.5).unwrap();
/// assert!((50_000..=56_250).contains(&median)); // At most one eighth above the truth.
/// ```
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
}

impl Histogram {
    /// An empty histogram.
    pub const fn new() -> Self {
        Histogram { buckets: [const { AtomicU64::new(0) }; BUCKETS] }
    }

    /// Counts one duration of `ns` nanoseconds. Wait-free, from any thread.
    #[inline]
    pub fn record(&self, ns: u64) {
        self.buckets[bucket_of(ns)].fetch_add(1, Relaxed);
    }

    /// What was recorded so far.
    pub fn snapshot(&self) -> HistogramSnapshot {
        HistogramSnapshot { counts: self.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect() }
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram::new()
    }
}

/// What a [`Histogram`] had counted at one moment. A plain value: it can be kept, merged and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramSnapshot {
    /// Always [`BUCKETS`] long; on the heap, for 4 KiB are too much to move about.
    counts: Box<[u64]>,
}

impl HistogramSnapshot {
    /// A snapshot of nothing, to merge others into.
    pub fn new() -> Self {
        HistogramSnapshot { counts: vec![0; BUCKETS].into_boxed_slice() }
    }

    /// How many durations were recorded.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// All recorded durations together, in nanoseconds, at most `u64::MAX` (584 years).
    ///
    /// Each counts as the middle of its bucket, so the sum is within one sixteenth of the truth, and much nearer
    /// where durations differ, for then the errors cancel.
    pub fn sum_ns(&self) -> u64 {
        self.counts.iter().enumerate().fold(0, |sum, (bucket, &count)| sum.saturating_add(count.saturating_mul(middle(bucket))))
    }

    /// The duration, in nanoseconds, that a share `q` of the recorded ones did not exceed (0.5 is the median, 0.99
    /// the 99th percentile, by nearest rank), or `None` when nothing was recorded.
    ///
    /// It is the upper edge of the bucket that holds the true value: never below it, and less than one eighth
    /// above it. A `q` outside 0..=1 counts as the nearer end, NaN as 0.
    pub fn quantile_ns(&self, q: f64) -> Option<u64> {
        let count = self.count();
        // Float to integer saturates, and NaN becomes 0: no `q` can lead outside 1..=count.
        let rank = ((q * count as f64).ceil() as u64).min(count).max(1);
        let mut seen = 0u64;
        for (bucket, &count) in self.counts.iter().enumerate() {
            seen = seen.saturating_add(count);
            if seen >= rank {
                return Some(upper_edge(bucket));
            }
        }
        None
    }

    /// How many recorded durations are certain to be at most `ns` nanoseconds.
    ///
    /// A bucket counts only where its upper edge fits: one that straddles `ns` is left out whole. So the answer
    /// may be too small by what lies within one eighth below `ns`, never too large.
    pub fn count_at_most(&self, ns: u64) -> u64 {
        let whole = match ns.checked_add(1) {
            Some(next) => bucket_of(next), // The buckets before the one of `ns + 1` end at or before `ns`.
            None => BUCKETS,
        };
        self.counts[..whole].iter().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// Adds what `other` counted, as if both had been recorded in one histogram. Saturates.
    pub fn merge(&mut self, other: &HistogramSnapshot) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*theirs);
        }
    }
}

impl Default for HistogramSnapshot {
    fn default() -> Self {
        HistogramSnapshot::new()
    }
}

/// Which bucket counts `ns`: below 8 each value has its own; above, the position of the highest set bit picks
/// the group and the three bits after it the bucket within.
#[inline]
const fn bucket_of(ns: u64) -> usize {
    if ns < SUBS as u64 {
        return ns as usize;
    }
    let shift = ns.ilog2() - SUB_BITS;
    (shift as usize) * SUBS + (ns >> shift) as usize
}

/// The smallest value `bucket` counts, and how many values follow it in there.
const fn span(bucket: usize) -> (u64, u64) {
    if bucket < SUBS {
        return (bucket as u64, 0);
    }
    let shift = bucket / SUBS - 1;
    (((SUBS + bucket % SUBS) as u64) << shift, (1 << shift) - 1)
}

/// The largest value `bucket` counts.
const fn upper_edge(bucket: usize) -> u64 {
    let (lower, more) = span(bucket);
    lower + more
}

/// The value that stands for all of `bucket` in a sum.
const fn middle(bucket: usize) -> u64 {
    let (lower, more) = span(bucket);
    lower + more / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recorded(values: &[u64]) -> HistogramSnapshot {
        let histogram = Histogram::new();
        values.iter().for_each(|&value| histogram.record(value));
        histogram.snapshot()
    }

    /// Durations of every magnitude, not mostly of the largest.
    fn durations() -> impl Strategy<Value = Vec<u64>> {
        let duration = (0u32..64, any::<u64>()).prop_map(|(shift, bits)| bits >> shift);
        prop::collection::vec(duration, 1..200)
    }

    #[test]
    fn buckets_follow_one_another_without_gap_or_overlap_to_the_end_of_u64() {
        for bucket in 0..BUCKETS - 1 {
            assert_eq!(bucket_of(upper_edge(bucket)), bucket);
            assert_eq!(bucket_of(upper_edge(bucket) + 1), bucket + 1);
        }
        assert_eq!(upper_edge(BUCKETS - 1), u64::MAX);
    }

    #[test]
    fn a_histogram_fits_in_four_kibibytes() {
        assert!(size_of::<Histogram>() <= 4 << 10);
    }

    #[test]
    fn nothing_recorded_has_no_quantile() {
        assert_eq!(HistogramSnapshot::new().quantile_ns(0.5), None);
        assert_eq!(HistogramSnapshot::new().count(), 0);
    }

    #[test]
    fn a_share_that_is_no_number_is_not_a_panic() {
        let snapshot = recorded(&[3, 5]);
        assert_eq!(snapshot.quantile_ns(f64::NAN), Some(3));
        assert_eq!(snapshot.quantile_ns(-1.0), Some(3));
        assert_eq!(snapshot.quantile_ns(f64::INFINITY), Some(5));
    }

    #[test]
    fn the_top_saturates_instead_of_starting_over() {
        let mut snapshot = recorded(&[u64::MAX, u64::MAX, 7]);
        assert_eq!(snapshot.sum_ns(), u64::MAX);
        assert_eq!(snapshot.count(), 3);
        assert_eq!(snapshot.count_at_most(u64::MAX), 3);
        snapshot.merge(&snapshot.clone());
        assert_eq!(snapshot.sum_ns(), u64::MAX);
    }

    #[test]
    fn threads_that_record_at_once_lose_nothing() {
        let histogram = Histogram::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|ns| histogram.record(ns)));
            }
        });
        assert_eq!(histogram.snapshot().count(), 40_000);
    }

    proptest! {
        #[test]
        fn a_quantile_is_never_below_the_true_one_and_less_than_an_eighth_above(mut values in durations(), q in 0.0..=1.0f64) {
            let answer = recorded(&values).quantile_ns(q).expect("something was recorded");
            values.sort_unstable();
            let rank = ((q * values.len() as f64).ceil() as usize).clamp(1, values.len());
            let truth = values[rank - 1];
            prop_assert!(answer >= truth);
            prop_assert!(answer - truth <= truth / 8, "{answer} for {truth}");
        }

        #[test]
        fn a_bound_never_counts_what_exceeds_it_nor_misses_what_is_an_eighth_below(values in durations(), bound in any::<u64>()) {
            let answer = recorded(&values).count_at_most(bound) as usize;
            let truth = values.iter().filter(|&&value| value <= bound).count();
            let surely = values.iter().filter(|&&value| value < bound - bound / 8).count();
            prop_assert!(answer <= truth && (bound < 8 || answer >= surely));
        }

        #[test]
        fn merged_histograms_equal_one_that_saw_everything(left in durations(), right in durations()) {
            let mut merged = recorded(&left);
            merged.merge(&recorded(&right));
            prop_assert_eq!(merged, recorded(&[left, right].concat()));
        }

        #[test]
        fn the_sum_is_within_a_sixteenth(values in prop::collection::vec((8u32..64, any::<u64>()), 0..100)) {
            let values: Vec<u64> = values.into_iter().map(|(shift, bits)| bits >> shift).collect();
            let truth: u64 = values.iter().sum();
            prop_assert!(recorded(&values).sum_ns().abs_diff(truth) <= truth / 16);
        }
    }
}
