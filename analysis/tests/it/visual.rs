//! Every figure as its reader sees it: where its texts lie, what a grey printer leaves of it, in which formats it comes.
//!
//! All figures of all golden runs, of a crowded run and of a fit are taken from what is rendered, so a new figure is
//! covered as soon as a report has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use amdahl_analysis::export::{Drawing, Frame, Grey, TextBox};
use amdahl_analysis::load::load;
use amdahl_analysis::plot::canvas::{Anchor, Canvas, INK};
use amdahl_analysis::render::{laws, render};
use amdahl_analysis::select::Selection;
use amdahl_analysis::summarise::summarise;
use amdahl_analysis::synth::{self, Model, Spec};

use crate::figures::crowded;

type Files = BTreeMap<String, Vec<u8>>;

/// Case to its files.
static CASES: LazyLock<BTreeMap<String, Files>> = LazyLock::new(|| {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases = BTreeMap::new();
    for entry in fs::read_dir(&golden).unwrap() {
        let case = entry.unwrap().path();
        if case.join("verdicts.json").is_file() {
            let name = case.file_name().unwrap().to_string_lossy().into_owned();
            cases.insert(name, report(&case.join("run")));
        }
    }
    cases.insert("crowded".to_owned(), made(&crowded()));
    cases.insert("every-runtime".to_owned(), made(&every_runtime()));
    cases.insert("fit".to_owned(), fit());
    cases.insert("history".to_owned(), history(&golden.join("history/table.csv")));
    cases.insert("compare".to_owned(), crate::compare::pictured());
    cases
});

fn report(run: &Path) -> Files {
    let (models, workloads) = (Selection::all("model"), Selection::all("workload"));
    let frames = load(run, &models, &workloads).unwrap();
    render(&[summarise(&frames, &models, &workloads).unwrap()]).unwrap().files
}

fn made(spec: &Spec) -> Files {
    let dir = tempfile::tempdir().unwrap();
    let (header, trials) = synth::run(spec);
    synth::write(dir.path(), &header, &trials).unwrap();
    report(dir.path())
}

/// What a machine with everything installed has: panels so many that each is low.
fn every_runtime() -> Spec {
    let waiting =
        ["python3.13", "python3.12", "python3.11", "python3.10", "python3.9", "python3.8"];
    let mut models: Vec<Model> =
        waiting.map(|p| Model::one_at_a_time(&format!("{p}/threads"))).to_vec();
    let kinds = [
        "threads",
        "asyncio",
        "subinterpreters",
        "processes-fork",
        "processes-forkserver",
        "processes-spawn",
    ];
    models.extend(kinds.map(|kind| Model::parallel(&format!("python3.13t/{kind}"))));
    models.extend(kinds[1..].iter().map(|kind| Model::parallel(&format!("python3.13/{kind}"))));
    let others = [
        "rust/threads",
        "rust/rayon",
        "rust/tokio",
        "rust/processes",
        "cpp/threads",
        "go1.26/goroutines",
        "go1.26/goroutines-pinned",
        "java25/threads",
        "java25/virtual",
        "java17/threads",
        "node20/workers",
    ];
    models.extend(others.map(Model::parallel));
    models.push(Model::one_at_a_time("python3.13t+gil/threads"));
    models.push(Model::one_at_a_time("python3.11@pyenv/threads"));
    let workloads = vec!["cpu".to_owned()];
    Spec { models, workloads, workers: vec![1, 2], blocks: 4, ..Spec::default() }
}

/// A table with trials, contention and a peak.
fn fit() -> Files {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a_table.csv");
    let mut text = "n,throughput,trial\n".to_owned();
    for n in [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0_f64] {
        for trial in 0..3 {
            let x = 5e4 * n / (1.0 + 0.03 * (n - 1.0) + 0.004 * n * (n - 1.0));
            let noise = 1.0 + 0.01 * ((n * 7.0 + f64::from(trial) * 3.0).sin());
            text.push_str(&format!("{n},{},{trial}\n", x * noise));
        }
    }
    fs::write(&path, text).unwrap();
    let table = amdahl_analysis::laws::read(&path).unwrap();
    let options = amdahl_stats::laws::Options::default();
    let study = amdahl_analysis::laws::study("a_table.csv".to_owned(), &table, &options).unwrap();
    laws::files(&study).unwrap().files
}

