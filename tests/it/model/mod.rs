//! The refresh protocol, explored: the decision table that production calls, and every order of everything around it.
//!
//! No service runs here. `row.rs` has the statements, `world.rs` and `steps.rs` an honest browser, `thief.rs` a stolen
//! jar, `delayed.rs` the same with delays, `mutations.rs` breaks every rule in turn. docs/protocol.md tells what follows
//! from all this.
//!
//! `TACIT_MODEL_DEEP=1` explores more: minutes instead of seconds.

mod action;
mod delayed;
mod honest;
mod hunt;
mod mutants;
mod mutations;
mod promises;
mod row;
mod search;
mod statements;
mod steps;
mod table;
mod thief;
mod world;
