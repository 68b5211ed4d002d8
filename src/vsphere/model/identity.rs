//! UUIDs and MAC addresses of generated objects.
//!
//! A generated UUID is made from a name, so the same options give the same
//! inventory, on every start and on every machine.

use uuid::Uuid;

/// The UUID that belongs to `name`; of a virtual machine, the path of its
/// configuration file, which gives the UUIDs that vcsim's users know.
pub fn uuid(name: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).hyphenated().to_string()
}

/// Who hands out a MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacSource {
    /// vCenter: 00:50:56 and four million numbers from 80:00:00.
    VCenter,
    /// A host by itself: 00:0c:29.
    Host,
    /// A physical adapter of a host.
    Physical,
}

/// The MAC address with `number` in the range of `source`.
pub fn mac(source: MacSource, number: u64) -> String {
    let (prefix, low) = match source {
        MacSource::VCenter => ("00:50:56", 0x80_0000 | (number & 0x3f_ffff)),
        MacSource::Host => ("00:0c:29", number & 0xff_ffff),
        MacSource::Physical => ("e4:43:4b", number & 0xff_ffff),
    };
    format!("{prefix}:{:02x}:{:02x}:{:02x}", low >> 16 & 0xff, low >> 8 & 0xff, low & 0xff)
}

/// The IPv4 address with `number` in 10.`net`.0.0/16 and the networks after it,
/// never one that ends in 0 or 255.
pub fn ip(net: u8, number: u64) -> String {
    let (block, last) = (number / 254, number % 254 + 1);
    let second = (u64::from(net) + (block >> 8)) & 0xff;
    format!("10.{second}.{}.{last}", block & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_identities_are_well_formed() {
        // What every vcsim user has seen for DC0_H0_VM0.
        let path = "[LocalDS_0] DC0_H0_VM0/DC0_H0_VM0.vmx";
        assert_eq!(uuid(path), "265104de-1472-547c-b873-6dc7883fb6cb");
        assert_eq!(mac(MacSource::VCenter, 0x3f_ffff), "00:50:56:bf:ff:ff");
        assert_eq!(mac(MacSource::Host, 0x01_02_03), "00:0c:29:01:02:03");
        assert_eq!((ip(1, 0), ip(1, 253)), ("10.1.0.1".to_owned(), "10.1.0.254".to_owned()));
        assert_eq!((ip(1, 254), ip(1, 65_024)), ("10.1.1.1".to_owned(), "10.2.0.1".to_owned()));
    }
}
