//! Where the tables deviate from the files in `wsdl/`, one entry each, with its reason.

use super::collect::{FieldDecl, MethodDecl, Place, Symbols};
use super::xsd::FieldNote;

/// Applies every deviation to the collected symbols.
pub fn apply(symbols: &mut Symbols) {
    // pyVmomi reads every property by `Fetch`, which no published WSDL declares.
    method(symbols, "Fetch", "fetch", "ManagedObject", ("prop", "xsd:string"), "xsd:anyType");
}

/// Adds a method with one parameter that is answered without a login, as far
/// as its arguments allow.
fn method(
    symbols: &mut Symbols,
    name: &str,
    vmodl: &str,
    owner: &str,
    (param, param_type): (&str, &str),
    result: &str,
) {
    let place = Place::top("overrides.rs", name);
    let field = |name: &str, ty: &str, optional| FieldDecl {
        place: place.inner(name),
        name: name.to_owned(),
        ty: ty.to_owned(),
        optional,
        array: false,
        note: FieldNote::default(),
    };
    let response = format!("{name}Response");
    symbols.responses.insert(response, Some(field("returnval", result, true)));
    symbols.faults.insert(name.to_owned(), Vec::new());
    let method = MethodDecl {
        name: name.to_owned(),
        vmodl: vmodl.to_owned(),
        owner: owner.to_owned(),
        since: None,
        privilege: Some("System.Anonymous".to_owned()),
        namespace: "urn:vim25".to_owned(),
        params: vec![field(param, param_type, false)],
        task_result: None,
        place,
    };
    symbols.methods.insert(name.to_owned(), method);
}
