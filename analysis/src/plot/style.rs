//! A model's colour, marker and dash: they belong to the model, so figures agree across reports.
//!
//! Colour tells the runtime, marker and dash tell the mechanism, a darker tone a free-threaded
//! build. Colours are from the Okabe-Ito and Tol palettes, which colour-blind readers can tell apart;
//! markers and dashes carry the same in grey. Nothing here depends on the order of arrival.

use crate::model::ModelName;
use crate::plot::canvas::{Canvas, Dash, PAPER, Rgb, Stroke};

/// Shape of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// Threads.
    Disc,
    /// Processes, fork.
    Square,
    /// Spawn.
    Triangle,
    /// Forkserver.
    Diamond,
    /// What runs in parallel by itself: goroutines, virtual threads, workers, a pool, interpreters.
    Wedge,
    /// Tasks that yield (tokio, asyncio), and goroutines that keep their thread.
    Hourglass,
    /// Anything else.
    Cross,
}

/// A bar across a marker: neighbouring versions differ where colours fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    /// None.
    Without,
    /// From left to right.
    Level,
    /// From top to bottom.
    Upright,
    /// From corner to corner.
    Slash,
}

/// How a model looks in every figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Colour of its runtime.
    pub color: Rgb,
    /// Marker of its mechanism.
    pub marker: Marker,
    /// Hollow for free-threaded builds, for variants and for labelled runtimes.
    pub hollow: bool,
    /// Bar of its version, for languages of which many versions stand side by side.
    pub bar: Bar,
    /// Dash of its mechanism.
    pub dash: Dash,
}

/// The look of a model.
pub fn look(id: &str) -> Look {
    let m = ModelName::parse(id);
    let base = base_color(&m);
    let (marker, dash): (Marker, Dash) = match (m.mechanism.as_str(), m.option.as_deref()) {
        ("threads", _) => (Marker::Disc, &[]),
        ("processes", Some("spawn")) => (Marker::Triangle, &[1.2, 1.6]),
        ("processes", Some("forkserver")) => (Marker::Diamond, &[5.0, 1.5, 1.2, 1.5]),
        ("processes", _) => (Marker::Square, &[4.0, 2.0]),
        ("tokio" | "asyncio", _) | ("goroutines", Some(_)) => (Marker::Hourglass, &[1.5, 1.5]),
        ("goroutines" | "virtual" | "workers" | "rayon" | "subinterpreters", _) => {
            (Marker::Wedge, &[2.5, 1.5])
        }
        _ => (Marker::Cross, &[6.0, 1.5]),
    };
    let color = if m.free_threaded { darker(base) } else { base };
    let hollow = m.free_threaded ^ m.variant.is_some() ^ m.label.is_some();
    Look { color, marker, hollow, bar: bar(&m), dash }
}

/// Draws a marker about `size` points wide.
pub fn draw_marker(canvas: &mut Canvas, look: &Look, at: (f64, f64), size: f64) {
    mark(canvas, look.marker, at, size, look.color);
    if look.hollow && look.marker != Marker::Cross {
        let hole = if look.bar == Bar::Without { 0.5 } else { 0.62 };
        mark(canvas, look.marker, at, size * hole, PAPER);
    }
    draw_bar(canvas, look, at, size);
}

/// In paper on a full marker, in its colour within a hollow one.
fn draw_bar(canvas: &mut Canvas, look: &Look, (x, y): (f64, f64), size: f64) {
    let (dx, dy) = match look.bar {
        _ if look.marker == Marker::Cross => return,
        Bar::Without => return,
        Bar::Level => (1.0, 0.0),
        Bar::Upright => (0.0, 1.0),
        Bar::Slash => (0.7, -0.7),
    };
    let (color, half) = if look.hollow { (look.color, size * 0.3) } else { (PAPER, size * 0.38) };
    let ends = [(x - dx * half, y - dy * half), (x + dx * half, y + dy * half)];
    canvas.line(&ends, Stroke::solid(color, size * 0.22));
}

/// By pairs of minor versions, of which one is light and one is dark.
fn bar(m: &ModelName) -> Bar {
    match (m.language.as_str(), m.version.get(1)) {
        ("python", Some(minor)) => {
            [Bar::Level, Bar::Upright, Bar::Without, Bar::Slash][*minor as usize / 2 % 4]
        }
        _ => Bar::Without,
    }
}

/// The line of a law, by its name: the law that predicts is drawn stronger.
pub fn law_stroke(law: &str, predicts: bool) -> Stroke {
    let (color, dash): (Rgb, Dash) = match law {
        "usl" => (Rgb(0x00, 0x72, 0xb2), &[]),
        "amdahl" => (Rgb(0xd5, 0x5e, 0x00), &[5.0, 2.0]),
        _ => (Rgb(0x77, 0x77, 0x77), &[1.2, 1.8]),
    };
    Stroke::solid(color, if predicts { 1.5 } else { 0.9 }).dashed(dash)
}

/// Colour of a part of the loss budget, by its key.
pub fn part_color(part: &str) -> Rgb {
    match part {
        "achieved" => Rgb(0x00, 0x9e, 0x73),
        "hardware" => Rgb(0x99, 0x99, 0x99),
        "blocked" => Rgb(0xd5, 0x5e, 0x00),
        "run_queue" => Rgb(0xe6, 0x9f, 0x00),
        "steal_foreign" => Rgb(0xcc, 0x79, 0xa7),
        "imbalance" => Rgb(0x56, 0xb4, 0xe9),
        "no_progress" => Rgb(0x00, 0x72, 0xb2),
        _ => Rgb(0xf2, 0xf2, 0xf2),
    }
}

