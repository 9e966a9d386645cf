/// The file of this process: opened with its first lock, changed for another after fork.
#pragma once

#include "layout.h"

/// Opens it unless that was tried; whether there is a table.
int opened(void);

/// Files are opened and read within calls that are no place to be cancelled, and that leave errno alone.
struct calm {
    int cancel, saved;
};
struct calm calm(void);
void calm_over(struct calm before);

/// A table is ready to be written.
void table_is(struct table *t);

/// Whether there is memory for the first page, for the list of mapped code.
int table_backed(struct table *t);
int maps_backed(struct table *t);
