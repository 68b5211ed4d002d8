//! Names of inventory objects: what they may be, and that no two in one place are the same.

use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::Type;
use crate::value::MoRef;
use crate::vsphere::containment;
use crate::vsphere::model::keys::children_called;

/// The most characters that a name can have, each escape sequence counted as one.
const LONGEST: usize = 80;

/// The name as the inventory stores it: slashes, backslashes and percent signs
/// are escaped; sequences that a client has escaped already stay. `entity` is
/// what the name is for.
pub(super) fn stored(name: &str, entity: Option<&MoRef>) -> Result<String, Fault> {
    let mut out = String::with_capacity(name.len());
    let mut count = 0;
    let mut rest = name;
    while let Some(character) = rest.chars().next() {
        let (_, after) = rest.split_at(character.len_utf8());
        rest = after;
        match character {
            '%' => {
                let digits = after.get(..2).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
                out.push_str(if digits.is_some() { "%" } else { "%25" });
                if let Some(digits) = digits {
                    out.push_str(&digits.to_ascii_lowercase());
                    rest = after.get(2..).unwrap_or_default();
                }
            }
            '/' | '\\' => out.push_str(&containment::escape(character.encode_utf8(&mut [0; 4]))),
            other => out.push(other),
        }
        count += 1;
    }
    if count == 0 || count > LONGEST || name.trim().is_empty() {
        return Err(Fault::invalid_name(name, entity));
    }
    Ok(out)
}

/// Fails if something of the kind `of` in `container` other than `own` has the
/// name. How much there is in the container does not matter.
pub(super) fn check_free(
    state: &(impl Read + ?Sized),
    container: &MoRef,
    of: Type,
    name: &str,
    own: Option<&MoRef>,
) -> Result<(), Fault> {
    let mut holders = children_called(state, container, name).into_iter();
    let holder = holders.find(|other| Some(other) != own && other.ty().is_a(of));
    holder.map_or(Ok(()), |other| Err(Fault::duplicate_name(name, &other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stored_escaped_once() {
        for (given, expected) in [
            ("plain name", Some("plain name")),
            ("a/b\\c", Some("a%2fb%5cc")),
            ("a%2fb", Some("a%2fb")),
            ("a%2Fb", Some("a%2fb")),
            ("100%", Some("100%25")),
            ("100%é", Some("100%25é")),
            ("", None),
            ("  ", None),
        ] {
            assert_eq!(stored(given, None).ok().as_deref(), expected, "{given}");
        }
        assert!(stored(&"x".repeat(80), None).is_ok());
        assert!(stored(&"x".repeat(81), None).is_err());
    }
}
