//! What a trial costs beside the windows it times, and what a run costs beside its trials.
//!
//! `make bench`, or `cargo bench -p amdahl --bench trial` after `make build-harness`; some 20 s. Windows are
//! 1 ms, or as long as the runtime's lock demands; names tell how long the trial had to wait and to work.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use amdahl::answer::Evidence;
use amdahl::counters::{Context, Kernel, plan_sets};
use amdahl::gates::GateProbe;
use amdahl::plan::{ModelInfo, Site, Spec, plan};
use amdahl::procfs::Roots;
use amdahl::record::Recorder;
use amdahl::topology::{Machine as Topo, Policy};
use amdahl::trial::{Limits, Machine, Stage};
use amdahl::worker::discover::{Discovery, Found, discover};
use amdahl::worker::link::Launcher as _;
use amdahl::worker::process::ProcessLauncher;
use amdahl::worker::wire::Line;
use amdahl_schema::{
    Arm, Host, MachineState, Pass, Placement, Plan, PlannedBlock, PlannedTrial, RunHeader, RunKind,
    SCHEMA_VERSION, Tool, Trial,
};
use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};

const WINDOW_NS: u64 = 1_000_000;

/// The machine and what runs on it.
struct Place {
    launcher: ProcessLauncher,
    machine: Machine,
    topo: Topo,
    found: Discovery,
}

impl Place {
    fn here() -> Self {
        let launcher = ProcessLauncher { amdahl: env!("CARGO_BIN_EXE_amdahl").into() };
        let roots = Roots::default();
        let topo = Topo::read(&roots);
        let context = Context::read(&roots, None);
        let sets = plan_sets(&Kernel, &context, &[]);
        let machine =
            Machine { probe: GateProbe::new(&roots, &topo), speed: None, roots, sets, context };
        let found = discover(&launcher, &[], &[], &[], &[])
            .expect("nothing was asked for that can be wrong");
        let place = Self { launcher, machine, topo, found };
        assert!(
            place.runtime("rust").is_some(),
            "make build-harness first: {:?}",
            place.found.absent
        );
        place
    }

    /// The runtime of the first model that begins so.
    fn runtime(&self, prefix: &str) -> Option<&Found> {
        self.found.found.iter().find(|f| f.runtime.id.starts_with(prefix))
    }

    fn trial(&self, found: &Found, block: &PlannedBlock) -> Trial {
        let stage = Stage {
            launcher: &self.launcher,
            outside: &self.machine,
            amdahl: self.launcher.amdahl.clone(),
            limits: Limits::default(),
        };
        let trial = stage.execute(found, block, &block.trials[0]);
        // On a busy machine workers may miss each other; what it cost is the same.
        let kind = trial.outcome.kind.as_deref();
        assert!(matches!(kind, None | Some("contest")), "{:?}", trial.outcome);
        trial
    }

    fn block(&self, found: &Found, workers: u32, arm: Arm, workload: &str) -> PlannedBlock {
        let planned = PlannedTrial {
            seq: 0,
            workers,
            arm,
            pass: Pass::Throughput,
            counter_set: 0,
            placement: self.topo.place(Policy::Cores, workers),
            seed: 1,
            env_pad_bytes: 0,
            window_ns: WINDOW_NS,
            windows_n: 1,
        };
        let threads = found.models().find(|m| m.contains("/threads")).expect("every worker has");
        PlannedBlock {
            block: 0,
            tier: 0,
            spare: false,
            model: threads,
            workload: workload.to_owned(),
            params: Default::default(),
            trials: vec![planned],
        }
    }
}

/// A process behind its guard, until it has said hello; its end is not timed.
fn hello(c: &mut Criterion) {
    let place = Place::here();
    let mut group = c.benchmark_group("spawn to hello");
    group.sampling_mode(SamplingMode::Flat);
    for prefix in ["rust", "python"] {
        let Some(found) = place.runtime(prefix) else { continue };
        group.bench_function(&found.runtime.id, |b| {
            b.iter_custom(|iterations| {
                (0..iterations).map(|_| hello_once(&place.launcher, found)).sum()
            });
        });
    }
    group.finish();
}

fn hello_once(launcher: &ProcessLauncher, found: &Found) -> Duration {
    let begin = Instant::now();
    let mut link = launcher.launch(&found.spec).expect("it was found a moment ago");
    link.send(&Line::new("hello").with("v", 1));
    link.expect("hello", "at hello", Duration::from_secs(20)).expect("it answered before");
    let time = begin.elapsed();
    link.finish(false);
    time
}

