//! Contention lock by lock, a small panel each on common scales: times, throughput within its bracket, fairness, turns.

use crate::plot::axis::{
    Axis, Spacing, Tick, amount_ticks, linear_ticks, share_ticks, time_range, time_ticks,
    whole_decades, worker_ticks,
};
use crate::plot::canvas::{Canvas, Dash, FAINT, GREY, INK, Rgb, Stroke};
use crate::plot::clip::clip;
use crate::plot::multiples::{Multiples, split};
use crate::plot::panel::{Area, draw_interval};
use crate::plot::text::{SIZE_PT, width_pt};
use crate::plot::{Figure, file_part};
use crate::summary::{LockCell, LockCondition, LockRow, LockTimes};

/// What the panels show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Share of waits and holds that take longer.
    Times,
    /// Share of hand-offs that take longer.
    Handoff,
    /// Speed-up against N, in its bracket.
    Throughput,
    /// Working set size against interval.
    Fairness,
    /// Who had the lock, and who waited.
    Owners,
}

/// All of them, in the order of the report.
pub const VIEWS: [View; 5] =
    [View::Times, View::Handoff, View::Throughput, View::Fairness, View::Owners];

const WAIT: (Rgb, Dash) = (Rgb(0xd5, 0x5e, 0x00), &[]);
const HOLD: (Rgb, Dash) = (Rgb(0x00, 0x72, 0xb2), &[4.0, 2.0]);
/// A line of a worker, points.
const LANE: f64 = 3.4;

type Of = fn(&LockCell) -> Option<&LockTimes>;

impl View {
    fn name(self) -> &'static str {
        match self {
            Self::Times => "lock-times",
            Self::Handoff => "lock-handoff",
            Self::Throughput => "lock-throughput",
            Self::Fairness => "lock-fairness",
            Self::Owners => "lock-owners",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Times => "Waiting for a lock and holding it",
            Self::Handoff => "Hand-off latency by lock",
            Self::Throughput => "Throughput by lock against the number of workers",
            Self::Fairness => "Fairness: distinct owners by interval",
            Self::Owners => "Owners of a lock over time",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Times => "Solid: wait. Dashed: hold. Geometric mean over trials.",
            Self::Handoff => {
                "From a release to the next owner's acquisition, where it had waited; geometric mean over trials."
            }
            Self::Throughput => {
                "Marker and bar: mean over blocks and 95 % interval. Grey ground: from N/(1 + p(N - 1)) to min(N, 1/p), N at most the CPUs."
            }
            Self::Fairness => "Median of distinct owners; mean over trials. Dashed: N.",
            Self::Owners => {
                "A line a worker: thick has the lock, thin waits for it. Each panel has its own time."
            }
        }
    }

    fn axes(self) -> (&'static str, &'static str) {
        match self {
            Self::Times => ("time", "share that takes longer"),
            Self::Handoff => ("hand-off latency", "share that takes longer"),
            Self::Throughput => ("workers N", "speed-up"),
            Self::Fairness => ("successive acquisitions", "distinct owners (LWSS)"),
            Self::Owners => ("time", "worker"),
        }
    }

    /// The condition at the N that tells most: as many workers as measured where who gets the lock is asked, because two take turns
    /// with any lock.
    pub fn seen(self, c: &LockCondition) -> LockCondition {
        let most = c.locks.iter().flat_map(|r| &r.cells).map(|x| x.workers).max();
        match self {
            Self::Fairness | Self::Owners => {
                LockCondition { workers: most.unwrap_or(c.workers), ..c.clone() }
            }
            _ => c.clone(),
        }
    }

    fn shows(self, c: &LockCondition, row: &LockRow) -> bool {
        let cell = c.shown(row);
        match self {
            Self::Times => cell.is_some_and(|c| [&c.wait, &c.hold].into_iter().flatten().any(told)),
            Self::Handoff => cell.is_some_and(|c| c.handoff.iter().any(told)),
            Self::Throughput => row.cells.iter().any(|c| c.workers > 1 && c.speedup.is_some()),
            Self::Fairness => cell.is_some_and(|c| c.lwss.len() > 1),
            Self::Owners => cell.is_some_and(|c| !c.owners.is_empty()),
        }
    }
}

fn told(t: &LockTimes) -> bool {
    t.curve.len() > 1
}

/// The figures of a view of a condition as it is [`View::seen`], several where there are many locks; none where no lock has what it shows.
pub fn draw(c: &LockCondition, view: View, facts: &str) -> Vec<Figure> {
    let rows: Vec<&LockRow> = c.locks.iter().filter(|r| view.shows(c, r)).collect();
    let title = match c.condition.as_str() {
        "" => view.title().to_owned(),
        condition => format!("{}, {condition}", view.title()),
    };
    let svg = |part: &[&LockRow], title: &str| figure(c, view, &rows, part, title, facts);
    split(&name(c, view.name()), &title, &rows, svg)
}

/// A file's name without its ending.
pub fn name(c: &LockCondition, what: &str) -> String {
    match c.condition.as_str() {
        "" => what.to_owned(),
        condition => format!("{what}-{}", file_part(condition)),
    }
}

