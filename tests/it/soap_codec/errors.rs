//! What is wrong, and how it is said.

use vimsim::fault::Fault;
use vimsim::object;
use vimsim::schema::{Type, ty};
use vimsim::value::Value;
use vimsim::wire::soap::{DecodeError, Limits, Problem, decode_request};

use super::{decode, soap};

#[track_caller]
fn wrong(document: &str) -> DecodeError {
    decode(document).expect_err("something is wrong")
}

/// The error of a body, and the path it names.
#[track_caller]
fn wrong_call(body: &str) -> (Problem, String) {
    let error = wrong(&soap(body));
    (error.problem().clone(), error.path())
}

/// The error of an argument of declared type anyType.
#[track_caller]
fn wrong_any(element: &str) -> (Problem, String) {
    wrong_call(&format!(
        "<SetTaskState xmlns='urn:vim25'><_this type='Task'>task-1</_this>\
         <state>success</state>{element}</SetTaskState>"
    ))
}

/// The error of a field of a spec, without the call and argument in its path.
#[track_caller]
fn wrong_config(elements: &str) -> (Problem, String) {
    let (problem, path) = wrong_call(&format!(
        "<ReconfigVM_Task xmlns='urn:vim25'><_this type='VirtualMachine'>vm-1</_this>\
         <spec>{elements}</spec></ReconfigVM_Task>"
    ));
    let path = path.strip_prefix("ReconfigVM_Task/spec").expect("a place inside the spec");
    (problem, path.trim_start_matches('/').to_owned())
}

fn unexpected(tag: &str) -> Problem {
    Problem::UnexpectedElement(tag.to_owned())
}

fn invalid(value: &str, ty: &'static str) -> Problem {
    Problem::InvalidValue { value: value.to_owned(), ty }
}

const THIS: &str = "<_this type='Task'>task-1</_this>";

#[test]
fn the_text_is_vcenter_s() {
    let document = "<?xml version='1.0'?>\n\
        <Envelope xmlns='http://schemas.xmlsoap.org/soap/envelope/'>\n\
        <Body><RegisterVM_Task xmlns='urn:vim25'><_this type='Folder'>group-v3</_this>\
        <asTemplate>0</asTemplate></RegisterVM_Task></Body></Envelope>";
    let error = wrong(document);
    assert_eq!(
        error.to_string(),
        "\nRequired parameter path is missing\n\n\
         while parsing call information for method RegisterVM_Task\nat line 3, column 6\n\n\
         while parsing SOAP body\nat line 3, column 0\n\n\
         while parsing SOAP envelope\nat line 2, column 0\n\n\
         while parsing HTTP request for method registerVm\non object of type vim.Folder\n\
         at line 1, column 0"
    );
    let fault = Fault::from(error);
    assert_eq!(fault.object(), &object!(InvalidRequest {}));

    let body = soap(
        "<CloneVM_Task xmlns='urn:vim25'><_this type='VirtualMachine'>vm-1</_this>\
         <folder type='Folder'>group-v3</folder><name>ä</name><spec><location/>\
         <config><deviceChange><device xsi:type='VirtualDisk'><key>1</key>\
         <v:sharing>x</v:sharing></device></deviceChange></config></spec></CloneVM_Task>",
    );
    let column = |needle: &str| {
        let at = body.find(needle).expect("it is there");
        body[..at].chars().count()
    };
    let expected = format!(
        "\nUnexpected element tag \"v:sharing\" seen\n\n\
         while parsing serialized DataObject of type vim.vm.device.VirtualDisk\n\
         at line 1, column {}\n\n\
         while parsing property \"device\" of static type VirtualDevice\n\n\
         while parsing serialized DataObject of type vim.vm.device.VirtualDeviceSpec\n\
         at line 1, column {}\n\n\
         while parsing property \"deviceChange\" of static type ArrayOfVirtualDeviceConfigSpec\n\n\
         while parsing serialized DataObject of type vim.vm.ConfigSpec\n\
         at line 1, column {}\n\n\
         while parsing property \"config\" of static type VirtualMachineConfigSpec\n\n\
         while parsing serialized DataObject of type vim.vm.CloneSpec\n\
         at line 1, column {}\n\n\
         while parsing call information for method CloneVM_Task\nat line 1, column {}\n\n\
         while parsing SOAP body\nat line 1, column {}\n\n\
         while parsing SOAP envelope\nat line 1, column 0\n\n\
         while parsing HTTP request for method clone\non object of type vim.VirtualMachine\n\
         at line 1, column 0",
        column("<device xsi"),
        column("<deviceChange"),
        column("<config"),
        column("<spec"),
        column("<CloneVM"),
        column("<S:Body"),
    );
    let error = wrong(&body);
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.path(), "CloneVM_Task/spec/config/deviceChange[0]/device");
    assert_eq!(error.place().column, column("<v:sharing"));
}

