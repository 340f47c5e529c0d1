//! Times in a histogram: nanoseconds, three digits, from 1 ns to one minute.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

/// The longest time that is told apart; longer ones are counted as this long, and their number is told.
pub const LONGEST: u64 = 60_000_000_000;
/// Decimal digits that are kept: an error of at most 0.1 %.
const DIGITS: u8 = 3;

/// Recorded times. Recording neither allocates nor fails.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    histogram: Histogram<u64>,
    too_long: u64,
}

/// What a report says about times, in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Quantiles {
    /// How many times were recorded.
    pub count: u64,
    /// Half were no longer than this.
    pub p50: u64,
    /// Nine of ten were no longer than this.
    pub p90: u64,
    /// 99 % were no longer than this.
    pub p99: u64,
    /// 99.9 % were no longer than this.
    pub p999: u64,
    /// 99.99 % were no longer than this.
    pub p9999: u64,
    /// The longest.
    pub max: u64,
    /// The mean: for Little's law, not for people.
    pub mean: f64,
    /// How many were over a minute and count as one minute.
    pub too_long: u64,
    /// All of it, to be merged with others: an HDR histogram (V2, deflated, Base64) as other tools read it too.
    pub histogram: String,
}

impl Latency {
    /// An empty histogram with all its memory.
    #[must_use]
    pub fn new() -> Self {
        Self { histogram: empty(), too_long: 0 }
    }

    /// Records the same time `count` times.
    pub fn record(&mut self, nanos: u64, count: u64) {
        if nanos > LONGEST {
            self.too_long += count;
        }
        self.histogram.saturating_record_n(nanos.clamp(1, LONGEST), count);
    }

    /// Adds another histogram.
    pub fn merge(&mut self, other: &Self) {
        self.too_long += other.too_long;
        // the bounds are the same for all, so there is nothing that could not be added
        let _ = self.histogram.add(&other.histogram);
    }

    /// Takes the times of `out`, which are among these, away and adds those of `instead`.
    pub fn exchange(&mut self, out: &Self, instead: &Self) {
        // what cannot be taken away was never in it: then nothing is exchanged
        if self.histogram.subtract(&out.histogram).is_ok() {
            self.merge(instead);
        }
    }

    /// The usual percentiles.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        let at = |quantile| self.histogram.value_at_quantile(quantile);
        Quantiles {
            count: self.histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: self.histogram.max(),
            mean: self.histogram.mean(),
            too_long: self.too_long,
            histogram: self.encoded(),
        }
    }

    /// The histogram of a report.
    ///
    /// # Errors
    /// It is none.
    pub fn decoded(quantiles: &Quantiles) -> Result<Self, String> {
        let bytes = STANDARD.decode(&quantiles.histogram).map_err(|e| e.to_string())?;
        let read = Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|e| e.to_string())?;
        let mut histogram = empty();
        histogram.add(read).map_err(|e| e.to_string())?;
        Ok(Self { histogram, too_long: quantiles.too_long })
    }

    /// Forgets everything; the memory stays.
    pub fn clear(&mut self) {
        self.histogram.reset();
        self.too_long = 0;
    }

    /// The time that this share of all was no longer than.
    #[must_use]
    pub fn at(&self, quantile: f64) -> u64 {
        self.histogram.value_at_quantile(quantile)
    }

    /// How many times lie from `low` to `high`, both in nanoseconds.
    #[must_use]
    pub fn between(&self, low: u64, high: u64) -> u64 {
        self.histogram.count_between(low.clamp(1, LONGEST), high.clamp(1, LONGEST))
    }

    fn encoded(&self) -> String {
        let mut bytes = Vec::new();
        // writing to memory cannot fail
        let _ = V2DeflateSerializer::new().serialize(&self.histogram, &mut bytes);
        STANDARD.encode(bytes)
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

fn empty() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, LONGEST, DIGITS) {
        Ok(histogram) => histogram,
        Err(_) => unreachable!("the bounds are constants that the library accepts"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_over_a_minute_is_counted_as_a_minute_and_told() {
        let mut latency = Latency::new();
        latency.record(LONGEST * 3, 2);
        latency.record(0, 1);
        let quantiles = latency.quantiles();
        assert_eq!((quantiles.count, quantiles.too_long), (3, 2));
        assert!(quantiles.max.abs_diff(LONGEST) <= LONGEST / 1000, "{quantiles:?}");
    }

    #[test]
    fn a_histogram_survives_a_report() {
        let mut latency = Latency::new();
        latency.record(1_234_567, 3);
        latency.record(LONGEST + 1, 1);
        let quantiles = latency.quantiles();
        assert_eq!(Latency::decoded(&quantiles).unwrap().quantiles(), quantiles);
        assert!(Latency::decoded(&Quantiles { histogram: "no".into(), ..quantiles }).is_err());
    }

    #[test]
    fn nothing_recorded_is_all_zero() {
        let quantiles = Latency::new().quantiles();
        assert_eq!((quantiles.count, quantiles.p50, quantiles.max), (0, 0, 0));
    }

    proptest! {
        #[test]
        fn percentiles_are_within_a_thousandth(mut times in prop::collection::vec(1_u64..LONGEST, 1..200)) {
            let mut halves = [Latency::new(), Latency::new()];
            for (index, time) in times.iter().enumerate() {
                halves[index % 2].record(*time, 1);
            }
            let [mut all, other] = halves;
            all.merge(&other);
            times.sort_unstable();
            let exact = times[(times.len().div_ceil(2)) - 1];
            prop_assert!(all.quantiles().p50.abs_diff(exact) <= exact / 1000 + 1);
            prop_assert!(all.quantiles().max >= times[times.len() - 1]);
        }
    }
}
