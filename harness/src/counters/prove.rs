//! A loop of known instruction count, before anyone believes the PMU: some hypervisors show one that
//! counts nothing, or everybody's.

use amdahl_schema::Absence;

use super::calls::{Calls, Code};
use super::metric::KernelPart;
use super::reason::Context;
use super::set::{CounterSet, Event, EventSet};

/// Instructions expected and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// What the loop retires.
    pub expected: u64,
    /// What the PMU said.
    pub counted: u64,
}

impl Proof {
    /// Within 1 %, which leaves room for interrupts and for the calls around the loop.
    pub fn holds(&self) -> bool {
        self.expected > 0 && self.counted.abs_diff(self.expected) * 100 <= self.expected
    }
}

/// Counts the loop (some ms) on the calling thread, user mode only.
pub fn prove_pmu(calls: &dyn Calls, context: &Context) -> Result<Proof, Absence> {
    let own = rustix::thread::gettid().as_raw_nonzero().get() as u32;
    let instructions = perf_event::events::Hardware::INSTRUCTIONS.into();
    let event = Event::new("instructions", Code::Named(instructions), KernelPart::Never);
    let set = EventSet { index: 0, events: vec![event], absent: Vec::new() };
    let mut open = CounterSet::open(calls, context, &set, &[own]);
    open.enable();
    let expected = known_loop(5_000_000);
    open.disable();
    let counter = open.read().pop();
    match counter.map(|c| (c.value, c.absent)) {
        Some((Some(value), _)) => Ok(Proof { expected, counted: value.count }),
        Some((None, Some(absent))) => Err(absent),
        _ => Err(Absence { reason: "no counter came back".to_owned(), remedy: None }),
    }
}

/// Runs `turns` of a two-instruction loop; returns the instructions it retires.
#[cfg(target_arch = "x86_64")]
fn known_loop(turns: u64) -> u64 {
    // SAFETY: counts a register down to 0; touches neither memory nor stack.
    unsafe {
        std::arch::asm!("2:", "sub {n}, 1", "jnz 2b", n = inout(reg) turns => _, options(nomem, nostack));
    }
    2 * turns
}

/// Runs `turns` of a two-instruction loop; returns the instructions it retires.
#[cfg(target_arch = "aarch64")]
fn known_loop(turns: u64) -> u64 {
    // SAFETY: counts a register down to 0; touches neither memory nor stack.
    unsafe {
        std::arch::asm!("2:", "subs {n}, {n}, #1", "b.ne 2b", n = inout(reg) turns => _, options(nomem, nostack));
    }
    2 * turns
}

/// No loop is known for this architecture, so nothing is proven.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn known_loop(_turns: u64) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::super::calls::Kernel;
    use super::super::calls::fake::{Fake, errno};
    use super::*;

    #[test]
    fn a_pmu_that_counts_something_else_is_not_believed() {
        let lying = prove_pmu(&Fake::answering(|_| Ok(())), &Context::default()).expect("counted");
        assert!(!lying.holds(), "{lying:?}");
        let close = |counted| Proof { expected: 1_000_000, counted };
        assert!(close(1_009_000).holds() && close(995_000).holds());
        assert!(!close(0).holds() && !close(1_020_000).holds());
        assert!(!Proof { expected: 0, counted: 0 }.holds(), "no loop, no proof");
    }

    #[test]
    fn the_kernel_s_part_is_never_asked_for() {
        let fake = Fake::answering(|r| if r.kernel { errno(libc::EACCES) } else { Ok(()) });
        assert!(prove_pmu(&fake, &Context::default()).is_ok());
        let none = Fake::answering(|_| errno(libc::ENOENT));
        let absent = prove_pmu(&none, &Context::default()).expect_err("no PMU");
        assert!(absent.reason.starts_with("ENOENT"));
    }

    #[test]
    fn here_it_is_proven_or_absent() {
        match prove_pmu(&Kernel, &Context::default()) {
            Ok(proof) => assert!(proof.holds(), "{proof:?}"),
            Err(absent) => eprintln!("skipped: {}", absent.reason),
        }
    }
}
