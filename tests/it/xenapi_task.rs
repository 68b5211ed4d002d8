//! XenAPI's tasks, and what they are to the one record that all front ends show.

mod unchecked;
