//! What stops each model, in words: a paragraph for every group of models that the same loss stops, equally sure.

use amdahl_schema::by_runtime;

use crate::render::format;
use crate::summary::{LimitGroup, Limited, Summary, Sure};

/// Ways in which the largest loss changes over N that are told; the figure and the tables have all.
const WAYS_MAX: usize = 3;

/// One paragraph a group.
pub(super) fn paragraphs(s: &Summary) -> Vec<String> {
    let several = s.limits.iter().any(|g| g.workload != s.limits[0].workload);
    s.limits.iter().map(|g| paragraph(g, several)).collect()
}

fn paragraph(g: &LimitGroup, several: bool) -> String {
    let on = if several { format!(" on `{}`", g.workload) } else { String::new() };
    let names = names(g.models.iter().map(|m| m.model.as_str()));
    let mut said = vec![format!("**{}**{on}: {names}.", title(&g.cause))];
    said.extend(size(g));
    said.push(surety(g));
    said.push(advice(g).to_owned());
    said.extend(over_n(g));
    said.retain(|s| !s.is_empty());
    said.join(" ")
}

fn names<'a>(models: impl Iterator<Item = &'a str>) -> String {
    by_runtime(models).iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

fn title(cause: &str) -> String {
    let text = match cause {
        "nothing" => "Nothing stops these".to_owned(),
        "unknown" => "Not known".to_owned(),
        other => other.replace('_', " "),
    };
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().collect::<String>() + letters.as_str())
}

/// How much it takes.
fn size(g: &LimitGroup) -> Option<String> {
    let losses: Vec<&Limited> = g.models.iter().filter(|m| m.loss.is_some()).collect();
    let of = |m: &Limited| m.loss.map_or(0.0, |l| l.value);
    let n = counts(g);
    match losses.as_slice() {
        [] => None,
        [one] => Some(format!(
            "It takes {} of {} workers' worth of throughput.",
            format::maybe_ratio(one.loss),
            one.workers
        )),
        many => {
            let lo = many.iter().map(|m| of(m)).fold(f64::INFINITY, f64::min);
            let hi = many.iter().map(|m| of(m)).fold(f64::NEG_INFINITY, f64::max);
            Some(format!(
                "It takes {lo:.2} to {hi:.2} workers' worth of throughput at N = {n}, each with its interval in the table."
            ))
        }
    }
}

fn surety(g: &LimitGroup) -> String {
    let all = g.models.iter().all(|m| m.largest_in.0 == m.largest_in.1);
    let (in_, of) =
        g.models.iter().fold((0, 0), |(a, b), m| (a + m.largest_in.0, b + m.largest_in.1));
    match g.sure {
        Sure::Yes if all => format!("It is the largest loss in every block ({of} in all)."),
        Sure::Yes => format!(
            "It is the largest loss in {in_} of {of} blocks, and by more than chance (95 %, differences within blocks)."
        ),
        Sure::NotFrom(rival) => format!(
            "The blocks can't tell whether *{}* takes as much (it is the largest in {in_} of {of}): more `--blocks`.",
            rival.replace('_', " ")
        ),
        Sure::OneBlock => {
            "With one block nothing is known of its spread: more `--blocks`.".to_owned()
        }
        Sure::NoLoss => String::new(),
    }
}

/// What it means and what to try.
fn advice(g: &LimitGroup) -> &'static str {
    match g.cause.as_str() {
        "blocked" if g.one_at_a_time => {
            "One runs at a time: a global lock, one thread for all tasks, or one lock around all the work. More workers do not help; processes, an interpreter \
             each, or a build without the lock do where the answer above says so."
        }
        "blocked" => {
            "Workers wait, for a lock or for I/O: hold the lock shorter, split it, or give each worker a part of its own."
        }
        "hardware" => {
            "The ceiling, processes that share nothing but the machine, loses as much: frequency, memory bandwidth, SMT siblings or a \
             hypervisor. Another placement or fewer workers a core may help; the model can't."
        }
        "run_queue" => {
            "Workers were runnable without a CPU: keep N to the CPUs available, and pin (`--placement cores`)."
        }
        "steal_foreign" => {
            "Other programs or other guests had the CPUs: measure on a quieter machine before blaming the model."
        }
        "imbalance" => {
            "Workers finish less than others or wait at the end of a job: smaller parts, or parts taken from a common queue."
        }
        "no_progress" => {
            "CPU time without work done: spinning, retries, or a cache line passed between cores. Pad or batch what workers write; cache \
             misses an operation would tell, where there is a PMU (`amdahl doctor`)."
        }
        "unexplained" => {
            "The time is gone and no part accounts for it: more blocks, and counters where the machine has them (`amdahl doctor`)."
        }
        "nothing" => {
            "No loss exceeds 5 % of N. What would stop them at larger N this run does not show."
        }
        _ => {
            "Too little was measured to split the loss; the notes under *All decisions* say what is missing."
        }
    }
}

