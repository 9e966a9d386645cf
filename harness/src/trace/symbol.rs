//! Return addresses to functions: blazesym reads ELF symbols, DWARF and inlined calls; what it can't name is module and offset.

use std::collections::HashMap;
use std::path::Path;

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolized, Symbolizer};

use super::event::Mapping;

/// Names what lies where; remembers it, since the same places wait again and again.
#[derive(Debug, Default)]
pub struct Symbols {
    symbolizer: Symbolizer,
    known: HashMap<(String, u64), Vec<String>>,
}

impl Symbols {
    /// Names of a stack. Addresses that lie in no code are left out: where a program keeps no frame pointers, the kernel
    /// takes for a chain what is none.
    pub fn name(&mut self, code: &[Mapping], stack: &[u64]) -> Vec<String> {
        let mut names = Vec::new();
        for (depth, ip) in stack.iter().enumerate() {
            // All but the innermost are where a call returns to: one before lies in the call.
            let ip = if depth == 0 { *ip } else { ip.saturating_sub(1) };
            let covers = |m: &&Mapping| m.start <= ip && ip - m.start < m.len;
            if let Some(mapping) = code.iter().rev().find(covers) {
                names.extend(self.place(&mapping.path, ip - mapping.start + mapping.offset));
            }
        }
        names
    }

    fn place(&mut self, path: &str, offset: u64) -> Vec<String> {
        let key = (path.to_owned(), offset);
        if let Some(names) = self.known.get(&key) {
            return names.clone();
        }
        let names = self.look_up(path, offset).unwrap_or_else(|| vec![raw(path, offset)]);
        self.known.insert(key, names.clone());
        names
    }

    fn look_up(&self, path: &str, offset: u64) -> Option<Vec<String>> {
        // `[vdso]`, `//anon`, `/memfd:…`, `… (deleted)`: no file to read.
        if !path.starts_with('/') || !Path::new(path).is_file() {
            return None;
        }
        let mut elf = Elf::new(path);
        let found = |elf: &Elf| {
            let source = Source::Elf(elf.clone());
            match self.symbolizer.symbolize_single(&source, Input::FileOffset(offset)) {
                Ok(Symbolized::Sym(sym)) => Some(functions(&sym)),
                Ok(Symbolized::Unknown(_)) | Err(_) => None,
            }
        };
        // Debug information that can't be read must not hide the symbols that can.
        found(&elf).or_else(|| {
            elf.debug_syms = false;
            found(&elf)
        })
    }
}

/// Innermost first: what was inlined, then the function it was inlined into.
fn functions(sym: &Sym<'_>) -> Vec<String> {
    let outer = std::iter::once((&sym.name, sym.code_info.as_deref()));
    let inlined = sym.inlined.iter().map(|f| (&f.name, f.code_info.as_ref()));
    let mut names: Vec<String> = outer.chain(inlined).map(|(n, at)| shown(n, at)).collect();
    names.reverse();
    names
}

fn shown(name: &str, at: Option<&CodeInfo<'_>>) -> String {
    match at {
        Some(at) => {
            let line = at.line.map_or(String::new(), |l| format!(":{l}"));
            format!("{name} ({}{line})", file_name(&at.file.to_string_lossy()))
        }
        None => name.to_owned(),
    }
}

/// `libc.so.6+0x9f1a2`; directories are the machine's business.
fn raw(path: &str, offset: u64) -> String {
    format!("{}+{offset:#x}", file_name(path))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
