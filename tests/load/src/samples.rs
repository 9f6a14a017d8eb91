//! Latencies and their percentiles. All samples are kept and sorted: a scenario has a few hundred
//! thousand, and buckets would blur what is compared.

/// Nanoseconds each.
#[derive(Debug, Default, Clone)]
pub struct Samples(Vec<u64>);

impl Samples {
    /// Room for so many.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Adds one.
    pub fn record(&mut self, nanoseconds: u64) {
        self.0.push(nanoseconds);
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// Milliseconds below or at which `percent` of the samples lie (nearest rank), in the order asked.
    pub fn percentiles_ms<const N: usize>(mut self, percents: [u64; N]) -> [f64; N] {
        self.0.sort_unstable();
        let count = self.0.len() as u64;
        percents.map(|percent| {
            let rank = (count * percent).div_ceil(100).max(1) - 1;
            let sample = usize::try_from(rank).ok().and_then(|rank| self.0.get(rank));
            sample.map_or(f64::NAN, |&nanoseconds| nanoseconds as f64 / 1e6)
        })
    }
}

/// The middle of some figures; the mean of the two middle ones of an even number.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.len() / 2;
    let lower = sorted.len().div_ceil(2);
    match (sorted.get(lower.saturating_sub(1)), sorted.get(upper)) {
        (Some(low), Some(high)) => low.midpoint(*high),
        _ => f64::NAN,
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut samples = Samples::default();
        for millisecond in (1..=200_u64).rev() {
            samples.record(millisecond * 1_000_000);
        }
        assert_eq!(
            samples.percentiles_ms([50, 95, 99, 100]),
            [100.0, 190.0, 198.0, 200.0]
        );
        let mut one = Samples::default();
        one.record(3_000_000);
        assert_eq!(one.percentiles_ms([1, 50, 99]), [3.0, 3.0, 3.0]);
        assert!(Samples::default().percentiles_ms([50])[0].is_nan());
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[7.0]), 7.0);
        assert!(median(&[]).is_nan());
    }
}
