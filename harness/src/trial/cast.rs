//! The processes of one trial.

use amdahl_schema::{Arm, Trial};

use crate::worker::discover::Found;
use crate::worker::hello::Hello;
use crate::worker::link::Link;

/// Workers, what each said of itself, and the peer of `pipe` with the directory of its FIFOs.
#[derive(Default)]
pub(super) struct Cast {
    pub(super) links: Vec<Box<dyn Link>>,
    pub(super) hellos: Vec<Hello>,
    pub(super) peer: Option<(Box<dyn Link>, tempfile::TempDir)>,
}

impl Cast {
    pub(super) fn all(&self) -> impl Iterator<Item = &dyn Link> {
        let peer = self.peer.iter().map(|(peer, _)| peer.as_ref());
        self.links.iter().map(AsRef::as_ref).chain(peer)
    }

    /// Ends all; what a reader must know of how they ended.
    pub(super) fn dismiss(&mut self, failed: bool) -> Vec<String> {
        let mut flags = Vec::new();
        for link in &mut self.links {
            let exit = link.finish(failed);
            if exit.leftover > 0 {
                flags.push(format!(
                    "leftover: {} of the worker's processes outlived it and were killed",
                    exit.leftover
                ));
            }
            if !failed && exit.code != Some(0) {
                flags.push(format!("exit: the worker did its work, then ended with {exit:?}"));
            }
        }
        if let Some((peer, _dir)) = &mut self.peer {
            peer.finish(true);
        }
        flags
    }
}

/// The runtime's facts into a trial.
pub(super) fn introduce(found: &Found, hello: &Hello, trial: &mut Trial) {
    trial.gil = hello.gil.map(|on| on && shares_lock(found, trial));
    trial.timer.clone_from(&hello.timer);
    trial.timer_cost_ps = hello.timer_cost_ps;
}

/// Processes have a lock each: only workers of one process can share one.
pub(super) fn shares_lock(found: &Found, trial: &Trial) -> bool {
    trial.arm == Arm::Model
        && found.mechanism(&trial.model).is_some_and(|m| !m.starts_with("processes"))
}