fn figure(
    c: &LockCondition,
    view: View,
    all: &[&LockRow],
    rows: &[&LockRow],
    title: &str,
    facts: &str,
) -> String {
    let grid = Multiples::new(rows.len(), view.key());
    let mut canvas = Canvas::new(grid.width, grid.height);
    for (k, row) in rows.iter().enumerate() {
        let panel = Panel { canvas: &mut canvas, grid: &grid, k, title: &row.label };
        match view {
            View::Times => times(panel, c, all, row, &[(WAIT, wait), (HOLD, hold)]),
            View::Handoff => times(panel, c, all, row, &[(HANDOFF, handoff)]),
            View::Throughput => throughput(panel, all, row),
            View::Fairness => fairness(panel, c, row),
            View::Owners => owners(panel, c, row),
        }
    }
    let (x, y) = view.axes();
    grid.draw_rest(&mut canvas, |_| x, y);
    let names: Vec<&str> = rows.iter().map(|r| r.label.as_str()).collect();
    canvas.finish(title, &format!("{}, N = {}. {facts}", names.join(", "), c.workers))
}

const HANDOFF: (Rgb, Dash) = (Rgb(0x00, 0x9e, 0x73), &[]);

fn wait(c: &LockCell) -> Option<&LockTimes> {
    c.wait.as_ref()
}

fn hold(c: &LockCell) -> Option<&LockTimes> {
    c.hold.as_ref()
}

fn handoff(c: &LockCell) -> Option<&LockTimes> {
    c.handoff.as_ref()
}

struct Panel<'a> {
    canvas: &'a mut Canvas,
    grid: &'a Multiples,
    k: usize,
    title: &'a str,
}

impl Panel<'_> {
    fn area(&self) -> Area {
        self.grid.areas[self.k]
    }

    fn frame(&mut self, facts: &str, x: (&Axis, &[Tick]), y: (&Axis, &[Tick])) {
        self.grid.draw_frame(self.canvas, self.k, (self.title, facts), x, y);
    }

    fn line(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        for piece in clip(points, &self.area()) {
            self.canvas.line(&piece, stroke);
        }
    }
}

fn times(
    mut panel: Panel<'_>,
    c: &LockCondition,
    all: &[&LockRow],
    row: &LockRow,
    series: &[((Rgb, Dash), Of)],
) {
    let cells = || all.iter().filter_map(|r| c.shown(r));
    let of = |cell| series.iter().filter_map(move |(_, of)| of(cell));
    let points = || cells().flat_map(of).flat_map(|t| &t.curve);
    let (lo, hi) = time_range(points().map(|p| p.latency_ns)).unwrap_or((1.0, 10.0));
    let shares = whole_decades(points().map(|p| p.share).chain([0.1, 1.0])).unwrap_or((0.1, 1.0));
    let area = panel.area();
    let x = Axis { lo, hi, spacing: Spacing::Log, from: area.x, to: area.right() };
    let (lo, hi) = shares;
    let y = Axis { lo, hi, spacing: Spacing::Log, from: area.bottom(), to: area.y };
    panel.frame(
        &format!("N = {}", c.workers),
        (&x, &time_ticks(x.lo, x.hi)),
        (&y, &share_ticks(y.lo, y.hi)),
    );
    let Some(cell) = c.shown(row) else { return };
    for ((color, dash), of) in series {
        let curve = of(cell).into_iter().flat_map(|t| &t.curve);
        let path: Vec<_> = curve.map(|p| (x.at(p.latency_ns), y.at(p.share))).collect();
        panel.line(&path, Stroke::solid(*color, 1.3).dashed(dash));
    }
}

