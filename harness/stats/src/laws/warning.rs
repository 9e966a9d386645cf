//! What a reader of a fit must know: a closed list, each with what to do next.

use std::fmt;

use super::change::Change;
use super::estimate::Law;

/// Why USL's parameters can't be told apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unidentified {
    /// As many parameters as worker counts, or more.
    Counts {
        /// Distinct worker counts.
        distinct: usize,
        /// Parameters.
        parameters: usize,
    },
    /// Condition of the Jacobian with columns of length 1.
    Condition(f64),
    /// Correlation of alpha and beta.
    Correlation(f64),
    /// The profile of this parameter does not reach its threshold.
    Open(&'static str),
}

/// A warning about a fit, or about all of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Warning {
    /// One or two worker counts: no curve.
    TooFewForCurve {
        /// Distinct worker counts.
        distinct: usize,
    },
    /// AICc is not defined for this law at so few worker counts.
    NotComparable {
        /// Law.
        law: Law,
        /// Distinct worker counts.
        distinct: usize,
    },
    /// The points do not determine the parameters.
    NotIdentified {
        /// Law.
        law: Law,
        /// Why.
        why: Unidentified,
    },
    /// There is no minimum at a finite X(1).
    NotSolved {
        /// Law.
        law: Law,
    },
    /// An end of an interval is open.
    OpenInterval {
        /// Parameter.
        parameter: &'static str,
        /// The upper end, else the lower.
        upper: bool,
    },
    /// The bounded estimate is 0.
    AtBound {
        /// Parameter.
        parameter: &'static str,
        /// One-sided 95 % upper bound.
        below: Option<f64>,
    },
    /// Even the upper end of the unbounded interval is negative.
    BetterThanLinear {
        /// Parameter.
        parameter: &'static str,
    },
    /// The law misses the points.
    Inadequate {
        /// Root mean square of the relative residuals.
        relative_rmse: f64,
    },
    /// The law meets the points to rounding.
    Exact,
    /// One trial a worker count.
    NoTrials,
    /// X(1) was not measured.
    NoFirstPoint {
        /// Smallest N.
        smallest: f64,
    },
    /// No peak is proven.
    NoPeak {
        /// Where the curve would turn, if anywhere.
        at: Option<f64>,
    },
    /// The peak lies far beyond the points.
    PeakBeyond {
        /// Where.
        at: f64,
        /// Largest N measured.
        largest: f64,
    },
    /// Points behind a break of the machine are not fitted.
    BehindBreak {
        /// Last N that is fitted.
        after: f64,
        /// What changes behind it.
        change: Change,
        /// Worker counts left out.
        left_out: usize,
    },
    /// Something is shared from the second worker on.
    FromTwo {
        /// What.
        change: Change,
    },
    /// Neighbouring worker counts were averaged.
    Grouped {
        /// Distinct worker counts there were.
        distinct: usize,
        /// Groups.
        groups: usize,
    },
    /// Bootstrap left out.
    NoBootstrap {
        /// Draws without a fit, of all.
        failed: usize,
        /// Draws.
        draws: usize,
    },
    /// AICc prefers a law without a parameter whose interval lies above 0.
    Contradicted {
        /// The law that AICc prefers.
        law: Law,
        /// The parameter it lacks.
        parameter: &'static str,
    },
    /// No law stands out.
    Undecided {
        /// The best one's weight.
        weight: f64,
    },
}

impl Warning {
    /// Its name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooFewForCurve { .. } => "too_few_for_curve",
            Self::NotComparable { .. } => "not_comparable",
            Self::NotIdentified { .. } => "not_identified",
            Self::NotSolved { .. } => "not_solved",
            Self::OpenInterval { .. } => "open_interval",
            Self::AtBound { .. } => "at_bound",
            Self::BetterThanLinear { .. } => "better_than_linear",
            Self::Inadequate { .. } => "inadequate",
            Self::Exact => "exact",
            Self::NoTrials => "no_trials",
            Self::NoFirstPoint { .. } => "no_first_point",
            Self::NoPeak { .. } => "no_peak",
            Self::PeakBeyond { .. } => "peak_beyond",
            Self::BehindBreak { .. } => "behind_break",
            Self::FromTwo { .. } => "from_two",
            Self::Grouped { .. } => "grouped",
            Self::NoBootstrap { .. } => "no_bootstrap",
            Self::Contradicted { .. } => "contradicted",
            Self::Undecided { .. } => "undecided",
        }
    }
}

