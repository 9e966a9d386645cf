//! `amdahl ab --models`: cells that alternate in one process, with a fake worker to the last line, and with the Rust worker from the command line.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use amdahl::ab::models::{Contestant, Duel, Models, Site};
use amdahl::ab::{Settings, judge};
use amdahl::worker::discover::Found;
use amdahl::worker::hello::Hello;
use amdahl::worker::link::{Exit, Launcher, Link, LinkError, WorkerSpec};
use amdahl::worker::wire::Line;
use amdahl_gate::{Report, Verdict};
use amdahl_schema::{Placement, Runtime};
use amdahl_stats::Margins;
use serde_json::Value;

use crate::fake::{Fakes, HONEST, Quiet, Worker};

/// By process, the lines that it was sent.
type Sent = Rc<RefCell<Vec<Vec<Line>>>>;

/// Overhears what workers are told, and changes what they say.
struct Spy<L> {
    inner: L,
    sent: Sent,
    tamper: fn(Line) -> Line,
}

struct Overheard {
    inner: Box<dyn Link>,
    sent: Sent,
    process: usize,
    tamper: fn(Line) -> Line,
}

impl<L: Launcher> Launcher for Spy<L> {
    fn launch(&self, spec: &WorkerSpec) -> Result<Box<dyn Link>, LinkError> {
        let process = self.sent.borrow().len();
        self.sent.borrow_mut().push(Vec::new());
        let (inner, sent) = (self.inner.launch(spec)?, self.sent.clone());
        Ok(Box::new(Overheard { inner, sent, process, tamper: self.tamper }))
    }
}

impl Link for Overheard {
    fn send(&mut self, line: &Line) {
        self.sent.borrow_mut()[self.process].push(line.clone());
        self.inner.send(line);
    }
    fn recv(&mut self, when: &str, timeout: Duration) -> Result<Line, LinkError> {
        self.inner.recv(when, timeout).map(self.tamper)
    }
    fn close_input(&mut self) {
        self.inner.close_input();
    }
    fn root_pid(&self) -> Option<u32> {
        self.inner.root_pid()
    }
    fn finish(&mut self, kill: bool) -> Exit {
        self.inner.finish(kill)
    }
}

fn contestant(features: &[&str], steps: u32) -> Contestant {
    let texts = |all: &[&str]| all.iter().map(|t| (*t).to_owned()).collect();
    let runtime = Runtime {
        id: "fake".to_owned(),
        lang: "fake".to_owned(),
        version: "1".to_owned(),
        path: "-".to_owned(),
        hash: None,
        gil: None,
        details: BTreeMap::new(),
    };
    let hello = Hello {
        workloads: texts(&["cpu"]),
        mechanisms: texts(&["all", "threads"]),
        features: texts(features),
        ..Hello::default()
    };
    let spec = WorkerSpec { argv: vec!["fake".into()], env: Vec::new(), env_pad_bytes: 0 };
    Contestant {
        found: Found { runtime, spec, hello, hello_ns: 1000 },
        model: "fake/all".to_owned(),
        params: [("steps".to_owned(), steps.to_string())].into(),
    }
}

/// A does 100 steps an operation, B as many as it is told.
fn compare(
    features: &[&str],
    steps: u32,
    behave: impl Fn(u32, u32, bool) -> Worker + Clone + 'static,
    tamper: fn(Line) -> Line,
) -> (anyhow::Result<Report>, Sent) {
    let quiet = Quiet::default();
    let sent = Sent::default();
    let inner = Fakes { quiet: quiet.clone(), behave };
    let launcher = Box::new(Spy { inner, sent: sent.clone(), tamper });
    let placement = Placement { policy: "cores".to_owned(), cpus: vec![0, 1], exclusive: true };
    let duel = Duel {
        a: contestant(features, 100),
        b: contestant(features, steps),
        workload: "cpu".to_owned(),
        workers: 2,
        placement,
        margins: Margins { regression: 0.01, equivalence: 0.03 },
        seed: 3,
        gates: true,
    };
    let site = Site { launcher, outside: Box::new(quiet), amdahl: "amdahl".into() };
    let settings = Settings { pairs: None, budget: None, sentinel: true, seed: 3 };
    (judge(&mut Models::new(duel, site), &settings, &mut |_| ()), sent)
}

