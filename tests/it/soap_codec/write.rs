//! What the server writes.

use vimsim::fault::Fault;
use vimsim::schema::{Method, Version, method, ty};
use vimsim::value::{Array, Binary, DateTime, MoRef, Value};
use vimsim::wire::soap::{encode_fault, encode_response};
use vimsim::{enum_value, object};

const HEAD: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
    "<soapenv:Envelope xmlns:soapenc=\"http://schemas.xmlsoap.org/soap/encoding/\" ",
    "xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" ",
    "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" ",
    "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n<soapenv:Body>\n",
);
const TAIL: &str = "\n</soapenv:Body>\n</soapenv:Envelope>";

fn content(document: Vec<u8>) -> String {
    let text = String::from_utf8(document).unwrap();
    let body = text.strip_prefix(HEAD).and_then(|rest| rest.strip_suffix(TAIL));
    body.unwrap_or_else(|| panic!("another envelope: {text}")).to_owned()
}

fn response(method: Method, result: Option<&Value>, version: &str) -> String {
    let mut out = Vec::new();
    encode_response(method, result, Version::parse(version).unwrap(), &mut out);
    content(out)
}

/// What `Fetch` answers: a value of declared type any.
fn fetched(value: impl Into<Value>) -> String {
    fetched_by("8.0.3.0", value)
}

fn fetched_by(version: &str, value: impl Into<Value>) -> String {
    let whole = response(method::Fetch, Some(&value.into()), version);
    let inner = whole
        .strip_prefix("<FetchResponse xmlns=\"urn:vim25\">")
        .and_then(|rest| rest.strip_suffix("</FetchResponse>"));
    inner.unwrap_or_else(|| panic!("another response: {whole}")).to_owned()
}

fn fault(fault: &Fault, version: &str) -> String {
    let mut out = Vec::new();
    encode_fault(fault, Version::parse(version).unwrap(), &mut out);
    content(out)
}

fn task() -> MoRef {
    MoRef::new(ty::Task, "task-1")
}

#[test]
fn responses() {
    let time = Value::from(DateTime::from_micros(1_388_451_711_154_550));
    assert_eq!(
        response(method::CurrentTime, Some(&time), "8.0.3.0"),
        "<CurrentTimeResponse xmlns=\"urn:vim25\"><returnval>2013-12-31T01:01:51.15455Z\
         </returnval></CurrentTimeResponse>"
    );
    assert_eq!(
        response(method::PowerOnVM_Task, Some(&task().into()), "8.0.3.0"),
        "<PowerOnVM_TaskResponse xmlns=\"urn:vim25\"><returnval type=\"Task\">task-1</returnval>\
         </PowerOnVM_TaskResponse>"
    );
    let nothing = "<CancelTaskResponse xmlns=\"urn:vim25\"></CancelTaskResponse>";
    assert_eq!(response(method::CancelTask, None, "8.0.3.0"), nothing);
    assert_eq!(
        response(method::Fetch, None, "8.0.3.0"),
        "<FetchResponse xmlns=\"urn:vim25\"></FetchResponse>"
    );
    let found = Array::of_refs([&MoRef::new(ty::VirtualMachine, "vm-1"), &task()]);
    assert_eq!(
        response(method::FindAllByIp, Some(&found.into()), "8.0.3.0"),
        "<FindAllByIpResponse xmlns=\"urn:vim25\"><returnval type=\"VirtualMachine\">vm-1\
         </returnval><returnval type=\"Task\">task-1</returnval></FindAllByIpResponse>"
    );
    let none = Array::empty(ty::ManagedObject).into();
    assert_eq!(
        response(method::FindAllByIp, Some(&none), "8.0.3.0"),
        "<FindAllByIpResponse xmlns=\"urn:vim25\"></FindAllByIpResponse>"
    );
    let result = object!(ReflectManagedMethodExecuterSoapResult { response: "<a/>" });
    assert_eq!(
        response(method::FetchSoap, Some(&result.into()), "8.0.3.0"),
        "<FetchSoapResponse xmlns=\"urn:reflect\"><returnval><response>&lt;a/&gt;</response>\
         </returnval></FetchSoapResponse>"
    );
}

