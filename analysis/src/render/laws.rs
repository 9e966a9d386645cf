//! Fitted laws as a table on the terminal, as JSON, and as files behind a figure. No arithmetic but rounding.

mod sheets;

use std::collections::BTreeMap;

use amdahl_stats::laws::{
    Analysis, Bootstrap, Ends, Fit, Law, Parameter, Parameters, Profile, Resampled, Warning,
    Weights, analysis_json, digits,
};
use serde_json::Value;

use crate::laws::{LawCurve, LawFigure, Study};
use crate::plot::canvas::INK;
use crate::plot::measure::Measure;
use crate::plot::style::{Bar, Look, Marker};
use crate::plot::{self, Figure};
use crate::render::format::UNKNOWN;
use crate::render::terminal::aligned;
use crate::render::{DATA_DIR, FIGURES_DIR, RenderError, Rendered, figures};
use crate::summary::LawRow;

/// Name of the numbers for machines.
pub const FIT_FILE: &str = "fit.json";

/// Entries of a fit's directory.
const OWNS: [&str; 3] = [FIT_FILE, FIGURES_DIR, DATA_DIR];

/// The contract of `fit --json`.
pub fn json(study: &Study) -> Value {
    analysis_json(&study.raw, study.corrected.as_ref())
}

/// Numbers, figure, and the points behind it.
pub fn files(study: &Study) -> Result<Rendered, RenderError> {
    let mut files = BTreeMap::new();
    let numbers = serde_json::to_string_pretty(&json(study))? + "\n";
    files.insert(FIT_FILE.to_owned(), numbers.into_bytes());
    let figure = LawFigure::of(study);
    let legend: Vec<(Law, String)> = study.raw.fits.iter().filter_map(legend_line).collect();
    let facts = format!("{}.", basis(study));
    let drawn = plot::law::draw(&figure, &legend, &facts);
    let path = format!("{FIGURES_DIR}/{}.svg", drawn.name);
    let profiles = profiles(study);
    let more = more_figures(study, &profiles, &facts);
    let captions: Vec<String> =
        more.iter().map(|f| format!("{}. {facts}", f.title.replace('`', "'"))).collect();
    let first = caption(study, &facts);
    let mut list = vec![(&drawn, first.as_str())];
    list.extend(more.iter().zip(captions.iter().map(String::as_str)));
    files.extend(figures::files(&list)?);
    let sheets = [
        ("karp-flatt", sheets::karp_flatt_csv(&study.raw)),
        ("profile", sheets::profiles_csv(&profiles)),
    ];
    for (name, sheet) in sheets.into_iter().filter(|s| s.1.lines().count() > 1) {
        files.insert(format!("{DATA_DIR}/{name}.csv"), sheet.into_bytes());
    }
    files.insert(format!("{DATA_DIR}/points.csv"), sheets::points_csv(&figure).into_bytes());
    files.insert(format!("{DATA_DIR}/curves.csv"), sheets::curves_csv(&figure).into_bytes());
    Ok(Rendered { owned: &OWNS, files, first_figure: Some(path), figures: Vec::new() })
}

/// Of USL where it was fitted, else of Amdahl's law.
fn profiles(study: &Study) -> Vec<Profile> {
    let of = |law: Law| {
        let fit = study.raw.fit(law);
        Parameter::ALL.iter().filter_map(move |p| fit?.profile(*p)).collect::<Vec<_>>()
    };
    let usl = of(Law::Usl);
    if usl.is_empty() { of(Law::Amdahl) } else { usl }
}

/// e(N), the profiles of alpha and beta, and speed-up and efficiency.
fn more_figures(study: &Study, profiles: &[Profile], facts: &str) -> Vec<Figure> {
    let name = study.name.as_str();
    let points = &study.raw.karp_flatt;
    let panel =
        plot::karp_flatt::Panel { title: name, look: TABLE, points, fit: study.raw.predicting() };
    let panels = if points.is_empty() { &[][..] } else { &[panel] };
    let title = format!("Karp and Flatt's e(N) against the number of workers, {name}");
    let mut figures = plot::karp_flatt::draw("karp-flatt", &title, panels, facts);
    let panel = |profile| plot::profile::Panel { title: name, color: TABLE.color, profile };
    let panels: Vec<plot::profile::Panel<'_>> = profiles.iter().map(panel).collect();
    let title = format!("Profile likelihood of what was fitted, {name}");
    figures.extend(plot::profile::draw("profile", &title, &panels, facts));
    let row = LawRow {
        model: study.name.clone(),
        workload: String::new(),
        curve: LawCurve::of(&study.raw, &study.all),
        raw: study.raw.clone(),
        corrected: None,
        all: study.all.clone(),
        ceilings: study.ceilings.clone(),
        breaks: study.raw.ended().into_iter().collect(),
        profiles: Vec::new(),
    };
    let ratios = [Measure::Speedup, Measure::Efficiency];
    figures.extend(
        ratios.into_iter().filter_map(|m| plot::scaling::draw_table(&row, TABLE, m, facts)),
    );
    figures
}

