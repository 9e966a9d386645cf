//! The kernel's notation for sets of CPUs (`0-3,8,10-11`); nothing about what the CPUs are.

/// Ascending CPUs of a list; `None` if it is not one. Empty text is the empty set.
pub fn parse(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',').filter(|p| !p.is_empty()) {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let (low, high): (u32, u32) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        // A corrupt file must not cost gigabytes: no kernel has more than 2^16 CPUs.
        if low > high || high > u32::from(u16::MAX) {
            return None;
        }
        cpus.extend(low..=high);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}

/// The shortest list of ascending `cpus`.
pub fn format(cpus: &[u32]) -> String {
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for &cpu in cpus {
        match parts.last_mut() {
            Some((_, high)) if *high + 1 == cpu => *high = cpu,
            _ => parts.push((cpu, cpu)),
        }
    }
    let part = |&(low, high): &(u32, u32)| {
        if low == high { low.to_string() } else { format!("{low}-{high}") }
    };
    parts.iter().map(part).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        assert_eq!(parse("0-3,8,10-11\n"), Some(vec![0, 1, 2, 3, 8, 10, 11]));
        assert_eq!(parse("\n"), Some(vec![]));
        for bad in ["x", "3-1", "0-4294967295", "1-", "-"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn parse_inverts_format(set in proptest::collection::btree_set(0u32..5000, 0..80)) {
            let cpus: Vec<u32> = set.into_iter().collect();
            prop_assert_eq!(parse(&format(&cpus)), Some(cpus));
        }
    }
}
