//! What the kernel told, as values.

/// One record, of whichever CPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// CLOCK_MONOTONIC, ns.
    pub time: u64,
    /// Process that was running.
    pub pid: u32,
    /// Thread that was running.
    pub tid: u32,
    /// What happened.
    pub kind: Kind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A call that waits began.
    Wait(Call),
    /// A futex call returned, of whatever operation.
    Return(i64),
    /// A thread was woken.
    Waking(u32),
    /// It left its CPU; whether it could have gone on.
    Out {
        /// It was preempted.
        preempted: bool,
    },
    /// It came to a CPU.
    In,
    /// It left its CPU to another thread.
    Switch {
        /// It could have gone on.
        preempted: bool,
        /// Who came.
        next: u32,
    },
    /// A call that moves waiters from one word to another.
    Move(Move),
    /// One of which the words can't be seen.
    HiddenMove,
    /// Thread or process begun: the record's ids are the new one's.
    Fork {
        /// Process it came from.
        parent: u32,
    },
    /// The thread ended.
    Exit,
    /// It has a new name; by exec also a new address space.
    Name {
        /// The name.
        name: String,
        /// A new program.
        exec: bool,
    },
    /// Code became part of the address space.
    Map(Mapping),
    /// So many records were dropped.
    Lost(u64),
}

/// A call that waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// The word waited at.
    pub address: u64,
    /// Operation, without its flags; FUTEX_WAIT for the calls that have none.
    pub op: u32,
    /// What the word was expected to hold.
    pub value: Option<u32>,
    /// Return addresses, innermost first; none until they are unwound.
    pub stack: Vec<u64>,
    /// What unwinding begins from; gone when it is done.
    pub user: Option<User>,
}

/// A thread's registers in user space, and the top of its stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// Instruction pointer.
    pub ip: u64,
    /// Stack pointer: the address of the first byte of `stack`.
    pub sp: u64,
    /// Frame pointer.
    pub fp: u64,
    /// Link register, of machines that have one; 0 elsewhere.
    pub lr: u64,
    /// Bytes upwards from `sp`.
    pub stack: Vec<u8>,
}

/// A call that wakes the first waiters of a word and lets others wait at another, as a condition does with its mutex.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Move {
    /// Where they wait.
    pub from: u64,
    /// Where they shall.
    pub to: u64,
    /// So many are woken first.
    pub wake: u32,
    /// So many are moved at most.
    pub limit: u32,
}

/// Code in an address space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// Bytes.
    pub len: u64,
    /// Offset in the file.
    pub offset: u64,
    /// The file as the kernel names it.
    pub path: String,
}

/// FUTEX_WAIT.
pub const WAIT: u32 = 0;
const REQUEUE: u32 = 3;
const CMP_REQUEUE: u32 = 4;
const LOCK_PI: u32 = 6;
const WAIT_BITSET: u32 = 9;
const WAIT_REQUEUE_PI: u32 = 11;
/// Of those that move waiters the one that wakes nobody but by giving them the lock.
pub const CMP_REQUEUE_PI: u32 = 12;
const LOCK_PI2: u32 = 13;

/// Operations that wait; their flags (private, real time) are above 0x7f.
pub const WAITS: [u32; 5] = [WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2];

/// Operations that move waiters.
pub const MOVES: [u32; 3] = [REQUEUE, CMP_REQUEUE, CMP_REQUEUE_PI];

/// Operations of which the kernel itself knows the owner.
pub fn is_pi_lock(op: u32) -> bool {
    matches!(op, LOCK_PI | LOCK_PI2)
}

/// Operations that neither wait nor move: WAKE, WAKE_BITSET, WAKE_OP, UNLOCK_PI.
const WAKES: [u32; 4] = [1, 10, 5, 7];

/// The kernel's filter for FUTEX calls that may wait or move waiters, one condition a wake instead of four a wait: all others are let
/// through. The commonest come first, since the kernel stops at what decides.
pub fn call_filter() -> String {
    let ops = WAKES.iter().flat_map(|op| [128, 0].map(|private| op | private));
    ops.map(|op| format!("op != {op}")).collect::<Vec<_>>().join(" && ")
}

/// The kernel's filter for returns of FUTEX calls: a wait returns 0 or an error, a call that woke or moved somebody how many.
pub const RETURN_FILTER: &str = "ret < 1";
