//! `--anonymous`: nothing of host, users or paths in any byte that is written, and no verdict changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use amdahl_analysis::synth::{self, Model, Spec};
use amdahl_schema::{
    Absence, AbsentModel, Counter, Outcome, RunHeader, StateItem, Status, Trial, read_run,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::contents;

/// A user whom no home betrays: only the environment of whoever makes the report knows the name.
const ENV_USER: &str = "zebediah";

/// What must not be found, in lower case.
const SECRETS: [&str; 9] = [
    "qx-lab7",
    "uni-secret",
    "wilhelmine",
    "geheim",
    "zebediah",
    "hush-hush",
    "/home",
    "/opt",
    "0ffc0ffee",
];

/// A text with everything in it that must go.
fn leak(what: &str) -> String {
    format!(
        "{what}: on qx-lab7.uni-secret.edu (QX-LAB7) '/home/wilhelmine/geheim dir/w.py': wilhelmine and {ENV_USER}@qx-lab7 \
         in ~wilhelmine/geheim, /sys/fs/cgroup/docker-0ffc0ffee/cpu.max, TOKEN=hush-hush, `/opt/geheim/bin/python3.13`"
    )
}

fn leaky_header(header: &mut RunHeader) {
    header.command = [
        "/home/wilhelmine/geheim/amdahl",
        "run",
        "geheim/plan.toml",
        "--worker",
        "wilhelmine-lock=/opt/geheim/w --key hush-hush",
        "--out",
        "/home/wilhelmine/qx-lab7",
        "--param",
        "note=qx-lab7",
        "--runtime=python=/opt/geheim/bin/python3.13",
    ]
    .map(str::to_owned)
    .to_vec();
    header.plan.profile = "wilhelmine-plan".to_owned();
    header.host.name = "qx-lab7.uni-secret.edu".to_owned();
    header.host.kernel = "6.18.44-qx-lab7".to_owned();
    header.host.cpu_model = Some("Example CPU of qx-lab7".to_owned());
    header.host.hypervisor = Some("KVM uni-secret.edu".to_owned());
    header.host.cpus_note = Some(leak("note"));
    let absent = |what| Absence { reason: leak(what), remedy: Some(leak("do")) };
    header.state.items.push(StateItem {
        id: "load".to_owned(),
        value: Some(leak("value")),
        absent: None,
        advice: Some(leak("advice")),
    });
    header.state.items.push(StateItem {
        id: "tracefs".to_owned(),
        value: None,
        absent: Some(absent("state")),
        advice: None,
    });
    header
        .absent
        .push(AbsentModel { model: "wilhelmine-own/threads".to_owned(), why: absent("gone") });
    for r in &mut header.runtimes {
        r.version = leak(&r.version);
        r.path = "/opt/geheim/bin/python3.13".to_owned();
        r.details.insert("home of wilhelmine".to_owned(), leak("detail"));
    }
}

fn leaky_trial(trial: &mut Trial) {
    trial.flags.push(leak("not_steady"));
    trial.timer = Some(leak("timer"));
    trial.params.insert("note".to_owned(), leak("param"));
    for h in &mut trial.histograms {
        h.name = format!("{} on qx-lab7", h.name);
    }
    trial.counters.push(Counter {
        id: "instructions".to_owned(),
        source: "perf".to_owned(),
        set: 0,
        value: None,
        absent: Some(Absence { reason: leak("EACCES"), remedy: Some(leak("remedy")) }),
    });
}

/// A run with secrets in every text; a model of the user's own is named after a user, and one trial failed.
struct Bench {
    dir: TempDir,
}

const RUN: &str = "20260102T030405Z-qx-lab7-00000001";

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap() };
        let models = vec![
            Model::parallel("rust/threads"),
            Model::one_at_a_time("python3.13/threads"),
            Model::parallel("wilhelmine-lock/threads"),
        ];
        let (mut header, mut trials) = synth::run(&Spec { models, blocks: 4, ..Spec::default() });
        synth::write(&bench.path("plain"), &header, &trials).unwrap();
        leaky_header(&mut header);
        trials.iter_mut().for_each(leaky_trial);
        // Failed, and left out of the plan's last block, so that three remain.
        let last = trials.iter_mut().rfind(|t| t.model == "rust/threads").unwrap();
        last.outcome = Outcome::not_ok(Status::Failed, "crash", leak("crash"));
        synth::write(&bench.path(RUN), &header, &trials).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn report(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_amdahl-analysis"));
        command.arg("report").args(args).current_dir(self.dir.path());
        let output = command.env("USER", ENV_USER).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }
}

/// Secrets found in names or bytes.
fn leaks(files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, bytes) in files {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        for secret in SECRETS {
            if let Some(at) = text.find(secret) {
                let from = text.floor_char_boundary(at.saturating_sub(60));
                let to = text.ceil_char_boundary(text.len().min(at + 60));
                found.push(format!("{name}: {secret}: …{}…", &text[from..to]));
            }
            if name.to_lowercase().contains(secret) {
                found.push(format!("the name {name}: {secret}"));
            }
        }
    }
    found
}

