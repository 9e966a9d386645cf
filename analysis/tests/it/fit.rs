//! `fit` from outside: the JSON contract, what is written, and what is refused with its place.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn fit(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_amdahl-analysis"))
        .arg("fit")
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap()
}

fn published(name: &str) -> String {
    format!("{}/../harness/stats/tests/usl/{name}.csv", env!("CARGO_MANIFEST_DIR"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn table(content: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("t.csv"), content).unwrap();
    dir
}

/// SPEC SDM91 as published: alpha .02773, beta 1.044e-4, gamma 90.00, peak 1884 at 96.5.
#[test]
fn a_published_curve_comes_out_as_published() {
    let dir = tempfile::tempdir().unwrap();
    let args = [&published("specsdm91"), "--json", "--weights", "none", "--predict", "72,432,500"];
    let found = json(&fit(dir.path(), &args));
    let usl = &found["laws"][2];
    let near = |v: &Value, x: f64| (v.as_f64().unwrap() / x - 1.0).abs() < 5e-4;
    assert!(
        near(&usl["parameters"]["alpha"], 0.02773) && near(&usl["parameters"]["beta"], 1.044e-4)
    );
    assert!(near(&usl["parameters"]["gamma"], 90.0) && near(&usl["se"]["gamma"], 14.21));
    assert!(near(&found["peak"]["n"], 96.5) && near(&found["peak"]["throughput"], 1884.0));
    assert_eq!(usl["warnings"][0]["code"], "inadequate");
    let scenario: Vec<&Value> =
        found["predictions"].as_array().unwrap().iter().map(|p| &p["scenario"]).collect();
    assert_eq!(scenario, [false, false, true]);
    assert!(usl["bootstrap95"]["beta"][1].is_number() && usl["bootstrap_over"] == "residuals");
}

#[test]
fn the_table_on_the_terminal_answers_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let output = fit(dir.path(), &[&published("raytracer")]);
    let said = text(&output.stdout);
    for words in [
        "11 worker counts from 1 to 64, weights 1 / fit²",
        "Amdahl's law *  ",
        "Peak: none is proven",
        "Karp-Flatt: e(4) = 0.008547",
        "Prediction by Amdahl's law, N = 128: ",
        "USL: no peak is proven: the interval of beta holds 0",
    ] {
        assert!(said.contains(words), "`{words}` is not in:\n{said}");
    }
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none(), "nothing is written unasked");
}

#[test]
fn two_worker_counts_give_their_combination_and_no_peak() {
    let dir =
        table("workers,throughput,trial\n1,100,a\n2,181,a\n1,101,b\n2,180,b\n1,99,c\n2,182,c\n");
    let found = json(&fit(dir.path(), &["t.csv", "--json"]));
    assert_eq!((&found["identifiable"], &found["peak"]), (&Value::Bool(false), &Value::Null));
    let c = &found["combination"]["alpha_plus_2beta"];
    let (e, lo, hi) = (c["estimate"].as_f64(), c["ci95"][0].as_f64(), c["ci95"][1].as_f64());
    assert!(lo < e && e < hi && (e.unwrap() - 0.105).abs() < 1e-3, "{c}");
    assert_eq!(found["laws"], Value::Array(vec![]));
    assert_eq!(found["not_comparable"], true);
}

