//! Laws as linear spaces.
//!
//! With h(N) = (1, N - 1, N (N - 1)) every law here is N / X(N) = η(N) = a + b (N - 1) + c N (N - 1), where
//! a = 1 / gamma, b = alpha / gamma, c = beta / gamma: Amdahl fixes c = 0, linear scaling b = c = 0. Holding a
//! parameter, a prediction or the peak at a value is one linear equation in (a, b, c), so a profile
//! likelihood is the same problem with one unknown less. Under relative weights it is convex as well, so that
//! what is found is the minimum.

/// Coordinates (a, b, c).
pub(super) type Abc = [f64; 3];

/// Which of a, b, c are free; the others are 0.
pub(super) type Free = [bool; 3];

/// (1, N - 1, N (N - 1)).
pub(super) fn terms(n: f64) -> Abc {
    [1.0, n - 1.0, n * (n - 1.0)]
}

/// Scalar product.
pub(super) fn dot(x: &Abc, y: &Abc) -> f64 {
    x[0] * y[0] + x[1] * y[1] + x[2] * y[2]
}

/// An affine subspace of (a, b, c).
#[derive(Debug, Clone)]
pub(super) struct Subspace {
    /// A point of it.
    pub(super) origin: Abc,
    /// Its directions.
    pub(super) basis: Vec<Abc>,
}

impl Subspace {
    /// The space of a law.
    pub(super) fn of(free: Free) -> Self {
        let basis = (0..3).filter(|k| free[*k]).map(unit).collect();
        Self { origin: [0.0; 3], basis }
    }

    /// The point with these coordinates along the basis.
    pub(super) fn at(&self, theta: &[f64]) -> Abc {
        let mut x = self.origin;
        for (t, v) in theta.iter().zip(&self.basis) {
            (0..3).for_each(|k| x[k] += t * v[k]);
        }
        x
    }
}

/// Something whose interval is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target {
    /// X(1).
    Gamma,
    /// Contention.
    Alpha,
    /// Coherency.
    Beta,
    /// alpha + 2 beta, Karp-Flatt's e(2) under the law.
    AlphaPlus2Beta,
    /// η at a worker count: N / X(N), which is not positive where the law has no throughput.
    Eta(f64),
    /// Worker count of the peak, √((1 - alpha) / beta).
    Peak,
}

impl Target {
    /// Its value at a point; not finite where it has none.
    pub(super) fn value(self, x: &Abc) -> f64 {
        let [a, b, c] = *x;
        match self {
            Self::Gamma => 1.0 / a,
            Self::Alpha => b / a,
            Self::Beta => c / a,
            Self::AlphaPlus2Beta => (b + 2.0 * c) / a,
            Self::Eta(n) => dot(x, &terms(n)),
            Self::Peak => ((a - b) / c).sqrt(),
        }
    }

    /// Whether it is positive by nature and is looked for on its logarithm.
    pub(super) fn positive(self) -> bool {
        matches!(self, Self::Gamma | Self::Peak)
    }

    /// Derivatives of its value by a, b, c.
    pub(super) fn gradient(self, x: &Abc) -> Abc {
        let [a, b, c] = *x;
        match self {
            Self::Gamma => [-1.0 / (a * a), 0.0, 0.0],
            Self::Alpha => [-b / (a * a), 1.0 / a, 0.0],
            Self::Beta => [-c / (a * a), 0.0, 1.0 / a],
            Self::AlphaPlus2Beta => [-(b + 2.0 * c) / (a * a), 1.0 / a, 2.0 / a],
            Self::Eta(n) => terms(n),
            Self::Peak => {
                let m = ((a - b) / c).sqrt();
                let d = 0.5 / (m * c);
                [d, -d, -d * m * m]
            }
        }
    }

    /// The part of a law's space where it has this value; `None` where it does not depend on what is free.
    pub(super) fn held(self, value: f64, free: Free) -> Option<Subspace> {
        // weights · (a, b, c) = right, solved for the coordinate `pivot`.
        let (weights, right, pivot): (Abc, f64, usize) = match self {
            Self::Gamma => ([1.0, 0.0, 0.0], 1.0 / value, 0),
            Self::Alpha => ([-value, 1.0, 0.0], 0.0, 1),
            Self::Beta => ([-value, 0.0, 1.0], 0.0, 2),
            Self::AlphaPlus2Beta => ([-value, 1.0, 2.0], 0.0, 1),
            Self::Eta(n) => (terms(n), value, 0),
            Self::Peak => ([-1.0, 1.0, value * value], 0.0, 2),
        };
        if !free[pivot] {
            return None;
        }
        let mut origin = [0.0; 3];
        origin[pivot] = right / weights[pivot];
        let others = (0..3).filter(|k| free[*k] && *k != pivot);
        let basis = others.map(|k| {
            let mut v = unit(k);
            v[pivot] = -weights[k] / weights[pivot];
            v
        });
        Some(Subspace { origin, basis: basis.collect() })
    }
}

fn unit(k: usize) -> Abc {
    let mut v = [0.0; 3];
    v[k] = 1.0;
    v
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: [Target; 6] = [
        Target::Gamma,
        Target::Alpha,
        Target::Beta,
        Target::AlphaPlus2Beta,
        Target::Eta(7.0),
        Target::Peak,
    ];
    const X: Abc = [0.5, 0.02, 0.001];

    #[test]
    fn wherever_one_goes_in_the_subspace_the_target_keeps_its_value() {
        for target in TARGETS {
            let value = target.value(&X) * 1.3;
            let space = target.held(value, [true; 3]).unwrap();
            assert_eq!(space.basis.len(), 2);
            for theta in [[0.3, 0.01], [1.0, 0.002], [0.7, 0.03]] {
                let found = target.value(&space.at(&theta));
                let at_peak = target == Target::Peak && found.is_nan();
                assert!(at_peak || (found / value - 1.0).abs() < 1e-9, "{target:?} {found}");
            }
        }
        assert!(Target::Beta.held(0.1, [true, true, false]).is_none());
    }

    #[test]
    fn gradients_are_those_of_differences() {
        for target in TARGETS {
            let gradient = target.gradient(&X);
            for k in 0..3 {
                let (mut up, mut down) = (X, X);
                let h = 1e-6;
                up[k] += h;
                down[k] -= h;
                let slope = (target.value(&up) - target.value(&down)) / (2.0 * h);
                let near = (gradient[k] - slope).abs() <= 1e-3 * slope.abs().max(1e-6);
                assert!(near, "{target:?} {k}: {} {slope}", gradient[k]);
            }
        }
    }
}
