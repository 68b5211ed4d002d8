//! Changes to the devices of a machine: what `deviceChange` of a configuration
//! asks for, checked and carried out on a copy of the device list.
//!
//! The list is worked on in three turns, so that a specification may name a
//! new controller before or after what hangs on it: new controllers, then all
//! other devices in the order given, then controllers that go.

use std::collections::HashMap;

use super::seats::{self, Bus, at, bus_of, is_hot_pluggable, is_on_bus, row_of};
use crate::engine::Tx;
use crate::fault::Fault;
use crate::schema::ty;
use crate::value::{MoRef, Object, ObjectBuilder, Value};
use crate::vsphere::datastore_path::DatastorePath;
use crate::vsphere::model::device::{controller_key, key, relink, unit_number};
use crate::{enum_value, object, path};

/// The machine whose devices change, as far as its devices depend on it.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// The host: its datastores and networks are what devices can use.
    pub(super) host: MoRef,
    /// The configuration file: new disks stand beside it.
    pub(super) home: DatastorePath,
    /// Whether the machine runs, so that only some devices can come and go.
    pub(super) powered_on: bool,
}

/// The devices after `changes`, a list of `VirtualDeviceConfigSpec`.
pub(super) fn change(
    tx: &mut Tx<'_>,
    machine: &Machine,
    devices: &[Value],
    changes: &[Value],
) -> Result<Vec<Value>, Fault> {
    let mut ordered: Vec<Change<'_>> = (0..)
        .zip(changes)
        .map(|(index, spec)| Change::read(index, spec))
        .collect::<Result<_, _>>()?;
    ordered.sort_by_key(Change::turn);
    let devices = devices.iter().filter_map(Value::as_object).cloned().collect();
    let mut bench =
        Bench { tx, machine, devices, real_keys: HashMap::new(), allocated: HashMap::new() };
    for change in &ordered {
        bench.apply(change)?;
    }
    Ok(bench.finish())
}

fn status(connected: bool) -> &'static str {
    if connected { "ok" } else { "untried" }
}

/// One `VirtualDeviceConfigSpec`.
#[derive(Debug)]
pub(super) struct Change<'s> {
    /// The place in the list, which faults name.
    pub(super) index: i32,
    operation: &'s str,
    /// What is to happen to the device's file; empty for nothing.
    pub(super) file_operation: &'s str,
    /// The device as the client describes it.
    pub(super) device: &'s Object,
}

impl<'s> Change<'s> {
    fn read(index: i32, spec: &'s Value) -> Result<Self, Fault> {
        let spec = spec.as_object().ok_or_else(|| invalid_device(index))?;
        let device = at(spec, path!(VirtualDeviceConfigSpec, "device")).and_then(Value::as_object);
        let device = device.ok_or_else(|| invalid_device(index))?;
        Ok(Self {
            index,
            operation: seats::text(spec, path!(VirtualDeviceConfigSpec, "operation")),
            file_operation: seats::text(spec, path!(VirtualDeviceConfigSpec, "fileOperation")),
            device,
        })
    }

    fn turn(&self) -> u8 {
        match (self.device.ty().is_a(ty::VirtualController), self.operation) {
            (true, "add") => 0,
            (true, "remove") => 2,
            _ => 1,
        }
    }

    /// The device's specification is wrong.
    pub(super) fn invalid(&self) -> Fault {
        invalid_device(self.index)
    }

    /// The device's backing is wrong.
    pub(super) fn invalid_backing(&self) -> Fault {
        Fault::new(
            object!(InvalidDeviceBacking {
                property: property(self.index),
                deviceIndex: self.index
            }),
            format!("Invalid configuration for device '{}'.", self.index),
        )
    }

    /// The operation, or what it asks of the file, does not go with the device.
    pub(super) fn invalid_operation(&self) -> Fault {
        let text = |text: &'s str| (!text.is_empty()).then_some(text);
        Fault::new(
            object!(InvalidDeviceOperation {
                property: property(self.index),
                deviceIndex: self.index,
                badOp: text(self.operation),
                badFileOp: text(self.file_operation),
            }),
            format!("Invalid operation for device '{}'.", self.index),
        )
    }

    fn too_many(&self) -> Fault {
        Fault::new(
            object!(TooManyDevices { property: property(self.index) }),
            "The virtual machine has too many devices of this kind.",
        )
    }
}

