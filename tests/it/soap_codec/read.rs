//! What clients write.

use vimsim::object;
use vimsim::schema::{method, ty};
use vimsim::value::{Array, Binary, DateTime, EnumValue, MoRef, Value};
use vimsim::wire::soap::{Limits, decode_request};

use super::{arg, call, decode, soap};

/// The argument of declared type anyType, from its attributes and content.
#[track_caller]
fn any(attributes: &str, content: &str) -> Value {
    let request = call(&format!(
        "<SetTaskState xmlns='urn:vim25'><_this type='Task'>task-1</_this>\
         <state>success</state><result {attributes}>{content}</result></SetTaskState>"
    ));
    arg(&request, "result").expect("a result").clone()
}

/// A field of a spec, from its element.
#[track_caller]
fn config(field: &str, element: &str) -> Option<Value> {
    let request = call(&format!(
        "<ReconfigVM_Task xmlns='urn:vim25'><_this type='VirtualMachine'>vm-1</_this>\
         <spec>{element}</spec></ReconfigVM_Task>"
    ));
    arg(&request, "spec").unwrap().as_object().unwrap().field(field).cloned()
}

fn strings(texts: &[&str]) -> Value {
    Array::new(ty::STRING, texts.iter().map(|text| Value::from(*text)).collect()).into()
}

#[test]
fn a_call_as_pyvmomi_writes_it() {
    let body = concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<soapenv:Envelope xmlns:soapenc=\"http://schemas.xmlsoap.org/soap/encoding/\" ",
        "xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" ",
        "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" ",
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n",
        "<soapenv:Header><operationID xmlns=\"urn:vim25\" versionId=\"8.0.3.0\">op-7",
        "</operationID><vcSessionCookie>abc</vcSessionCookie></soapenv:Header>\n",
        "<soapenv:Body><PowerOnVM_Task xmlns=\"urn:vim25\">",
        "<_this versionId=\"8.0.2.0\" type=\"VirtualMachine\">vm-57</_this>",
        "<host xsi:type=\"ManagedObject\" type=\"HostSystem\">host-9</host>",
        "</PowerOnVM_Task></soapenv:Body></soapenv:Envelope>",
    );
    let limits = Limits::default();
    let request = decode_request(body.as_bytes(), Some("\"urn:vim25/8.0.3.0\""), limits).unwrap();
    assert_eq!(request.method, method::PowerOnVM_Task);
    assert_eq!(request.this, MoRef::new(ty::VirtualMachine, "vm-57"));
    assert_eq!(request.version.as_str(), "8.0.3.0");
    assert_eq!(arg(&request, "host"), Some(&MoRef::new(ty::HostSystem, "host-9").into()));
    assert_eq!(request.header.operation_id.as_deref(), Some("op-7"));
    assert_eq!(request.header.session_cookie.as_deref(), Some("abc"));
    let unversioned = decode_request(body.as_bytes(), None, limits).unwrap();
    assert_eq!(unversioned.version.as_str(), "8.0.2.0");
}

#[test]
fn passwords_are_not_shown() {
    let request = call(
        "<Login xmlns='urn:vim25'><_this type='SessionManager'>SessionManager</_this>\
         <userName>root</userName><password>vmware1!</password></Login>",
    );
    assert_eq!(arg(&request, "password"), Some(&"vmware1!".into()));
    let shown = format!("{request:?}");
    assert!(shown.contains("root") && !shown.contains("vmware1!"), "{shown}");
}

#[test]
fn the_version_is_in_the_soap_action() {
    let body = soap(
        "<CurrentTime xmlns='urn:vim25'><_this type='ServiceInstance'>ServiceInstance\
         </_this></CurrentTime>",
    );
    for (action, version) in [
        (Some("\"urn:vim25/8.0.3.0\""), "8.0.3.0"),
        (Some("urn:vim25/6.7"), "6.7"),
        (Some("urn:internalvim25/7.0.0.0"), "7.0.0.0"),
        // Between two versions, and newer than all.
        (Some("urn:vim25/6.7.9"), "6.7.3"),
        (Some("urn:vim25/99.0"), vimsim::schema::Version::NEWEST.as_str()),
        (Some(""), vimsim::schema::Version::NEWEST.as_str()),
        (Some("urn:vim25"), vimsim::schema::Version::NEWEST.as_str()),
        (None, vimsim::schema::Version::NEWEST.as_str()),
    ] {
        let request = decode_request(body.as_bytes(), action, Limits::default()).unwrap();
        assert_eq!(request.version.as_str(), version, "{action:?}");
    }
}