#[test]
fn methods_that_are_not_there() {
    let error = wrong(&soap("<Foo xmlns='urn:vim25'/>"));
    let text = error.to_string();
    let start = "Unable to resolve WSDL method name Foo for namespace name urn:vim25\n\n\
                 while parsing SOAP body\nat line 1, column ";
    assert!(text.starts_with(start), "{text}");
    let end = "while parsing HTTP request before method was determined\nat line 1, column 0";
    assert!(text.ends_with(end), "{text}");
    assert_eq!(Fault::from(error).ty(), ty::InvalidRequest);

    let error = wrong(&soap("<CurrentTime/>"));
    let unknown =
        Problem::UnknownMethod { name: "CurrentTime".to_owned(), namespace: String::new() };
    assert_eq!(error.problem(), &unknown);

    let text = wrong(&soap("<x:CurrentTime xmlns:x='urn:x'/>")).to_string();
    let start =
        "Unsupported namespace \"urn:x\" in content of SOAP body\n\nwhile parsing SOAP body";
    assert!(text.starts_with(start), "{text}");
}

#[test]
fn documents_that_are_no_xml() {
    let good = soap(&format!("<CancelTask xmlns='urn:vim25'>{THIS}</CancelTask>"));
    assert!(decode(&good).is_ok());
    for document in [
        "",
        " ",
        "hello",
        "{\"json\": true}",
        "<",
        "<a",
        "<a b=",
        "<a>",
        "<a></b>",
        "</a>",
        "<a/><b/>",
        "<a b='1' b='2'/>",
        "<a b=1/>",
        "<a>&lt</a>",
        "<?xml version='1.0' encoding='utf-16'?><a/>",
        "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
        "<a/><?xml version='1.0'?>",
        &good.replace("task-1", "task&nbsp;1"),
        &good.replace("task-1", "task&#0;1"),
        &good.replace("task-1", "task&#xFFFE;1"),
        &good.replace("task-1", "task\u{1}1"),
        &good.replace("task-1", "task\u{ffff}1"),
        &good.replace("task-1", "a & b"),
        &good.replace("task-1", "<![CDATA[task-1"),
        &good.replace("task-1", "<!-- -- -->"),
        &good.replace("type='Task'", "type='Ta<sk'"),
        &good.replace("type='Task'", "type='&Task'"),
        &good.replace("</CancelTask>", "</Canceltask>"),
        &good.replace("</CancelTask>", "</v:CancelTask>"),
        &good.replace("<CancelTask", "<nope:CancelTask"),
        &good.replace("type='Task'", "nope:type='Task'"),
        &format!("{good}<more/>"),
        &format!("{good}more"),
    ] {
        let error = wrong(document);
        let fault = Fault::from(error.clone());
        assert_eq!(fault.ty(), ty::InvalidRequest, "{document}");
        assert!(error.to_string().contains("at line 1, column "), "{document}: {error}");
    }
    for cut in 0..good.len() {
        let error = wrong(&good[..cut]);
        assert!(matches!(error.problem(), Problem::Malformed(_)), "{cut}: {error}");
    }
    let latin = decode_request(b"<a>\xe4</a>", None, Limits::default()).unwrap_err();
    assert_eq!((latin.problem(), latin.place().offset), (&Problem::NotUtf8, 3));
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(decode_request(&utf16, None, Limits::default()).is_err());
}

