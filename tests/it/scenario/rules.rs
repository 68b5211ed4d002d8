//! Which operations rules are about, and what they decide.
