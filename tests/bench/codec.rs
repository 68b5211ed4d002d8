//! How fast the SOAP codec is: a whole VM config, and small calls.
//!
//! `cargo bench --bench codec` prints times and bytes of XML per second on one core.

#![allow(clippy::expect_used, reason = "a benchmark that cannot start must stop")]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use vimsim::schema::{Version, method, ty};
use vimsim::value::{DateTime, MoRef, Object, Value};
use vimsim::wire::soap::{
    Header, Limits, Request, decode_request, encode_request, encode_response,
};
use vimsim::{enum_value, object};

fn main() {
    divan::main();
}

fn reference(ty: vimsim::schema::Type, id: &str) -> MoRef {
    MoRef::new(ty, id)
}

fn description(label: &str, summary: &str) -> Object {
    object!(Description { label: label, summary: summary })
}

fn connectable() -> Object {
    object!(VirtualDeviceConnectInfo {
        startConnected: true,
        allowGuestControl: true,
        connected: true,
        status: "ok",
    })
}

/// What VMs have that differs little: controllers, a keyboard, a video card.
fn controllers() -> Vec<Object> {
    let mut devices = vec![
        object!(VirtualIDEController {
            key: 200,
            deviceInfo: description("IDE 0", "IDE 0"),
            busNumber: 0,
        }),
        object!(VirtualPS2Controller {
            key: 300,
            deviceInfo: description("PS2 controller 0", "PS2 controller 0"),
            busNumber: 0,
            device: vec![600, 700],
        }),
        object!(VirtualPCIController {
            key: 100,
            deviceInfo: description("PCI controller 0", "PCI controller 0"),
            busNumber: 0,
            device: vec![500, 12000, 1000, 4000],
        }),
        object!(VirtualKeyboard {
            key: 600,
            deviceInfo: description("Keyboard", "Keyboard"),
            controllerKey: 300,
            unitNumber: 0,
        }),
        object!(VirtualMachineVideoCard {
            key: 500,
            deviceInfo: description("Video card", "Video card"),
            controllerKey: 100,
            unitNumber: 0,
            videoRamSizeInKB: 4096_i64,
            numDisplays: 1,
            useAutoDetect: false,
            enable3DSupport: false,
            use3dRenderer: "automatic",
            graphicsMemorySizeInKB: 262_144_i64,
        }),
        object!(VirtualCdrom {
            key: 16000,
            deviceInfo: description("CD/DVD drive 1", "Remote device"),
            backing: object!(VirtualCdromRemotePassthroughBackingInfo {
                deviceName: "",
                useAutoDetect: false,
                exclusive: false,
            }),
            connectable: connectable(),
            controllerKey: 15000,
            unitNumber: 0,
        }),
    ];
    devices.extend((0..2).map(|bus| {
        object!(ParaVirtualSCSIController {
            key: 1000 + bus,
            deviceInfo: description("SCSI controller", "VMware paravirtual SCSI"),
            controllerKey: 100,
            unitNumber: 3 + bus,
            busNumber: bus,
            device: (0..8).map(|unit| 2000 + bus * 16 + unit).collect::<Vec<_>>(),
            hotAddRemove: true,
            sharedBus: enum_value!(VirtualSCSISharing::noSharing),
            scsiCtlrUnitNumber: 7,
        })
    }));
    devices
}

fn disk(number: i32) -> Object {
    let file = format!("[datastore1] production-web-01/production-web-01_{number}.vmdk");
    object!(VirtualDisk {
        key: 2000 + number,
        deviceInfo: description(&format!("Hard disk {}", number + 1), "41,943,040 KB"),
        backing: object!(VirtualDiskFlatVer2BackingInfo {
            fileName: file,
            datastore: reference(ty::Datastore, "datastore-31"),
            backingObjectId: "53-2000-5d3d4b80-07e1-4f0e-a4d7-1f0e2c3b4a59",
            diskMode: "persistent",
            split: false,
            writeThrough: false,
            thinProvisioned: true,
            eagerlyScrub: false,
            uuid: "6000C29f-8a4b-1d8e-4c57-0f2b8e6d1a37",
            contentId: "a3f0c9d2b4e14f6a8c7d5e3f1a2b3c4d",
            digestEnabled: false,
            sharing: "sharingNone",
        }),
        controllerKey: 1000,
        unitNumber: number,
        capacityInKB: 41_943_040_i64,
        capacityInBytes: 42_949_672_960_i64,
        shares: object!(SharesInfo { shares: 1000, level: enum_value!(SharesLevel::normal) }),
        storageIOAllocation: object!(StorageIOAllocationInfo {
            limit: -1_i64,
            shares: object!(SharesInfo { shares: 1000, level: enum_value!(SharesLevel::normal) }),
            reservation: 0,
        }),
        diskObjectId: format!("53-{}", 2000 + number),
        nativeUnmanagedLinkedClone: false,
    })
}

