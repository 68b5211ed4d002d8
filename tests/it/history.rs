//! Tasks that are over: recent ones, the history and its collectors, and what
//! tasks are called.

mod client;
mod collector;
mod create;
mod filter;
mod latest;
mod names;
mod recent;
mod retention;
mod table;
