//! What a worker says of itself in answer to `hello`.

use super::wire::{Line, WireError};

/// The longest lead a worker may ask for.
const LEAD_NS_MAX: u64 = 5_000_000_000;

/// What a worker said of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hello {
    /// Language.
    pub lang: String,
    /// Version of its runtime.
    pub version: String,
    /// Whether a global interpreter lock is on; absent where the language has none.
    pub gil: Option<bool>,
    /// The lock's switch interval.
    pub switch_ns: Option<u64>,
    /// How long before the start it wants to see `go`.
    pub lead_ns: u64,
    /// What times an operation.
    pub timer: Option<String>,
    /// Measured cost of it.
    pub timer_cost_ps: Option<u64>,
    /// Workloads it offers.
    pub workloads: Vec<String>,
    /// Mechanisms it offers.
    pub mechanisms: Vec<String>,
    /// Pairs of both that it does not: mechanism and workload, `*` for all.
    pub except: Vec<(String, String)>,
    /// Names of the locks that its workload `lock` has.
    pub locks: Vec<String>,
    /// Protocol features.
    pub features: Vec<String>,
    /// Everything it said, for the receipt.
    pub pairs: Vec<(String, String)>,
}

impl Hello {
    /// Reads the answer to `hello`.
    pub fn parse(line: &Line) -> Result<Self, WireError> {
        if line.num::<u32>("v")? != 1 {
            return Err(line.wrong("protocol version 1 expected"));
        }
        let lead_ns = line.opt_num("lead_ns")?.unwrap_or(10_000_000);
        if lead_ns > LEAD_NS_MAX {
            return Err(line.wrong("`lead_ns` above 5 s"));
        }
        Ok(Self {
            lang: line.req("lang")?.to_owned(),
            version: line.req("runtime")?.to_owned(),
            gil: line.opt_num::<u8>("gil")?.map(|g| g != 0),
            switch_ns: line.opt_num("switch_ns")?,
            lead_ns,
            timer: line.opt("timer").map(str::to_owned),
            timer_cost_ps: line.opt_num("timer_cost_ps")?,
            workloads: line.list("workloads"),
            mechanisms: line.list("mechanisms"),
            except: line
                .list("except")
                .iter()
                .map(|pair| {
                    let (m, w) = pair.split_once(':')?;
                    Some((m.to_owned(), w.to_owned()))
                })
                .collect::<Option<_>>()
                .ok_or_else(|| line.wrong("`except` wants mechanism:workload"))?,
            locks: line.list("locks"),
            features: line.list("features"),
            pairs: line.pairs.clone(),
        })
    }
}

impl Hello {
    /// Workloads of one of its mechanisms.
    pub fn workloads_of(&self, mechanism: &str) -> Vec<String> {
        let not = |w: &String| {
            let hit =
                |(m, x): &(String, String)| (m == mechanism || m == "*") && (x == w || x == "*");
            self.except.iter().any(hit)
        };
        self.workloads.iter().filter(|w| !not(w)).cloned().collect()
    }
}
