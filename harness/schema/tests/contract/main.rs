//! SCHEMA.md and the code say the same: keys, what may be absent, and the closed vocabularies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use amdahl_schema::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

mod full;

use full::*;

const PAGE: &str = include_str!("../../SCHEMA.md");

/// Rows of the tables under a heading: the cells of each, without the table's head.
fn rows(section: &str) -> Vec<Vec<String>> {
    let heading = format!("### {section}\n");
    let (_, rest) = PAGE.split_once(&heading).unwrap_or_else(|| panic!("no heading {section}"));
    let body = rest.split("\n#").next().unwrap();
    let cells = |line: &str| {
        let inner = line.trim_matches('|');
        inner.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    };
    let table = body.lines().filter(|l| l.starts_with('|')).map(cells);
    table.filter(|c| c[0] != "key" && !c[0].starts_with("---")).collect()
}

/// The words in backquotes of a cell.
fn quoted(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// Key and whether it may be absent, of the key table under a heading.
fn documented(section: &str) -> BTreeMap<String, bool> {
    let keys = rows(section).into_iter().filter(|c| c.len() == 5);
    keys.map(|c| {
        assert_eq!(c[3], "1", "{section}: {}: since which version?", c[0]);
        assert!(!c[1].is_empty() && !c[4].is_empty(), "{section}: {}: say what it is", c[0]);
        (quoted(&c[0]).next().unwrap(), c[2] != "never")
    })
    .collect()
}

fn keys(object: &Map<String, Value>) -> BTreeSet<String> {
    object.keys().cloned().collect()
}

/// Holds one type, given with every field filled, against its table.
fn assert_documented<T: Serialize + DeserializeOwned>(section: &str, full: &T) {
    let Value::Object(full) = serde_json::to_value(full).unwrap() else { panic!("not an object") };
    let table = documented(section);
    let names: BTreeSet<String> = table.keys().cloned().collect();
    assert_eq!(keys(&full), names, "{section}: keys written (left), rows of SCHEMA.md (right)");

    let again = |object: Map<String, Value>| -> Option<Map<String, Value>> {
        let value: T = serde_json::from_value(Value::Object(object)).ok()?;
        serde_json::to_value(value).unwrap().as_object().cloned()
    };
    let mut least = full.clone();
    least.retain(|key, _| !table[key]);
    let read = again(least.clone())
        .unwrap_or_else(|| panic!("{section}: a key that may be absent is demanded"));
    assert_eq!(keys(&read), keys(&least), "{section}: what is absent is not written");
    for key in least.keys() {
        let mut without = full.clone();
        without.remove(key);
        let written = again(without).is_none_or(|read| read.contains_key(key));
        assert!(written, "{section}: `{key}` is said to be never absent, but can be");
    }
}

#[test]
fn every_key_of_the_header_is_documented() {
    assert_documented("RunHeader", &header());
    assert_documented("Tool", &tool());
    assert_documented("Plan", &plan());
    assert_documented("PlannedBlock", &planned_block());
    assert_documented("PlannedTrial", &planned_trial());
    assert_documented("Host", &host());
    assert_documented("CpuInfo", &cpu());
    assert_documented("Cgroup", &cgroup());
    assert_documented("MachineState", &MachineState { items: vec![state_item()] });
    assert_documented("StateItem", &state_item());
    assert_documented("Runtime", &runtime());
    assert_documented("AbsentModel", &absent_model());
    assert_documented("Absence", &absence());
}

#[test]
fn every_key_of_a_manifest_is_documented() {
    let text = || "text".to_owned();
    let run = BundledRun {
        name: text(),
        dir: text(),
        id: text(),
        started_utc: text(),
        schema: SCHEMA_VERSION,
    };
    let figure = BundledFigure {
        name: text(),
        files: vec![text()],
        data: vec![text()],
        command: vec![text()],
    };
    let file = BundledFile { path: text(), bytes: 1, sha256: text() };
    assert_documented("BundledRun", &run);
    assert_documented("BundledFigure", &figure);
    assert_documented("BundledFile", &file);
    let manifest = Manifest {
        schema: MANIFEST_VERSION,
        tool: tool(),
        anonymous: true,
        runs: vec![run],
        report: text(),
        command: vec![text()],
        figures: vec![figure],
        files: vec![file],
    };
    assert_documented("Manifest", &manifest);
}

#[test]
fn every_key_of_a_trial_is_documented() {
    assert_documented("Trial", &trial());
    assert_documented("Outcome", &outcome());
    assert_documented("Placement", &placement());
    assert_documented("Window", &window());
    assert_documented("WorkerTotal", &total());
    assert_documented("Carrier", &carrier());
    assert_documented("CarrierWindow", &carrier_window());
    assert_documented("ProcDelta", &proc_delta());
    assert_documented("Counter", &counter());
    assert_documented("CounterValue", &counter_value());
    assert_documented("Histogram", &histogram());
    assert_documented("Span", &span());
    assert_documented("Owners", &owners());
    assert_documented("Gates", &gates());
    assert_documented("CpuSpeed", &cpu_speed());
}

/// A trace with every key of every type, and the file that readers are built against.
const TRACE: &str = include_str!("trace.json");

#[test]
fn every_key_of_a_trace_is_documented() {
    let trace: Trace = serde_json::from_str(TRACE).unwrap();
    let lock = &trace.locks[0];
    let one = Some(1);
    let full = TracedLock {
        hold_ns: Some(lock.wait_ns),
        lock_type: Some("rwlock".to_owned()),
        acquisitions: one,
        reads: one,
        destroyed: one,
        contended: one,
        owners: one,
        ..lock.clone()
    };
    assert_documented("Trace", &Trace { exit_signal: Some(9), ..trace.clone() });
    assert_documented("TracedLock", &full);
    assert_documented("TimeSummary", &lock.wait_ns);
    assert_documented("CallSite", &lock.callsites[0]);
    assert_documented("WakeEdge", &lock.wakers[0]);
    assert_documented("TracedThread", &trace.threads[0]);
    assert_documented("IdleWait", &trace.idle[0]);
    assert_documented("BlindSpot", &trace.blind_spots[0]);
    let again = serde_json::to_string_pretty(&trace).unwrap() + "\n";
    assert_eq!(again, TRACE, "the fixture is as the program writes it");
}

#[test]
fn a_run_of_a_trace_is_read_with_it_and_without_trials() {
    let dir = std::env::temp_dir().join(format!("amdahl-trace-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(HEADER_FILE), serde_json::to_string(&header()).unwrap()).unwrap();
    let missing = read_run(&dir).unwrap_err().to_string();
    fs::write(dir.join(TRACE_FILE), TRACE).unwrap();
    let run = read_run(&dir).unwrap();
    fs::write(dir.join(TRACE_FILE), TRACE.replace("\"schema\": 1", "\"schema\": 999")).unwrap();
    let newer = read_run(&dir).unwrap_err().to_string();
    fs::remove_dir_all(&dir).unwrap();
    assert!(missing.contains(TRACE_FILE), "{missing}");
    assert!(newer.contains("schema 999 is newer"), "{newer}");
    assert_eq!((run.trials.len(), run.trace.unwrap().locks.len()), (0, 2));
}

/// Names of the objects on the way, so that a type nobody checks above is noticed.
fn objects(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            found.insert(at.to_owned());
            object.iter().for_each(|(key, value)| objects(value, key, found));
        }
        Value::Array(items) => items.iter().for_each(|item| objects(item, at, found)),
        _ => {}
    }
}

#[test]
fn no_object_is_left_out() {
    let mut found = BTreeSet::new();
    objects(&serde_json::to_value(header()).unwrap(), "run.json", &mut found);
    objects(&serde_json::to_value(trial()).unwrap(), "trials.jsonl", &mut found);
    objects(&serde_json::from_str(TRACE).unwrap(), "trace.json", &mut found);
    let maps = ["params", "details"];
    let linked: BTreeSet<String> = PAGE
        .lines()
        .filter(|l| l.starts_with("| `") && l.contains("](#"))
        .flat_map(|l| quoted(l).take(1).collect::<Vec<_>>())
        .collect();
    for name in found.iter().filter(|n| !n.contains('.') && !maps.contains(&n.as_str())) {
        assert!(linked.contains(name), "the row of `{name}` does not link its table");
    }
}

/// The measuring program's sources, without blanks; tests at their ends left out.
fn harness_sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let rooms = [
        "trial/mod.rs",
        "trial/cast.rs",
        "trial/prove.rs",
        "worker/link.rs",
        "cmd/run/live.rs",
        "run.rs",
    ];
    let text = rooms.map(|room| {
        let text = fs::read_to_string(root.join(room)).unwrap_or_else(|e| panic!("{room}: {e}"));
        text.split("#[cfg(test)]").next().unwrap().to_owned()
    });
    text.concat().split_whitespace().collect()
}

