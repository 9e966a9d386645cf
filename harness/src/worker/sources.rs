//! The workers' files, which are part of the program: it works from any directory, without its checkout.

/// Language, file name, content.
const FILES: [(&str, &str, &str); 7] = [
    ("python", "worker.py", include_str!("../../workers/python/worker.py")),
    ("python", "carriers.py", include_str!("../../workers/python/carriers.py")),
    ("python", "loops.py", include_str!("../../workers/python/loops.py")),
    ("cpp", "worker.cpp", include_str!("../../workers/cpp/worker.cpp")),
    ("go", "worker.go", include_str!("../../workers/go/worker.go")),
    ("java", "Worker.java", include_str!("../../workers/java/Worker.java")),
    ("node", "worker.js", include_str!("../../workers/node/worker.js")),
];

/// The files of a language's worker by name.
pub(super) fn files(lang: &str) -> Vec<(&'static str, &'static str)> {
    FILES.iter().filter(|(l, ..)| *l == lang).map(|(_, name, text)| (*name, *text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::places;

    #[test]
    fn every_file_that_workers_toml_names_is_here_and_no_other() {
        for lang in places::langs() {
            let here: Vec<&str> = files(&lang.name).iter().map(|(name, _)| *name).collect();
            assert_eq!(here, lang.files, "{}", lang.name);
        }
    }
}
