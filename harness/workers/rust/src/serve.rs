//! The protocol's loop: reads commands, answers them. `PROTOCOL.md` is the law.
//!
//! It knows neither workloads nor models by name; those are the program's.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::sync::Arc;

use crate::cell::Cell;
use crate::clock;
use crate::error::Error;
use crate::go::Go;
use crate::model::{Crew, Job};
use crate::program::Program;
use crate::timer::Stopwatch;
use crate::wire::{self, Line};

const VERSION: &str = "1";

/// What `require=` may ask for.
const FEATURES: [&str; 2] = ["alternate", "spans"];

/// How long before the start a worker wants to see `go`: time to wake, and to allocate and touch what
/// is recorded into.
const LEAD_NS: u64 = 10_000_000;

/// Serves until `quit` or the end of the input.
///
/// # Errors
/// If reading or writing fails. What a command asks for in vain is an answer, not an error.
pub fn serve(program: &Program, mut input: impl BufRead, output: impl Write) -> Result<(), Error> {
    let mut session = Session { program, output, cells: BTreeMap::new() };
    while let Some(line) = wire::read_line(&mut input).map_err(Error::Harness)? {
        match line {
            Ok(line) if line.verb() == "quit" => break,
            Ok(line) => session.answer(&line)?,
            Err(error) => session.error(&Line::new("line"), &error.into())?,
        }
        session.output.flush().map_err(Error::Harness)?;
    }
    Ok(())
}

struct Session<'a, W> {
    program: &'a Program,
    output: W,
    cells: BTreeMap<u64, Prepared>,
}

/// A cell whose workers are parked.
struct Prepared {
    job: Arc<Job>,
    crew: Box<dyn Crew>,
    /// What the workers recorded together in the releases since the last `collect`.
    common: Vec<Line>,
}

/// A `go` or `collect` line's cells.
struct Ids {
    all: Vec<u64>,
    /// `ids=` was used: the answers name all.
    several: bool,
}

