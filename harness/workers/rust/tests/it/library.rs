//! The library as a user's own worker links it: closures, stops, failures, a model of one's own.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use amdahl_worker::{
    Carrier, Cell, Crew, Error, Go, Job, Model, Op, Pass, Probe, Program, Report, Stop, Workload,
    serve,
};

/// Runs a whole session in this process and returns the answers.
fn session(program: &Program, input: &str) -> Vec<String> {
    let mut output = Vec::new();
    serve(program, input.as_bytes(), &mut output).unwrap();
    String::from_utf8(output).unwrap().lines().map(str::to_owned).collect()
}

fn release(program: &Program, cell: Cell, go: &Go) -> Result<Vec<Report>, Error> {
    let job = program.job(cell)?;
    let mut crew = program.launch(&job)?;
    crew.release(go)?;
    crew.join()?;
    crew.collect()
}

#[test]
fn a_closure_is_a_workload_with_shared_state_and_parameters() {
    let shared = Arc::new(AtomicU64::new(0));
    let seen = shared.clone();
    let program = Program::new().workload("mine", move |cell: &Cell| {
        let step: u64 = cell.int("step")?.unwrap_or(1);
        let shared = shared.clone();
        Ok(move |w: u32| {
            let shared = shared.clone();
            move |_i: u64| {
                shared.fetch_add(step, Ordering::Relaxed);
                w + 1
            }
        })
    });
    let cell = Cell::new("mine", "threads", 2).with("step", 5);
    let reports = release(&program, cell, &Go::soon(Pass::Throughput, 2, 2_000_000)).unwrap();
    assert_eq!(reports.iter().map(|r| r.w).collect::<Vec<_>>(), [0, 1]);
    for r in &reports {
        assert_eq!(r.total.check, r.total.ops * u64::from(r.w + 1) % amdahl_worker::CHECK_MODULUS);
    }
    let counted: u64 = reports.iter().map(|r| r.total.ops).sum();
    assert!(seen.load(Ordering::Relaxed) >= 5 * counted, "warm-up comes on top");
    assert!(program.job(Cell::new("mine", "threads", 1).with("step", "x")).is_err());
}

/// Ends as told in the operation of this number, of the second release.
struct Ends(u64, How);

type How = fn() -> Result<u32, Stop>;

impl Workload for Ends {
    type Op = Ending;

    fn op(&self, _: u32) -> Result<Ending, Error> {
        Ok(Ending { at: self.0, how: self.1, releases: 0 })
    }
}

struct Ending {
    at: u64,
    how: How,
    releases: u32,
}

impl Op for Ending {
    fn run(&mut self, i: u64) -> Result<u32, Stop> {
        self.releases += u32::from(i == 0);
        // The first "release" is the warm-up.
        if self.releases > 1 && i == self.at { (self.how)() } else { Ok(1) }
    }
}

fn ending(how: How) -> Program {
    Program::new().workload("ends", move |_| Ok(Ends(3, how)))
}

#[test]
fn no_work_left_ends_the_loop_and_is_no_error() {
    let program = ending(|| Err(Stop::NoWorkLeft));
    // Windows so long that no delay of a thread reaches their ends.
    let go = Go::soon(Pass::Throughput, 2, 100_000_000_000);
    let reports = release(&program, Cell::new("ends", "threads", 2), &go).unwrap();
    assert_eq!(reports.len(), 2);
    for r in reports {
        assert_eq!((r.total.ops, r.total.check), (3, 3));
        let last = r.intervals.last().unwrap();
        assert_eq!(last.last_ns, None, "it was left");
        assert!(r.intervals.iter().rev().skip(1).all(|x| x.last_ns.is_some()));
        assert!(r.total.ended_ns >= last.first_ns);
    }
}

