//! What a call needs: the privileges that the schema declares for the method
//! and its parameters, and those that only the documentation knows.

use std::collections::BTreeSet;

use super::access::{Access, Need};
use super::guard::Guard;
use super::{machine, policy};
use crate::inventory::{Read, Snapshot};
use crate::path;
use crate::schema::{Method, Type, method, ty};
use crate::value::{MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::containment;

/// Where a privilege of the [`TABLE`] is asked for.
#[derive(Clone, Copy, Debug)]
enum At {
    /// On the receiver.
    This,
    /// On the receiver's parent.
    Parent,
    /// On the objects that the parameter in this slot names.
    Param(usize),
}

/// Privileges that a method needs on receivers of a type.
type Row = (Method, Type, &'static [(At, &'static str)]);

/// One privilege on the receiver.
macro_rules! this {
    ($privilege:literal) => {
        &[(At::This, $privilege)]
    };
}

/// One privilege on the receiver and on its parent.
macro_rules! both {
    ($privilege:literal) => {
        &[(At::This, $privilege), (At::Parent, $privilege)]
    };
}

/// What the schema leaves out. The first row that fits the receiver counts; a
/// method for which there is neither a row nor a declaration needs
/// `System.Read` on an entity and nothing on other objects.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    // API reference, `Destroy_Task` of each type; on the parent as well by the
    // text of `ManagedEntity.Destroy_Task` and `AuthorizationPrivilege.onParent`.
    (method::Destroy_Task, ty::VirtualMachine, both!("VirtualMachine.Inventory.Delete")),
    (method::Destroy_Task, ty::Folder, both!("Folder.Delete")),
    (method::Destroy_Task, ty::Datacenter, both!("Datacenter.Delete")),
    (method::Destroy_Task, ty::ClusterComputeResource, both!("Host.Inventory.DeleteCluster")),
    (method::Destroy_Task, ty::ComputeResource, both!("Host.Inventory.RemoveHostFromCluster")),
    (method::Destroy_Task, ty::HostSystem, both!("Host.Inventory.RemoveHostFromCluster")),
    (method::Destroy_Task, ty::VirtualApp, both!("VApp.Delete")),
    (method::Destroy_Task, ty::ResourcePool, both!("Resource.DeletePool")),
    (method::Destroy_Task, ty::Datastore, both!("Datastore.Delete")),
    (method::Destroy_Task, ty::DistributedVirtualPortgroup, both!("DVPortgroup.Delete")),
    (method::Destroy_Task, ty::DistributedVirtualSwitch, both!("DVSwitch.Delete")),
    (method::Destroy_Task, ty::Network, this!("System.Read")),
    // API reference, `Rename_Task` of each type; that of compute resources has
    // no privilege there, and takes the one that is named for it.
    (method::Rename_Task, ty::VirtualMachine, this!("VirtualMachine.Config.Rename")),
    (method::Rename_Task, ty::Folder, this!("Folder.Rename")),
    (method::Rename_Task, ty::Datacenter, this!("Datacenter.Rename")),
    (method::Rename_Task, ty::ComputeResource, this!("Host.Inventory.RenameCluster")),
    (method::Rename_Task, ty::VirtualApp, this!("VApp.Rename")),
    (method::Rename_Task, ty::ResourcePool, this!("Resource.RenamePool")),
    (method::Rename_Task, ty::Datastore, this!("Datastore.Rename")),
    (method::Rename_Task, ty::DistributedVirtualPortgroup, this!("DVPortgroup.Modify")),
    (method::Rename_Task, ty::DistributedVirtualSwitch, this!("DVSwitch.Modify")),
    (method::Rename_Task, ty::Network, this!("System.Read")),
    // API reference, text of each method.
    (method::setCustomValue, ty::ManagedObject, this!("Global.SetCustomField")),
    (method::CreateChildVM_Task, ty::VirtualApp, this!("VApp.AssignVM")),
    (method::CreateChildVM_Task, ty::ResourcePool, this!("Resource.AssignVMToPool")),
    (method::UpdateConfig, ty::VirtualApp, this!("VApp.ResourceConfig")),
    (method::UpdateConfig, ty::ResourcePool, this!("Resource.EditPool")),
    (method::UpdateChildResourceConfiguration, ty::ResourcePool, this!("Resource.EditPool")),
    (method::DestroyChildren, ty::ResourcePool, this!("Resource.DeletePool")),
    (method::UpdateVAppConfig, ty::VirtualApp, this!("VApp.ApplicationConfig")),
    (method::UpdateLinkedChildren, ty::VirtualApp, this!("VApp.ApplicationConfig")),
    (method::CloneVApp_Task, ty::VirtualApp, &[
        (At::Param(arg!(CloneVApp_Task.target)), "Resource.AssignVAppToPool"),
    ]),
    (method::ReconfigureDvs_Task, ty::DistributedVirtualSwitch, this!("DVSwitch.Modify")),
    (method::ReconfigureDVPortgroup_Task, ty::DistributedVirtualPortgroup, this!("DVPortgroup.Modify")),
    (method::BatchAddHostsToCluster_Task, ty::Folder, &[
        (At::Param(arg!(BatchAddHostsToCluster_Task.cluster)), "Host.Inventory.EditCluster"),
        (At::Param(arg!(BatchAddHostsToCluster_Task.existingHosts)), "Host.Inventory.MoveHost"),
    ]),
    (method::ConfigureHCI_Task, ty::ClusterComputeResource, this!("Host.Inventory.EditCluster")),
    (method::ExtendHCI_Task, ty::ClusterComputeResource, this!("Host.Inventory.EditCluster")),
    (method::ApplyRecommendation, ty::ClusterComputeResource, this!("Resource.ApplyRecommendation")),
    (method::UpdateNetworkConfig, ty::HostNetworkSystem, this!("Host.Config.Network")),
    (method::AddVirtualNic, ty::HostNetworkSystem, this!("Host.Config.Network")),
    (method::UpdateVirtualNic, ty::HostNetworkSystem, this!("Host.Config.Network")),
    (method::AddServiceConsoleVirtualNic, ty::HostNetworkSystem, this!("Host.Config.Network")),
    (method::UpdateServiceConsoleVirtualNic, ty::HostNetworkSystem, this!("Host.Config.Network")),
    (method::SearchDatastore_Task, ty::HostDatastoreBrowser, this!("Datastore.Browse")),
    (method::SearchDatastoreSubFolders_Task, ty::HostDatastoreBrowser, this!("Datastore.Browse")),
    // Security guide, host configuration: advanced settings; vCenter's own
    // settings need the one of all settings.
    (method::UpdateOptions, ty::HostSystem, this!("Host.Config.AdvancedConfig")),
    (method::UpdateOptions, ty::OptionManager, this!("Global.Settings")),
];

