/// The chain of multiplications of amdahl's workload `cpu`.
pub fn work(steps: u64) -> u64 {
    let mut x = 1_u64;
    for _ in 0..std::hint::black_box(steps) {
        x = x * 48_271 % 2_147_483_647;
    }
    x
}
