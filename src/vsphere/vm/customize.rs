//! Customization of guests: `CustomizeVM_Task`, `CheckCustomizationSpec`, and
//! what a clone's specification brings with it.
//!
//! ```text
//!   CustomizeVM_Task, CloneVM_Task        the machine starts
//!   ───────────────────────────► pending ───────────────────► applied
//! ```
//!
//! What is pending is said in `config.tools.pendingCustomization`; the whole
//! specification is an object of the inventory that nothing refers to. At the
//! next start the guest takes over the name and the address of its first
//! adapter, and keeps them. vimsim's guests have no more to customize.

use super::state::{self, OFF};
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::model::device;
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::vsphere::{events, model};
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::VirtualMachine, method::CustomizeVM_Task, Handler::Task(customize)),
    (ty::VirtualMachine, method::CheckCustomizationSpec, Handler::Now(check_spec)),
];

/// Where the specification of a machine is kept.
pub(super) fn kept(vm: &MoRef) -> MoRef {
    MoRef::new(ty::CustomizationSpec, &format!("customization/{}", vm.id()))
}

fn customize(service: &Service, call: &Call) -> Result<Operation, Fault> {
    service.require_vcenter()?;
    let spec = call.required(arg!(CustomizeVM_Task.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    Ok(Operation::new(Customize { vm: call.this.clone(), spec: spec.clone() }))
}

fn check_spec(service: &Service, call: &Call) -> Answer {
    let spec = call.required(arg!(CheckCustomizationSpec.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    let state = service.engine().snapshot();
    let config = state.at(&call.this, path!(VirtualMachine, "config")).and_then(Value::as_object);
    check(spec, config.ok_or_else(Fault::invalid_state)?)?;
    Ok(None)
}

/// Fails unless a specification fits a configuration: it has settings for as
/// many adapters, or for none.
pub(super) fn check(spec: &Object, config: &Object) -> Result<(), Fault> {
    let asked = spec.at(path!(CustomizationSpec, "nicSettingMap")).map_or(&[][..], Value::items);
    let there = device::of_type(config, ty::VirtualEthernetCard).count();
    if asked.is_empty() || asked.len() == there {
        return Ok(());
    }
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    Err(Fault::new(
        object!(NicSettingMismatch {
            numberOfNicsInSpec: number(asked.len()),
            numberOfNicsInVM: number(there),
        }),
        "The number of network adapters in the customization specification does not match that \
         of the virtual machine.",
    ))
}

#[derive(Clone, Debug)]
struct Customize {
    vm: MoRef,
    spec: Object,
}

impl Job for Customize {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        state::require_power(tx, &self.vm, OFF)?;
        if state::is_template(tx, &self.vm) {
            return Err(Fault::not_supported());
        }
        if is_pending(tx, &self.vm) {
            return Err(Fault::of(
                ty::CustomizationPending,
                "A customization of the guest is pending already.",
            ));
        }
        check(&self.spec, &state::config(tx, &self.vm)?)
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        self.begin(tx, task)?;
        put(tx, &self.vm, &self.spec)?;
        Ok(None)
    }
}

fn is_pending(state: &(impl Read + ?Sized), vm: &MoRef) -> bool {
    !state.text(vm, path!(VirtualMachine, "config.tools.pendingCustomization")).is_empty()
}

/// Has the guest customized when the machine starts.
pub(super) fn put(tx: &mut Tx<'_>, vm: &MoRef, spec: &Object) -> Result<(), Fault> {
    let kept = kept(vm);
    match tx.exists(&kept) {
        true => tx.replace(&kept, spec.clone())?,
        false => tx.insert(kept, spec.clone()),
    }
    let name = format!("imcf-{}", tx.ids().uuid().simple());
    tx.set(vm, path!(VirtualMachine, "config.tools.pendingCustomization"), name)
}

/// A machine has started: its guest is what its specification says.
pub(super) fn started(tx: &mut Tx<'_>, vm: &MoRef) -> Result<(), Fault> {
    let Some(spec) = tx.get(&kept(vm)).cloned() else { return Ok(()) };
    let (pending, now) = (is_pending(tx, vm), tx.now());
    if pending {
        events::post(tx, vm, object!(CustomizationStartedEvent {}));
    }
    if let Some(name) = host_name(&spec, tx.text(vm, path!(VirtualMachine, "name"))) {
        tx.set(vm, path!(VirtualMachine, "guest.hostName"), name)?;
    }
    if let Some(ip) = address(&spec) {
        tx.set(vm, path!(VirtualMachine, "guest.ipAddress"), ip)?;
    }
    if pending {
        let none = None::<Value>;
        tx.set(vm, path!(VirtualMachine, "config.tools.pendingCustomization"), none)?;
    }
    model::vm::refresh(tx, vm, now)?;
    if pending {
        let done = object!(GuestInfoCustomizationInfo {
            customizationStatus: "TOOLSDEPLOYPKG_SUCCEEDED",
            startTime: now,
            endTime: now,
        });
        tx.set(vm, path!(VirtualMachine, "guest.customizationInfo"), done)?;
        events::post(tx, vm, object!(CustomizationSucceeded {}));
    }
    Ok(())
}

/// The name that the guest gets; nothing if the specification has none.
fn host_name(spec: &Object, vm: &str) -> Option<String> {
    let identity = spec.at(path!(CustomizationSpec, "identity"))?.as_object()?;
    let name = if identity.ty().is_a(ty::CustomizationSysprep) {
        identity.at(path!(CustomizationSysprep, "userData.computerName"))
    } else {
        identity.field("hostName")
    };
    let name = name?.as_object()?;
    let text = |field: &str| name.field(field).and_then(Value::as_str).map(str::to_owned);
    let of = name.ty();
    if of.is_a(ty::CustomizationVirtualMachineName) {
        Some(vm.to_owned())
    } else if of.is_a(ty::CustomizationPrefixName) {
        text("base").map(|base| format!("{base}-{vm}"))
    } else {
        text("name")
    }
}

/// The fixed address of the first adapter.
fn address(spec: &Object) -> Option<String> {
    let first = spec.at(path!(CustomizationSpec, "nicSettingMap"))?.items().first()?.as_object()?;
    let ip = first.at(path!(CustomizationAdapterMapping, "adapter.ip"))?.as_object()?;
    let ip = ip.field("ipAddress")?.as_str()?;
    Some(ip.to_owned())
}
