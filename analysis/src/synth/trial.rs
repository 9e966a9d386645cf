//! One synthetic trial: windows, totals, carriers, histograms, spans and counters that agree with
//! each other.

use amdahl_schema::{
    Absence, Arm, Carrier, Counter, CounterValue, CpuSpeed, Gates, Histogram, Outcome, Pass,
    PlannedBlock, PlannedTrial, ProcDelta, Span, Stage, Trial, Window, WorkerTotal,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

use super::pace::{CPU_OP_NS, Pace, TIMER_NS, pace};
use super::{Behaviour, Model, Noise, Spec};

/// Length of a window.
pub(super) const WINDOW_NS: u64 = 40_000_000;
/// Windows of a trial.
pub(super) const WINDOWS: u32 = 5;
/// After so long the lock changes hands.
const SWITCH_NS: u64 = 5_000_000;
/// Recorded operations of a timeline.
const SPANS: usize = 160;

pub(super) fn make(
    spec: &Spec,
    model: &Model,
    block: &PlannedBlock,
    planned: &PlannedTrial,
    order: u32,
    noise: &mut Noise,
) -> Trial {
    let start_ns = 1_000_000_000_000 + planned.seq * 1_000_000_000;
    let pace = pace(spec, model, block, planned, noise);
    let mut trial = bare(block, planned, order, start_ns, model.gil);
    trial.params.extend(pace.chosen.clone());
    for w in 0..planned.workers {
        work(&mut trial, w, &pace, start_ns, noise);
    }
    trial.carriers = carriers(&trial, planned);
    match planned.pass {
        Pass::Throughput if block.workload == "micro" => trial.counters = memory(model),
        Pass::Throughput => {}
        Pass::Latency => {
            trial.histograms = histograms(&trial, model, &pace, planned, noise);
            if block.workload == "lock" {
                super::lock::record(&mut trial, block, noise);
            }
            trial.spans = spans(&trial.workload, model, &pace, planned, noise);
        }
        Pass::Counters => trial.counters = counters(&trial),
    }
    trial
}

/// A worker's windows and total: its operation k ends at its start + k times its pace.
fn work(trial: &mut Trial, w: u32, pace: &Pace, start_ns: u64, noise: &mut Noise) {
    let op = pace.op_ns * noise.factor(0.002);
    let entered = start_ns + (noise.unit() * 50_000.0) as u64;
    let boundary = |i: i64| (start_ns as i64 + (i + 1) * WINDOW_NS as i64) as u64;
    let crossing = |at: u64| {
        let k = ((at.saturating_sub(entered)) as f64 / op).ceil();
        (k as u64, entered + (k * op) as u64)
    };
    let windows = i64::from(WINDOWS);
    for i in -1..=windows {
        let from = if i == -1 { (0, entered) } else { crossing(boundary(i)) };
        let to = crossing(boundary(i + 1));
        let span = (to.1 - from.1) as f64;
        trial.windows.push(Window {
            i: i as i32,
            w,
            tail: i == windows,
            ops: to.0 - from.0,
            check: (to.0 - from.0) % 2_147_483_647,
            first_ns: Some(from.1),
            last_ns: Some(to.1),
            cpu_ns: Some((span * pace.cpu_share) as u64),
            delay_ns: Some((span * pace.delay_share) as u64),
            vcsw: Some(1),
            ivcsw: Some(0),
            idle_ns: None,
            cpu: Some(w),
        });
    }
    let end = crossing(boundary(windows + 1));
    trial.totals.push(WorkerTotal {
        w,
        ops: end.0,
        check: end.0 % 2_147_483_647,
        started_ns: entered,
        ended_ns: end.1,
        entered_ns: None,
    });
}

fn bare(
    block: &PlannedBlock,
    planned: &PlannedTrial,
    order: u32,
    start_ns: u64,
    gil: Option<bool>,
) -> Trial {
    let wall_ns = WINDOW_NS * u64::from(WINDOWS + 2);
    Trial {
        seq: planned.seq,
        block: block.block,
        order,
        model: block.model.clone(),
        workload: block.workload.clone(),
        workers: planned.workers,
        arm: planned.arm,
        pass: planned.pass,
        counter_set: planned.counter_set,
        stage: Stage::Measure,
        params: block.params.clone(),
        seed: planned.seed,
        env_pad_bytes: planned.env_pad_bytes,
        placement: planned.placement.clone(),
        outcome: Outcome::ok(),
        started_unix_ms: 1_767_323_045_000 + planned.seq * 1000,
        trial_wall_ns: wall_ns + 30_000_000,
        spawn_ns: Some(20_000_000 + planned.seq % 7 * 100_000),
        setup_ns: Some((1 + u64::from(planned.workers)) * 500_000 + planned.seq % 5 * 10_000),
        start_ns: Some(start_ns),
        window_ns: WINDOW_NS,
        ramp_ns: WINDOW_NS,
        tail_ns: WINDOW_NS,
        windows_n: WINDOWS,
        gil: gil.filter(|_| planned.arm == Arm::Model),
        turns: None,
        timer_cost_ps: Some(TIMER_NS as u64 * 1000 + planned.seq % 3 * 500),
        timer: Some("tsc".to_owned()),
        windows: Vec::new(),
        totals: Vec::new(),
        carriers: Vec::new(),
        counters: Vec::new(),
        histograms: Vec::new(),
        spans: Vec::new(),
        guarded: None,
        owners: None,
        gates: Gates {
            wall_ns,
            cpus: 2,
            busy_ticks: Some(wall_ns / 10_000_000),
            steal_ticks: Some(0),
            own_ns: Some(wall_ns),
            throttled_ns: Some(0),
            freq_khz: None,
            speed: planned.placement.cpus.iter().map(|cpu| speed(*cpu, planned.seq)).collect(),
            settle_ns: Some(2_000_000),
        },
        flags: Vec::new(),
    }
}

/// One trial in sixteen meets a slow CPU; the first eight have no usual speed yet.
fn speed(cpu: u32, seq: u64) -> CpuSpeed {
    let slow = cpu == 0 && seq % 16 == 11;
    CpuSpeed {
        cpu,
        usual_ps: (seq >= 8).then_some(25_000),
        before_ps: 25_100,
        after_ps: Some(if slow { 29_000 } else { 25_000 }),
    }
}

fn carriers(trial: &Trial, planned: &PlannedTrial) -> Vec<Carrier> {
    let of = |w: u32| {
        let cpu_ns = trial.windows.iter().filter(|x| x.w == w).filter_map(|x| x.cpu_ns).sum();
        Carrier {
            tid: 1000 + w,
            w: Some(w),
            pinned: planned.placement.cpus.get(w as usize).copied(),
            proc: ProcDelta { cpu_ns: Some(cpu_ns), vcsw: Some(7), ..ProcDelta::default() },
            windows: Vec::new(),
        }
    };
    (0..planned.workers).map(of).collect()
}

pub(super) fn takes_turns(model: &Model, planned: &PlannedTrial) -> bool {
    model.behaviour == Behaviour::OneAtATime && planned.arm == Arm::Model && planned.workers > 1
}

fn histograms(
    trial: &Trial,
    model: &Model,
    pace: &Pace,
    planned: &PlannedTrial,
    noise: &mut Noise,
) -> Vec<Histogram> {
    let turns = takes_turns(model, planned) && trial.workload == "cpu";
    let base = if turns { CPU_OP_NS } else { pace.op_ns };
    let of = |w: u32| {
        let n =
            trial.windows.iter().filter(|x| x.w == w && x.i >= 0 && !x.tail).map(|x| x.ops).sum();
        let mut h = hdrhistogram::Histogram::<u64>::new(3).expect("three digits are allowed");
        let (mut min, mut max, mut sum) = (u64::MAX, 0, 0);
        for k in 0..n {
            let mut ns = base * (1.0 + 0.02 * noise.unit().powi(3) * 10.0);
            if turns && k % 50 == 0 {
                ns += (SWITCH_NS * u64::from(planned.workers - 1)) as f64 * noise.factor(0.02);
            }
            let v = ns as u64;
            h.record(v).expect("the histogram resizes itself");
            (min, max, sum) = (min.min(v), max.max(v), sum + v);
        }
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&h, &mut bytes).expect("writes into memory");
        let (name, unit) = ("op".to_owned(), "ns".to_owned());
        Histogram { name, unit, i: None, w: Some(w), n, min, max, sum, hdr: STANDARD.encode(bytes) }
    };
    (0..planned.workers).map(of).collect()
}

