//! The names of guest operating systems, as people see them.

/// One line for each identifier of the schema: the identifier, a tab, the name.
const NAMES: &str = include_str!("data/guest_names.tsv");

/// The name that belongs to an identifier; one that has none names itself.
pub(crate) fn full_name(id: &str) -> &str {
    all().find(|(known, _)| *known == id).map_or(id, |(_, name)| name)
}

/// All identifiers with their names.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMES.lines().filter_map(|line| line.split_once('\t'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ty;

    #[test]
    fn every_identifier_of_the_schema_has_a_name() {
        let known = ty::VirtualMachineGuestOsIdentifier.enum_values();
        assert_eq!(all().map(|(id, _)| id).collect::<Vec<_>>(), known);
        assert_eq!(full_name("ubuntu64Guest"), "Ubuntu Linux (64-bit)");
        assert_eq!(full_name("unheardOf"), "unheardOf");
    }
}
