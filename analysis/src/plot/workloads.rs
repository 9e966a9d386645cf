//! Every workload beside the others: one small panel each, the same few models in all of them.

use std::cmp::Reverse;

use crate::plot::canvas::Canvas;
use crate::plot::panel::{Grid, draw_legend_at};
use crate::plot::speedup::{Kind, panel, range};
use crate::plot::text::{SIZE_PT, width_pt};
use crate::plot::{Figure, SERIES_MAX};
use crate::summary::{SpeedupFigure, SpeedupSeries};

/// Height of a plot area, points.
const PLOT_H: f64 = 104.0;
/// Panels at most; a run of more workloads has a figure for each of them anyway.
const PANELS_MAX: usize = 12;

/// Draws the figure of at least two workloads; `facts` (machine and date) end its description.
pub fn draw(figures: &[(&SpeedupFigure, Kind)], facts: &str) -> Option<Figure> {
    let models = models(figures);
    if figures.len() < 2 || models.is_empty() {
        return None;
    }
    let figures = &figures[..figures.len().min(PANELS_MAX)];
    let key = "Throughput over that of one worker: one panel a workload, the same models in each. Marker and bar: mean over blocks and \
               95 % interval, side by side where they are equal. Small dots: blocks. Short grey bars: ceiling. Dashed grey: N times one.";
    let label = models.iter().map(|m| width_pt(m, SIZE_PT)).fold(40.0, f64::max);
    let columns = if figures.len() == 4 { 2 } else { figures.len().min(3) };
    let rows = figures.len().div_ceil(columns);
    let grid = Grid::with_side_legends(rows, columns, label, PLOT_H, key);
    let mut canvas = Canvas::new(grid.width, grid.height);
    for (k, (figure, kind)) in figures.iter().enumerate() {
        let chosen = |s: &&SpeedupSeries| models.contains(&s.model.as_str());
        let series = figure.series.iter().filter(chosen).cloned().collect();
        let figure = SpeedupFigure { series, ..(*figure).clone() };
        let series: Vec<&SpeedupSeries> = figure.series.iter().collect();
        let y_title = if grid.leads_row(k) { "throughput over one worker" } else { "" };
        let titles = (figure.workload.as_str(), y_title);
        panel(&mut canvas, &grid.areas[k], titles, &series, &figure, range(&figure), *kind);
    }
    draw_legend_at(&mut canvas, grid.side_legend(0), &models);
    grid.draw_key(&mut canvas);
    let title = "Throughput against the number of workers, every workload".to_owned();
    let names: Vec<&str> = figures.iter().map(|(f, _)| f.workload.as_str()).collect();
    let description = format!("{}: {}. {facts}", names.join(", "), models.join(", "));
    Some(Figure { name: "workloads".to_owned(), svg: canvas.finish(&title, &description), title })
}

/// The models that most workloads have, in the order of the first figure that has them.
pub fn models<'a>(figures: &[(&'a SpeedupFigure, Kind)]) -> Vec<&'a str> {
    let mut seen: Vec<(&str, usize)> = Vec::new();
    for series in figures.iter().flat_map(|(f, _)| &f.series) {
        match seen.iter_mut().find(|(m, _)| *m == series.model) {
            Some((_, times)) => *times += 1,
            None => seen.push((&series.model, 1)),
        }
    }
    let order: Vec<&str> = seen.iter().map(|(m, _)| *m).collect();
    seen.sort_by_key(|(_, times)| Reverse(*times));
    seen.truncate(SERIES_MAX);
    order.into_iter().filter(|m| seen.iter().any(|(s, _)| s == m)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(workload: &str, models: &[&str]) -> SpeedupFigure {
        let series = |m: &&str| SpeedupSeries { model: (*m).to_owned(), points: Vec::new() };
        SpeedupFigure {
            workload: workload.to_owned(),
            cpus_available: 2,
            series: models.iter().map(series).collect(),
        }
    }

    #[test]
    fn the_models_that_most_workloads_have_are_chosen() {
        let many = ["a/t", "b/t", "c/t", "d/t", "e/t", "f/t", "g/t"];
        let (cpu, sleep) = (figure("cpu", &many), figure("sleep", &["a/t", "g/t"]));
        let both = [(&cpu, Kind::Speedup), (&sleep, Kind::Overlap)];
        assert_eq!(models(&both), ["a/t", "b/t", "c/t", "d/t", "e/t", "g/t"]);
        assert!(draw(&both[..1], "").is_none());
    }
}
