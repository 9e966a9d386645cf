//! Budgets worked out by hand, and what holds for any input. Causes under noise: `judge::simulation`.

use proptest::prelude::*;

use super::*;
use crate::synthetic::cpu;

fn use_of(shares: Shares) -> TimeUse {
    TimeUse { shares: Some(shares), ..TimeUse::default() }
}

/// N = 2, one worker alone on a CPU all the time, a free ceiling of 2.
fn input(speedup: f64, many: Shares) -> BudgetInput {
    BudgetInput {
        workers: 2,
        speedup,
        one: use_of(cpu(1.0)),
        many: use_of(many),
        ceiling_speedup: Some(2.0),
        ceiling: use_of(cpu(2.0)),
    }
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

fn adds_up(b: &Budget, n: f64) {
    near(b.achieved + b.losses().iter().map(|l| l.1).sum::<f64>(), n);
}

/// A GIL: two workers, one CPU's worth of work, the other worker's time blocked.
#[test]
fn a_gil_is_blocked() {
    let b = loss_budget(&input(1.0, Shares { cpu: 1.0, blocked: 1.0, ..Shares::default() }));
    assert_eq!(b, Budget { achieved: 1.0, blocked: 1.0, ..Budget::default() });
    assert_eq!(b.limited_by(2), "blocked");
}

/// One operation in ten sleeps by nature: what the work needs is no loss. a = 1.5, so B - a·B1 =
/// .65 - .15 and E - a·E1 = 1.35 - 1.35.
#[test]
fn what_the_work_needs_is_no_loss() {
    let mut i = input(1.5, Shares { cpu: 1.35, blocked: 0.65, ..Shares::default() });
    i.one = use_of(Shares { cpu: 0.9, blocked: 0.1, ..Shares::default() });
    i.ceiling = use_of(Shares { cpu: 1.8, blocked: 0.2, ..Shares::default() });
    let b = loss_budget(&i);
    near(b.blocked, 0.5);
    near(b.no_progress, 0.0);
    adds_up(&b, 2.0);
}

/// Both CPUs busy, half as fast each, and the ceiling is as fast as the model at 1: spinning.
#[test]
fn cpu_time_beyond_the_ceilings_is_no_progress() {
    let b = loss_budget(&input(1.2, cpu(2.0)));
    near(b.no_progress, 0.8);
    assert_eq!(b.limited_by(2), "no_progress");
}

/// Ceiling 1.6 with two CPUs busy: 1.25 times the CPU time an operation. The model at 1.2 pays
/// 1.2 · .25 = .3 for that; the other .5 made no progress.
#[test]
fn the_ceilings_price_is_the_hardwares() {
    let mut i = input(1.2, cpu(2.0));
    i.ceiling_speedup = Some(1.6);
    let b = loss_budget(&i);
    near(b.hardware, 0.3);
    near(b.no_progress, 0.5);
    adds_up(&b, 2.0);
}

/// A hypervisor that stops the clock: the ceiling is off its CPUs .4 of 2, the model with a quarter of its
/// time blocked by a lock bears 1.2 / 1.6 of that.
#[test]
fn time_off_the_cpu_in_the_ceiling_is_the_hardwares() {
    let mut i = input(1.2, Shares { cpu: 1.2, blocked: 0.8, ..Shares::default() });
    i.ceiling_speedup = Some(1.6);
    i.ceiling = use_of(Shares { cpu: 1.6, blocked: 0.4, ..Shares::default() });
    let b = loss_budget(&i);
    near(b.hardware, 0.3);
    near(b.blocked, 0.5);
    adds_up(&b, 2.0);
}

/// 10 % of the CPU time stolen: .2 of the .3 blocked. Run delay .05 on pinned carriers: .1 foreign.
#[test]
fn stolen_time_is_taken_from_blocked_and_foreign_from_the_run_queue() {
    let shares = Shares { cpu: 1.6, blocked: 0.3, run_queue: 0.1, ..Shares::default() };
    let mut i = input(1.6, shares);
    i.many.stolen = Some(0.1);
    i.many.foreign_delay = Some(0.05);
    i.ceiling.stolen = Some(0.1);
    let b = loss_budget(&i);
    near(b.steal_foreign, 0.3);
    near(b.blocked, 0.1);
    near(b.run_queue, 0.0);
    i.many.foreign_delay = None;
    near(loss_budget(&i).run_queue, 0.1);
}

/// What the hypervisor visibly took from the ceiling is steal in the model, not hardware.
#[test]
fn visible_steal_in_the_ceiling_is_not_hardware() {
    let shares = Shares { cpu: 1.8, blocked: 0.2, ..Shares::default() };
    let mut i = input(1.8, shares);
    (i.ceiling, i.ceiling_speedup) = (use_of(shares), Some(1.8));
    (i.many.stolen, i.ceiling.stolen) = (Some(0.05), Some(0.1));
    let b = loss_budget(&i);
    near(b.steal_foreign, 0.1);
    near(b.hardware, 0.0);
    near(b.blocked, 0.1);
}

/// More stolen than was lost off the CPU: no more than the loss is blamed.
#[test]
fn steal_never_exceeds_what_was_lost() {
    let mut i = input(1.9, Shares { cpu: 1.9, blocked: 0.1, ..Shares::default() });
    i.many.stolen = Some(0.4);
    let b = loss_budget(&i);
    near(b.steal_foreign, 0.1);
    near(b.blocked, 0.0);
    adds_up(&b, 2.0);
}

#[test]
fn idle_and_outside_are_imbalance() {
    let b =
        loss_budget(&input(1.5, Shares { cpu: 1.5, idle: 0.3, outside: 0.2, ..Shares::default() }));
    near(b.imbalance, 0.5);
    assert_eq!(b.limited_by(2), "imbalance");
}

#[test]
fn what_is_unknown_is_unexplained() {
    let mut i = input(1.2, cpu(2.0));
    i.many.shares = None;
    let b = loss_budget(&i);
    assert_eq!(b, Budget { achieved: 1.2, unexplained: 2.0 - 1.2, ..Budget::default() });
    assert_eq!(b.limited_by(2), "unexplained");
    // Without a ceiling hardware and lack of progress can't be told apart; the rest can.
    let shares = Shares { cpu: 1.7, blocked: 0.3, ..Shares::default() };
    let b = loss_budget(&BudgetInput { ceiling_speedup: None, ..input(1.2, shares) });
    near(b.blocked, 0.3);
    near(b.unexplained, 0.5);
    near(b.hardware + b.no_progress, 0.0);
}

/// Faster than N: the surplus is a negative remainder, and nothing limits.
#[test]
fn a_surplus_is_a_negative_remainder() {
    let b = loss_budget(&input(2.1, cpu(2.0)));
    near(b.unexplained, -0.1);
    assert_eq!(b.limited_by(2), "nothing");
    adds_up(&b, 2.0);
}

#[test]
fn five_percent_of_n_limits_nothing_and_the_first_of_equals_wins() {
    let b = Budget { achieved: 1.9, blocked: 0.1, ..Budget::default() };
    assert_eq!(b.limited_by(2), "nothing");
    assert_eq!(b.limited_by(1), "blocked");
    let b = Budget { achieved: 1.0, run_queue: 0.5, no_progress: 0.5, ..Budget::default() };
    assert_eq!(b.limited_by(2), "run_queue");
    assert_eq!(Budget::mean(&[]), None);
}

prop_compose! {
    fn any_shares(n: f64)(s in prop::array::uniform5(-0.1..1.2f64)) -> Shares {
        let [cpu, run_queue, blocked, idle, outside] = s.map(|x| x * n);
        Shares { cpu, run_queue, blocked, idle, outside }
    }
}

prop_compose! {
    fn any_use(n: f64)(
        shares in prop::option::weighted(0.9, any_shares(n)),
        stolen in prop::option::of(0.0..1.0f64),
        foreign_delay in prop::option::of(0.0..1.0f64),
    ) -> TimeUse {
        TimeUse { shares, stolen, foreign_delay }
    }
}

fn any_input() -> impl Strategy<Value = BudgetInput> {
    (2..256u32).prop_flat_map(|workers| {
        let n = f64::from(workers);
        let parts =
            (0.0..2.0 * n, any_use(1.0), any_use(n), prop::option::of(0.01..2.0 * n), any_use(n));
        parts.prop_map(move |(speedup, one, many, ceiling_speedup, ceiling)| BudgetInput {
            workers,
            speedup,
            one,
            many,
            ceiling_speedup,
            ceiling,
        })
    })
}

fn absurd() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(0.0),
        Just(f64::MIN_POSITIVE)
    ]
}

