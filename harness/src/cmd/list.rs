//! `amdahl list`: models x workloads, available or why not.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::ListArgs;
use crate::worker::discover::{Discovery, Found};

/// Prints the table.
pub fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let found = super::find(&args.worker, &[])?;
    let models: Vec<_> = found
        .found
        .iter()
        .flat_map(|f| f.models().map(move |id| (id, f)))
        .map(|(id, f)| {
            let mut model = json!({"model": id, "workloads": workloads(f, &id),
                   "runtime": f.runtime, "available": true});
            if workloads(f, &id).iter().any(|w| w == "lock") {
                model["locks"] = json!(f.hello.locks);
            }
            model
        })
        .collect();
    let absent: Vec<_> = found
        .absent
        .iter()
        .map(|a| json!({"model": a.model, "available": false, "why": a.why}))
        .collect();
    let models = [models, absent].concat();
    let json = json!({"schema": 1, "models": models});
    super::emit(&args.json, &json, &text(&found))?;
    Ok(ExitCode::SUCCESS)
}

/// What a worker offers with this mechanism: `serial` needs workers that share memory, for one.
fn workloads(found: &Found, model: &str) -> Vec<String> {
    found.mechanism(model).map(|m| found.hello.workloads_of(m)).unwrap_or_default()
}

fn text(found: &Discovery) -> String {
    let mut text = String::new();
    let width = found.models().iter().map(String::len).max().unwrap_or(0);
    let offered = |f: &Found, id: &str| workloads(f, id).join(" ");
    let all = found.found.iter().flat_map(|f| f.models().map(move |id| offered(f, &id).len()));
    let offered_width = all.max().unwrap_or(0);
    for f in &found.found {
        let gil = match f.runtime.gil {
            Some(true) => ", GIL on",
            Some(false) => ", GIL off",
            None => "",
        };
        for id in f.models() {
            text.push_str(&format!(
                "{id:<width$}  {:<offered_width$}  {} {}{gil}\n",
                offered(f, &id),
                f.runtime.version,
                f.runtime.path
            ));
        }
    }
    for f in found.found.iter().filter(|f| !f.hello.locks.is_empty()) {
        text.push_str(&format!("locks of {}: {}\n", f.runtime.id, f.hello.locks.join(" ")));
    }
    for a in &found.absent {
        text.push_str(&format!("{:<width$}  absent: {}\n", a.model, a.why.reason));
        if let Some(remedy) = &a.why.remedy {
            text.push_str(&format!("{:<width$}  remedy: {remedy}\n", ""));
        }
    }
    text
}
