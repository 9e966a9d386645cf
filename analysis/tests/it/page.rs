//! `report.html` as a browser reads it: valid, whole in itself, and deaf to what names and errors would like to be.

use std::collections::{BTreeMap, BTreeSet};

use amdahl_analysis::load::load;
use amdahl_analysis::render::{PAGE_FILE, REPORT_FILE, Rendered, render};
use amdahl_analysis::select::Selection;
use amdahl_analysis::summarise::summarise;
use amdahl_analysis::summary::Summary;
use amdahl_analysis::synth::{self, Model, Spec};
use amdahl_schema::{Absence, AbsentModel, Outcome, RunHeader, Status, Trial};
use html5ever::parse_document;
use html5ever::tendril::TendrilSink;
use markup5ever_rcdom::{Handle, NodeData, RcDom};

fn summary(header: &RunHeader, trials: &[Trial], name: &str) -> Summary {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join(name);
    synth::write(&run, header, trials).unwrap();
    let (models, workloads) = (Selection::all("model"), Selection::all("workload"));
    let frames = load(&run, &models, &workloads).unwrap();
    summarise(&frames, &models, &workloads).unwrap()
}

fn report(spec: &Spec) -> Rendered {
    let (header, trials) = synth::run(spec);
    render(&[summary(&header, &trials, "run-a")]).unwrap()
}

fn several() -> Spec {
    let workloads = ["cpu", "sleep", "noop", "serial permille=250 scaling=weak", "mem kind=chase"];
    let workloads = workloads.map(str::to_owned).to_vec();
    Spec { blocks: 3, workers: vec![1, 2, 3], workloads, ..Spec::default() }
}

/// An element: name, attributes, text below it.
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    text: String,
}

impl Element {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

fn text_of(node: &Handle) -> String {
    match &node.data {
        NodeData::Text { contents } => contents.borrow().to_string(),
        _ => node.children.borrow().iter().map(text_of).collect(),
    }
}

fn walk(node: &Handle, found: &mut Vec<Element>) {
    if let NodeData::Element { name, attrs, .. } = &node.data {
        let attributes = attrs.borrow();
        let pairs = attributes.iter().map(|a| (a.name.local.to_string(), a.value.to_string()));
        let (name, attributes) = (name.local.to_string(), pairs.collect());
        found.push(Element { name, attributes, text: text_of(node) });
    }
    node.children.borrow().iter().for_each(|child| walk(child, found));
}

/// All elements; a parser of the standard finds no fault.
fn elements(html: &str) -> Vec<Element> {
    let dom = parse_document(RcDom::default(), Default::default()).one(html);
    assert!(dom.errors.borrow().is_empty(), "{:?}", dom.errors.borrow());
    let mut found = Vec::new();
    walk(&dom.document, &mut found);
    found
}

fn named<'a>(all: &'a [Element], name: &str) -> Vec<&'a Element> {
    all.iter().filter(|e| e.name == name).collect()
}

/// Nothing runs and nothing is fetched; every reference leads somewhere.
fn check_whole_in_itself(all: &[Element], rendered: &Rendered) {
    let idle = ["script", "iframe", "object", "embed", "img", "form", "base", "video", "audio"];
    for e in all {
        assert!(!idle.contains(&e.name.as_str()), "<{}> {:?}", e.name, e.attributes);
        for (name, value) in &e.attributes {
            assert!(!name.starts_with("on") && name != "src" && name != "style", "{name}={value}");
        }
    }
    let style = &named(all, "style")[0].text;
    assert!(!style.contains("url(") && !style.contains("@import"), "the style fetches");
    let ids: Vec<&str> = all.iter().filter_map(|e| e.get("id")).collect();
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "an id stands twice: {ids:?}");
    let mut linked = BTreeSet::new();
    for e in all {
        for id in e.get("aria-labelledby").into_iter().flat_map(|v| v.split(' ')) {
            assert!(unique.contains(id), "aria-labelledby {id}");
        }
        match e.get("href") {
            Some("data:,") | None => {}
            Some(to) => match to.strip_prefix('#') {
                Some(id) => assert!(unique.contains(id), "#{id}"),
                None => {
                    assert!(rendered.files.contains_key(to), "{to} is no file of the report");
                    linked.insert(to);
                }
            },
        }
    }
    for file in rendered.files.keys().filter(|f| f.starts_with("figures/")) {
        assert!(linked.contains(file.as_str()), "nothing leads to {file}");
    }
}

#[test]
fn the_page_is_valid_and_asks_for_nothing_but_itself() {
    for spec in [several(), Spec { affinity: 1, ..several() }] {
        let rendered = report(&spec);
        let all = elements(rendered.text(PAGE_FILE).unwrap());
        check_whole_in_itself(&all, &rendered);
        let figures = rendered.files.keys().filter(|f| f.ends_with(".svg")).count();
        assert_eq!(named(&all, "svg").len(), figures);
        assert!(figures > 1, "{:?}", rendered.files.keys());
    }
}

