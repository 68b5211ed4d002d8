//! Who may do what: the rules by themselves, and on a whole server.

mod alarms;
mod calls;
mod manager;
mod reads;
mod rules;
mod world;
