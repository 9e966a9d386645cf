//! Scales and ticks: data values to points and back to labels. Draws nothing.

/// How values are spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// Equal differences.
    Linear,
    /// Equal ratios.
    Log,
}

/// One axis of a panel.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// Data range.
    pub lo: f64,
    /// Data range.
    pub hi: f64,
    /// Spacing.
    pub spacing: Spacing,
    /// Where `lo` lies, points.
    pub from: f64,
    /// Where `hi` lies, points.
    pub to: f64,
}

/// A labelled position on an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Data value.
    pub value: f64,
    /// Text; empty for a line without one.
    pub label: String,
}

impl Axis {
    /// Position of a value, points; outside the range it lies outside the panel, so clip.
    pub fn at(&self, value: f64) -> f64 {
        let t = match self.spacing {
            Spacing::Linear => (value - self.lo) / (self.hi - self.lo),
            Spacing::Log => (value / self.lo).ln() / (self.hi / self.lo).ln(),
        };
        self.from + (self.to - self.from) * t
    }

    /// Whether a value lies in the range.
    pub fn holds(&self, value: f64) -> bool {
        (self.lo..=self.hi).contains(&value)
    }

    /// The nearest value in the range.
    pub fn clamp(&self, value: f64) -> f64 {
        value.clamp(self.lo, self.hi)
    }

    /// Drops labels that would touch their neighbour, `gap` points apart at least; lines stay.
    pub fn thin(&self, ticks: Vec<Tick>, gap: impl Fn(&str) -> f64) -> Vec<Tick> {
        let mut end = f64::NEG_INFINITY;
        let step = (self.to - self.from).signum();
        ticks
            .into_iter()
            .map(|mut tick| {
                let half = gap(&tick.label) / 2.0;
                let at = self.at(tick.value) * step;
                if !tick.label.is_empty() && at - half >= end {
                    end = at + half;
                } else {
                    tick.label.clear();
                }
                tick
            })
            .collect()
    }
}

/// Ticks for worker counts: one line a count. Labels: powers of two at the smallest regular step that
/// fits, then whatever else finds room.
pub fn worker_ticks(axis: &Axis, counts: &[u32], width: impl Fn(&str) -> f64) -> Vec<Tick> {
    let fits = |shown: &[u32], n: u32| {
        let room = |m: u32| width(&m.to_string()) / 2.0 + 2.0;
        let apart = |m: &u32| {
            *m == n || (axis.at(f64::from(*m)) - axis.at(f64::from(n))).abs() >= room(*m) + room(n)
        };
        shown.iter().all(apart)
    };
    let powers = |step: u32| {
        let every = move |n: &&u32| n.is_power_of_two() && n.trailing_zeros().is_multiple_of(step);
        counts.iter().filter(every).copied().collect::<Vec<u32>>()
    };
    let mut shown =
        (1..=8).map(powers).find(|set| set.iter().all(|n| fits(set, *n))).unwrap_or_default();
    for n in counts {
        let regular = n.is_power_of_two() && shown.len() > 2;
        if !shown.contains(n) && !regular && fits(&shown, *n) {
            shown.push(*n);
        }
    }
    let label = |n: &u32| if shown.contains(n) { n.to_string() } else { String::new() };
    counts.iter().map(|n| Tick { value: f64::from(*n), label: label(n) }).collect()
}

/// Powers of two; where fewer than three lie in the range, round steps instead.
pub fn worker_powers(x: &Axis) -> Vec<Tick> {
    let tick = |value: f64| Tick { value, label: amount(value) };
    let powers: Vec<Tick> =
        (-10..=30).map(|k| 2f64.powi(k)).filter(|v| x.holds(*v)).map(tick).collect();
    if powers.len() > 2 {
        return powers;
    }
    linear_ticks(x.hi, 8).into_iter().filter(|t| x.holds(t.value)).map(|t| tick(t.value)).collect()
}

/// Ticks of ratios on a log2 axis: powers of two, and halves between them where there are few.
pub fn ratio_ticks(lo: f64, hi: f64) -> Vec<Tick> {
    let powers: Vec<f64> = (-10..=14).map(|k| 2f64.powi(k)).collect();
    let inside = |v: &f64| (lo..=hi).contains(v);
    let mut values: Vec<f64> = powers.iter().copied().filter(inside).collect();
    if values.len() < 4 {
        values.extend(powers.iter().map(|p| p * 1.5).filter(inside));
        values.sort_by(f64::total_cmp);
    }
    values.into_iter().map(|value| Tick { value, label: plain(value) }).collect()
}