#[test]
fn envelopes_of_all_kinds() {
    let call = "<v:CurrentTime xmlns:v='urn:vim25'><v:_this type='ServiceInstance'>\
                ServiceInstance</v:_this></v:CurrentTime>";
    let soap11 = "http://schemas.xmlsoap.org/soap/envelope/";
    let soap12 = "http://www.w3.org/2003/05/soap-envelope";
    let default = "<CurrentTime xmlns='urn:vim25'><_this type='ServiceInstance'>x</_this>\
                   </CurrentTime>";
    for body in [
        format!("<Envelope xmlns='{soap11}'><Body>{call}</Body></Envelope>"),
        format!("<Envelope xmlns='{soap11}'><Body>{default}</Body></Envelope>"),
        format!("<e:Envelope xmlns:e='{soap12}'><e:Body>{call}</e:Body></e:Envelope>"),
        format!("\u{feff}<e:Envelope xmlns:e='{soap11}'><e:Body>{call}</e:Body></e:Envelope>"),
        format!(
            "\u{feff}<?xml version='1.0' encoding='utf-8'?><?pi?><!-- before -->\n\
             <e:Envelope xmlns:e='{soap11}' e:encodingStyle='x'>\n <e:Header/>\n \
             <!-- inside --><e:Body><?pi inside?>\n{call}\n</e:Body>\n</e:Envelope>\n<!-- after -->\n"
        ),
        format!(
            "<e:Envelope xmlns:e='{soap11}'><e:Header><w:Security xmlns:w='urn:w' \
             e:mustUnderstand='1'><w:Token a='&lt;'>x<b/>&#x41;<![CDATA[<]]></w:Token></w:Security>\
             <anything/></e:Header><e:Body>{call}</e:Body></e:Envelope>"
        ),
    ] {
        let request = decode(&body).unwrap_or_else(|error| panic!("{body}\n{error}"));
        assert_eq!(request.method, method::CurrentTime);
        assert_eq!(request.this.ty(), ty::ServiceInstance);
    }
}

#[test]
fn prefixes_mean_what_they_are_bound_to() {
    // The API under a prefix, the schema instance as `i`, another `type` beside it.
    let request = call(
        "<q:SetTaskState xmlns:q='urn:vim25' xmlns:i='http://www.w3.org/2001/XMLSchema-instance' \
         xmlns:s='http://www.w3.org/2001/XMLSchema' xmlns:o='urn:other'>\
         <q:_this o:type='Nothing' type='q:Task'>task-1</q:_this><q:state>running</q:state>\
         <q:result o:type='x' i:type='q:TaskReasonUser' xmlns:q='urn:vim25'>\
         <userName xmlns='urn:vim25' i:type='s:string' xmlns:s='http://www.w3.org/2001/XMLSchema'>\
         root</userName></q:result></q:SetTaskState>",
    );
    let expected = object!(TaskReasonUser { userName: "root" });
    assert_eq!(arg(&request, "result"), Some(&expected.into()));
    assert_eq!(request.this, MoRef::new(ty::Task, "task-1"));
    // govmomi names the types of XML Schema by a prefix that it does not bind.
    let request = decode(
        "<Envelope xmlns='http://schemas.xmlsoap.org/soap/envelope/'><Body>\
         <SetTaskState xmlns='urn:vim25'><_this type='Task'>task-1</_this><state>success</state>\
         <result xmlns:_X='http://www.w3.org/2001/XMLSchema-instance' _X:type='xsd:string'>done\
         </result></SetTaskState></Body></Envelope>",
    )
    .unwrap();
    assert_eq!(arg(&request, "result"), Some(&"done".into()));
    // An inner default namespace ends with its element.
    let request = call(
        "<FindByIp xmlns='urn:vim25'><_this type='SearchIndex'>SearchIndex</_this>\
         <ip xmlns=''>10.0.0.1</ip><vmSearch>true</vmSearch></FindByIp>",
    );
    assert_eq!(arg(&request, "ip"), Some(&"10.0.0.1".into()));
    assert_eq!(arg(&request, "vmSearch"), Some(&true.into()));
}

