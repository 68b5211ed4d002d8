//! The initial inventory as a tree, from the settings.
//!
//! The order in which objects are made, and the numbers passed over between
//! them, give the ids that vcsim's users have in their scripts: there every
//! object came from a call that took numbers for its task and its helpers.

use super::catalog::Catalog;
use super::datastore::{self, NewDatastore};
use super::dvs::{self, PortGroup, Switch};
use super::folder::{self, DatacenterFolders, FolderKind};
use super::host::{self, NewHost};
use super::identity::uuid;
use super::links::Links;
use super::pool::NewPool;
use super::stamp::{Place, Template};
use super::totals::Totals;
use super::{compute, dvs_ports, keys, network, pool, service, vm};
use crate::config::Config;
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::schema::{StaticPath, Type, ty};
use crate::value::{DateTime, MoRef, Object};
use crate::{object, path};

/// Makes the whole initial inventory.
pub fn build(tx: &mut Transaction, config: &Config, now: DateTime) -> Result<(), Fault> {
    let catalog = Catalog::new(config, now)?;
    build_with(tx, &catalog, config)
}

/// Makes the whole initial inventory from parts that stay in use afterwards.
pub fn build_with(tx: &mut Transaction, catalog: &Catalog, config: &Config) -> Result<(), Fault> {
    tx.index_by(keys::of);
    service::insert(tx, config.esx, catalog.about(), catalog.now())?;
    let mut builder = Builder {
        tx,
        catalog,
        config,
        links: Links::default(),
        totals: Totals::default(),
        hosts: 0,
    };
    if config.esx {
        builder.esx()?;
    } else {
        builder.vcenter()?;
    }
    let Builder { tx, links, totals, .. } = builder;
    links.write(tx)?;
    totals.write(tx)?;
    let groups = tx.changes().iter().map(|change| &change.object);
    let groups: Vec<MoRef> =
        groups.filter(|mo| mo.ty().is_a(ty::DistributedVirtualPortgroup)).cloned().collect();
    groups.iter().try_for_each(|group| dvs_ports::expand(tx, group))
}

struct Builder<'b> {
    tx: &'b mut Transaction,
    catalog: &'b Catalog,
    config: &'b Config,
    links: Links,
    totals: Totals,
    /// How many hosts there are so far.
    hosts: u64,
}

/// What a datacenter's hosts, pools and machines are put into and connected to.
struct Site {
    name: String,
    datacenter: MoRef,
    /// The folders of the datacenter.
    folders: DatacenterFolders,
    /// The folders that new objects go to, within those.
    inner: DatacenterFolders,
    networks: Vec<MoRef>,
    switch: Option<SiteSwitch>,
    /// The compute resources with their hosts, in the order in which they were made.
    computes: Vec<Compute>,
    hosts: Vec<MoRef>,
    datastores: Vec<MoRef>,
}

struct SiteSwitch {
    mo: MoRef,
    name: String,
    uuid: String,
    uplinks: MoRef,
    portgroups: Vec<(MoRef, String)>,
    parent: MoRef,
}

struct Compute {
    mo: MoRef,
    root: MoRef,
    environment: MoRef,
    hosts: Vec<MoRef>,
    /// The pools that get machines, with the machines' prefix.
    pools: Vec<(MoRef, String)>,
}

/// What the machines of one template have in common.
struct Stamped {
    template: Template,
    /// One of them.
    machine: Object,
    /// The lists that they stand in.
    lists: Vec<(MoRef, &'static StaticPath)>,
    count: i64,
}

impl Stamped {
    fn new(read: &impl Read, template: Template) -> Self {
        let machine = template.stamp(&MoRef::new(ty::VirtualMachine, "vm-0"), "vm").to_object();
        let lists = vm::memberships(read, &machine);
        Self { template, machine, lists, count: 0 }
    }
}

impl Builder<'_> {
    fn now(&self) -> DateTime {
        self.catalog.now()
    }