/// The needs of one call, in the order in which they are looked at.
struct Needs<'c> {
    access: &'c Access,
    call: &'c Call,
    list: Vec<Need>,
}

/// What `call` needs.
pub(super) fn of(access: &Access, call: &Call) -> Vec<Need> {
    let mut needs = Needs { access, call, list: Vec::new() };
    needs.declared();
    needs.documented();
    needs.list
}

/// Whether a script is to be run, somewhere in a specification.
fn has_script(spec: &Object) -> bool {
    let inside = |value: &Value| match value {
        Value::Object(inner) => has_script(inner),
        Value::Array(array) => array.items().iter().filter_map(Value::as_object).any(has_script),
        _ => false,
    };
    spec.ty().is_a(ty::RunScriptAction) || spec.iter().any(|(_, value)| inside(value))
}

/// The datastore that a path in brackets names: `[datastore] folder/file`.
pub(super) fn datastore_of(state: &Snapshot, path: &str) -> Option<MoRef> {
    let (name, _) = path.trim_start().strip_prefix('[')?.split_once(']')?;
    let called = |mo: &&MoRef| state.text(mo, path!(Datastore, "name")) == name;
    state.refs(ty::Datastore).find(called).cloned()
}

impl Needs<'_> {
    fn state(&self) -> &Snapshot {
        self.access.state()
    }

    fn add(&mut self, mo: &MoRef, privilege: &'static str) {
        self.list.push(Need { on: self.access.guard(mo), privilege });
    }

    fn this(&mut self, privilege: &'static str) {
        let this = &self.call.this;
        self.add(this, privilege);
    }

    fn object(&self, slot: usize) -> Option<&Object> {
        self.call.get(slot).and_then(Value::as_object)
    }

    /// The objects that an argument names and that exist; about others the
    /// method itself has something to say.
    fn named(&self, slot: usize) -> Vec<MoRef> {
        let Some(value) = self.call.get(slot) else { return Vec::new() };
        let session = self.call.caller.session.as_ref();
        let exists = |mo: &&MoRef| {
            self.state().exists(mo) || session.is_some_and(|session| session.object(mo).is_some())
        };
        value.as_moref().into_iter().chain(value.morefs()).filter(exists).cloned().collect()
    }

    /// What the schema declares.
    fn declared(&mut self) {
        let method = self.call.method;
        match method.privilege() {
            // Tasks belong to the server; what they are about guards who sees them.
            Some(privilege) if method.owner() == ty::Task => {
                self.list.push(Need { on: Guard::Server, privilege });
            }
            Some(privilege) => self.this(privilege),
            None => {}
        }
        for (slot, param) in method.params().iter().enumerate() {
            if let Some(privilege) = param.privilege() {
                for mo in self.named(slot) {
                    self.add(&mo, privilege);
                }
            }
        }
    }

    /// What only the documentation says.
    fn documented(&mut self) {
        let (this, method) = (&self.call.this, self.call.method);
        let on = self.access.guard(this);
        // The settings of a host are an `OptionManager` as vCenter's are.
        let of = match &on {
            Guard::Entity(host) if this.ty() == ty::OptionManager => host.ty(),
            _ => this.ty(),
        };
        let row = TABLE.iter().find(|(row, ty, _)| *row == method && of.is_a(*ty));
        if let Some((_, _, needs)) = row {
            for (at, privilege) in *needs {
                match at {
                    At::This => self.this(privilege),
                    At::Parent => {
                        if let Some(parent) = containment::parent(self.state(), this) {
                            self.add(&parent, privilege);
                        }
                    }
                    At::Param(slot) => {
                        for mo in self.named(*slot) {
                            self.add(&mo, privilege);
                        }
                    }
                }
            }
        }
        let depends = self.depending(method);
        let declares = method.privilege().is_some()
            || method.params().iter().any(|param| param.privilege().is_some());
        if row.is_none() && !depends && !declares && this.ty().is_a(ty::ManagedEntity) {
            self.this("System.Read");
        }
    }

    /// What depends on the arguments or on the state of things; whether there
    /// are such rules for the method.
    fn depending(&mut self, method: Method) -> bool {
        match method {
            method::CancelTask => self.cancel_task(),
            method::RetrieveUserGroups => self.user_groups(),
            method::AcquireTicket => self.ticket(),
            method::ReconfigVM_Task => self.reconfigure(),
            method::CreateVM_Task => self.create_vm(arg!(CreateVM_Task.config)),
            method::CreateChildVM_Task => self.create_vm(arg!(CreateChildVM_Task.config)),
            method::RegisterVM_Task => self.register(arg!(RegisterVM_Task.path)),
            method::RegisterChildVM_Task => self.register(arg!(RegisterChildVM_Task.path)),
            method::CloneVM_Task => self.clone_vm(),
            method::InstantClone_Task => self.instant_clone(),
            method::RelocateVM_Task => self.relocate(),
            method::MigrateVM_Task => self.migrate(),
            method::MoveIntoFolder_Task => self.move_into_folder(),
            method::MoveIntoResourcePool => self.move_into_pool(),
            method::CreateAlarm => {
                self.script(arg!(CreateAlarm.spec), Some(arg!(CreateAlarm.entity)));
            }
            method::CreateScheduledTask => {
                let entity = arg!(CreateScheduledTask.entity);
                self.script(arg!(CreateScheduledTask.spec), Some(entity));
            }
            method::CreateObjectScheduledTask => {
                let object = arg!(CreateObjectScheduledTask.obj);
                self.script(arg!(CreateObjectScheduledTask.spec), Some(object));
            }
            method::ReconfigureAlarm => self.script(arg!(ReconfigureAlarm.spec), None),
            method::ReconfigureScheduledTask => {
                self.script(arg!(ReconfigureScheduledTask.spec), None);
            }
            _ => return self.files(method),
        }
        true
    }

    /// Security guide: `Global.CancelTask` for tasks of others; the owner of a
    /// task needs nothing.
    fn cancel_task(&mut self) {
        let state = self.access.state();
        let task = crate::engine::tasks_in(state).and_then(|tasks| tasks.find(&self.call.this));
        let owner = task.and_then(|task| task.owner.as_deref());
        if !owner.is_some_and(|owner| self.access.is_caller(owner)) {
            self.this("Global.CancelTask");
        }
    }

    /// API reference of `RetrieveUserGroups`: `Authorization.ModifyPermissions`
    /// on any entity will do.
    fn user_groups(&mut self) {
        if !self.access.rights().allow_anywhere("Authorization.ModifyPermissions") {
            self.this("Authorization.ModifyPermissions");
        }
    }

    /// API reference of `CreateAlarm`, `CreateScheduledTask` and what changes
    /// them: who has a script run needs a privilege for that.
    fn script(&mut self, spec: usize, object: Option<usize>) {
        if !self.object(spec).is_some_and(has_script) {
            return;
        }
        match object {
            Some(slot) => {
                for mo in self.named(slot) {
                    self.add(&mo, "Global.ScriptAction");
                }
            }
            None => self.this("Global.ScriptAction"),
        }
    }

    /// API reference of `AcquireTicket`.
    fn ticket(&mut self) {
        self.this(match self.call.text(arg!(AcquireTicket.ticketType)) {
            "device" => "VirtualMachine.Interact.DeviceConnection",
            "guestControl" | "guestIntegrity" => "VirtualMachine.Interact.GuestControl",
            "dnd" => "VirtualMachine.Interact.DnD",
            _ => "VirtualMachine.Interact.ConsoleInteract",
        });
    }

    fn wants(&mut self, wants: machine::Wants) {
        for privilege in wants.machine {
            self.this(privilege);
        }
        for datastore in wants.allocate {
            self.add(&datastore, "Datastore.AllocateSpace");
        }
        self.assign(wants.assign);
    }

    fn assign(&mut self, networks: BTreeSet<MoRef>) {
        for network in networks {
            self.add(&network, "Network.Assign");
        }
    }

    fn reconfigure(&mut self) {
        let Some(spec) = self.object(arg!(ReconfigVM_Task.spec)) else { return };
        let Some(machine) = self.state().get(&self.call.this) else { return };
        let wants = machine::to_reconfigure(self.state(), machine, spec);
        if wants.machine.is_empty() {
            self.this("System.Read");
        }
        self.wants(wants);
    }

    fn create_vm(&mut self, slot: usize) {
        let Some(spec) = self.object(slot) else { return };
        let wants = machine::to_create(self.state(), spec);
        self.wants(wants);
    }

    /// API reference of `RegisterVM_Task`.
    fn register(&mut self, slot: usize) {
        if let Some(datastore) = datastore_of(self.state(), self.call.text(slot)) {
            self.add(&datastore, "System.Read");
        }
    }

    fn is_template(&self) -> bool {
        let place = path!(VirtualMachine, "config.template");
        self.state().at(&self.call.this, place).and_then(Value::as_bool).unwrap_or_default()
    }

    /// API reference of `CloneVM_Task`.
    fn clone_vm(&mut self) {
        let Some(spec) = self.object(arg!(CloneVM_Task.spec)).cloned() else { return };
        let to_template =
            spec.at(path!(VirtualMachineCloneSpec, "template")).and_then(Value::as_bool)
                == Some(true);
        self.this(match (self.is_template(), to_template) {
            (false, false) => "VirtualMachine.Provisioning.Clone",
            (false, true) => "VirtualMachine.Provisioning.CreateTemplateFromVM",
            (true, false) => "VirtualMachine.Provisioning.DeployTemplate",
            (true, true) => "VirtualMachine.Provisioning.CloneTemplate",
        });
        self.encrypted("Cryptographer.Clone");
        if spec.at(path!(VirtualMachineCloneSpec, "customization")).is_some() {
            self.this("VirtualMachine.Provisioning.Customize");
        }
        let location = spec.at(path!(VirtualMachineCloneSpec, "location"));
        let location = location.and_then(Value::as_object);
        let folder = location.and_then(|it| it.at(path!(VirtualMachineRelocateSpec, "folder")));
        let folders = match folder.and_then(Value::as_moref) {
            Some(folder) => vec![folder.clone()],
            None => self.named(arg!(CloneVM_Task.folder)),
        };
        for folder in folders {
            self.add(&folder, "VirtualMachine.Inventory.CreateFromExisting");
        }
        if let Some(location) = location {
            self.place_clone(location, !to_template);
        }
        if let Some(config) = spec.at(path!(VirtualMachineCloneSpec, "config")) {
            let config = config.as_object();
            let changes =
                config.and_then(|it| it.at(path!(VirtualMachineConfigSpec, "deviceChange")));
            self.assign(machine::networks(changes));
        }
    }

    fn place_clone(&mut self, location: &Object, in_pool: bool) {
        let at = |path| location.at(path).and_then(Value::as_moref);
        if let Some(pool) = at(path!(VirtualMachineRelocateSpec, "pool")).filter(|_| in_pool) {
            self.add(pool, "Resource.AssignVMToPool");
        }
        let stores = match at(path!(VirtualMachineRelocateSpec, "datastore")) {
            Some(datastore) => vec![datastore.clone()],
            None => self.state().morefs(&self.call.this, path!(VirtualMachine, "datastore")),
        };
        for datastore in stores {
            self.add(&datastore, "Datastore.AllocateSpace");
        }
        let changes = location.at(path!(VirtualMachineRelocateSpec, "deviceChange"));
        self.assign(machine::networks(changes));
    }

    /// API reference of `InstantClone_Task`.
    fn instant_clone(&mut self) {
        self.this("VirtualMachine.Interact.PowerOn");
        let location = self
            .object(arg!(InstantClone_Task.spec))
            .and_then(|spec| spec.at(path!(VirtualMachineInstantCloneSpec, "location")))
            .and_then(Value::as_object)
            .cloned();
        let Some(location) = location else { return };
        let folder = location.at(path!(VirtualMachineRelocateSpec, "folder"));
        let folder = folder.and_then(Value::as_moref).cloned();
        let folder = folder.or_else(|| containment::parent(self.state(), &self.call.this));
        if let Some(folder) = folder {
            self.add(&folder, "VirtualMachine.Inventory.CreateFromExisting");
        }
        self.place_clone(&location, true);
    }

    /// Encrypted machines are for cryptographers.
    fn encrypted(&mut self, privilege: &'static str) {
        if self.state().at(&self.call.this, path!(VirtualMachine, "config.keyId")).is_some() {
            self.this(privilege);
        }
    }

    fn is_on(&self) -> bool {
        let place = path!(VirtualMachine, "runtime.powerState");
        self.state().at(&self.call.this, place).and_then(Value::as_str) == Some("poweredOn")
    }

    /// API reference of `RelocateVM_Task`.
    fn relocate(&mut self) {
        self.encrypted("Cryptographer.Migrate");
        if self.is_on() {
            self.this("Resource.HotMigrate");
        }
        let Some(spec) = self.object(arg!(RelocateVM_Task.spec)).cloned() else { return };
        let at = |path| spec.at(path).and_then(Value::as_moref);
        let this = self.call.this.clone();
        let pool = at(path!(VirtualMachineRelocateSpec, "pool"));
        let now = self.state().moref(&this, path!(VirtualMachine, "resourcePool")).cloned();
        if let Some(pool) = pool.filter(|pool| Some(*pool) != now.as_ref()) {
            self.add(pool, "Resource.AssignVMToPool");
        }
        let stores = self.state().morefs(&this, path!(VirtualMachine, "datastore"));
        let disks = spec.at(path!(VirtualMachineRelocateSpec, "disk")).map(Value::items);
        let disks = disks.unwrap_or_default().iter().filter_map(Value::as_object);
        let targets: BTreeSet<&MoRef> = disks
            .filter_map(|disk| disk.at(path!(VirtualMachineRelocateSpecDiskLocator, "datastore")))
            .filter_map(Value::as_moref)
            .chain(at(path!(VirtualMachineRelocateSpec, "datastore")))
            .filter(|target| !stores.contains(target))
            .collect();
        for target in targets {
            self.add(target, "Datastore.AllocateSpace");
        }
        let source = containment::parent(self.state(), &this);
        let folder = at(path!(VirtualMachineRelocateSpec, "folder"));
        if let Some(folder) = folder.filter(|folder| Some(*folder) != source.as_ref()) {
            for mo in [Some(&this), source.as_ref(), Some(folder)].into_iter().flatten() {
                self.add(mo, "VirtualMachine.Inventory.Move");
            }
        }
        self.assign(machine::networks(spec.at(path!(VirtualMachineRelocateSpec, "deviceChange"))));
    }

    /// API reference of `MigrateVM_Task`.
    fn migrate(&mut self) {
        self.encrypted("Cryptographer.Migrate");
        self.this(if self.is_on() { "Resource.HotMigrate" } else { "Resource.ColdMigrate" });
    }

    /// API reference of `MoveIntoFolder_Task`: on the object, where it comes
    /// from, and where it goes.
    fn move_into_folder(&mut self) {
        for mo in self.named(arg!(MoveIntoFolder_Task.list)) {
            let from = containment::parent(self.state(), &mo);
            let of = mo.ty();
            if of.is_a(ty::HostSystem) {
                self.add(&mo, "Host.Inventory.MoveHost");
                self.this("Host.Inventory.AddStandaloneHost");
                if let Some(from) = from {
                    self.add(&from, "Host.Inventory.EditCluster");
                }
                continue;
            }
            let privilege = if of.is_a(ty::Folder) {
                "Folder.Move"
            } else if of.is_a(ty::Datacenter) {
                "Datacenter.Move"
            } else if of.is_a(ty::ComputeResource) {
                "Host.Inventory.MoveCluster"
            } else if of.is_a(ty::VirtualMachine) {
                "VirtualMachine.Inventory.Move"
            } else if of.is_a(ty::VirtualApp) {
                "VApp.Move"
            } else if of.is_a(ty::DistributedVirtualSwitch) {
                "DVSwitch.Move"
            } else if of.is_a(ty::Datastore) {
                "Datastore.Move"
            } else {
                "Network.Move"
            };
            self.add(&mo, privilege);
            if let Some(from) = from {
                self.add(&from, privilege);
            }
            self.this(privilege);
        }
    }

    /// API reference of `MoveIntoResourcePool`.
    fn move_into_pool(&mut self) {
        let to_vapp = self.call.this.ty().is_a(ty::VirtualApp);
        for mo in self.named(arg!(MoveIntoResourcePool.list)) {
            let from = policy::parents(self.state(), &mo);
            let from = from.iter().find(|from| from.ty().is_a(ty::ResourcePool)).cloned();
            if mo.ty().is_a(ty::VirtualMachine) {
                let privilege = if to_vapp { "VApp.AssignVM" } else { "Resource.AssignVMToPool" };
                self.add(&mo, privilege);
                self.this(privilege);
                continue;
            }
            let (moves, takes) = match (mo.ty().is_a(ty::VirtualApp), to_vapp) {
                (true, true) => ("VApp.Move", "VApp.AssignVApp"),
                (true, false) => ("VApp.Move", "Resource.AssignVAppToPool"),
                (false, true) => ("Resource.MovePool", "VApp.AssignResourcePool"),
                (false, false) => ("Resource.MovePool", "Resource.MovePool"),
            };
            self.add(&mo, moves);
            if let Some(from) = from {
                self.add(&from, moves);
            }
            self.this(takes);
        }
    }

    /// API reference of `FileManager` and `VirtualDiskManager`: the datastores
    /// of the files that are named.
    fn files(&mut self, method: Method) -> bool {
        let owner = method.owner();
        if owner != ty::FileManager && owner != ty::VirtualDiskManager {
            return false;
        }
        let names = method.params().iter().enumerate().filter(|(_, param)| {
            matches!(param.name(), "name" | "sourceName" | "destName" | "destinationName")
        });
        for (slot, _) in names {
            if let Some(datastore) = datastore_of(self.state(), self.call.text(slot)) {
                self.add(&datastore, "Datastore.FileManagement");
            }
        }
        true
    }
}
