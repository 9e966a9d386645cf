//! Every form by its name, for whoever writes it to a file.

use crate::{
    Better, Report, SUMMARY_BYTES_MAX, action_benchmark, annotations, bencher, markdown,
    report_json,
};

/// Names of the forms, as `--write FORM=FILE` takes them.
pub const FORMS: [&str; 6] =
    ["json", "markdown", "annotations", "bmf", "customSmallerIsBetter", "customBiggerIsBetter"];

/// The report in the form of that name; `None` if there is none.
pub fn form(report: &Report, name: &str) -> Option<String> {
    let json = |value| format!("{value:#}\n");
    Some(match name {
        "json" => json(report_json(report)),
        "markdown" => markdown(report, SUMMARY_BYTES_MAX),
        "annotations" => annotations(report).join("\n") + "\n",
        "bmf" => json(bencher(report)),
        "customSmallerIsBetter" => json(action_benchmark(report, Better::Lower)),
        "customBiggerIsBetter" => json(action_benchmark(report, Better::Higher)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_form() {
        assert!(FORMS.iter().all(|name| form(&Report::default(), name).is_some()));
        assert!(form(&Report::default(), "xml").is_none());
    }
}
