//! Files as the tools wrote them (tests/fixtures: hyperfine 1.15, pyperf 2.10, Google Benchmark 1.7, Go, Criterion 0.8.2; JMH's by its documented
//! shape), and files that somebody cut or changed.

use std::path::{Path, PathBuf};

use amdahl_readers::{Better, ReadError, Recorded, benches, read};
use proptest::prelude::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Name, metric, unit, number of values, processes.
fn shapes(recorded: &Recorded) -> Vec<(&str, &str, &str, usize, usize)> {
    let shape = |s: &'_ amdahl_readers::Series| (s.values.len(), s.processes);
    recorded
        .series
        .iter()
        .map(|s| (s.name.as_str(), s.metric.as_str(), s.unit.as_str(), shape(s).0, shape(s).1))
        .collect()
}

#[test]
fn every_tool_is_known_by_what_its_file_holds() {
    let of = |name: &str| read(&fixture(name)).unwrap();
    let hyperfine = of("hyperfine.json");
    assert_eq!(
        (hyperfine.tool, shapes(&hyperfine)),
        ("hyperfine", vec![("true", "time", "s", 4, 4), ("sleep 0.001", "time", "s", 4, 4)])
    );
    assert_eq!(hyperfine.series[0].weakness(), None);
    let pyperf = of("pyperf.json");
    assert_eq!((pyperf.tool, pyperf.version.as_deref()), ("pyperf", Some("2.10.0")));
    assert_eq!(shapes(&pyperf), [("sum", "time", "s", 3, 3), ("sorted", "time", "s", 3, 3)]);
    let jmh = of("jmh.json");
    assert_eq!((jmh.tool, jmh.version.as_deref()), ("JMH", Some("1.37")));
    assert_eq!(
        shapes(&jmh),
        [
            ("org.example.Sum.loop n=100", "time", "ns/op", 2, 2),
            ("org.example.Sum.rate", "throughput", "ops/us", 2, 2)
        ]
    );
    assert_eq!((jmh.series[1].better, jmh.series[1].values[0]), (Better::Higher, 19.1));
    let google = of("google.json");
    assert_eq!(
        (google.tool, shapes(&google)),
        ("Google Benchmark", vec![("Sum/10", "time", "ns", 3, 1), ("Sum/100", "time", "ns", 3, 1)])
    );
    assert!(google.series[0].weakness().unwrap().contains("one process"));
    let go = of("go.txt");
    let alloc = "example.org/sum.BenchmarkAlloc-2";
    let copy = "example.org/sum.BenchmarkCopy-2";
    let expected = [
        (alloc, "time", "ns/op", 3, 1),
        (alloc, "B/op", "B/op", 3, 1),
        (alloc, "allocs/op", "allocs/op", 3, 1),
        (copy, "time", "ns/op", 3, 1),
        (copy, "MB/s", "MB/s", 3, 1),
    ];
    assert_eq!((go.tool, shapes(&go)), ("Go", expected.to_vec()));
    assert_eq!((go.series[0].values[0], go.series[4].better), (52.88, Better::Higher));
    let criterion = of("criterion");
    let names = [
        ("group/one/f n/10", "time", "ns", 10, 1),
        ("group/one/f n/100", "time", "ns", 10, 1),
        ("simple", "time", "ns", 10, 1),
    ];
    assert_eq!((criterion.tool, shapes(&criterion)), ("Criterion", names.to_vec()));
}

/// A sample's time is its total over its iterations.
#[test]
fn criterion_s_samples_are_ns_an_iteration() {
    let all = benches(&fixture("criterion")).unwrap();
    let sample: serde_json::Value = serde_json::from_str(
        &std::fs::read_to_string(fixture("criterion/simple/new/sample.json")).unwrap(),
    )
    .unwrap();
    let first = sample["times"][0].as_f64().unwrap() / sample["iters"][0].as_f64().unwrap();
    assert_eq!(all[2].ns[0], first);
}