/// How a table looks, which is no model.
const TABLE: Look =
    Look { color: INK, marker: Marker::Disc, hollow: false, bar: Bar::Without, dash: &[] };

/// What the figure is, where it stands in a paper.
fn caption(study: &Study, facts: &str) -> String {
    format!(
        "Throughput against the number of workers, `{}`, {facts} Discs: means over trials; small dots: trials; curves: fitted \
         laws; band: 95 % for a new mean under the law that predicts, sampling error alone; grey ground: extrapolated.",
        study.name.replace('`', "'")
    )
}

/// What people read on the terminal.
pub fn terminal(study: &Study) -> String {
    let mut text = format!("{}: {}\n\n", study.name, basis(study));
    text.push_str(&chapter(&study.raw));
    if let Some(c) = &study.corrected {
        text.push_str("\nRelative to the ceiling (what the machine itself takes, frequency for one, is taken out)\n\n");
        text.push_str(&chapter(c));
    }
    text
}

fn chapter(a: &Analysis) -> String {
    let mut text = String::new();
    if !a.fits.is_empty() {
        text.push_str(&aligned(&laws_table(a)));
        text.push_str(&explained(a));
        text.push('\n');
    }
    for line in answers(a) {
        text.push_str(&format!("{line}\n"));
    }
    let warnings = warnings(a);
    if !warnings.is_empty() {
        text.push_str("\nTo know:\n");
    }
    for line in warnings {
        text.push_str(&format!("- {line}\n"));
    }
    text
}

/// Rows, counts, weights.
fn basis(study: &Study) -> String {
    let p = &study.raw.points;
    let span = match (p.points.first(), p.points.last()) {
        (Some(a), Some(b)) if a.n < b.n => format!(" from {} to {}", digits(a.n), digits(b.n)),
        (Some(a), _) => format!(" ({})", digits(a.n)),
        _ => String::new(),
    };
    let (rows, counts) = (p.rows, p.points.len());
    let weights = match study.raw.weights {
        Weights::Relative => "weights 1 / fit²",
        Weights::None => "no weights",
    };
    let s = |n: usize| if n == 1 { "" } else { "s" };
    format!("{rows} row{}, {counts} worker count{}{span}, {weights}", s(rows), s(counts))
}