/// Ticks of times: powers of ten, and 2 and 5 between them where there are few.
pub fn time_ticks(lo_ns: f64, hi_ns: f64) -> Vec<Tick> {
    let steps: &[f64] = if hi_ns / lo_ns > 60.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let inside = |v: &f64| (lo_ns * 0.999..=hi_ns * 1.001).contains(v);
    (0..=13)
        .flat_map(|k| steps.iter().map(move |m| m * 10f64.powi(k)))
        .filter(inside)
        .map(|value| Tick { value, label: time_label(value) })
        .collect()
}

/// A range from one 1-2-5 step to another that holds every value, a factor of 5 at least.
pub fn time_range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (lo, hi) = extent(values)?;
    let step = |v: f64, pick: fn(f64, f64) -> bool| {
        let decade = 10f64.powf(v.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|m| m * decade);
        let mut fitting = steps.into_iter().filter(|s| pick(*s, v));
        if pick(0.0, 1.0) { fitting.next_back() } else { fitting.next() }
    };
    let lo = step(lo, |s, v| s <= v * 1.000_001)?;
    let hi = step(hi, |s, v| s >= v * 0.999_999)?;
    Some((lo, hi.max(lo * 5.0)))
}

/// Ticks of shares that take longer at powers of ten, labelled as the percentile: `0`, `90 %`, `99.9 %`.
pub fn percentile_ticks(lo: f64, hi: f64) -> Vec<Tick> {
    let label = |k: i32| match k {
        0 => "0".to_owned(),
        -1 => "90 %".to_owned(),
        k => {
            let nines = (-k - 2).max(0) as usize;
            let point = if nines > 0 { "." } else { "" };
            format!("99{point}{} %", "9".repeat(nines))
        }
    };
    decades(lo, hi).map(|k| Tick { value: 10f64.powi(k), label: label(k) }).collect()
}

/// Ticks at powers of ten, labelled as a share: `1`, `0.1`, `10⁻³`.
pub fn share_ticks(lo: f64, hi: f64) -> Vec<Tick> {
    decades(lo, hi).map(|k| Tick { value: 10f64.powi(k), label: share_label(k) }).collect()
}

/// About `n` round ticks from 0 to `hi`.
pub fn linear_ticks(hi: f64, n: usize) -> Vec<Tick> {
    let raw = hi / n as f64;
    let decade = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * decade).into_iter().find(|s| *s >= raw * 0.999);
    let step = step.unwrap_or(raw);
    let count = (hi / step + 1e-9).floor() as u32;
    (0..=count)
        .map(|k| Tick { value: f64::from(k) * step, label: plain(f64::from(k) * step) })
        .collect()
}

/// About `n` round ticks from `lo` to `hi`, whatever their size and sign.
pub fn amount_ticks(lo: f64, hi: f64, n: usize) -> Vec<Tick> {
    let raw = (hi - lo) / n as f64;
    let decade = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * decade).into_iter().find(|s| *s >= raw * 0.999);
    let step = step.unwrap_or(raw);
    let whole = |x: f64| x.clamp(-1e6, 1e6) as i64;
    let counts = whole((lo / step - 1e-9).ceil())..=whole((hi / step + 1e-9).floor());
    // Divided, a step of 0.1 gives 0.3 and not 0.30000000000000004.
    let value = |k: i64| if step < 1.0 { k as f64 / (1.0 / step) } else { k as f64 * step };
    counts.map(value).map(|value| Tick { value, label: amount(value) }).collect()
}

/// `12 k`, `0.25`, `3e-9`; below 10 with three significant digits at most.
pub fn amount(value: f64) -> String {
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    match value.abs() {
        0.0 => "0".to_owned(),
        v if !(1e-3..1e15).contains(&v) => {
            let text = format!("{value:.2e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{}e{exponent}", trimmed(digits))
        }
        v if v < 10.0 => trimmed(&format!("{value:.*}", (2.0 - v.log10().floor()) as usize)),
        v if v >= 1e12 => plain(value / 1e12) + " T",
        v if v >= 1e9 => plain(value / 1e9) + " G",
        v if v >= 1e6 => plain(value / 1e6) + " M",
        v if v >= 1e4 => plain(value / 1e3) + " k",
        _ => plain(value),
    }
}

/// A range of decades, widened to whole ones, that holds every value.
pub fn whole_decades(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (lo, hi) = extent(values)?;
    let down = 10f64.powf(lo.log10().floor());
    let up = 10f64.powf(hi.log10().ceil());
    Some((down, if up > down { up } else { down * 10.0 }))
}

