//! `amdahl reproduce` from outside: a real run of sleeping work, its copies with one thing changed, and bundles of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use amdahl_bundle::{Source, pack};
use amdahl_schema::{
    BundledRun, HEADER_FILE, MANIFEST_VERSION, Manifest, TRIALS_FILE, Tool, read_run,
};
use serde_json::Value;
use tempfile::TempDir;

fn amdahl(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_amdahl")).args(args).current_dir(dir).output().unwrap()
}

/// Two models that sleep alone and eight at once; measured once for all tests, and made quiet.
fn recorded() -> &'static (TempDir, PathBuf) {
    static RUN: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    RUN.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let args = "run --profile smoke --models rust/threads,rust/tokio --workloads sleep --workers 1,8 --blocks 3 \
                    --counters none --budget none";
        let out = amdahl(dir.path(), &args.split_whitespace().collect::<Vec<_>>());
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let run = dir.path().join("runs/latest").canonicalize().unwrap();
        let trials = run.join(TRIALS_FILE);
        let text = quiet(&std::fs::read_to_string(&trials).unwrap(), 100);
        std::fs::write(trials, text).unwrap();
        (dir, run)
    })
}

/// The recorded run with its two files changed.
fn copy(to: &Path, header: impl Fn(String) -> String, trials: impl Fn(String) -> String) {
    let from = &recorded().1;
    let text = |name| std::fs::read_to_string(from.join(name)).unwrap();
    std::fs::create_dir_all(to).unwrap();
    std::fs::write(to.join(HEADER_FILE), header(text(HEADER_FILE))).unwrap();
    std::fs::write(to.join(TRIALS_FILE), trials(text(TRIALS_FILE))).unwrap();
}

/// Every trial as on a quiet machine, so that the verdict is the same however busy this one is: whole, alone a worker does
/// 100 operations a millisecond, in company `each`. Windows differ in length: a busy machine has longer ones.
fn quiet(trials: &str, each: i64) -> String {
    let line = |line: &str| {
        let mut trial: Value = serde_json::from_str(line).unwrap();
        let number = |key: &str| trial[key].as_i64().unwrap();
        let (workers, windows) = (number("workers"), number("windows_n"));
        let (length, begin) = (number("window_ns"), number("start_ns") + number("ramp_ns"));
        let ops = if workers == 8 { each } else { 100 } * (length / 1_000_000);
        let window = |w: i64, i: i64| {
            let (first, last) = (begin + i * length, begin + (i + 1) * length);
            let tail = i == windows;
            serde_json::json!({
                "i": i, "w": w, "tail": tail, "ops": ops, "check": 0, "first_ns": first, "last_ns": last
            })
        };
        let all = (0..workers).flat_map(|w| (-1..=windows).map(move |i| window(w, i)));
        trial["windows"] = all.collect();
        for total in trial["totals"].as_array_mut().unwrap() {
            total["started_ns"] = (begin - length).into();
            total["ended_ns"] = (begin + (windows + 1) * length).into();
        }
        trial["outcome"] = serde_json::json!({"status": "ok"});
        let gates = trial["gates"].as_object_mut().unwrap();
        gates.retain(|key, _| ["wall_ns", "cpus"].contains(&key.as_str()));
        format!("{trial}\n")
    };
    trials.lines().map(line).collect()
}

/// Eight at once get no more done than one: what a model that does not overlap would have recorded.
fn slowed(trials: String) -> String {
    quiet(&trials, 10)
}

/// A bundle that holds the run under each of these names.
fn packed(run: &Path, target: &Path, names: &[&str]) {
    let header = read_run(run).unwrap().header;
    let bundled = |name: &&str| BundledRun {
        name: (*name).to_owned(),
        dir: format!("runs/{name}"),
        id: header.id.clone(),
        started_utc: header.started_utc.clone(),
        schema: header.schema,
    };
    let manifest = Manifest {
        schema: MANIFEST_VERSION,
        tool: Tool { name: "amdahl".to_owned(), version: "0".to_owned() },
        anonymous: false,
        runs: names.iter().map(bundled).collect(),
        report: "report".to_owned(),
        command: Vec::new(),
        figures: Vec::new(),
        files: Vec::new(),
    };
    let file =
        |name: &str, file: &str| (format!("runs/{name}/{file}"), Source::File(run.join(file)));
    let files = names.iter().flat_map(|n| [file(n, HEADER_FILE), file(n, TRIALS_FILE)]);
    pack(target, manifest, &files.collect::<BTreeMap<_, _>>()).unwrap();
}