impl<W: Write> Session<'_, W> {
    fn answer(&mut self, line: &Line) -> Result<(), Error> {
        let done = require(line).and_then(|()| match line.verb() {
            "hello" => self.hello(line),
            "ping" => self.ping(line),
            "prepare" => self.prepare(line),
            "go" => self.go(line),
            "collect" => self.collect(line),
            verb => Err(Error::Unknown {
                what: "verb",
                name: verb.to_owned(),
                known: ["hello", "ping", "prepare", "go", "collect", "quit"]
                    .map(str::to_owned)
                    .to_vec(),
            }),
        });
        match done {
            // Not an answer that failed, but the pipe that carries it.
            Err(Error::Harness(e)) => Err(Error::Harness(e)),
            Err(error) => self.error(line, &error),
            Ok(()) => Ok(()),
        }
    }

    fn say(&mut self, line: &Line) -> Result<(), Error> {
        writeln!(self.output, "{line}").map_err(Error::Harness)
    }

    fn error(&mut self, of: &Line, error: &Error) -> Result<(), Error> {
        let line = Line::new("error")
            .with_some("id", of.text("id"))
            .with_some("ids", of.text("ids"))
            .with("phase", of.verb())
            .with("kind", error.kind().name())
            .with("msg", error);
        self.say(&line)
    }

    fn hello(&mut self, line: &Line) -> Result<(), Error> {
        if line.text("v") != Some(VERSION) {
            return Err(Error::Unknown {
                what: "protocol version",
                name: line.text("v").unwrap_or("(none)").to_owned(),
                known: vec![VERSION.to_owned()],
            });
        }
        let stopwatch = Stopwatch::detect();
        let except = wire::join(self.program.exceptions().iter().map(|(m, w)| format!("{m}:{w}")));
        let answer = Line::new("hello")
            .with("v", VERSION)
            .with("lang", "rust")
            .with("runtime", env!("AMDAHL_RUSTC_VERSION"))
            .with("pid", std::process::id())
            .with("clock", "CLOCK_MONOTONIC")
            .with("res_ns", clock::resolution_ns())
            .with("timer", stopwatch.name())
            .with("timer_cost_ps", stopwatch.cost_ps())
            .with("lead_ns", LEAD_NS)
            .with("workloads", self.program.workload_names().join(","))
            .with("mechanisms", self.program.mechanisms().join(","))
            .with("locks", self.program.lock_names().join(","))
            .with_some("except", (!except.is_empty()).then_some(except))
            .with("features", FEATURES.join(","))
            .with("worker", env!("CARGO_PKG_VERSION"))
            .with("target", env!("AMDAHL_TARGET"))
            .with("opt_level", env!("AMDAHL_OPT_LEVEL"))
            .with_some("rayon", option_env!("AMDAHL_RAYON_VERSION"))
            .with_some("tokio", option_env!("AMDAHL_TOKIO_VERSION"));
        self.say(&answer)
    }

    fn ping(&mut self, line: &Line) -> Result<(), Error> {
        self.say(&Line::new("pong").with_some("n", line.text("n")).with("now_ns", clock::now_ns()))
    }

    fn prepare(&mut self, line: &Line) -> Result<(), Error> {
        let begin = clock::now_ns();
        let cell = Cell::parse(line)?;
        let id = cell.id;
        self.cells.remove(&id);
        let job = self.program.job(cell)?;
        let crew = self.program.launch(&job)?;
        let carriers = crew.carriers();
        let map = carriers.iter().filter_map(|c| Some(format!("{}:{}", c.w?, c.tid)));
        let map = wire::join(map);
        let mut ready = Line::new("ready")
            .with("id", id)
            .with("carriers", wire::join(carriers.iter().map(|c| c.tid)))
            .with_some("map", (!map.is_empty()).then_some(map))
            .with("setup_ns", clock::now_ns() - begin)
            .with_some("op_ns", crew.op_ns());
        for (key, value) in job.chosen() {
            ready = ready.with(key, value);
        }
        self.cells.insert(id, Prepared { job, crew, common: Vec::new() });
        self.say(&ready)
    }

    fn go(&mut self, line: &Line) -> Result<(), Error> {
        let ids = self.ids(line)?;
        for (id, go) in slots(line, &ids)? {
            let cell = self.cells.get_mut(&id).ok_or(Error::NoCell { id })?;
            cell.job.begin(&go);
            if let Err(error) = cell.crew.release(&go).and_then(|()| cell.crew.join()) {
                self.cells.remove(&id);
                return Err(error);
            }
            let of_slot = |line: Line| line.with("id", id).with_some("slot", go.slot);
            cell.common.extend(cell.job.end(&go).into_iter().map(of_slot));
        }
        self.say(&ids.named("stopped"))
    }

    fn collect(&mut self, line: &Line) -> Result<(), Error> {
        let ids = self.ids(line)?;
        for &id in &ids.all {
            let cell = self.cells.get_mut(&id).ok_or(Error::NoCell { id })?;
            match cell.crew.collect() {
                Ok(reports) => {
                    let usage = cell.crew.carrier_usage();
                    let common = std::mem::take(&mut cell.common);
                    let lines = reports.iter().flat_map(|report| report.lines(id));
                    for line in lines.chain(usage.iter().map(|x| x.line(id))).chain(common) {
                        self.say(&line)?;
                    }
                }
                Err(error) => {
                    self.cells.remove(&id);
                    return Err(error);
                }
            }
        }
        self.say(&ids.named("done"))
    }

    /// The cells of a line; all of them are prepared.
    fn ids(&self, line: &Line) -> Result<Ids, Error> {
        let several = line.text("ids").is_some();
        let all: Vec<u64> = if several {
            let bad = |id: &str| Error::BadValue {
                key: "ids".to_owned(),
                value: id.to_owned(),
                expected: "a list of decimal integers".into(),
            };
            line.list("ids").map(|id| id.parse().map_err(|_| bad(id))).collect::<Result<_, _>>()?
        } else {
            vec![line.required("id")?]
        };
        match all.iter().find(|id| !self.cells.contains_key(id)) {
            Some(&id) => Err(Error::NoCell { id }),
            None => Ok(Ids { all, several }),
        }
    }
}

impl Ids {
    /// `stopped` or `done` of these cells.
    fn named(&self, verb: &str) -> Line {
        let key = if self.several { "ids" } else { "id" };
        Line::new(verb).with(key, wire::join(&self.all))
    }
}

fn require(line: &Line) -> Result<(), Error> {
    match line.list("require").find(|feature| !FEATURES.contains(feature)) {
        None => Ok(()),
        Some(feature) => Err(Error::Unknown {
            what: "feature",
            name: feature.to_owned(),
            known: FEATURES.map(str::to_owned).to_vec(),
        }),
    }
}

/// Which cell runs when: one release, or the slots of an alternation.
fn slots(line: &Line, ids: &Ids) -> Result<Vec<(u64, Go)>, Error> {
    let go = Go::parse(line)?;
    if !ids.several {
        return Ok(vec![(ids.all[0], go)]);
    }
    let gap_ns = line.int("gap_ns")?.unwrap_or(0);
    let order = line.text("order").unwrap_or_default();
    let bad = |key: &str, expected: &'static str| Error::BadValue {
        key: key.to_owned(),
        value: line.text(key).unwrap_or_default().to_owned(),
        expected: expected.into(),
    };
    if order.is_empty() {
        return Err(bad("order", "a row of digits, each the position of a cell in ids="));
    }
    let mut slots = Vec::new();
    for (slot, digit) in (0..).zip(order.chars()) {
        let position = digit.to_digit(10).and_then(|d| ids.all.get(d as usize));
        let id = position
            .ok_or_else(|| bad("order", "a row of digits, each the position of a cell in ids="))?;
        let go =
            go.in_slot(slot, gap_ns).ok_or_else(|| bad("gap_ns", "short enough for the clock"))?;
        slots.push((*id, go));
    }
    Ok(slots)
}
