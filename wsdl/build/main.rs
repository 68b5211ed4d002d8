//! Build script: compiles the schema in `wsdl/` into static tables.
fn main() {}