#[track_caller]
fn ended(out: &Output, code: i32, says: &[&str]) -> Value {
    let (stdout, stderr) =
        (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(code), "{stdout}{stderr}");
    for word in says {
        assert!(stdout.contains(word) || stderr.contains(word), "`{word}`: {stdout}{stderr}");
    }
    serde_json::from_str(&stdout).unwrap_or(Value::Null)
}

fn run() -> &'static str {
    recorded().1.to_str().unwrap()
}

#[test]
fn a_recorded_plan_is_carried_out_again_and_its_verdicts_compared() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("a.bundle.tar.gz");
    packed(&recorded().1, &bundle, &["a"]);
    let args =
        ["reproduce", "a.bundle.tar.gz", "--json", "--json-out", "copy.json", "--out", "again"];
    let out = amdahl(dir.path(), &args);
    let json = ended(&out, 0, &["2 files verified"]);
    let rows = json["verdicts"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{json}");
    for row in rows {
        assert_eq!((&row["workers"], &row["there"]), (&8.into(), &"overlaps".into()), "{row}");
        assert!(["same", "undecided here"].contains(&row["outcome"].as_str().unwrap()), "{row}");
    }
    let copy = std::fs::read_to_string(dir.path().join("copy.json")).unwrap();
    assert_eq!(copy.as_bytes(), out.stdout);
    // The same plan on the same seeds, as a run of its own.
    let again = read_run(&dir.path().join(json["run"].as_str().unwrap())).unwrap();
    let first = read_run(&recorded().1).unwrap();
    assert_ne!(again.header.id, first.header.id);
    assert_eq!(again.header.plan.blocks, first.header.plan.blocks);
    assert_eq!(again.header.plan.seed, first.header.plan.seed);
    assert!(dir.path().join("again/latest").exists());
}

#[test]
fn same_undecided_and_other_verdicts_have_their_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    copy(&at("slow"), |h| h, slowed);
    copy(&at("empty"), |h| h, |_| String::new());
    let reproduce = |with: &str, more: &[&str]| {
        amdahl(dir.path(), &[&["reproduce", run(), "--with", with], more].concat())
    };
    ended(&reproduce(run(), &["--strict"]), 0, &["2 of 2 verdicts reproduced\n"]);
    ended(&reproduce("slow", &[]), 1, &["DIFFERS", "0 of 2 verdicts reproduced, 2 otherwise here"]);
    ended(&reproduce("slow", &["--strict"]), 1, &["DIFFERS"]);
    ended(&reproduce("slow", &["--models", "rust/tokio"]), 1, &["0 of 1 verdict reproduced"]);
    ended(&reproduce("empty", &[]), 0, &["undecided here", "0 of 2 verdicts reproduced"]);
    let json = ended(&reproduce("empty", &["--strict", "--json"]), 3, &[]);
    assert_eq!(json["summary"]["undecided_here"], 2, "{json}");
    let out = amdahl(dir.path(), &["reproduce", "empty", "--with", run()]);
    ended(&out, 2, &["no verdict was decided in it"]);
    assert!(!at("runs").exists(), "nothing was measured");
}

