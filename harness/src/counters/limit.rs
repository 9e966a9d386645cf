//! The limit on open files: 128 carriers with 5 events pass the usual 1024 with the workers' pipes.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// RLIMIT_NOFILE before and after; absent is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NofileLimit {
    /// Soft limit as found.
    pub before: Option<u64>,
    /// Soft limit now.
    pub soft: Option<u64>,
    /// Hard limit: as far as we may raise it without privilege.
    pub hard: Option<u64>,
}

impl NofileLimit {
    /// Whether `want` descriptors fit.
    pub fn allows(&self, want: u64) -> bool {
        self.soft.is_none_or(|soft| want <= soft)
    }

    /// The limits as they are.
    pub fn read() -> Self {
        let now = getrlimit(Resource::Nofile);
        Self { before: now.current, soft: now.current, hard: now.maximum }
    }
}

/// Raises the soft limit to `want`, as far as the hard one allows; never lowers it.
///
/// To what is needed, not to the hard limit: workers inherit it, and some runtimes do work in
/// proportion to it when they start a process.
pub fn raise_nofile_limit(want: u64) -> NofileLimit {
    let found = NofileLimit::read();
    let reach = found.hard.map_or(want, |hard| want.min(hard));
    if found.soft.is_none_or(|soft| soft >= reach) {
        return found;
    }
    let raised = Rlimit { current: Some(reach), maximum: found.hard };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => NofileLimit { soft: Some(reach), ..found },
        Err(_) => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_rises_to_what_is_wanted_and_never_falls() {
        let found = NofileLimit::read();
        let (Some(soft), Some(hard)) = (found.soft, found.hard) else { return };
        let lower = raise_nofile_limit(1);
        assert_eq!(lower.soft, Some(soft));
        assert!(lower.allows(soft) && !lower.allows(soft + 1));
        let beyond = raise_nofile_limit(u64::MAX);
        assert_eq!((beyond.before, beyond.soft), (Some(soft), Some(hard)));
        let restored = Rlimit { current: Some(soft), maximum: Some(hard) };
        setrlimit(Resource::Nofile, restored).expect("lowering is always allowed");
    }
}
