//! Events in the order of time to waits by word and call site, and to each thread's time. Pure.

use std::collections::{BTreeMap, HashMap};

use super::event::{Call, Event, Kind, Mapping, is_pi_lock};
use super::times::Times;

mod moved;

use moved::Moved;

/// Waits at one word from one call site.
#[derive(Debug, Default)]
pub struct Waits {
    /// Waits that returned, timed out, were interrupted, or had not returned when the thread or the trace ended.
    pub waits: u64,
    /// Ended by their time limit.
    pub timeouts: u64,
    /// Did not wait: the word had changed.
    pub eagain: u64,
    /// Had not returned.
    pub unfinished: u64,
    /// From call to return.
    pub wait: Times,
    /// From wake-up to running.
    pub handoff: Times,
    /// Waits that expected the value 2.
    pub expected_two: u64,
    /// Waits that expected the id of a thread of their process.
    pub expected_thread: u64,
    /// Waits by operations that lock.
    pub pi: u64,
    /// Waits that began elsewhere: another thread's call moved the waiter here.
    pub moved: u64,
    /// Waits and their time by waker and waiter.
    pub edges: BTreeMap<(u32, u32), (u64, u64)>,
    /// Time by waiting thread.
    pub waiters: BTreeMap<u32, (u64, u64)>,
}

/// Process, address, number of the stack.
pub type Site = (u32, u64, u32);

/// What a thread is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// Not known yet.
    Unknown,
    Running,
    Runnable,
    Blocked,
}

/// One thread's time.
#[derive(Debug)]
pub struct Thread {
    /// Process.
    pub pid: u32,
    /// Name.
    pub name: String,
    /// On a CPU, waiting for one, neither.
    pub on_cpu_ns: u64,
    /// Waiting for a CPU.
    pub runnable_ns: u64,
    /// Neither.
    pub blocked_ns: u64,
    /// Whether any switch of it was seen.
    pub switched: bool,
    doing: Doing,
    since: u64,
    open: Option<Open>,
    /// When its last call that moves waiters began.
    moving: Option<u64>,
    ended: bool,
}

#[derive(Debug, Clone)]
struct Open {
    time: u64,
    call: Call,
    stack: u32,
    waker: Option<(u32, u64)>,
    running: Option<u64>,
    moved: Option<Moved>,
}

impl Thread {
    fn new(pid: u32, time: u64, doing: Doing) -> Self {
        Self {
            pid,
            name: String::new(),
            on_cpu_ns: 0,
            runnable_ns: 0,
            blocked_ns: 0,
            switched: false,
            doing,
            since: time,
            open: None,
            moving: None,
            ended: false,
        }
    }

    fn turn(&mut self, time: u64, doing: Doing) {
        let ns = time.saturating_sub(self.since);
        match self.doing {
            Doing::Unknown => {}
            Doing::Running => self.on_cpu_ns += ns,
            Doing::Runnable => self.runnable_ns += ns,
            Doing::Blocked => self.blocked_ns += ns,
        }
        (self.doing, self.since) = (doing, time);
    }
}

/// Everything that the events said so far of the processes traced.
#[derive(Debug, Default)]
pub struct Tracker {
    /// Processes traced, with the code in their address spaces.
    pub processes: BTreeMap<u32, Vec<Mapping>>,
    /// Threads seen.
    pub threads: BTreeMap<u32, Thread>,
    /// Waits by site.
    pub sites: BTreeMap<Site, Waits>,
    /// Stacks by number.
    pub stacks: Vec<Vec<u64>>,
    /// Records of the processes traced.
    pub events: u64,
    /// Records lost, of whatever process.
    pub lost: u64,
    /// Calls whose return was never seen although the thread went on.
    pub torn: u64,
    /// Calls that moved waiters from and to words that can't be seen.
    pub hidden_moves: u64,
    numbers: HashMap<Vec<u64>, u32>,
}

