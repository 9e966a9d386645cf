//! The file of a process, as values. Its layout is that of `workers/preload/layout.h`.
//!
//! The file is sparse and hundreds of megabytes long, so only what is in use is read. A program may have been killed at any
//! instant and may have written over anything: every number is checked before it is used as a place.

use std::io::{self, Read, Seek, SeekFrom};

use crate::trace::times::Times;

const MAGIC: &[u8; 8] = b"AMDAHLPL";
const VERSION: u32 = 1;
const LOCKS: u64 = 1 << 16;
const DETAILS: u64 = 1 << 15;
const THREADS: u64 = 1 << 14;
const MEMBERS: usize = 512;
const SITES: usize = 8;
const BUCKETS: usize = 608;
const MAPS: u64 = 1 << 19;
const HEADER: u64 = 4096;

const THREAD: usize = 64;
const LOCK: usize = 128;
const TIMES: usize = 8 * (3 + BUCKETS);
const DETAIL: usize = 8 + 2 * TIMES + 24 * (SITES + 1) + MEMBERS / 8 + 8;

const THREADS_AT: u64 = HEADER;
const MAPS_AT: u64 = THREADS_AT + THREADS * THREAD as u64;
const LOCKS_AT: u64 = MAPS_AT + MAPS;
const DETAILS_AT: u64 = LOCKS_AT + LOCKS * LOCK as u64;

/// Why a file is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It can't be read, or ends before its records do.
    #[error("at byte {at}: {source}")]
    Unreadable {
        /// Where.
        at: u64,
        /// What the system said.
        source: io::Error,
    },
    /// Another program's file.
    #[error("it does not begin as a table of the preloaded library")]
    Foreign,
    /// Another version of the library.
    #[error("it is a table of version {0}; this program reads {VERSION}")]
    Version(u32),
    /// A number that the library can't have written.
    #[error("at byte {at}: {what} is {value}, which the library does not write")]
    Corrupt {
        /// Where.
        at: u64,
        /// Which number.
        what: &'static str,
        /// Its value.
        value: u64,
    },
}

/// What lies at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// pthread_mutex_t.
    Mutex,
    /// pthread_rwlock_t.
    Rwlock,
    /// pthread_spinlock_t.
    Spin,
    /// pthread_cond_t: waits for it are idle.
    Cond,
}

/// One process.
#[derive(Debug, Default)]
pub struct Table {
    /// Process.
    pub pid: u32,
    /// Hold times were measured.
    pub hold: bool,
    /// Calls on locks without a record, times without a histogram, threads without a record.
    pub unseen: [u64; 3],
    /// In the order of their first lock.
    pub threads: Vec<Thread>,
    /// Text of /proc/self/maps.
    pub maps: String,
    /// In the order of their first use.
    pub locks: Vec<Lock>,
}

/// A thread that took a lock.
#[derive(Debug, PartialEq, Eq)]
pub struct Thread {
    /// Thread id.
    pub tid: u32,
    /// Waits, their time, time waited for conditions.
    pub waits: u64,
    /// Time of waits.
    pub wait_ns: u64,
    /// Time waited for conditions.
    pub idle_ns: u64,
    /// Since when it waited when the program ended.
    pub waiting_since_ns: Option<u64>,
    /// Name when it took its first lock.
    pub name: String,
}

/// One lock or condition.
#[derive(Debug)]
pub struct Lock {
    /// Kind.
    pub kind: Kind,
    /// Address in the process.
    pub address: u64,
    /// Exclusive acquisitions.
    pub writes: u64,
    /// Shared ones.
    pub reads: u64,
    /// Waits that ended in an acquisition (of conditions: in a wake-up), and at their time limit.
    pub contended: u64,
    /// Waits that ended at their time limit.
    pub timeouts: u64,
    /// How often it was destroyed.
    pub destroyed: u32,
    /// Threads that had it; absent where they were too many to tell apart.
    pub owners: Option<u64>,
    /// Times, if there are any.
    pub details: Option<Box<Details>>,
}

