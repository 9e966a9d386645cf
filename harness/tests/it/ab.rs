//! `amdahl ab`: two programs against each other, from the command line to the exit code. The programs are shell scripts that print
//! their figure, and other tests run meanwhile, so the gates are off: nothing here depends on a quiet machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A script that counts its launches in `n`.
    fn script(&self, name: &str, body: &str) -> String {
        let path = self.path().join(name);
        let count = self.path().join(format!("{name}.count"));
        let text = format!(
            "#!/bin/sh\nn=$(cat {0} 2>/dev/null || echo 0); n=$((n+1)); echo $n > {0}\n{body}\n",
            count.display()
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    fn ab(&self, a: &str, b: &str, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_amdahl"));
        command
            .args(["ab", "--no-gates", "--a", a, "--b", b, "--seed", "7"])
            .args(more)
            .current_dir(self.path());
        command.output().unwrap()
    }

    fn judged(&self, a: &str, b: &str, more: &[&str]) -> (Value, Option<i32>) {
        let out = self.ab(a, b, &[&["--json"], more].concat());
        let text = String::from_utf8_lossy(&out.stderr);
        (
            serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {text}")),
            out.status.code(),
        )
    }
}

const RATE: [&str; 2] = ["--metric", "rate ([0-9.]+)"];

/// Prints about `rate`, a little more or less each time.
fn rate(rate: f64) -> String {
    format!("awk -v n=$n 'BEGIN {{ print \"rate\", {rate} * (1 + 0.002 * sin(7 * n)) }}'")
}

#[test]
fn slower_faster_and_the_same_by_a_figure_that_is_printed() {
    let place = Place::new();
    let base = place.script("base", &rate(100.0));
    for (name, of, verdict, code) in [
        ("slow", rate(95.0), "regressed", 1),
        ("fast", rate(105.0), "improved", 0),
        ("same", rate(100.0), "equivalent", 0),
    ] {
        let head = place.script(name, &of);
        let (json, status) = place.judged(&base, &head, &RATE);
        assert_eq!((json["verdict"].as_str(), status), (Some(verdict), Some(code)), "{json}");
        let cell = &json["cells"][0];
        for key in [
            "name",
            "metric",
            "p",
            "margin",
            "equivalence_margin",
            "pairs",
            "dropped_pairs",
            "reasons",
        ] {
            assert!(!cell[key].is_null(), "{key}: {cell}");
        }
        assert_eq!(cell["effect"]["ci95"].as_array().unwrap().len(), 2);
        assert_eq!(json["sentinel"]["rejected"], false);
        assert_eq!(json["schema"], 1);
    }
    let slow = place.script("slow", &rate(95.0));
    let (json, status) =
        place.judged(&base, &slow, &["--metric", "rate ([0-9.]+)", "--better", "lower"]);
    assert_eq!(
        (json["verdict"].as_str(), status),
        (Some("improved"), Some(0)),
        "of a time less is better"
    );
    let out = place.ab(&base, &slow, &RATE);
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(text.starts_with("regressed") && text.contains("base -> slow  -5."), "{text}");
    assert!(text.contains("sentinel (A against A): not called changed"), "{text}");
}

#[test]
fn what_can_t_be_told_says_so_and_fails_only_if_strict() {
    let place = Place::new();
    let noisy = "awk -v n=$n 'BEGIN { print \"rate\", 100 * exp(0.4 * sin(n * n)) }'";
    let (a, b) = (place.script("a", noisy), place.script("b", noisy));
    let (json, status) = place.judged(&a, &b, &[&RATE[..], &["--blocks", "8"]].concat());
    assert_eq!((json["verdict"].as_str(), status), (Some("inconclusive"), Some(0)), "{json}");
    assert!(json["cells"][0]["smallest_detectable"].as_f64().unwrap() > 0.05, "{json}");
    let (_, status) = place.judged(&a, &b, &[&RATE[..], &["--blocks", "8", "--strict"]].concat());
    assert_eq!(status, Some(3));
}

#[test]
fn wall_time_is_what_is_compared_without_a_figure() {
    let place = Place::new();
    let (a, b) = (place.script("a", "sleep 0.02"), place.script("b", "sleep 0.08"));
    let (json, status) = place.judged(&a, &b, &["--no-sentinel", "--blocks", "7"]);
    assert_eq!((json["verdict"].as_str(), status), (Some("regressed"), Some(1)), "{json}");
    assert_eq!(
        (json["cells"][0]["metric"].as_str(), &json["sentinel"]),
        (Some("wall_ns"), &Value::Null)
    );
}

#[test]
fn a_program_that_fails_once_in_a_while_is_said() {
    let place = Place::new();
    let base = place.script("base", &rate(100.0));
    let flaky = place.script(
        "flaky",
        &format!("[ $n = 5 ] && {{ echo 'no memory' >&2; exit 9; }}\n{}", rate(100.0)),
    );
    let (json, status) = place.judged(&base, &flaky, &RATE);
    let cell = &json["cells"][0];
    assert_eq!(
        (cell["verdict"].as_str(), cell["dropped_pairs"].as_u64(), status),
        (Some("equivalent"), Some(1), Some(0))
    );
    let said = cell["reasons"][0].as_str().unwrap();
    assert!(
        said.contains("B failed in 1 of 13 launches") && said.contains("exit status 9: no memory"),
        "{said}"
    );
}

#[test]
fn different_output_is_said() {
    let place = Place::new();
    let (a, b) = (place.script("a", "echo 1"), place.script("b", "echo 2"));
    let (json, _) = place.judged(&a, &b, &["--blocks", "6"]);
    let reasons = json["cells"][0]["reasons"].to_string();
    assert!(reasons.contains("print different things"), "{reasons}");
    let (json, _) = place.judged(&a, &a, &["--blocks", "6"]);
    assert!(!json["cells"][0]["reasons"].to_string().contains("print different things"));
}

#[test]
fn without_any_spread_it_is_equivalent() {
    let place = Place::new();
    let a = place.script("a", "echo rate 5");
    let (json, status) = place.judged(&a, &a, &RATE);
    assert_eq!((json["verdict"].as_str(), status), (Some("equivalent"), Some(0)), "{json}");
}

#[test]
fn what_can_t_be_compared_is_refused_with_the_next_step() {
    let place = Place::new();
    let fine = place.script("fine", "echo rate 5");
    let broken = place.script("broken", "echo 'cannot read config' >&2; exit 4");
    let plain = place.path().join("plain");
    fs::write(&plain, "echo rate 5\n").unwrap();
    let plain = plain.display().to_string();
    let all = |a: &str, b: &str, more: &[&str], says: &[&str]| {
        let out = place.ab(a, b, more);
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{stderr}");
        assert!(out.stdout.is_empty());
        for word in says {
            assert!(stderr.contains(word), "`{word}` is not in: {stderr}");
        }
    };
    all(&fine, "no-such-program", &RATE, &["no-such-program", "no such program on PATH"]);
    all(&fine, &plain, &RATE, &["plain", "chmod +x"]);
    all(
        &fine,
        &broken,
        &RATE,
        &[
            "B failed in each of 3 launches",
            "exit status 4: cannot read config",
            "try it by itself",
        ],
    );
    all(&fine, &fine, &["--metric", "speed ([0-9]+)"], &["nothing in its output matches"]);
    all(&fine, &fine, &["--metric", "("], &["--metric"]);
    all(&fine, "  ", &RATE, &["--b", "no program is named"]);
    all(&fine, "a 'b", &RATE, &["quotation mark"]);
    all(&fine, &fine, &["--margin=-1"], &["--margin -1"]);
    all(&fine, &fine, &["--margin", "5"], &["--equivalence 3 is not above --margin 5"]);
    all(&fine, &fine, &["--blocks", "0"], &["--blocks 0"]);
    all(&fine, &fine, &["--write", "xml=a"], &["no form `xml`", "markdown"]);
    all(&fine, &fine, &["--json-out", "/no/such/place/v.json"], &["--json-out", "/no/such/place"]);
    all(&fine, &fine, &["--budget", "soon"], &["--budget", "soon"]);
    let out =
        Command::new(env!("CARGO_BIN_EXE_amdahl")).args(["ab", "--a", "true"]).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn a_job_of_github_gets_its_summary_and_annotations() {
    let place = Place::new();
    let (base, slow) = (place.script("base", &rate(100.0)), place.script("slow", &rate(90.0)));
    let page = place.path().join("summary.md");
    let mut command = Command::new(env!("CARGO_BIN_EXE_amdahl"));
    command
        .args(["ab", "--no-gates", "--a", &base, "--b", &slow, "--write", "bmf=bmf.json"])
        .args(RATE);
    command
        .current_dir(place.path())
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &page);
    let out = command.output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{text}");
    assert!(text.contains("\n::error title=amdahl::regressed: 1 regressed\n"), "{text}");
    assert!(fs::read_to_string(&page).unwrap().contains("| **regressed** | base -&gt; slow |"));
    let bmf: Value =
        serde_json::from_str(&fs::read_to_string(place.path().join("bmf.json")).unwrap()).unwrap();
    assert!(bmf["base -> slow"]["metric"]["value"].is_number(), "{bmf}");
}
