//! First pass: gathers the declarations of all documents into one symbol table. Nothing is looked up
//! here; names stay text, and every declaration remembers where it stands.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::xsd::{
    self, ComplexType, Definitions, Element, FieldNote, ManagedNote, MethodNote, PropertyNote,
    Schema, SimpleType,
};

/// Where a declaration stands: its file and the names of the elements around it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The document's file name.
    pub file: String,
    /// Names from the top-level declaration inwards.
    pub path: Vec<String>,
}

impl Place {
    /// A place at the top level of a document.
    pub fn top(file: &str, name: &str) -> Self {
        Self { file: file.to_owned(), path: vec![name.to_owned()] }
    }

    /// A declaration inside this one.
    pub fn inner(&self, name: &str) -> Self {
        let mut path = self.path.clone();
        path.push(name.to_owned());
        Self { file: self.file.clone(), path }
    }

    /// The line in `text` where the declaration stands, counted from 1: the names are searched from
    /// the outermost inwards, because the XML reader keeps no positions.
    pub fn line(&self, text: &str) -> Option<usize> {
        let at = self.path.iter().try_fold(0, |from, name| {
            let found = text.get(from..)?.find(&format!("name=\"{name}\""))?;
            Some(from + found)
        })?;
        Some(text.get(..at)?.matches('\n').count() + 1)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.file, self.path.join("/"))
    }
}

/// One thing that is wrong with the schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
}

