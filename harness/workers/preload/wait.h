/// A call that did not get its lock at once: when it began, how it ended.
#pragma once

#include "record.h"

/// The wait has begun: the time, which goes to its end.
uint64_t wait_begun(struct lock *l);

/// It has ended with `rc`: an acquisition, a timeout, or an error, which is no wait. The caller may have the lock.
void wait_ended(struct lock *l, uint64_t begin, int rc, uint64_t caller);

/// A wait for a condition has ended; it is idle, not contention.
void idle_ended(struct lock *l, uint64_t begin, int rc, uint64_t caller);

/// Adds to times that others write too.
void add_shared(struct times *t, uint64_t ns);

/// Keeps /proc/self/maps where code at this address has not been seen yet, so that it can be named.
void code_at(uint64_t address);
void code_forgotten(void);