/// Series of a table, some of which changed.
fn history(table: &Path) -> Files {
    use amdahl_analysis::history::{Better, judge, read};
    let series = read(table).unwrap();
    let history = judge("table.csv".to_owned(), series, 0.01, Some(Better::Lower));
    amdahl_analysis::render::history::files(&history).unwrap().files
}

/// Every figure, `(case, its name, SVG)`.
fn svgs() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    CASES.iter().flat_map(|(case, files)| {
        files.iter().filter_map(move |(path, bytes)| {
            let name = path.strip_prefix("figures/")?.strip_suffix(".svg")?;
            Some((case.as_str(), name, std::str::from_utf8(bytes).unwrap()))
        })
    })
}

/// Every figure with its layout, made once.
pub(crate) static DRAWINGS: LazyLock<Vec<(String, Drawing)>> = LazyLock::new(|| {
    let parsed = |(case, name, svg)| (format!("{case}/{name}"), Drawing::parse(svg).unwrap());
    svgs().map(parsed).collect()
});

pub(crate) fn assert_no_faults(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Less than this is no overlap that an eye sees, points.
const TOUCH: f64 = 0.5;

#[test]
fn no_text_lies_on_another() {
    let mut faults = Vec::new();
    for (name, drawing) in DRAWINGS.iter() {
        faults.extend(overlaps(&drawing.texts()).into_iter().map(|f| format!("{name}: {f}")));
    }
    assert_no_faults(faults);
}

fn overlaps(texts: &[TextBox]) -> Vec<String> {
    let mut faults = Vec::new();
    for (k, a) in texts.iter().enumerate() {
        for b in &texts[k + 1..] {
            let (w, h) = a.frame.overlap(&b.frame);
            if w > TOUCH && h > TOUCH {
                faults.push(format!("`{}` and `{}` overlap by {w:.1} x {h:.1} pt", a.text, b.text));
            }
        }
    }
    faults
}

#[test]
fn nothing_leaves_the_figure() {
    let mut faults = Vec::new();
    for (name, drawing) in DRAWINGS.iter() {
        let (w, h) = (f64::from(drawing.width_in()) * 72.0, f64::from(drawing.height_in()) * 72.0);
        let outside = |f: &Frame| {
            f.left < -TOUCH || f.top < -TOUCH || f.right > w + TOUCH || f.bottom > h + TOUCH
        };
        for text in drawing.texts().iter().filter(|t| outside(&t.frame)) {
            faults.push(format!("{name}: `{}` at {:?}", text.text, text.frame));
        }
        for shape in drawing.shapes().iter().filter(|s| outside(s)) {
            faults.push(format!("{name}: a shape at {shape:?}"));
        }
    }
    assert_no_faults(faults);
}

#[test]
fn every_letter_of_a_figure_is_in_the_bundled_font() {
    let mut faults = Vec::new();
    for (name, drawing) in DRAWINGS.iter() {
        for text in drawing.texts().iter().filter(|t| !t.lacking.is_empty()) {
            faults.push(format!("{name}: `{}` lacks `{}`", text.text, text.lacking));
        }
    }
    assert_no_faults(faults);
}

/// Letters that figures may come to need.
const LETTERS: &str =
    "αβγδελμνπρσΔΣ ×·±−≤≥≈≠→←↑↓√∞∂∑ …–—‑“”‘’†°½¼¾µ‰ ⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉ äöüßéèçñøåŁşž Жя □●▲";

#[test]
fn letters_of_every_figure_that_may_come_are_in_both_fonts() {
    let mut letters: BTreeSet<char> = LETTERS.chars().chain(' '..='~').collect();
    let plot = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plot");
    for entry in fs::read_dir(plot).unwrap() {
        letters.extend(fs::read_to_string(entry.unwrap().path()).unwrap().chars());
    }
    letters.retain(|c| !c.is_control());
    let text: String = letters.iter().collect();
    let mut canvas = Canvas::new(7200.0, 72.0);
    canvas.text(&text, (10.0, 20.0), Anchor::Left, INK);
    canvas.bold(&text, (10.0, 50.0), Anchor::Left);
    let texts = Drawing::parse(&canvas.finish("t", "d")).unwrap().texts();
    let lacking: Vec<&str> = texts.iter().map(|t| t.lacking.as_str()).collect();
    assert_eq!(lacking, ["", ""]);
    assert!(letters.len() > 150, "{text}");
}

/// One entry of a legend: the model it names, and where its piece of line and its marker are.
struct Entry {
    model: String,
    swatch: Frame,
    top: f64,
}

/// Legends of a figure: ids in a column, a line of text apart, each right of a piece of its line.
fn legends(drawing: &Drawing) -> Vec<Vec<Entry>> {
    let shapes = drawing.shapes();
    let is_id = |t: &&TextBox| t.text.contains('/') && !t.text.contains(' ');
    let entry = |t: &TextBox| {
        let top = (t.frame.top + t.frame.bottom) / 2.0 - 5.0;
        let left = t.frame.left - 27.0;
        let swatch = Frame { left, top, right: t.frame.left - 1.0, bottom: top + 10.0 };
        let drawn = shapes.iter().filter(|s| {
            let middle = (s.top + s.bottom) / 2.0;
            s.left >= left - TOUCH && s.right <= swatch.right && (middle - top - 5.0).abs() < 4.0
        });
        (drawn.count() >= 2).then(|| Entry { model: t.text.clone(), swatch, top })
    };
    let mut entries: Vec<Entry> = drawing.texts().iter().filter(is_id).filter_map(entry).collect();
    entries.sort_by(|a, b| (a.swatch.left, a.top).partial_cmp(&(b.swatch.left, b.top)).unwrap());
    let mut legends: Vec<Vec<Entry>> = Vec::new();
    for e in entries {
        let follows = |last: &Entry| {
            (last.swatch.left - e.swatch.left).abs() < 1.5
                && (4.0..14.0).contains(&(e.top - last.top))
        };
        match legends.last_mut().filter(|l| l.last().is_some_and(follows)) {
            Some(legend) => legend.push(e),
            None => legends.push(vec![e]),
        }
    }
    legends
}

#[test]
fn no_text_lies_on_a_legend() {
    let (mut faults, mut seen) = (Vec::new(), 0);
    for (name, drawing) in DRAWINGS.iter() {
        let texts = drawing.texts();
        for entry in legends(drawing).iter().flatten() {
            seen += 1;
            for text in &texts {
                let (w, h) = entry.swatch.overlap(&text.frame);
                if w > TOUCH && h > 2.0 {
                    faults.push(format!("{name}: `{}` on the mark of {}", text.text, entry.model));
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} legend entries were seen");
    assert_no_faults(faults);
}

/// Dots an inch at which marks are compared.
const LOOK_DPI: u32 = 200;
/// Mean difference of two marks over their ink, of 255; a line's lightness alone, or a marker alone, is more.
const LOOK_MIN: f64 = 18.0;

#[test]
fn series_of_one_panel_differ_in_grey() {
    let (mut faults, mut compared) = (Vec::new(), 0);
    for (name, drawing) in DRAWINGS.iter() {
        let legends = legends(drawing);
        if legends.iter().all(|l| l.len() < 2) {
            continue;
        }
        let grey = drawing.grey(LOOK_DPI).unwrap();
        for legend in &legends {
            for (k, a) in legend.iter().enumerate() {
                for b in &legend[k + 1..] {
                    compared += 1;
                    let apart = apart(&grey, &a.swatch, &b.swatch);
                    if apart < LOOK_MIN {
                        faults.push(format!("{name}: {} and {} ({apart:.1})", a.model, b.model));
                    }
                }
            }
        }
    }
    assert!(compared > 100, "only {compared} pairs were compared");
    faults.sort();
    assert_no_faults(faults);
}

/// How much two pieces of a picture of equal size differ, over the pixels where either has ink.
fn apart(grey: &Grey, a: &Frame, b: &Frame) -> f64 {
    let px = |pt: f64| (pt / 72.0 * f64::from(LOOK_DPI)).round() as u32;
    let at = |f: &Frame, x: u32, y: u32| {
        let (x, y) = ((px(f.left) + x).min(grey.width - 1), (px(f.top) + y).min(grey.height - 1));
        f64::from(grey.pixels[(y * grey.width + x) as usize])
    };
    let (mut sum, mut ink) = (0.0, 0.0_f64);
    for y in 0..px(10.0) {
        for x in 0..px(26.0) {
            let (p, q) = (at(a, x, y), at(b, x, y));
            if p.min(q) < 250.0 {
                sum += (p - q).abs();
                ink += 1.0;
            }
        }
    }
    sum / ink.max(1.0)
}

#[test]
fn checks_see_what_they_look_for() {
    let text = |text: &str, left: f64| TextBox {
        text: text.to_owned(),
        frame: Frame { left, top: 0.0, right: left + 10.0, bottom: 8.0 },
        lacking: String::new(),
    };
    assert_eq!(overlaps(&[text("a", 0.0), text("b", 9.8)]), Vec::<String>::new());
    assert_eq!(overlaps(&[text("a", 0.0), text("b", 9.0)]).len(), 1);
}

/// Most that a figure's SVG may weigh.
const SVG_MAX: usize = 150_000;

#[test]
fn no_figure_is_too_large_to_load() {
    let small = svgs().map(|(case, name, svg)| (format!("{case}/{name}"), svg.len()));
    let long = made(&Spec {
        blocks: 30,
        workloads: vec!["cpu".to_owned(), "sleep".to_owned()],
        ..crowded()
    });
    let long = long.iter().filter(|(path, _)| path.ends_with(".svg"));
    let long = long.map(|(path, bytes)| (format!("thirty blocks/{path}"), bytes.len()));
    let large = small.chain(long).filter(|(_, n)| *n > SVG_MAX);
    assert_no_faults(large.map(|(name, n)| format!("{name}: {n} bytes")).collect());
}

#[test]
fn a_figure_comes_in_every_format_with_real_text() {
    for (case, name, svg) in svgs() {
        let file = |ending: &str| {
            let found = CASES[case].get(&format!("figures/{name}.{ending}"));
            found.unwrap_or_else(|| panic!("{case}: figures/{name}.{ending} is missing"))
        };
        let (pdf, png) = (file("pdf"), file("png"));
        let has = |what: &str| pdf.windows(what.len()).any(|w| w == what.as_bytes());
        assert!(pdf.starts_with(b"%PDF-") && has("%%EOF"), "{case}/{name}");
        // A font program inside, and the map from its glyphs back to letters.
        assert!(
            has("/FontFile2") && has("/ToUnicode") && has("AmdahlSans-Regular"),
            "{case}/{name}"
        );
        assert!(has("/Lang(en)") && has("/Title"), "{case}/{name} has no title or language");
        assert!(!has("CreationDate") && !has("ModDate"), "{case}/{name} has a date");
        let narrow = svg.starts_with("<svg width=\"3.40in\"");
        let (page, tex) = if narrow { ("244.8", "3.4in") } else { ("504", "7in") };
        assert!(
            has(&format!("/MediaBox[0 0 {page}")),
            "{case}/{name}: the page is not {page} pt wide"
        );
        assert!(
            png.starts_with(b"\x89PNG")
                && png[16..20] == (if narrow { 1020u32 } else { 2100 }).to_be_bytes()
        );
        let snippet = std::str::from_utf8(file("tex")).unwrap();
        let at = snippet.find(&format!("\\includegraphics[width={tex}"));
        let path = snippet.find(&format!("{{figures/{name}.pdf}}"));
        assert!(at.is_some() && at < path, "{snippet}");
        let depth = snippet.replace("\\{", "").replace("\\}", "");
        assert_eq!(depth.matches('{').count(), depth.matches('}').count(), "{snippet}");
    }
}
