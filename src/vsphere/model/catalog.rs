//! The parts that inventory objects are made of, read once and shared by all.

use super::about::Release;
use super::host::HostTemplate;
use super::vm::Defaults;
use crate::config::Config;
use crate::fault::Fault;
use crate::value::{DateTime, Object};

/// The shared parts, for the initial inventory and for what operations add to it.
#[derive(Clone, Debug)]
pub struct Catalog {
    release: Release,
    esx: bool,
    about: Object,
    host: HostTemplate,
    vm: Defaults,
    now: DateTime,
}

impl Catalog {
    /// Reads the data files; `now` is when the inventory comes into being.
    pub fn new(config: &Config, now: DateTime) -> Result<Self, Fault> {
        let release = Release::new(&config.api_version);
        let about = if config.esx { release.esx() } else { release.vcenter() };
        Ok(Self {
            host: HostTemplate::load(release.esx(), config.esx, now)?,
            vm: Defaults::load(release.hardware_version())?,
            esx: config.esx,
            release,
            about,
            now,
        })
    }

    /// The release that is simulated.
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// Whether a host by itself is simulated.
    pub fn is_esx(&self) -> bool {
        self.esx
    }

    /// `content.about`.
    pub fn about(&self) -> &Object {
        &self.about
    }

    /// What new hosts are made from.
    pub fn host(&self) -> &HostTemplate {
        &self.host
    }

    /// What new virtual machines are made from.
    pub fn vm(&self) -> &Defaults {
        &self.vm
    }

    /// When the inventory came into being.
    pub fn now(&self) -> DateTime {
        self.now
    }
}