/// Times of a lock.
#[derive(Debug, Default)]
pub struct Details {
    /// Waits.
    pub wait: Times,
    /// Holds.
    pub hold: Times,
    /// Return address, waits, time; 0 for all others.
    pub sites: Vec<(u64, u64, u64)>,
    /// Threads that waited, as owners.
    pub waiters: Option<u64>,
}

/// Reads a whole table.
pub fn read(from: &mut (impl Read + Seek)) -> Result<Table, Refused> {
    let head = part(from, 0, 72)?;
    if head.0[..8] != MAGIC[..] {
        return Err(Refused::Foreign);
    }
    if head.u32(8) != VERSION {
        return Err(Refused::Version(head.u32(8)));
    }
    // The counters run on where there is no room: what is beyond has no record.
    let used = |at: usize, max: u64| head.u64(at).min(max) as usize;
    let maps = checked(head.u32(20).into(), MAPS, 20, "the length of the memory map")?;
    let maps = part(from, MAPS_AT, maps as usize)?;
    let threads = part(from, THREADS_AT, used(40, THREADS) * THREAD)?;
    let locks = part(from, LOCKS_AT, used(24, LOCKS) * LOCK)?;
    let mut table = Table {
        pid: head.u32(12),
        hold: head.u32(16) != 0,
        unseen: [head.u64(48), head.u64(56), head.u64(64)],
        maps: String::from_utf8_lossy(&maps.0).into_owned(),
        ..Table::default()
    };
    table.threads.extend(threads.0.chunks_exact(THREAD).filter_map(|t| thread(&Part(t.to_vec()))));
    for (n, record) in locks.0.chunks_exact(LOCK).enumerate() {
        let at = LOCKS_AT + (n * LOCK) as u64;
        table.locks.extend(lock(from, &Part(record.to_vec()), at)?);
    }
    Ok(table)
}

fn thread(of: &Part) -> Option<Thread> {
    let tid = of.u32(0);
    let name: Vec<u8> = of.0[48..64].iter().copied().take_while(|b| *b != 0).collect();
    (tid != 0).then(|| Thread {
        tid,
        waits: of.u64(8),
        wait_ns: of.u64(16),
        idle_ns: of.u64(24),
        waiting_since_ns: (of.u64(32) != 0).then(|| of.u64(40)),
        name: String::from_utf8_lossy(&name).into_owned(),
    })
}

/// Nothing for a record that two threads made at once and one gave back.
fn lock(from: &mut (impl Read + Seek), of: &Part, at: u64) -> Result<Option<Lock>, Refused> {
    let key = of.u64(0);
    if key == 0 {
        return Ok(None);
    }
    let kind = [Kind::Mutex, Kind::Rwlock, Kind::Spin, Kind::Cond][(key & 3) as usize];
    let details = match of.u32(28) {
        // None yet; no room for them.
        0 | u32::MAX => None,
        n => {
            let n = checked(n.into(), DETAILS, at + 28, "the number of its histograms")? - 1;
            let at = DETAILS_AT + n * DETAIL as u64;
            let of = part(from, at, DETAIL)?;
            checked_key(of.u64(0), key, at)?;
            Some(Box::new(details(&of)))
        }
    };
    Ok(Some(Lock {
        kind,
        address: key >> 2,
        writes: of.u64(8),
        reads: of.u64(32),
        contended: of.u64(40),
        timeouts: of.u64(48),
        destroyed: of.u32(56),
        owners: (of.u32(60) == 0).then(|| members(&of.0[64..])),
        details,
    }))
}

/// Killed between taking the record and naming it, a program leaves a 0.
fn checked_key(found: u64, key: u64, at: u64) -> Result<(), Refused> {
    let what = "the lock of these histograms";
    if found == key || found == 0 {
        return Ok(());
    }
    Err(Refused::Corrupt { at, what, value: found })
}