#[test]
fn declarations_of_entities() {
    let good = soap(&format!("<CancelTask xmlns='urn:vim25'>{THIS}</CancelTask>"));
    for declaration in [
        "<!DOCTYPE a>",
        "<!DOCTYPE a SYSTEM 'http://x/y'>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]>",
        "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'> <!ENTITY % d '&#x25;'>]>",
        "<!DOCTYPE lolz [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]>",
    ] {
        let error = wrong(&format!("{declaration}{good}"));
        assert_eq!(error.problem(), &Problem::DocType, "{declaration}");
        let error = wrong(&good.replace("task-1", declaration));
        assert_eq!(error.problem(), &Problem::DocType, "{declaration}");
    }
}

#[test]
fn envelopes_that_are_none() {
    let envelope = |content: &str| {
        format!(
            "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'>{content}</e:Envelope>"
        )
    };
    let problem = |document: &str| wrong(document).problem().to_string();
    assert_eq!(problem("<a/>"), "Got <a> tag when expecting <Envelope> tag");
    assert_eq!(
        problem("<Envelope xmlns='urn:x'/>"),
        "Got <Envelope> tag when expecting <Envelope> tag"
    );
    assert_eq!(problem(&envelope("")), "Got </Envelope> tag when expecting <Body> tag");
    assert_eq!(problem(&envelope("<b/>")), "Got <b> tag when expecting <Body> tag");
    assert_eq!(problem(&envelope("<e:Header/>")), "Got </Envelope> tag when expecting <Body> tag");
    assert_eq!(problem(&envelope("<e:Body/>")), "The SOAP body holds no call");
    assert_eq!(problem(&envelope("<e:Body>x</e:Body>")), "Unexpected text seen between elements");
    let call = format!("<CancelTask xmlns='urn:vim25'>{THIS}</CancelTask>");
    assert_eq!(
        wrong(&envelope(&format!("<e:Body>{call}{call}</e:Body>"))).problem(),
        &unexpected("CancelTask")
    );
    assert_eq!(
        wrong(&envelope(&format!("<e:Body>{call}</e:Body><e:Header/>"))).problem(),
        &unexpected("e:Header")
    );
}

#[test]
fn arguments_missing_surplus_and_misplaced() {
    let call = |arguments: &str| {
        wrong_call(&format!("<UpdateProgress xmlns='urn:vim25'>{arguments}</UpdateProgress>"))
    };
    let place = |path: &str| path.to_owned();
    let missing = |name: &str| Problem::MissingParameter(name.to_owned());
    assert_eq!(call(""), (missing("_this"), place("UpdateProgress")));
    assert_eq!(call(THIS), (missing("percentDone"), place("UpdateProgress")));
    let found = "percentDone".to_owned();
    let expected = Problem::Envelope { found, expected: "_this" };
    assert_eq!(call("<percentDone>1</percentDone>"), (expected, place("UpdateProgress")));
    let arguments = format!("{THIS}<percentDone>1</percentDone><surplus/>");
    assert_eq!(call(&arguments), (unexpected("surplus"), place("UpdateProgress")));
    let arguments = format!("{THIS}<percentDone>1</percentDone><percentDone>2</percentDone>");
    assert_eq!(call(&arguments), (unexpected("percentDone"), place("UpdateProgress")));
    let arguments = format!("{THIS}{THIS}<percentDone>1</percentDone>");
    assert_eq!(call(&arguments), (unexpected("_this"), place("UpdateProgress")));
    let arguments = format!("{THIS}<percentDone xmlns='urn:x'>1</percentDone>");
    assert_eq!(call(&arguments), (unexpected("percentDone"), place("UpdateProgress")));
    let arguments = format!("{THIS}<percentDone xsi:nil='true'/>");
    assert_eq!(call(&arguments), (missing("percentDone"), place("UpdateProgress")));
    let arguments = format!("{THIS}<percentDone>ten</percentDone>");
    let percent = place("UpdateProgress/percentDone");
    assert_eq!(call(&arguments), (invalid("ten", "int"), percent));
    let error =
        wrong(&soap(&format!("<UpdateProgress xmlns='urn:vim25'>{arguments}</UpdateProgress>")));
    let text = error.to_string();
    assert!(text.starts_with("'ten' is not a value of type int\nat line 1, column "), "{text}");
    assert!(
        text.contains("while parsing parameter \"percentDone\" of static type int\n"),
        "{text}"
    );
}

