//! Times of one kind. A program of 10,000 threads may wait at as many words, once at each: what nothing was counted in takes no room.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// Sum and extremes are exact, the rest is rounded to three digits, in the classes of an [`Histogram`] of as many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// How many by the least time of their class.
    classes: BTreeMap<u64, u64>,
    /// How many.
    pub n: u64,
    /// Exact.
    pub sum: u64,
    /// Exact; `u64::MAX` where there are none.
    pub min: u64,
    /// Exact.
    pub max: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self { classes: BTreeMap::new(), n: 0, sum: 0, min: u64::MAX, max: 0 }
    }
}

/// Times of one class differ in so many of their last bits: 2048 classes to the first power of two, 1024 to each other.
fn bits(ns: u64) -> u32 {
    (u64::BITS - ns.leading_zeros()).saturating_sub(11)
}

impl Times {
    /// One more.
    pub fn record(&mut self, ns: u64) {
        // Far below the 2^63 that a histogram can't hold, or a stamp is not to be believed.
        let ns = ns.min(u64::MAX >> 2);
        *self.classes.entry(ns >> bits(ns) << bits(ns)).or_default() += 1;
        self.n += 1;
        (self.sum, self.min, self.max) = (self.sum + ns, self.min.min(ns), self.max.max(ns));
    }

    /// Times that were counted elsewhere: their exact sum and extremes, and how many of each about that long.
    pub fn counted(
        (sum, min, max): (u64, u64, u64),
        counts: impl IntoIterator<Item = (u64, u64)>,
    ) -> Self {
        let mut all = Self { sum, min, max, ..Self::default() };
        for (ns, n) in counts {
            let ns = ns.min(u64::MAX >> 2);
            let class = all.classes.entry(ns >> bits(ns) << bits(ns)).or_default();
            *class = class.saturating_add(n);
            all.n = all.n.saturating_add(n);
        }
        all
    }

    /// Adds those of another site.
    pub fn add(&mut self, other: &Self) {
        for (class, n) in &other.classes {
            *self.classes.entry(*class).or_default() += n;
        }
        self.n += other.n;
        self.sum += other.sum;
        (self.min, self.max) = (self.min.min(other.min), self.max.max(other.max));
    }

    /// The time that a share of them does not exceed; 0 where there are none.
    pub fn at(&self, quantile: f64) -> u64 {
        let rank = ((quantile * self.n as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let class = self.classes.iter().find(|(_, n)| {
            seen = u64::saturating_add(seen, **n);
            seen >= rank
        });
        class.map_or(0, |(least, _)| (least + (1 << bits(*least)) - 1).min(self.max))
    }

    /// All of them.
    pub fn histogram(&self) -> Histogram<u64> {
        let mut all = Histogram::new(3).expect("three digits are allowed");
        for (class, n) in &self.classes {
            all.record_n(*class, *n).expect("it resizes itself");
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_quantiles_are_those_of_a_histogram() {
        let (mut times, mut all) = (Times::default(), Histogram::<u64>::new(3).unwrap());
        let mut random = amdahl_stats::SplitMix::new(7);
        for i in 0..20_000 {
            let ns = random.next_u64() >> (24 + i % 40);
            times.record(ns);
            all.record(ns).unwrap();
        }
        assert_eq!(times.histogram(), all);
        for q in [0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
            assert_eq!(times.at(q), all.value_at_quantile(q).min(times.max), "{q}");
        }
        let mut twice = times.clone();
        twice.add(&times);
        assert_eq!((twice.n, twice.sum, twice.max), (40_000, 2 * times.sum, times.max));
        assert_eq!(twice.at(0.5), times.at(0.5));
        assert_eq!(Times::default().at(0.5), 0);
    }
}
