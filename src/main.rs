//! The `vimsim` program.
fn main() {}