/// What stands between `before` and the next of `ends`, everywhere.
fn after(text: &str, before: &str, end: char) -> BTreeSet<String> {
    text.split(before).skip(1).map(|rest| rest.split(end).next().unwrap().to_owned()).collect()
}

#[test]
fn outcome_kinds_are_those_the_harness_writes() {
    let text = harness_sources();
    let (_, arms) = text.split_once("pubfnkind(&self)->&str{").unwrap();
    let arms = arms.split("///").next().unwrap();
    let mut written = after(arms, "=>\"", '"');
    written.extend(after(arms, "\"|\"", '"'));
    written.extend(after(arms, "{\"", '"'));
    for before in ["(Status::Failed,\"", "(Status::NotRun,\"", "kind:\"", "refuse(\""] {
        let found = after(&text, before, '"');
        assert!(!found.is_empty(), "nothing follows {before}: has the harness changed its ways?");
        written.extend(found);
    }
    let table = rows("Outcome").into_iter().filter(|c| c.len() == 3 && c[0] != "status");
    let documented: BTreeSet<String> =
        table.flat_map(|c| quoted(&c[1]).collect::<Vec<_>>()).collect();
    assert_eq!(written, documented, "written by the harness (left), rows of SCHEMA.md (right)");
}

#[test]
fn flags_are_those_the_harness_writes() {
    let written = after(&harness_sources(), "flags.push(format!(\"", ':');
    let table = rows("Trial").into_iter().filter(|c| c.len() == 2 && c[0] != "flag");
    let documented: BTreeSet<String> =
        table.flat_map(|c| quoted(&c[0]).collect::<Vec<_>>()).map(|f| f.replace(' ', "")).collect();
    assert_eq!(written, documented, "written by the harness (left), rows of SCHEMA.md (right)");
}

