//! Events: what operations post, who finds what by which filter, what clients
//! post themselves, and the collectors.

mod chains;
mod filters;
mod posting;
mod world;
