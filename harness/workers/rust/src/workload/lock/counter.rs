//! Counters that workers share without a lock: one atomic word for all, or a word for each.

use std::hash::{BuildHasher as _, RandomState};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Apart;
use super::free::Shared;

/// Where a part of a counter lies: in lines of its own, or one beside the other.
pub(crate) trait Word: std::fmt::Debug + Send + Sync + 'static {
    fn new() -> Self;
    fn word(&self) -> &AtomicU64;
}

impl Word for AtomicU64 {
    fn new() -> Self {
        Self::new(0)
    }

    fn word(&self) -> &AtomicU64 {
        self
    }
}

impl Word for Apart<AtomicU64> {
    fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    fn word(&self) -> &AtomicU64 {
        &self.0
    }
}

/// A cell's counters, each in `parts` parts. A worker's copy leads to the words in one step, so that the bare
/// loop keeps the address in a register: nothing is read between two additions.
#[derive(Debug)]
pub(crate) struct Counters<T> {
    parts: usize,
    /// The first word in use.
    first: usize,
    words: Arc<[T]>,
}

/// Pages of which one is drawn for the words. What two CPUs pay for a line depends on where it lies in physical memory
/// (by a fifth and more), and a process gets the pages that the one before it gave back: without the draw all trials
/// of a run would share one page's luck.
const PAGES: usize = 256;
const PAGE: usize = 4096;

impl<T> Clone for Counters<T> {
    fn clone(&self) -> Self {
        Self { parts: self.parts, first: self.first, words: self.words.clone() }
    }
}

impl<T: Word> Counters<T> {
    pub(crate) fn new(counters: u64, parts: u64) -> Self {
        let a_page = PAGE / size_of::<T>();
        let first = RandomState::new().hash_one(0) as usize % PAGES * a_page;
        // All are written to, so that each has a page.
        let all = PAGES * a_page + (counters * parts) as usize;
        let words = (0..all).map(|_| T::new()).collect();
        Self { parts: parts as usize, first, words }
    }

    /// The word of a counter that worker `w` adds to.
    #[inline]
    fn word(&self, counter: usize, w: u32) -> &AtomicU64 {
        self.words[self.first + counter * self.parts + w as usize % self.parts].word()
    }
}

impl<T: Word> Shared for Counters<T> {
    #[inline]
    fn add(&mut self, k: usize, w: u32) {
        self.word(k, w).fetch_add(1, Ordering::Relaxed);
    }

    /// All parts.
    #[inline]
    fn read(&mut self, k: usize) -> bool {
        let words = &self.words[self.first + k * self.parts..][..self.parts];
        let sum: u64 = words.iter().map(|word| word.word().load(Ordering::Relaxed)).sum();
        black_box(sum);
        true
    }

    fn sum(&self) -> u64 {
        self.words.iter().map(|word| word.word().load(Ordering::Relaxed)).sum()
    }
}
