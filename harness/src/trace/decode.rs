//! Bytes of a perf record to an event. Pure: a record that is not as expected is `None`, never a panic.

use std::collections::HashMap;

use perf_event_open_sys::bindings as sys;

use super::event::{CMP_REQUEUE_PI, Call, Event, Kind, MOVES, Mapping, Move, User, WAIT, WAITS};
use super::format::Format;
use super::unwind::WITH_LINK;

/// What a sample of one tracepoint means, and where its fields lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// A FUTEX call: one that waits or moves waiters.
    Futex(Fields),
    /// A newer call that waits: offsets of the address, and of the expected value where it has one.
    Wait(usize, Option<usize>),
    /// A newer call that moves waiters, whose words lie in the program's memory.
    HiddenMove,
    /// The return of a call.
    Return(usize),
    /// A wake-up: offset of the woken thread's id.
    Waking(usize),
    /// A switch: offsets of the state that a thread leaves in, and of the id of who comes.
    Switch(usize, usize),
}

/// Offsets in a FUTEX call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// The word.
    pub address: usize,
    /// Operation.
    pub op: usize,
    /// What the word should hold, or how many to wake.
    pub value: usize,
    /// A time, or how many to move.
    pub limit: usize,
    /// The other word.
    pub target: usize,
}

impl Role {
    /// Of a tracepoint by its name; `None` where the kernel's format lacks a field.
    pub fn of(name: &str, format: &Format) -> Option<Self> {
        let at = |field: &str| format.fields.get(field).map(|(offset, _)| *offset);
        Some(match name {
            "sched/sched_switch" => Self::Switch(at("prev_state")?, at("next_pid")?),
            "sched/sched_waking" => Self::Waking(at("pid")?),
            "syscalls/sys_enter_futex" => Self::Futex(Fields {
                address: at("uaddr")?,
                op: at("op")?,
                value: at("val")?,
                limit: at("utime")?,
                target: at("uaddr2")?,
            }),
            "syscalls/sys_enter_futex_requeue" => Self::HiddenMove,
            _ if name.contains("sys_exit") => Self::Return(at("ret")?),
            _ => Self::Wait(at("uaddr").or_else(|| at("waiters"))?, at("val")),
        })
    }

    /// Whether its samples carry a stack.
    pub fn has_stack(&self) -> bool {
        matches!(self, Self::Futex(_) | Self::Wait(..))
    }
}

/// Roles by the id that the kernel gave each open event; stacks only come with calls that wait.
pub type Roles = HashMap<u64, Role>;

/// Bytes of the ids that end every record but a sample: process, thread, time, event.
const TRAILER: usize = 24;

/// One record.
pub fn decode(record: &[u8], roles: &Roles) -> Option<Event> {
    let kind = u32_at(record, 0)?;
    let misc = u32::from(u16_at(record, 4)?);
    if kind == sys::PERF_RECORD_SAMPLE {
        return sample(record, roles);
    }
    let end = record.len().checked_sub(TRAILER)?;
    let (pid, tid) = (u32_at(record, end)?, u32_at(record, end + 4)?);
    let time = u64_at(record, end + 8)?;
    let event = |kind| Some(Event { time, pid, tid, kind });
    match kind {
        sys::PERF_RECORD_SWITCH | sys::PERF_RECORD_SWITCH_CPU_WIDE => {
            let preempted = misc & sys::PERF_RECORD_MISC_SWITCH_OUT_PREEMPT != 0;
            let out = misc & sys::PERF_RECORD_MISC_SWITCH_OUT != 0;
            event(if out { Kind::Out { preempted } } else { Kind::In })
        }
        sys::PERF_RECORD_FORK | sys::PERF_RECORD_EXIT => {
            let (pid, parent) = (u32_at(record, 8)?, u32_at(record, 12)?);
            let tid = u32_at(record, 16)?;
            let kind =
                if kind == sys::PERF_RECORD_FORK { Kind::Fork { parent } } else { Kind::Exit };
            Some(Event { time, pid, tid, kind })
        }
        sys::PERF_RECORD_COMM => {
            let (pid, tid) = (u32_at(record, 8)?, u32_at(record, 12)?);
            let exec = misc & sys::PERF_RECORD_MISC_COMM_EXEC != 0;
            let name = text(record.get(16..end)?);
            Some(Event { time, pid, tid, kind: Kind::Name { name, exec } })
        }
        sys::PERF_RECORD_MMAP2 => {
            let (pid, tid) = (u32_at(record, 8)?, u32_at(record, 12)?);
            let (start, len) = (u64_at(record, 16)?, u64_at(record, 24)?);
            let (offset, path) = (u64_at(record, 32)?, text(record.get(72..end)?));
            let kind = Kind::Map(Mapping { start, len, offset, path });
            Some(Event { time, pid, tid, kind })
        }
        sys::PERF_RECORD_LOST => event(Kind::Lost(u64_at(record, 16)?)),
        _ => None,
    }
}