fn throughput(mut panel: Panel<'_>, all: &[&LockRow], row: &LockRow) {
    let mut counts: Vec<u32> = all.iter().flat_map(|r| &r.cells).map(|c| c.workers).collect();
    counts.sort_unstable();
    counts.dedup();
    let most = f64::from(counts.last().copied().unwrap_or(2).max(2));
    let tops = all.iter().flat_map(|r| &r.cells).flat_map(|c| {
        let ci = c.speedup.map(|s| s.ci95.map_or(s.value, |ci| ci.1.min(2.0 * s.value)));
        [c.bracket.map(|b| b.hi), ci]
    });
    let hi = tops.flatten().fold(1.0, f64::max) * 1.08;
    let area = panel.area();
    let (from, to) = (area.x + 4.0, area.right() - 4.0);
    let x = Axis { lo: 1.0, hi: most, spacing: Spacing::Log, from, to };
    let y = Axis { lo: 0.0, hi, spacing: Spacing::Linear, from: area.bottom(), to: area.y };
    let edge = |hi: bool| {
        let cells = row.cells.iter().filter_map(move |c| Some((c.workers, c.bracket?)));
        cells.map(move |(n, b)| (x.at(f64::from(n)), y.at(if hi { b.hi } else { b.lo })))
    };
    let band: Vec<_> =
        edge(false).chain(edge(true).collect::<Vec<_>>().into_iter().rev()).collect();
    if band.len() > 3 {
        panel.canvas.polygon(&band, FAINT, 1.0);
    }
    let x_ticks = worker_ticks(&x, &counts, |l| width_pt(l, SIZE_PT));
    let one = row.cells.iter().find(|c| c.workers == 1).and_then(|c| c.rate);
    let facts = one.map_or_else(String::new, |r| {
        format!("{} op/s at 1", crate::plot::axis::amount(rounded(r.value)))
    });
    panel.frame(&facts, (&x, &x_ticks), (&y, &linear_ticks(hi, 4)));
    for edge in [edge(false).collect::<Vec<_>>(), edge(true).collect()] {
        panel.line(&edge, Stroke::solid(GREY, 0.6));
    }
    let of = |c: &LockCell| match c.workers {
        1 => Some((1.0, None)),
        _ => c.speedup.map(|s| (s.value, s.ci95)),
    };
    let told: Vec<_> =
        row.cells.iter().filter_map(|c| Some((f64::from(c.workers), of(c)?))).collect();
    let path: Vec<_> = told.iter().map(|(n, (s, _))| (x.at(*n), y.at(*s))).collect();
    panel.line(&path, Stroke::solid(HOLD.0, 1.1));
    for (n, (s, ci)) in &told {
        let at = x.at(*n);
        if let Some((lo, hi)) = ci {
            draw_interval(panel.canvas, at, (y.at(y.clamp(*hi)), y.at(y.clamp(*lo))), 1.2);
        }
        panel.canvas.disc((at, y.at(y.clamp(*s))), 1.7, HOLD.0, 1.0);
    }
}

/// Two digits say enough beside a title.
fn rounded(v: f64) -> f64 {
    let unit = 10f64.powf(v.abs().max(1e-9).log10().floor() - 1.0);
    (v / unit).round() * unit
}

fn fairness(mut panel: Panel<'_>, c: &LockCondition, row: &LockRow) {
    let n = f64::from(c.workers);
    let area = panel.area();
    let (from, to) = (area.x + 3.0, area.right() - 4.0);
    let x = Axis { lo: 4.0, hi: 3000.0, spacing: Spacing::Log, from, to };
    let hi = n * 1.12;
    let y = Axis { lo: 0.0, hi, spacing: Spacing::Linear, from: area.bottom(), to: area.y };
    let tick = |v: f64| Tick { value: v, label: crate::plot::axis::amount(v) };
    let Some(cell) = c.shown(row) else { return };
    let jain = cell.jain.map_or_else(String::new, |j| format!("Jain {:.2}", j.value));
    let mut y_ticks = linear_ticks(hi, 4);
    y_ticks.retain(|t| t.value.fract() == 0.0);
    panel.frame(&jain, (&x, &[10.0, 100.0, 1000.0].map(tick)), (&y, &y_ticks));
    let all = [(area.x, y.at(n)), (area.right(), y.at(n))];
    panel.line(&all, Stroke::solid(GREY, 0.8).dashed(&[3.0, 2.5]));
    let path: Vec<_> = cell.lwss.iter().map(|(i, s)| (x.at(f64::from(*i)), y.at(*s))).collect();
    panel.line(&path, Stroke::solid(HOLD.0, 1.1));
    for at in path {
        panel.canvas.disc(at, 1.6, HOLD.0, 1.0);
    }
}

fn owners(mut panel: Panel<'_>, c: &LockCondition, row: &LockRow) {
    let Some(cell) = c.shown(row) else { return };
    let end = cell.owners.iter().map(|t| t.released_ns).fold(1.0, f64::max);
    let (unit, name) = match end {
        e if e >= 2e6 => (1e6, "ms"),
        e if e >= 2e3 => (1e3, "µs"),
        _ => (1.0, "ns"),
    };
    let area = panel.area();
    let x =
        Axis { lo: 0.0, hi: end / unit, spacing: Spacing::Linear, from: area.x, to: area.right() };
    let n = f64::from(c.workers);
    let y =
        Axis { lo: -0.6, hi: n - 0.4, spacing: Spacing::Linear, from: area.y, to: area.bottom() };
    let worker = |w: u32| Tick { value: f64::from(w), label: w.to_string() };
    let workers: Vec<Tick> = (0..c.workers).map(worker).collect();
    panel.frame(&format!("in {name}"), (&x, &amount_ticks(0.0, x.hi, 3)), (&y, &workers));
    let thick = LANE.min(0.7 * area.h / n);
    for t in &cell.owners {
        let at = y.at(f64::from(t.worker));
        let from_to = |a: f64, b: f64| [(x.at(a.max(0.0) / unit), at), (x.at(b / unit), at)];
        panel.line(&from_to(t.requested_ns, t.acquired_ns), Stroke::solid(INK, 0.5));
        let [(l, _), (r, _)] = from_to(t.acquired_ns, t.released_ns);
        let half = thick / 2.0;
        panel.canvas.rect((l, at - half), (r.max(l + 0.4), at + half), HOLD.0, 1.0);
    }
}