#[test]
fn values_of_declared_type_any() {
    for (value, expected) in [
        (Value::Boolean(true), "<returnval xsi:type=\"xsd:boolean\">true</returnval>"),
        (Value::Byte(-1), "<returnval xsi:type=\"xsd:byte\">-1</returnval>"),
        (Value::Short(2), "<returnval xsi:type=\"xsd:short\">2</returnval>"),
        (Value::Int(3), "<returnval xsi:type=\"xsd:int\">3</returnval>"),
        (Value::Long(4), "<returnval xsi:type=\"xsd:long\">4</returnval>"),
        (Value::Float(0.5), "<returnval xsi:type=\"xsd:float\">0.5</returnval>"),
        (Value::Double(1e99), "<returnval xsi:type=\"xsd:double\">1E99</returnval>"),
        ("a<b".into(), "<returnval xsi:type=\"xsd:string\">a&lt;b</returnval>"),
        (
            DateTime::EPOCH.into(),
            "<returnval xsi:type=\"xsd:dateTime\">1970-01-01T00:00:00Z</returnval>",
        ),
        (
            Value::Binary(Binary::new(b"hello")),
            "<returnval xsi:type=\"xsd:base64Binary\">aGVsbG8=</returnval>",
        ),
        (
            Value::Enum(enum_value!(TaskInfoState::running)),
            "<returnval xsi:type=\"TaskInfoState\">running</returnval>",
        ),
        (
            task().into(),
            "<returnval type=\"Task\" xsi:type=\"ManagedObjectReference\">task-1</returnval>",
        ),
        (
            Array::new(ty::STRING, vec!["a".into(), "".into()]).into(),
            "<returnval xsi:type=\"ArrayOfString\"><string>a</string><string></string></returnval>",
        ),
        (
            Array::new(ty::INT, vec![Value::Int(1)]).into(),
            "<returnval xsi:type=\"ArrayOfInt\"><int>1</int></returnval>",
        ),
        (
            Array::of_refs([&task()]).into(),
            "<returnval xsi:type=\"ArrayOfManagedObjectReference\"><ManagedObjectReference \
             type=\"Task\">task-1</ManagedObjectReference></returnval>",
        ),
        (
            Array::empty(ty::Task).into(),
            "<returnval xsi:type=\"ArrayOfManagedObjectReference\"></returnval>",
        ),
        (
            Array::new(ty::ANY, vec![Value::Int(1), "b".into()]).into(),
            "<returnval xsi:type=\"ArrayOfAnyType\"><anyType xsi:type=\"xsd:int\">1</anyType>\
             <anyType xsi:type=\"xsd:string\">b</anyType></returnval>",
        ),
        (
            object!(LocalizableMessage { key: "k" }).into(),
            "<returnval xsi:type=\"LocalizableMessage\"><key>k</key></returnval>",
        ),
        (
            Array::new(
                ty::VirtualDevice,
                vec![
                    object!(VirtualCdrom { key: 1 }).into(),
                    object!(VirtualDevice { key: 2 }).into(),
                ],
            )
            .into(),
            "<returnval xsi:type=\"ArrayOfVirtualDevice\"><VirtualDevice xsi:type=\"VirtualCdrom\">\
             <key>1</key></VirtualDevice><VirtualDevice><key>2</key></VirtualDevice></returnval>",
        ),
    ] {
        assert_eq!(fetched(value), expected);
    }
}

#[test]
fn fields_in_declaration_order_with_types_where_needed() {
    let info = object!(TaskInfo {
        // Set in another order than declared.
        progress: 60,
        reason: object!(TaskReasonUser { userName: "root" }),
        key: "task-1",
        task: task(),
        state: "running",
        cancelled: false,
        cancelable: true,
        queueTime: DateTime::EPOCH,
        descriptionId: "VirtualMachine.clone",
        eventChainId: 7,
        locked: Array::empty(ty::ManagedEntity),
        result: Value::Int(1),
        error: object!(LocalizedMethodFault {
            fault: object!(InvalidState {}),
            localizedMessage: "No.",
        }),
    });
    assert_eq!(
        fetched(info),
        "<returnval xsi:type=\"TaskInfo\"><key>task-1</key><task type=\"Task\">task-1</task>\
         <descriptionId>VirtualMachine.clone</descriptionId><state>running</state>\
         <cancelled>false</cancelled><cancelable>true</cancelable><error><fault \
         xsi:type=\"InvalidState\"></fault><localizedMessage>No.</localizedMessage></error>\
         <result xsi:type=\"xsd:int\">1</result><progress>60</progress><reason \
         xsi:type=\"TaskReasonUser\"><userName>root</userName></reason>\
         <queueTime>1970-01-01T00:00:00Z</queueTime><eventChainId>7</eventChainId></returnval>"
    );
}

