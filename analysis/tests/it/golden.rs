//! Golden reports: `tests/golden/<case>/run/` in, `report.md` and `verdicts.json` (or `stderr.txt`)
//! beside it. `UPDATE_GOLDEN=1 cargo test` writes both sides anew from the cases below; read the
//! difference before you commit it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use amdahl_analysis::synth::{self, Model, Spec};
use amdahl_schema::{Absence, AbsentModel, Outcome, Pass, RunHeader, Status, Trial};

/// A case's run is small: these go into git.
pub(crate) fn tiny() -> Spec {
    Spec { blocks: 3, workers: vec![1, 2], ..Spec::default() }
}

pub(crate) type Made = (RunHeader, Vec<Trial>);

fn gil_and_threads() -> Made {
    synth::run(&tiny())
}

fn one_cpu() -> Made {
    synth::run(&Spec { affinity: 1, ..tiny() })
}

/// The budget ended the run in its second block, and one ceiling had failed before.
fn budget_limited() -> Made {
    let (header, mut trials) = synth::run(&tiny());
    let half = trials.len() / 2;
    for t in &mut trials[half..] {
        let why = "the budget was used up before; raise it with --budget";
        stripped(t, Outcome::not_ok(Status::NotRun, "budget", why));
    }
    let failed = Outcome::not_ok(Status::Failed, "crash", "the worker ended with signal 11 in go");
    stripped(&mut trials[1], failed);
    trials[0].flags.push("not_steady: the rate fell by 12 % over the windows".to_owned());
    (header, trials)
}

fn absent_python() -> Made {
    let spec = Spec { models: vec![Model::parallel("rust/threads")], ..tiny() };
    let (mut header, trials) = synth::run(&spec);
    header.absent = vec![AbsentModel {
        model: "python/threads".to_owned(),
        why: Absence {
            reason: "no python3 on PATH, in pyenv or in .tools".to_owned(),
            remedy: Some("sudo apt-get install python3".to_owned()),
        },
    }];
    (header, trials)
}

/// Measured are the first model and the waits of the second; a budget ended before the others, and two runtimes
/// are missing for one reason.
fn many_unreached() -> Made {
    let ids = [
        "rust/threads",
        "cpp/threads",
        "java25/virtual",
        "python3.12/asyncio",
        "python3.12/threads",
        "python3.11/asyncio",
        "python3.11/threads@pyenv",
    ];
    let workloads =
        ["cpu", "sleep sleep_ns=100000", "sleep sleep_ns=1000000", "sleep sleep_ns=10000000"];
    let spec = Spec {
        models: ids.map(Model::parallel).to_vec(),
        workloads: workloads.map(str::to_owned).to_vec(),
        all_passes: false,
        blocks: 2,
        ..tiny()
    };
    let (mut header, mut trials) = synth::run(&spec);
    let reached = |t: &Trial| t.model == ids[0] || t.model == ids[1] && t.workload == "sleep";
    for t in trials.iter_mut().filter(|t| !reached(t)) {
        stripped(t, Outcome::not_ok(Status::NotRun, "budget", "the budget was used up before"));
    }
    let absent = |model: &str| AbsentModel {
        model: model.to_owned(),
        why: Absence {
            reason: "no runtime of go found on PATH or in its usual places".to_owned(),
            remedy: Some("install Go 1.18 or newer".to_owned()),
        },
    };
    header.absent = ["go/goroutines", "go/goroutines-pinned"].map(absent).to_vec();
    (header, trials)
}

/// Every workload that has a section of its own; timed operations for `noop` alone, since runs go into git.
fn experiments() -> Made {
    let workloads = [
        "cpu",
        "noop",
        "mem kind=chase",
        "mem kind=stream",
        "serial permille=0 scaling=strong",
        "serial permille=0 scaling=weak",
        "serial permille=250 scaling=weak",
        "serial permille=1000 scaling=weak",
    ];
    let models =
        vec![Model::parallel("java25/virtual"), Model::one_at_a_time("python3.13/threads")];
    let (mut header, mut trials) =
        synth::run(&Spec { models, workloads: workloads.map(str::to_owned).to_vec(), ..tiny() });
    let kept = |workload: &str, pass: Pass| match pass {
        Pass::Throughput => true,
        Pass::Latency => workload == "noop",
        Pass::Counters => false,
    };
    trials.retain(|t| kept(&t.workload, t.pass));
    for b in &mut header.plan.blocks {
        b.trials.retain(|t| kept(&b.workload, t.pass));
    }
    (header, trials)
}