/// Where the largest loss is another one at another N.
fn over_n(g: &LimitGroup) -> Option<String> {
    let mut ways: Vec<(String, Vec<&str>)> = Vec::new();
    for m in g.models.iter().filter(|m| m.over_n.iter().any(|(_, cause)| *cause != g.cause)) {
        let way = way(&m.over_n);
        match ways.iter_mut().find(|w| w.0 == way) {
            Some(w) => w.1.push(&m.model),
            None => ways.push((way, vec![&m.model])),
        }
    }
    ways.sort_by_key(|w| std::cmp::Reverse(w.1.len()));
    let all = ways.first().is_some_and(|w| w.1.len() == g.models.len());
    let more = ways.len().saturating_sub(WAYS_MAX);
    let told: Vec<String> = ways
        .into_iter()
        .take(WAYS_MAX)
        .map(
            |(way, models)| {
                if all { way } else { format!("{way} ({})", names(models.into_iter())) }
            },
        )
        .collect();
    let rest =
        if more > 0 { format!("; {more} more ways in *All decisions*") } else { String::new() };
    (!told.is_empty()).then(|| format!("Over N: {}{rest}.", told.join("; ")))
}

/// `blocked at 2, run queue at 4 and 8`.
fn way(over_n: &[(u32, String)]) -> String {
    let stretch = |part: &[(u32, String)]| {
        let counts: Vec<String> = part.iter().map(|(n, _)| n.to_string()).collect();
        format!("{} at {}", part[0].1.replace('_', " "), and(&counts))
    };
    over_n.chunk_by(|a, b| a.1 == b.1).map(stretch).collect::<Vec<_>>().join(", ")
}

fn counts(g: &LimitGroup) -> String {
    let n: std::collections::BTreeSet<u32> = g.models.iter().map(|m| m.workers).collect();
    and(&n.iter().map(u32::to_string).collect::<Vec<_>>())
}

fn and(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Estimate;

    fn model(id: &str, loss: f64, over_n: &[(u32, &str)]) -> Limited {
        let loss = Estimate { value: loss, ci95: Some((loss - 0.02, loss + 0.02)), n: 5 };
        let over_n = over_n.iter().map(|(n, c)| (*n, (*c).to_owned())).collect();
        Limited { model: id.to_owned(), workers: 2, loss: Some(loss), largest_in: (5, 5), over_n }
    }

    fn group(sure: Sure, models: Vec<Limited>) -> LimitGroup {
        let (workload, cause) = ("cpu".to_owned(), "blocked".to_owned());
        LimitGroup { workload, cause, sure, one_at_a_time: true, models }
    }

    #[test]
    fn models_that_one_cause_stops_share_a_paragraph() {
        let over = [(2, "blocked"), (4, "run_queue"), (8, "run_queue")];
        let models =
            vec![model("python3.8/threads", 0.9, &over), model("python3.9/threads", 1.0, &over)];
        let text = paragraph(&group(Sure::Yes, models), false);
        assert!(
            text.starts_with("**Blocked**: `python3.8/threads`, `python3.9/threads`."),
            "{text}"
        );
        assert!(text.contains("0.90 to 1.00 workers' worth of throughput at N = 2"), "{text}");
        assert!(text.contains("every block (10 in all)"), "{text}");
        assert!(text.ends_with("Over N: blocked at 2, run queue at 4 and 8."), "{text}");
    }

    #[test]
    fn what_cannot_be_told_apart_is_not_claimed() {
        let mut one = model("a/threads", 0.5, &[(2, "blocked")]);
        one.largest_in = (3, 5);
        let text = paragraph(&group(Sure::NotFrom("no_progress"), vec![one]), true);
        assert!(
            text.starts_with("**Blocked** on `cpu`: `a/threads`. It takes 0.50 [0.48, 0.52] of 2"),
            "{text}"
        );
        assert!(
            text.contains(
                "can't tell whether *no progress* takes as much (it is the largest in 3 of 5)"
            ),
            "{text}"
        );
        assert!(!text.contains("Over N"));
    }
}