    /// Passes over `count` numbers of the counter behind generated ids.
    fn skip(&mut self, count: u32) {
        (0..count).for_each(|_| {
            self.tx.next_number();
        });
    }

    /// A reference whose id is `prefix` and the next number.
    fn numbered(&mut self, ty: Type, prefix: &str) -> MoRef {
        MoRef::new(ty, &format!("{prefix}{}", self.tx.next_number()))
    }

    fn child(&mut self, parent: &MoRef, child: &MoRef) {
        self.links.add(parent, path!(Folder, "childEntity"), child);
    }

    fn vcenter(&mut self) -> Result<(), Fault> {
        let root = MoRef::new(ty::Folder, "group-d1");
        self.skip(1);
        self.tx.insert(root.clone(), folder::folder(FolderKind::Datacenter, "Datacenters", None));
        for number in 0..self.config.model.dc {
            let mut site = self.site(number, &root);
            self.switch(&mut site);
            self.computes(&mut site)?;
            self.join_switch(&site);
            self.datastores(&mut site)?;
            self.pods(&site);
            self.machines(&site)?;
        }
        Ok(())
    }

    /// A datacenter with its folders, its standard network and its opaque networks.
    fn site(&mut self, number: u32, root: &MoRef) -> Site {
        let name = format!("DC{number}");
        let parent = if self.config.model.folder > 0 {
            let folder = self.folder(FolderKind::Datacenter, &format!("F{number}"), root);
            self.child(root, &folder);
            folder
        } else {
            root.clone()
        };
        let datacenter = self.numbered(ty::Datacenter, "datacenter-");
        let mut moref = |kind: FolderKind| self.numbered(ty::Folder, kind.prefix());
        let folders = DatacenterFolders {
            vm: moref(FolderKind::Vm),
            host: moref(FolderKind::Host),
            datastore: moref(FolderKind::Datastore),
            network: moref(FolderKind::Network),
        };
        let version = self.catalog.release().hardware_version();
        folder::insert_datacenter(self.tx, &datacenter, &folders, &name, &parent, version);
        self.child(&parent, &datacenter);
        let vm_network = self.numbered(ty::Network, "network-");
        let properties = network::network(&vm_network, "VM Network", &folders.network);
        self.tx.insert(vm_network.clone(), properties);
        self.child(&folders.network, &vm_network);
        let inner = if self.config.model.folder > 0 {
            DatacenterFolders {
                vm: self.inner_folder(FolderKind::Vm, &folders.vm),
                host: self.inner_folder(FolderKind::Host, &folders.host),
                datastore: self.inner_folder(FolderKind::Datastore, &folders.datastore),
                network: self.inner_folder(FolderKind::Network, &folders.network),
            }
        } else {
            folders.clone()
        };
        let mut site = Site {
            name,
            datacenter,
            folders,
            inner,
            networks: vec![vm_network],
            switch: None,
            computes: Vec::new(),
            hosts: Vec::new(),
            datastores: Vec::new(),
        };
        for number in 0..self.config.model.nsx {
            let name = format!("{}_NSX{number}", site.name);
            let network = self.numbered(ty::OpaqueNetwork, "network-o");
            let properties =
                network::opaque_network(&network, &name, &uuid(&name), &site.inner.network);
            self.tx.insert(network.clone(), properties);
            self.child(&site.inner.network, &network);
            site.networks.push(network);
        }
        site
    }

    fn folder(&mut self, kind: FolderKind, name: &str, parent: &MoRef) -> MoRef {
        let mo = self.numbered(ty::Folder, kind.prefix());
        self.tx.insert(mo.clone(), folder::folder(kind, name, Some(parent)));
        mo
    }

    fn inner_folder(&mut self, kind: FolderKind, parent: &MoRef) -> MoRef {
        let folder = self.folder(kind, "F0", parent);
        self.child(parent, &folder);
        folder
    }