fn nic(number: i32) -> Object {
    object!(VirtualVmxnet3 {
        key: 4000 + number,
        deviceInfo: description(&format!("Network adapter {}", number + 1), "DVSwitch: 50 0b"),
        backing: object!(VirtualEthernetCardDistributedVirtualPortBackingInfo {
            port: object!(DistributedVirtualSwitchPortConnection {
                switchUuid: "50 0b f5 66 1b a1 11 4c-8a 75 c5 b6 6f 5e 31 a2",
                portgroupKey: "dvportgroup-41",
                portKey: format!("{}", 64 + number),
                connectionCookie: 1_093_212_411,
            }),
        }),
        connectable: connectable(),
        controllerKey: 100,
        unitNumber: 7 + number,
        addressType: "assigned",
        macAddress: format!("00:50:56:8b:4f:{number:02x}"),
        wakeOnLanEnabled: true,
        resourceAllocation: object!(VirtualEthernetCardResourceAllocation {
            reservation: 0_i64,
            share: object!(SharesInfo { shares: 50, level: enum_value!(SharesLevel::normal) }),
            limit: -1_i64,
        }),
        uptCompatibilityEnabled: true,
    })
}

/// A big VM: 16 disks, 4 NICs, 60 options.
fn config() -> Object {
    let mut devices = controllers();
    devices.extend((0..16).map(disk));
    devices.extend((0..4).map(nic));
    let options = (0..60).map(|number| {
        object!(OptionValue {
            key: format!("pciBridge{number}.virtualDev"),
            value: Value::from(if number % 3 == 0 { "TRUE" } else { "pcieRootPort & more" }),
        })
    });
    object!(VirtualMachineConfigInfo {
        changeVersion: "2024-03-11T09:18:04.112233Z",
        modified: DateTime::from_micros(1_710_148_684_112_233),
        name: "production-web-01",
        guestFullName: "Ubuntu Linux (64-bit)",
        version: "vmx-21",
        uuid: "420b8f1c-91e5-3d1a-6c5f-5d24a7d2e1b0",
        createDate: DateTime::from_micros(1_700_000_000_000_000),
        instanceUuid: "500b2f7e-6d1c-4a6e-9d0d-0d9a5c1e7f43",
        npivTemporaryDisabled: true,
        locationId: "564d1f0a-7c5e-8f4f-2b6d-1a3c5e7f9b0d",
        template: false,
        guestId: "ubuntu64Guest",
        alternateGuestName: "",
        annotation: "Owner: web team\nContact: <web@example.com> & on-call",
        files: object!(VirtualMachineFileInfo {
            vmPathName: "[datastore1] production-web-01/production-web-01.vmx",
            snapshotDirectory: "[datastore1] production-web-01/",
            suspendDirectory: "[datastore1] production-web-01/",
            logDirectory: "[datastore1] production-web-01/",
        }),
        tools: object!(ToolsConfigInfo {
            toolsVersion: 12_352,
            toolsInstallType: "guestToolsTypeOpenVMTools",
            afterPowerOn: true,
            afterResume: true,
            beforeGuestStandby: true,
            beforeGuestShutdown: true,
            toolsUpgradePolicy: "manual",
            syncTimeWithHostAllowed: true,
            syncTimeWithHost: false,
        }),
        flags: object!(VirtualMachineFlagInfo {
            disableAcceleration: false,
            enableLogging: true,
            useToe: false,
            runWithDebugInfo: false,
            monitorType: "release",
            htSharing: "any",
            snapshotDisabled: false,
            snapshotLocked: false,
            diskUuidEnabled: true,
        }),
        defaultPowerOps: object!(VirtualMachineDefaultPowerOpInfo {
            powerOffType: "soft",
            suspendType: "hard",
            resetType: "soft",
            defaultPowerOffType: "soft",
            defaultSuspendType: "hard",
            defaultResetType: "soft",
            standbyAction: "checkpoint",
        }),
        hardware: object!(VirtualHardware {
            numCPU: 8,
            numCoresPerSocket: 4,
            memoryMB: 32_768,
            virtualICH7MPresent: false,
            virtualSMCPresent: false,
            device: devices,
        }),
        memoryHotAddEnabled: true,
        cpuHotAddEnabled: true,
        cpuHotRemoveEnabled: false,
        extraConfig: options.collect::<Vec<_>>(),
        bootOptions: object!(VirtualMachineBootOptions {
            bootDelay: 0_i64,
            enterBIOSSetup: false,
            efiSecureBootEnabled: true,
            bootRetryEnabled: false,
            bootRetryDelay: 10_000_i64,
            networkBootProtocol: "ipv4",
        }),
        firmware: "efi",
        maxMksConnections: 40,
        guestAutoLockEnabled: true,
    })
}

