//! Power states in the terms of XenAPI.
//!
//! ```text
//!            start                    pause
//!   Halted ─────────► Running ─────────────────► Paused
//!     ▲                │ ▲  ▲                      │ │
//!     ├── shutdown ────┘ │  └────── unpause ───────┘ │
//!     │        suspend ──┼──► Suspended              │
//!     │                  └── resume ──┘ │            │
//!     └──────────── hard_shutdown ──────┴────────────┘
//! ```
//!
//! vSphere knows no pause: a machine that is paused runs there. That it is
//! paused is noted beside the inventory, with the time at which the machine
//! was started, so that the note means nothing once it has been off.

use super::own::Own;
use crate::engine::Tx;
use crate::inventory::{Read, Snapshot};
use crate::path;
use crate::value::{DateTime, MoRef, Value};

/// Where a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerState {
    /// Off.
    Halted,
    /// In memory, without running.
    Paused,
    /// On.
    Running,
    /// Its memory is on a disk.
    Suspended,
}

impl PowerState {
    /// All of them, as the enumeration has them.
    pub const NAMES: &[&str] = &["Halted", "Paused", "Running", "Suspended"];

    /// As records have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Halted => "Halted",
            Self::Paused => "Paused",
            Self::Running => "Running",
            Self::Suspended => "Suspended",
        }
    }

    /// As failures have it.
    pub const fn lower(self) -> &'static str {
        match self {
            Self::Halted => "halted",
            Self::Paused => "paused",
            Self::Running => "running",
            Self::Suspended => "suspended",
        }
    }

    /// Where a machine is in a snapshot.
    pub fn of(state: &Snapshot, vm: &MoRef) -> Self {
        Self::read(state, crate::engine::aside_in(state), vm)
    }

    /// Where a machine is inside a change.
    pub fn inside(tx: &Tx<'_>, vm: &MoRef) -> Self {
        Self::read(tx, tx.aside(), vm)
    }

    fn read(state: &impl Read, own: Option<&Own>, vm: &MoRef) -> Self {
        match state.text(vm, path!(VirtualMachine, "runtime.powerState")) {
            "poweredOn" => {
                let paused = own.and_then(|own| own.paused(vm));
                if paused.is_some() && paused == boot_time(state, vm) {
                    Self::Paused
                } else {
                    Self::Running
                }
            }
            "suspended" => Self::Suspended,
            _ => Self::Halted,
        }
    }
}

/// When a machine was started that is on.
pub fn boot_time(state: &impl Read, vm: &MoRef) -> Option<DateTime> {
    state.at(vm, path!(VirtualMachine, "runtime.bootTime")).and_then(Value::as_date_time)
}

/// Notes that a machine that is on is paused, or that it no longer is.
pub fn set_paused(tx: &mut Tx<'_>, vm: &MoRef, paused: bool) {
    let since = boot_time(tx, vm).filter(|_| paused);
    let own = tx.aside::<Own>().cloned().unwrap_or_default();
    if own.paused(vm) == since {
        return;
    }
    let own = own.with_paused(vm, since);
    tx.set_aside(own);
    tx.touch(vm);
}

/// What XenAPI calls a power state of vSphere, in the lower case of failures.
pub fn of_vsphere(state: &str) -> &'static str {
    match state {
        "poweredOn" => "running",
        "suspended" => "suspended",
        _ => "halted",
    }
}
