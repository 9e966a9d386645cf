//! Round trips, and every way to meddle with a bundle.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use amdahl_schema::{BundledRun, MANIFEST_FILE, MANIFEST_VERSION, Manifest, Tool};
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use amdahl_bundle::{Opened, Source, is_bundle, open, pack};
use sha2::{Digest, Sha256};

fn manifest() -> Manifest {
    let run = BundledRun {
        name: "a".to_owned(),
        dir: "runs/a".to_owned(),
        id: "0".to_owned(),
        started_utc: "2026-01-02T03:04:05Z".to_owned(),
        schema: 1,
    };
    Manifest {
        schema: MANIFEST_VERSION,
        tool: Tool { name: "amdahl".to_owned(), version: "0".to_owned() },
        anonymous: false,
        runs: vec![run],
        report: "report".to_owned(),
        command: Vec::new(),
        figures: Vec::new(),
        files: Vec::new(),
    }
}

fn files(dir: &Path) -> BTreeMap<String, Source> {
    let long = format!("report/{}.csv", "x".repeat(120));
    fs::write(dir.join("trials"), vec![b'x'; 200_000]).unwrap();
    BTreeMap::from([
        ("runs/a/run.json".to_owned(), Source::Bytes(b"{}\n".to_vec())),
        ("runs/a/trials.jsonl".to_owned(), Source::File(dir.join("trials"))),
        (long, Source::Bytes(b"1\n".to_vec())),
        ("report/report.md".to_owned(), Source::Bytes(Vec::new())),
    ])
}

fn packed(dir: &Path) -> PathBuf {
    let target = dir.join("a.bundle.tar.gz");
    pack(&target, manifest(), &files(dir)).unwrap();
    target
}

/// Entries of an archive, to be put together otherwise.
fn entries(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive =
        tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(path).unwrap()));
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        found.push((name, bytes));
    }
    found
}

/// An archive of whatever is asked, names unchecked: what a stranger may send.
fn stranger(path: &Path, entries: &[(String, Vec<u8>)], more: Option<(&str, EntryType, &str)>) {
    let gz = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
    let mut tar = Builder::new(gz);
    let mut add = |name: &str, kind, link: &str, bytes: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        let raw = header.as_gnu_mut().unwrap();
        if name.len() > raw.name.len() {
            tar.append_data(&mut header, name, bytes).unwrap();
            return;
        }
        raw.name[..name.len()].copy_from_slice(name.as_bytes());
        raw.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        tar.append(&header, bytes).unwrap();
    };
    for (name, bytes) in entries {
        add(name, EntryType::Regular, "", bytes);
    }
    if let Some((name, kind, link)) = more {
        add(name, kind, link, b"");
    }
    tar.into_inner().unwrap().finish().unwrap();
}

fn opened(path: &Path) -> Result<Opened, String> {
    let scratch = tempfile::tempdir().unwrap();
    open(path, scratch.path()).map_err(|e| e.to_string())
}

#[track_caller]
fn refused(path: &Path, says: &[&str]) {
    let e = opened(path).unwrap_err();
    for word in says {
        assert!(e.contains(word), "`{word}` is not in: {e}");
    }
}

#[test]
fn what_was_packed_is_found_and_its_runs_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = packed(dir.path());
    let scratch = tempfile::tempdir().unwrap();
    let opened = open(&path, scratch.path()).unwrap();
    assert_eq!((opened.files, opened.manifest.files.len()), (4, 4));
    assert_eq!(fs::read(opened.root.join("runs/a/run.json")).unwrap(), b"{}\n");
    assert_eq!(fs::read(opened.root.join("runs/a/trials.jsonl")).unwrap().len(), 200_000);
    assert!(!opened.root.join("report").exists(), "only runs are written");
    assert_eq!(entries(&path)[0].0, "a.bundle/MANIFEST.json");
}

#[test]
fn the_same_files_make_the_same_bytes_and_their_hash() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let of = |dir: &Path| {
        let packed = pack(&dir.join("x.bundle.tar.gz"), manifest(), &files(dir)).unwrap();
        (packed, fs::read(dir.join("x.bundle.tar.gz")).unwrap())
    };
    let ((first, bytes), (second, again)) = (of(a.path()), of(b.path()));
    assert!(bytes == again && first == second);
    let hash: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!((bytes.len() as u64, hash), (first.bytes, first.sha256));
}

#[test]
fn an_unpacked_bundle_is_verified_in_place() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in entries(&packed(dir.path())) {
        let at = dir.path().join(name);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, bytes).unwrap();
    }
    let root = dir.path().join("a.bundle");
    assert!(is_bundle(&root) && !is_bundle(dir.path()));
    assert_eq!(opened(&root).unwrap().root, root);
    fs::write(root.join("runs/a/run.json"), "{ }").unwrap();
    fs::write(root.join("report/more.md"), "").unwrap();
    fs::remove_file(root.join("report/report.md")).unwrap();
    let says =
        ["runs/a/run.json was changed", "report/more.md was added", "report/report.md is missing"];
    refused(&root, &says);
    std::os::unix::fs::symlink("/etc/passwd", root.join("report/report.md")).unwrap();
    refused(&root, &["report/report.md", "is a link"]);
    fs::remove_file(root.join(MANIFEST_FILE)).unwrap();
    refused(&root, &["no MANIFEST.json"]);
}