    /// The references and port groups of a datacenter's distributed switch; the
    /// switch itself follows when its hosts are known.
    fn switch(&mut self, site: &mut Site) {
        if self.config.model.pg == 0 && self.config.model.pg_nsx == 0 {
            return;
        }
        let parent = site.inner.network.clone();
        self.skip(1);
        let mo = self.numbered(ty::DistributedVirtualSwitch, "dvs-");
        self.child(&parent, &mo);
        let number = mo.id().trim_start_matches("dvs-").to_owned();
        let mut groups: Vec<(String, Option<String>)> =
            vec![(format!("DVS0-DVUplinks-{number}"), None)];
        groups.extend((0..self.config.model.pg).map(|n| (format!("{}_DVPG{n}", site.name), None)));
        groups.extend((0..self.config.model.pg_nsx).map(|n| {
            let name = format!("{}_NSXPG{n}", site.name);
            let segment = uuid(&name);
            (name, Some(segment))
        }));
        let mut portgroups = Vec::new();
        let hosts =
            self.config.model.standalone_host + self.config.model.cluster * self.config.model.host;
        let uplink_ports = i32::try_from(hosts * 2).unwrap_or(i32::MAX);
        let mut port = 0;
        for (name, segment) in groups {
            self.skip(1);
            let group = self.numbered(ty::DistributedVirtualPortgroup, "dvportgroup-");
            let uplink = portgroups.is_empty();
            let ports = if uplink { uplink_ports } else { dvs::PORTS };
            let properties = dvs::portgroup(&PortGroup {
                mo: &group,
                name: &name,
                parent: &parent,
                switch: &mo,
                uplink,
                first_port: port,
                ports,
                segment: segment.as_deref(),
            });
            port += ports;
            self.tx.insert(group.clone(), properties);
            self.child(&parent, &group);
            site.networks.push(group.clone());
            portgroups.push((group, name));
        }
        site.switch = portgroups.first().map(|(uplinks, _)| SiteSwitch {
            name: "DVS0".to_owned(),
            uuid: uuid(&format!("{}/DVS0", site.name)),
            uplinks: uplinks.clone(),
            mo,
            parent,
            portgroups: portgroups.clone(),
        });
    }

    fn join_switch(&mut self, site: &Site) {
        let Some(switch) = &site.switch else { return };
        let properties = dvs::switch(&Switch {
            mo: &switch.mo,
            name: &switch.name,
            uuid: &switch.uuid,
            parent: &switch.parent,
            uplinks: &switch.uplinks,
            portgroups: &switch.portgroups,
            hosts: &site.hosts,
            version: self.catalog.release().switch_version(),
            now: self.now(),
        });
        self.tx.insert(switch.mo.clone(), properties);
    }

    fn computes(&mut self, site: &mut Site) -> Result<(), Fault> {
        for number in 0..self.config.model.standalone_host {
            let name = format!("{}_H{number}", site.name);
            self.skip(7);
            let host = self.numbered(ty::HostSystem, "host-");
            self.skip(1);
            let root = self.numbered(ty::ResourcePool, "resgroup-");
            let mo = self.numbered(ty::ComputeResource, "domain-s");
            let compute = self.compute(site, mo, &name, &root);
            self.host(site, &host, &name, &compute.mo)?;
            self.finish_compute(
                site,
                Compute { hosts: vec![host], pools: vec![(root, name)], ..compute },
            )?;
        }
        for number in 0..self.config.model.cluster {
            let name = format!("{}_C{number}", site.name);
            self.skip(2);
            let root = self.numbered(ty::ResourcePool, "resgroup-");
            let mo = self.numbered(ty::ClusterComputeResource, "domain-c");
            let compute = self.compute(site, mo, &name, &root);
            let mut hosts = Vec::new();
            for number in 0..self.config.model.host {
                self.skip(6);
                let host = self.numbered(ty::HostSystem, "host-");
                self.host(site, &host, &format!("{name}_H{number}"), &compute.mo)?;
                hosts.push(host);
            }
            let mut pools = Vec::new();
            if self.config.model.pool == 0 {
                pools.push((root.clone(), format!("{name}_RP0")));
            }
            for number in 1..=self.config.model.pool {
                let mo = self.numbered(ty::ResourcePool, "resgroup-");
                pools.push(self.pool(mo, format!("{name}_RP{number}"), &root, &compute.mo));
            }
            for number in 0..self.config.model.app {
                let mo = self.numbered(ty::VirtualApp, "resgroup-v");
                let pool = self.pool(mo, format!("{name}_APP{number}"), &root, &compute.mo);
                self.links.add(&site.inner.vm, path!(Folder, "childEntity"), &pool.0);
                if !self.config.model.autostart {
                    pool::set_stopped(self.tx, &pool.0)?;
                }
                self.tx.set(&pool.0, path!(VirtualApp, "parentFolder"), &site.inner.vm)?;
                for network in &site.networks {
                    self.links.add(&pool.0, path!(VirtualApp, "network"), network);
                }
                pools.push(pool);
            }
            self.finish_compute(site, Compute { hosts, pools, ..compute })?;
        }
        Ok(())
    }

