//! Profile-likelihood intervals: all values at which the deviance, minimised over everything else, rises by no
//! more than t² variances (Venzon and Moolgavkar 1988; Bates and Watts 1988, section 6.1).
//!
//! The space is not bounded: a parameter at its bound has no interval around it, but the law without bounds
//! has one that covers. An end may be open, where no value is too far away for the points.

use super::estimate::Core;
use super::space::Target;

/// Both ends; `None` where open.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ends {
    /// Lower.
    pub lo: Option<f64>,
    /// Upper.
    pub hi: Option<f64>,
}

/// Steps outwards before an end counts as open.
const STEPS: usize = 40;
/// Steps inwards: each at least halves the bracket every second time.
const REFINE: usize = 60;
/// How near τ comes to t.
const TOLERANCE: f64 = 1e-7;

impl Core {
    /// The 95 % interval of a target; `None` where it is not a function of what was fitted.
    pub(super) fn interval(&self, target: Target) -> Option<Ends> {
        let side = |direction: f64| self.end(target, direction, self.t);
        Some(Ends { lo: side(-1.0)?, hi: side(1.0)? })
    }

    /// One end at `t`: `None` if the target has no profile, `Some(None)` if that end is open.
    pub(super) fn end(&self, target: Target, direction: f64, t: f64) -> Option<Option<f64>> {
        if self.exact() {
            return None;
        }
        let centre = target.value(self.at());
        let se = self.standard_error(target)?;
        target.held(centre, self.estimate.free)?;
        let (start, step) =
            if target.positive() { (centre.ln(), se / centre) } else { (centre, se) };
        if !start.is_finite() || !step.is_finite() || step <= 0.0 {
            return None;
        }
        let tau = |distance: f64| {
            let z = start + direction * distance;
            let value = if target.positive() { z.exp() } else { z };
            self.tau(target, value)
        };
        let distance = cross(tau, t, t * step);
        let unit = self.unit(target);
        Some(distance.map(|d| {
            let z = start + direction * d;
            unit * if target.positive() { z.exp() } else { z }
        }))
    }

    /// √((profile deviance - deviance) / variance); infinite where the law is impossible.
    pub(super) fn tau(&self, target: Target, value: f64) -> f64 {
        let space = target.held(value, self.estimate.free);
        let held = space.and_then(|s| self.data.minimise(&s));
        held.map_or(f64::INFINITY, |m| {
            ((m.deviance - self.estimate.best.deviance).max(0.0) / self.variance).sqrt()
        })
    }
}

/// The distance at which a function that begins at 0 and rises crosses `t`; `None` if it does not.
fn cross(tau: impl Fn(f64) -> f64, t: f64, first: f64) -> Option<f64> {
    let (mut lo, mut lo_tau) = (0.0, 0.0);
    let (mut hi, mut hi_tau) = (first, tau(first));
    for _ in 0..STEPS {
        if hi_tau >= t {
            break;
        }
        // As far as a straight line says, and a little further.
        let ratio = if hi_tau > 0.0 { 1.1 * t / hi_tau } else { 4.0 };
        (lo, lo_tau) = (hi, hi_tau);
        hi *= ratio.clamp(1.1, 4.0);
        hi_tau = tau(hi);
    }
    if hi_tau < t || !hi.is_finite() {
        return None;
    }
    // Illinois; where τ is infinite a line has no slope, so halve.
    let (mut below, mut above) = (lo_tau - t, hi_tau - t);
    let mut last = 0;
    for _ in 0..REFINE {
        let line = (lo * above - hi * below) / (above - below);
        let x =
            if above.is_finite() && line > lo && line < hi { line } else { f64::midpoint(lo, hi) };
        let off = tau(x) - t;
        if off.abs() <= TOLERANCE * t || hi - lo <= 1e-12 * hi {
            return Some(x);
        }
        if off < 0.0 {
            (lo, below) = (x, off);
            above *= if last < 0 { 0.5 } else { 1.0 };
            last = -1;
        } else {
            (hi, above) = (x, off);
            below *= if last > 0 { 0.5 } else { 1.0 };
            last = 1;
        }
    }
    Some(f64::midpoint(lo, hi))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crossing_is_found_whatever_the_shape() {
        let near = |found: Option<f64>, x: f64| (found.unwrap() / x - 1.0).abs() < 1e-5;
        assert!(near(cross(|d| d, 2.0, 2.0), 2.0));
        assert!(near(cross(|d| d.sqrt(), 3.0, 1.0), 9.0));
        assert!(near(cross(|d| d.powi(3), 2.0, 5.0), 2f64.cbrt()));
        assert!(near(cross(|d| if d < 1.0 { d } else { f64::INFINITY }, 2.0, 2.0), 1.0));
        assert_eq!(cross(|d| d / (1.0 + d), 2.0, 1.0), None);
        assert_eq!(cross(|_| 0.0, 2.0, 1.0), None);
    }
}