#[test]
fn changed_missing_and_added_files_of_an_archive_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let all = entries(&packed(dir.path()));
    let other = dir.path().join("other.tar.gz");
    let mut some = all.clone();
    let at = some.iter().position(|(n, _)| n.ends_with("trials.jsonl")).unwrap();
    some[at].1[7] = b'y';
    some.retain(|(n, _)| !n.ends_with("report.md"));
    some.push(("a.bundle/runs/a/extra".to_owned(), b"1".to_vec()));
    stranger(&other, &some, None);
    refused(
        &other,
        &["trials.jsonl was changed", "report/report.md is missing", "runs/a/extra was added"],
    );
    let mut twice = all.clone();
    twice.push(all[1].clone());
    stranger(&other, &twice, None);
    refused(&other, &["is there twice"]);
}

#[test]
fn an_archive_packed_again_in_another_order_is_as_good() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = entries(&packed(dir.path()));
    all.reverse();
    let other = dir.path().join("other.tar.gz");
    stranger(&other, &all, Some(("a.bundle/report/", EntryType::Directory, "")));
    assert_eq!(opened(&other).unwrap().files, 4);
}

#[test]
fn entries_that_lead_elsewhere_are_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let all = entries(&packed(dir.path()));
    let other = dir.path().join("other.tar.gz");
    for name in ["../x", "/tmp/x", "a.bundle/../../x", "a.bundle//x", "x", "b/x", "a.bundle/./x"] {
        stranger(&other, &all, Some((name, EntryType::Regular, "")));
        refused(&other, &[name, "do not trust it"]);
    }
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Fifo, EntryType::Char] {
        stranger(&other, &all, Some(("a.bundle/runs/a/x", kind, "/etc/passwd")));
        refused(&other, &["a.bundle/runs/a/x", "is a link or no plain file"]);
    }
    assert!(!dir.path().join("x").exists() && !dir.path().parent().unwrap().join("x").exists());
}

#[test]
fn an_archive_cut_off_anywhere_is_damaged_and_one_with_more_behind_it_refused() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = fs::read(packed(dir.path())).unwrap();
    let other = dir.path().join("cut.bundle.tar.gz");
    for length in [0, 5, 20, bytes.len() / 2, bytes.len() - 9, bytes.len() - 1] {
        fs::write(&other, &bytes[..length]).unwrap();
        let e = opened(&other).unwrap_err();
        assert!(e.contains("damaged") || e.contains("no MANIFEST.json"), "{length}: {e}");
    }
    fs::write(&other, [bytes.as_slice(), b"more"].concat()).unwrap();
    refused(&other, &["behind the archive's end"]);
    fs::write(&other, "not an archive").unwrap();
    refused(&other, &["damaged"]);
    refused(&dir.path().join("nowhere"), &["nowhere", "No such file"]);
}

#[test]
fn data_behind_the_end_of_the_tar_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = packed(dir.path());
    let mut tar = Vec::new();
    let mut gz = flate2::read::GzDecoder::new(fs::File::open(&path).unwrap());
    std::io::Read::read_to_end(&mut gz, &mut tar).unwrap();
    tar.extend([b'x'; 512]);
    let mut gz = GzEncoder::new(fs::File::create(&path).unwrap(), Compression::fast());
    gz.write_all(&tar).unwrap();
    gz.finish().unwrap();
    refused(&path, &["behind the archive's end"]);
}

#[test]
fn a_manifest_that_is_none_or_too_new_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let all = entries(&packed(dir.path()));
    let other = dir.path().join("other.tar.gz");
    let text = String::from_utf8(all[0].1.clone()).unwrap();
    let newer = format!("\"schema\": {}", MANIFEST_VERSION + 1);
    for (with, says) in [
        (text.replacen("\"schema\": 1", &newer, 1), "is newer than"),
        (text.replace("\"runs/a/run.json\"", "\"../run.json\""), "is no path below the bundle"),
        (text.replace("\"dir\": \"runs/a\"", "\"dir\": \"runs/b\""), "has no `runs/b/run.json`"),
        (text.replacen("\"report\": \"report\"", "\"report\": 1", 1), "MANIFEST.json:"),
        (text[..text.len() / 2].to_owned(), "not JSON"),
    ] {
        assert_ne!(with, text, "{says}: nothing was replaced");
        let mut some = all.clone();
        some[0].1 = with.into_bytes();
        stranger(&other, &some, None);
        refused(&other, &[says]);
    }
    stranger(&other, &all[1..], None);
    refused(&other, &["no MANIFEST.json"]);
}

#[test]
fn a_file_that_is_gone_is_named_and_nothing_is_left_over() {
    let dir = tempfile::tempdir().unwrap();
    let gone =
        BTreeMap::from([("runs/a/run.json".to_owned(), Source::File(dir.path().join("no")))]);
    let target = dir.path().join("a.bundle.tar.gz");
    let e = pack(&target, manifest(), &gone).unwrap_err().to_string();
    assert!(e.contains("no: No such file") && !target.exists(), "{e}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left over");
}
