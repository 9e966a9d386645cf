//! Figures as documents: everything lies inside, text is text, and looks belong to models.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use amdahl_analysis::load::load;
use amdahl_analysis::plot::text::{SIZE_PT, width_pt};
use amdahl_analysis::render::render;
use amdahl_analysis::select::Selection;
use amdahl_analysis::summarise::summarise;
use amdahl_analysis::synth::{self, Model, Spec};

fn figures(spec: &Spec) -> BTreeMap<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let (header, trials) = synth::run(spec);
    synth::write(dir.path(), &header, &trials).unwrap();
    let (models, workloads) = (Selection::all("model"), Selection::all("workload"));
    let frames = load(dir.path(), &models, &workloads).unwrap();
    let summary = summarise(&frames, &models, &workloads).unwrap();
    let rendered = render(&[summary]).unwrap();
    let svg = rendered.files.keys().filter(|name| name.ends_with(".svg"));
    svg.map(|name| (name.clone(), rendered.text(name).unwrap().to_owned())).collect()
}

/// Made once for all tests.
static CROWDED: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| figures(&crowded()));

/// Long names, many models, counts beyond the CPUs.
pub(crate) fn crowded() -> Spec {
    let mut models = vec![Model::parallel("rust/threads"), Model::parallel("rust/processes")];
    for v in 8..15 {
        models.push(Model::one_at_a_time(&format!("python3.{v}@pyenv/threads")));
        models.push(Model::parallel(&format!("python3.{v}t+gil@tools/processes-forkserver")));
    }
    let others = [
        "cpp/threads",
        "java25/threads",
        "java17/threads",
        "java25/virtual",
        "go1.27/goroutines",
        "go1.27/goroutines-pinned",
        "node20/workers",
        "rust/rayon",
        "rust/tokio",
        "python3.14t/threads",
        "python3.14/subinterpreters",
    ];
    models.extend(others.map(Model::parallel));
    for id in ["go1.27+p1/goroutines", "python3.14/asyncio", "python3.11/subinterpreters"] {
        models.push(Model::one_at_a_time(id));
    }
    let workloads = [
        "cpu",
        "sleep",
        "serial permille=0 scaling=strong",
        "serial permille=0 scaling=weak",
        "serial permille=50 scaling=weak",
        "serial permille=1000 scaling=weak",
    ];
    let (workers, workloads) = (vec![1, 3, 8, 12, 16], workloads.map(str::to_owned).to_vec());
    Spec { cpus: 8, workers, blocks: 2, models, workloads, ..Spec::default() }
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[start..].split('"').next()
}

fn number(tag: &str, name: &str) -> Option<f64> {
    attribute(tag, name)?.parse().ok()
}

/// Every position that an element draws at; widths of text are estimated as the layout does.
fn extents(tag: &str, text: &str) -> Vec<(f64, f64)> {
    let mut at = Vec::new();
    let (x, y) = (number(tag, "x"), number(tag, "y"));
    if let (Some(x), Some(y)) = (x, y) {
        let (w, h) = (number(tag, "width").unwrap_or(0.0), number(tag, "height").unwrap_or(0.0));
        at.extend([(x, y), (x + w, y + h)]);
        if tag.starts_with("<text") && !tag.contains("rotate") {
            let w = width_pt(text, SIZE_PT) * 10.0;
            match attribute(tag, "text-anchor") {
                Some("start") => at.push((x + w, y)),
                Some("middle") => at.extend([(x - w / 2.0, y), (x + w / 2.0, y)]),
                _ => at.push((x - w, y)),
            }
        }
    }
    if let (Some(x), Some(y)) = (number(tag, "cx"), number(tag, "cy")) {
        at.push((x, y));
    }
    for pair in attribute(tag, "points").unwrap_or_default().split_whitespace() {
        let (x, y) = pair.split_once(',').unwrap();
        at.push((x.parse().unwrap(), y.parse().unwrap()));
    }
    at
}

fn check_inside(name: &str, svg: &str) {
    let view: Vec<f64> =
        attribute(svg, "viewBox").unwrap().split_whitespace().map(|v| v.parse().unwrap()).collect();
    let mut drawn = 0;
    for part in svg.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or((part, ""));
        let text = text.trim().replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        for (x, y) in extents(&format!("<{tag}"), &text) {
            drawn += 1;
            assert!(
                (-1.0..=view[2] + 1.0).contains(&x) && (-1.0..=view[3] + 1.0).contains(&y),
                "{name}: ({x}, {y}) is outside {view:?}: <{tag}> {text}"
            );
        }
    }
    assert!(drawn > 50, "{name}: only {drawn} positions were seen");
}

