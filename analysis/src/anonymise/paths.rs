//! Paths and values of the environment in a text of any kind: `<path>` or the program's name, `<value>`.

use super::record::is_program;

/// Where a path, or any other word, ends.
const ENDS: &str = "'\"`:;,()<>|&[]=";

/// Parts of the kernel's interface: the same on every Linux, and needed in remedies.
const KERNELS: [&str; 7] = [
    "/proc/sys/",
    "/sys/kernel/",
    "/sys/devices/system/",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/loadavg",
];

/// A text without the paths in it, absolute, of a home, or of several parts.
pub(super) fn without(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while !rest.is_empty() {
        let (read, written) = match next(rest, before, &out) {
            Some(found) => found,
            None => {
                let end = rest.chars().next().map_or(0, char::len_utf8);
                (end, rest[..end].to_owned())
            }
        };
        before = rest[..read].chars().next_back();
        out.push_str(&written);
        rest = &rest[read..];
    }
    out
}

/// What stands at the begin of a text if it is a word: its length, and what is written for it.
fn next(text: &str, before: Option<char>, written: &str) -> Option<(usize, String)> {
    if let Some(length) = value_after(written, before, text) {
        return Some((length, "<value>".to_owned()));
    }
    if let Some((scheme, _)) = text.split_once("://")
        && !scheme.is_empty()
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric())
    {
        let end = text.find(|c: char| c.is_whitespace() || "'\"`<>)".contains(c));
        let url = &text[..end.unwrap_or(text.len())];
        let local = scheme.eq_ignore_ascii_case("file");
        return Some((url.len(), if local { "<path>".to_owned() } else { url.to_owned() }));
    }
    let word = word(text);
    if word.is_empty() {
        return None;
    }
    // `-I/usr/include`: a switch and its path in one word.
    let glued = if word.starts_with('-') { word.find('/').unwrap_or(0) } else { 0 };
    let path = &word[glued..];
    if !is_path(path) {
        return Some((word.len(), word.to_owned()));
    }
    let quoted = before.filter(|c| "'\"`".contains(*c)).and_then(|q| quoted(text, q));
    let (length, path) = match quoted {
        Some(end) if end > word.len() => (end, &text[glued..end]),
        _ => {
            let path = path.trim_end_matches('.');
            (glued + path.len(), path)
        }
    };
    Some((length, format!("{}{}", &text[..glued], placeholder(path))))
}

/// The text up to where a word ends; what a backslash escapes belongs to it.
fn word(text: &str) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if !escaped && (c.is_whitespace() || ENDS.contains(c)) {
            return &text[..at];
        }
        escaped = c == '\\' && !escaped;
    }
    text
}

/// Where a path in quotes ends, which may have blanks: at the quote, or, so that a command keeps its arguments, behind
/// a program's name.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let inside = &text[..text.find(quote)?];
    let last = inside.rfind('/')? + 1;
    let program = word(&inside[last..]);
    Some(if is_program(program) { last + program.len() } else { inside.len() })
}

fn is_path(word: &str) -> bool {
    let slashes = word.bytes().filter(|b| *b == b'/').count();
    if slashes == 0 {
        return false;
    }
    let begins = |with: &[&str]| with.iter().any(|w| word.starts_with(w));
    let several = slashes > 1 && word.contains(char::is_alphabetic);
    word.len() > 1 && (begins(&["/", "~", "./", "../"]) || word.starts_with('.') || several)
}

/// What stands for a path.
pub(super) fn placeholder(path: &str) -> String {
    let plain = !path.contains("..") && !path.contains(char::is_whitespace);
    if plain && KERNELS.iter().any(|k| path.starts_with(k)) {
        return path.to_owned();
    }
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if is_program(last) { last.to_owned() } else { "<path>".to_owned() }
}

/// The length of a variable's value (`LD_PRELOAD=…`), if it stands here and says more than a number or a switch.
fn value_after(written: &str, before: Option<char>, text: &str) -> Option<usize> {
    let named = before == Some('=') && {
        let name = written.trim_end_matches('=');
        let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let name = &name[name.rfind(|c| !is_part(c)).map_or(0, |at| at + 1)..];
        name.len() > 2 && name.starts_with(|c: char| c.is_ascii_uppercase())
    };
    if !named {
        return None;
    }
    let quote = text.chars().next().filter(|c| "'\"".contains(*c));
    let end = match quote {
        Some(q) => text[1..].find(q).map_or(text.len(), |at| at + 2),
        None => text.find(|c: char| c.is_whitespace() || "'\"`".contains(c)).unwrap_or(text.len()),
    };
    let value = text[..end].trim_matches(['\'', '"']).trim_end_matches([',', ';', ':', ')']);
    let number = value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let end = if quote.is_some() { end } else { value.len() };
    let switch = ["on", "off", "yes", "no", "true", "false"].contains(&value);
    (!number && !switch && end > 0).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_and_what_only_looks_like_one_stays() {
        for (text, expected) in [
            ("/home/ada/run.py: no such file", "<path>: no such file"),
            ("~/.pyenv/versions/3.7.16/bin/python3 is 3.7.16", "python3 is 3.7.16"),
            ("can't open '/home/ada b/c d.py': gone", "can't open '<path>': gone"),
            ("`/opt/my tools/python3.13 -V` failed", "`python3.13 -V` failed"),
            ("PATH is /usr/bin:/home/ada/bin.", "PATH is <path>:<path>."),
            ("gcc -I/opt/x/include -O3 -L/y", "gcc -I<path> -O3 -L<path>"),
            ("./w.py ../w.py .tools/p/bin/go a/b/c", "<path> <path> go <path>"),
            ("/a\\ b/c d", "<path> d"),
            (
                "rust/threads and python3.8/{asyncio, fork}: I/O",
                "rust/threads and python3.8/{asyncio, fork}: I/O",
            ),
            ("2/3/4 MB/s, N / X(N), and/or", "2/3/4 MB/s, N / X(N), and/or"),
            (
                "see https://www.rust-lang.org/x/y, file:///home/ada",
                "see https://www.rust-lang.org/x/y, <path>",
            ),
            (
                "mount -t tracefs tracefs /sys/kernel/tracing",
                "mount -t tracefs tracefs /sys/kernel/tracing",
            ),
            ("/sys/fs/cgroup/docker/0ff/cpu.max", "<path>"),
            ("/proc/sys/../../home/ada", "<path>"),
            ("'/open and /no end", "'<path> and <path> end"),
            ("x…/y/z", "<path>"),
            ("", ""),
        ] {
            assert_eq!(without(text), expected, "{text}");
        }
    }

    #[test]
    fn values_of_the_environment_go_and_switches_stay() {
        for (text, expected) in [
            ("with LD_PRELOAD=libx.so set", "with LD_PRELOAD=<value> set"),
            ("TOKEN='a b' PYTHON_GIL=0, N=many", "TOKEN=<value> PYTHON_GIL=0, N=many"),
            ("GOMAXPROCS=1 and HOME=/home/ada", "GOMAXPROCS=1 and HOME=<value>"),
            ("steps=2000 x=", "steps=2000 x="),
        ] {
            assert_eq!(without(text), expected, "{text}");
        }
    }
}
