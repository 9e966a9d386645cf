//! The figures of scalability laws with their captions: of each workload the measures of scaling, e(N), and the profile of
//! beta.

use amdahl_stats::laws::{Change, Parameter};

use super::{Illustration, Section, csv};
use crate::plot::file_part;
use crate::plot::style::look;
use crate::plot::{self, Figure, measure::Measure};
use crate::summary::{LawRow, Summary};

/// Every figure, by workload.
pub(super) fn illustrations(s: &Summary, facts: &str) -> Vec<Illustration> {
    let groups = s.laws.chunk_by(|a, b| a.workload == b.workload);
    groups.flat_map(|g| of_workload(&g.iter().collect::<Vec<_>>(), facts)).collect()
}

fn of_workload(rows: &[&LawRow], facts: &str) -> Vec<Illustration> {
    let drawn: Vec<&LawRow> = rows.iter().copied().filter(|r| r.curve.is_some()).collect();
    let Some(workload) = drawn.first().map(|r| r.workload.as_str()) else { return Vec::new() };
    let left_out = rows.len() - drawn.len();
    let mut list = Vec::new();
    let data = csv::law_figures(workload, &drawn);
    for m in Measure::ALL {
        let caption = scaling(m, workload, &drawn, left_out, facts);
        add(&mut list, plot::scaling::draw(workload, &drawn, m, facts), &caption, &data);
    }
    let figures = karp_flatt(workload, &drawn, facts);
    add(
        &mut list,
        figures,
        &karp_flatt_caption(workload, &drawn, facts),
        &csv::karp_flatt(workload, &drawn),
    );
    let figures = profiles(workload, &drawn, facts);
    add(
        &mut list,
        figures,
        &profile_caption(workload, &drawn, facts),
        &csv::profiles(workload, &drawn),
    );
    list
}

/// The first figure has the caption, the others point to it.
fn add(
    list: &mut Vec<Illustration>,
    figures: Vec<Figure>,
    (caption, rest): &(String, String),
    data: &[(String, String)],
) {
    for (k, figure) in figures.into_iter().enumerate() {
        let caption = if k == 0 { caption } else { rest }.clone();
        list.push(Illustration { section: Section::Law, figure, caption, data: data.to_vec() });
    }
}

fn karp_flatt(workload: &str, rows: &[&LawRow], facts: &str) -> Vec<Figure> {
    let panels: Vec<plot::karp_flatt::Panel<'_>> = rows
        .iter()
        .filter(|r| !r.raw.karp_flatt.is_empty())
        .map(|r| plot::karp_flatt::Panel {
            title: &r.model,
            look: look(&r.model),
            points: &r.raw.karp_flatt,
            fit: r.raw.predicting(),
        })
        .collect();
    let title = format!("Karp and Flatt's e(N) against the number of workers, workload {workload}");
    plot::karp_flatt::draw(&format!("karp-flatt-{}", file_part(workload)), &title, &panels, facts)
}

fn profiles(workload: &str, rows: &[&LawRow], facts: &str) -> Vec<Figure> {
    let panels: Vec<plot::profile::Panel<'_>> = rows
        .iter()
        .flat_map(|r| {
            let mine = r.profiles.iter().filter(|p| p.parameter == Parameter::Beta);
            mine.map(|profile| plot::profile::Panel {
                title: &r.model,
                color: look(&r.model).color,
                profile,
            })
        })
        .collect();
    let title = format!("Profile likelihood of beta, workload {workload}");
    plot::profile::draw(&format!("profile-{}", file_part(workload)), &title, &panels, facts)
}

type Captions = (String, String);

fn scaling(m: Measure, workload: &str, rows: &[&LawRow], left_out: usize, facts: &str) -> Captions {
    let n = counts(rows);
    let marks = format!(
        "Marker: mean over blocks ({}); small dots: every used block; line and band: the law named above its panel and 95 % for a \
         new mean under it; short grey bars: the ceiling",
        blocks(rows)
    );
    let text = match m {
        Measure::Speedup => speedup(workload, rows, left_out, &n),
        Measure::Efficiency => format!(
            "Efficiency X(N) / N X(1), X(1) that of the fitted law, on `{workload}`, N = {n}. {marks}; thin level line: \
             ideal; ground and upright lines as for the speed-up."
        ),
        Measure::Throughput => format!(
            "Throughput X(N), operations a second, on `{workload}`, N = {n}; each panel has its own scale. {marks}; ground and \
             upright lines as for the speed-up."
        ),
    };
    (format!("{text} {facts}"), more(&n, facts))
}

