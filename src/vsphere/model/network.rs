//! Standard and opaque networks.

use super::entity::entity;
use super::put;
use crate::object;
use crate::schema::ty;
use crate::value::{MoRef, Object, Value};

/// The properties of a network of standard switches.
pub fn network(mo: &MoRef, name: &str, parent: &MoRef) -> Object {
    let mut network = entity(ty::Network, name, Some(parent));
    put!(
        network,
        Network { summary: summary(mo, name), host: Vec::<Value>::new(), vm: Vec::<Value>::new() }
    );
    network.finish()
}

/// `summary` of a network.
pub fn summary(mo: &MoRef, name: &str) -> Object {
    object!(NetworkSummary { network: mo, name: name, accessible: true, ipPoolName: "" })
}

/// The properties of a network that something else than vSphere switches: an
/// NSX segment with the identity `id`.
pub fn opaque_network(mo: &MoRef, name: &str, id: &str, parent: &MoRef) -> Object {
    let mut network = entity(ty::OpaqueNetwork, name, Some(parent));
    put!(
        network,
        OpaqueNetwork {
            summary: object!(OpaqueNetworkSummary {
                network: mo,
                name: name,
                accessible: true,
                ipPoolName: "",
                opaqueNetworkId: id,
                opaqueNetworkType: "nsx.LogicalSwitch",
            }),
            host: Vec::<Value>::new(),
            vm: Vec::<Value>::new(),
            capability: object!(OpaqueNetworkCapability { networkReservationSupported: false }),
            extraConfig: Vec::<Value>::new(),
        }
    );
    network.finish()
}
