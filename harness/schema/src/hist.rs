//! HdrHistogram with three significant digits: the bucket rule and the stored form.

use serde::{Deserialize, Serialize};

/// A histogram as it lies on disk: HdrHistogram V2+DEFLATE in base64, readable by any HdrHistogram tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// What was timed (`op`, `wait`, `hold` …).
    pub name: String,
    /// `ns`.
    pub unit: String,
    /// Window; absent when merged over the windows of the trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub i: Option<i32>,
    /// Worker; absent when merged over the workers of the trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub w: Option<u32>,
    /// Number of values.
    pub n: u64,
    /// Smallest value, exact.
    pub min: u64,
    /// Largest value, exact.
    pub max: u64,
    /// Sum of the values, exact.
    pub sum: u64,
    /// `base64(V2+DEFLATE)`.
    pub hdr: String,
}

/// Index of the bucket that holds `v`: `k = max(0, bitlen(v) - 11); (k << 10) + (v >> k)`.
///
/// The rule of HdrHistogram at 3 digits and lowest value 1, integers only, so every language agrees.
pub fn bucket_index(v: u64) -> u64 {
    let k = bucket_shift(v);
    (k << 10) + (v >> k)
}

/// The smallest value of a bucket.
pub fn bucket_lowest(idx: u64) -> u64 {
    if idx < 2048 { idx } else { ((idx & 1023) + 1024) << ((idx >> 10) - 1) }
}

/// The number of values a bucket holds.
pub fn bucket_width(idx: u64) -> u64 {
    if idx < 2048 { 1 } else { 1 << ((idx >> 10) - 1) }
}

fn bucket_shift(v: u64) -> u64 {
    u64::from(64 - v.leading_zeros()).saturating_sub(11)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn first_buckets_are_exact_and_the_second_octave_is_two_wide() {
        assert_eq!((bucket_index(0), bucket_index(2047)), (0, 2047));
        assert_eq!(
            (bucket_index(2048), bucket_index(2049), bucket_index(2050)),
            (2048, 2048, 2049)
        );
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(v in 0u64..1 << 62) {
            let idx = bucket_index(v);
            let lowest = bucket_lowest(idx);
            prop_assert!(lowest <= v && v < lowest + bucket_width(idx));
            prop_assert!(bucket_width(idx) * 1000 <= v.max(1000));
        }
    }
}