#[test]
fn runs_of_one_report_share_a_page() {
    let (header, trials) = synth::run(&several());
    let rendered = render(&["run-a", "run-b"].map(|name| summary(&header, &trials, name))).unwrap();
    let all = elements(rendered.text(PAGE_FILE).unwrap());
    check_whole_in_itself(&all, &rendered);
    let titles: Vec<&str> = named(&all, "h1").iter().map(|e| e.text.as_str()).collect();
    assert!(titles.len() == 2 && titles[1].contains("Run 2 of 2, run-b"), "{titles:?}");
    let lines = named(&all, "li").iter().filter(|e| e.text.contains("Run 2 of 2")).count();
    assert_eq!(lines, 2, "both tables of contents name the second run");
}

#[test]
fn who_cannot_see_it_is_told_what_is_where() {
    let rendered = report(&several());
    let all = elements(rendered.text(PAGE_FILE).unwrap());
    assert_eq!(named(&all, "html")[0].get("lang"), Some("en"));
    assert_eq!((named(&all, "main").len(), named(&all, "h1").len()), (1, 1));
    assert!(named(&all, "title")[0].text.starts_with("Can several threads"));
    let skip = named(&all, "a")[0];
    assert_eq!(skip.get("href"), Some("#report"), "the first link skips the contents");
    for head in named(&all, "th") {
        assert!(matches!(head.get("scope"), Some("col" | "row")) && !head.text.is_empty());
    }
    assert!(named(&all, "tr").len() > 40, "rows were looked at");
    for svg in named(&all, "svg") {
        assert_eq!(svg.get("role"), Some("img"));
        let labels = svg.get("aria-labelledby").unwrap();
        assert!(labels.ends_with("-desc") && labels.contains("-title "), "{labels}");
    }
    let boxes = all.iter().filter(|e| e.get("tabindex") == Some("0"));
    assert!(boxes.clone().count() > 10);
    for e in boxes {
        assert!(e.get("role").is_some() && e.get("aria-label").is_some_and(|l| !l.is_empty()));
    }
    for verdict in all.iter().filter(|e| e.get("class").is_some_and(|c| c.starts_with("verdict"))) {
        let sign = verdict.text.chars().next().unwrap();
        assert!("●◐○?".contains(sign), "{} is told by its colour alone", verdict.text);
    }
}

#[test]
fn the_page_says_what_the_text_says() {
    let rendered = report(&several());
    let all = elements(rendered.text(PAGE_FILE).unwrap());
    let normal = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = normal(&named(&all, "main")[0].text.replace(['●', '◐', '○'], ""));
    let marks = ["`", "**", "*", "\\"];
    let text = rendered.text(REPORT_FILE).unwrap();
    let words = |line: &str| {
        normal(&marks.iter().fold(line.to_owned(), |l, m| l.replace(m, "")).replace('|', " "))
    };
    let mut compared = 0;
    for line in text.lines().filter(|l| l.starts_with("| `") || l.starts_with('#')) {
        let cells = line.trim_matches(['|', '#', ' ']).split(" | ");
        for cell in cells.map(words).filter(|c| !c.is_empty()) {
            compared += 1;
            assert!(page.replace('*', "").contains(&cell), "{cell} of {line}");
        }
    }
    assert!(compared > 100, "{compared}");
    assert!(page.find("With ").unwrap() < page.find("Contents").unwrap(), "the answer is first");
}

/// A model, a host, a worker's last words and a remedy that would like to be markup.
#[test]
fn what_comes_from_outside_stays_text() {
    const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
    const LINK: &str = "[click](javascript:alert(3)) ![see](https://example.org/x.svg)";
    let model = Model::parallel("<script>alert(1)</script>/threads");
    let spec = Spec { models: vec![model, Model::parallel("rust/threads")], ..several() };
    let (mut header, mut trials) = synth::run(&spec);
    header.host.name = format!("{EVIL} {LINK}");
    header.host.cpu_model = Some(format!("</title></desc></svg>{EVIL}"));
    header.command.push(format!("```\n{EVIL}"));
    let why = Absence { reason: format!("{EVIL} {LINK}"), remedy: Some(format!("\n\n{EVIL}\n")) };
    header.absent = vec![AbsentModel { model: "go/goroutines".to_owned(), why }];
    let died = format!("the worker said: {EVIL} | {LINK}");
    trials[1].outcome = Outcome::not_ok(Status::Failed, "crash", &died);
    let rendered = render(&[summary(&header, &trials, "run-a")]).unwrap();
    let all = elements(rendered.text(PAGE_FILE).unwrap());
    check_whole_in_itself(&all, &rendered);
    let page = &named(&all, "main")[0].text;
    for text in [
        "<script>alert(1)</script>/threads",
        "<img src=x onerror=alert(2)>",
        "the worker said: <script>",
    ] {
        assert!(page.contains(text), "{text} is not told");
    }
}