/// By minor version modulo eight: 3.8 to 3.15 differ from each other and from compiled languages. Light and dark take turns,
/// so that in grey a version differs from its neighbour, whatever a label moves them on by.
const PYTHONS: [Rgb; 8] = [
    Rgb(0x99, 0x99, 0x33), // 3.8
    Rgb(0x88, 0x22, 0x55), // 3.9
    Rgb(0xcc, 0x79, 0xa7), // 3.10
    Rgb(0x11, 0x77, 0x33), // 3.11
    Rgb(0xe6, 0x9f, 0x00), // 3.12
    Rgb(0xd5, 0x5e, 0x00), // 3.13
    Rgb(0x44, 0xaa, 0x99), // 3.14
    Rgb(0x33, 0x22, 0x88), // 3.15
];

const LANGUAGES: [(&str, Rgb); 5] = [
    ("rust", Rgb(0x00, 0x72, 0xb2)),
    ("cpp", Rgb(0x56, 0xb4, 0xe9)),
    ("go", Rgb(0x00, 0x9e, 0x73)),
    ("java", Rgb(0xcc, 0x66, 0x77)),
    ("node", Rgb(0xaa, 0x44, 0x99)),
];

/// By minor version for Python, by language for the others, in a tone by version; a label moves on in the palette, so that
/// `python3.13@tools` differs from `python3.13` and from `python3.12@tools`.
fn base_color(m: &ModelName) -> Rgb {
    let known = LANGUAGES.iter().find(|(l, _)| *l == m.language);
    let place = match (m.language.as_str(), m.version.get(1)) {
        ("python", Some(minor)) => *minor as usize,
        _ => hash(&format!("{}{:?}", m.language, m.version)),
    };
    match (known, &m.label) {
        (Some((_, color)), None) => tone(*color, &m.version),
        (_, None) => PYTHONS[place % PYTHONS.len()],
        (_, Some(label)) => {
            let step = 1 + hash(label) % (PYTHONS.len() - 1);
            PYTHONS[(place % PYTHONS.len() + step) % PYTHONS.len()]
        }
    }
}

/// Versions of one language differ in lightness: the tone belongs to the version, not to its rank in a run.
fn tone(c: Rgb, version: &[u32]) -> Rgb {
    let lighter = |v: u8| (f64::from(v) + (255.0 - f64::from(v)) * 0.35).round() as u8;
    match version.iter().sum::<u32>() % 3 {
        0 => c,
        1 => darker(c),
        _ => Rgb(lighter(c.0), lighter(c.1), lighter(c.2)),
    }
}

fn darker(c: Rgb) -> Rgb {
    let f = |v: u8| (f64::from(v) * 0.6).round() as u8;
    Rgb(f(c.0), f(c.1), f(c.2))
}

/// FNV-1a: the same colour on every machine and in every build.
fn hash(text: &str) -> usize {
    let h = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (h >> 32) as usize
}

fn mark(canvas: &mut Canvas, marker: Marker, (x, y): (f64, f64), size: f64, color: Rgb) {
    let r = size / 2.0;
    match marker {
        Marker::Disc => canvas.disc((x, y), r, color, 1.0),
        Marker::Square => {
            let s = r * 0.9;
            canvas.rect((x - s, y - s), (x + s, y + s), color, 1.0);
        }
        Marker::Triangle => {
            let (w, h) = (r * 1.15, r);
            canvas.polygon(&[(x, y - h), (x + w, y + h), (x - w, y + h)], color, 1.0);
        }
        Marker::Diamond => {
            let s = r * 1.25;
            canvas.polygon(&[(x, y - s), (x + s, y), (x, y + s), (x - s, y)], color, 1.0);
        }
        Marker::Wedge => {
            let (w, h) = (r * 1.15, r);
            canvas.polygon(&[(x, y + h), (x + w, y - h), (x - w, y - h)], color, 1.0);
        }
        Marker::Hourglass => {
            let (w, h) = (r * 0.95, r * 1.1);
            canvas.polygon(&[(x - w, y - h), (x + w, y - h), (x, y)], color, 1.0);
            canvas.polygon(&[(x - w, y + h), (x + w, y + h), (x, y)], color, 1.0);
        }
        Marker::Cross => {
            let stroke = Stroke::solid(color, size * 0.28);
            canvas.line(&[(x - r, y - r), (x + r, y + r)], stroke);
            canvas.line(&[(x - r, y + r), (x + r, y - r)], stroke);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_belong_to_models_and_tell_them_apart() {
        let (a, b) = (look("python3.13/threads"), look("python3.13/processes-fork"));
        assert_eq!(a.color, b.color);
        assert_ne!(a.marker, b.marker);
        assert_ne!(look("python3.13t/threads").color, a.color);
        assert_ne!(look("python3.12/threads").color, a.color);
        assert_eq!(look("python3.13t+gil/threads").hollow, a.hollow);
        assert_ne!(look("python3.13@tools/threads"), a);
        assert_ne!(look("python3.13@tools/threads").color, look("python3.12@tools/threads").color);
        assert_eq!(look("zig/threads"), look("zig/threads"));
        let models = [
            "rust/threads",
            "rust/rayon",
            "rust/tokio",
            "go1.26/goroutines",
            "go1.26/goroutines-pinned",
            "go1.26+p1/goroutines",
            "java25/threads",
            "java25/virtual",
            "java21/threads",
            "java17/threads",
            "node20/workers",
            "node22/workers",
            "python3.13/asyncio",
            "python3.13/subinterpreters",
        ];
        for (k, a) in models.iter().enumerate() {
            assert!(models[..k].iter().all(|b| look(b) != look(a)), "{a} looks like another");
        }
    }
}