#[test]
fn fields_missing_surplus_and_of_the_wrong_type() {
    let place = |path: &str| path.to_owned();
    assert_eq!(wrong_config("<foo/>"), (unexpected("foo"), place("")));
    assert_eq!(wrong_config("text"), (Problem::UnexpectedText, place("")));
    assert_eq!(wrong_config("<name>a</name><name>b</name>"), (unexpected("name"), place("")));
    assert_eq!(wrong_config("<name><b/></name>"), (unexpected("b"), place("name")));
    assert_eq!(wrong_config("<x:name xmlns:x='urn:x'/>"), (unexpected("x:name"), place("")));
    for (element, value, ty) in [
        ("<numCPUs>four</numCPUs>", "four", "int"),
        ("<numCPUs/>", "", "int"),
        ("<numCPUs>4294967296</numCPUs>", "4294967296", "int"),
        ("<memoryMB>1.5</memoryMB>", "1.5", "long"),
        ("<vPMCEnabled>yes</vPMCEnabled>", "yes", "boolean"),
        ("<createDate>today</createDate>", "today", "dateTime"),
    ] {
        let (problem, path) = wrong_config(element);
        assert_eq!(problem, invalid(value, ty));
        assert!(element.contains(&path) && !path.is_empty(), "{path}");
    }
    let long = "x".repeat(1000);
    let (problem, _) = wrong_config(&format!("<numCPUs>{long}</numCPUs>"));
    assert_eq!(problem, invalid(&long[..64], "int"));
    let change = |device: &str| {
        format!(
            "<deviceChange><operation>add</operation></deviceChange>\
             <deviceChange>{device}</deviceChange>"
        )
    };
    let (_, path) = wrong_config(&change(""));
    assert_eq!(path, "deviceChange[0]", "the first of both");
    let missing = |property, ty| Problem::MissingProperty { property, ty };
    let device = "<device xsi:type='VirtualDisk'><key>1</key></device>";
    assert_eq!(
        wrong_config(&format!("<deviceChange>{device}</deviceChange>")),
        (missing("capacityInKB", "VirtualDisk"), place("deviceChange[0]/device"))
    );
    assert_eq!(
        wrong_config("<deviceChange><operation>replace</operation></deviceChange>"),
        (
            invalid("replace", "VirtualDeviceConfigSpecOperation"),
            place("deviceChange[0]/operation")
        )
    );
}

#[test]
fn type_names_that_are_not_in_the_schema() {
    let unknown = |name: &str| Problem::UnknownType(name.to_owned());
    let place = "SetTaskState/result".to_owned();
    for name in [
        "Nonsense",
        "v:Nonsense",
        "xsd:TaskInfo",
        "v:string",
        "xsd:string2",
        "xsd:ArrayOfString",
        "",
    ] {
        let element = format!("<result xsi:type='{name}'/>");
        assert_eq!(wrong_any(&element), (unknown(name), place.clone()));
    }
    let body = format!(
        "<SetTaskState xmlns='urn:vim25'>{THIS}<state>success</state>\
         <result xsi:type='Nonsense'/></SetTaskState>"
    );
    let error = wrong(&soap(&body));
    let fault = Fault::from(error);
    assert_eq!(fault.object(), &object!(InvalidType { argument: "Nonsense" }));
    assert!(fault.is_a(ty::InvalidRequest));
    let (problem, _) = wrong_any("<result xsi:type='x:TaskInfo'/>");
    assert_eq!(problem, Problem::UnboundPrefix("x".to_owned()));
}

