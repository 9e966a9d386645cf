//! Ids of models, `runtime/mechanism`, as text.

/// Ids in few words, a runtime once, in the order of their first: `python3.8/{asyncio, threads}`, `rust/tokio`.
pub fn by_runtime<'a>(models: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for model in models {
        let (runtime, mechanism) = model.split_once('/').unwrap_or((model, ""));
        match groups.iter_mut().find(|(r, _)| *r == runtime) {
            Some((_, of)) => of.push(mechanism),
            None => groups.push((runtime, vec![mechanism])),
        }
    }
    let text = |(runtime, of): &(&str, Vec<&str>)| match of.as_slice() {
        [""] => (*runtime).to_owned(),
        [one] => format!("{runtime}/{one}"),
        many => format!("{runtime}/{{{}}}", many.join(", ")),
    };
    groups.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_grouped_by_runtime() {
        let models = ["python3.8/asyncio", "rust/threads", "python3.8/threads@pyenv", "perl"];
        let groups = by_runtime(models);
        assert_eq!(groups, ["python3.8/{asyncio, threads@pyenv}", "rust/threads", "perl"]);
    }
}
