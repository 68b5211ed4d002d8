//! Events: what operations post, who finds what by which filter, what clients
//! post themselves, and the collectors.

mod chains;
mod collectors;
mod filters;
mod operations;
mod posting;
mod world;