#[test]
fn a_model_that_is_not_here_is_said_and_the_others_are_measured() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let renamed = |text: String| text.replace("rust/tokio", "nosuch9/fibers");
    copy(&at("some"), renamed, renamed);
    let out = amdahl(dir.path(), &["reproduce", "some", "--dry-run", "--json"]);
    let json = ended(&out, 0, &[]);
    assert_eq!(json["missing"][0]["model"], "nosuch9/fibers", "{json}");
    assert_eq!(json["plan"]["models"], serde_json::json!(["rust/threads"]));
    let out = amdahl(dir.path(), &["reproduce", "some", "--models", "nosuch9/*"]);
    ended(&out, 2, &["nothing to measure", "nosuch9/fibers", "--worker NAME=CMD"]);
    let out = amdahl(dir.path(), &["reproduce", "some", "--models", "rust/thread"]);
    ended(&out, 2, &["no model `rust/thread` in the recorded plan", "did you mean rust/threads"]);
    assert!(!at("runs").exists());
    let out = amdahl(dir.path(), &["reproduce", "some", "--strict"]);
    ended(
        &out,
        3,
        &["not available here: nosuch9/fibers", "1 of models that are not available here"],
    );
    assert!(at("runs/latest").exists());
}

#[test]
fn a_bundle_is_verified_before_anything_else_and_a_tampered_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    packed(&recorded().1, &at("a.bundle.tar.gz"), &["a"]);
    let reproduce = |what: &str| amdahl(dir.path(), &["reproduce", what, "--dry-run"]);
    ended(&reproduce("a.bundle.tar.gz"), 0, &["2 files verified", "rust/tokio", "blocks, "]);
    let out = amdahl(dir.path(), &["reproduce", "a.bundle.tar.gz", "--run", "b", "--dry-run"]);
    ended(&out, 2, &["--run b: no such run"]);
    let mut tar = Command::new("tar");
    tar.args(["-xzf", "a.bundle.tar.gz"]).current_dir(dir.path());
    assert!(tar.status().unwrap().success());
    ended(&reproduce("a.bundle"), 0, &["2 files verified"]);
    let trials = at("a.bundle/runs/a/trials.jsonl");
    let text = std::fs::read_to_string(&trials).unwrap();
    std::fs::write(&trials, text.replacen("\"ops\":", "\"ops\":1", 1)).unwrap();
    ended(&reproduce("a.bundle"), 2, &["runs/a/trials.jsonl was changed"]);
    std::fs::write(&trials, text).unwrap();
    std::fs::write(at("a.bundle/more"), "").unwrap();
    ended(&reproduce("a.bundle"), 2, &["more was added"]);
    let bytes = std::fs::read(at("a.bundle.tar.gz")).unwrap();
    std::fs::write(at("cut.tar.gz"), &bytes[..bytes.len() / 2]).unwrap();
    ended(&reproduce("cut.tar.gz"), 2, &["cut.tar.gz: damaged"]);
    std::fs::create_dir(at("nothing")).unwrap();
    ended(&reproduce("nothing"), 2, &["nothing/run.json", "a run is a directory"]);
    ended(&reproduce("nowhere"), 2, &["nowhere"]);
    assert!(!at("runs").exists());
}

#[test]
fn of_several_runs_in_a_bundle_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    packed(&recorded().1, &dir.path().join("two.bundle.tar.gz"), &["first", "second"]);
    let reproduce = |more: &[&str]| {
        amdahl(dir.path(), &[&["reproduce", "two.bundle.tar.gz", "--with", run()], more].concat())
    };
    ended(&reproduce(&[]), 2, &["the bundle holds 2 runs: choose one with --run: first, second"]);
    ended(
        &reproduce(&["--run", "secand"]),
        2,
        &["no such run in the bundle", "did you mean second"],
    );
    ended(&reproduce(&["--run", "second"]), 0, &["4 files verified", "2 of 2 verdicts reproduced"]);
}

#[test]
fn a_plan_that_somebody_wrote_by_hand_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let many = |header: String| header.replacen("\"workers\": 8", "\"workers\": 4000000000", 1);
    copy(&dir.path().join("bad"), many, |t| t);
    let out = amdahl(dir.path(), &["reproduce", "bad"]);
    ended(&out, 2, &["rust/", "4000000000 workers", "outside 1 to 4096"]);
    let placed =
        |header: String| header.replace("\"placement\": \"cores\"", "\"placement\": \"x\"");
    copy(&dir.path().join("bad"), placed, |t| t);
    ended(&amdahl(dir.path(), &["reproduce", "bad"]), 2, &["unknown placement `x`"]);
}