#[test]
fn arguments_and_fields_in_any_order() {
    let request = call(
        "<FindByIp xmlns='urn:vim25'><_this type='SearchIndex'>SearchIndex</_this>\
         <vmSearch>1</vmSearch><ip>10.0.0.1</ip>\
         <datacenter type='Datacenter'>datacenter-2</datacenter></FindByIp>",
    );
    assert_eq!(arg(&request, "datacenter").unwrap().as_moref().unwrap().id(), "datacenter-2");
    assert_eq!(arg(&request, "vmSearch"), Some(&true.into()));
    let request = call(
        "<CreateFilter xmlns='urn:vim25'><_this type='PropertyCollector'>p</_this><spec>\
         <objectSet><obj type='Task'>task-1</obj></objectSet>\
         <propSet><pathSet>a</pathSet><type>Task</type><all>0</all><pathSet>b</pathSet>\
         <pathSet>c</pathSet></propSet>\
         <objectSet><obj type='Task'>task-2</obj></objectSet>\
         <propSet><type>VirtualMachine</type></propSet>\
         <objectSet><obj type='Task'>task-3</obj></objectSet>\
         </spec><partialUpdates>false</partialUpdates></CreateFilter>",
    );
    let spec = arg(&request, "spec").unwrap().as_object().unwrap();
    let ids: Vec<_> = spec.field("objectSet").unwrap().items().iter().collect();
    assert_eq!(ids.len(), 3);
    let last = ids[2].as_object().unwrap().field("obj").unwrap();
    assert_eq!(last.as_moref().unwrap().id(), "task-3");
    let props = spec.field("propSet").unwrap().items();
    assert_eq!(props.len(), 2);
    let paths = props[0].as_object().unwrap().field("pathSet").unwrap();
    assert_eq!(paths, &strings(&["a", "b", "c"]));
}

#[test]
fn text_in_all_its_forms() {
    for (content, expected) in [
        ("", ""),
        ("plain", "plain"),
        ("  kept \n", "  kept \n"),
        ("line\r\nend\rs", "line\nend\ns"),
        ("a &lt;&amp;&gt;&quot;&apos; b", "a <&>\"' b"),
        ("&#65;&#x42;&#x1F600;&#13;", "AB\u{1f600}\r"),
        ("<![CDATA[<raw> & ]] \r\n]]>", "<raw> & ]] \n"),
        ("a<![CDATA[b]]>c<!-- d -->e<?f g?>&#104;", "abceh"),
        ("<![CDATA[]]>", ""),
        ("Zürich 日本 \u{1f600}", "Zürich 日本 \u{1f600}"),
        ("]]&gt;", "]]>"),
    ] {
        let element = format!("<annotation>{content}</annotation>");
        assert_eq!(config("annotation", &element), Some(expected.into()), "{content}");
        assert_eq!(any("xsi:type='xsd:string'", content), expected.into(), "{content}");
    }
    assert_eq!(config("annotation", "<annotation/>"), Some("".into()));
    assert_eq!(config("annotation", "<annotation  ></annotation >"), Some("".into()));
}