#[test]
fn failures_and_panics_are_answers_and_the_worker_goes_on() {
    let failures: [(How, &str); 2] = [
        (|| Err(Stop::Failed("out of luck".into())), "operation%203:%20out%20of%20luck"),
        (|| panic!("no such luck"), "panicked:%20no%20such%20luck"),
    ];
    for (how, words) in failures {
        let answers = session(
            &ending(how),
            "prepare id=1 workload=ends mechanism=threads workers=2\n\
             go id=1 start_ns=1 window_ns=100000000000000000 windows=1\n\
             go id=1 start_ns=1 window_ns=1 windows=1\n\
             ping n=1\n",
        );
        assert!(answers[0].starts_with("ready id=1"), "{answers:?}");
        assert!(answers[1].starts_with("error id=1 phase=go kind=internal"), "{answers:?}");
        assert!(answers[1].contains(words), "{answers:?}");
        assert!(answers[2].contains("kind=unsupported"), "the cell is given up: {answers:?}");
        assert!(answers[3].starts_with("pong n=1"), "{answers:?}");
    }
}

#[test]
fn a_worker_that_can_not_be_made_is_an_answer() {
    let program = Program::new().workload("never", |_| {
        Ok(|w: u32| {
            assert!(w == 0, "only worker 0 can be made");
            |_i: u64| 1
        })
    });
    let answers =
        session(&program, "prepare id=1 workload=never mechanism=threads workers=3\nping\n");
    assert!(answers[0].starts_with("error id=1 phase=prepare kind=internal"), "{answers:?}");
    assert!(answers[0].contains("only%20worker%200"), "{answers:?}");
    assert_eq!(answers.len(), 2);
}

/// Worker 0 waits inside its operation for worker 1, which can't be made.
struct WaitsForAnother(Arc<AtomicU32>);

impl Workload for WaitsForAnother {
    type Op = WaitingOp;

    fn op(&self, w: u32) -> Result<WaitingOp, Error> {
        match w {
            0 => Ok(WaitingOp(self.0.clone())),
            _ => Err(Error::other("only worker 0 can be made")),
        }
    }

    fn abandon(&self) {
        self.0.store(1, Ordering::Relaxed);
    }
}

struct WaitingOp(Arc<AtomicU32>);

impl Op for WaitingOp {
    fn run(&mut self, _: u64) -> Result<u32, Stop> {
        while self.0.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        Err(Stop::Failed("the other is gone".to_owned()))
    }
}

#[test]
fn who_waits_for_a_worker_that_can_not_be_made_is_let_go() {
    let program = Program::new().workload("waits", |_| Ok(WaitsForAnother(Arc::default())));
    let answers =
        session(&program, "prepare id=1 workload=waits mechanism=threads workers=2\nping\n");
    assert!(answers[0].starts_with("error id=1 phase=prepare kind=internal"), "{answers:?}");
    assert!(answers[1].starts_with("pong"), "{answers:?}");
}

/// A worker of a pool keeps no thread: where another is idle, it takes the next operation now and then.
#[test]
fn work_is_stolen_from_a_pool_s_threads() {
    for mechanism in ["rayon", "tokio"] {
        let seen = Arc::new(Mutex::new(HashSet::new()));
        let stolen = (0..50).any(|_| {
            seen.lock().unwrap().clear();
            let shared = seen.clone();
            let program = Program::new().workload("who", move |_| {
                let shared = shared.clone();
                Ok(move |w: u32| {
                    let shared = shared.clone();
                    move |_i: u64| {
                        // Worker 0 blocks its thread, which may find the other's job before its
                        // own when it wakes.
                        match w {
                            0 => std::thread::sleep(Duration::from_micros(200)),
                            _ => drop(shared.lock().unwrap().insert(std::thread::current().id())),
                        }
                        1
                    }
                })
            });
            let go = Go::soon(Pass::Throughput, 2, 10_000_000);
            release(&program, Cell::new("who", mechanism, 2), &go).unwrap();
            seen.lock().unwrap().len() > 1
        });
        assert!(stolen, "{mechanism}: worker 1 never left its thread");
    }
}