fn property(index: i32) -> String {
    format!("deviceChange[{index}].device")
}

fn invalid_device(index: i32) -> Fault {
    Fault::new(
        object!(InvalidDeviceSpec { property: property(index), deviceIndex: index }),
        format!("Invalid configuration for device '{index}'."),
    )
}

/// Where a device goes, and how many of its kind stand before it.
#[derive(Clone, Copy, Debug)]
struct Seat {
    key: i32,
    controller: Option<i32>,
    unit: Option<i32>,
    ordinal: i32,
}

/// A machine on the workbench: its devices while they are being changed.
pub(super) struct Bench<'b, 't> {
    pub(super) tx: &'b mut Tx<'t>,
    pub(super) machine: &'b Machine,
    pub(super) devices: Vec<Object>,
    /// The keys that clients gave to new controllers, and the real ones.
    real_keys: HashMap<i32, i32>,
    /// The bytes promised to new disks, by datastore.
    pub(super) allocated: HashMap<MoRef, i64>,
}

impl Bench<'_, '_> {
    fn apply(&mut self, change: &Change<'_>) -> Result<(), Fault> {
        match change.operation {
            "add" => self.add(change),
            "edit" => self.edit(change),
            "remove" => self.remove(change),
            _ => Err(change.invalid()),
        }
    }

    /// The device with the key.
    pub(super) fn find(&self, wanted: i32) -> Option<&Object> {
        self.devices.iter().find(|device| key(device) == wanted)
    }

    fn controller_type(&self, device: &Object) -> Option<crate::schema::Type> {
        Some(self.find(self.real(controller_key(device)?))?.ty())
    }

    /// The key that the controller has which the client calls `key`.
    fn real(&self, key: i32) -> i32 {
        self.real_keys.get(&key).copied().unwrap_or(key)
    }

    /// Devices that only a machine that is off can gain, lose or change.
    fn check_power(&self, device: &Object) -> Result<(), Fault> {
        if self.machine.powered_on && !is_hot_pluggable(device.ty(), self.controller_type(device)) {
            return Err(Fault::invalid_power_state(
                Some(enum_value!(VirtualMachinePowerState::poweredOff)),
                enum_value!(VirtualMachinePowerState::poweredOn),
            ));
        }
        Ok(())
    }

    fn add(&mut self, change: &Change<'_>) -> Result<(), Fault> {
        let asked = change.device;
        if !change.file_operation.is_empty() && !asked.ty().is_a(ty::VirtualDisk) {
            return Err(change.invalid_operation());
        }
        let seat = self.seat(change)?;
        self.check_power(asked)?;
        let mut device = asked.edit();
        device.set(const { ty::VirtualDevice.slot("key") }, seat.key);
        device.set(const { ty::VirtualDevice.slot("controllerKey") }, seat.controller);
        device.set(const { ty::VirtualDevice.slot("unitNumber") }, seat.unit);
        self.set_connectable(&mut device);
        if asked.ty().is_a(ty::VirtualDisk) {
            self.complete_disk(change, &mut device)?;
        } else if asked.ty().is_a(ty::VirtualEthernetCard) {
            self.complete_card(change, &mut device)?;
        } else if asked.ty().is_a(ty::VirtualController) {
            let bus = seat.key - bus_of(asked.ty()).map_or(seat.key, |bus| bus.first_key);
            device.set(const { ty::VirtualController.slot("busNumber") }, bus);
            if asked.ty().is_a(ty::VirtualSCSIController) {
                device.set(const { ty::VirtualSCSIController.slot("hotAddRemove") }, true);
                device.set(const { ty::VirtualSCSIController.slot("scsiCtlrUnitNumber") }, 7);
            }
        }
        if asked.ty().is_a(ty::VirtualController) {
            self.real_keys.insert(key(asked), seat.key);
        }
        let device = self.described(&device.finish(), seat.ordinal);
        self.devices.push(device);
        Ok(())
    }

    fn described(&self, device: &Object, ordinal: i32) -> Object {
        let (label, mut summary) = seats::description(device, ordinal);
        if device.ty().is_a(ty::VirtualEthernetCard) {
            summary = self.card_summary(device);
        }
        let info = object!(Description { label: label, summary: summary });
        device.with(const { ty::VirtualDevice.slot("deviceInfo") }, info)
    }

