//! How much of everything the initial inventory has.

/// What to build. The defaults are vcsim's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelOptions {
    /// A standalone ESX host instead of a vCenter; of the counts below only
    /// `vm` and `ds` matter then.
    pub esx: bool,
    /// Datacenters.
    pub dc: u32,
    /// Clusters in each datacenter.
    pub cluster: u32,
    /// Hosts in each cluster.
    pub host: u32,
    /// Standalone hosts in each datacenter.
    pub standalone_host: u32,
    /// Virtual machines in each resource pool.
    pub vm: u32,
    /// Datastores in each datacenter.
    pub ds: u32,
    /// Resource pools in each cluster beside its root pool; they get the
    /// cluster's virtual machines.
    pub pool: u32,
    /// vApps in each cluster.
    pub app: u32,
    /// Storage pods in each datacenter.
    pub pod: u32,
    /// With 1, each datacenter is in a folder of its own, and so is what it holds.
    pub folder: u32,
    /// Distributed port groups in each datacenter; none, and there is no
    /// distributed switch either.
    pub pg: u32,
    /// Port groups backed by NSX in each datacenter.
    pub pg_nsx: u32,
    /// Opaque NSX networks in each datacenter.
    pub nsx: u32,
    /// Whether the virtual machines are powered on.
    pub autostart: bool,
    /// The API version announced, as in `8.0.3.0`.
    pub api_version: String,
}

impl ModelOptions {
    /// A vCenter with vcsim's counts.
    pub fn vcenter() -> Self {
        Self {
            esx: false,
            dc: 1,
            cluster: 1,
            host: 3,
            standalone_host: 1,
            vm: 2,
            ds: 1,
            pool: 0,
            app: 0,
            pod: 0,
            folder: 0,
            pg: 1,
            pg_nsx: 0,
            nsx: 0,
            autostart: true,
            api_version: "8.0.3.0".to_owned(),
        }
    }

    /// A standalone host with vcsim's counts.
    pub fn esx() -> Self {
        Self { esx: true, ..Self::vcenter() }
    }
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self::vcenter()
    }
}
