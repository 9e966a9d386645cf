//! Which models are alike but for a global lock. By their names: how alike their builds are is read elsewhere.

use super::ModelName;

/// A model that runs without its global lock, and one that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LikePair {
    /// Without the lock.
    pub free: String,
    /// With it.
    pub locked: String,
    /// What they share.
    pub likeness: Likeness,
}

/// What the two of a pair have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// The same free-threaded build, told to use its lock: what the lock itself is worth.
    Build,
    /// The same version, built without and with the lock: the whole price.
    Version,
}

/// All pairs among these models, in their order.
pub fn like_pairs(models: &[String]) -> Vec<LikePair> {
    let names: Vec<ModelName> = models.iter().map(|id| ModelName::parse(id)).collect();
    let mut pairs = Vec::new();
    for free in names.iter().filter(|m| m.free_threaded && m.variant.is_none()) {
        let same = |m: &&ModelName| {
            (&m.language, &m.version, &m.mechanism, &m.option)
                == (&free.language, &free.version, &free.mechanism, &free.option)
        };
        for locked in names.iter().filter(same) {
            let likeness = match (locked.free_threaded, locked.variant.as_deref()) {
                (true, Some("gil")) if locked.label == free.label => Likeness::Build,
                (false, None) => Likeness::Version,
                _ => continue,
            };
            pairs.push(LikePair { free: free.id.clone(), locked: locked.id.clone(), likeness });
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_like_itself_with_its_lock_and_like_its_version() {
        let models = [
            "python3.14t/threads",
            "python3.13t/threads",
            "python3.13t+gil/threads",
            "python3.13t/threads@tools",
            "python3.13/threads",
            "python3.13/threads@system",
            "python3.13/processes-fork",
            "python3.12/threads",
            "rust/threads",
        ];
        let pairs = like_pairs(&models.map(str::to_owned));
        let told: Vec<_> =
            pairs.iter().map(|p| (p.free.as_str(), p.locked.as_str(), p.likeness)).collect();
        let (t, tools) = ("python3.13t/threads", "python3.13t/threads@tools");
        assert_eq!(
            told,
            [
                (t, "python3.13t+gil/threads", Likeness::Build),
                (t, "python3.13/threads", Likeness::Version),
                (t, "python3.13/threads@system", Likeness::Version),
                (tools, "python3.13/threads", Likeness::Version),
                (tools, "python3.13/threads@system", Likeness::Version),
            ]
        );
    }
}