impl Problem {
    /// A problem of the declaration at `place`.
    pub fn new(place: &Place, message: impl Into<String>) -> Self {
        Self { place: place.clone(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Everything that the documents declare.
#[derive(Debug, Default)]
pub struct Symbols {
    /// API versions, ascending.
    pub versions: Vec<String>,
    /// Named types: data objects, enumerations, managed objects, arrays.
    pub types: BTreeMap<String, TypeDecl>,
    /// Methods by their WSDL name.
    pub methods: BTreeMap<String, MethodDecl>,
    /// Top-level elements with a named type: element → type.
    pub elements: HashMap<String, String>,
    /// Results: response element → its `returnval`, absent for void.
    pub responses: HashMap<String, Option<FieldDecl>>,
    /// WSDL messages: message → element.
    pub messages: HashMap<String, String>,
    /// WSDL operations: method → messages of its faults.
    pub faults: HashMap<String, Vec<String>>,
}

/// A declared type.
#[derive(Debug, Clone)]
pub struct TypeDecl {
    /// Where it is declared.
    pub place: Place,
    /// Its name in the WSDL.
    pub name: String,
    /// Its VMODL name, when the annotation gives one.
    pub vmodl: Option<String>,
    /// The version that introduced it.
    pub since: Option<String>,
    /// The target namespace of its document.
    pub namespace: String,
    /// What it is.
    pub body: Body,
}

/// What a declared type is made of.
#[derive(Debug, Clone)]
pub enum Body {
    /// An enumeration with its values.
    Enum(Vec<String>),
    /// A data object with its base and its own fields.
    Data(Option<String>, Vec<FieldDecl>),
    /// A managed object with its base and its own properties.
    Managed(Option<String>, Vec<FieldDecl>),
    /// An array type with its item.
    Array(Box<FieldDecl>),
}

/// A data field, a property, a parameter or a result.
#[derive(Debug, Clone, Default)]
pub struct FieldDecl {
    /// Where it is declared.
    pub place: Place,
    /// Its element name.
    pub name: String,
    /// Its type, as a qualified name.
    pub ty: String,
    /// Whether it may be absent.
    pub optional: bool,
    /// Whether it may be repeated.
    pub array: bool,
    /// What the annotation adds.
    pub note: FieldNote,
}

/// A method.
#[derive(Debug, Clone)]
pub struct MethodDecl {
    /// Where its request is declared.
    pub place: Place,
    /// Its name in the WSDL.
    pub name: String,
    /// Its VMODL name.
    pub vmodl: String,
    /// The managed object that owns it.
    pub owner: String,
    /// The version that introduced it.
    pub since: Option<String>,
    /// The privilege that the caller needs.
    pub privilege: Option<String>,
    /// The target namespace of its document.
    pub namespace: String,
    /// Its parameters after `_this`.
    pub params: Vec<FieldDecl>,
    /// What its task leaves in `TaskInfo.result`.
    pub task_result: Option<FieldDecl>,
}

/// Gathers the declarations of all `schemas` and `definitions`, each given with its file name.
pub fn collect(
    schemas: &[(String, Schema)],
    definitions: &[(String, Definitions)],
) -> (Symbols, Vec<Problem>) {
    let mut symbols = Symbols::default();
    let mut problems = Vec::new();
    for (file, schema) in schemas {
        let namespace = &schema.target_namespace;
        Collector { file, namespace, out: &mut symbols, problems: &mut problems }.schema(schema);
    }
    for (_, wsdl) in definitions {
        for message in &wsdl.messages {
            if let Some(part) = message.parts.first() {
                symbols.messages.insert(message.name.clone(), xsd::local(&part.element).to_owned());
            }
        }
        for operation in wsdl.port_types.iter().flat_map(|port| &port.operations) {
            let faults = operation.faults.iter().map(|fault| xsd::local(&fault.message).to_owned());
            symbols.faults.insert(operation.name.clone(), faults.collect());
        }
    }
    (symbols, problems)
}

/// Collects one XSD document.
struct Collector<'a> {
    file: &'a str,
    namespace: &'a str,
    out: &'a mut Symbols,
    problems: &'a mut Vec<Problem>,
}

impl Collector<'_> {
    fn schema(&mut self, schema: &Schema) {
        for note in xsd::notes(&schema.annotations) {
            let versions = note.versions.iter().map(|version| version.name.clone());
            self.out.versions.extend(versions);
            note.managed_objects.iter().for_each(|managed| self.managed(managed));
        }
        schema.simple_types.iter().for_each(|simple| self.simple(simple));
        schema.complex_types.iter().for_each(|complex| self.complex(complex));
        schema.elements.iter().for_each(|element| self.element(element));
    }

    fn managed(&mut self, managed: &ManagedNote) {
        let place = Place::top(self.file, &managed.name);
        let properties = managed.properties.iter().map(|p| property(&place, p)).collect();
        self.declare(TypeDecl {
            name: managed.name.clone(),
            vmodl: managed.vmodl.clone(),
            since: managed.since.clone(),
            namespace: self.namespace.to_owned(),
            body: Body::Managed(managed.base.clone(), properties),
            place,
        });
    }

    fn simple(&mut self, simple: &SimpleType) {
        let note = xsd::notes(&simple.annotations).find_map(|info| info.types.first());
        let values = simple.restriction.iter().flat_map(|restriction| &restriction.values);
        self.declare(TypeDecl {
            place: Place::top(self.file, &simple.name),
            name: simple.name.clone(),
            vmodl: note.and_then(|note| note.vmodl.clone()),
            since: note.and_then(|note| note.since.clone()),
            namespace: self.namespace.to_owned(),
            body: Body::Enum(values.map(|value| value.value.clone()).collect()),
        });
    }

    fn complex(&mut self, complex: &ComplexType) {
        // Simple content has only the managed object reference: a reference field is of the managed
        // type itself.
        let (Some(name), None) = (&complex.name, &complex.simple_content) else { return };
        let place = Place::top(self.file, name);
        let (base, fields) = content(&place, complex);
        if let Some(note) = xsd::notes(&complex.annotations).find_map(|info| info.methods.first()) {
            return self.method(place, note, fields);
        }
        let note = xsd::notes(&complex.annotations).find_map(|info| info.types.first());
        let body = match fields.as_slice() {
            [item] if note.is_none() && name.starts_with("ArrayOf") && item.array => {
                Body::Array(Box::new(item.clone()))
            }
            _ => Body::Data(base, fields),
        };
        if note.is_none() && !matches!(body, Body::Array(_)) {
            let message = "neither a data object (vs:type), a request (vs:method) nor an array";
            self.problems.push(Problem::new(&place, message));
        }
        self.declare(TypeDecl {
            name: name.clone(),
            vmodl: note.and_then(|note| note.vmodl.clone()),
            since: note.and_then(|note| note.since.clone()),
            namespace: self.namespace.to_owned(),
            body,
            place,
        });
    }

    fn method(&mut self, place: Place, note: &MethodNote, mut params: Vec<FieldDecl>) {
        if params.first().is_some_and(|field| field.name == "_this") {
            params.remove(0);
        } else {
            self.problems.push(Problem::new(&place, "the first parameter is not _this"));
        }
        let method = MethodDecl {
            name: note.name.clone(),
            vmodl: note.vmodl.clone(),
            owner: note.owner.clone(),
            since: note.since.clone(),
            privilege: note.privilege.clone(),
            namespace: self.namespace.to_owned(),
            params,
            task_result: note.task_results.first().map(|result| property(&place, result)),
            place,
        };
        if let Some(other) = self.out.methods.get(&method.name) {
            let message = format!("method {} is already declared in {}", note.name, other.place);
            self.problems.push(Problem::new(&method.place, message));
        } else {
            self.out.methods.insert(method.name.clone(), method);
        }
    }

    fn element(&mut self, element: &Element) {
        let Some(name) = &element.name else { return };
        if let Some(ty) = &element.ty {
            self.out.elements.insert(name.clone(), xsd::local(ty).to_owned());
        }
        if let Some(inline) = element.inline.first() {
            let (_, fields) = content(&Place::top(self.file, name), inline);
            self.out.responses.insert(name.clone(), fields.into_iter().next());
        }
    }

    fn declare(&mut self, decl: TypeDecl) {
        if let Some(other) = self.out.types.get(&decl.name) {
            let message = format!("{} is already declared in {}", decl.name, other.place);
            self.problems.push(Problem::new(&decl.place, message));
        } else {
            self.out.types.insert(decl.name.clone(), decl);
        }
    }
}

/// The base and the fields of a complex type.
fn content(place: &Place, complex: &ComplexType) -> (Option<String>, Vec<FieldDecl>) {
    let extension = complex.complex_content.as_ref().and_then(|content| content.extension.as_ref());
    let base = extension.map(|extension| xsd::local(&extension.base).to_owned());
    let own = complex.sequence.as_ref();
    let sequence = extension.and_then(|extension| extension.sequence.as_ref()).or(own);
    let fields = sequence.iter().flat_map(|sequence| &sequence.elements);
    (base, fields.map(|element| field(place, element)).collect())
}

fn field(owner: &Place, element: &Element) -> FieldDecl {
    let name = element.name.clone().unwrap_or_default();
    let note = xsd::notes(&element.annotations).find_map(|info| info.fields.first());
    FieldDecl {
        place: owner.inner(&name),
        name,
        ty: element.ty.clone().unwrap_or_default(),
        optional: element.min.as_deref() == Some("0"),
        array: element.max.as_deref() == Some("unbounded"),
        note: note.cloned().unwrap_or_default(),
    }
}

fn property(owner: &Place, note: &PropertyNote) -> FieldDecl {
    let name = note.name.clone().unwrap_or_else(|| "result".to_owned());
    let note = note.clone();
    FieldDecl {
        place: owner.inner(&name),
        name,
        ty: note.ty.unwrap_or_default(),
        optional: note.min.as_deref() == Some("0"),
        array: note.max.as_deref() == Some("unbounded"),
        note: FieldNote {
            since: note.since,
            reference: note.reference,
            fault: note.fault,
            secret: note.secret,
            link: note.link,
            linkable: note.linkable,
            privilege: note.privilege,
        },
    }
}