#[test]
fn metrics_are_those_of_the_one_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/counters/metric.rs");
    let text: String = fs::read_to_string(path).unwrap().split_whitespace().collect();
    let (_, table) = text.split_once("METRICS:&[Metric]=&[").unwrap();
    let table = table.split("];").next().unwrap();
    let mut written = BTreeSet::new();
    for before in ["software(\"", "proc_only(\"", "process(\""] {
        written.extend(after(table, before, '"'));
    }
    for call in ["hardware(", "cache("] {
        let first = |args: &String| args.split('"').nth(1).unwrap().to_owned();
        written.extend(after(table, call, ')').iter().map(first));
    }
    let rows = rows("Counter").into_iter().filter(|c| c.len() == 3 && c[0] != "metric");
    let documented: BTreeSet<String> =
        rows.flat_map(|c| quoted(&c[0]).collect::<Vec<_>>()).collect();
    assert_eq!(written, documented, "METRICS (left), rows of SCHEMA.md (right)");
}

#[test]
fn a_last_line_without_its_newline_is_torn_even_if_it_parses() {
    let dir = std::env::temp_dir().join(format!("amdahl-contract-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    fs::write(
        dir.join(HEADER_FILE),
        serde_json::to_string(&RunHeader { kind: RunKind::Models, ..header() }).unwrap(),
    )
    .unwrap();
    let line = serde_json::to_string(&trial()).unwrap();
    fs::write(dir.join(TRIALS_FILE), format!("{line}\n{line}")).unwrap();
    let run = read_run(&dir).unwrap();
    fs::remove_dir_all(&dir).unwrap();
    assert_eq!((run.trials.len(), run.torn_line), (1, Some(2)));
}

#[test]
fn owners_that_cannot_be_are_refused_with_their_line() {
    let dir = std::env::temp_dir().join(format!("amdahl-owners-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let header = RunHeader { kind: RunKind::Models, ..header() };
    fs::write(dir.join(HEADER_FILE), serde_json::to_string(&header).unwrap()).unwrap();
    let good = trial();
    let mut bad = trial();
    bad.owners.as_mut().unwrap().w[0] = 1; // of one worker
    let lines = [good, bad].map(|t| serde_json::to_string(&t).unwrap() + "\n");
    fs::write(dir.join(TRIALS_FILE), lines.concat()).unwrap();
    let error = read_run(&dir).unwrap_err().to_string();
    assert!(error.contains("trials.jsonl:2: owners: worker 1 does not exist"), "{error}");
    fs::remove_dir_all(&dir).unwrap();
}
