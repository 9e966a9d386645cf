//! The workers' files, which are part of the program: it works from any directory, without its checkout.

type Files = &'static [(&'static str, &'static str)];

/// Name and content of a language's files.
macro_rules! files {
    ($lang:literal: $($name:literal),+) => {
        ($lang, &[$(($name, include_str!(concat!("../../workers/", $lang, "/", $name)))),+])
    };
}

const WORKERS: [(&str, Files); 6] = [
    files!("python": "worker.py", "session.py", "carriers.py", "tasks.py", "loops.py", "meeting.py", "locks.py", "micro.py"),
    files!("cpp": "worker.cpp", "cell.hpp", "workloads.hpp", "serial.hpp", "lock.hpp", "recorder.hpp", "system.hpp", "protocol.hpp"),
    files!(
        "go": "worker.go", "lines.go", "cell.go", "track.go", "histogram.go", "workloads.go", "memory.go",
        "serial.go", "lock.go", "carriers.go", "kernel.go"
    ),
    files!(
        "java": "Worker.java", "Line.java", "Out.java", "Cell.java", "Lane.java", "Plan.java", "Track.java",
        "Hist.java", "Workload.java", "Op.java", "Mem.java", "Serial.java", "Locking.java", "Carriers.java", "Jvm.java",
        "Kernel.java", "Padded.java"
    ),
    files!("node": "worker.js", "cell.js", "lane.js", "workloads.js", "lock.js", "shared.js", "recorder.js", "protocol.js", "system.js"),
    files!(
        "preload": "cond.c", "mutex.c", "process.c", "record.c", "rwlock.c", "spin.c", "wait.c", "layout.h", "process.h", "real.h",
        "record.h", "wait.h"
    ),
];

/// The files of a language's worker by name.
pub(super) fn files(lang: &str) -> Files {
    WORKERS.iter().find(|(of, _)| *of == lang).map_or(&[], |(_, files)| files)
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

    #[test]
    fn every_file_of_the_preloaded_library_is_here() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/workers/preload");
        let names = std::fs::read_dir(dir).unwrap().flatten();
        let names = names.map(|e| e.file_name().into_string().unwrap());
        let mut there: Vec<String> = names.filter(|n| !n.ends_with(".md")).collect();
        let mut here: Vec<&str> = files("preload").iter().map(|(name, _)| *name).collect();
        there.sort();
        here.sort_unstable();
        assert_eq!(here, there);
    }
}
