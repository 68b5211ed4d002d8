//! What the product says of itself.

use super::identity::uuid;
use crate::object;
use crate::value::Object;

/// The parts of an API version, as in `8.0.3.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    api: String,
    product: String,
}

impl Release {
    /// The release that announces the API version `api`.
    pub fn new(api: &str) -> Self {
        let mut numbers: Vec<&str> = api.split('.').take(3).collect();
        numbers.resize(3, "0");
        Self { api: api.to_owned(), product: numbers.join(".") }
    }

    /// The product's version: `8.0.3`.
    pub fn product(&self) -> &str {
        &self.product
    }

    fn number(&self) -> (u32, u32, u32) {
        let mut parts = self.product.split('.').map(|part| part.parse().unwrap_or_default());
        let mut next = || parts.next().unwrap_or_default();
        (next(), next(), next())
    }

    /// The hardware version of new virtual machines.
    pub fn hardware_version(&self) -> &'static str {
        match self.number() {
            (9.., ..) => "vmx-22",
            (8, _, 2..) => "vmx-21",
            (8, ..) => "vmx-20",
            (7, ..) => "vmx-19",
            (6, 7.., _) => "vmx-14",
            (6, 5.., _) => "vmx-13",
            _ => "vmx-11",
        }
    }

    /// The version of new distributed switches.
    pub fn switch_version(&self) -> &'static str {
        match self.number() {
            (9.., ..) => "9.0.0",
            (8, ..) => "8.0.0",
            (7, ..) => "7.0.0",
            (6, 6.., _) => "6.6.0",
            _ => "6.5.0",
        }
    }

    /// A build number that stays the same for a release.
    fn build(&self) -> u32 {
        let (major, minor, patch) = self.number();
        20_000_000 + major * 400_000 + minor * 40_000 + patch * 4_000
    }

    /// `about` of a vCenter.
    pub fn vcenter(&self) -> Object {
        let (version, build) = (&self.product, self.build().to_string());
        object!(AboutInfo {
            name: "VMware vCenter Server",
            fullName: format!("VMware vCenter Server {version} build-{build} (vimsim simulator)"),
            vendor: "VMware, Inc.",
            version: version,
            patchLevel: "0",
            build: build,
            localeVersion: "INTL",
            localeBuild: "000",
            osType: "linux-x64",
            productLineId: "vpx",
            apiType: "VirtualCenter",
            apiVersion: &self.api,
            instanceUuid: uuid("vimsim vCenter"),
            licenseProductName: "VMware VirtualCenter Server",
            licenseProductVersion: format!("{}.0", self.number().0),
        })
    }

    /// `about` of a host by itself, and `config.product` of every host.
    pub fn esx(&self) -> Object {
        let (version, build) = (&self.product, self.build().to_string());
        object!(AboutInfo {
            name: "VMware ESXi",
            fullName: format!("VMware ESXi {version} build-{build} (vimsim simulator)"),
            vendor: "VMware, Inc.",
            version: version,
            patchLevel: "0",
            build: build,
            localeVersion: "INTL",
            localeBuild: "000",
            osType: "vmnix-x86",
            productLineId: "embeddedEsx",
            apiType: "HostAgent",
            apiVersion: &self.api,
            licenseProductName: "VMware ESX Server",
            licenseProductVersion: format!("{}.0", self.number().0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_follows_from_the_api_version() {
        for (api, product, hardware) in [
            ("8.0.3.0", "8.0.3", "vmx-21"),
            ("8.0.1.0", "8.0.1", "vmx-20"),
            ("7.0", "7.0.0", "vmx-19"),
            ("6.7.3", "6.7.3", "vmx-14"),
            ("6.5", "6.5.0", "vmx-13"),
        ] {
            let release = Release::new(api);
            assert_eq!((release.product(), release.hardware_version()), (product, hardware));
        }
    }
}