impl Tracker {
    /// Follows a process that is about to begin, or runs with these threads.
    pub fn follow(&mut self, pid: u32, threads: &[(u32, String)], code: Vec<Mapping>, time: u64) {
        self.processes.insert(pid, code);
        for (tid, name) in threads {
            let mut thread = Thread::new(pid, time, Doing::Unknown);
            thread.name.clone_from(name);
            self.threads.insert(*tid, thread);
        }
    }

    /// The next event; events come in the order of time.
    pub fn feed(&mut self, event: Event) {
        let Event { time, pid, tid, kind } = event;
        match kind {
            Kind::Lost(n) => return self.lost += n,
            Kind::Waking(target) => return self.waking(time, tid, target),
            Kind::Fork { parent } => return self.fork(time, pid, tid, parent),
            Kind::Switch { next, .. } => self.came(time, next),
            _ => {}
        }
        // A thread that is being reaped has no id any more.
        if !self.processes.contains_key(&pid) || matches!(tid, 0 | u32::MAX) {
            return;
        }
        self.events += 1;
        match kind {
            Kind::Wait(call) => self.wait(time, pid, tid, call),
            Kind::Return(code) => self.returned(time, tid, code),
            Kind::Out { preempted } | Kind::Switch { preempted, .. } => {
                let doing = if preempted { Doing::Runnable } else { Doing::Blocked };
                self.switched(time, pid, tid, doing);
            }
            Kind::In => {
                self.thread(time, pid, tid);
                self.came(time, tid);
            }
            Kind::Move(of) => self.moving(time, pid, tid, of),
            Kind::HiddenMove => self.hidden_moves += 1,
            Kind::Exit => self.exit(time, tid),
            Kind::Name { name, exec } => {
                if exec {
                    self.processes.insert(pid, Vec::new());
                }
                self.thread(time, pid, tid).name = name;
            }
            Kind::Map(mapping) => self.processes.entry(pid).or_default().push(mapping),
            Kind::Waking(_) | Kind::Fork { .. } | Kind::Lost(_) => {}
        }
    }

