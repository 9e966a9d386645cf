//! An archive of six million trials: how long scanning and judging it take, and DuckDB for the same aggregation of the same files.
//!
//! `cargo bench -p amdahl-analysis --bench archive -- [TRIALS]`, in full optimisation; with `--profile analysis` it is only shown to work. DuckDB is asked through
//! its Python package, by the interpreter that `DUCKDB_PYTHON` names (`python3`), and left out with the reason where that has none. Files are in the page cache for both.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use amdahl_analysis::archive;
use amdahl_analysis::history::{History, RunPoint, judge, series_of};
use amdahl_analysis::synth::{self, Model, Spec};
use amdahl_schema::Run;

const TRIALS: usize = 6_000_000;
/// Where polars is not optimised.
const TRIALS_SHOWN: usize = 60_000;
const LIMIT_S: f64 = 10.0;
const REPEATS: usize = 3;

/// The same aggregation as `archive::read`'s, and what makes two answers comparable.
const DUCKDB: &str = r#"
import sys, time
try:
    import duckdb
except ImportError as e:
    sys.exit(str(e))
query = f"""SELECT host, started_utc, run, cell, median(rate) FILTER (used) AS rate, any_value(runtime)
FROM read_parquet('{sys.argv[1]}/*/*/*/*.parquet', hive_partitioning = true)
WHERE arm = 'model' AND pass = 'throughput' AND stage = 'measure' GROUP BY host, started_utc, run, cell"""
best = float("inf")
for _ in range(int(sys.argv[2])):
    begin = time.perf_counter()
    rows = duckdb.connect().execute(query).fetchall()
    best = min(best, time.perf_counter() - begin)
print(duckdb.__version__, best, len(rows), sum(r[4] for r in rows if r[4] is not None))
"#;

fn main() -> ExitCode {
    let optimised = !cfg!(debug_assertions);
    let asked = std::env::args().skip(1).find_map(|a| a.parse().ok());
    let trials = asked.unwrap_or(if optimised { TRIALS } else { TRIALS_SHOWN });
    let dir = tempfile::tempdir().expect("a temporary directory");
    let runs = write(dir.path(), trials);
    // From here on the peak is that of reading; where it can't be reset, that of writing a run is in it.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let (mut scanned, mut whole) = (f64::INFINITY, f64::INFINITY);
    let mut last = None;
    for _ in 0..REPEATS {
        let begin = Instant::now();
        let points = archive::read(dir.path()).expect("what was just archived");
        let scan = begin.elapsed().as_secs_f64();
        let judged = judge("archive".to_owned(), series_of(points.clone()), 0.01, None);
        whole = whole.min(begin.elapsed().as_secs_f64());
        scanned = scanned.min(scan);
        last = Some((points, judged));
    }
    let (points, judged) = last.expect("at least one repeat");
    tell(&judged, runs, scanned, whole);
    let same = beside_duckdb(dir.path(), &points, scanned);
    let in_time = whole <= LIMIT_S || !optimised;
    if same && in_time { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs of 9,600 trials each until there are so many; in the second half one model of twenty does nine tenths of the work. How many runs.
fn write(dir: &Path, trials: usize) -> usize {
    let begin = Instant::now();
    let (mut rows, mut runs, mut bytes) = (0, 0, 0);
    let slow = "lab7/threads";
    while rows < trials {
        let spec = Spec {
            seed: runs as u64 + 1,
            models: (0..20).map(|k| Model::parallel(&format!("lab{k}/threads"))).collect(),
            workloads: ["cpu", "sleep", "pipe", "serial permille=50"].map(str::to_owned).to_vec(),
            blocks: 10,
            ..Spec::default()
        };
        let (mut header, mut made) = synth::run(&spec);
        header.started_utc = format!(
            "{}-{:02}-{:02}T03:04:05Z",
            2000 + runs / 336,
            1 + runs / 28 % 12,
            1 + runs % 28
        );
        header.id = format!("{runs:08x}");
        for t in made.iter_mut().filter(|t| t.model == slow && 2 * rows > trials) {
            t.windows.iter_mut().for_each(|w| w.ops = w.ops * 9 / 10);
        }
        rows += made.len();
        runs += 1;
        let trials = made.into_iter().enumerate().map(|(i, t)| (i + 1, t)).collect();
        let run = Run { dir: "synthetic".into(), header, trials, torn_line: None, trace: None };
        let kept = archive::archive(&run, dir).expect("the temporary directory takes it");
        bytes += fs::metadata(kept.path).map_or(0, |m| m.len());
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{rows} trials of {runs} runs, {:.0} MB of Parquet; made and archived in {seconds:.1} s",
        bytes as f64 / 1e6
    );
    runs
}

fn tell(judged: &History, runs: usize, scanned: f64, whole: f64) {
    let series = judged.series.len();
    println!(
        "scanned in {scanned:.2} s, scanned and judged ({series} series of {runs} points, {} changed) in {whole:.2} s; best of {REPEATS}",
        judged.changed().count()
    );
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find(|l| l.starts_with("VmHWM")) {
        println!("{peak}");
    }
}

/// Whether DuckDB, if it is there, found the same points.
fn beside_duckdb(dir: &Path, points: &[RunPoint], scanned: f64) -> bool {
    let python = std::env::var("DUCKDB_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let asked =
        Command::new(&python).args(["-c", DUCKDB]).arg(dir).arg(REPEATS.to_string()).output();
    let said = match asked {
        Ok(said) if said.status.success() => String::from_utf8_lossy(&said.stdout).into_owned(),
        Ok(said) => {
            println!("DuckDB left out: {python}: {}", String::from_utf8_lossy(&said.stderr).trim());
            return true;
        }
        Err(e) => {
            println!("DuckDB left out: {python}: {e}");
            return true;
        }
    };
    let words: Vec<&str> = said.split_whitespace().collect();
    let [version, seconds, rows, sum] = words[..] else { panic!("DuckDB said {said}") };
    let number = |word: &str| word.parse::<f64>().unwrap_or(f64::NAN);
    let ours: f64 = points.iter().filter_map(|p| p.rate).sum();
    let same = number(rows) == points.len() as f64 && (number(sum) / ours - 1.0).abs() < 1e-9;
    let agreed = if same { "the same points" } else { "OTHER POINTS" };
    println!(
        "DuckDB {version}: {:.2} s for the same aggregation, {agreed}; polars takes {:.2} times that",
        number(seconds),
        scanned / number(seconds)
    );
    same
}