#[test]
fn types_that_the_place_cannot_hold() {
    let mismatch = |found, expected| Problem::TypeMismatch { found, expected };
    for (elements, found, expected) in [
        ("<files xsi:type='OptionValue'/>", "OptionValue", "VirtualMachineFileInfo"),
        ("<files xsi:type='xsd:string'/>", "string", "VirtualMachineFileInfo"),
        ("<files xsi:type='DynamicData'/>", "DynamicData", "VirtualMachineFileInfo"),
        ("<numCPUs xsi:type='OptionValue'/>", "OptionValue", "int"),
        ("<name xsi:type='ArrayOfString'/>", "ArrayOfString", "string"),
        (
            "<deviceChange xsi:type='ArrayOfVirtualDeviceConfigSpec'/>",
            "ArrayOfVirtualDeviceConfigSpec",
            "VirtualDeviceConfigSpec",
        ),
    ] {
        assert_eq!(wrong_config(elements).0, mismatch(found, expected), "{elements}");
    }
    let (problem, path) = wrong_any("<result xsi:type='ArrayOfInt'><int>1</int><string/></result>");
    assert_eq!((problem, path.as_str()), (unexpected("string"), "SetTaskState/result"));
    let array = "<result xsi:type='ArrayOfInt'><int>1</int><int>b</int></result>";
    let (problem, path) = wrong_any(array);
    assert_eq!((problem, path.as_str()), (invalid("b", "int"), "SetTaskState/result/int[1]"));
    let array = "<result xsi:type='ArrayOfVirtualDevice'><VirtualDevice \
                 xsi:type='OptionValue'><key>a</key></VirtualDevice></result>";
    assert_eq!(wrong_any(array).0, mismatch("OptionValue", "VirtualDevice"));
    for element in ["<result/>", "<result>x</result>", "<result foo='bar'>x</result>"] {
        assert_eq!(wrong_any(element).0, Problem::UntypedAny);
    }
    let any = "<result xsi:type='xsd:anyType'>x</result>";
    assert_eq!(wrong_any(any).0, mismatch("anyType", "anyType"));
    let nil = "<result xsi:nil='true'>x</result>";
    assert_eq!(wrong_any(nil).0, Problem::NilWithContent);
}

#[test]
fn references_of_the_wrong_type() {
    let power_on = |this: &str, host: &str| {
        wrong_call(&format!("<PowerOnVM_Task xmlns='urn:vim25'>{this}{host}</PowerOnVM_Task>"))
    };
    let mismatch = |found, expected| Problem::TypeMismatch { found, expected };
    let vm = "<_this type='VirtualMachine'>vm-1</_this>";
    assert_eq!(
        power_on("<_this type='Folder'>group-1</_this>", ""),
        (mismatch("Folder", "VirtualMachine"), "PowerOnVM_Task".to_owned())
    );
    assert_eq!(
        power_on(vm, "<host type='Datastore'>datastore-1</host>"),
        (mismatch("Datastore", "HostSystem"), "PowerOnVM_Task/host".to_owned())
    );
    for name in ["Nonsense", "TaskInfo", "string", ""] {
        let unknown = Problem::UnknownType(name.to_owned());
        let this = format!("<_this type='{name}'>vm-1</_this>");
        assert_eq!(power_on(&this, "").0, unknown, "{name}");
        let host = format!("<host type='{name}'>host-1</host>");
        assert_eq!(power_on(vm, &host).0, unknown, "{name}");
    }
    let text = wrong(&soap(
        "<PowerOnVM_Task xmlns='urn:vim25'><_this type='Folder'>x</_this></PowerOnVM_Task>",
    ))
    .to_string();
    let start = "A value of type Folder cannot stand where VirtualMachine is declared\n\n\
                 while parsing MoRef for ManagedObject of type vim.VirtualMachine\nat line 1, ";
    assert!(text.starts_with(start), "{text}");
}