fn checked(value: u64, max: u64, at: u64, what: &'static str) -> Result<u64, Refused> {
    if value <= max { Ok(value) } else { Err(Refused::Corrupt { at, what, value }) }
}

fn details(of: &Part) -> Details {
    let sites_at = 8 + TIMES;
    let site = |n: usize| {
        let at = sites_at + 24 * n;
        // The last is all others: whatever stands there is no address.
        (if n < SITES { of.u64(at) } else { 0 }, of.u64(at + 8), of.u64(at + 16))
    };
    let members_at = sites_at + 24 * (SITES + 1);
    let crowded_at = members_at + MEMBERS / 8;
    Details {
        wait: times(of, 8),
        hold: times(of, crowded_at + 8),
        sites: (0..=SITES).map(site).filter(|(_, waits, _)| *waits > 0).collect(),
        waiters: (of.u64(crowded_at) == 0).then(|| members(&of.0[members_at..crowded_at])),
    }
}

fn members(bits: &[u8]) -> u64 {
    bits.iter().map(|b| u64::from(b.count_ones())).sum()
}

/// Sum and extremes are exact; a bucket's values are taken for its middle, which is wrong by one part in 32 at most.
fn times(of: &Part, at: usize) -> Times {
    let [sum, highest, lowest] = [0, 8, 16].map(|n| of.u64(at + n));
    let counts = (0..BUCKETS).map(|bucket| {
        let middle = middle(bucket).min(highest).max(!lowest);
        (middle, of.u64(at + 24 + 8 * bucket))
    });
    Times::counted((sum, !lowest, highest), counts.filter(|(_, n)| *n > 0))
}

/// Below 16 a bucket is a number; above, 16 buckets share each power of two.
fn middle(bucket: usize) -> u64 {
    match (bucket / 16, bucket as u64 % 16) {
        (0, n) => n,
        (power, n) => {
            let width = 1u64 << (power - 1);
            (16 + n) * width + width / 2
        }
    }
}

struct Part(Vec<u8>);

impl Part {
    fn u64(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.0[at..at + 8].try_into().expect("eight bytes"))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.0[at..at + 4].try_into().expect("four bytes"))
    }
}

