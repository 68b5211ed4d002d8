//! Network adapters of a machine: the network behind each, and its address.

use super::devices::{Bench, Change};
use super::seats::{at, text};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::ty;
use crate::value::{MoRef, Object, ObjectBuilder, Value};
use crate::vsphere::model::device::{network_backing, shares};
use crate::vsphere::model::identity::{MacSource, mac};

/// The network of the host that a backing names.
fn network_of(state: &(impl Read + ?Sized), host: &MoRef, backing: &Object) -> Option<MoRef> {
    let of = backing.ty();
    let mut offered = state.morefs(host, path!(HostSystem, "network")).into_iter();
    if of.is_a(ty::VirtualEthernetCardDistributedVirtualPortBackingInfo) {
        let port = |path| text(backing, path);
        let key =
            port(path!(VirtualEthernetCardDistributedVirtualPortBackingInfo, "port.portgroupKey"));
        let switch_uuid =
            port(path!(VirtualEthernetCardDistributedVirtualPortBackingInfo, "port.switchUuid"));
        return offered.find(|network| {
            let switch = path!(DistributedVirtualPortgroup, "config.distributedVirtualSwitch");
            network.ty().is_a(ty::DistributedVirtualPortgroup)
                && state.text(network, path!(DistributedVirtualPortgroup, "key")) == key
                && state.moref(network, switch).is_some_and(|switch| {
                    state.text(switch, path!(DistributedVirtualSwitch, "uuid")) == switch_uuid
                })
        });
    }
    if of.is_a(ty::VirtualEthernetCardOpaqueNetworkBackingInfo) {
        let id =
            text(backing, path!(VirtualEthernetCardOpaqueNetworkBackingInfo, "opaqueNetworkId"));
        return offered.find(|network| {
            let summary = state.at(network, path!(Network, "summary")).and_then(Value::as_object);
            summary.is_some_and(|summary| {
                text(summary, path!(OpaqueNetworkSummary, "opaqueNetworkId")) == id
            })
        });
    }
    let by_name = text(backing, path!(VirtualDeviceDeviceBackingInfo, "deviceName"));
    let by_reference = at(backing, path!(VirtualEthernetCardNetworkBackingInfo, "network"));
    offered.filter(|network| !network.ty().is_a(ty::DistributedVirtualPortgroup)).find(|network| {
        match by_name {
            "" => by_reference.and_then(Value::as_moref) == Some(network),
            name => state.text(network, path!(Network, "name")) == name,
        }
    })
}

/// A hardware address as people write it: six pairs of digits with colons.
fn is_address(text: &str) -> bool {
    let mut pairs = 0;
    let fine = text.split(':').all(|pair| {
        pairs += 1;
        pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    fine && pairs == 6
}

impl Bench<'_, '_> {
    /// Gives a new adapter its network and its address.
    pub(super) fn complete_card(
        &mut self,
        change: &Change<'_>,
        card: &mut ObjectBuilder,
    ) -> Result<(), Fault> {
        if card.ty() == ty::VirtualEthernetCard || card.ty() == ty::VirtualVmxnet {
            return Err(change.invalid());
        }
        let backing = change.device.at(path!(VirtualDevice, "backing")).and_then(Value::as_object);
        let backing = backing.ok_or_else(|| change.invalid_backing())?;
        card.set(const { ty::VirtualDevice.slot("backing") }, self.card_backing(change, backing)?);
        let address = text(change.device, path!(VirtualEthernetCard, "macAddress")).to_owned();
        let kind =
            text(change.device, path!(VirtualEthernetCard, "addressType")).to_ascii_lowercase();
        self.set_address(change, card, &address, &kind)?;
        let slot = const { ty::VirtualEthernetCard.slot("wakeOnLanEnabled") };
        if card.get(slot).is_none() {
            card.set(slot, true);
        }
        let slot = const { ty::VirtualEthernetCard.slot("resourceAllocation") };
        if card.get(slot).is_none() {
            card.set(
                slot,
                crate::object!(VirtualEthernetCardResourceAllocation {
                    reservation: 0,
                    share: shares("normal", 50),
                    limit: -1_i64,
                }),
            );
        }
        Ok(())
    }

    /// The address that the client wants, or a new one. Two adapters may have
    /// one address if the client wants it so: the networks are not ours.
    fn set_address(
        &mut self,
        change: &Change<'_>,
        card: &mut ObjectBuilder,
        address: &str,
        kind: &str,
    ) -> Result<(), Fault> {
        let slot = const { ty::VirtualEthernetCard.slot("addressType") };
        match (kind, address) {
            ("manual", "") => return Err(change.invalid()),
            ("" | "generated" | "assigned", "") => {
                let address = mac(MacSource::VCenter, self.tx.next_number());
                card.set(const { ty::VirtualEthernetCard.slot("macAddress") }, address);
                card.set(slot, "assigned");
            }
            ("" | "generated" | "assigned" | "manual", address) if is_address(address) => {
                let kind = if kind.is_empty() { "manual" } else { kind };
                let address = address.to_ascii_lowercase();
                card.set(const { ty::VirtualEthernetCard.slot("macAddress") }, address);
                card.set(slot, kind);
            }
            _ => return Err(change.invalid()),
        }
        Ok(())
    }

    fn card_backing(&self, change: &Change<'_>, asked: &Object) -> Result<Object, Fault> {
        let network = network_of(self.tx, &self.machine.host, asked)
            .ok_or_else(|| change.invalid_backing())?;
        let (made, _) = network_backing(self.tx, &network);
        if !asked.ty().is_a(made.ty()) {
            return Err(change.invalid_backing());
        }
        // What the client says beyond the network, such as a port, stays.
        let mut backing = asked.edit();
        if asked.ty().is_a(ty::VirtualEthernetCardNetworkBackingInfo) {
            for (slot, value) in made.slots().iter().enumerate() {
                backing.set(slot, value.as_ref());
            }
        }
        Ok(backing.finish())
    }

    /// What is shown of an adapter: the network it is connected to.
    pub(super) fn card_summary(&self, card: &Object) -> String {
        let backing = at(card, path!(VirtualDevice, "backing")).and_then(Value::as_object);
        let network = backing.and_then(|it| network_of(self.tx, &self.machine.host, it));
        network.map(|network| network_backing(self.tx, &network).1).unwrap_or_default()
    }

    /// An adapter can go to another network and get another address.
    pub(super) fn edit_card(
        &mut self,
        change: &Change<'_>,
        held: &Object,
        card: &mut ObjectBuilder,
    ) -> Result<(), Fault> {
        if let Some(Value::Object(asked)) = change.device.at(path!(VirtualDevice, "backing")) {
            let backing = self.card_backing(change, asked)?;
            card.set(const { ty::VirtualDevice.slot("backing") }, backing);
        }
        let before = text(held, path!(VirtualEthernetCard, "macAddress"));
        let asked = text(change.device, path!(VirtualEthernetCard, "macAddress"));
        let kind = text(change.device, path!(VirtualEthernetCard, "addressType"));
        if !asked.is_empty() && !asked.eq_ignore_ascii_case(before) {
            if self.machine.powered_on {
                return Err(change.invalid_operation());
            }
            self.set_address(change, card, asked, &kind.to_ascii_lowercase())?;
        }
        Ok(())
    }
}