    /// A compute resource with its root pool, without hosts.
    fn compute(&mut self, site: &Site, mo: MoRef, name: &str, root: &MoRef) -> Compute {
        let environment = MoRef::new(ty::EnvironmentBrowser, &format!("envbrowser-{}", mo.id()));
        let browser =
            MoRef::new(ty::HostDatastoreBrowser, &format!("datastoreBrowser-{}", mo.id()));
        self.tx.insert(browser.clone(), datastore::browser(&[]));
        self.tx.insert(
            environment.clone(),
            object!(EnvironmentBrowser { datastoreBrowser: &browser }),
        );
        let properties = compute::compute_resource(&compute::NewCompute {
            mo: &mo,
            name,
            parent: &site.inner.host,
            pool: root,
            environment: &environment,
        });
        self.tx.insert(mo.clone(), properties);
        let new = NewPool { mo: root, name: "Resources", parent: &mo, owner: &mo, now: self.now() };
        self.tx.insert(root.clone(), pool::resource_pool(&new, (0, 0)));
        self.child(&site.inner.host, &mo);
        Compute { mo, root: root.clone(), environment, hosts: Vec::new(), pools: Vec::new() }
    }

    fn pool(&mut self, mo: MoRef, name: String, root: &MoRef, owner: &MoRef) -> (MoRef, String) {
        let new = NewPool { mo: &mo, name: &name, parent: root, owner, now: self.now() };
        self.tx.insert(mo.clone(), pool::resource_pool(&new, (0, 0)));
        (mo, name)
    }

    fn host(
        &mut self,
        site: &mut Site,
        mo: &MoRef,
        name: &str,
        parent: &MoRef,
    ) -> Result<(), Fault> {
        let proxies = site
            .switch
            .iter()
            .map(|switch| dvs::proxy_switch(&switch.name, &switch.uuid, &switch.uplinks));
        let new = NewHost {
            mo,
            name,
            parent,
            number: self.hosts,
            seed: name,
            proxy_switches: proxies.collect(),
        };
        self.catalog.host().insert(self.tx, &new)?;
        self.tx.set(mo, path!(HostSystem, "network"), &site.networks[..])?;
        self.hosts += 1;
        site.hosts.push(mo.clone());
        Ok(())
    }

    /// The lists and sums of a compute resource whose hosts are there.
    fn finish_compute(&mut self, site: &mut Site, compute: Compute) -> Result<(), Fault> {
        self.tx.set(&compute.mo, path!(ComputeResource, "host"), &compute.hosts[..])?;
        self.tx.set(&compute.mo, path!(ComputeResource, "network"), &site.networks[..])?;
        let below =
            compute.pools.iter().map(|(pool, _)| pool).filter(|pool| **pool != compute.root);
        let below: Vec<&MoRef> = below.collect();
        self.tx.set(&compute.root, path!(ResourcePool, "resourcePool"), below)?;
        compute::refresh(self.tx, &compute.mo)?;
        site.computes.push(compute);
        Ok(())
    }