#[test]
fn a_directory_gets_numbers_figure_and_points_and_the_same_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let args = [&published("cisco_ucs"), "--out", "out", "--json-out", "copy.json"];
    let output = fit(dir.path(), &args);
    assert!(text(&output.stdout).ends_with("fit: out/fit.json  figure: out/figures/fit.svg\n"));
    let names = [
        "fit.json",
        "figures/fit.svg",
        "figures/fit.pdf",
        "figures/fit.png",
        "figures/fit.tex",
        "data/points.csv",
        "data/curves.csv",
        "figures/karp-flatt.svg",
        "figures/profile.svg",
        "data/karp-flatt.csv",
        "data/profile.csv",
        "figures/speedup.svg",
        "figures/efficiency.svg",
    ];
    let read = || names.map(|n| fs::read(out.join(n)).unwrap());
    let first = read();
    assert_eq!(first[0], fs::read(dir.path().join("copy.json")).unwrap());
    let svg = std::str::from_utf8(&first[1]).unwrap();
    for part in
        ["<title", "<desc", "width=\"3.40in\"", "USL, α = 0.0204", "extrapolated", "peak of USL"]
    {
        assert!(svg.contains(part), "{part}");
    }
    assert!(svg.len() < 150_000, "{}", svg.len());
    let [points, curves] = [5, 6].map(|k| text(&first[k]));
    assert_eq!(points.lines().count(), 1 + 64);
    assert!(curves.lines().count() > 200 && curves.starts_with("law,n,throughput,ci95_lo,"));
    let [karp_flatt, profile, karp_flatt_csv, profile_csv] = [7, 8, 9, 10].map(|k| text(&first[k]));
    for part in ["β [7.54e-4, 0.00103]", "α [0.0157, 0.0252]", "rise of the deviance"] {
        assert!(profile.contains(part), "{part}");
    }
    assert!(
        karp_flatt.contains("Level: a serial share") && karp_flatt_csv.lines().count() == 1 + 31
    );
    assert!(profile_csv.starts_with("parameter,value,rise_of_deviance,threshold\nalpha,"));
    for (svg, words) in [
        (text(&first[11]), "speed-up, X(N) / X(1)"),
        (text(&first[12]), "efficiency, X(N) / N X(1)"),
    ] {
        assert!(svg.contains(words) && svg.contains("USL α 0.02 β 8.9e-4"), "{words}");
        assert!(!svg.contains("ceiling") && svg.contains("width=\"3.40in\""));
    }
    assert_eq!(fit(dir.path(), &args).status.code(), Some(0), "an earlier fit is replaced");
    assert!(first == read(), "not the same bytes");
    // A report, or anything else, is not.
    fs::write(out.join("report.md"), "").unwrap();
    let output = fit(dir.path(), &args);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("report.md") && first == read());
}