fn spans(
    workload: &str,
    model: &Model,
    pace: &Pace,
    planned: &PlannedTrial,
    noise: &mut Noise,
) -> Vec<Span> {
    let turns = takes_turns(model, planned) && workload == "cpu";
    let n = u64::from(planned.workers);
    let of = |w: u32| {
        let mut t = (noise.unit() * 1000.0) as u64;
        let mut t_ns = Vec::with_capacity(SPANS);
        while t_ns.len() < SPANS {
            t += (if turns { CPU_OP_NS } else { pace.op_ns } * noise.factor(0.02)) as u64;
            if turns && (t / SWITCH_NS) % n != u64::from(w) {
                t = (t / SWITCH_NS + 1) * SWITCH_NS;
                continue;
            }
            t_ns.push(t);
        }
        Span { w, t_ns }
    };
    (0..planned.workers).map(of).collect()
}

/// A build without its lock has a tenth more memory; how much is its own is not known.
fn memory(model: &Model) -> Vec<Counter> {
    let bytes = if model.gil == Some(false) { 22_000_000 } else { 20_000_000 };
    let proc = |id: &str| Counter {
        id: id.to_owned(),
        source: "proc".to_owned(),
        set: 0,
        value: None,
        absent: None,
    };
    let value = Some(CounterValue { count: bytes, enabled_ns: None, running_ns: None });
    let absent = Some(Absence { reason: "EACCES".to_owned(), remedy: None });
    vec![Counter { value, ..proc("peak_rss") }, Counter { absent, ..proc("pss") }]
}

fn counters(trial: &Trial) -> Vec<Counter> {
    let value = |id: &str, source: &str, count: u64| Counter {
        id: id.to_owned(),
        source: source.to_owned(),
        set: 0,
        value: Some(CounterValue { count, enabled_ns: None, running_ns: None }),
        absent: None,
    };
    let cpu = trial.carriers.iter().filter_map(|c| c.proc.cpu_ns).sum();
    vec![
        value("task_clock", "perf", cpu),
        value("context_switches", "proc", trial.carriers.iter().filter_map(|c| c.proc.vcsw).sum()),
        Counter {
            id: "instructions".to_owned(),
            source: "perf".to_owned(),
            set: 1,
            value: None,
            absent: Some(Absence {
                reason: "ENOENT: no PMU in this guest".to_owned(),
                remedy: Some("run on bare metal, or give the guest a vPMU".to_owned()),
            }),
        },
    ]
}