    fn datastores(&mut self, site: &mut Site) -> Result<(), Fault> {
        self.skip(1);
        for number in 0..self.config.model.ds {
            let name = format!("LocalDS_{number}");
            self.skip(1);
            let mo = self.numbered(ty::Datastore, "datastore-");
            self.datastore(site, mo, &name);
        }
        self.mount(site)
    }

    fn datastore(&mut self, site: &mut Site, mo: MoRef, name: &str) {
        let browser =
            MoRef::new(ty::HostDatastoreBrowser, &format!("datastoreBrowser-{}", mo.id()));
        let machines = self.machine_count(site);
        let properties = datastore::datastore(&NewDatastore {
            mo: &mo,
            name,
            parent: &site.inner.datastore,
            seed: &format!("{}/{name}", site.name),
            browser: &browser,
            capacity: datastore::capacity_for(machines),
            now: self.now(),
        });
        self.tx.insert(browser, datastore::browser(std::slice::from_ref(&mo)));
        self.tx.insert(mo.clone(), properties);
        self.child(&site.inner.datastore, &mo);
        site.datastores.push(mo);
    }

    fn machine_count(&self, site: &Site) -> i64 {
        let pools: usize = site.computes.iter().map(|compute| compute.pools.len()).sum();
        i64::try_from(pools).unwrap_or_default() * i64::from(self.config.model.vm)
    }

    /// Mounts the datacenter's datastores on its hosts, and writes the lists and
    /// sums that were waiting for them.
    fn mount(&mut self, site: &Site) -> Result<(), Fault> {
        let found: Vec<&Object> = site.datastores.iter().filter_map(|mo| self.tx.get(mo)).collect();
        let (device, volumes) = datastore::host_storage(&found);
        let mounts: Vec<Object> = found.iter().map(|store| datastore::mount_info(store)).collect();
        for (store, mount) in site.datastores.iter().zip(&mounts) {
            let hosts = site
                .hosts
                .iter()
                .map(|host| object!(DatastoreHostMount { key: host, mountInfo: mount }));
            self.tx.set(store, path!(Datastore, "host"), hosts.collect::<Vec<_>>())?;
        }
        for host in &site.hosts {
            host::set_storage(self.tx, host, &site.datastores, &device, &volumes)?;
        }
        for network in &site.networks {
            self.tx.set(network, path!(Network, "host"), &site.hosts[..])?;
        }
        for compute in &site.computes {
            self.tx.set(&compute.mo, path!(ComputeResource, "datastore"), &site.datastores[..])?;
            let browser =
                self.tx.moref(&compute.environment, path!(EnvironmentBrowser, "datastoreBrowser"));
            if let Some(browser) = browser.cloned() {
                self.tx.set(
                    &browser,
                    path!(HostDatastoreBrowser, "datastore"),
                    &site.datastores[..],
                )?;
            }
            for (pool, _) in compute.pools.iter().filter(|(pool, _)| pool.ty().is_a(ty::VirtualApp))
            {
                self.tx.set(pool, path!(VirtualApp, "datastore"), &site.datastores[..])?;
            }
        }
        self.tx.set(&site.datacenter, path!(Datacenter, "datastore"), &site.datastores[..])?;
        self.tx.set(&site.datacenter, path!(Datacenter, "network"), &site.networks[..])
    }

    fn pods(&mut self, site: &Site) {
        for number in 0..self.config.model.pod {
            let mo = self.numbered(ty::StoragePod, "group-p");
            let name = format!("{}_POD{number}", site.name);
            self.tx.insert(mo.clone(), folder::storage_pod(&name, &site.folders.datastore));
            self.child(&site.folders.datastore, &mo);
        }
    }

