//! Which of several can't be told apart: items whose figures over blocks differ in no measure share a letter.

use crate::interval::log_welch_interval;

/// Letters of items, as in a compact letter display (Piepho 2004): two that share one can't be told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// Members of each group, ascending; the groups ordered by their members.
    pub members: Vec<Vec<usize>>,
}

impl Groups {
    /// Whether two share a group.
    pub fn together(&self, a: usize, b: usize) -> bool {
        self.members.iter().any(|g| g.contains(&a) && g.contains(&b))
    }

    /// Letters of an item: `a`, `b`, …, `z`, `aa`, joined by commas.
    pub fn letters(&self, item: usize) -> String {
        let of = self.members.iter().enumerate().filter(|(_, g)| g.contains(&item));
        of.map(|(k, _)| letter(k)).collect::<Vec<_>>().join(",")
    }
}

fn letter(k: usize) -> String {
    let last = char::from(b'a' + (k % 26) as u8);
    if k < 26 { last.to_string() } else { letter(k / 26 - 1) + &last.to_string() }
}

/// Groups of `items`, each with one list of positive values (one a block) for every measure.
///
/// Two are told apart if in some measure Welch's interval of their ratio excludes 1. The error of 5 % is for all comparisons
/// together (Bonferroni: 1 - 0.05 / (pairs · measures) each), so whoever registers a lock twice sees two locks in at most
/// one of twenty reports, however many stand beside it. Without an interval (a single block) they are not told apart.
pub fn group(items: &[Vec<Vec<f64>>]) -> Groups {
    let n = items.len();
    let measures = items.iter().map(Vec::len).max().unwrap_or(0);
    let comparisons = (n * n.saturating_sub(1) / 2 * measures).max(1);
    let level = 1.0 - 0.05 / comparisons as f64;
    let apart = |a: usize, b: usize| {
        items[a]
            .iter()
            .zip(&items[b])
            .any(|(x, y)| log_welch_interval(x, y, level).is_some_and(|i| i.lo > 1.0 || i.hi < 1.0))
    };
    let mut members = if n == 0 { Vec::new() } else { vec![(0..n).collect::<Vec<_>>()] };
    for a in 0..n {
        for b in (a + 1..n).filter(|b| apart(a, *b)) {
            members = split(members, a, b);
        }
    }
    members.sort();
    Groups { members }
}

/// Takes a pair apart: a group that has both becomes one without the first and one without the second; what lies in another is dropped.
fn split(members: Vec<Vec<usize>>, a: usize, b: usize) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for group in members {
        if group.contains(&a) && group.contains(&b) {
            parts.push(group.iter().copied().filter(|x| *x != a).collect());
            parts.push(group.into_iter().filter(|x| *x != b).collect());
        } else {
            parts.push(group);
        }
    }
    parts.sort_by_key(|g| std::cmp::Reverse(g.len()));
    let mut kept: Vec<Vec<usize>> = Vec::new();
    for part in parts {
        if !kept.iter().any(|k| part.iter().all(|x| k.contains(x))) {
            kept.push(part);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::SplitMix;

    /// Blocks of a lock with these true rates and waits, a spread of 3 % and 10 %.
    fn run(truth: &[(f64, f64)], blocks: usize, rng: &mut SplitMix) -> Vec<Vec<Vec<f64>>> {
        let mut draw = |mean: f64, spread: f64| -> Vec<f64> {
            (0..blocks).map(|_| mean * (spread * rng.normal()).exp()).collect()
        };
        truth.iter().map(|(rate, wait)| vec![draw(*rate, 0.03), draw(*wait, 0.1)]).collect()
    }

    /// Twelve locks, the first registered twice; the same at 3, 5 and 12 blocks.
    #[test]
    fn a_lock_registered_twice_shares_a_group_in_19_of_20_runs() {
        let mut rng = SplitMix::new(20_261_123);
        let mut truth: Vec<(f64, f64)> =
            (0..12).map(|k| (1e6 * 1.5_f64.powi(k), 1e4 / 2_f64.powi(k))).collect();
        truth.push(truth[0]);
        for blocks in [3, 5, 12] {
            let together =
                (0..200).filter(|_| group(&run(&truth, blocks, &mut rng)).together(0, 12)).count();
            assert!(together >= 190, "{together} of 200 at {blocks} blocks");
        }
    }

    /// What differs by half is told apart from five blocks on, so the test above is none of a rule that groups everything.
    #[test]
    fn locks_that_differ_are_told_apart() {
        let mut rng = SplitMix::new(7);
        let truth = [(1e6, 1e4), (1.5e6, 1e4), (1e6, 4e4)];
        let apart = |a, b| {
            let mut rng = rng.clone();
            (0..100).filter(|_| !group(&run(&truth, 5, &mut rng)).together(a, b)).count()
        };
        assert!(apart(0, 1) >= 95 && apart(0, 2) >= 95 && apart(1, 2) >= 95);
        assert_eq!(
            group(&run(&truth, 1, &mut rng)).members,
            [vec![0, 1, 2]],
            "one block tells nothing"
        );
        assert_eq!(group(&[]).members, Vec::<Vec<usize>>::new());
    }

    /// 1 is like 0 and like 2, which differ: it has both letters.
    #[test]
    fn who_lies_between_has_the_letters_of_both() {
        let rate = |mean: f64| vec![vec![mean * 0.9, mean, mean * 1.1, mean * 0.95, mean * 1.05]];
        let groups = group(&[rate(100.0), rate(112.0), rate(125.0)]);
        assert_eq!(groups.members, [vec![0, 1], vec![1, 2]]);
        assert_eq!((groups.letters(0), groups.letters(1)), ("a".to_owned(), "a,b".to_owned()));
        assert_eq!((letter(25), letter(26), letter(53)), ("z".into(), "aa".into(), "bb".into()));
    }

    proptest! {
        #[test]
        fn everyone_has_a_group_and_no_group_lies_in_another(
            means in prop::collection::vec(1.0..4.0f64, 1..9), seed in 0..1000u64,
        ) {
            let truth: Vec<_> = means.iter().map(|m| (*m, 1.0)).collect();
            let groups = group(&run(&truth, 4, &mut SplitMix::new(seed)));
            for item in 0..truth.len() {
                prop_assert!(groups.together(item, item) && !groups.letters(item).is_empty());
            }
            for (i, a) in groups.members.iter().enumerate() {
                let inside = |b: &Vec<usize>| a.iter().all(|x| b.contains(x));
                prop_assert!(!groups.members.iter().enumerate().any(|(j, b)| i != j && inside(b)));
            }
        }
    }
}