fn sample(record: &[u8], roles: &Roles) -> Option<Event> {
    let role = roles.get(&u64_at(record, 8)?)?;
    let (pid, tid, time) = (u32_at(record, 16)?, u32_at(record, 20)?, u64_at(record, 24)?);
    let end = 36usize.checked_add(u32_at(record, 32)? as usize)?;
    let raw = record.get(36..end)?;
    let user = || if role.has_stack() { user(record.get(end..)?) } else { None };
    let kind = match *role {
        Role::Futex(at) => futex(raw, at, user)?,
        Role::Wait(address, value) => Kind::Wait(Call {
            address: u64_at(raw, address)?,
            op: WAIT,
            value: value.and_then(|o| u32_at(raw, o)),
            user: user(),
            ..Call::default()
        }),
        Role::HiddenMove => Kind::HiddenMove,
        Role::Return(at) => Kind::Return(u64_at(raw, at)? as i64),
        Role::Waking(at) => Kind::Waking(u32_at(raw, at)?),
        // The bits of a state that keeps a thread from running; a preempted one has another.
        Role::Switch(state, next) => {
            Kind::Switch { preempted: u64_at(raw, state)? & 0xff == 0, next: u32_at(raw, next)? }
        }
    };
    Some(Event { time, pid, tid, kind })
}

fn futex(raw: &[u8], at: Fields, user: impl Fn() -> Option<User>) -> Option<Kind> {
    let (address, op, value) =
        (u64_at(raw, at.address)?, u32_at(raw, at.op)? & 0x7f, u32_at(raw, at.value)?);
    if WAITS.contains(&op) {
        let call = Call { address, op, value: Some(value), user: user(), ..Call::default() };
        return Some(Kind::Wait(call));
    }
    MOVES.contains(&op).then_some(())?;
    // It gives the lock to the first, or moves them all.
    let wake = if op == CMP_REQUEUE_PI { 0 } else { value };
    let (limit, to) = (u32_at(raw, at.limit)?, u64_at(raw, at.target)?);
    Some(Kind::Move(Move { from: address, to, wake, limit }))
}

/// Registers of user space and the newest part of the stack, behind the tracepoint's own fields.
fn user(bytes: &[u8]) -> Option<User> {
    // No registers: it was no call of a program.
    (u64_at(bytes, 0)? == u64::from(sys::PERF_SAMPLE_REGS_ABI_64)).then_some(())?;
    let word = |n: usize| u64_at(bytes, 8 * n);
    let link = usize::from(WITH_LINK);
    let (fp, lr) = (word(1)?, if WITH_LINK { word(2)? } else { 0 });
    let (sp, ip) = (word(2 + link)?, word(3 + link)?);
    let size = usize::try_from(word(4 + link)?).ok()?;
    let dump = 40 + 8 * link;
    let copy = bytes.get(dump..dump.checked_add(size)?)?;
    // Behind it the kernel says how much of it was there to copy.
    let there = if size == 0 { 0 } else { usize::try_from(u64_at(bytes, dump + size)?).ok()? };
    Some(User { ip, sp, fp, lr, stack: copy.get(..there)?.to_vec() })
}

/// Up to the first NUL.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn u16_at(b: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(b.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(b.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u64_at(b: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(b.get(at..at.checked_add(8)?)?.try_into().ok()?))
}
