//! The passes of the build script, on small documents: what they collect, how they number types, and
//! that they report every mistake with its place.

#[allow(dead_code, unreachable_pub)]
#[path = "../../wsdl/build/collect.rs"]
mod collect;
#[allow(dead_code, unreachable_pub)]
#[path = "../../wsdl/build/resolve.rs"]
mod resolve;
#[allow(dead_code, unreachable_pub)]
#[path = "../../wsdl/build/xsd.rs"]
mod xsd;

use collect::Problem;
use resolve::Model;

const TYPES: &str = r#"<schema targetNamespace="urn:vim25" xmlns="http://www.w3.org/2001/XMLSchema"
  xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:vim25="urn:vim25" xmlns:vs="urn:vimsim:schema">
 <annotation><appinfo>
  <vs:version name="1.0"/>
  <vs:version name="2.0"/>
  <vs:managedObject name="ManagedObject" vmodl="vmodl.ManagedObject"/>
  <vs:managedObject name="Lamp" vmodl="vim.Lamp" base="ManagedObject" since="2.0">
   <vs:property name="color" type="vim25:Color" minOccurs="0" privilege="System.View"/>
   <vs:property name="near" type="vim25:ManagedObjectReference" ref="Lamp" maxOccurs="unbounded"/>
  </vs:managedObject>
 </appinfo></annotation>
 <simpleType name="Color">
  <annotation><appinfo><vs:type vmodl="vim.Color" since="2.0"/></appinfo></annotation>
  <restriction base="xsd:string"><enumeration value="red"/><enumeration value="green"/></restriction>
 </simpleType>
 <complexType name="Base">
  <annotation><appinfo><vs:type vmodl="vim.Base"/></appinfo></annotation>
  <sequence><element name="key" type="xsd:int"/></sequence>
 </complexType>
 <complexType name="Zebra">
  <annotation><appinfo><vs:type vmodl="vim.Zebra"/></appinfo></annotation>
  <complexContent><extension base="vim25:Base"><sequence>
   <element name="stripes" type="vim25:Base" minOccurs="0" maxOccurs="unbounded">
    <annotation><appinfo><vs:field since="2.0" secret="true"/></appinfo></annotation>
   </element>
  </sequence></extension></complexContent>
 </complexType>
 <complexType name="Ape">
  <annotation><appinfo><vs:type vmodl="vim.Ape"/></appinfo></annotation>
 </complexType>
 <complexType name="Grevy">
  <annotation><appinfo><vs:type vmodl="vim.Grevy"/></appinfo></annotation>
  <complexContent><extension base="vim25:Zebra"/></complexContent>
 </complexType>
 <complexType name="ArrayOfBase">
  <sequence><element name="Base" type="vim25:Base" minOccurs="0" maxOccurs="unbounded"/></sequence>
 </complexType>
 <element name="BaseFault" type="vim25:Base"/>
 <complexType name="DimRequestType">
  <annotation><appinfo>
   <vs:method name="Dim_Task" vmodl="dim" owner="Lamp" privilege="Lamp.Dim">
    <vs:taskResult type="vim25:Zebra"/>
   </vs:method>
  </appinfo></annotation>
  <sequence>
   <element name="_this" type="vim25:ManagedObjectReference"/>
   <element name="percent" type="xsd:int"/>
  </sequence>
 </complexType>
 <element name="Dim_TaskResponse"><complexType><sequence>
  <element name="returnval" type="vim25:ManagedObjectReference"/>
 </sequence></complexType></element>
</schema>"#;

const SERVICE: &str = r#"<definitions targetNamespace="urn:vim25"
  xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:vim25="urn:vim25">
 <message name="BaseFaultMsg"><part name="fault" element="vim25:BaseFault"/></message>
 <portType name="VimPortType">
  <operation name="Dim_Task"><fault name="BaseFault" message="vim25:BaseFaultMsg"/></operation>
 </portType>
</definitions>"#;

fn compile(types: &str, service: &str) -> Result<Model, Vec<Problem>> {
    let schema = yaserde::de::from_str(types).expect("well-formed");
    let wsdl = yaserde::de::from_str(service).expect("well-formed");
    let (symbols, problems) =
        collect::collect(&[("a.xsd".into(), schema)], &[("a.wsdl".into(), wsdl)]);
    if problems.is_empty() { resolve::resolve(&symbols) } else { Err(problems) }
}