    /// Processes with a thread that has not ended.
    pub fn living(&self) -> Vec<u32> {
        let living = self.threads.values().filter(|t| !t.ended).map(|t| t.pid);
        living.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// Closes what is open: the trace has ended.
    pub fn end(&mut self, time: u64) {
        let tids: Vec<u32> = self.threads.keys().copied().collect();
        tids.into_iter().for_each(|tid| self.exit(time, tid));
    }

    fn thread(&mut self, time: u64, pid: u32, tid: u32) -> &mut Thread {
        self.threads.entry(tid).or_insert_with(|| Thread::new(pid, time, Doing::Unknown))
    }

    /// A known thread came to a CPU.
    fn came(&mut self, time: u64, tid: u32) {
        let Some(thread) = self.threads.get_mut(&tid).filter(|t| !t.ended) else { return };
        thread.switched = true;
        thread.turn(time, Doing::Running);
        if let Some(open) = &mut thread.open {
            open.running = Some(time);
        }
    }

    fn switched(&mut self, time: u64, pid: u32, tid: u32, doing: Doing) {
        let thread = self.thread(time, pid, tid);
        thread.switched = true;
        if !thread.ended {
            thread.turn(time, doing);
        }
    }

    fn waking(&mut self, time: u64, waker: u32, target: u32) {
        let Some(thread) = self.threads.get_mut(&target) else { return };
        self.events += 1;
        if thread.doing == Doing::Blocked {
            thread.turn(time, Doing::Runnable);
        }
        if let Some(open) = &mut thread.open {
            open.waker = Some((waker, time));
            open.running = None;
        }
    }

    fn fork(&mut self, time: u64, pid: u32, tid: u32, parent: u32) {
        let Some(code) = self.processes.get(&parent) else { return };
        self.events += 1;
        if pid != parent {
            let code = code.clone();
            self.processes.entry(pid).or_insert(code);
        }
        let name = self.threads.get(&parent).map(|t| t.name.clone()).unwrap_or_default();
        self.threads.insert(tid, Thread { name, ..Thread::new(pid, time, Doing::Runnable) });
    }

    fn wait(&mut self, time: u64, pid: u32, tid: u32, mut call: Call) {
        let stack = std::mem::take(&mut call.stack);
        let next = self.numbers.len() as u32;
        let number = *self.numbers.entry(stack).or_insert_with_key(|stack| {
            self.stacks.push(stack.clone());
            next
        });
        let open = Open { time, call, stack: number, waker: None, running: None, moved: None };
        let thread = self.thread(time, pid, tid);
        thread.moving = None;
        let before = thread.open.replace(open);
        self.torn += u64::from(before.is_some());
    }

    fn returned(&mut self, time: u64, tid: u32, code: i64) {
        let Some(open) = self.threads.get_mut(&tid).and_then(|t| t.open.take()) else {
            return self.moved_none(tid);
        };
        let code = i32::try_from(-code.min(0)).unwrap_or(0);
        match code {
            libc::EAGAIN => self.site(tid, &open).eagain += 1,
            // The call was refused: no address, no right, a word that can't be waited at.
            libc::EFAULT | libc::EINVAL | libc::ENOSYS | libc::EPERM | libc::EDEADLK => {}
            _ => {
                let open = self.closed(time, tid, open);
                self.site(tid, &open).timeouts += u64::from(code == libc::ETIMEDOUT);
                if code == 0 {
                    self.handed(tid, &open, time);
                }
            }
        }
    }

    fn site(&mut self, tid: u32, open: &Open) -> &mut Waits {
        let pid = self.threads[&tid].pid;
        self.sites.entry((pid, open.call.address, open.stack)).or_default()
    }

    /// Adds a wait, however it ended; gives it back as it was when it ended, at the word that it had been moved to.
    fn closed(&mut self, time: u64, tid: u32, mut open: Open) -> Open {
        if let Some(Moved { time: moved, to, .. }) = open.moved.take() {
            self.add(moved, tid, &open);
            open.call = Call { address: to, op: open.call.op, ..Call::default() };
            open.time = moved;
            self.site(tid, &open).moved += 1;
        }
        self.add(time, tid, &open);
        open
    }

    fn add(&mut self, time: u64, tid: u32, open: &Open) {
        let pid = self.threads[&tid].pid;
        let expected = open.call.value;
        let thread = expected.filter(|v| *v > 2).and_then(|v| self.threads.get(&v));
        let is_thread = thread.is_some_and(|t| t.pid == pid);
        let ns = time.saturating_sub(open.time);
        let site = self.site(tid, open);
        site.waits += 1;
        site.wait.record(ns);
        site.expected_two += u64::from(expected == Some(2));
        site.expected_thread += u64::from(is_thread);
        site.pi += u64::from(is_pi_lock(open.call.op));
        let waiter = site.waiters.entry(tid).or_default();
        *waiter = (waiter.0 + 1, waiter.1 + ns);
    }

    /// Adds who woke it, and how long that took.
    fn handed(&mut self, tid: u32, open: &Open, time: u64) {
        let Some((waker, woken)) = open.waker else { return };
        let site = self.site(tid, open);
        let edge = site.edges.entry((waker, tid)).or_default();
        *edge = (edge.0 + 1, edge.1 + time.saturating_sub(open.time));
        if let Some(running) = open.running {
            let ns = running.saturating_sub(woken);
            site.handoff.record(ns);
        }
    }

    fn exit(&mut self, time: u64, tid: u32) {
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        if thread.ended {
            return;
        }
        thread.turn(time, Doing::Unknown);
        thread.ended = true;
        if let Some(open) = thread.open.take() {
            let open = self.closed(time, tid, open);
            self.site(tid, &open).unfinished += 1;
        }
    }
}
