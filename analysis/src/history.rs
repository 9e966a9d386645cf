//! Series over many runs, and where their level changed: what is read from a table, from runs or from files of other tools, judged by `amdahl_stats::breaks`.
//! Nothing here draws or lays out text.

mod host;
mod runs;
mod table;
mod tools;

use amdahl_stats::{
    BREAK_P_MAX, Break, Levels, breaks, detectable_sigma, median, smallest_break_p,
};

pub use host::host_label;
pub use runs::{RunPoint, cell, points_of, runtime, series_of, used_trials};
pub use table::read;
pub use tools::{ToolsError, read_tools};

/// Points after a change for which it is told what could have been seen.
pub const POINTS_AFTER: usize = 15;

/// Which way is for the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Throughput, speed.
    Higher,
    /// Time, memory.
    Lower,
}

/// What a point stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Index {
    /// A number of the table.
    Number(f64),
    /// A word of the table.
    Text(String),
    /// A run, and what it said of the runtime that it measured.
    Run {
        /// Its name, without its host.
        name: String,
        /// Version and hash of the runtime.
        runtime: String,
    },
}

/// One series: values in order, all finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name.
    pub name: String,
    /// What each point stands for.
    pub indices: Vec<Index>,
    /// Its value.
    pub values: Vec<f64>,
    /// Points without a value.
    pub missing: usize,
    /// Which way is for the better, where that is known.
    pub better: Option<Better>,
}

/// A series and what became of it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The series.
    pub series: Series,
    /// Its changes.
    pub levels: Levels,
    /// The smallest p that a series of its length can have.
    pub smallest_p: f64,
    /// Why no change could have been shown, where that is so.
    pub too_short: Option<String>,
}

/// A family of series, judged.
#[derive(Debug, Clone)]
pub struct History {
    /// Where they came from, as a name.
    pub name: String,
    /// In the order of their names.
    pub series: Vec<Judged>,
    /// The smallest relative change that was looked for.
    pub margin: f64,
    /// What else a reader must know of where they came from.
    pub note: Option<String>,
}

/// Judges a family; its order changes nothing. Which way is `better` beats what the series say themselves.
pub fn judge(
    name: String,
    mut family: Vec<Series>,
    margin: f64,
    better: Option<Better>,
) -> History {
    family.sort_by(|a, b| a.name.cmp(&b.name));
    family.iter_mut().for_each(|s| s.better = better.or(s.better));
    let values: Vec<&[f64]> = family.iter().map(|s| s.values.as_slice()).collect();
    let levels = breaks(&values, margin);
    let series = family.into_iter().zip(levels).map(|(series, levels)| {
        let n = series.values.len();
        let smallest_p = smallest_break_p(n);
        let too_short = (smallest_p > BREAK_P_MAX).then(|| {
            let s = if n == 1 { "" } else { "s" };
            format!("{n} point{s}; no change can be shown before there are {}", points_needed())
        });
        Judged { series, levels, smallest_p, too_short }
    });
    History { name, series: series.collect(), margin, note: None }
}

/// Points from which on a change can be shown at all.
fn points_needed() -> usize {
    (1..).find(|n| smallest_break_p(*n) <= BREAK_P_MAX).unwrap_or(usize::MAX)
}

impl Judged {
    /// Whether a change is for the worse; `None` where nobody said which way that is.
    pub fn worse(&self, change: &Break) -> Option<bool> {
        Some((change.after < change.before) == (self.series.better? == Better::Higher))
    }
}

impl History {
    /// Series with a change.
    pub fn changed(&self) -> impl Iterator<Item = &Judged> {
        self.series.iter().filter(|s| !s.levels.changes.is_empty())
    }

    /// Whether it is known of any series which way is for the better.
    pub fn directed(&self) -> bool {
        self.series.iter().any(|s| s.series.better.is_some())
    }

    /// Series whose last change is for the worse.
    pub fn regressed(&self) -> impl Iterator<Item = &Judged> {
        self.series.iter().filter(|s| {
            let last = s.levels.changes.last();
            last.is_some_and(|c| s.worse(c) == Some(true))
        })
    }

    /// Length of the series in the middle.
    pub fn points(&self) -> Option<usize> {
        let n: Vec<f64> = self.series.iter().map(|s| s.series.values.len() as f64).collect();
        median(&n).map(|m| m as usize)
    }

    /// The smallest shift, in standard deviations of the noise, that is found in 95 % of series of [`History::points`] with
    /// [`POINTS_AFTER`] points after it, judged alone; `None` where the series are too short for any.
    pub fn detectable(&self) -> Option<f64> {
        detectable_sigma(self.points()?, POINTS_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, values: Vec<f64>) -> Series {
        let indices = (0..values.len()).map(|i| Index::Number(i as f64)).collect();
        Series { name: name.to_owned(), indices, values, missing: 0, better: None }
    }

    /// 100, then by `by` more, with a ripple that repeats.
    fn step(name: &str, by: f64) -> Series {
        let ripple = |i: usize| (i * 7 % 11) as f64 / 10.0;
        series(name, (0..40).map(|i| 100.0 + ripple(i) + if i < 20 { 0.0 } else { by }).collect())
    }

    #[test]
    fn which_way_is_worse_is_only_known_if_said() {
        let of =
            |better| judge("t".into(), vec![step("up", 9.0), step("down", -9.0)], 0.01, better);
        let names = |h: &History| h.regressed().map(|s| s.series.name.clone()).collect::<Vec<_>>();
        assert_eq!(of(None).changed().count(), 2);
        assert!(names(&of(None)).is_empty());
        assert_eq!(names(&of(Some(Better::Higher))), ["down"]);
        assert_eq!(names(&of(Some(Better::Lower))), ["up"]);
    }

    #[test]
    fn short_series_say_what_they_need() {
        let short = series("s", vec![1.0; 6]);
        let history = judge("t".into(), vec![short, step("long", 0.0)], 0.01, None);
        let needed = points_needed();
        assert!((10..20).contains(&needed), "{needed}");
        assert!(history.series[1].too_short.as_ref().unwrap().contains(&format!("{needed}")));
        assert_eq!(history.series[0].too_short, None);
    }

    #[test]
    fn the_order_of_the_family_changes_nothing() {
        let family = vec![step("c", 9.0), step("a", 0.0), step("b", -1.0)];
        let told = |f: Vec<Series>| format!("{:?}", judge("t".into(), f, 0.01, None));
        let forward = told(family.clone());
        assert_eq!(forward, told(family.into_iter().rev().collect()));
    }
}
