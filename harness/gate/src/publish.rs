//! The forms to where they are read: files that were asked for, and the page and log of a GitHub job.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::{FORMS, Report, SUMMARY_BYTES_MAX, annotations, form, markdown};

/// What was asked for beside the verdict on the terminal.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    files: Vec<(String, PathBuf)>,
    /// A step's summary, to which is appended.
    summary: Option<PathBuf>,
    /// Whether annotations belong on stdout.
    annotate: bool,
}

impl Wanted {
    /// From `FORM=FILE` arguments and the variables that GitHub sets. The error says what is wrong before anything is measured: a form that
    /// does not exist, a file that could not be written.
    pub fn new(args: &[String], env: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut files = Vec::new();
        for arg in args {
            let (name, file) =
                arg.split_once('=').filter(|(_, file)| !file.is_empty()).ok_or_else(|| {
                    format!("--write {arg}: FORM=FILE expected, e.g. markdown=verdict.md")
                })?;
            if !FORMS.contains(&name) {
                return Err(format!(
                    "--write {arg}: no form `{name}`; there are {}",
                    FORMS.join(", ")
                ));
            }
            check(Path::new(file)).map_err(|e| format!("--write {arg}: {e}"))?;
            files.push((name.to_owned(), PathBuf::from(file)));
        }
        let summary = env("GITHUB_STEP_SUMMARY").filter(|p| !p.is_empty()).map(PathBuf::from);
        Ok(Self { files, summary, annotate: env("GITHUB_ACTIONS").as_deref() == Some("true") })
    }
}

/// Whether a file could be written there, without writing it.
pub fn check(file: &Path) -> Result<(), String> {
    if file.is_dir() {
        return Err(format!("{} is a directory", file.display()));
    }
    let dir = file.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The only question that a read-only file system and a missing right answer alike.
    tempfile_in(dir).map_err(|e| format!("{}: {e}; nothing could be written there", dir.display()))
}

fn tempfile_in(dir: &Path) -> io::Result<()> {
    let path = dir.join(format!(".amdahl-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&path)?;
    std::fs::remove_file(path)
}

/// Writes what was asked for; what belongs on stdout comes back. An unwritable summary is told, not an error: the verdict stands.
pub fn publish(report: &Report, wanted: &Wanted) -> Result<String, String> {
    for (name, file) in &wanted.files {
        let text = form(report, name).expect("names are checked in `new`");
        write_whole(file, &text).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    let mut lines = if wanted.annotate { annotations(report) } else { Vec::new() };
    if let Some(path) = &wanted.summary
        && let Err(e) = append(path, report)
    {
        lines.push(format!("GITHUB_STEP_SUMMARY: {}: {e}", path.display()));
    }
    Ok(lines.into_iter().map(|l| l + "\n").collect())
}

/// Beside it, then in its place: a reader never sees half of it.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = file.with_file_name(format!(".{name}.{}", std::process::id()));
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, file)
}

/// With what the step wrote before, it stays within what GitHub shows.
fn append(path: &Path, report: &Report) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let used = file.metadata()?.len() as usize;
    file.write_all(markdown(report, SUMMARY_BYTES_MAX.saturating_sub(used)).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::markdown::tests::{cell, report};

    fn nothing(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn forms_are_written_where_they_are_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name).display().to_string();
        let args = [format!("markdown={}", file("v.md")), format!("bmf={}", file("v.json"))];
        let report = report(vec![cell("a", Verdict::Regressed, vec![])]);
        let printed = publish(&report, &Wanted::new(&args, nothing).unwrap()).unwrap();
        assert!(printed.is_empty());
        assert!(
            std::fs::read_to_string(file("v.md")).unwrap().starts_with("### amdahl: regressed")
        );
        assert!(std::fs::read_to_string(file("v.json")).unwrap().contains("\"a\""));
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            2,
            "nothing is left beside them"
        );
    }

    #[test]
    fn in_a_github_job_the_summary_grows_and_annotations_are_printed() {
        let dir = tempfile::tempdir().unwrap();
        let page = dir.path().join("summary.md");
        std::fs::write(&page, "before\n").unwrap();
        let env = |name: &str| match name {
            "GITHUB_ACTIONS" => Some("true".to_owned()),
            "GITHUB_STEP_SUMMARY" => Some(page.display().to_string()),
            _ => None,
        };
        let report = report(vec![cell("a", Verdict::Regressed, vec![])]);
        let printed = publish(&report, &Wanted::new(&[], env).unwrap()).unwrap();
        assert!(
            printed.starts_with("::error title=amdahl::") && printed.lines().count() == 2,
            "{printed}"
        );
        let text = std::fs::read_to_string(&page).unwrap();
        assert!(text.starts_with("before\n### amdahl: regressed"), "{text}");
    }

    #[test]
    fn what_can_t_be_written_is_told_beforehand() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = |arg: String| Wanted::new(&[arg], nothing).unwrap_err();
        assert!(wanted("markdown".into()).contains("FORM=FILE expected"));
        assert!(wanted("xml=a".into()).contains("no form `xml`; there are json, markdown"));
        assert!(wanted(format!("json={}", dir.path().display())).contains("is a directory"));
        assert!(
            wanted("json=/no/such/place/v.json".into()).contains("/no/such/place: No such file")
        );
    }
}