fn of<'a>(process: &'a [Line], verb: &str) -> Vec<&'a Line> {
    process.iter().filter(|l| l.verb == verb).collect()
}

#[test]
fn a_pair_is_a_process_in_which_slots_alternate_there_and_back() {
    let (report, sent) = compare(&["alternate"], 200, |_, _, _| HONEST, |line| line);
    let report = report.unwrap();
    assert_eq!(report.cells[0].name, "cpu N=2: fake/all steps=100 -> fake/all steps=200");
    assert_eq!(report.verdict(), Verdict::Regressed);
    assert!((report.cells[0].ratio.unwrap().estimate - 0.5).abs() < 1e-9);
    assert!(!report.sentinel.as_ref().unwrap().rejected);
    let sent = sent.borrow();
    assert_eq!(sent.len(), 12, "a process a pair, and the first look is enough");
    let mut b_is = BTreeMap::new();
    for process in sent.iter() {
        let steps: Vec<u32> =
            of(process, "prepare").iter().map(|l| l.num("steps").unwrap()).collect();
        assert_eq!(steps.iter().sum::<u32>(), 400, "A, B and the sentinel: {steps:?}");
        *b_is.entry(steps.iter().position(|s| *s == 200).unwrap()).or_insert(0) += 1;
        let [go] = of(process, "go")[..] else { panic!("{process:?}") };
        assert_eq!(go.req("ids").unwrap(), "1,2,3");
        let order = go.req("order").unwrap();
        let turns = order.len() / 6;
        assert!(turns > 1 && order == "012210".repeat(turns), "{order}");
        assert_eq!(go.req("require").unwrap(), "alternate");
    }
    assert_eq!(b_is.get(&0), b_is.get(&2), "prepared first as often as last");
    assert!(b_is[&0] > 0);
}

#[test]
fn a_slot_that_lies_costs_its_pair_and_says_why() {
    let slots = Rc::new(Cell::new(0));
    let behave = move |w: u32, _: u32, _: bool| {
        slots.set(slots.get() + u32::from(w == 0));
        Worker { lie: u64::from(slots.get() == 8), ..HONEST }
    };
    // Window 1 does not exist in a slot: there it is the tail that lies.
    let (report, sent) = compare(&["alternate"], 100, behave, |line| line);
    let report = report.unwrap();
    let cell = &report.cells[0];
    assert_eq!((cell.pairs, sent.borrow().len()), (12, 13));
    assert!(cell.reasons.iter().any(|r| r.contains("work was lost")), "{:?}", cell.reasons);
    assert_eq!(cell.verdict, Verdict::Equivalent);
}

/// Whoever takes a CPU for the time of a slot takes it from no arm in particular.
#[test]
fn a_turn_in_which_workers_missed_each_other_is_left_out_and_told() {
    let slots = Rc::new(Cell::new(0));
    let behave = move |w: u32, _: u32, _: bool| {
        slots.set(slots.get() + u32::from(w == 0));
        // An operation of 1 s: none is completed in the slot.
        Worker { rate: if slots.get() == 8 && w == 0 { 1.0 } else { HONEST.rate }, ..HONEST }
    };
    let (report, sent) = compare(&["alternate"], 100, behave, |line| line);
    let report = report.unwrap();
    let cell = &report.cells[0];
    assert_eq!((cell.pairs, sent.borrow().len()), (12, 12), "{:?}", cell.reasons);
    assert!(cell.reasons.iter().any(|r| r.starts_with("1 of ")), "{:?}", cell.reasons);
    assert_eq!(cell.verdict, Verdict::Equivalent);
}