#[test]
fn nothing_newer_than_the_client() {
    let info = object!(TaskInfo {
        key: "task-1",
        // Since 4.0, 6.0 and 8.0.1.0.
        rootTaskKey: "task-0",
        activationId: "a",
        progressDetails: [object!(KeyAnyValue { key: "k", value: Value::Int(1) })],
    });
    let count = |version: &str| {
        let text = fetched_by(version, info.clone());
        ["rootTaskKey", "activationId", "progressDetails"]
            .map(|name| text.contains(&format!("<{name}>")))
    };
    assert_eq!(count("2.5"), [false, false, false]);
    assert_eq!(count("4.0"), [true, false, false]);
    assert_eq!(count("7.0.0.0"), [true, true, false]);
    assert_eq!(count("8.0.1.0"), [true, true, true]);
}

#[test]
fn types_newer_than_the_client_go_as_their_base() {
    // `VirtualVmxnet3` since 4.0, its base `VirtualVmxnet` since the beginning.
    let nic = Value::from(object!(VirtualVmxnet3 { key: 4000, macAddress: "00:50:56:00:00:01" }));
    let rest = "<key>4000</key><macAddress>00:50:56:00:00:01</macAddress></returnval>";
    let typed = |name: &str| format!("<returnval xsi:type=\"{name}\">{rest}");
    assert_eq!(fetched_by("4.0", nic.clone()), typed("VirtualVmxnet3"));
    assert_eq!(fetched_by("2.5", nic.clone()), typed("VirtualVmxnet"));
    let nics = Array::new(ty::VirtualVmxnet3, vec![nic]);
    let old = fetched_by("2.5", nics);
    assert!(
        old.starts_with("<returnval xsi:type=\"ArrayOfVirtualVmxnet\"><VirtualVmxnet>"),
        "{old}"
    );
    let pod = MoRef::new(ty::StoragePod, "group-p1");
    assert_eq!(
        fetched_by("4.1", pod),
        "<returnval type=\"Folder\" xsi:type=\"ManagedObjectReference\">group-p1</returnval>"
    );
}

#[test]
fn faults() {
    assert_eq!(
        fault(&Fault::invalid_login(), "8.0.3.0"),
        "<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>Cannot complete login \
         due to an incorrect user name or password.</faultstring><detail><InvalidLoginFault \
         xmlns=\"urn:vim25\" xsi:type=\"InvalidLogin\"></InvalidLoginFault></detail>\
         </soapenv:Fault>"
    );
    let gone = Fault::not_found(&MoRef::new(ty::Task, "task-<9>"));
    assert_eq!(
        fault(&gone, "8.0.3.0"),
        "<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>The object \
         'vim.Task:task-&lt;9&gt;' has already been deleted or has not been completely created\
         </faultstring><detail><ManagedObjectNotFoundFault xmlns=\"urn:vim25\" \
         xsi:type=\"ManagedObjectNotFound\"><obj type=\"Task\">task-&lt;9&gt;</obj>\
         </ManagedObjectNotFoundFault></detail></soapenv:Fault>"
    );
    let denied = Fault::no_permission(&task(), "Task.Update");
    assert!(fault(&denied, "7.0.3.2").contains("<missingPrivileges>"));
    assert!(!fault(&denied, "7.0.3.1").contains("<missingPrivileges>"));
}

#[test]
fn faults_newer_than_the_client_go_as_their_base() {
    // `InvalidDasConfigArgument` is there since 5.1, its base since the beginning.
    let new = object!(InvalidDasConfigArgument { invalidProperty: "spec", entry: "slotPolicy" });
    let new = Fault::new(new, "wrong");
    assert!(fault(&new, "5.1").contains("<InvalidDasConfigArgumentFault "));
    let expected = "<detail><InvalidArgumentFault xmlns=\"urn:vim25\" xsi:type=\"InvalidArgument\">\
                    <invalidProperty>spec</invalidProperty></InvalidArgumentFault></detail>";
    let text = fault(&new, "5.0");
    assert!(text.contains(expected), "{text}");
}
