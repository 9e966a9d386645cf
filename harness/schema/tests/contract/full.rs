//! One of each type with every key there is, so that none goes undocumented.

use std::collections::BTreeMap;

use amdahl_schema::*;

pub(crate) fn absence() -> Absence {
    Absence { reason: "ENOENT".to_owned(), remedy: Some("a command".to_owned()) }
}

pub(crate) fn placement() -> Placement {
    Placement { policy: "cores".to_owned(), cpus: vec![0], exclusive: true }
}

pub(crate) fn one_param() -> BTreeMap<String, String> {
    BTreeMap::from([("steps".to_owned(), "1".to_owned())])
}

pub(crate) fn planned_trial() -> PlannedTrial {
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

pub(crate) fn planned_block() -> PlannedBlock {
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

pub(crate) fn plan() -> Plan {
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

pub(crate) fn cgroup() -> Cgroup {
    Cgroup { version: Some(2), quota_mcpu: Some(1), mem_bytes: Some(1) }
}

pub(crate) fn cpu() -> CpuInfo {
    CpuInfo { cpu: 0, core: 0, socket: 0, node: 0 }
}

pub(crate) fn host() -> Host {
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

pub(crate) fn state_item() -> StateItem {
    let text = || Some("text".to_owned());
    StateItem { id: "smt".to_owned(), value: text(), absent: Some(absence()), advice: text() }
}

pub(crate) fn runtime() -> Runtime {
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

pub(crate) fn absent_model() -> AbsentModel {
    AbsentModel { model: "python/threads".to_owned(), why: absence() }
}

pub(crate) fn tool() -> Tool {
    Tool { name: "amdahl".to_owned(), version: "0.1.0".to_owned() }
}

pub(crate) fn header() -> RunHeader {
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

pub(crate) fn window() -> Window {
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

pub(crate) fn total() -> WorkerTotal {
    WorkerTotal { w: 0, ops: 1, check: 1, started_ns: 1, ended_ns: 1, entered_ns: Some(1) }
}

pub(crate) fn proc_delta() -> ProcDelta {
    let one = Some(1);
    ProcDelta { cpu_ns: one, delay_ns: one, vcsw: one, ivcsw: one, minflt: one, majflt: one }
}

pub(crate) fn carrier_window() -> CarrierWindow {
    CarrierWindow { i: 0, cpu_ns: 1, delay_ns: Some(1) }
}

pub(crate) fn carrier() -> Carrier {
    let windows = vec![carrier_window()];
    Carrier { tid: 1, w: Some(0), pinned: Some(0), proc: proc_delta(), windows }
}

pub(crate) fn counter_value() -> CounterValue {
    CounterValue { count: 1, enabled_ns: Some(1), running_ns: Some(1) }
}

pub(crate) fn counter() -> Counter {
    Counter {
        id: "cycles".to_owned(),
        source: "perf".to_owned(),
        set: 1,
        value: Some(counter_value()),
        absent: Some(absence()),
    }
}

pub(crate) fn histogram() -> Histogram {
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

pub(crate) fn span() -> Span {
    Span { w: 0, t_ns: vec![1] }
}

pub(crate) fn owners() -> Owners {
    Owners { w: vec![0], gap_ns: vec![1], wait_ns: vec![1], hold_ns: vec![1] }
}

pub(crate) fn gates() -> Gates {
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

pub(crate) fn cpu_speed() -> CpuSpeed {
    CpuSpeed { cpu: 1, usual_ps: Some(1), before_ps: 1, after_ps: Some(1) }
}

pub(crate) fn outcome() -> Outcome {
    Outcome::not_ok(Status::Invalid, "checksum", "reason")
}

pub(crate) fn trial() -> Trial {
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
