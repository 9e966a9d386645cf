//! How figures looked before: small grey pictures in `tests/pictures`, compared with some tolerance.
//! `UPDATE_GOLDEN=1` writes them anew; look at them before you commit them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use amdahl_analysis::export::Grey;

use crate::visual::{DRAWINGS, assert_no_faults};

/// Resolution of the pictures in git.
const PICTURE_DPI: u32 = 60;
/// All pictures together, bytes.
const PICTURES_MAX: u64 = 550_000;
/// Cases whose figures look like those of `gil-and-threads`: their goldens hold what they are for.
const ALIKE: [&str; 4] = ["absent-python", "budget-limited", "many-unreached", "torn-line"];
/// Largest mean difference of a picture, of 255.
const MEAN_MAX: f64 = 0.4;
/// Largest mean difference of a block of pixels.
const BLOCK_MAX: f64 = 24.0;
/// Side of a block, pixels.
const BLOCK: u32 = 8;

#[test]
fn figures_look_as_they_did() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    let updating = std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1");
    if updating {
        let _ = fs::remove_dir_all(&dir); // There may be none; what is no figure any more goes.
    }
    let (mut faults, mut expected) = (Vec::new(), Vec::new());
    let alike = |name: &str| ALIKE.iter().any(|case| name.starts_with(case));
    for (name, drawing) in DRAWINGS.iter().filter(|(name, _)| !alike(name)) {
        let path = dir.join(format!("{name}.png"));
        let now = in_eight_shades(drawing.grey(PICTURE_DPI).unwrap());
        if updating {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, now.png(PICTURE_DPI).unwrap()).unwrap();
        }
        let before = fs::read(&path).ok().and_then(|png| Grey::read(&png));
        if let Some(fault) = differs(before.as_ref(), &now) {
            faults.push(format!("{name}: {fault}; see {}", kept(name, before, &now).display()));
        }
        expected.push(path);
    }
    let total: u64 = expected.iter().filter_map(|p| fs::metadata(p).ok()).map(|m| m.len()).sum();
    assert!(total < PICTURES_MAX, "the pictures weigh {total} bytes");
    assert_no_faults(faults);
}

/// Few shades make small files, and an eye sees no more.
fn in_eight_shades(picture: Grey) -> Grey {
    let shade = |p: &u8| ((u32::from(*p) * 7 + 127) / 255 * 255 / 7) as u8;
    Grey { pixels: picture.pixels.iter().map(shade).collect(), ..picture }
}

/// Why two pictures are not the same to an eye.
fn differs(before: Option<&Grey>, now: &Grey) -> Option<String> {
    let Some(before) = before else { return Some("there is no picture of it".to_owned()) };
    if (before.width, before.height) != (now.width, now.height) {
        return Some(format!(
            "{}x{} was {}x{}",
            now.width, now.height, before.width, before.height
        ));
    }
    let mut blocks: BTreeMap<(u32, u32), (f64, f64)> = BTreeMap::new();
    let mut sum = 0.0;
    for (k, (a, b)) in before.pixels.iter().zip(&now.pixels).enumerate() {
        let d = f64::from(a.abs_diff(*b));
        let (x, y) = (k as u32 % now.width, k as u32 / now.width);
        let block = blocks.entry((y / BLOCK, x / BLOCK)).or_default();
        *block = (block.0 + d, block.1 + 1.0);
        sum += d;
    }
    let mean = sum / now.pixels.len() as f64;
    let worst = blocks.values().map(|(sum, n)| sum / n).fold(0.0, f64::max);
    (mean > MEAN_MAX || worst > BLOCK_MAX).then(|| {
        format!("differs by {mean:.2} in the mean (at most {MEAN_MAX}), {worst:.0} in a block (at most {BLOCK_MAX})")
    })
}

/// Puts the new picture, and where it differs, beside what the build makes.
fn kept(name: &str, before: Option<Grey>, now: &Grey) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures").join(format!("{name}.png"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, now.png(PICTURE_DPI).unwrap()).unwrap();
    if let Some(before) = before.filter(|b| b.pixels.len() == now.pixels.len()) {
        let pixels = before.pixels.iter().zip(&now.pixels).map(|(a, b)| 255 - a.abs_diff(*b));
        let difference = Grey { pixels: pixels.collect(), ..*now };
        fs::write(path.with_extension("difference.png"), difference.png(PICTURE_DPI).unwrap())
            .unwrap();
    }
    path
}

#[test]
fn a_changed_picture_is_noticed() {
    let white = Grey { width: 80, height: 80, pixels: vec![255; 6400] };
    let mut marked = white.clone();
    for k in 0..4 {
        marked.pixels[810 + 80 * k..814 + 80 * k].fill(0);
    }
    assert_eq!(differs(Some(&white), &white), None);
    assert!(differs(Some(&white), &marked).is_some_and(|f| f.contains("in a block")));
    let shorter = Grey { height: 40, pixels: vec![255; 3200], ..white };
    assert!(differs(Some(&shorter), &marked).is_some_and(|f| f.contains("80x80 was 80x40")));
}