#[test]
fn documents_over_the_limits() {
    let limits = Limits { depth: 8, attributes: 4, elements: 12, text: 100, ..Limits::default() };
    let decode = |body: &str| {
        let document = soap(&format!("<CancelTask xmlns='urn:vim25'>{body}</CancelTask>"));
        decode_request(document.as_bytes(), None, limits).map_err(|error| error.problem().clone())
    };
    assert!(decode(THIS).is_ok());
    assert_eq!(
        decode("<_this type='Task' a='' b='' c='' d=''>task-1</_this>"),
        Err(Problem::Limit("attributes"))
    );
    let long = format!("<_this type='Task'>{}</_this>", "x".repeat(101));
    assert_eq!(decode(&long), Err(Problem::Limit("text")));
    let pieces = format!("<_this type='Task'>{}</_this>", "x&amp;".repeat(51));
    assert_eq!(decode(&pieces), Err(Problem::Limit("text")));

    let header = |content: &str| {
        let document = soap(&format!("<CancelTask xmlns='urn:vim25'>{THIS}</CancelTask>"))
            .replace("<S:Body>", &format!("<S:Header>{content}</S:Header><S:Body>"));
        decode_request(document.as_bytes(), None, limits).map_err(|error| error.problem().clone())
    };
    assert!(header("<a><b><c><d><e><f/></e></d></c></b></a>").is_ok());
    let deep = format!("{}{}", "<a>".repeat(7), "</a>".repeat(7));
    assert_eq!(header(&deep), Err(Problem::Limit("depth")));
    assert_eq!(header(&"<a/>".repeat(8)), Err(Problem::Limit("elements")));

    // Nesting as deep as the data types allow.
    let (open, close) = ("<value xsi:type='OptionValue'><key>k</key>", "</value>");
    let nested = format!(
        "<SetTaskState xmlns='urn:vim25'>{THIS}<state>success</state>\
         <result xsi:type='OptionValue'><key>k</key>{}<value xsi:type='xsd:int'>1</value>{}\
         </result></SetTaskState>",
        open.repeat(10_000),
        close.repeat(10_000),
    );
    assert_eq!(wrong(&soap(&nested)).problem(), &Problem::Limit("depth"));
}

#[test]
fn small_elements_that_stand_for_large_objects() {
    let body = soap(&format!(
        "<SetTaskState xmlns='urn:vim25'>{THIS}<state>success</state>\
         <result xsi:type='ArrayOfVirtualMachineConfigSpec'>{}</result></SetTaskState>",
        "<VirtualMachineConfigSpec/>".repeat(100),
    ));
    let fields = 50 * ty::VirtualMachineConfigSpec.fields().len();
    let limits = Limits { fields, ..Limits::default() };
    let error = decode_request(body.as_bytes(), None, limits).unwrap_err();
    assert_eq!(error.problem(), &Problem::Limit("fields"));
    assert_eq!(error.path(), "SetTaskState/result/VirtualMachineConfigSpec[49]");
}

#[test]
fn an_array_that_is_scattered_widely_costs_no_more() {
    let pair = "<deviceChange><device xsi:type='VirtualCdrom'><key>1</key></device></deviceChange>\
                <extraConfig><key>a</key><value xsi:type='xsd:int'>1</value></extraConfig>";
    let body = soap(&format!(
        "<ReconfigVM_Task xmlns='urn:vim25'><_this type='VirtualMachine'>vm-1</_this>\
         <spec>{}</spec></ReconfigVM_Task>",
        pair.repeat(20_000),
    ));
    let request = decode(&body).unwrap_or_else(|error| panic!("{error}"));
    let spec = request.args[0].as_ref().and_then(Value::as_object).unwrap();
    assert_eq!(spec.field("deviceChange").unwrap().items().len(), 20_000);
    assert_eq!(spec.field("extraConfig").unwrap().items().len(), 20_000);
}

#[test]
fn every_kind_of_problem_becomes_a_request_fault() {
    for (problem, ty) in [
        (wrong("<a/>"), "InvalidRequest"),
        (wrong("no"), "InvalidRequest"),
        (wrong(&soap("<Foo xmlns='urn:vim25'/>")), "InvalidRequest"),
    ] {
        let text = problem.to_string();
        let fault = Fault::from(problem);
        assert_eq!(fault.ty(), Type::by_name(ty).unwrap());
        assert_eq!(fault.message(), text);
    }
}
