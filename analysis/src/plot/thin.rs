//! Fewer marks that look the same: a figure must load, print and be read, however much was measured. The data beside it
//! keep everything.

/// Dots nearer than this to one already drawn are hidden by it, points.
const HIDDEN: f64 = 0.5;

/// Positions along an axis at which a dot shows; the rest lie under one of them.
pub fn apart(positions: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = positions.collect();
    sorted.sort_by(f64::total_cmp);
    let mut shown: Vec<f64> = Vec::new();
    for at in sorted {
        if shown.last().is_none_or(|last| at - last >= HIDDEN) {
            shown.push(at);
        }
    }
    shown
}

/// At most so many of a list, evenly chosen, the first and the last among them.
pub fn few<T>(list: &[T], most: usize) -> impl Iterator<Item = &T> {
    let shown = list.len().min(most.max(1));
    let place = move |k: usize| if shown < 2 { 0 } else { k * (list.len() - 1) / (shown - 1) };
    (0..shown).map(move |k| &list[place(k)])
}

/// The polyline without points that lie nearer than `tolerance` to the line between those kept (Ramer, Douglas and
/// Peucker).
pub fn simplified(points: &[(f64, f64)], tolerance: f64) -> Vec<(f64, f64)> {
    let Some(last) = points.len().checked_sub(1) else { return Vec::new() };
    let mut keep = vec![false; points.len()];
    (keep[0], keep[last]) = (true, true);
    let mut todo = vec![(0, last)];
    while let Some((from, to)) = todo.pop() {
        let off = |k: usize| distance(points[k], points[from], points[to]);
        let furthest = (from + 1..to).max_by(|a, b| off(*a).total_cmp(&off(*b)));
        if let Some(k) = furthest.filter(|k| off(*k) > tolerance) {
            keep[k] = true;
            todo.extend([(from, k), (k, to)]);
        }
    }
    points.iter().zip(keep).filter_map(|(p, kept)| kept.then_some(*p)).collect()
}

/// From a point to the nearest of a segment.
fn distance(p: (f64, f64), a: (f64, f64), b: (f64, f64)) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { ((p.0 - a.0) * dx + (p.1 - a.1) * dy) / length } else { 0.0 };
    let t = along.clamp(0.0, 1.0);
    (p.0 - a.0 - t * dx).hypot(p.1 - a.1 - t * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_under_others_are_left_out() {
        assert_eq!(apart([1.0, 0.0, 0.1, 0.4, 1.2].into_iter()), [0.0, 1.0]);
    }

    #[test]
    fn few_are_spread_over_all() {
        let list: Vec<u32> = (0..10).collect();
        assert_eq!(few(&list, 3).copied().collect::<Vec<_>>(), [0, 4, 9]);
        assert_eq!(few(&list, 20).count(), 10);
        assert_eq!(few(&list, 1).copied().collect::<Vec<_>>(), [0]);
        assert_eq!(few::<u32>(&[], 3).count(), 0);
    }

    #[test]
    fn corners_stay_and_points_on_the_way_go() {
        let path = [(0.0, 0.0), (1.0, 0.01), (2.0, 0.0), (2.0, 2.0), (2.0, 5.0)];
        assert_eq!(simplified(&path, 0.05), [(0.0, 0.0), (2.0, 0.0), (2.0, 5.0)]);
        assert_eq!(simplified(&path, 0.001).len(), 4);
        assert_eq!(simplified(&[(1.0, 1.0)], 0.1), [(1.0, 1.0)]);
        let closed = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 0.0)];
        assert_eq!(simplified(&closed, 0.1).len(), 4);
    }
}
