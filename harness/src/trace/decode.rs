//! Bytes of a perf record to an event. Pure: a record that is not as expected is `None`, never a panic.

use std::collections::HashMap;

use perf_event_open_sys::bindings as sys;

use super::event::{Call, Event, Kind, Mapping, User, WAIT};
use super::format::Format;

/// What a sample of one tracepoint means, and where its fields lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// A call that waits: address, and where the call has them, operation and expected value.
    Wait {
        /// Offset of the address.
        address: usize,
        /// Offset of the operation.
        op: Option<usize>,
        /// Offset of the expected value.
        value: Option<usize>,
    },
    /// The return of a call.
    Return(usize),
    /// A wake-up: offset of the woken thread's id.
    Waking(usize),
}

impl Role {
    /// Of a tracepoint by its name; `None` where the kernel's format lacks a field.
    pub fn of(name: &str, format: &Format) -> Option<Self> {
        let at = |field: &str| format.fields.get(field).map(|(offset, _)| *offset);
        if name.starts_with("sched/") {
            return Some(Self::Waking(at("pid")?));
        }
        if name.contains("sys_exit") {
            return Some(Self::Return(at("ret")?));
        }
        let address = at("uaddr").or_else(|| at("waiters"))?;
        Some(Self::Wait { address, op: at("op"), value: at("val") })
    }
}

/// Roles by the id that the kernel gave each open event; call chains only come with waits.
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
    let mut at = 32;
    let mut stack = Vec::new();
    if matches!(role, Role::Wait { .. }) {
        let n = usize::try_from(u64_at(record, at)?).ok()?;
        let chain = record.get(at + 8..at.checked_add(8 + n.checked_mul(8)?)?)?;
        // Values near 2^64 are not addresses but say whose part of the chain follows.
        let user = |ip: &u64| *ip < u64::MAX - 4095;
        let ips = chain.chunks_exact(8).map(|b| u64::from_ne_bytes(b.try_into().expect("8")));
        stack = ips.filter(user).collect();
        at += 8 + n * 8;
    }
    let size = u32_at(record, at)? as usize;
    let raw = record.get(at + 4..(at + 4).checked_add(size)?)?;
    let kind = match *role {
        Role::Wait { address, op, value } => Kind::Wait(Call {
            address: u64_at(raw, address)?,
            op: op.and_then(|o| u32_at(raw, o)).map_or(WAIT, |op| op & 0x7f),
            value: value.and_then(|o| u32_at(raw, o)),
            stack,
            user: user(record.get(at + 4 + size..)?),
        }),
        Role::Return(at) => Kind::Return(u64_at(raw, at)? as i64),
        Role::Waking(at) => Kind::Waking(u32_at(raw, at)?),
    };
    Some(Event { time, pid, tid, kind })
}

/// Registers of user space that are asked for, in the order in which the kernel gives them: by number.
#[cfg(target_arch = "x86_64")]
pub const REGISTERS: &[u32] = &[sys::PERF_REG_X86_BP, sys::PERF_REG_X86_SP, sys::PERF_REG_X86_IP];
/// Registers of user space that are asked for, in the order in which the kernel gives them: by number.
#[cfg(target_arch = "aarch64")]
pub const REGISTERS: &[u32] = &[
    sys::PERF_REG_ARM64_X29,
    sys::PERF_REG_ARM64_LR,
    sys::PERF_REG_ARM64_SP,
    sys::PERF_REG_ARM64_PC,
];

/// The end of a sample: registers with their ABI, 0 where there are none; then the stack, of which a part is valid.
fn user(bytes: &[u8]) -> Option<User> {
    if u64_at(bytes, 0)? == 0 {
        return None;
    }
    let register = |k: usize| u64_at(bytes, 8 + 8 * k);
    let last = REGISTERS.len() - 1;
    let (fp, sp, ip) = (register(0)?, register(last - 1)?, register(last)?);
    let lr = if last == 3 { register(1)? } else { 0 };
    let at = 8 + 8 * REGISTERS.len();
    let size = usize::try_from(u64_at(bytes, at)?).ok()?;
    let dump = bytes.get(at + 8..(at + 8).checked_add(size)?)?;
    let valid = u64_at(bytes, at + 8 + size).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    Some(User { ip, sp, fp, lr, stack: dump[..valid.min(size)].to_vec() })
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