/// The smallest and the largest positive value.
fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let wider = |(lo, hi): (f64, f64), v: f64| (lo.min(v), hi.max(v));
    let found = values.filter(|v| *v > 0.0 && v.is_finite()).fold((f64::INFINITY, 0.0), wider);
    (found.1 > 0.0).then_some(found)
}

fn decades(lo: f64, hi: f64) -> impl Iterator<Item = i32> {
    (-12..=15).filter(move |k| (lo * 0.999..=hi * 1.001).contains(&10f64.powi(*k)))
}

fn time_label(ns: f64) -> String {
    let (value, unit) = match ns {
        ..999.0 => (ns, "ns"),
        ..999e3 => (ns / 1e3, "µs"),
        ..999e6 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    format!("{} {unit}", plain(value))
}

fn share_label(k: i32) -> String {
    match k {
        0 => "1".to_owned(),
        -1 => "0.1".to_owned(),
        -2 => "0.01".to_owned(),
        _ => {
            let digits = k.abs().to_string();
            let sup: String = digits.chars().map(superscript).collect();
            format!("10{}{sup}", if k < 0 { "⁻" } else { "" })
        }
    }
}

fn superscript(c: char) -> char {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    c.to_digit(10).map_or(c, |d| DIGITS[d as usize])
}

fn plain(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(lo: f64, hi: f64, spacing: Spacing) -> Axis {
        Axis { lo, hi, spacing, from: 0.0, to: 100.0 }
    }

    #[test]
    fn equal_ratios_are_equally_far_apart() {
        let a = axis(1.0, 4.0, Spacing::Log);
        assert!((a.at(2.0) - 50.0).abs() < 1e-9);
        assert!(a.at(8.0) > 100.0);
    }

    #[test]
    fn powers_of_two_win_the_labels() {
        let a = axis(1.0, 64.0, Spacing::Log);
        let counts = [1, 2, 4, 8, 16, 24, 28, 32, 64];
        let ticks = worker_ticks(&a, &counts, |_| 9.0);
        let shown: Vec<&str> =
            ticks.iter().map(|t| t.label.as_str()).filter(|l| !l.is_empty()).collect();
        assert_eq!(ticks.len(), counts.len());
        assert!(shown.contains(&"32") && !shown.contains(&"28"), "{shown:?}");
    }

    #[test]
    fn percentiles_are_read_from_left_to_right_and_keep_their_labels() {
        let x = Axis { from: 200.0, to: 0.0, ..axis(1e-4, 1.0, Spacing::Log) };
        let ticks = x.thin(percentile_ticks(1e-4, 1.0), |_| 30.0);
        let labels: Vec<&str> = ticks.iter().rev().map(|t| t.label.as_str()).collect();
        assert_eq!(labels, ["0", "90 %", "99 %", "99.9 %", "99.99 %"]);
        assert!(x.at(1.0) < x.at(0.1));
    }

    #[test]
    fn amounts_are_short_and_their_steps_round() {
        let said = [0.0, 0.25, 0.00295, 4000.0, 12e3, 2.5e6, 3e9, 2e13, 3e-9, -2.5e-4].map(amount);
        let expected =
            ["0", "0.25", "0.00295", "4000", "12 k", "2.5 M", "3 G", "20 T", "3e-9", "-2.5e-4"];
        assert_eq!(said, expected);
        let labels =
            |lo, hi| amount_ticks(lo, hi, 4).into_iter().map(|t| t.label).collect::<Vec<String>>();
        assert_eq!(labels(-0.1, 0.3), ["-0.1", "0", "0.1", "0.2", "0.3"].map(str::to_owned));
        assert_eq!(labels(0.0, 4.2e-5), ["0", "2e-5", "4e-5"].map(str::to_owned));
    }

    #[test]
    fn labels_read_as_people_write_them() {
        let times: Vec<String> = time_ticks(10.0, 1e9).into_iter().map(|t| t.label).collect();
        assert_eq!(times.first().map(String::as_str), Some("10 ns"));
        assert!(times.contains(&"1 ms".to_owned()) && times.contains(&"1 s".to_owned()));
        assert_eq!(time_range([120e3, 4.9e6].into_iter()), Some((100e3, 5e6)));
        assert_eq!(time_range([1.1e6].into_iter()), Some((1e6, 5e6)));
        assert_eq!(share_ticks(1e-3, 1.0)[0].label, "10⁻³");
        let ratios: Vec<String> = ratio_ticks(0.8, 2.2).into_iter().map(|t| t.label).collect();
        assert_eq!(ratios, ["1", "1.5", "2"]);
        assert_eq!(linear_ticks(25.0, 5).len(), 6);
    }
}
