//! From the places where a language's runtimes may lie to candidates with ids: which are there, what they
//! answer, what they are called.

use std::path::{Path, PathBuf};

use amdahl_schema::Absence;

use super::ask::{self, Answer};
use super::build::Recipe;
use super::discover::{Candidate, Worker, receipt};
use super::places::{self, Lang, Variant};
use crate::Unable;

/// All candidates of a language: those named by the user first, then what is found, newest first.
pub(super) fn of(lang: &Lang, named: &[(String, PathBuf)]) -> Result<Vec<Candidate>, Unable> {
    let own = named.iter().filter(|(name, _)| *name == lang.name);
    let mut paths: Vec<(PathBuf, bool)> = own.map(|(_, path)| (path.clone(), true)).collect();
    paths.extend(places::search(lang).into_iter().map(|p| (p, false)));
    if lang.first_only {
        paths.truncate(1);
    }
    let answers = ask::ask_all(lang, &paths);
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut asked: Vec<Answer> = Vec::new();
    for ((path, named), answer) in paths.into_iter().zip(answers) {
        let unusable = match &answer {
            Err(why) => Some(why),
            Ok(answer) => answer.unusable.as_ref(),
        };
        if let (true, Some(why)) = (named, unusable) {
            let what = format!("--runtime {}={}", lang.name, path.display());
            return Err(Unable(format!("{what}: {}", why.reason)));
        }
        match answer {
            Err(why) => asked.push(stub(&path, why)),
            Ok(answer) => {
                // One named is measured as named: a virtual environment's python is a link to another.
                let known = |p: &PathBuf| seen.iter().any(|s| s == p);
                if named && !known(&path) || !named && !known(&answer.real) {
                    seen.extend([path, answer.real.clone()]);
                    asked.push(answer);
                }
            }
        }
    }
    Ok(name_all(asked, lang))
}

/// One that can't even answer keeps a row under its path.
fn stub(path: &Path, why: Absence) -> Answer {
    let (path, real) = (path.to_owned(), path.to_owned());
    Answer { path, real, unusable: Some(why), ..Answer::default() }
}

/// Gives ids: newest first, `t` for free-threaded builds, a label from the second of a version on.
fn name_all(asked: Vec<Answer>, lang: &Lang) -> Vec<Candidate> {
    let mut named: Vec<(Answer, String, String)> = Vec::new();
    let mut taken: Vec<String> = Vec::new();
    for answer in asked {
        let base = base_id(lang, &answer);
        let mut label = String::new();
        let mut n = 2;
        while taken.contains(&format!("{base}{label}")) {
            let place = places::label(&answer.path);
            label = if n == 2 { format!("@{place}") } else { format!("@{place}{n}") };
            n += 1;
        }
        taken.push(format!("{base}{label}"));
        named.push((answer, base, label));
    }
    named.sort_by(|(a, ..), (b, ..)| b.version.cmp(&a.version));
    let each = named.into_iter().flat_map(|(answer, base, label)| {
        let fits = |v: &&Variant| answer.free_threaded || !v.free_threaded;
        let usable = answer.unusable.is_none();
        let twins: Vec<Candidate> = lang
            .variants
            .iter()
            .filter(|v| usable && fits(v))
            .map(|v| candidate(&answer, format!("{base}+{}{label}", v.name), lang, Some(v)))
            .collect();
        [candidate(&answer, format!("{base}{label}"), lang, None)].into_iter().chain(twins)
    });
    each.collect()
}

fn base_id(lang: &Lang, answer: &Answer) -> String {
    if answer.version.is_empty() {
        return format!("{}({})", lang.name, places::tilde(&answer.path));
    }
    let number = |k: usize| answer.version.get(k).copied().unwrap_or(0).to_string();
    let id = lang.id.replace("{0}", &number(0)).replace("{1}", &number(1));
    if answer.free_threaded { id + "t" } else { id }
}

fn candidate(answer: &Answer, id: String, lang: &Lang, variant: Option<&Variant>) -> Candidate {
    let mut runtime = receipt(&id, &lang.name, &answer.real);
    runtime.gil = answer.gil;
    let recipe = || Recipe {
        lang: lang.clone(),
        runtime: answer.path.clone(),
        version: answer.version.clone(),
        env: variant.map(|v| v.env.clone()).unwrap_or_default(),
    };
    let only = variant.map(|v| v.only.clone()).unwrap_or_default();
    let first = lang.models.first().and_then(|m| m.split_once('/')).map_or("threads", |(_, m)| m);
    Candidate {
        row: only.first().map_or(first, String::as_str).to_owned(),
        worker: match &answer.unusable {
            Some(why) => Err(why.clone()),
            None => Ok(Worker::ToMake(Box::new(recipe()))),
        },
        id,
        runtime,
        only,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(version: &[u32], free_threaded: bool) -> Answer {
        let path = PathBuf::from("/usr/bin/x");
        Answer { path, version: version.to_vec(), free_threaded, ..Answer::default() }
    }

    fn ids(lang: &str, asked: Vec<Answer>) -> Vec<String> {
        let lang = places::langs().into_iter().find(|l| l.name == lang).unwrap();
        name_all(asked, &lang).into_iter().map(|c| c.id).collect()
    }

    #[test]
    fn ids_say_version_build_variant_and_place() {
        assert_eq!(ids("go", vec![answer(&[1, 26, 8], false)]), ["go1.26", "go1.26+p1"]);
        assert_eq!(
            ids("java", vec![answer(&[17, 0, 15], false), answer(&[25], false)]),
            ["java25", "java17"]
        );
        assert_eq!(ids("cpp", vec![answer(&[12, 2, 0], false)]), ["cpp"]);
        let pythons =
            vec![answer(&[3, 13, 5], true), answer(&[3, 13, 5], false), answer(&[3, 13, 0], false)];
        assert_eq!(
            ids("python", pythons),
            ["python3.13t", "python3.13t+gil", "python3.13", "python3.13@system"]
        );
    }

    #[test]
    fn one_that_does_not_answer_keeps_a_row_under_its_path() {
        let why = Absence { reason: "broken".to_owned(), remedy: None };
        let lang = places::langs().into_iter().find(|l| l.name == "node").unwrap();
        let all = name_all(vec![stub(Path::new("/opt/node"), why)], &lang);
        assert_eq!((all[0].id.as_str(), all[0].row.as_str()), ("node(/opt/node)", "workers"));
        assert!(all[0].worker.is_err());
    }
}
