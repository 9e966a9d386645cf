//! SCHEMA.md and the code say the same: keys, what may be absent, and the closed vocabularies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use amdahl_schema::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

const PAGE: &str = include_str!("../SCHEMA.md");

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
fn check<T: Serialize + DeserializeOwned>(section: &str, full: &T) {
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

fn absence() -> Absence {
    Absence { reason: "ENOENT".to_owned(), remedy: Some("a command".to_owned()) }
}

fn placement() -> Placement {
    Placement { policy: "cores".to_owned(), cpus: vec![0], exclusive: true }
}

fn one_param() -> BTreeMap<String, String> {
    BTreeMap::from([("steps".to_owned(), "1".to_owned())])
}

fn planned_trial() -> PlannedTrial {
    PlannedTrial {
        seq: 1,
        workers: 1,
        arm: Arm::Model,
        pass: Pass::Counters,
        counter_set: 1,
        placement: placement(),
        seed: 1,
        env_pad_bytes: 1,
        window_ns: 1,
        windows_n: 1,
    }
}

fn planned_block() -> PlannedBlock {
    PlannedBlock {
        block: 1,
        tier: 1,
        spare: true,
        model: "rust/threads".to_owned(),
        workload: "cpu".to_owned(),
        params: one_param(),
        trials: vec![planned_trial()],
    }
}

fn plan() -> Plan {
    Plan {
        profile: "smoke".to_owned(),
        seed: 1,
        budget_ms: Some(1),
        placement: "cores".to_owned(),
        models: vec!["rust/threads".to_owned()],
        predicted_ms: 1,
        blocks: vec![planned_block()],
    }
}

fn cgroup() -> Cgroup {
    Cgroup { version: Some(2), quota_mcpu: Some(1), mem_bytes: Some(1) }
}

fn cpu() -> CpuInfo {
    CpuInfo { cpu: 0, core: 0, socket: 0, node: 0 }
}

fn host() -> Host {
    let text = || "text".to_owned();
    Host {
        name: text(),
        kernel: text(),
        arch: text(),
        cpu_model: Some(text()),
        hypervisor: Some(text()),
        mem_bytes: Some(1),
        cpus: vec![cpu()],
        affinity: vec![0],
        cgroup: cgroup(),
        cpus_available: 1,
        cpus_note: Some(text()),
        clocksource: Some(text()),
        llc_bytes: Some(1),
    }
}

fn state_item() -> StateItem {
    let text = || Some("text".to_owned());
    StateItem { id: "smt".to_owned(), value: text(), absent: Some(absence()), advice: text() }
}

fn runtime() -> Runtime {
    Runtime {
        id: "python3.13".to_owned(),
        lang: "python".to_owned(),
        version: "3.13.0".to_owned(),
        path: "~/python3".to_owned(),
        hash: Some("sha256:0".to_owned()),
        gil: Some(true),
        details: one_param(),
    }
}

fn absent_model() -> AbsentModel {
    AbsentModel { model: "python/threads".to_owned(), why: absence() }
}

fn tool() -> Tool {
    Tool { name: "amdahl".to_owned(), version: "0.1.0".to_owned() }
}

fn header() -> RunHeader {
    RunHeader {
        schema: SCHEMA_VERSION,
        tool: tool(),
        id: "00000000".to_owned(),
        started_utc: "2026-01-01T00:00:00Z".to_owned(),
        command: vec!["amdahl".to_owned()],
        plan: plan(),
        host: host(),
        state: MachineState { items: vec![state_item()] },
        runtimes: vec![runtime()],
        absent: vec![absent_model()],
        anonymous: true,
        kind: RunKind::Trace,
    }
}

fn window() -> Window {
    Window {
        i: 0,
        w: 0,
        tail: true,
        ops: 1,
        check: 1,
        first_ns: Some(1),
        last_ns: Some(1),
        cpu_ns: Some(1),
        delay_ns: Some(1),
        vcsw: Some(1),
        ivcsw: Some(1),
        idle_ns: Some(1),
        cpu: Some(0),
    }
}

fn total() -> WorkerTotal {
    WorkerTotal { w: 0, ops: 1, check: 1, started_ns: 1, ended_ns: 1, entered_ns: Some(1) }
}

fn proc_delta() -> ProcDelta {
    let one = Some(1);
    ProcDelta { cpu_ns: one, delay_ns: one, vcsw: one, ivcsw: one, minflt: one, majflt: one }
}

fn carrier_window() -> CarrierWindow {
    CarrierWindow { i: 0, cpu_ns: 1, delay_ns: Some(1) }
}

fn carrier() -> Carrier {
    let windows = vec![carrier_window()];
    Carrier { tid: 1, w: Some(0), pinned: Some(0), proc: proc_delta(), windows }
}

fn counter_value() -> CounterValue {
    CounterValue { count: 1, enabled_ns: Some(1), running_ns: Some(1) }
}

fn counter() -> Counter {
    Counter {
        id: "cycles".to_owned(),
        source: "perf".to_owned(),
        set: 1,
        value: Some(counter_value()),
        absent: Some(absence()),
    }
}

fn histogram() -> Histogram {
    Histogram {
        name: "op".to_owned(),
        unit: "ns".to_owned(),
        i: Some(0),
        w: Some(0),
        n: 1,
        min: 1,
        max: 1,
        sum: 1,
        hdr: "HISTFAAA".to_owned(),
    }
}

fn span() -> Span {
    Span { w: 0, t_ns: vec![1] }
}

fn owners() -> Owners {
    Owners { w: vec![0], gap_ns: vec![1], wait_ns: vec![1], hold_ns: vec![1] }
}

fn gates() -> Gates {
    Gates {
        wall_ns: 1,
        cpus: 1,
        busy_ticks: Some(1),
        steal_ticks: Some(1),
        own_ns: Some(1),
        throttled_ns: Some(1),
        freq_khz: Some(1),
        speed: vec![cpu_speed()],
        settle_ns: Some(1),
    }
}

fn cpu_speed() -> CpuSpeed {
    CpuSpeed { cpu: 1, usual_ps: Some(1), before_ps: 1, after_ps: Some(1) }
}

fn outcome() -> Outcome {
    Outcome::not_ok(Status::Invalid, "checksum", "reason")
}

fn trial() -> Trial {
    Trial {
        seq: 1,
        block: 1,
        order: 1,
        model: "rust/threads".to_owned(),
        workload: "cpu".to_owned(),
        workers: 1,
        arm: Arm::Model,
        pass: Pass::Throughput,
        stage: Stage::Measure,
        params: one_param(),
        seed: 1,
        env_pad_bytes: 1,
        placement: placement(),
        outcome: outcome(),
        started_unix_ms: 1,
        trial_wall_ns: 1,
        spawn_ns: Some(1),
        setup_ns: Some(1),
        start_ns: Some(1),
        window_ns: 1,
        ramp_ns: 1,
        tail_ns: 1,
        windows_n: 1,
        gil: Some(true),
        turns: Some(true),
        timer_cost_ps: Some(1),
        timer: Some("tsc".to_owned()),
        windows: vec![window()],
        totals: vec![total()],
        carriers: vec![carrier()],
        counter_set: 1,
        counters: vec![counter()],
        histograms: vec![histogram()],
        spans: vec![span()],
        guarded: Some(1),
        owners: Some(owners()),
        gates: gates(),
        flags: vec!["late: by 7 ms".to_owned()],
    }
}

#[test]
fn every_key_of_the_header_is_documented() {
    check("RunHeader", &header());
    check("Tool", &tool());
    check("Plan", &plan());
    check("PlannedBlock", &planned_block());
    check("PlannedTrial", &planned_trial());
    check("Host", &host());
    check("CpuInfo", &cpu());
    check("Cgroup", &cgroup());
    check("MachineState", &MachineState { items: vec![state_item()] });
    check("StateItem", &state_item());
    check("Runtime", &runtime());
    check("AbsentModel", &absent_model());
    check("Absence", &absence());
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
    check("BundledRun", &run);
    check("BundledFigure", &figure);
    check("BundledFile", &file);
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
    check("Manifest", &manifest);
}

#[test]
fn every_key_of_a_trial_is_documented() {
    check("Trial", &trial());
    check("Outcome", &outcome());
    check("Placement", &placement());
    check("Window", &window());
    check("WorkerTotal", &total());
    check("Carrier", &carrier());
    check("CarrierWindow", &carrier_window());
    check("ProcDelta", &proc_delta());
    check("Counter", &counter());
    check("CounterValue", &counter_value());
    check("Histogram", &histogram());
    check("Span", &span());
    check("Owners", &owners());
    check("Gates", &gates());
    check("CpuSpeed", &cpu_speed());
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
        acquisitions: one,
        contended: one,
        owners: one,
        ..lock.clone()
    };
    check("Trace", &Trace { exit_signal: Some(9), ..trace.clone() });
    check("TracedLock", &full);
    check("TimeSummary", &lock.wait_ns);
    check("CallSite", &lock.callsites[0]);
    check("WakeEdge", &lock.wakers[0]);
    check("TracedThread", &trace.threads[0]);
    check("IdleWait", &trace.idle[0]);
    check("BlindSpot", &trace.blind_spots[0]);
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
    let rooms = ["trial/mod.rs", "trial/prove.rs", "worker/link.rs", "cmd/run/live.rs", "run.rs"];
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
    let written = after(&harness_sources(), ".flags.push(format!(\"", ':');
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
    fs::write(dir.join(HEADER_FILE), serde_json::to_string(&header()).unwrap()).unwrap();
    let good = trial();
    let mut bad = trial();
    bad.owners.as_mut().unwrap().w[0] = 1; // of one worker
    let lines = [good, bad].map(|t| serde_json::to_string(&t).unwrap() + "\n");
    fs::write(dir.join(TRIALS_FILE), lines.concat()).unwrap();
    let error = read_run(&dir).unwrap_err().to_string();
    assert!(error.contains("trials.jsonl:2: owners: worker 1 does not exist"), "{error}");
    fs::remove_dir_all(&dir).unwrap();
}