/// Whole trials: to `ready`, and to the end, where the worker's lead and the timed part are named.
fn trial(c: &mut Criterion) {
    let place = Place::here();
    for (prefix, workers) in [("rust", 1), ("rust", 2), ("python", 1)] {
        let Some(found) = place.runtime(prefix) else { continue };
        let block = place.block(found, workers, Arm::Model, "noop");
        let once = place.trial(found, &block);
        let timed = once.ramp_ns + once.window_ns * u64::from(once.windows_n) + once.tail_ns;
        let ms = |ns: u64| format!("{:.0} ms", ns as f64 / 1e6);
        let mut group = c.benchmark_group(format!("{}, N = {workers}", block.model));
        group.sampling_mode(SamplingMode::Flat);
        let mut bench = |name: &str, part: &dyn Fn(&Trial) -> u64| {
            group.bench_function(name, |b| {
                b.iter_custom(|iterations| {
                    let each = |_| Duration::from_nanos(part(&place.trial(found, &block)));
                    (0..iterations).map(each).sum()
                });
            });
        };
        bench("spawn to ready", &|t| t.spawn_ns.unwrap_or(0) + t.setup_ns.unwrap_or(0));
        let lead = found.hello.lead_ns;
        let name = format!("spawn to done (lead {}, timed {})", ms(lead), ms(timed));
        bench(&name, &|t| t.trial_wall_ns);
        bench("spawn to done, less these", &|t| t.trial_wall_ns.saturating_sub(lead + timed));
        group.finish();
    }
}

/// A machine of 128 CPUs and ten models: what the three rooms take that work between trials.
fn between(c: &mut Criterion) {
    let place = Place::here();
    let mut group = c.benchmark_group("between trials");
    // Recording writes to a disk: a tenth of a second is enough, and tens of megabytes.
    group.measurement_time(Duration::from_millis(100)).warm_up_time(Duration::from_millis(20));
    let rust = place.runtime("rust").expect("it was there at the beginning");
    group.bench_function("plan of profile paper, 10 models, 128 CPUs", |b| {
        b.iter(|| plan_large("paper"));
    });
    let many = place.trial(rust, &place.block(rust, 32, Arm::Model, "noop"));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let header = header(plan_large("smoke"));
    let mut recorder = Recorder::create(dir.path(), &header).expect("it is writable");
    group.bench_function("record a trial of 32 workers", |b| {
        b.iter(|| recorder.append(&many).expect("there is room"));
    });
    let trials = run_of(&place, rust);
    group.bench_function("judge 300 trials", |b| {
        b.iter(|| Evidence::of(BTreeMap::new(), &trials).judge(2, None));
    });
    group.finish();
}

/// A hundred blocks, from one real trial of each kind.
fn run_of(place: &Place, rust: &Found) -> Vec<Trial> {
    let kinds = [(1, Arm::Model), (2, Arm::Model), (2, Arm::Ceiling)];
    let real = kinds.map(|(n, arm)| place.trial(rust, &place.block(rust, n, arm, "cpu")));
    (0..100).flat_map(|block| real.iter().map(move |t| Trial { block, ..t.clone() })).collect()
}

fn plan_large(profile: &str) -> Plan {
    let spec = Spec::profile(profile).expect("it comes with the program");
    let models: Vec<ModelInfo> = (0..10)
        .map(|rank| ModelInfo {
            lang: "python".to_owned(),
            main: true,
            id: format!("python3.{rank}/threads"),
            mechanism: "threads".to_owned(),
            representative: rank == 0,
            rank,
            workloads: ["noop", "cpu", "sleep", "pipe"].map(str::to_owned).to_vec(),
            locks: Vec::new(),
            switch_ns: Some(5_000_000),
            hello_ns: 50_000_000,
            lead_ns: 20_000_000,
        })
        .collect();
    let place = |n: u32| Placement {
        policy: "cores".to_owned(),
        cpus: (0..n).map(|i| i % 128).collect(),
        exclusive: n <= 128,
    };
    let site = Site {
        models: &models,
        absent: &[],
        counts: &[1, 2, 4, 8, 16, 32, 64, 128, 256],
        cpus: 128,
        place: &place,
        counter_sets: &[0, 1, 2],
    };
    plan(&spec, &site, 1).expect("the profile fits")
}

fn header(plan: Plan) -> RunHeader {
    RunHeader {
        schema: SCHEMA_VERSION,
        tool: Tool { name: "amdahl".to_owned(), version: String::new() },
        id: String::new(),
        started_utc: String::new(),
        command: Vec::new(),
        plan,
        host: Host::default(),
        state: MachineState::default(),
        runtimes: Vec::new(),
        absent: Vec::new(),
        anonymous: false,
        kind: RunKind::Models,
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .without_plots();
    targets = hello, trial, between
}
criterion_main!(benches);