#[test]
fn a_worker_that_mixes_up_its_slots_is_not_believed() {
    let tamper = |mut line: Line| {
        for (key, value) in &mut line.pairs {
            if key == "slot" && value == "0" {
                "1".clone_into(value);
            }
        }
        line
    };
    let (report, sent) = compare(&["alternate"], 100, |_, _, _| HONEST, tamper);
    let error = report.unwrap_err().to_string();
    assert!(error.contains("slot 1 is not of cell 1"), "{error}");
    assert_eq!(sent.borrow().len(), 3);
}

#[test]
fn a_worker_that_holds_one_cell_gets_adjacent_trials() {
    let (report, sent) = compare(&[], 200, |_, _, _| HONEST, |line| line);
    let report = report.unwrap();
    assert_eq!(report.verdict(), Verdict::Regressed);
    let sent = sent.borrow();
    assert_eq!(sent.len(), 3 * 12, "A, B and the sentinel, a process each");
    assert!(
        sent.iter().all(|p| of(p, "prepare").len() == 1 && of(p, "go")[0].opt("order").is_none())
    );
    for pair in sent.chunks(3) {
        let b = pair.iter().filter(|p| of(p, "prepare")[0].req("steps").unwrap() == "200").count();
        assert_eq!(b, 1);
    }
}

/// With margins wide enough for a machine on which other tests run.
fn ab(more: &[&str]) -> (Value, Option<i32>) {
    let out = Command::new(env!("CARGO_BIN_EXE_amdahl"))
        .args(["ab", "--models", "rust/threads", "--workload", "cpu", "--no-gates", "--json"])
        .args(["--margin", "10", "--equivalence", "30", "--seed", "7"])
        .args(more)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    let json = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    (json, out.status.code())
}

#[test]
fn the_rust_worker_against_itself_is_not_changed_and_against_twice_the_work_is() {
    let (same, code) = ab(&[]);
    let verdict = same["verdict"].as_str().unwrap();
    assert!(["equivalent", "inconclusive"].contains(&verdict), "{same}");
    assert_eq!(
        (code, &same["cells"][0]["metric"]),
        (Some(0), &Value::from("throughput")),
        "{same}"
    );
    let (slower, code) = ab(&["--a-param", "steps=10000", "--b-param", "steps=20000"]);
    assert_eq!((slower["verdict"].as_str(), code), (Some("regressed"), Some(1)), "{slower}");
    let effect = slower["cells"][0]["effect"]["estimate"].as_f64().unwrap();
    assert!((-0.7..-0.3).contains(&effect), "{slower}");
}

#[test]
fn what_is_not_there_is_an_error_with_the_nearest_name() {
    for (args, says) in [
        (&["--models", "rust/thread", "--workload", "cpu"][..], "did you mean rust/threads"),
        (&["--models", "rust/threads", "--workload", "cpus"], "did you mean cpu"),
        (
            &["--models", "rust/threads", "--workload", "cpu", "--b-param", "step=1"],
            "did you mean steps",
        ),
        (
            &["--models", "rust/threads", "--workload", "lock", "--param", "lock=mutx"],
            "did you mean mutex",
        ),
        (&["--models", "rust/threads", "--workload", "lock"], "--param lock=NAME"),
        (&["--models", "rust/threads", "--workload", "cpu", "--a-param", "steps"], "K=V expected"),
        (&["--models", "rust/threads,rust/tokio,x", "--workload", "cpu"], "two are compared"),
        (&["--models", "rust/threads"], "--workload"),
        (&["--a", "x", "--b", "y", "--workload", "cpu"], "cannot be used with"),
    ] {
        let out = Command::new(env!("CARGO_BIN_EXE_amdahl")).arg("ab").args(args).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(said.contains(says), "{args:?}: {said}");
        assert_eq!(out.status.code(), Some(2), "{args:?}");
    }
}
