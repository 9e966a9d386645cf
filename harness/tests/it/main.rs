//! The measuring program as a whole: fakes for what a worker may do to it, real processes for what
//! must not outlive it, the command line as documented.

mod ab;
mod ab_criterion;
mod ab_models;
mod anywhere;
mod bad_workers;
mod causes;
mod cli;
mod compare_with_base;
mod conform;
mod example;
mod fake;
mod kill;
mod own_lock;
mod preload;
mod reproduce;
mod runtimes;
mod tidy;
mod trace;
mod trace_bad;
mod trace_rights;