#[test]
fn simple_types_in_all_their_forms() {
    let day = DateTime::from_micros(1_704_067_200_000_000);
    for (ty, content, expected) in [
        ("boolean", "true", Value::Boolean(true)),
        ("boolean", "1", Value::Boolean(true)),
        ("boolean", " false\n", Value::Boolean(false)),
        ("boolean", "0", Value::Boolean(false)),
        ("byte", "-128", Value::Byte(-128)),
        ("short", "+7", Value::Short(7)),
        ("int", "\n 42 ", Value::Int(42)),
        ("int", "<!-- x -->4<![CDATA[2]]>", Value::Int(42)),
        ("long", "-9223372036854775808", Value::Long(i64::MIN)),
        ("float", "1.5e3", Value::Float(1500.0)),
        ("double", "-INF", Value::Double(f64::NEG_INFINITY)),
        ("double", ".5", Value::Double(0.5)),
        ("anyURI", "http://x/", "http://x/".into()),
        ("dateTime", "2024-01-01T00:00:00Z", day.into()),
        ("dateTime", " 2024-01-01T00:00:00.000000000 ", day.into()),
        ("dateTime", "2024-01-01T05:30:00.0+05:30", day.into()),
        ("dateTime", "2023-12-31T19:00:00-05:00", day.into()),
        ("base64Binary", " aGVs\n bG8=\n", Value::Binary(Binary::new(b"hello"))),
        ("base64Binary", "", Value::Binary(Binary::new(b""))),
    ] {
        let attribute = format!("xsi:type='xsd:{ty}'");
        assert_eq!(any(&attribute, content), expected, "{ty} {content}");
    }
}

#[test]
fn types_named_where_none_is_needed() {
    assert_eq!(config("numCPUs", "<numCPUs xsi:type='xsd:int'>4</numCPUs>"), Some(Value::Int(4)));
    assert_eq!(
        config("memoryMB", "<memoryMB xsi:type='xsd:int'>4096</memoryMB>"),
        Some(Value::Long(4096)),
        "the declared type decides",
    );
    let files = object!(VirtualMachineFileInfo { vmPathName: "[ds]" });
    assert_eq!(
        config(
            "files",
            "<files xsi:type='VirtualMachineFileInfo'><vmPathName>[ds]</vmPathName></files>"
        ),
        Some(files.into()),
    );
    let state = "<powerOpInfo xsi:type='v:VirtualMachineDefaultPowerOpInfo'>\
                 <powerOffType xsi:type='xsd:string'>soft</powerOffType></powerOpInfo>";
    let expected = object!(VirtualMachineDefaultPowerOpInfo { powerOffType: "soft" });
    assert_eq!(config("powerOpInfo", state), Some(expected.into()));
}

#[test]
fn nil_is_unset() {
    assert_eq!(config("numCPUs", "<numCPUs xsi:nil='true'/>"), None);
    assert_eq!(config("files", "<files xsi:nil='1'></files>"), None);
    assert_eq!(config("numCPUs", "<numCPUs xsi:nil='false'>2</numCPUs>"), Some(Value::Int(2)));
    assert_eq!(config("deviceChange", "<deviceChange xsi:nil='true'/>"), None);
}

#[test]
fn subtypes_where_a_base_is_declared() {
    let spec = "<deviceChange><operation>add</operation><device xsi:type='VirtualDisk'>\
                <key>-1</key><backing xsi:type='VirtualDiskFlatVer2BackingInfo'>\
                <fileName></fileName><diskMode>persistent</diskMode></backing>\
                <capacityInKB>1024</capacityInKB></device></deviceChange>";
    let disk = object!(VirtualDisk {
        key: -1,
        backing: object!(VirtualDiskFlatVer2BackingInfo { fileName: "", diskMode: "persistent" }),
        capacityInKB: 1024_i64,
    });
    let change = object!(VirtualDeviceConfigSpec { operation: "add", device: disk });
    let changes = Array::new(ty::VirtualDeviceConfigSpec, vec![change.into()]);
    assert_eq!(config("deviceChange", spec), Some(changes.into()));
}