/// What is so, and what to do next.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooFewForCurve { distinct } => write!(
                f,
                "{}: no curve can be fitted, so no law, no peak and no prediction; measure 3 at least, 6 for USL: widen \
                 `--workers`",
                counts(distinct)
            ),
            Self::NotComparable { law, distinct } => write!(
                f,
                "{}; comparing {} by AICc wants {}: widen `--workers`",
                counts(distinct),
                law.title(),
                law.comparable_from()
            ),
            Self::NotIdentified { law, why } => not_identified(f, law, why),
            Self::NotSolved { law } => write!(
                f,
                "{} has no best value for these points, because X(1) runs away: measure smaller N, from 1 on, or look \
                 for a point that is wrong",
                law.title()
            ),
            Self::OpenInterval { parameter, upper } => write!(
                f,
                "the interval of {parameter} is open {}: no value is far enough away for these points; measure more \
                 worker counts, or more trials of each",
                if upper { "upwards" } else { "downwards" }
            ),
            Self::AtBound { parameter, below } => {
                write!(f, "{parameter} is at its bound 0: ")?;
                match below {
                    Some(b) if b > 0.0 => {
                        write!(f, "read {parameter} < {} (95 %, one-sided); ", digits(b))?
                    }
                    _ => write!(f, "even its one-sided upper bound is not above 0; ")?,
                }
                write!(f, "`amdahl fit --unbounded` shows the estimate without the bound")
            }
            Self::BetterThanLinear { parameter } => write!(
                f,
                "{parameter} is below 0 even at the upper end of its interval: at large N these points bend the other way \
                 than the law can; look for a cause (caches, another work a worker, turbo, a break of the machine) before \
                 you use it"
            ),
            Self::Inadequate { relative_rmse } => write!(
                f,
                "inadequate: it misses the points by {:.1} % (root mean square), more than 10 %; its parameters describe \
                 another curve: end the fit where the machine breaks (`amdahl fit --break N`) or look for a second cause",
                100.0 * relative_rmse
            ),
            Self::Exact => write!(
                f,
                "the law meets the points to rounding, so nothing is known of their noise and there are no intervals: fit \
                 measured means, not a formula's"
            ),
            Self::NoTrials => write!(
                f,
                "one trial at some worker count: the bootstrap draws residuals, not trials; repeat each N and give the \
                 column `trial`"
            ),
            Self::NoFirstPoint { smallest } => write!(
                f,
                "N = 1 was not measured (the smallest is {}): gamma is extrapolated and there is no Karp-Flatt e(N); \
                 measure N = 1",
                digits(smallest)
            ),
            Self::NoPeak { at: Some(n) } => write!(
                f,
                "no peak is proven: the interval of beta holds 0, or is not known (the curve would turn at N = {}); measure at \
                 larger N",
                digits(n)
            ),
            Self::NoPeak { at: None } => {
                write!(
                    f,
                    "no peak: throughput does not fall again under this fit; measure at larger N to look for one"
                )
            }
            Self::PeakBeyond { at, largest } => write!(
                f,
                "the peak at N = {} lies beyond twice the largest N measured ({}): a scenario, not a prediction; \
                 measure nearer to it",
                digits(at),
                digits(largest)
            ),
            Self::BehindBreak { after, change, left_out } => write!(
                f,
                "the fit ends at N = {}, behind which {}; {left_out} larger worker count{} {} shown and not fitted: fit \
                 them apart",
                digits(after),
                change.words(),
                if left_out == 1 { "" } else { "s" },
                if left_out == 1 { "is" } else { "are" }
            ),
            Self::FromTwo { change } => write!(
                f,
                "by this placement {} from N = 2 on: what that costs is in alpha and beta too; `--placement cores` \
                 keeps them apart as long as it can",
                change.words()
            ),
            Self::Grouped { distinct, groups } => write!(
                f,
                "{distinct} distinct worker counts were averaged in {groups} groups of neighbours; give whole numbers, or \
                 averages of your own, if that is too coarse"
            ),
            Self::NoBootstrap { failed, draws } => write!(
                f,
                "{failed} of {draws} bootstrap draws had no fit: no bootstrap interval; `ci95` needs none"
            ),
            Self::Contradicted { law, parameter } => write!(
                f,
                "AICc prefers {}, whose penalty for few worker counts is the smaller, yet the interval of {parameter} lies \
                 above 0: read both, and measure more worker counts",
                law.title()
            ),
            Self::Undecided { weight } => write!(
                f,
                "no law has 90 % of the weight (the best {:.0} %): read the others' predictions too, and measure at \
                 larger N, where they differ",
                100.0 * weight
            ),
        }
    }
}

fn not_identified(f: &mut fmt::Formatter<'_>, law: Law, why: Unidentified) -> fmt::Result {
    let wants = law.comparable_from();
    match why {
        Unidentified::Counts { distinct, parameters } => write!(
            f,
            "{} for {parameters} parameters: nothing is left to judge them by; {} wants {wants}: widen `--workers`",
            counts(distinct),
            law.title(),
        ),
        Unidentified::Condition(c) => write!(
            f,
            "the worker counts lie too close together to tell the parameters apart (condition {}): spread them, from 1 on",
            digits(c)
        ),
        Unidentified::Correlation(r) => write!(
            f,
            "alpha and beta can't be told apart (correlation {r:.4}): read alpha + 2 beta, and measure at larger N"
        ),
        Unidentified::Open(parameter) => write!(
            f,
            "the points do not bound {parameter} on both sides: read alpha + 2 beta; {} wants {wants} worker counts: widen \
             `--workers`, or repeat each",
            law.title()
        ),
    }
}

fn counts(n: usize) -> String {
    format!("{n} worker count{}", if n == 1 { "" } else { "s" })
}

/// Four significant digits, as people write them.
pub fn digits(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return format!("{x}");
    }
    let exponent = x.abs().log10().floor() as i32;
    if !(-4..7).contains(&exponent) {
        return format!("{x:.3e}");
    }
    let text = format!("{x:.*}", (3 - exponent).max(0) as usize);
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let said = [0.000_012_345, 0.012_345, 35.570_1, 12_341.7, 96.0, 2e9].map(digits);
        assert_eq!(said, ["1.234e-5", "0.01235", "35.57", "12342", "96", "2.000e9"]);
    }

    #[test]
    fn the_next_step_is_in_the_text() {
        let w = Warning::NotComparable { law: Law::Usl, distinct: 3 };
        assert_eq!(
            w.to_string(),
            "3 worker counts; comparing USL by AICc wants 6: widen `--workers`"
        );
        let w = Warning::AtBound { parameter: "beta", below: Some(1.25e-5) };
        assert!(w.to_string().contains("read beta < 1.250e-5 (95 %, one-sided)"), "{w}");
    }
}
