//! One cell that somebody names: does this machine have it? Says what is wrong, and what was probably meant.

use std::collections::BTreeMap;

use amdahl_schema::AbsentModel;

use super::{ModelInfo, check, nearest};
use crate::Unable;

/// Checks a model, a workload of it and the workload's parameters by name; whether values are right is the worker's to say.
pub fn check_cell(
    models: &[ModelInfo],
    absent: &[AbsentModel],
    model: &str,
    workload: &str,
    params: &BTreeMap<String, String>,
) -> Result<(), Unable> {
    let Some(info) = models.iter().find(|m| m.id == model) else {
        if let Some(a) = absent.iter().find(|a| a.model == model) {
            let remedy = a.why.remedy.as_ref().map(|r| format!(" ({r})")).unwrap_or_default();
            return Err(Unable(format!("{model}: {}{remedy}", a.why.reason)));
        }
        let ids = models.iter().map(|m| m.id.as_str());
        let close = nearest(model, ids.chain(absent.iter().map(|a| a.model.as_str())));
        return Err(Unable(format!(
            "no model `{model}` was found{close}; `amdahl list` shows them, and a single one is named, without wildcards"
        )));
    };
    if !info.workloads.iter().any(|w| w == workload) {
        let close = nearest(workload, info.workloads.iter().map(String::as_str));
        let offered = info.workloads.join(", ");
        return Err(Unable(format!(
            "{model} does not offer workload `{workload}`{close}; it has {offered}"
        )));
    }
    for key in params.keys() {
        if check::reserved_key(key) {
            return Err(Unable(format!("parameter `{key}`: the protocol itself uses that key")));
        }
        if let Some(what) = check::unknown_param(&[workload], key) {
            return Err(Unable(what));
        }
    }
    let locks = || info.locks.iter().map(String::as_str);
    match params.get("lock") {
        None if workload == "lock" => Err(Unable(format!(
            "workload `lock` wants the lock to be named, with --param lock=NAME; {model} has {}",
            info.locks.join(", ")
        ))),
        Some(lock) if workload == "lock" && !locks().any(|l| l == lock) => {
            Err(Unable(format!("{model} has no lock `{lock}`{}", nearest(lock, locks()))))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(model: &str, workload: &str, params: &[(&str, &str)]) -> String {
        let models = [ModelInfo {
            id: "rust/threads".to_owned(),
            mechanism: "threads".to_owned(),
            lang: "rust".to_owned(),
            main: true,
            representative: true,
            rank: 0,
            workloads: ["cpu", "lock"].map(str::to_owned).to_vec(),
            locks: ["mutex", "ticket"].map(str::to_owned).to_vec(),
            switch_ns: None,
            hello_ns: 0,
            lead_ns: 0,
        }];
        let params = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        match check_cell(&models, &[], model, workload, &params) {
            Ok(()) => String::new(),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is_near() {
        assert_eq!(says("rust/threads", "cpu", &[("steps", "5")]), "");
        assert_eq!(says("rust/threads", "lock", &[("lock", "ticket")]), "");
        for (text, wrong) in [
            ("did you mean rust/threads", says("rust/thread", "cpu", &[])),
            ("it has cpu, lock", says("rust/threads", "mem", &[])),
            ("did you mean lock", says("rust/threads", "locks", &[])),
            ("did you mean steps", says("rust/threads", "cpu", &[("step", "5")])),
            ("the protocol itself", says("rust/threads", "cpu", &[("workers", "5")])),
            ("wants the lock to be named", says("rust/threads", "lock", &[])),
            ("did you mean mutex", says("rust/threads", "lock", &[("lock", "mutx")])),
        ] {
            assert!(wrong.contains(text), "{wrong}: {text} expected");
        }
    }
}