fn refused(name: &str, text: &str, says: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    let error = read(&path).unwrap_err().to_string();
    for word in [&[name], says].concat() {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    refused("a.json", "", &["no benchmark"]);
    refused("a.json", "{\"results\": [{\"comm", &["a.json:1:", "is the file whole?"]);
    refused("a.json", "{\"x\": 1}", &["not a format", "hyperfine", "target/criterion"]);
    refused("a.txt", "PASS\nok\n", &["not a format"]);
    refused(
        "a.json",
        r#"{"results":[{"command":"x","times":[1.0,null]}]}"#,
        &["results[0].times[1]", "a positive number expected"],
    );
    refused(
        "a.json",
        r#"{"results":[{"command":"x","times":[1.0,2.0],"exit_codes":[0,1]}]}"#,
        &["1 of 2 runs", "did not end with 0"],
    );
    refused("a.json", r#"{"results":[]}"#, &["no benchmark"]);
    refused(
        "a.json",
        r#"{"context":{},"benchmarks":[{"run_name":"a","error_occurred":true,"error_message":"no disk"}]}"#,
        &["failed: no disk"],
    );
    refused(
        "a.json",
        r#"[{"benchmark":"a","primaryMetric":{"scoreUnit":"ns/op","rawData":[]}}]"#,
        &["rawData", "forks"],
    );
    refused("a.txt", "BenchmarkA-2 100 NaN ns/op\n", &["line 1", "NaN"]);
    let none = read(Path::new("no/such/file")).unwrap_err();
    assert!(matches!(none, ReadError::Io { .. }) && none.to_string().contains("no/such/file"));
}

#[test]
fn a_cut_or_foreign_directory_of_criterion_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(read(dir.path()).unwrap_err(), ReadError::Unknown { .. }));
    let bench = dir.path().join("a/new");
    std::fs::create_dir_all(&bench).unwrap();
    let whole = std::fs::read_to_string(fixture("criterion/simple/new/sample.json")).unwrap();
    std::fs::write(bench.join("benchmark.json"), r#"{"full_id":"a"}"#).unwrap();
    for (sample, says) in [
        (&whole[..whole.len() / 2], "is the file whole?"),
        (r#"{"iters":[1.0],"times":[1.0,2.0]}"#, "1 iterations and 2 times"),
        (r#"{"iters":[1.0,0.0],"times":[1.0,2.0]}"#, "sample 1: not a positive time"),
        (r#"{"iterations":[1.0]}"#, "missing field"),
    ] {
        std::fs::write(bench.join("sample.json"), sample).unwrap();
        let error = read(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains(says) && error.contains("a/new/sample.json"),
            "`{says}` is not in: {error}"
        );
    }
    std::fs::write(bench.join("sample.json"), &whole).unwrap();
    std::fs::remove_file(bench.join("benchmark.json")).unwrap();
    assert!(read(dir.path()).unwrap_err().to_string().contains("benchmark.json"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, bytes).unwrap();
        let _ = read(&path);
    }

    /// A real file with a piece cut out or changed: an answer, never a panic, and no value that is not finite.
    #[test]
    fn no_damage_makes_it_panic(name in prop::sample::select(vec!["hyperfine.json", "pyperf.json", "jmh.json", "google.json", "go.txt"]),
                                at in 0.0..1.0f64, len in 0..40usize, with in "[\\[\\]{}0-9a-z:,\" .-]{0,6}") {
        let mut text = std::fs::read_to_string(fixture(name)).unwrap();
        let at = (text.len() as f64 * at) as usize;
        text.replace_range(at..(at + len).min(text.len()), &with);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, text).unwrap();
        if let Ok(recorded) = read(&path) {
            prop_assert!(recorded.series.iter().all(|s| !s.values.is_empty() && s.values.iter().all(|v| v.is_finite())));
        }
    }
}