fn part(from: &mut (impl Read + Seek), at: u64, len: usize) -> Result<Part, Refused> {
    let mut bytes = vec![0; len];
    let seek = from.seek(SeekFrom::Start(at));
    match seek.and_then(|_| from.read_exact(&mut bytes)) {
        Ok(()) => Ok(Part(bytes)),
        Err(source) => Err(Refused::Unreadable { at, source }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// A file with room for some records of each kind.
    fn file() -> Vec<u8> {
        let mut bytes = vec![0; DETAILS_AT as usize + 4 * DETAIL];
        bytes[..8].copy_from_slice(MAGIC);
        put32(&mut bytes, 8, VERSION);
        put32(&mut bytes, 12, 811);
        bytes
    }

    fn put32(bytes: &mut [u8], at: usize, value: u32) {
        bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }

    fn put(bytes: &mut [u8], at: usize, value: u64) {
        bytes[at..at + 8].copy_from_slice(&value.to_ne_bytes());
    }

    /// One mutex at 0x1000 with details number 2.
    fn with_lock() -> Vec<u8> {
        let mut bytes = file();
        let (lock, details) = (LOCKS_AT as usize, DETAILS_AT as usize + DETAIL);
        put(&mut bytes, 24, 1);
        put(&mut bytes, lock, 0x1000 << 2);
        put(&mut bytes, lock + 8, 7);
        put32(&mut bytes, lock + 28, 2);
        put(&mut bytes, lock + 40, 3);
        put(&mut bytes, lock + 64, 0b101);
        put(&mut bytes, details, 0x1000 << 2);
        for (n, value) in [160, 100, !20].into_iter().enumerate() {
            put(&mut bytes, details + 8 + 8 * n, value);
        }
        // 20, 40 and 100 ns: the first two buckets of 16 and 32 that hold them, and 100 = 64 + 36.
        for bucket in [20, 36, 57] {
            put(&mut bytes, details + 32 + 8 * bucket, 1);
        }
        bytes
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let table = read(&mut Cursor::new(with_lock())).unwrap();
        let lock = &table.locks[0];
        assert_eq!((table.pid, lock.kind, lock.address), (811, Kind::Mutex, 0x1000));
        assert_eq!((lock.writes, lock.contended, lock.owners), (7, 3, Some(2)));
        let wait = &lock.details.as_ref().unwrap().wait;
        assert_eq!((wait.sum, wait.min, wait.max, wait.n), (160, 20, 100, 3));
        assert_eq!(wait.at(0.5), 41);
    }

    #[test]
    fn a_bucket_s_middle_is_within_one_part_in_32_of_what_it_holds() {
        // The rule of record.h, here once more.
        let bucket = |ns: u64| match ns {
            0..16 => ns as usize,
            _ => {
                let top = ns.ilog2();
                ((top as usize - 3) * 16 + (ns >> (top - 4) & 15) as usize).min(BUCKETS - 1)
            }
        };
        for ns in (0..4096).chain((12..41).flat_map(|p| [1 << p, (1 << p) + 12345, (2 << p) - 1])) {
            let found = middle(bucket(ns));
            assert!(found.abs_diff(ns) * 32 <= ns, "{ns} is in the bucket around {found}");
        }
    }

    #[test]
    fn what_is_no_table_is_refused_with_the_place() {
        let says = |bytes: &[u8]| read(&mut Cursor::new(bytes)).unwrap_err().to_string();
        assert!(says(b"").contains("at byte 0"));
        assert!(says(&[7; 4096]).contains("does not begin"));
        let mut newer = file();
        put32(&mut newer, 8, 2);
        assert!(says(&newer).contains("version 2; this program reads 1"));
        let mut cut_off = with_lock();
        cut_off.truncate(LOCKS_AT as usize + 60);
        assert!(says(&cut_off).contains(&format!("at byte {LOCKS_AT}")));
        let mut wild = with_lock();
        put32(&mut wild, LOCKS_AT as usize + 28, 40_000);
        assert!(says(&wild).contains("the number of its histograms is 40000"));
        let mut stranger = with_lock();
        put(&mut stranger, DETAILS_AT as usize + DETAIL, 0x2000 << 2);
        assert!(says(&stranger).contains("the lock of these histograms"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_bytes_make_it_panic(
            head in proptest::collection::vec(any::<u8>(), 60),
            counts in [0u64..8, 0..8, 0..8],
            maps in 0u32..4096,
            records in proptest::collection::vec(any::<u8>(), 4 * LOCK),
            places in proptest::collection::vec(0u32..6, 4),
            details in proptest::collection::vec(any::<u8>(), 2 * DETAIL),
            raw in any::<bool>(),
        ) {
            let mut bytes = file();
            if raw {
                bytes[12..72].copy_from_slice(&head);
            } else {
                put32(&mut bytes, 20, maps);
                for (n, count) in counts.iter().enumerate() {
                    put(&mut bytes, 24 + 8 * n, *count);
                }
            }
            let locks = LOCKS_AT as usize;
            bytes[locks..locks + records.len()].copy_from_slice(&records);
            let first = DETAILS_AT as usize;
            bytes[first..first + details.len()].copy_from_slice(&details);
            for (n, place) in places.iter().enumerate() {
                let key = u64::from_ne_bytes(records[n * LOCK..n * LOCK + 8].try_into().unwrap());
                put32(&mut bytes, locks + n * LOCK + 28, *place);
                if *place > 0 {
                    // Else a wrong key would end the reading here.
                    put(&mut bytes, (first + (*place as usize - 1) * DETAIL).min(first + 3 * DETAIL), key);
                }
            }
            let _ = read(&mut Cursor::new(bytes));
        }
    }
}