fn laws_table(a: &Analysis) -> Vec<Vec<String>> {
    let head = ["law", "gamma", "alpha", "beta", "weight", "misses by", "leave-one-out"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for f in &a.fits {
        let mark = if a.selected == Some(f.law) { " *" } else { "" };
        let (p, e) = (f.parameters, f.ci95);
        let percent = |x: Option<f64>| x.map_or_else(unknown, |x| format!("{:.1} %", 100.0 * x));
        rows.push(vec![
            format!("{}{mark}", f.law.title()),
            value(p.gamma, e.gamma),
            value(p.alpha, e.alpha),
            value(p.beta, e.beta),
            f.weight.map_or_else(unknown, |w| format!("{w:.2}")),
            percent(f.relative_rmse),
            percent(f.loo_error),
        ]);
        if let Some(b) = &f.bootstrap {
            rows.push(bootstrap_row(b, p));
        }
    }
    rows
}

fn bootstrap_row(b: &Bootstrap, p: Parameters<Option<f64>>) -> Vec<String> {
    let over = match b.over {
        Resampled::Trials => "trials",
        Resampled::Residuals => "residuals",
    };
    let ends = |has: Option<f64>, e: Option<Ends>| {
        e.filter(|_| has.is_some())
            .map_or_else(String::new, |e| interval(Some(e)).trim().to_owned())
    };
    let c = &b.ci95;
    let mut row = vec![format!("  bootstrap, {over}")];
    row.extend([ends(p.gamma, c.gamma), ends(p.alpha, c.alpha), ends(p.beta, c.beta)]);
    row
}

fn explained(a: &Analysis) -> String {
    let chosen = match a.selected {
        Some(_) => "* lowest AICc. ",
        None => "No law is chosen: too few worker counts to compare by AICc. ",
    };
    format!(
        "\n{chosen}Brackets: 95 % profile-likelihood intervals without bounds, [..] an open end; they state sampling error \
         under the law,\nnot whether the law is right.\n"
    )
}

fn answers(a: &Analysis) -> Vec<String> {
    let mut lines = Vec::new();
    match &a.peak {
        Some(p) => {
            let scenario = if p.scenario { " (scenario)" } else { "" };
            let n = digits(p.n);
            let throughput = digits(p.throughput);
            lines.push(format!(
                "Peak: N = {n}{}, throughput {throughput}{scenario}",
                interval(p.ci95)
            ));
        }
        None => lines.push("Peak: none is proven".to_owned()),
    }
    if let Some(c) = &a.alpha_plus_2beta {
        lines.push(format!("alpha + 2 beta: {}{}", digits(c.estimate), interval(c.ci95)));
    }
    if !a.karp_flatt.is_empty() {
        let shown: Vec<String> = a.karp_flatt.iter().take(KARP_FLATT_MAX).map(karp_flatt).collect();
        let more = a.karp_flatt.len().saturating_sub(KARP_FLATT_MAX);
        let more = if more > 0 { format!(", {more} more (--json)") } else { String::new() };
        lines.push(format!("Karp-Flatt: {}{more}", shown.join(", ")));
    }
    for p in &a.predictions {
        let scenario = if p.scenario { " (scenario: beyond twice the largest N)" } else { "" };
        let (n, x) = (digits(p.n), digits(p.throughput));
        lines.push(format!(
            "Prediction by {}, N = {n}: {x}{}{scenario}",
            p.law.title(),
            interval(p.ci95)
        ));
    }
    lines
}

/// As many as a line holds.
const KARP_FLATT_MAX: usize = 8;

fn karp_flatt(k: &amdahl_stats::laws::KarpFlatt) -> String {
    let ends = k.ci95.map(|(lo, hi)| Ends { lo: Some(lo), hi: Some(hi) });
    format!("e({}) = {}{}", digits(k.n), digits(k.e), interval(ends))
}

/// A law with less weight is out of the question; what is wrong with it stays in the JSON.
const WEIGHT_MIN: f64 = 0.01;

/// Each text once, with the laws it is about.
fn warnings(a: &Analysis) -> Vec<String> {
    let of = |f: &Fit, w: &Warning| (Some(f.law), w.to_string());
    let all = a.warnings.iter().map(|w| (None, w.to_string()));
    let fits = a.fits.iter().filter(|f| f.weight.is_none_or(|w| w >= WEIGHT_MIN));
    let mut lines: Vec<(Vec<Law>, String)> = Vec::new();
    for (law, text) in all.chain(fits.flat_map(|f| f.warnings.iter().map(move |w| of(f, w)))) {
        match lines.iter_mut().find(|l| l.1 == text) {
            Some(line) => line.0.extend(law),
            None => lines.push((law.into_iter().collect(), text)),
        }
    }
    let named = |(laws, text): (Vec<Law>, String)| {
        let titles: Vec<&str> = laws.iter().map(|l| l.title()).collect();
        if titles.is_empty() { text } else { format!("{}: {text}", titles.join(", ")) }
    };
    lines.into_iter().map(named).collect()
}

fn legend_line(f: &Fit) -> Option<(Law, String)> {
    let p = f.parameters;
    let mut text = f.law.title().to_owned();
    p.gamma?;
    for (name, x) in [("α", p.alpha), ("β", p.beta)] {
        if let Some(x) = x {
            text.push_str(&format!(", {name} = {}", digits(x)));
        }
    }
    Some((f.law, text))
}

fn value(x: Option<f64>, ends: Option<Ends>) -> String {
    x.map_or_else(unknown, |x| digits(x) + &interval(ends))
}

/// ` [lo, hi]`, with two dots for an open end; nothing without an interval.
fn interval(ends: Option<Ends>) -> String {
    let end = |e: Option<f64>| e.map_or_else(|| "..".to_owned(), digits);
    ends.map_or_else(String::new, |e| format!(" [{}, {}]", end(e.lo), end(e.hi)))
}

fn unknown() -> String {
    UNKNOWN.to_owned()
}
