//! The few statistics a comparison needs: percentiles of samples, and ratios of blocks that ran side by side.
//!
//! A ratio is taken between two neighbours in time and only then summarised, so that what the machine does to both
//! (other load, frequency, a hypervisor's pauses) cancels. Means are absent: one stall of the machine would decide them.

/// The value at or below which `percent` of the samples lie, by nearest rank. Sorts `samples`.
///
/// # Panics
/// If there are none: a percentile of nothing is a bug of the caller.
pub(crate) fn percentile(samples: &mut [f64], percent: f64) -> f64 {
    assert!(!samples.is_empty(), "a percentile needs samples");
    samples.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * samples.len() as f64).ceil() as usize;
    samples[rank.clamp(1, samples.len()) - 1]
}

/// The middle of the samples.
pub(crate) fn median(samples: &[f64]) -> f64 {
    percentile(&mut samples.to_vec(), 50.0)
}

/// What the ratios of neighbouring blocks say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratios {
    /// The median: the figure that is held against the target.
    pub(crate) median: f64,
    /// From the 10th to the 90th percentile: how far single pairs disagree.
    pub(crate) spread: (f64, f64),
}

impl Ratios {
    /// Divides block by block, `ours[i] / theirs[i]`.
    pub(crate) fn of(ours: &[f64], theirs: &[f64]) -> Ratios {
        assert_eq!(ours.len(), theirs.len(), "ratios are between pairs");
        let mut ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        let spread = (percentile(&mut ratios, 10.0), percentile(&mut ratios, 90.0));
        Ratios { median: percentile(&mut ratios, 50.0), spread }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_and_their_order_does_not_matter() {
        let mut samples: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut samples, 50.0), 50.0);
        assert_eq!(percentile(&mut samples, 99.0), 99.0);
        assert_eq!(percentile(&mut samples, 100.0), 100.0);
        assert_eq!(percentile(&mut [7.0], 1.0), 7.0);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn a_machine_that_slows_down_both_halfway_changes_no_ratio() {
        let theirs = [10.0, 10.0, 40.0, 40.0];
        let ours = [11.0, 11.0, 44.0, 44.0];
        let ratios = Ratios::of(&ours, &theirs);
        assert!((ratios.median - 1.1).abs() < 1e-9);
        assert!((ratios.spread.1 - ratios.spread.0).abs() < 1e-9);
    }

    #[test]
    fn one_bad_pair_shows_in_the_spread_and_not_in_the_median() {
        let ratios = Ratios::of(&[1.0, 1.0, 9.0], &[1.0, 1.0, 1.0]);
        assert_eq!(ratios, Ratios { median: 1.0, spread: (1.0, 9.0) });
    }
}