#[test]
fn an_unwritable_place_leaves_nothing() {
    let dir = table("n,throughput\n1,1\n2,2\n");
    fs::write(dir.path().join("file"), "").unwrap();
    let output = fit(dir.path(), &["t.csv", "--out", "file/out"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("file/"), "{}", text(&output.stderr));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn bad_input_is_refused_with_file_line_and_column() {
    for (content, says) in [
        ("n,throughput\n1,10\n2,x\n", "t.csv:3:3: `x`; expected a positive number"),
        ("n,throughput\n0,10\n", "t.csv:2:1: `0`; expected a number of workers above 0"),
        ("n,throughput\n1,-1\n", "t.csv:2:3: `-1`"),
        ("n,throughput\n1,NaN\n", "t.csv:2:3: `NaN`"),
        ("1,10\n2,20\n", "no column `n` (or `workers`)"),
        ("n,throughput\n", "no rows"),
    ] {
        let dir = table(content);
        let output = fit(dir.path(), &["t.csv", "--out", "out"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text(&output.stderr).contains(says),
            "{} does not say {says}",
            text(&output.stderr)
        );
        assert!(!dir.path().join("out").exists() && output.stdout.is_empty());
    }
    let dir = table("n,throughput\n1,10\n2,20\n");
    for (args, says) in [
        (vec!["nowhere.csv"], "nowhere.csv"),
        (vec!["t.csv", "--predict", "0"], "--predict 0"),
        (vec!["t.csv", "--break", "0.5"], "no worker count up to it"),
    ] {
        let output = fit(dir.path(), &args);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(says), "{}", text(&output.stderr));
    }
}

/// One row, one worker count, fractional counts, a million rows: answers.
#[test]
fn odd_tables_have_answers_too() {
    let many: String = (0..1_000_000_u32)
        .map(|k| format!("{}.{},{}\n", 1 + k % 32, k / 32 % 1000, 10 + k % 32 * 9))
        .collect();
    for content in [
        "1,10\n".to_owned(),
        "4,10\n4,11\n4,12\n".to_owned(),
        "0.3,1\n0.9,2.8\n1.7,5\n3.2,8\n5.5,11\n9.1,12\n".to_owned(),
        many,
    ] {
        let dir = table(&format!("n,throughput\n{content}"));
        let found = json(&fit(dir.path(), &["t.csv", "--json", "--out", "out"]));
        assert_eq!(found["schema"], 1);
        assert!(found["points"].as_u64().unwrap() >= 1);
    }
}

#[test]
fn a_ceiling_column_adds_the_corrected_fit() {
    let rows: String = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0]
        .iter()
        .map(|n: &f64| {
            let slower = 1.0 - 0.2 * (n - 1.0) / 7.0;
            let x = 100.0 * n / (1.0 + 0.03 * (n - 1.0)) * slower * (1.0 + 0.003 * (9.0 * n).sin());
            format!("{n},{x},{}\n", 100.0 * n * slower)
        })
        .collect();
    let dir = table(&format!("n,throughput,ceiling\n{rows}"));
    let found = json(&fit(dir.path(), &["t.csv", "--json", "--out", "out"]));
    let svg = fs::read_to_string(dir.path().join("out/figures/speedup.svg")).unwrap();
    assert!(svg.contains("Short bars: ceiling"));
    let ends = |v: &Value| [0, 1].map(|k| v["laws"][1]["ci95"]["alpha"][k].as_f64().unwrap());
    let (raw, corrected) = (ends(&found), ends(&found["ceiling_corrected"]));
    assert!(raw[0] > 0.03, "{raw:?}");
    assert!(corrected[0] < 0.03 && 0.03 < corrected[1], "{corrected:?}");
    let said = text(&fit(dir.path(), &["t.csv"]).stdout);
    assert!(said.contains("Relative to the ceiling"), "{said}");
}

#[test]
fn a_break_is_a_line_and_what_lies_behind_is_hollow() {
    let rows: String =
        [1, 2, 3, 4, 6, 8, 12].map(|n| format!("{n},{}\n", 100 * n.min(8) - n)).concat();
    let dir = table(&format!("n,throughput\n{rows}"));
    let found = json(&fit(dir.path(), &["t.csv", "--json", "--break", "8", "--out", "out"]));
    let said = found["warnings"].to_string();
    assert!(
        said.contains(
            "the fit ends at N = 8, behind which the machine changes; 1 larger worker count is"
        ),
        "{said}"
    );
    let svg = fs::read_to_string(dir.path().join("out/figures/fit.svg")).unwrap();
    assert!(svg.contains("\nbreak\n") && svg.contains("hollow: not fitted"));
    assert_eq!(
        fs::read_to_string(dir.path().join("out/data/points.csv"))
            .unwrap()
            .matches("false")
            .count(),
        2
    );
}

/// A profile that stays below its threshold says so in the figure.
#[test]
fn an_open_end_is_seen() {
    let dir = table("n,throughput\n2,90\n3,140\n4,160\n5,210\n");
    let found = json(&fit(dir.path(), &["t.csv", "--json", "--out", "out"]));
    let ends = |p: &str| found["laws"][2]["ci95"][p].as_array().cloned().unwrap();
    let open = [ends("alpha"), ends("beta")].concat().iter().filter(|e| e.is_null()).count();
    let svg = fs::read_to_string(dir.path().join("out/figures/profile.svg")).unwrap();
    assert!(open > 0 && svg.matches("\nopen\n").count() == open, "{open}");
}

#[test]
fn the_readme_s_flags_are_those_of_fit() {
    use clap::CommandFactory;
    let readme = include_str!("../../../README.md");
    let row = readme.lines().find(|l| l.starts_with("| `amdahl fit ")).unwrap();
    let mut documented: Vec<&str> =
        row.split(['`', ' ', '[', ']', '|']).filter_map(|w| w.strip_prefix("--")).collect();
    let tree = amdahl_analysis::cli::Cli::command();
    let verb = tree.find_subcommand("fit").unwrap();
    let mut known: Vec<&str> = verb.get_arguments().filter_map(clap::Arg::get_long).collect();
    documented.sort_unstable();
    known.sort_unstable();
    assert_eq!(documented, known);
}