/// Like builds without and with a lock; a block of one of them was disturbed.
fn price() -> Made {
    let models = vec![
        Model::unlocked("python3.13t/threads"),
        Model::one_at_a_time("python3.13t+gil/threads"),
        Model::one_at_a_time("python3.13/threads"),
        Model::one_at_a_time("python3.8/threads"),
    ];
    let workloads = ["call", "dict"].map(|kind| format!("micro kind={kind}")).to_vec();
    let (mut header, mut trials) = synth::run(&Spec {
        models,
        workloads,
        workers: vec![1],
        all_passes: false,
        blocks: 4,
        ..Spec::default()
    });
    let locked = header.runtimes.iter_mut().find(|r| r.id == "python3.13").unwrap();
    locked.details.insert("optimise".to_owned(), "-O3".to_owned());
    let disturbed = |t: &&mut Trial| {
        t.block == 1 && t.model == "python3.13/threads" && t.params["kind"] == "dict"
    };
    let trial = trials.iter_mut().find(disturbed).unwrap();
    for window in &mut trial.windows {
        (window.cpu_ns, window.delay_ns) = (Some(30_000_000), Some(8_000_000));
    }
    (header, trials)
}

/// Its numbers go, its place in the plan stays.
fn stripped(t: &mut Trial, outcome: Outcome) {
    t.outcome = outcome;
    t.windows.clear();
    t.totals.clear();
    t.carriers.clear();
    t.histograms.clear();
    t.spans.clear();
    t.counters.clear();
    t.start_ns = None;
}

pub(crate) fn golden_dir(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(case)
}

pub(crate) fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1")
}

/// Writes the case's input when updating; `damage` changes the text of `run.json` and `trials.jsonl`.
pub(crate) fn input(
    case: &str,
    made: impl Fn() -> Made,
    damage: impl Fn(String, String) -> (String, String),
) -> PathBuf {
    let run = golden_dir(case).join("run");
    if updating() {
        let (header, trials) = made();
        synth::write(&run, &header, &trials).unwrap();
        let read = |name: &str| fs::read_to_string(run.join(name)).unwrap();
        let (header, trials) = damage(read("run.json"), read("trials.jsonl"));
        fs::write(run.join("run.json"), header).unwrap();
        fs::write(run.join("trials.jsonl"), trials).unwrap();
    }
    run
}