fn speedup(workload: &str, rows: &[&LawRow], left_out: usize, n: &str) -> String {
    let by_default = match rows.iter().any(|r| r.raw.selected.is_none()) {
        true => {
            " (*: the most general one that the points can judge, because too few worker counts can be compared)"
        }
        false => "",
    };
    let left_out = match left_out {
        0 => String::new(),
        1 => " One model has no fit and is in the table only.".to_owned(),
        k => format!(" {k} models have no fit and are in the table only."),
    };
    format!(
        "Speed-up X(N) / X(1) on `{workload}` against the number of workers, N = {n}, X(1) that of the fitted law; both axes are \
         logarithmic to base 2. Marker: mean over blocks ({}); small dots: every used block; line: the law of lowest AICc, \
         named above its panel{by_default}; band: 95 % for a new mean under that law, sampling error alone; short grey bars: the \
         ceiling, N pinned one-worker processes of the same program; thin diagonal: N times one; grey ground: extrapolated, at most to twice the \
         largest N that was fitted.{}{left_out}",
        blocks(rows),
        breaks(rows)
    )
}

/// The caption of a figure that goes on with more models.
fn more(n: &str, facts: &str) -> String {
    format!("The same of further models, N = {n}; marks as above. {facts}")
}

/// Which breaks are drawn, and what they mean.
fn breaks(rows: &[&LawRow]) -> String {
    let mut found: Vec<(u64, Change)> =
        rows.iter().flat_map(|r| &r.breaks).map(|b| (b.after as u64, b.change)).collect();
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        return String::new();
    }
    let said = found.iter().map(|(n, c)| format!("behind N = {n} {}", c.words()));
    format!(
        " Upright lines: {}; the fit ends at the first of them, and what lies behind it is grey and not fitted.",
        said.collect::<Vec<_>>().join(", ")
    )
}

fn karp_flatt_caption(workload: &str, rows: &[&LawRow], facts: &str) -> Captions {
    let n = counts(rows);
    let text = format!(
        "Karp and Flatt's e(N) = (N / S - 1) / (N - 1), S = X(N) / X(1) as measured, on `{workload}`, N = {n}. Marker: mean \
         over blocks ({}); bar: its 95 % interval (Student's t on logarithms); line: alpha + beta N of the law that is named above the panel. A \
         level line is a serial share (Amdahl's law); a slope is coherency; a fall is an overhead that is paid once. The line has \
         the fitted X(1), the markers the measured one. Each panel has its own scale. {facts}",
        blocks(rows)
    );
    (text, more(&n, facts))
}

fn profile_caption(workload: &str, rows: &[&LawRow], facts: &str) -> Captions {
    let n = counts(rows);
    let text = format!(
        "Profile likelihood of USL's beta on `{workload}`, N = {n}, without bounds: how much the deviance rises, in residual \
         variances, as beta is held away from its best value and all else is fitted anew. Level line: the threshold \
         t²(n - p) of the 95 % interval; discs: its ends; *open*: the curve stays below the threshold on that side; upright grey line: \
         beta = 0. Where the interval holds 0, no peak is proven. Profiles of alpha are in the data. {facts}"
    );
    (text, more(&n, facts))
}

fn counts(rows: &[&LawRow]) -> String {
    let mut n: Vec<u64> =
        rows.iter().flat_map(|r| r.all.points.iter().map(|p| p.n as u64)).collect();
    n.sort_unstable();
    n.dedup();
    n.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

fn blocks(rows: &[&LawRow]) -> String {
    let n = || rows.iter().flat_map(|r| r.all.points.iter().map(|p| p.trials.len()));
    let (lo, hi) = (n().min().unwrap_or(0), n().max().unwrap_or(0));
    if lo == hi { format!("{hi} blocks") } else { format!("{lo} to {hi} blocks") }
}
