//! The serde bridge: typed views of values, and values from typed views.
