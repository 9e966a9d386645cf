//! The workers that come with the program keep the protocol and do the same work: one runtime of each language.

use std::process::Command;

use serde_json::Value;

fn amdahl(args: &[&str]) -> (Option<i32>, Vec<u8>) {
    let out = Command::new(env!("CARGO_BIN_EXE_amdahl")).args(args).output().unwrap();
    (out.status.code(), out.stdout)
}

/// The first model found whose id begins so.
fn first(models: &[Value], begin: &str) -> Option<String> {
    let id = |m: &Value| m["model"].as_str().unwrap().to_owned();
    let mut found = models.iter().filter(|m| m["available"] == true).map(id);
    found.find(|id| id.starts_with(begin))
}

#[test]
fn one_worker_of_each_language_conforms() {
    let (code, listed) = amdahl(&["list", "--json"]);
    assert_eq!(code, Some(0));
    let listed: Value = serde_json::from_slice(&listed).unwrap();
    let models = listed["models"].as_array().unwrap();
    let mut checked = 0;
    for begin in ["rust/threads", "cpp", "go", "java", "node", "python"] {
        let Some(model) = first(models, begin) else {
            eprintln!("not tested: no runtime of {begin} here; `amdahl list` says why");
            continue;
        };
        let (code, text) = amdahl(&["conform", "--models", &model]);
        assert_eq!(code, Some(0), "{}", String::from_utf8_lossy(&text));
        checked += 1;
    }
    assert!(checked >= 1, "the Rust worker is always here");
}