    fn set_connectable(&self, device: &mut ObjectBuilder) {
        let slot = const { ty::VirtualDevice.slot("connectable") };
        let removable = [
            ty::VirtualEthernetCard,
            ty::VirtualCdrom,
            ty::VirtualFloppy,
            ty::VirtualSerialPort,
            ty::VirtualParallelPort,
        ];
        let given = device.get(slot).and_then(Value::as_object).cloned();
        if given.is_none() && !removable.into_iter().any(|ty| device.ty().is_a(ty)) {
            return;
        }
        let info = given.unwrap_or_else(|| {
            object!(VirtualDeviceConnectInfo {
                startConnected: true,
                allowGuestControl: true,
                connected: true,
            })
        });
        let asked = info.at(path!(VirtualDeviceConnectInfo, "connected"));
        let connected = self.machine.powered_on && asked.and_then(Value::as_bool) == Some(true);
        let mut info = info.edit();
        info.set(const { ty::VirtualDeviceConnectInfo.slot("connected") }, connected);
        info.set(const { ty::VirtualDeviceConnectInfo.slot("status") }, status(connected));
        device.set(slot, info.finish());
    }

    fn seat(&self, change: &Change<'_>) -> Result<Seat, Fault> {
        let of = change.device.ty();
        if let Some(bus) = bus_of(of) {
            return self.seat_of_controller(change, bus);
        }
        if is_on_bus(of) {
            return self.seat_on_bus(change);
        }
        let row = row_of(of).ok_or_else(|| change.invalid())?;
        let controller = match controller_key(change.device) {
            // Some clients leave 0 or a key of their own where only one controller is possible.
            Some(given) if self.find(self.real(given)).is_some() => self.real(given),
            _ => row.controller,
        };
        if self.find(controller).is_none() {
            return Err(change.invalid());
        }
        let ordinal = (0..row.most).find(|n| self.find(row.first_key + n).is_none());
        let ordinal = ordinal.ok_or_else(|| change.too_many())?;
        Ok(Seat {
            key: row.first_key + ordinal,
            controller: Some(controller),
            unit: row.first_unit.map(|first| first + ordinal),
            ordinal,
        })
    }

    fn seat_of_controller(&self, change: &Change<'_>, bus: &Bus) -> Result<Seat, Fault> {
        let free = |number: &i32| self.find(bus.first_key + number).is_none();
        let asked = seats::bus_number(change.device);
        let number = if (0..bus.most).contains(&asked) && free(&asked) {
            asked
        } else {
            (0..bus.most).find(free).ok_or_else(|| change.too_many())?
        };
        Ok(Seat {
            key: bus.first_key + number,
            controller: Some(100),
            unit: match bus.first_key {
                1000 => Some(3 + number),
                15000 => Some(24 + number),
                31000 => Some(30 + number),
                _ => None,
            },
            ordinal: number,
        })
    }

    fn seat_on_bus(&self, change: &Change<'_>) -> Result<Seat, Fault> {
        let wanted = controller_key(change.device).ok_or_else(|| change.invalid())?;
        let controller = self.find(self.real(wanted)).ok_or_else(|| change.invalid())?;
        let bus = bus_of(controller.ty()).ok_or_else(|| change.invalid())?;
        let on = key(controller);
        let taken = |unit: i32| {
            bus.reserved == Some(unit)
                || self.devices.iter().any(|device| {
                    controller_key(device) == Some(on) && unit_number(device) == Some(unit)
                })
        };
        let unit = match unit_number(change.device).filter(|unit| *unit >= 0) {
            Some(unit) if unit >= bus.units || taken(unit) => return Err(change.invalid()),
            Some(unit) => unit,
            None => (0..bus.units).find(|unit| !taken(*unit)).ok_or_else(|| change.invalid())?,
        };
        Ok(Seat {
            key: bus.device_key + bus.units * seats::bus_number(controller) + unit,
            controller: Some(on),
            unit: Some(unit),
            ordinal: self.free_ordinal(change.device),
        })
    }

    /// The lowest number that no label of a device of this kind has.
    fn free_ordinal(&self, device: &Object) -> i32 {
        let labels: Vec<&str> = self
            .devices
            .iter()
            .map(|held| seats::text(held, path!(VirtualDevice, "deviceInfo.label")))
            .collect();
        (0..)
            .find(|ordinal| !labels.contains(&seats::description(device, *ordinal).0.as_str()))
            .unwrap_or_default()
    }

