use super::*;
use crate::go::Pass;
use crate::program::Program;
use crate::report::Report;

fn cell(lock: &str, workers: u32) -> Cell {
    Cell::new("lock", "threads", workers).with("lock", lock).with("steps", 400)
}

/// One release, and what it left.
struct Released {
    reports: Vec<Report>,
    lines: Vec<Line>,
}

fn release(program: &Program, cell: Cell, pass: Pass) -> Result<Released, Error> {
    let job = program.job(cell)?;
    let mut crew = program.launch(&job)?;
    let go = Go::soon(pass, 2, 8_000_000);
    job.begin(&go);
    crew.release(&go)?;
    crew.join()?;
    let lines = job.end(&go);
    Ok(Released { reports: crew.collect()?, lines })
}

impl Released {
    fn guarded(&self) -> u64 {
        self.line("guard").unwrap().required("count").unwrap()
    }

    fn line(&self, verb: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.verb() == verb)
    }

    /// Additions that were made.
    fn writes(&self, readers: u64) -> u64 {
        let of = |r: &Report| (0..r.total.ops).filter(|i| i * 617 % 1000 >= readers).count() as u64;
        self.reports.iter().map(of).sum()
    }

    fn n(&self, r: &Report, name: &str) -> u64 {
        r.hists.iter().filter(|h| h.name == name).map(|h| h.n).sum()
    }
}

fn numbers(line: &Line, key: &str) -> Vec<u64> {
    line.list(key).map(|t| t.parse().unwrap()).collect()
}

/// Also more workers than CPUs, readers, several locks that share lines.
#[test]
fn every_lock_excludes_and_says_what_was_waited_for() {
    let program = Program::new();
    let names = program.lock_names();
    assert!(names.len() >= 16, "{names:?}");
    for (k, lock) in names.iter().enumerate() {
        for (workers, readers, locks, layout) in
            [(1, 0, 1, "padded"), (2, 0, 1, "padded"), (6, 500, 3, "packed")]
        {
            let cell = cell(lock, workers)
                .with("readers", readers)
                .with("locks", locks)
                .with("layout", layout);
            let pass = if k % 2 == 0 { Pass::Latency } else { Pass::Throughput };
            for pass in [pass, Pass::Latency] {
                let released = release(&program, cell.clone(), pass).unwrap();
                assert_eq!(released.guarded(), released.writes(readers), "{lock} {workers}");
                if pass == Pass::Throughput {
                    assert!(released.reports.iter().all(|r| r.hists.is_empty()), "{lock}");
                    assert!(released.line("owners").is_none());
                } else {
                    acquisitions(&released, lock, workers);
                }
            }
        }
    }
}

fn acquisitions(released: &Released, lock: &str, workers: u32) {
    let held = !["atomic", "sharded", "map_papaya", "map_sharded"].contains(&lock);
    for r in &released.reports {
        let n = |name| released.n(r, name);
        assert_eq!(n("op"), n("wait") + n("read_wait"), "{lock}");
        assert_eq!(n("hold") + n("read_hold"), if held { n("op") } else { 0 }, "{lock}");
        assert!(n("handoff") <= n("wait"), "{lock}");
        assert!(workers > 1 || n("handoff") == 0, "{lock}: alone, nobody hands over");
    }
    let owners = released.line("owners");
    // Where workers outnumber the CPUs of a busy machine, nobody may have come to the first of three locks.
    let sure = workers <= 2 && released.reports.iter().any(|r| released.n(r, "hold") > 0);
    assert!(owners.is_some() || !sure, "{lock}");
    assert!(owners.is_none() || held, "{lock}: it has no owners");
    let Some(owners) = owners else { return };
    let lists = ["w", "gap", "wait", "hold"].map(|key| numbers(owners, key));
    let [w, gap, _, hold] = &lists;
    assert!((1..=4096).contains(&w.len()) && lists.iter().all(|l| l.len() == w.len()), "{lock}");
    assert!(w.iter().all(|w| *w < u64::from(workers)));
    // Nobody has it before the one before began to give it away; a nanosecond is lost by rounding.
    assert!(gap.iter().skip(1).zip(hold).all(|(gap, hold)| gap + 2 >= *hold), "{lock}");
}

/// Neither keeps anybody out.
#[derive(Debug, Default)]
struct Open;

impl Lock for Open {
    fn with<R>(&self, inside: impl FnOnce() -> R) -> R {
        inside()
    }
}

#[test]
fn a_lock_that_does_not_exclude_loses_additions_and_shows_readers_what_changes() {
    let program = Program::new().lock("open", Open::default);
    let always = |readers: u64| cell("open", 2).with("permille", 1000).with("readers", readers);
    let lost = (0..50).any(|_| {
        let released = release(&program, always(0), Pass::Throughput).unwrap();
        released.guarded() < released.writes(0)
    });
    assert!(lost, "two at once, and not one addition lost");
    let seen = (0..50).find_map(|_| release(&program, always(500), Pass::Throughput).err());
    let error = seen.expect("a reader that never saw a writer");
    assert_eq!(error.kind().name(), "checksum");
    assert!(error.to_string().contains("does not exclude"), "{error}");
}

