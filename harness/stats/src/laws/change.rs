//! Breaks: worker counts behind which a machine is another one. Where they lie is for others to know.

/// What changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Whoever asked for the fit says so.
    Given,
    /// Workers begin to share cores with SMT siblings.
    Smt,
    /// Workers begin to use another socket.
    Socket,
    /// Workers begin to share CPUs.
    Cpus,
}

impl Change {
    /// Name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Smt => "smt",
            Self::Socket => "socket",
            Self::Cpus => "cpus",
        }
    }

    /// A label for a line in a figure.
    pub fn label(self) -> &'static str {
        match self {
            Self::Given => "break",
            Self::Smt => "SMT",
            Self::Socket => "socket",
            Self::Cpus => "CPUs",
        }
    }

    /// What happens behind it, as the end of a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Given => "the machine changes",
            Self::Smt => "workers share cores with SMT siblings",
            Self::Socket => "workers use another socket",
            Self::Cpus => "workers share CPUs",
        }
    }
}

/// The last worker count before a change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Break {
    /// N.
    pub after: f64,
    /// What changes behind it.
    pub change: Change,
}
