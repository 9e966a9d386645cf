//! Trials to Parquet and Parquet to points of runs: the one place of an archive that knows polars.

use amdahl_schema::{Arm, Pass, Run, Stage, Status, Trial};
use polars::io::HiveOptions;
use polars::prelude::*;

use crate::history::{RunPoint, cell, runtime, used_trials};

/// Rows of a row group: what a reader holds at a time.
const GROUP_ROWS: usize = 250_000;

/// Version of the columns, in each row: adding columns does not raise it.
const ARCHIVE_VERSION: u32 = 1;

/// A run as a Parquet file: the same run, the same bytes.
pub(super) fn bytes(run: &Run) -> PolarsResult<Vec<u8>> {
    let mut bytes = Vec::new();
    // One after another, so that the order of columns does not depend on threads.
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Snappy)
        .with_row_group_size(Some(GROUP_ROWS))
        .set_parallel(false)
        .finish(&mut frame(run)?)?;
    Ok(bytes)
}

fn frame(run: &Run) -> PolarsResult<DataFrame> {
    let trials: Vec<&Trial> = run.trials.iter().map(|(_, t)| t).collect();
    let text = |f: &dyn Fn(&Trial) -> String| trials.iter().map(|t| f(t)).collect::<Vec<_>>();
    let maybe_text =
        |f: &dyn Fn(&Trial) -> Option<String>| trials.iter().map(|t| f(t)).collect::<Vec<_>>();
    let whole = |f: &dyn Fn(&Trial) -> u32| trials.iter().map(|t| f(t)).collect::<Vec<_>>();
    let long = |f: &dyn Fn(&Trial) -> u64| trials.iter().map(|t| f(t)).collect::<Vec<_>>();
    let real = |f: &dyn Fn(&Trial) -> Option<f64>| trials.iter().map(|t| f(t)).collect::<Vec<_>>();
    let params =
        |t: &Trial| t.params.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ");
    df!(
        "archive" => whole(&|_| ARCHIVE_VERSION),
        "run" => text(&|_| run.header.neutral_name()),
        "started_utc" => text(&|_| run.header.started_utc.clone()),
        "seq" => long(&|t| t.seq),
        "block" => whole(&|t| t.block),
        "model" => text(&|t| t.model.clone()),
        "runtime" => text(&|t| runtime(run, &t.model)),
        "workload" => text(&|t| t.workload.clone()),
        "params" => text(&params),
        "workers" => whole(&|t| t.workers),
        "cell" => text(&cell),
        "arm" => text(&|t| match t.arm { Arm::Model => "model", Arm::Ceiling => "ceiling" }.to_owned()),
        "pass" => text(&|t| pass_id(t.pass).to_owned()),
        "stage" => text(&|t| match t.stage { Stage::Measure => "measure", Stage::Confirm => "confirm" }.to_owned()),
        "status" => text(&|t| status_id(t.outcome.status).to_owned()),
        "kind" => maybe_text(&|t| t.outcome.kind.clone()),
        "used" => used_trials(run),
        "rate" => real(&Trial::rate),
        "effective_cpus" => real(&Trial::effective_cpus),
        "cpu_per_op_ns" => real(&Trial::cpu_per_op_ns),
        "started_unix_ms" => long(&|t| t.started_unix_ms),
        "trial_wall_ns" => long(&|t| t.trial_wall_ns),
    )
}

fn pass_id(pass: Pass) -> &'static str {
    match pass {
        Pass::Throughput => "throughput",
        Pass::Latency => "latency",
        Pass::Counters => "counters",
    }
}

fn status_id(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Failed => "failed",
        Status::TimedOut => "timed_out",
        Status::Invalid => "invalid",
        Status::NotRun => "not_run",
    }
}

/// One point for each run and cell of the files that a pattern names.
pub(super) fn points(pattern: &str) -> PolarsResult<Vec<RunPoint>> {
    let args = ScanArgsParquet {
        // Years and months are no dates: host names could look like some.
        hive_options: HiveOptions { try_parse_dates: false, ..HiveOptions::new_enabled() },
        ..ScanArgsParquet::default()
    };
    let keys = ["host", "started_utc", "run", "cell"];
    let judged = col("arm")
        .eq(lit("model"))
        .and(col("pass").eq(lit("throughput")))
        .and(col("stage").eq(lit("measure")))
        .and(col("status").neq(lit("not_run")));
    let rows = LazyFrame::scan_parquet(PlRefPath::new(pattern), args)?
        .filter(judged)
        .with_column(when(col("used")).then(col("rate")).otherwise(lit(NULL)).alias("rate"))
        .group_by(keys.map(col))
        .agg([col("rate").median(), col("runtime").first()])
        .collect_with_engine(Engine::Streaming)?
        .unwrap_single();
    let text = |name: &str| rows.column(name)?.str().cloned();
    let (host, started, run, cell) =
        (text("host")?, text("started_utc")?, text("run")?, text("cell")?);
    let (runtime, rate) = (text("runtime")?, rows.column("rate")?.f64()?.clone());
    let owned = |column: &StringChunked, i: usize| column.get(i).unwrap_or_default().to_owned();
    let point = |i: usize| RunPoint {
        host: owned(&host, i),
        started: owned(&started, i),
        run: owned(&run, i),
        cell: owned(&cell, i),
        runtime: owned(&runtime, i),
        rate: rate.get(i),
    };
    Ok((0..rows.height()).map(point).collect())
}
