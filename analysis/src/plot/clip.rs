//! Lines cut off at the edge of their panel: the canvas below does not clip.

use crate::plot::panel::Area;

/// The pieces of a polyline inside an area.
pub fn clip(points: &[(f64, f64)], area: &Area) -> Vec<Vec<(f64, f64)>> {
    let mut pieces: Vec<Vec<(f64, f64)>> = Vec::new();
    for pair in points.windows(2) {
        let Some((a, b)) = clip_segment(pair[0], pair[1], area) else { continue };
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&a) => piece.push(b),
            _ => pieces.push(vec![a, b]),
        }
    }
    pieces
}

type Point = (f64, f64);

/// Liang-Barsky.
fn clip_segment(a: Point, b: Point, area: &Area) -> Option<(Point, Point)> {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (mut t0, mut t1) = (0.0_f64, 1.0_f64);
    let edges = [
        (-dx, a.0 - area.x),
        (dx, area.right() - a.0),
        (-dy, a.1 - area.y),
        (dy, area.bottom() - a.1),
    ];
    for (p, q) in edges {
        if p == 0.0 {
            if q < 0.0 {
                return None;
            }
        } else if p < 0.0 {
            t0 = t0.max(q / p);
        } else {
            t1 = t1.min(q / p);
        }
    }
    let at = |t: f64| {
        if t == 0.0 {
            a
        } else if t == 1.0 {
            b
        } else {
            (a.0 + t * dx, a.1 + t * dy)
        }
    };
    (t0 < t1).then(|| (at(t0), at(t1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Area = Area { x: 0.0, y: 0.0, w: 10.0, h: 10.0 };

    #[test]
    fn lines_end_at_the_edge() {
        let pieces = clip(&[(-5.0, 5.0), (5.0, 5.0), (5.0, 20.0)], &AREA);
        assert_eq!(pieces, [vec![(0.0, 5.0), (5.0, 5.0), (5.0, 10.0)]]);
        assert!(clip(&[(-5.0, -5.0), (-1.0, 20.0)], &AREA).is_empty());
    }
}