pub(crate) fn compare(case: &str, name: &str, actual: &str) {
    let path = golden_dir(case).join(name);
    if updating() {
        fs::write(&path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected == actual {
        return;
    }
    let line = expected.lines().zip(actual.lines()).position(|(e, a)| e != a);
    let at = line.unwrap_or(expected.lines().count().min(actual.lines().count()));
    panic!(
        "{}:{}: expected\n  {}\nbut got\n  {}\nUPDATE_GOLDEN=1 accepts what is made now",
        path.display(),
        at + 1,
        expected.lines().nth(at).unwrap_or("(end)"),
        actual.lines().nth(at).unwrap_or("(end)")
    );
}

pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
    pub(crate) out: tempfile::TempDir,
}

/// Runs the program on a case; paths in its messages become relative.
pub(crate) fn report(run: &Path) -> Done {
    let out = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_amdahl-analysis"))
        .arg("report")
        .arg(run)
        .args(["--out", "made"])
        .current_dir(out.path())
        .output()
        .unwrap();
    let root = golden_dir("").to_string_lossy().into_owned();
    let stderr = String::from_utf8(output.stderr).unwrap().replace(&root, "");
    Done { code: output.status.code(), stderr, out }
}

/// A run that loads: its report and verdicts are as expected.
pub(crate) fn reports_as_expected(case: &str, made: impl Fn() -> Made) {
    let run = input(case, made, |h, t| (h, t));
    let done = report(&run);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    for name in ["report.md", "verdicts.json"] {
        let text = fs::read_to_string(done.out.path().join("made").join(name)).unwrap();
        compare(case, name, &text);
    }
}

/// A run that does not load: exit 2, the message as expected, nothing written.
fn refused_as_expected(case: &str, damage: impl Fn(String, String) -> (String, String)) -> String {
    let small = || synth::run(&Spec { blocks: 1, workloads: vec!["cpu".to_owned()], ..tiny() });
    let run = input(case, small, damage);
    let done = report(&run);
    assert_eq!(done.code, Some(2), "{}", done.stderr);
    compare(case, "stderr.txt", &done.stderr);
    let left: Vec<_> = fs::read_dir(done.out.path()).unwrap().collect();
    assert!(left.is_empty(), "half-written: {left:?}");
    done.stderr
}

#[test]
fn threads_of_rust_beside_threads_under_a_gil() {
    reports_as_expected("gil-and-threads", gil_and_threads);
    let text = fs::read_to_string(golden_dir("gil-and-threads").join("report.md")).unwrap();
    assert!(text.contains("| `rust/threads` | parallel: all at once | 2.0"));
    assert!(text.contains("| `python3.13/threads` | serial: one at a time | 1.0"));
}

#[test]
fn one_cpu_decides_nothing_about_parallelism() {
    reports_as_expected("one-cpu", one_cpu);
    let text = fs::read_to_string(golden_dir("one-cpu").join("verdicts.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    for row in json["parallelism"].as_array().unwrap() {
        assert_eq!((&row["verdict"], &row["cpus_available"]), (&"unknown".into(), &1.into()));
        assert!(!row["reasons"].as_array().unwrap().is_empty());
    }
    for row in json["io_overlap"].as_array().unwrap() {
        assert_eq!(row["verdict"], "overlaps");
    }
}

#[test]
fn what_the_budget_did_not_reach_stays_a_row() {
    reports_as_expected("budget-limited", budget_limited);
    let text = fs::read_to_string(golden_dir("budget-limited").join("report.md")).unwrap();
    assert!(text.contains("not run: budget") && text.contains("signal 11"));
    assert!(text.contains("`not_steady`"));
}

#[test]
fn absent_models_keep_their_row() {
    reports_as_expected("absent-python", absent_python);
    let text = fs::read_to_string(golden_dir("absent-python").join("report.md")).unwrap();
    assert!(text.contains("| `python/threads` | absent: no python3 on PATH"));
    assert!(text.contains("sudo apt-get install python3"));
}

/// Five models and two: a line each, nothing lost, and verdicts.json has them one by one.
#[test]
fn models_that_share_a_reason_share_a_line() {
    reports_as_expected("many-unreached", many_unreached);
    let read = |name: &str| fs::read_to_string(golden_dir("many-unreached").join(name)).unwrap();
    let text = read("report.md");
    let line = "- Not run (budget), 5 models: `python3.12/{threads, asyncio}`, ";
    assert!(text.contains(line), "{text}");
    assert!(
        text.contains(
            "- Absent, 2 models: `go/{goroutines, goroutines-pinned}`: no runtime of go found"
        ),
        "{text}"
    );
    assert!(
        text.contains("| `cpp/threads` | not run: budget |"),
        "its waits were measured: {text}"
    );
    assert!(text.contains("(the same at 2 more: *All decisions*)"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&read("verdicts.json")).unwrap();
    assert_eq!(json["absent"].as_array().unwrap().len(), 8);
}

#[test]
fn what_is_shown_besides_the_answer() {
    reports_as_expected("experiments", experiments);
    let text = fs::read_to_string(golden_dir("experiments").join("report.md")).unwrap();
    let sections = [
        "## A known serial share",
        "## Strong and weak scaling",
        "## Memory",
        "## Start-up",
        "## What timing an operation costs",
        "## Counters",
    ];
    let places: Vec<_> = sections.map(|s| text.find(s).unwrap_or_else(|| panic!("no {s}"))).into();
    assert!(places.is_sorted(), "{places:?}");
}

/// Known truth: calls cost 1.25² times as much without the lock, the rest 1.25 times, memory 1.1 times.
#[test]
fn the_price_of_no_lock_is_told_pair_by_pair() {
    reports_as_expected("price", price);
    let text = fs::read_to_string(golden_dir("price").join("report.md")).unwrap();
    let rows = |start: &str| text.lines().filter(|l| l.starts_with(start)).collect::<Vec<_>>();
    let near = |line: &str, truth: f64| {
        let cell = line.split('|').nth(5).unwrap().trim();
        let value: f64 = cell.split(' ').next().unwrap().parse().unwrap();
        assert!((value / truth - 1.0).abs() < 0.02, "{truth} expected: {line}");
    };
    for locked in ["python3.13t+gil/threads", "python3.13/threads"] {
        let all = rows(&format!("| `python3.13t/threads` / `{locked}` |"));
        let truths = [1.5625, 1.25, 1.25_f64.powf(1.5), 1.1]; // call, dict, all kinds, memory
        assert_eq!(all.len(), truths.len());
        all.iter().zip(truths).for_each(|(line, truth)| near(line, truth));
    }
    let dict = rows("| `python3.13t/threads` / `python3.13/threads` | `dict`")[0];
    assert!(dict.ends_with("| 3 (1) |"), "{dict}");
    assert!(text.contains("they also differ in optimise nothing against -O3"));
    assert!(!text.contains("`python3.8/threads` /") && !text.contains("/ `python3.8/threads`"));
}

#[test]
fn a_torn_last_line_loads_and_says_so() {
    let case = "torn-line";
    let cut = |h: String, t: String| (h, t[..t.len() - 200].to_owned());
    let small = || synth::run(&Spec { workloads: vec!["cpu".to_owned()], ..tiny() });
    let run = input(case, small, cut);
    let done = report(&run);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    compare(case, "stderr.txt", &done.stderr);
    let text = fs::read_to_string(done.out.path().join("made/report.md")).unwrap();
    compare(case, "report.md", &text);
    assert!(text.contains("is torn (`trials.jsonl:"), "the report does not say so");
}

#[test]
fn a_corrupt_line_is_refused_with_its_number() {
    let stderr = refused_as_expected("corrupt-line", |h, t| {
        let mut lines: Vec<&str> = t.lines().collect();
        let broken = &lines[2][..lines[2].len() / 2];
        lines[2] = broken;
        (h, lines.join("\n") + "\n")
    });
    assert!(stderr.contains("trials.jsonl:3: "), "{stderr}");
}

#[test]
fn a_histogram_that_does_not_decode_is_refused() {
    let stderr = refused_as_expected("undecodable-histogram", |h, t| {
        (h, t.replacen("\"hdr\":\"", "\"hdr\":\"AAAA", 1))
    });
    assert!(stderr.contains("trials.jsonl:") && stderr.contains("HdrHistogram"), "{stderr}");
}

#[test]
fn a_histogram_with_another_count_is_refused() {
    let stderr = refused_as_expected("miscounted-histogram", |h, t| {
        let at = t.find("\"unit\":\"ns\"").unwrap();
        let n = at + t[at..].find("\"n\":").unwrap() + 4;
        (h, format!("{}1{}", &t[..n], &t[n..]))
    });
    assert!(stderr.contains("its record says n="), "{stderr}");
}

#[test]
fn a_newer_schema_is_refused() {
    let stderr = refused_as_expected("newer-schema", |h, t| {
        (h.replacen("\"schema\": 1", "\"schema\": 99", 1), t)
    });
    assert!(stderr.contains("run.json:2: schema 99 is newer"), "{stderr}");
}
