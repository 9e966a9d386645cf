//! Workloads as rows name them: an id, and behind it the parameters that tell it from others of the run.

/// The id in `mem kind=chase`.
pub fn workload_id(name: &str) -> &str {
    name.split(' ').next().unwrap_or(name)
}

/// What names sort by: runs of digits as numbers, so that `permille=50` stands before `permille=100`.
pub fn workload_key(name: &str) -> Vec<KeyPart> {
    let mut parts: Vec<KeyPart> = Vec::new();
    for c in name.chars() {
        match (c.to_digit(10), parts.last_mut()) {
            (Some(d), Some(KeyPart::Number(n))) => {
                *n = n.saturating_mul(10).saturating_add(u64::from(d));
            }
            (Some(d), _) => parts.push(KeyPart::Number(u64::from(d))),
            (None, Some(KeyPart::Text(t))) => t.push(c),
            (None, _) => parts.push(KeyPart::Text(c.to_string())),
        }
    }
    parts
}

/// A piece of a [`workload_key`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyPart {
    /// Digits.
    Number(u64),
    /// Anything else.
    Text(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_order_as_numbers() {
        let mut names =
            ["serial permille=1000", "serial permille=50", "cpu", "serial permille=250"];
        names.sort_by_key(|n| workload_key(n));
        assert_eq!(
            names,
            ["cpu", "serial permille=50", "serial permille=250", "serial permille=1000"]
        );
        assert_eq!(names.map(workload_id), ["cpu", "serial", "serial", "serial"]);
    }
}
