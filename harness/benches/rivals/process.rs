//! The subject as a program of its own: `process OPERATIONS`.

include!("work.rs");

fn main() {
    let steps: u64 = env!("RIVAL_STEPS").parse().unwrap();
    let operations: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let sum = (0..operations).fold(0_u64, |sum, _| sum.wrapping_add(work(steps)));
    println!("{}", std::hint::black_box(sum) & 1);
}