    /// The machines of a datacenter. A machine needs a host and a datastore:
    /// where there is none, there are no machines.
    fn machines(&mut self, site: &Site) -> Result<(), Fault> {
        let Some(datastore) = site.datastores.first() else { return Ok(()) };
        let portgroup = site.switch.as_ref().filter(|_| self.config.model.pg > 0);
        let portgroup = portgroup.and_then(|switch| switch.portgroups.get(1)).map(|(mo, _)| mo);
        let Some(network) = portgroup.or(site.networks.first()) else { return Ok(()) };
        self.skip(2);
        for compute in site.computes.iter().filter(|compute| !compute.hosts.is_empty()) {
            for (pool, prefix) in &compute.pools {
                let templates: Vec<Template> = compute
                    .hosts
                    .iter()
                    .take(usize::try_from(self.config.model.vm).unwrap_or(usize::MAX))
                    .map(|host| {
                        let place = Place {
                            folder: &site.inner.vm,
                            pool,
                            host,
                            environment: &compute.environment,
                            datastore,
                            network,
                        };
                        Template::new(self.tx, self.catalog, &place, self.config.model.autostart)
                    })
                    .collect();
                let mut templates: Vec<Stamped> =
                    templates.into_iter().map(|template| Stamped::new(self.tx, template)).collect();
                for number in 0..self.config.model.vm {
                    let vm = self.numbered(ty::VirtualMachine, "vm-");
                    self.skip(1);
                    let place = number as usize % templates.len().max(1);
                    if let Some(stamped) = templates.get_mut(place) {
                        self.machine(vm, &format!("{prefix}_VM{number}"), stamped);
                    }
                }
                for stamped in &templates {
                    self.totals.add_times(self.tx, &stamped.machine, stamped.count);
                }
            }
        }
        Ok(())
    }

    fn machine(&mut self, vm: MoRef, name: &str, stamped: &mut Stamped) {
        for (owner, path) in &stamped.lists {
            self.links.add(owner, path, &vm);
        }
        stamped.count += 1;
        let properties = stamped.template.stamp(&vm, name);
        self.tx.insert(vm, properties);
    }

    /// A host by itself: the same objects under the names that a host gives them.
    fn esx(&mut self) -> Result<(), Fault> {
        let moref = |ty, id| MoRef::new(ty, id);
        let root = moref(ty::Folder, "ha-folder-root");
        let datacenter = moref(ty::Datacenter, "ha-datacenter");
        let folders = DatacenterFolders {
            vm: moref(ty::Folder, "ha-folder-vm"),
            host: moref(ty::Folder, "ha-folder-host"),
            datastore: moref(ty::Folder, "ha-folder-datastore"),
            network: moref(ty::Folder, "ha-folder-network"),
        };
        let version = self.catalog.release().hardware_version();
        self.tx
            .insert(root.clone(), folder::folder(FolderKind::Datacenter, "ha-folder-root", None));
        folder::insert_datacenter(self.tx, &datacenter, &folders, "ha-datacenter", &root, version);
        self.child(&root, &datacenter);
        let network = moref(ty::Network, "HaNetwork-VM Network");
        let properties = network::network(&network, "VM Network", &folders.network);
        self.tx.insert(network.clone(), properties);
        self.child(&folders.network, &network);
        let mut site = Site {
            name: "ha-host".to_owned(),
            datacenter,
            inner: folders.clone(),
            folders,
            networks: vec![network],
            switch: None,
            computes: Vec::new(),
            hosts: Vec::new(),
            datastores: Vec::new(),
        };
        let name = "localhost.localdomain";
        let pool = moref(ty::ResourcePool, "ha-root-pool");
        let compute =
            self.compute(&site, moref(ty::ComputeResource, "ha-compute-res"), name, &pool);
        let host = moref(ty::HostSystem, "ha-host");
        self.host(&mut site, &host, name, &compute.mo)?;
        let pools = vec![(pool, "ha-host".to_owned())];
        self.finish_compute(&mut site, Compute { hosts: vec![host], pools, ..compute })?;
        self.datastores(&mut site)?;
        self.machines(&site)
    }
}