#[test]
fn nothing_is_drawn_outside_the_figure() {
    for figures in [&figures(&Spec::default()), &*CROWDED] {
        assert!(figures.len() >= 5, "{:?}", figures.keys());
        for (name, svg) in figures {
            check_inside(name, svg);
        }
    }
}

/// Titles of panels and texts in one line of them: none may begin before the one left of it ends.
fn check_apart(name: &str, svg: &str) -> usize {
    type Span = (f64, f64, String);
    let mut lines: BTreeMap<(String, bool), Vec<Span>> = BTreeMap::new();
    for part in svg.split("<text").skip(1) {
        let (tag, rest) = part.split_once('>').unwrap();
        if tag.contains("rotate") {
            continue;
        }
        let text = rest.split("</text>").next().unwrap().trim().replace("&gt;", ">");
        let x = number(tag, "x").unwrap();
        let w = width_pt(&text, SIZE_PT) * 10.0 / ESTIMATE_IS_WIDE;
        let from = match attribute(tag, "text-anchor") {
            Some("start") => x,
            Some("middle") => x - w / 2.0,
            _ => x - w,
        };
        let key = (attribute(tag, "y").unwrap().to_owned(), tag.contains("bold"));
        lines.entry(key).or_default().push((from, from + w, text));
    }
    let mut compared = 0;
    for mut line in lines.into_values() {
        line.sort_by(|a, b| a.0.total_cmp(&b.0));
        for pair in line.windows(2) {
            compared += 1;
            assert!(pair[0].1 < pair[1].0 + 1.0, "{name}: {pair:?} run into each other");
        }
    }
    compared
}

/// By how much the layout's estimate of a width exceeds what DejaVu Sans, the widest, needs.
const ESTIMATE_IS_WIDE: f64 = 1.05;

#[test]
fn no_text_runs_into_the_next() {
    let compared: usize = CROWDED.iter().map(|(name, svg)| check_apart(name, svg)).sum();
    assert!(compared > 100, "only {compared} neighbours were seen");
}

/// The check itself: two words at one height, the second begun before the first ends.
#[test]
#[should_panic(expected = "run into each other")]
fn text_that_runs_into_the_next_is_seen() {
    let word =
        |x: u32| format!("<text x=\"{x}\" y=\"10\" text-anchor=\"start\">\nworkers\n</text>");
    check_apart("made up", &format!("{}{}", word(0), word(50)));
}

#[test]
fn crowded_figures_fit_a_page() {
    assert!(CROWDED.len() > 5, "{:?}", CROWDED.keys());
    for kind in ["law-speedup-cpu-1", "karp-flatt-cpu-1"] {
        assert!(CROWDED.contains_key(&format!("figures/{kind}.svg")), "{kind}");
    }
    for (name, svg) in CROWDED.iter() {
        let height: f64 = attribute(svg, "height").unwrap().trim_end_matches("in").parse().unwrap();
        assert!(height < 11.0, "{name} is {height} in high");
    }
}

#[test]
fn figures_have_size_title_description_and_text_that_stays_text() {
    for (name, svg) in figures(&Spec::default()) {
        let width = attribute(&svg, "width").unwrap();
        assert!(["3.40in", "7.00in"].contains(&width), "{name}: {width}");
        assert!(
            svg.contains("<title id=\"title\">") && svg.contains("<desc id=\"desc\">"),
            "{name}"
        );
        assert!(svg.contains("testbox") && svg.contains("2026-01-02"), "{name} has no facts");
        assert!(svg.contains("font-size=\"80\""), "{name} has no 8 pt text");
        let opened = svg.matches("<text").count();
        assert_eq!(opened, svg.matches("</text>").count(), "{name}");
    }
}

#[test]
fn a_model_looks_the_same_whatever_stands_beside_it() {
    let colours = |figures: &BTreeMap<String, String>| {
        let svg = &figures["figures/speedup-cpu.svg"];
        let legend = svg.find("\nrust/threads\n").unwrap();
        let before = &svg[..legend];
        let circle = before.rfind("<circle").unwrap();
        attribute(&before[circle..], "fill").unwrap().to_owned()
    };
    let alone = Spec { models: vec![Model::parallel("rust/threads")], ..Spec::default() };
    assert_eq!(colours(&figures(&alone)), colours(&CROWDED));
}