    fn position(&self, change: &Change<'_>) -> Result<usize, Fault> {
        let wanted = self.real(key(change.device));
        self.devices.iter().position(|device| key(device) == wanted).ok_or_else(|| change.invalid())
    }

    fn edit(&mut self, change: &Change<'_>) -> Result<(), Fault> {
        let place = self.position(change)?;
        let Some(held) = self.devices.get(place).cloned() else { return Err(change.invalid()) };
        if held.ty() != change.device.ty() {
            return Err(change.invalid());
        }
        if !change.file_operation.is_empty() {
            return Err(change.invalid_operation());
        }
        let mut device = held.edit();
        let kept = [
            const { ty::VirtualDevice.slot("key") },
            const { ty::VirtualDevice.slot("deviceInfo") },
            const { ty::VirtualDevice.slot("backing") },
            const { ty::VirtualDevice.slot("controllerKey") },
            const { ty::VirtualDevice.slot("unitNumber") },
        ];
        let list = const { ty::VirtualController.slot("device") };
        for (slot, value) in change.device.slots().iter().enumerate() {
            let is_list = held.ty().is_a(ty::VirtualController) && slot == list;
            if let (Some(value), false) = (value, kept.contains(&slot) || is_list) {
                device.set(slot, value);
            }
        }
        self.move_seat(change, &held, &mut device)?;
        if change.device.at(path!(VirtualDevice, "connectable")).is_some() {
            self.set_connectable(&mut device);
        }
        if held.ty().is_a(ty::VirtualDisk) {
            self.edit_disk(change, &held, &mut device)?;
        } else if held.ty().is_a(ty::VirtualEthernetCard) {
            self.edit_card(change, &held, &mut device)?;
        } else if let Some(backing) = change.device.at(path!(VirtualDevice, "backing")) {
            device.set(const { ty::VirtualDevice.slot("backing") }, backing);
        }
        let device = self.described_again(&device.finish());
        if let Some(slot) = self.devices.get_mut(place) {
            *slot = device;
        }
        Ok(())
    }

    /// An edit that names another controller or unit moves the device there;
    /// its key stays, as keys do.
    fn move_seat(
        &self,
        change: &Change<'_>,
        held: &Object,
        device: &mut ObjectBuilder,
    ) -> Result<(), Fault> {
        let same = |asked: Option<i32>, now: Option<i32>| asked.is_none() || asked == now;
        let controller = controller_key(change.device).map(|key| self.real(key));
        if !is_on_bus(held.ty())
            || (same(controller, controller_key(held))
                && same(unit_number(change.device), unit_number(held)))
        {
            return Ok(());
        }
        if self.machine.powered_on {
            return Err(change.invalid_operation());
        }
        let seat = self.seat_on_bus(change)?;
        device.set(const { ty::VirtualDevice.slot("controllerKey") }, seat.controller);
        device.set(const { ty::VirtualDevice.slot("unitNumber") }, seat.unit);
        Ok(())
    }

    /// The device with its summary brought up to date; the label stays.
    fn described_again(&self, device: &Object) -> Object {
        let label = seats::text(device, path!(VirtualDevice, "deviceInfo.label")).to_owned();
        let next = self.described(device, 0);
        if label.is_empty() {
            return next;
        }
        next.with_at(path!(VirtualDevice, "deviceInfo.label"), label).unwrap_or(next)
    }

    fn remove(&mut self, change: &Change<'_>) -> Result<(), Fault> {
        let place = self.position(change)?;
        let Some(held) = self.devices.get(place).cloned() else { return Err(change.invalid()) };
        let has_file = !seats::file(&held).is_empty();
        if !matches!(change.file_operation, "" | "destroy")
            || (change.file_operation == "destroy" && !has_file)
            || seats::is_fixed(held.ty())
            || self.devices.iter().any(|other| controller_key(other) == Some(key(&held)))
        {
            return Err(change.invalid_operation());
        }
        self.check_power(&held)?;
        self.devices.remove(place);
        Ok(())
    }

    /// The devices, every controller knowing what hangs on it.
    fn finish(self) -> Vec<Value> {
        let devices: Vec<Value> = self.devices.into_iter().map(Value::Object).collect();
        relink(&devices)
    }
}
