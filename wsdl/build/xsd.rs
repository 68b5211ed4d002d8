//! The vocabulary of WSDL and XML Schema documents, as far as the schema in `wsdl/` uses it, together
//! with our own annotations (prefix `vs`). Elements that are not named here (bindings, services,
//! documentation) are skipped.

use yaserde::YaDeserialize;

/// The namespace of the dynamic type manager's declarations.
pub const REFLECT: &str = "urn:reflect";

macro_rules! vocabulary {
    ($($(#[$doc:meta])* $ns:literal $name:ident { $($(#[$attr:meta])* $field:ident: $ty:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Default, Clone, YaDeserialize)]
        #[yaserde(prefix = $ns, namespaces = {
            "xs" = "http://www.w3.org/2001/XMLSchema",
            "wsdl" = "http://schemas.xmlsoap.org/wsdl/",
            "vs" = "urn:vimsim:schema"
        })]
        pub struct $name { $($(#[$attr])* pub $field: $ty,)* }
    )*};
}

vocabulary! {
    /// `<schema>`: one XSD document.
    "xs" Schema {
        #[yaserde(attribute = true, rename = "targetNamespace")]
        target_namespace: String,
        #[yaserde(prefix = "xs", rename = "annotation")]
        annotations: Vec<Annotation>,
        #[yaserde(prefix = "xs", rename = "simpleType")]
        simple_types: Vec<SimpleType>,
        #[yaserde(prefix = "xs", rename = "complexType")]
        complex_types: Vec<ComplexType>,
        #[yaserde(prefix = "xs", rename = "element")]
        elements: Vec<Element>,
    }

    /// `<annotation>`: carries what XSD cannot say.
    "xs" Annotation {
        #[yaserde(prefix = "xs", rename = "appinfo")]
        appinfo: Vec<AppInfo>,
    }

    /// `<appinfo>`: our annotations of one declaration or of a whole document.
    "xs" AppInfo {
        #[yaserde(prefix = "vs", rename = "type")]
        types: Vec<TypeNote>,
        #[yaserde(prefix = "vs", rename = "field")]
        fields: Vec<FieldNote>,
        #[yaserde(prefix = "vs", rename = "method")]
        methods: Vec<MethodNote>,
        #[yaserde(prefix = "vs", rename = "managedObject")]
        managed_objects: Vec<ManagedNote>,
        #[yaserde(prefix = "vs", rename = "version")]
        versions: Vec<VersionNote>,
    }

    /// `<vs:type>`: the VMODL name and first version of a data object or enumeration.
    "vs" TypeNote {
        #[yaserde(attribute = true)]
        vmodl: Option<String>,
        #[yaserde(attribute = true)]
        since: Option<String>,
    }

    /// `<vs:field>`: what is known of a data field, a parameter or a result.
    "vs" FieldNote {
        #[yaserde(attribute = true)]
        since: Option<String>,
        #[yaserde(attribute = true, rename = "ref")]
        reference: Option<String>,
        #[yaserde(attribute = true)]
        fault: Option<String>,
        #[yaserde(attribute = true)]
        secret: Option<String>,
        #[yaserde(attribute = true)]
        link: Option<String>,
        #[yaserde(attribute = true)]
        linkable: Option<String>,
        #[yaserde(attribute = true)]
        privilege: Option<String>,
    }

    /// `<vs:method>`: the managed object that owns a request, its privilege and its task's result.
    "vs" MethodNote {
        #[yaserde(attribute = true)]
        name: String,
        #[yaserde(attribute = true)]
        vmodl: String,
        #[yaserde(attribute = true)]
        owner: String,
        #[yaserde(attribute = true)]
        since: Option<String>,
        #[yaserde(attribute = true)]
        privilege: Option<String>,
        #[yaserde(prefix = "vs", rename = "taskResult")]
        task_results: Vec<PropertyNote>,
    }

    /// `<vs:managedObject>`: a managed object type, which XSD has no declaration for.
    "vs" ManagedNote {
        #[yaserde(attribute = true)]
        name: String,
        #[yaserde(attribute = true)]
        vmodl: Option<String>,
        #[yaserde(attribute = true)]
        base: Option<String>,
        #[yaserde(attribute = true)]
        since: Option<String>,
        #[yaserde(prefix = "vs", rename = "property")]
        properties: Vec<PropertyNote>,
    }

    /// `<vs:property>` and `<vs:taskResult>`: a type with its cardinality, as an element would say it.
    "vs" PropertyNote {
        #[yaserde(attribute = true)]
        name: Option<String>,
        #[yaserde(attribute = true, rename = "type")]
        ty: Option<String>,
        #[yaserde(attribute = true, rename = "minOccurs")]
        min: Option<String>,
        #[yaserde(attribute = true, rename = "maxOccurs")]
        max: Option<String>,
        #[yaserde(attribute = true)]
        since: Option<String>,
        #[yaserde(attribute = true, rename = "ref")]
        reference: Option<String>,
        #[yaserde(attribute = true)]
        fault: Option<String>,
        #[yaserde(attribute = true)]
        secret: Option<String>,
        #[yaserde(attribute = true)]
        link: Option<String>,
        #[yaserde(attribute = true)]
        linkable: Option<String>,
        #[yaserde(attribute = true)]
        privilege: Option<String>,
    }

    /// `<vs:version>`: one API version; they stand in ascending order.
    "vs" VersionNote {
        #[yaserde(attribute = true)]
        name: String,
    }

    /// `<simpleType>`: an enumeration.
    "xs" SimpleType {
        #[yaserde(attribute = true)]
        name: String,
        #[yaserde(prefix = "xs", rename = "annotation")]
        annotations: Vec<Annotation>,
        #[yaserde(prefix = "xs", rename = "restriction")]
        restriction: Option<Restriction>,
    }

    /// `<restriction>`: the values of an enumeration.
    "xs" Restriction {
        #[yaserde(prefix = "xs", rename = "enumeration")]
        values: Vec<Enumeration>,
    }

    /// `<enumeration>`: one value.
    "xs" Enumeration {
        #[yaserde(attribute = true)]
        value: String,
    }

    /// `<complexType>`: a data object, an array, a request, or the content of a response.
    "xs" ComplexType {
        #[yaserde(attribute = true)]
        name: Option<String>,
        #[yaserde(prefix = "xs", rename = "annotation")]
        annotations: Vec<Annotation>,
        #[yaserde(prefix = "xs", rename = "sequence")]
        sequence: Option<Sequence>,
        #[yaserde(prefix = "xs", rename = "complexContent")]
        complex_content: Option<ComplexContent>,
        #[yaserde(prefix = "xs", rename = "simpleContent")]
        simple_content: Option<SimpleContent>,
    }

    /// `<complexContent>`: content derived from a base type.
    "xs" ComplexContent {
        #[yaserde(prefix = "xs", rename = "extension")]
        extension: Option<Extension>,
    }

    /// `<simpleContent>`: text with attributes; only the managed object reference has it.
    "xs" SimpleContent {}

    /// `<extension>`: the base type and what is added to it.
    "xs" Extension {
        #[yaserde(attribute = true)]
        base: String,
        #[yaserde(prefix = "xs", rename = "sequence")]
        sequence: Option<Sequence>,
    }

    /// `<sequence>`: elements in the order that the wire keeps.
    "xs" Sequence {
        #[yaserde(prefix = "xs", rename = "element")]
        elements: Vec<Element>,
    }

    /// `<element>`: a field, or at top level the root of a message.
    "xs" Element {
        #[yaserde(attribute = true)]
        name: Option<String>,
        #[yaserde(attribute = true, rename = "type")]
        ty: Option<String>,
        #[yaserde(attribute = true, rename = "minOccurs")]
        min: Option<String>,
        #[yaserde(attribute = true, rename = "maxOccurs")]
        max: Option<String>,
        #[yaserde(prefix = "xs", rename = "annotation")]
        annotations: Vec<Annotation>,
        #[yaserde(prefix = "xs", rename = "complexType")]
        inline: Vec<ComplexType>,
    }

    /// `<definitions>`: one WSDL document.
    "wsdl" Definitions {
        #[yaserde(prefix = "wsdl", rename = "message")]
        messages: Vec<Message>,
        #[yaserde(prefix = "wsdl", rename = "portType")]
        port_types: Vec<PortType>,
    }

    /// `<message>`: names the element that travels.
    "wsdl" Message {
        #[yaserde(attribute = true)]
        name: String,
        #[yaserde(prefix = "wsdl", rename = "part")]
        parts: Vec<Part>,
    }

    /// `<part>`: the element of a message.
    "wsdl" Part {
        #[yaserde(attribute = true)]
        element: String,
    }

    /// `<portType>`: the operations of a service.
    "wsdl" PortType {
        #[yaserde(prefix = "wsdl", rename = "operation")]
        operations: Vec<Operation>,
    }

    /// `<operation>`: a method with its declared faults.
    "wsdl" Operation {
        #[yaserde(attribute = true)]
        name: String,
        #[yaserde(prefix = "wsdl", rename = "fault")]
        faults: Vec<Fault>,
    }

    /// `<fault>`: a fault that a method declares.
    "wsdl" Fault {
        #[yaserde(attribute = true)]
        message: String,
    }
}

/// The annotations of one declaration, merged over its `<annotation>` elements.
pub fn notes(annotations: &[Annotation]) -> impl Iterator<Item = &AppInfo> {
    annotations.iter().flat_map(|annotation| &annotation.appinfo)
}

/// A qualified name without its prefix.
pub fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}
