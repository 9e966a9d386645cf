//! Maps that workers share: a kept concurrent one, and standard maps behind locks, a part of the keys each. An operation that writes
//! adds one to the value of a key drawn at random, one that reads gets it; all keys are there from the start.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::sync::{Arc, PoisonError, RwLock};

use super::free::Shared;
use super::{Apart, Choice};

/// Keys of each map: its table stays in a core's own cache, so that what is measured is sharing.
const KEYS: u64 = 1024;

/// Locks of a sharded map: many beside workers, few beside keys.
const SHARDS: u64 = 64;

/// A map from a key to how often it was written.
pub(crate) trait Map: std::fmt::Debug + Send + Sync + 'static {
    /// With all keys, at 0.
    fn new() -> Self;
    /// The value of a key.
    fn get(&self, key: u64) -> Option<u64>;
    /// One more for a key, as one step.
    fn add(&self, key: u64);
    /// All values, while nobody writes.
    fn sum(&self) -> u64;
}

/// A cell's maps, and which key a worker takes next.
#[derive(Debug)]
pub(crate) struct Maps<M> {
    maps: Arc<[Apart<M>]>,
    keys: Choice,
}

impl<M: Map> Maps<M> {
    pub(crate) fn new(maps: u64) -> Self {
        let maps = (0..maps).map(|_| Apart(M::new())).collect();
        Self { maps, keys: Choice::of(0) }
    }
}

impl<M> Clone for Maps<M> {
    fn clone(&self) -> Self {
        Self { maps: self.maps.clone(), keys: Choice::of(0) }
    }
}

impl<M: Map> Shared for Maps<M> {
    /// Its keys begin elsewhere than its choice of a map, and than those of others.
    fn of(&mut self, w: u32) {
        self.keys = Choice::of(w + KEYS as u32);
    }

    #[inline]
    fn add(&mut self, k: usize, _: u32) {
        self.maps[k].0.add(self.keys.next(KEYS) as u64);
    }

    #[inline]
    fn read(&mut self, k: usize) -> bool {
        black_box(self.maps[k].0.get(self.keys.next(KEYS) as u64)).is_some()
    }

    fn sum(&self) -> u64 {
        self.maps.iter().map(|map| map.0.sum()).sum()
    }
}

/// Of the crate `papaya`: readers take no lock, writers replace a value by compare and swap.
pub(crate) type Papaya = papaya::HashMap<u64, u64>;

impl Map for Papaya {
    fn new() -> Self {
        (0..KEYS).map(|key| (key, 0)).collect()
    }

    #[inline]
    fn get(&self, key: u64) -> Option<u64> {
        self.pin().get(&key).copied()
    }

    #[inline]
    fn add(&self, key: u64) {
        self.pin().update_or_insert(key, |n| n + 1, 1);
    }

    fn sum(&self) -> u64 {
        self.pin().values().sum()
    }
}

/// The part of a sharded map behind one lock.
type Shard = RwLock<HashMap<u64, u64>>;

/// Standard maps, each behind a lock in lines of its own.
#[derive(Debug)]
pub(crate) struct Sharded {
    shards: Box<[Apart<Shard>]>,
    hasher: RandomState,
}

impl Sharded {
    /// By a hash, because what keys look like is not the map's to choose.
    #[inline]
    fn shard(&self, key: u64) -> &Shard {
        &self.shards[(self.hasher.hash_one(key) % SHARDS) as usize].0
    }
}

impl Map for Sharded {
    fn new() -> Self {
        let hasher = RandomState::new();
        let shard = |_| Apart(RwLock::new(HashMap::with_hasher(hasher.clone())));
        let map = Self { shards: (0..SHARDS).map(shard).collect(), hasher: hasher.clone() };
        for key in 0..KEYS {
            map.shard(key).write().unwrap_or_else(PoisonError::into_inner).insert(key, 0);
        }
        map
    }

    #[inline]
    fn get(&self, key: u64) -> Option<u64> {
        self.shard(key).read().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }

    #[inline]
    fn add(&self, key: u64) {
        *self.shard(key).write().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(0) +=
            1;
    }

    fn sum(&self) -> u64 {
        let shards = self.shards.iter().map(|shard| &shard.0);
        shards.map(|s| s.read().unwrap_or_else(PoisonError::into_inner).values().sum::<u64>()).sum()
    }
}