proptest! {
    #[test]
    fn parts_add_up_to_n_and_losses_are_not_negative(input in any_input()) {
        let b = loss_budget(&input);
        let sum = b.achieved + b.losses().iter().map(|l| l.1).sum::<f64>();
        prop_assert!((sum - f64::from(input.workers)).abs() < 1e-9, "{sum} {b:?}");
        for (name, loss) in b.losses() {
            prop_assert!(name == "unexplained" || loss >= 0.0, "{name} {loss}");
        }
    }

    #[test]
    fn shares_that_add_up_leave_nothing_but_clamping_unexplained(
        speedup in 0.1..1.0f64, s in prop::array::uniform5(0.0..1.0f64),
    ) {
        // At N = 1 all on a CPU, so only E - a·E1 can be negative.
        let total: f64 = s.iter().sum::<f64>().max(1e-9);
        let [cpu_n, run_queue, blocked, idle, outside] = s.map(|x| x / total * 2.0);
        let b = loss_budget(&input(speedup, Shares { cpu: cpu_n, run_queue, blocked, idle, outside }));
        let cut = (cpu_n - speedup).min(0.0);
        prop_assert!(s.iter().sum::<f64>() == 0.0 || (b.unexplained - cut).abs() < 1e-9, "{b:?}");
    }

    #[test]
    fn nothing_is_ever_nan(
        workers in any::<u32>(), ratios in prop::array::uniform2(absurd()),
        x in prop::collection::vec(absurd(), 21),
    ) {
        let time = |x: &[f64]| TimeUse {
            shares: Some(Shares {
                cpu: x[0], run_queue: x[1], blocked: x[2], idle: x[3], outside: x[4],
            }),
            stolen: Some(x[5]),
            foreign_delay: Some(x[6]),
        };
        let b = loss_budget(&BudgetInput {
            workers,
            speedup: ratios[0],
            one: time(&x[..7]),
            many: time(&x[7..14]),
            ceiling_speedup: Some(ratios[1]),
            ceiling: time(&x[14..]),
        });
        prop_assert!(b.achieved.is_finite());
        for (name, loss) in b.losses() {
            prop_assert!(loss.is_finite(), "{name} {loss}");
            prop_assert!(name == "unexplained" || loss >= 0.0, "{name} {loss}");
        }
    }
}
