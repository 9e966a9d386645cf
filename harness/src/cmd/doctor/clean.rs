//! `amdahl doctor --clean`: the user's cache of workers goes; they are unpacked and built again when they are wanted.

use std::process::ExitCode;

use serde_json::json;

use super::text::size;
use crate::Unable;
use crate::cli::JsonArgs;
use crate::worker::cache;
use crate::worker::places::{self, tilde};

/// Removes, and says what. Not while a run is going on: its workers lie there.
pub fn clean(args: &JsonArgs) -> anyhow::Result<ExitCode> {
    let langs = places::langs();
    let mut removed = Vec::new();
    for cache in cache::all() {
        removed.extend(cache.clean(&langs).map_err(|e| Unable(format!("can't remove {e}")))?);
    }
    let rows: Vec<_> =
        removed.iter().map(|r| json!({"path": tilde(&r.path), "bytes": r.bytes})).collect();
    let mut text: String = removed
        .iter()
        .map(|r| format!("removed {} ({})\n", tilde(&r.path), size(r.bytes)))
        .collect();
    text.push_str(match removed.is_empty() {
        true => "nothing to remove: no worker is kept\n",
        false => "workers are unpacked and built again when they are wanted\n",
    });
    super::super::emit(args, &json!({"schema": 1, "removed": rows}), &text)?;
    Ok(ExitCode::SUCCESS)
}