#[test]
fn anything_where_any_is_declared() {
    let vm = Value::from(MoRef::new(ty::VirtualMachine, "vm-1"));
    let enumeration = EnumValue::parse(ty::VirtualMachinePowerState, "poweredOn").unwrap();
    for (attributes, content, expected) in [
        ("type='VirtualMachine' xsi:type='ManagedObjectReference'", "vm-1", vm.clone()),
        ("xsi:type='ManagedObject' type='VirtualMachine'", " vm-1\n", vm.clone()),
        ("xsi:type='v:ManagedObjectReference' type='v:VirtualMachine'", "vm-1", vm.clone()),
        ("xsi:type='VirtualMachine'", "vm-1", vm.clone()),
        ("type='VirtualMachine'", "vm-1", vm.clone()),
        ("xsi:type='VirtualMachinePowerState'", "poweredOn", enumeration.into()),
        ("xsi:type='ArrayOfString'", "<string>a</string> <string/>", strings(&["a", ""])),
        ("xsi:type='ArrayOfString'", "", strings(&[])),
        (
            "xsi:type='ArrayOfInt'",
            "<int>1</int><int xsi:type='xsd:int'>2</int>",
            Array::new(ty::INT, vec![Value::Int(1), Value::Int(2)]).into(),
        ),
        (
            "xsi:type='ArrayOfManagedObjectReference'",
            "<ManagedObjectReference type='VirtualMachine'>vm-1</ManagedObjectReference>",
            Array::new(ty::ManagedObject, vec![vm.clone()]).into(),
        ),
        (
            "xsi:type='ArrayOfAnyType'",
            "<anyType xsi:type='xsd:int'>1</anyType><anyType xsi:type='xsd:string'>b</anyType>",
            Array::new(ty::ANY, vec![Value::Int(1), "b".into()]).into(),
        ),
        (
            "xsi:type='ArrayOfVirtualDevice'",
            "<VirtualDevice xsi:type='VirtualCdrom'><key>3</key></VirtualDevice>\
             <VirtualDevice><key>4</key></VirtualDevice>",
            Array::new(
                ty::VirtualDevice,
                vec![
                    object!(VirtualCdrom { key: 3 }).into(),
                    object!(VirtualDevice { key: 4 }).into(),
                ],
            )
            .into(),
        ),
        (
            "xsi:type='OptionValue'",
            "<key>k</key><value xsi:type='OptionValue'><key>l</key>\
             <value xsi:type='xsd:long'>1</value></value>",
            object!(OptionValue {
                key: "k",
                value: object!(OptionValue { key: "l", value: Value::Long(1) }),
            })
            .into(),
        ),
    ] {
        assert_eq!(any(attributes, content), expected, "{attributes}");
    }
}

#[test]
fn references_say_their_type_or_have_the_declared_one() {
    let request = call(
        "<PowerOnVM_Task xmlns='urn:vim25'><_this>vm-1</_this>\
         <host serverGuid='x'>host-1</host></PowerOnVM_Task>",
    );
    assert_eq!(request.this, MoRef::new(ty::VirtualMachine, "vm-1"));
    assert_eq!(arg(&request, "host"), Some(&MoRef::new(ty::HostSystem, "host-1").into()));
    let request = call(
        "<Destroy_Task xmlns='urn:vim25'><_this type='ClusterComputeResource'>domain-c1</_this>\
         </Destroy_Task>",
    );
    assert_eq!(request.this.ty(), ty::ClusterComputeResource);
}

#[test]
fn clients_of_old_versions_need_not_know_new_fields() {
    // `fileOwner` is required, and there since 4.0.
    let body = soap(
        "<SearchDatastore_Task xmlns='urn:vim25'><_this type='HostDatastoreBrowser'>b</_this>\
         <datastorePath>[ds]</datastorePath><searchSpec><details><fileType>true</fileType>\
         <fileSize>true</fileSize><modification>true</modification></details></searchSpec>\
         </SearchDatastore_Task>",
    );
    let version = |action| decode_request(body.as_bytes(), Some(action), Limits::default());
    assert!(version("urn:vim25/2.5").is_ok());
    let error = version("urn:vim25/4.0").unwrap_err();
    assert_eq!(error.path(), "SearchDatastore_Task/searchSpec/details");
}

#[test]
fn reflection_has_its_own_namespace_or_the_api_s() {
    for namespace in ["urn:reflect", "urn:vim25", "urn:internalvim25"] {
        let request = call(&format!(
            "<FetchSoap xmlns='{namespace}'><_this type='ReflectManagedMethodExecuter'>x</_this>\
             <moid>ha-cli</moid><version>urn:vim25/5.0</version><prop>p</prop></FetchSoap>"
        ));
        assert_eq!(request.method, method::FetchSoap);
        assert_eq!(arg(&request, "moid"), Some(&"ha-cli".into()));
    }
}
