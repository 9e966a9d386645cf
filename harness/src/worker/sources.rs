//! The workers' files, which are part of the program: it works from any directory, without its checkout.

/// Each with its language and content.
macro_rules! files {
    ($($lang:literal: $($name:literal)+;)+) => {
        &[$($(($lang, $name, include_str!(concat!("../../workers/", $lang, "/", $name)))),+),+]
    };
}

/// Language, file name, content.
const FILES: &[(&str, &str, &str)] = files! {
    "python": "worker.py" "carriers.py" "loops.py";
    "cpp": "worker.cpp";
    "go": "worker.go" "lines.go" "cell.go" "track.go" "histogram.go" "workloads.go" "memory.go" "serial.go"
        "carriers.go" "kernel.go";
    "java": "Worker.java" "Line.java" "Out.java" "Cell.java" "Lane.java" "Plan.java" "Track.java" "Hist.java"
        "Workload.java" "Op.java" "Mem.java" "Serial.java" "Carriers.java" "Jvm.java" "Kernel.java" "Padded.java";
    "node": "worker.js";
};

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
