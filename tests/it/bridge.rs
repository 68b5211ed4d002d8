//! The serde bridge: views of values, and values of views.

use serde::{Deserialize, Serialize};
use vimsim::schema::ty;
use vimsim::value::bridge::{from_object, from_value, to_object};
use vimsim::value::{Array, DateTime, EnumValue, MoRef, Object, Value};
use vimsim::{enum_value, object};

fn config() -> Object {
    let disk = object!(VirtualDisk {
        key: 2000,
        backing: object!(VirtualDiskFlatVer2BackingInfo {
            fileName: "[ds] vm/vm.vmdk",
            diskMode: "persistent",
        }),
        capacityInKB: 1_048_576_i64,
    });
    let nic = object!(VirtualVmxnet3 { key: 4000, macAddress: "00:50:56:00:00:01" });
    object!(VirtualMachineConfigSpec {
        name: "vm",
        numCPUs: 4,
        memoryMB: 4096_i64,
        deviceChange: [
            object!(VirtualDeviceConfigSpec {
                operation: enum_value!(VirtualDeviceConfigSpecOperation::add),
                device: disk,
            }),
            object!(VirtualDeviceConfigSpec { device: nic }),
        ],
        extraConfig: [object!(OptionValue { key: "a", value: Value::Int(7) })],
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config<'v> {
    name: Option<&'v str>,
    #[serde(rename = "numCPUs")]
    cpus: Option<u32>,
    #[serde(rename = "memoryMB")]
    memory: Option<i64>,
    device_change: Vec<Change>,
    extra_config: Option<Vec<Extra>>,
    cpu_feature_mask: Vec<Value>,
    vm_profile: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
struct Change {
    operation: Option<Operation>,
    device: Device,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Operation {
    Add,
    Remove,
}

#[derive(Debug, Deserialize)]
enum Device {
    VirtualDisk(Disk),
    VirtualEthernetCard {
        key: i32,
        #[serde(rename = "macAddress")]
        mac: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Disk {
    key: i32,
    #[serde(rename = "capacityInKB")]
    capacity: u64,
    backing: Object,
}

#[derive(Debug, Deserialize)]
struct Extra {
    key: String,
    value: Value,
}

#[test]
fn a_view_of_a_spec() {
    let object = config();
    let view: Config<'_> = from_object(&object).unwrap();
    assert_eq!(view.name, Some("vm"));
    assert_eq!((view.cpus, view.memory), (Some(4), Some(4096)));
    let extra = view.extra_config.unwrap();
    assert_eq!((extra[0].key.as_str(), &extra[0].value), ("a", &Value::Int(7)));
    assert!(view.cpu_feature_mask.is_empty() && view.vm_profile.is_none());
    let [disk, nic] = view.device_change.as_slice() else { panic!("two changes") };
    assert_eq!(disk.operation, Some(Operation::Add));
    assert_eq!(nic.operation, None);
    match (&disk.device, &nic.device) {
        (Device::VirtualDisk(disk), Device::VirtualEthernetCard { key, mac }) => {
            assert_eq!((disk.key, disk.capacity, *key), (2000, 1_048_576, 4000));
            assert_eq!(mac, "00:50:56:00:00:01");
            assert_eq!(disk.backing.ty(), ty::VirtualDiskFlatVer2BackingInfo);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_view_keeps_is_the_original() {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct View {
        device_change: Array,
    }
    let object = config();
    let view: View = from_object(&object).unwrap();
    let original = object.field("deviceChange").and_then(Value::as_array).unwrap();
    assert!(view.device_change.same(original));
}

#[test]
fn types_without_a_variant_are_the_rest() {
    let cdrom = Value::Object(object!(VirtualCdrom { key: 1 }));
    assert!(matches!(from_value::<Device>(&cdrom), Ok(Device::Other)));
}

#[test]
fn errors_name_the_field() {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct View {
        #[allow(dead_code)]
        device_change: Vec<Strict>,
    }
    #[derive(Debug, Deserialize)]
    struct Strict {
        #[allow(dead_code)]
        operation: Operation,
    }
    let error = from_object::<View>(&config()).unwrap_err();
    assert_eq!(error.to_string(), "deviceChange[1].operation: not set");

    #[derive(Debug, Deserialize)]
    struct Narrow {
        #[allow(dead_code)]
        #[serde(rename = "memoryMB")]
        memory: u8,
    }
    let error = from_object::<Narrow>(&config()).unwrap_err();
    assert_eq!(error.path(), "memoryMB");
    let text = Value::from("7");
    assert!(from_value::<i32>(&text).is_err());
    let reference = Value::Ref(MoRef::new(ty::Task, "task-1"));
    assert!(from_value::<String>(&reference).is_err());
    assert!(from_value::<Object>(&reference).is_err());
    assert_eq!(from_value::<MoRef>(&reference).unwrap().id(), "task-1");
}

#[test]
fn values_do_not_leave_the_bridge() {
    assert!(serde_json::to_string(&Value::Int(1)).is_err());
    assert!(serde_json::from_str::<Value>("null").is_err());
    assert!(serde_json::from_str::<MoRef>("\"vm-1\"").is_err());
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Relocate {
    pool: Option<MoRef>,
    disk_move_type: &'static str,
    disk: Vec<Locator>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Locator {
    disk_id: u16,
    datastore: MoRef,
    disk_backing_info: Backing,
}

#[derive(Serialize)]
enum Backing {
    VirtualDiskFlatVer2BackingInfo(Flat),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Flat {
    file_name: String,
    disk_mode: &'static str,
    thin_provisioned: bool,
}

#[test]
fn a_value_of_a_view() {
    let datastore = MoRef::new(ty::Datastore, "datastore-1");
    let view = Relocate {
        pool: None,
        disk_move_type: "moveAllDiskBackingsAndAllowSharing",
        disk: vec![Locator {
            disk_id: 2000,
            datastore: datastore.clone(),
            disk_backing_info: Backing::VirtualDiskFlatVer2BackingInfo(Flat {
                file_name: "[ds] a.vmdk".to_owned(),
                disk_mode: "persistent",
                thin_provisioned: true,
            }),
        }],
    };
    let expected = object!(VirtualMachineRelocateSpec {
        diskMoveType: "moveAllDiskBackingsAndAllowSharing",
        disk: [object!(VirtualMachineRelocateSpecDiskLocator {
            diskId: 2000,
            datastore: datastore,
            diskBackingInfo: object!(VirtualDiskFlatVer2BackingInfo {
                fileName: "[ds] a.vmdk",
                diskMode: "persistent",
                thinProvisioned: true,
            }),
        })],
    });
    assert_eq!(to_object(ty::VirtualMachineRelocateSpec, &view), Ok(expected));
}

#[test]
fn a_value_of_a_view_of_anything() {
    #[derive(Serialize)]
    struct Info {
        key: &'static str,
        state: EnumValue,
        cancelled: bool,
        #[serde(rename = "queueTime")]
        queue_time: DateTime,
        #[serde(rename = "startTime")]
        start_time: &'static str,
        progress: Option<u8>,
        result: Vec<&'static str>,
        reason: Reason,
    }
    #[derive(Serialize)]
    enum Reason {
        TaskReasonUser {
            #[serde(rename = "userName")]
            user_name: &'static str,
        },
    }
    let info = Info {
        key: "task-1",
        state: enum_value!(TaskInfoState::running),
        cancelled: false,
        queue_time: DateTime::EPOCH,
        start_time: "1970-01-01T01:00:00+01:00",
        progress: Some(60),
        result: vec!["a", "b"],
        reason: Reason::TaskReasonUser { user_name: "root" },
    };
    let strings = Array::new(ty::STRING, vec!["a".into(), "b".into()]);
    let expected = object!(TaskInfo {
        key: "task-1",
        state: enum_value!(TaskInfoState::running),
        cancelled: false,
        queueTime: DateTime::EPOCH,
        startTime: DateTime::EPOCH,
        progress: 60,
        result: strings,
        reason: object!(TaskReasonUser { userName: "root" }),
    });
    assert_eq!(to_object(ty::TaskInfo, &info), Ok(expected));
}

#[test]
fn a_view_that_does_not_fit_its_type() {
    #[derive(Serialize)]
    struct Spec<T> {
        #[serde(rename = "numCPUs")]
        value: T,
    }
    #[derive(Serialize)]
    struct Mistyped {
        nmae: &'static str,
    }
    let to_spec = |error: Result<Object, _>| {
        let error: vimsim::value::bridge::BridgeError = error.unwrap_err();
        error.path()
    };
    let spec = ty::VirtualMachineConfigSpec;
    assert_eq!(to_spec(to_object(spec, &Spec { value: 1_u64 << 40 })), "numCPUs");
    assert_eq!(to_spec(to_object(spec, &Spec { value: "four" })), "numCPUs");
    assert_eq!(to_spec(to_object(spec, &Spec { value: vec![4] })), "numCPUs");
    assert_eq!(to_spec(to_object(spec, &Spec { value: Value::Long(4) })), "numCPUs");
    assert_eq!(to_spec(to_object(spec, &Mistyped { nmae: "vm" })), "nmae");
    assert_eq!(to_spec(to_object(spec, "text")), "");
    let unset = to_object(spec, &Spec { value: None::<i32> });
    assert_eq!(unset, Ok(object!(VirtualMachineConfigSpec {})));
}
