//! Which law: AICc, its weights. Never R².
//!
//! AICc with the variance counted as a parameter (Hurvich and Tsai 1989); weights after Burnham and Anderson 2002.

use super::estimate::Law;
use super::fit::Fit;

/// A weight from which on one law stands out.
pub(super) const CLEAR: f64 = 0.9;

/// -2 log L + 2 k + 2 k (k + 1) / (n - k - 1); `None` where n - k - 1 < 1.
pub(super) fn aicc(minus_2_log_likelihood: f64, parameters: usize, n: usize) -> Option<f64> {
    let k = parameters + 1;
    let rest = n.checked_sub(k + 1).filter(|r| *r > 0)? as f64;
    let k = k as f64;
    Some(minus_2_log_likelihood + 2.0 * k + 2.0 * k * (k + 1.0) / rest)
}

/// Sets weights and picks the lowest AICc, if every law has one; else says that they can't be compared: to
/// choose among those that happen to have one would be a guess.
pub(super) fn compare(fits: &mut [Fit]) -> (Option<Law>, bool) {
    let all: Option<Vec<f64>> = fits.iter().map(|f| f.aicc).collect();
    let Some(all) = all.filter(|a| !a.is_empty()) else { return (None, true) };
    let least = all.iter().copied().fold(f64::INFINITY, f64::min);
    let likelihoods: Vec<f64> = all.iter().map(|a| (-0.5 * (a - least)).exp()).collect();
    let sum: f64 = likelihoods.iter().sum();
    for (fit, l) in fits.iter_mut().zip(&likelihoods) {
        fit.weight = Some(l / sum);
    }
    (fits.iter().find(|f| f.aicc == Some(least)).map(|f| f.law), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// n = 10, k = 3: 2·3 + 2·3·4 / 6 = 10.
    #[test]
    fn the_variance_is_a_parameter() {
        assert_eq!(aicc(5.0, 2, 10), Some(15.0));
        assert!(aicc(0.0, 3, 5).is_none() && aicc(0.0, 3, 6).is_some());
        assert!(aicc(0.0, 2, 4).is_none() && aicc(0.0, 2, 5).is_some());
        for law in Law::ALL {
            let from = law.comparable_from();
            assert!(aicc(0.0, law.parameters(), from).is_some());
            assert!(aicc(0.0, law.parameters(), from - 1).is_none());
        }
    }
}