/// Additions to one key at once lose one of them; key 7 goes when it is read.
#[derive(Debug)]
struct Lossy(Box<[AtomicU64]>);

impl map::Map for Lossy {
    fn new() -> Self {
        Self((0..1024).map(|_| AtomicU64::new(0)).collect())
    }

    fn get(&self, key: u64) -> Option<u64> {
        (key != 7).then(|| self.0[key as usize].load(Ordering::Relaxed))
    }

    fn add(&self, _: u64) {
        let n = self.0[0].load(Ordering::Relaxed);
        std::hint::black_box(minstd(1, 100));
        self.0[0].store(n + 1, Ordering::Relaxed);
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|n| n.load(Ordering::Relaxed)).sum()
    }
}

#[test]
fn a_map_that_loses_what_was_written_or_was_there_is_found_out() {
    let program = Program::new().map::<Lossy>("lossy");
    let lost = (0..50).any(|_| {
        let released = release(&program, cell("lossy", 2), Pass::Throughput).unwrap();
        released.guarded() < released.writes(0)
    });
    assert!(lost, "two at once, and not one addition lost");
    let missed = release(&program, cell("lossy", 1).with("readers", 1000), Pass::Throughput);
    let error = missed.err().expect("a reader that never looked for key 7");
    assert_eq!(error.kind().name(), "checksum");
    assert!(error.to_string().contains("did not find"), "{error}");
}

#[test]
fn a_bare_counter_reads_the_clock_as_seldom_as_noop() {
    let job = |steps: u64| {
        let cell = Cell::new("lock", "threads", 1).with("lock", "atomic").with("steps", steps);
        let released = release(&Program::new(), cell, Pass::Throughput).unwrap();
        released.reports[0].total.ops
    };
    assert!(job(0).is_multiple_of(1024), "a batch is done to its end");
    assert!(job(400) > 0);
}

#[test]
fn every_share_gives_the_result_of_cpu() {
    for permille in [0, 1, 333, 1000] {
        let cell = Cell::new("lock", "threads", 1).with("steps", 10_000).with("permille", permille);
        let shape = Shape::of(&cell).unwrap();
        assert_eq!(shape.inside, 10 * permille);
        let mut op = Locked::new(shape, vec![Open]).op(0).unwrap();
        assert_eq!(op.run(0).unwrap(), 399_268_537, "{permille}");
        assert_eq!(op.run_timed(0).unwrap(), 399_268_537, "{permille}");
    }
}

#[test]
fn a_bare_lock_shares_its_clock_readings() {
    assert_eq!(Shape::of(&cell("mutex", 1)).unwrap().batch(), 1);
    let bare = Cell::new("lock", "threads", 1).with("lock", "mutex").with("steps", 0);
    let bare = Shape::of(&bare).unwrap();
    assert_eq!((bare.batch(), bare.steps()), (BATCH, 0));
    assert!(bare.chosen().contains(&("batch", BATCH)));
}

#[test]
fn workers_spread_over_several_locks() {
    let mut choice = Choice::of(3);
    let mut hits = [0; 4];
    (0..4000).for_each(|_| hits[choice.next(4)] += 1);
    assert!(hits.iter().all(|n| (900..1100).contains(n)), "{hits:?}");
    assert_eq!(choice.next(1), 0);
}

#[test]
fn nonsense_is_refused_with_what_there_is() {
    let program = Program::new();
    let plain = || Cell::new("lock", "threads", 1);
    let refused = |cell: Cell, says: &str| {
        let error = program.job(cell).unwrap_err();
        assert_eq!(error.kind().name(), "unsupported", "{error}");
        assert!(error.to_string().contains(says), "{error}");
    };
    refused(plain(), "needs lock=");
    refused(plain().with("lock", "padlock"), "this worker knows mutex, rwlock");
    for (key, value) in [
        ("permille", "1001"),
        ("readers", "1001"),
        ("locks", "0"),
        ("locks", "65537"),
        ("layout", "loose"),
    ] {
        refused(plain().with("lock", "mutex").with(key, value), &format!("{key}={value}"));
    }
    let error =
        program.launch(&program.job(Cell::new("lock", "rayon", 1).with("lock", "mutex")).unwrap());
    assert!(error.err().unwrap().to_string().contains("not offered with rayon"));
}

#[test]
fn a_library_that_is_none_says_what_it_lacks() {
    let none = |path: &str| {
        let program = Program::new().lock_library("mine", path);
        program.job(cell("mine", 1)).unwrap_err().to_string()
    };
    let gone = none("/nowhere/lock.so");
    assert!(gone.contains("lock `mine`: can't be loaded") && gone.contains("/nowhere"), "{gone}");
    let libc = none("libc.so.6");
    assert!(libc.contains("libc.so.6 has no `lock_size`"), "{libc}");
}