/// A request that carries the whole config.
fn request() -> Request {
    let config = Value::Object(config());
    let state = enum_value!(TaskInfoState::success);
    let args = method::SetTaskState.params().iter().map(|param| match param.name() {
        "state" => Some(state.into()),
        "result" => Some(config.clone()),
        _ => None,
    });
    Request {
        this: reference(ty::Task, "task-1"),
        method: method::SetTaskState,
        args: args.collect(),
        version: Version::NEWEST,
        header: Header::default(),
    }
}

#[divan::bench]
fn encode_vm_config(bencher: Bencher<'_, '_>) {
    let value = Value::Object(config());
    let mut out = Vec::new();
    encode_response(method::Fetch, Some(&value), Version::NEWEST, &mut out);
    bencher.counter(BytesCount::new(out.len())).bench_local(|| {
        out.clear();
        encode_response(method::Fetch, Some(black_box(&value)), Version::NEWEST, &mut out);
        out.len()
    });
}

#[divan::bench]
fn encode_vm_config_for_an_older_client(bencher: Bencher<'_, '_>) {
    let value = Value::Object(config());
    let version = Version::parse("6.7").expect("a version");
    let mut out = Vec::new();
    encode_response(method::Fetch, Some(&value), version, &mut out);
    bencher.counter(BytesCount::new(out.len())).bench_local(|| {
        out.clear();
        encode_response(method::Fetch, Some(black_box(&value)), version, &mut out);
        out.len()
    });
}

#[divan::bench]
fn decode_vm_config(bencher: Bencher<'_, '_>) {
    let mut document = Vec::new();
    encode_request(&request(), &mut document);
    bencher.counter(BytesCount::new(document.len())).bench_local(|| {
        decode_request(black_box(&document), Some("urn:vim25/8.0.3.0"), Limits::default())
    });
}

/// The same as a client with prefixes everywhere writes it.
#[divan::bench]
fn decode_vm_config_with_prefixes(bencher: Bencher<'_, '_>) {
    let mut document = Vec::new();
    encode_request(&request(), &mut document);
    let text = String::from_utf8(document).expect("text");
    let text = text
        .replace(" xmlns=\"urn:vim25\"", "")
        .replace("</", "\u{1}")
        .replace('<', "<ns0:")
        .replace('\u{1}', "</ns0:")
        .replace("ns0:soapenv:", "soapenv:")
        .replace("<ns0:?xml", "<?xml")
        .replace("xmlns:xsi=", "xmlns:ns0=\"urn:vim25\" xmlns:xsi=")
        .replace("xsi:type=\"", "xsi:type=\"ns0:")
        .replace("\"ns0:xsd:", "\"xsd:");
    let document = text.into_bytes();
    decode_request(&document, None, Limits::default()).expect("a request");
    bencher.counter(BytesCount::new(document.len())).bench_local(|| {
        decode_request(black_box(&document), Some("urn:vim25/8.0.3.0"), Limits::default())
    });
}

#[divan::bench]
fn decode_small_call(bencher: Bencher<'_, '_>) {
    let request = Request {
        this: reference(ty::Task, "task-1"),
        method: method::UpdateProgress,
        args: [Some(Value::Int(60))].into(),
        version: Version::NEWEST,
        header: Header::default(),
    };
    let mut document = Vec::new();
    encode_request(&request, &mut document);
    bencher.counter(BytesCount::new(document.len())).bench_local(|| {
        decode_request(black_box(&document), Some("urn:vim25/8.0.3.0"), Limits::default())
    });
}

#[divan::bench]
fn encode_small_response(bencher: Bencher<'_, '_>) {
    let mut out = Vec::new();
    encode_response(method::UpdateProgress, None, Version::NEWEST, &mut out);
    bencher.counter(BytesCount::new(out.len())).bench_local(|| {
        out.clear();
        encode_response(black_box(method::UpdateProgress), None, Version::NEWEST, &mut out);
        out.len()
    });
}