/// The problems of the documents after `from` was replaced by `to` in the types.
fn problems(from: &str, to: &str) -> Vec<String> {
    assert!(TYPES.contains(from), "{from}");
    let found = compile(&TYPES.replace(from, to), SERVICE).expect_err("a mistake");
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn types_are_numbered_in_preorder_of_inheritance() {
    let model = compile(TYPES, SERVICE).expect("no mistake");
    let names: Vec<_> = model.types.iter().skip(12).map(|row| row.name.as_str()).collect();
    assert_eq!(
        names,
        ["Color", "Ape", "Base", "Zebra", "Grevy", "ManagedObject", "Lamp", "ArrayOfBase"]
    );
    assert_eq!(model.first, [12, 13, 17, 19]);
    let row = |name: &str| model.types.iter().find(|row| row.name == name).expect(name);
    assert_eq!((row("Base").last, row("Zebra").last, row("Ape").last), (16, 16, 13));
    assert_eq!((row("Grevy").base, row("Base").base), (Some(15), None));
    assert_eq!((row("Base").array, row("ArrayOfBase").element), (Some(19), Some(14)));
    assert_eq!(row("ArrayOfBase").vmodl, "vim.Base[]");
    assert_eq!(row("Color").values, ["red", "green"]);
}

#[test]
fn fields_are_inherited_and_references_have_their_managed_type() {
    let model = compile(TYPES, SERVICE).expect("no mistake");
    let row = |name: &str| model.types.iter().find(|row| row.name == name).expect(name);
    let fields = |name: &str| -> Vec<_> {
        row(name).fields.iter().map(|&field| &model.fields[usize::from(field)]).collect()
    };
    let [key, stripes] = fields("Grevy")[..] else { panic!("two fields") };
    assert_eq!((key.name.as_str(), key.array, key.optional), ("key", false, false));
    assert_eq!((stripes.name.as_str(), stripes.array, stripes.optional), ("stripes", true, true));
    assert_eq!((stripes.since, stripes.secret, key.since, key.secret), (1, true, 0, false));
    let [color, near] = fields("Lamp")[..] else { panic!("two properties") };
    assert_eq!(color.privilege.as_deref(), Some("System.View"));
    assert_eq!(color.since, 1, "a property is never older than its owner");
    assert_eq!(model.types[usize::from(near.ty)].name, "Lamp");
}

#[test]
fn a_method_gathers_request_response_and_faults() {
    let model = compile(TYPES, SERVICE).expect("no mistake");
    let name = |ty: u16| model.types[usize::from(ty)].name.as_str();
    let field = |field: Option<u16>| &model.fields[usize::from(field.expect("present"))];
    let [dim] = &model.methods[..] else { panic!("one method") };
    assert_eq!(
        (dim.name.as_str(), dim.vmodl.as_str(), name(dim.owner)),
        ("Dim_Task", "dim", "Lamp")
    );
    assert_eq!((dim.since, dim.privilege.as_deref()), (1, Some("Lamp.Dim")));
    assert_eq!(dim.params.len(), 1, "_this is no parameter");
    assert_eq!(name(field(dim.result).ty), "ManagedObject");
    assert_eq!(name(field(dim.task_result).ty), "Zebra");
    assert_eq!(dim.faults.iter().map(|&fault| name(fault)).collect::<Vec<_>>(), ["Base"]);
}

#[test]
fn every_mistake_is_reported_with_its_place() {
    let broken = TYPES.replace("type=\"vim25:Color\"", "type=\"vim25:Colour\"");
    let broken = broken.replace("since=\"2.0\" secret", "since=\"3.0\" secret");
    let broken = broken.replace("owner=\"Lamp\"", "owner=\"Lump\"");
    let found = compile(&broken, SERVICE).expect_err("three mistakes");
    let lines: Vec<_> =
        found.iter().map(|problem| (problem.place.line(&broken), problem.to_string())).collect();
    assert_eq!(
        lines,
        [
            (Some(39), "a.xsd (DimRequestType): no type is called \"Lump\"".into()),
            (Some(8), "a.xsd (Lamp/color): no type is called \"Colour\"".into()),
            (Some(23), "a.xsd (Zebra/stripes): no version is called \"3.0\"".into()),
        ]
    );
}

#[test]
fn contradictions_are_mistakes() {
    // Two types that extend each other have no place, so that nothing else can refer to them.
    assert_eq!(
        problems("extension base=\"vim25:Base\"", "extension base=\"vim25:Grevy\""),
        [
            "a.xsd (DimRequestType/result): no type is called \"Zebra\"",
            "a.xsd (Grevy): base Zebra of Grevy is not declared or circular",
            "a.xsd (Zebra): base Grevy of Zebra is not declared or circular",
        ]
    );
    assert_eq!(
        problems("name=\"Ape\"", "name=\"Base\""),
        ["a.xsd (Base): Base is already declared in a.xsd (Base)"]
    );
    assert_eq!(
        problems("name=\"stripes\"", "name=\"key\""),
        ["a.xsd (Zebra/key): key is already a field of Zebra"]
    );
    assert_eq!(
        problems("name=\"_this\"", "name=\"that\""),
        ["a.xsd (DimRequestType): the first parameter is not _this"]
    );
    assert_eq!(
        problems("\"Dim_TaskResponse\"", "\"Dim_TaskReply\""),
        ["a.xsd (DimRequestType): no element Dim_TaskResponse"]
    );
    assert_eq!(
        problems("<element name=\"BaseFault\"", "<element name=\"Fault\""),
        ["a.xsd (DimRequestType): fault message BaseFaultMsg leads to no type"]
    );
    assert_eq!(
        problems("<vs:type vmodl=\"vim.Ape\"/>", ""),
        ["a.xsd (Ape): neither a data object (vs:type), a request (vs:method) nor an array"]
    );
}