#[test]
fn a_failure_on_a_pool_is_an_answer_too() {
    for mechanism in ["rayon", "tokio"] {
        // The warm-up is two releases here, and the second so short that a late worker may do one operation of it.
        let ends = |_: &_| Ok(Ends(0, || panic!("no such luck")));
        let answers = session(
            &Program::new().workload("ends", ends),
            &format!("prepare id=1 workload=ends mechanism={mechanism} workers=2\nping\n"),
        );
        assert!(answers[0].starts_with("error id=1 phase=prepare kind=internal"), "{answers:?}");
        assert!(answers[0].contains("panicked:%20no%20such%20luck"), "{answers:?}");
        assert!(answers[1].starts_with("pong"), "{answers:?}");
    }
}

#[test]
fn no_work_left_on_a_pool_ends_one_worker_and_is_no_error() {
    for mechanism in ["rayon", "tokio"] {
        let program = Program::new().workload("ends", |_| Ok(Ends(3, || Err(Stop::NoWorkLeft))));
        let go = Go::soon(Pass::Throughput, 2, 100_000_000_000);
        let reports = release(&program, Cell::new("ends", mechanism, 2), &go).unwrap();
        for r in reports {
            assert_eq!((r.total.ops, r.intervals.last().unwrap().last_ns), (3, None));
        }
    }
}

/// A model of one's own: all workers by turns on the caller's thread.
struct ByTurns(Arc<AtomicU32>);

impl Model for ByTurns {
    fn mechanism(&self) -> &'static str {
        "by-turns"
    }

    fn launch(&self, job: &Arc<Job>) -> Result<Box<dyn Crew>, Error> {
        let probes = job.cell().worker_numbers().map(|w| job.probe(w)).collect::<Result<_, _>>()?;
        let mut turns =
            Turns { probes, reports: Vec::new(), go: None, joined: self.0.clone(), op_ns: None };
        for probe in &mut turns.probes {
            turns.op_ns = probe.warm()?;
        }
        Ok(Box::new(turns))
    }
}

struct Turns {
    probes: Vec<Probe>,
    reports: Vec<Report>,
    go: Option<Go>,
    joined: Arc<AtomicU32>,
    op_ns: Option<u64>,
}

impl Crew for Turns {
    fn carriers(&self) -> &[Carrier] {
        &[]
    }

    fn op_ns(&self) -> Option<u64> {
        self.op_ns
    }

    fn release(&mut self, go: &Go) -> Result<(), Error> {
        self.go = Some(go.clone());
        Ok(())
    }

    fn join(&mut self) -> Result<(), Error> {
        if let Some(go) = self.go.take() {
            for probe in &mut self.probes {
                self.reports.push(probe.run(&go)?);
            }
        }
        self.joined.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn collect(&mut self) -> Result<Vec<Report>, Error> {
        Ok(std::mem::take(&mut self.reports))
    }
}

#[test]
fn a_model_of_ones_own_serves_the_same_protocol() {
    let joined = Arc::new(AtomicU32::new(0));
    let program = Program::new().model(ByTurns(joined.clone()));
    let answers = session(
        &program,
        "hello v=1\nprepare id=1 workload=cpu mechanism=by-turns workers=2 steps=10\n\
         go id=1 start_ns=1 window_ns=1000 windows=1\ncollect id=1\n",
    );
    assert!(
        answers[0].contains("mechanisms=threads,processes,rayon,tokio,by-turns"),
        "{answers:?}"
    );
    assert!(answers[1].starts_with("ready id=1 carriers= setup_ns="), "{answers:?}");
    assert_eq!(answers[2], "stopped id=1");
    assert_eq!(answers.iter().filter(|a| a.starts_with("total id=1")).count(), 2);
    assert_eq!(answers.last().unwrap(), "done id=1");
    assert_eq!(joined.load(Ordering::Relaxed), 1);
}
