//! The bars that a voice note is shown with.

use crate::content::MAX_WAVEFORM_BARS;

/// Loudness over time: 64 bars, each 0 to 255, the loudest 255 unless there is silence.
///
/// ```
/// use hushpost::Waveform;
///
/// let samples: Vec<i16> = (0..16_000).map(|at| if at < 8_000 { 100 } else { -10_000 }).collect();
/// let bars = Waveform::from_samples(&samples);
/// assert_eq!((bars.bars()[0], bars.bars()[63]), (2, 255));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waveform(Vec<u8>);

impl Waveform {
    /// From mono samples, at any rate. No samples, no bars.
    #[must_use]
    pub fn from_samples(samples: &[i16]) -> Self {
        if samples.is_empty() {
            return Self::default();
        }
        let edge = |bar: usize| {
            samples
                .len()
                .saturating_mul(bar)
                .checked_div(MAX_WAVEFORM_BARS)
                .unwrap_or_default()
        };
        let peaks: Vec<u32> = (0..MAX_WAVEFORM_BARS)
            .map(|bar| {
                let from = edge(bar);
                let to = edge(bar.saturating_add(1)).max(from.saturating_add(1));
                let part = samples.get(from..to).unwrap_or_default();
                let loudest = part.iter().map(|sample| sample.unsigned_abs()).max();
                u32::from(loudest.unwrap_or_default())
            })
            .collect();
        let loudest = peaks.iter().copied().max().unwrap_or_default();
        let bar = |peak: u32| {
            let scaled = peak.saturating_mul(255).checked_div(loudest);
            u8::try_from(scaled.unwrap_or_default()).unwrap_or(u8::MAX)
        };
        Self(peaks.into_iter().map(bar).collect())
    }

    /// The bars.
    #[must_use]
    pub fn bars(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn silence_has_bars_and_nothing_has_none() {
        assert!(Waveform::from_samples(&[]).bars().is_empty());
        assert_eq!(Waveform::from_samples(&[0; 100]).bars(), [0; 64]);
        assert_eq!(Waveform::from_samples(&[i16::MIN]).bars(), [255; 64]);
    }

    proptest! {
        #[test]
        fn there_are_64_bars_and_one_is_full(samples in prop::collection::vec(1..=i16::MAX, 1..1000)) {
            let waveform = Waveform::from_samples(&samples);
            prop_assert_eq!(waveform.bars().len(), MAX_WAVEFORM_BARS);
            prop_assert_eq!(waveform.bars().iter().max(), Some(&255));
        }
    }
}