/// The decisions, without what names a run or a model, and without texts.
fn verdicts(json: &[u8]) -> Vec<Value> {
    let json: Value = serde_json::from_slice(json).unwrap();
    let mut rows: Vec<Value> = Vec::new();
    for key in ["parallelism", "io_overlap"] {
        rows.extend(json[key].as_array().unwrap().iter().cloned());
    }
    for row in &mut rows {
        let row = row.as_object_mut().unwrap();
        row.remove("reasons");
        let model = row["model"].as_str().unwrap().replace("wilhelmine", "anonymous-user");
        row.insert("model".to_owned(), model.into());
    }
    rows.sort_by_key(ToString::to_string);
    rows
}

#[test]
fn no_byte_of_an_anonymous_report_names_host_user_or_path() {
    let bench = Bench::new();
    bench.report(&[RUN]);
    let open = contents(&bench.path(&format!("reports/{RUN}")));
    for secret in SECRETS {
        let found = leaks(&open).iter().any(|l| l.contains(secret));
        assert!(
            found || secret == "zebediah",
            "{secret} is not in the report that is not anonymous"
        );
    }
    let output = bench.report(&[RUN, "--anonymous", "--bundle", "--json-out", "copy.json"]);
    let dir = bench.path("reports/20260102T030405Z-00000001");
    let files = contents(&dir);
    assert_eq!(leaks(&files), Vec::<String>::new());
    assert_eq!(files.keys().collect::<Vec<_>>(), open.keys().collect::<Vec<_>>(), "same files");
    assert_eq!(fs::read_link(bench.path("reports/latest")).unwrap(), dir.file_name().unwrap());
    let copy = BTreeMap::from([
        ("copy.json".to_owned(), fs::read(bench.path("copy.json")).unwrap()),
        ("stdout".to_owned(), output.stdout),
    ]);
    assert_eq!(leaks(&copy), Vec::<String>::new());
    assert_eq!(verdicts(&files["verdicts.json"]), verdicts(&open["verdicts.json"]));
    let text = String::from_utf8(files["report.md"].clone()).unwrap();
    assert!(text.contains("This report is anonymous"), "{text}");
    for kept in [
        "Example CPU of",
        "python3.13",
        "crash: on <host>",
        "6.18.44",
        "anonymous-user-lock/threads",
    ] {
        assert!(text.contains(kept), "{kept} is gone from {text}");
    }
}

#[test]
fn the_bundled_run_is_as_anonymous_and_makes_the_same_report() {
    let bench = Bench::new();
    // A torn line, as a killed run has it.
    let trials = bench.path(RUN).join("trials.jsonl");
    let torn = [fs::read(&trials).unwrap(), leak("{").into_bytes()].concat();
    fs::write(&trials, torn).unwrap();
    let selection = ["--models", "wilhelmine*,python*", "--workloads", "cpu"];
    bench.report(&[&[RUN, "--anonymous", "--bundle"][..], &selection].concat());
    let name = "20260102T030405Z-00000001";
    let archive = bench.path(&format!("reports/{name}.bundle.tar.gz"));
    let into = bench.path("unpacked");
    fs::create_dir(&into).unwrap();
    let tar = Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&into).output().unwrap();
    assert!(tar.status.success(), "{}", String::from_utf8_lossy(&tar.stderr));
    let root = into.join(format!("{name}.bundle"));
    let files = contents(&root);
    assert_eq!(leaks(&files), Vec::<String>::new());
    let manifest: amdahl_schema::Manifest =
        serde_json::from_slice(&files["MANIFEST.json"]).unwrap();
    assert!(manifest.anonymous);
    // As another person, on another machine, by the command that stands there.
    let mut command = Command::new(env!("CARGO_BIN_EXE_amdahl-analysis"));
    command.args(&manifest.command[1..]).current_dir(&root).env("USER", "threads");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (first, again) = (contents(&root.join("report")), contents(&into.join("again")));
    assert!(first.len() > 5, "{:?}", first.keys());
    assert!(first == again, "the report made from the bundled run differs");
    let text = String::from_utf8(first["report.md"].clone()).unwrap();
    assert!(
        text.contains("torn") && text.contains("restricted to models anonymous-user*"),
        "{text}"
    );
    // Once more anonymous is the same.
    let mut command = Command::new(env!("CARGO_BIN_EXE_amdahl-analysis"));
    command.args(&manifest.command[1..]).arg("--anonymous").current_dir(&root).env("USER", "cpu");
    assert!(command.output().unwrap().status.success());
    assert!(first == contents(&into.join("again")), "anonymous twice differs");
}

#[test]
fn a_run_made_anonymous_still_reads_as_a_run() {
    let bench = Bench::new();
    bench.report(&[RUN, "--anonymous", "--bundle", "--out", "out"]);
    let scratch = bench.path("scratch");
    fs::create_dir(&scratch).unwrap();
    let opened = amdahl_bundle::open(&bench.path("out.bundle.tar.gz"), &scratch).unwrap();
    let run = read_run(&opened.root.join(&opened.manifest.runs[0].dir)).unwrap();
    let whole = read_run(&bench.path(RUN)).unwrap();
    assert!(run.header.anonymous && run.header.host.name == "anonymous");
    assert_eq!(run.header.host.cpus, whole.header.host.cpus);
    assert_eq!(run.trials.len(), whole.trials.len());
    for ((line, a), (at, b)) in run.trials.iter().zip(&whole.trials) {
        assert_eq!((line, &a.windows, &a.gates, a.seed), (at, &b.windows, &b.gates, b.seed));
    }
}
