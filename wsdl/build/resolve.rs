//! Second pass: turns names into numbers. Types are numbered so that a type and everything derived
//! from it form one range, which makes "is a" a comparison. All mistakes are collected, none is fatal
//! before the whole schema was looked at.

use std::collections::{BTreeMap, HashMap};

use super::collect::{Body, FieldDecl, MethodDecl, Place, Problem, Symbols, TypeDecl};
use super::xsd;

/// The XSD scalars, in the order of `schema::Primitive`: XSD name, then constant name.
pub const PRIMITIVES: [(&str, &str); 12] = [
    ("boolean", "BOOLEAN"),
    ("byte", "BYTE"),
    ("short", "SHORT"),
    ("int", "INT"),
    ("long", "LONG"),
    ("float", "FLOAT"),
    ("double", "DOUBLE"),
    ("string", "STRING"),
    ("anyURI", "URI"),
    ("dateTime", "DATE_TIME"),
    ("base64Binary", "BINARY"),
    ("anyType", "ANY"),
];

/// The WSDL's one type for all references; a field of it has the managed type it refers to.
pub const REFERENCE: &str = "ManagedObjectReference";
/// The root of all managed objects.
pub const MANAGED_ROOT: &str = "ManagedObject";

/// The resolved schema.
#[derive(Debug, Default)]
pub struct Model {
    /// API versions, ascending.
    pub versions: Vec<String>,
    /// Types in numbering order: primitives, enumerations, data, managed, arrays.
    pub types: Vec<TypeRow>,
    /// Number of the first enumeration, data object, managed object and array type.
    pub first: [u16; 4],
    /// Fields, each once, at its declaration.
    pub fields: Vec<FieldRow>,
    /// Methods, grouped by owner.
    pub methods: Vec<MethodRow>,
}

/// A resolved type.
#[derive(Debug, Default, Clone)]
pub struct TypeRow {
    /// WSDL name.
    pub name: String,
    /// VMODL name.
    pub vmodl: String,
    /// Base type.
    pub base: Option<u16>,
    /// The last type derived from this one, or itself.
    pub last: u16,
    /// Index of the version that introduced it.
    pub since: u8,
    /// 0 for vim25, 1 for reflect.
    pub namespace: u8,
    /// All fields or properties, inherited first.
    pub fields: Vec<u16>,
    /// Values of an enumeration.
    pub values: Vec<String>,
    /// Element of an array type.
    pub element: Option<u16>,
    /// The array type of this type.
    pub array: Option<u16>,
    /// Own methods: first and count.
    pub methods: (u16, u16),
}

/// A resolved field.
#[derive(Debug, Default, Clone)]
pub struct FieldRow {
    /// Element name.
    pub name: String,
    /// Type of one element.
    pub ty: u16,
    /// Whether it may be repeated.
    pub array: bool,
    /// Whether it may be absent.
    pub optional: bool,
    /// Marked secret.
    pub secret: bool,
    /// Marked as a link.
    pub link: bool,
    /// Marked as something that can be linked to.
    pub linkable: bool,
    /// Index of the version that introduced it.
    pub since: u8,
    /// Privilege to read or pass it.
    pub privilege: Option<String>,
    /// The fault type that a fault field is limited to.
    pub fault: Option<u16>,
}

/// A resolved method.
#[derive(Debug, Default, Clone)]
pub struct MethodRow {
    /// WSDL name.
    pub name: String,
    /// VMODL name.
    pub vmodl: String,
    /// Owner.
    pub owner: u16,
    /// Index of the version that introduced it.
    pub since: u8,
    /// 0 for vim25, 1 for reflect.
    pub namespace: u8,
    /// Privilege to call it.
    pub privilege: Option<String>,
    /// Parameters after `_this`.
    pub params: Vec<u16>,
    /// Result, absent for void.
    pub result: Option<u16>,
    /// What its task leaves as result.
    pub task_result: Option<u16>,
    /// Declared faults.
    pub faults: Vec<u16>,
}

/// Resolves `symbols`.
pub fn resolve(symbols: &Symbols) -> Result<Model, Vec<Problem>> {
    let mut resolver = Resolver::default();
    resolver.number(symbols);
    resolver.fields(symbols);
    resolver.methods(symbols);
    if resolver.problems.is_empty() {
        Ok(resolver.model)
    } else {
        resolver.problems.sort();
        Err(resolver.problems)
    }
}

#[derive(Default)]
struct Resolver {
    model: Model,
    by_name: HashMap<String, u16>,
    by_version: HashMap<String, u8>,
    problems: Vec<Problem>,
}

impl Resolver {
    /// Gives every type its number and its place in the inheritance tree.
    fn number(&mut self, symbols: &Symbols) {
        self.model.versions = symbols.versions.clone();
        self.by_version = symbols.versions.iter().cloned().zip(0..).collect();
        for (name, _) in PRIMITIVES {
            self.push(TypeRow { name: name.into(), vmodl: name.into(), ..TypeRow::default() });
        }
        self.model.first[0] = self.count();
        for decl in symbols.types.values() {
            if let Body::Enum(values) = &decl.body {
                let row = TypeRow { values: values.clone(), ..self.row(decl) };
                self.push(row);
            }
        }
        self.model.first[1] = self.count();
        self.forest(symbols, |body| match body {
            Body::Data(base, _) => Some(base.as_deref()),
            _ => None,
        });
        self.model.first[2] = self.count();
        self.forest(symbols, |body| match body {
            Body::Managed(base, _) => Some(base.as_deref()),
            _ => None,
        });
        self.model.first[3] = self.count();
        for decl in symbols.types.values() {
            if let Body::Array(item) = &decl.body {
                let Some(element) = self.lookup(&item.place, item) else { continue };
                let inner = self.model.types[usize::from(element)].clone();
                let array = self.count();
                self.model.types[usize::from(element)].array = Some(array);
                let row = TypeRow {
                    vmodl: format!("{}[]", inner.vmodl),
                    since: inner.since,
                    element: Some(element),
                    ..self.row(decl)
                };
                self.push(row);
            }
        }
        // All references travel in one array type.
        let root = self.by_name.get(MANAGED_ROOT).copied().map(usize::from);
        if let Some(array) = root.and_then(|root| self.model.types[root].array) {
            let [_, _, first, last] = self.model.first;
            for row in &mut self.model.types[usize::from(first)..usize::from(last)] {
                row.array = Some(array);
            }
        }
    }

    /// Numbers the types of one kind in preorder of inheritance.
    fn forest(&mut self, symbols: &Symbols, base: impl Fn(&Body) -> Option<Option<&str>>) {
        let mut children: BTreeMap<Option<&str>, Vec<&TypeDecl>> = BTreeMap::new();
        for decl in symbols.types.values() {
            let Some(base) = base(&decl.body) else { continue };
            children.entry(base).or_default().push(decl);
        }
        let mut seen = 0;
        for root in children.get(&None).into_iter().flatten() {
            self.subtree(root, None, &children, &mut seen);
        }
        let total: usize = children.values().map(Vec::len).sum();
        if seen == total {
            return;
        }
        for (base, decls) in &children {
            for decl in decls.iter().filter(|decl| !self.by_name.contains_key(&decl.name)) {
                let base = base.unwrap_or_default();
                let message = format!("base {base} of {} is not declared or circular", decl.name);
                self.problems.push(Problem::new(&decl.place, message));
            }
        }
    }

    fn subtree(
        &mut self,
        decl: &TypeDecl,
        base: Option<u16>,
        children: &BTreeMap<Option<&str>, Vec<&TypeDecl>>,
        seen: &mut usize,
    ) {
        *seen += 1;
        let index = self.count();
        let row = TypeRow { base, ..self.row(decl) };
        self.push(row);
        for child in children.get(&Some(decl.name.as_str())).into_iter().flatten() {
            self.subtree(child, Some(index), children, seen);
        }
        self.model.types[usize::from(index)].last = self.count() - 1;
    }

    /// The part of a row that every kind has.
    fn row(&mut self, decl: &TypeDecl) -> TypeRow {
        TypeRow {
            name: decl.name.clone(),
            vmodl: decl.vmodl.clone().unwrap_or_else(|| decl.name.clone()),
            since: self.since(&decl.place, decl.since.as_deref(), 0),
            namespace: namespace(&decl.namespace),
            ..TypeRow::default()
        }
    }

    fn count(&self) -> u16 {
        number(self.model.types.len())
    }

    fn push(&mut self, mut row: TypeRow) {
        let index = self.count();
        row.last = index;
        self.by_name.insert(row.name.clone(), index);
        self.model.types.push(row);
    }

    /// Fills the field lists of data and managed objects, bases before what derives from them.
    fn fields(&mut self, symbols: &Symbols) {
        let [_, first, _, last] = self.model.first;
        for index in usize::from(first)..usize::from(last) {
            let row = &self.model.types[index];
            let Some(decl) = symbols.types.get(&row.name) else { continue };
            let (Body::Data(_, own) | Body::Managed(_, own)) = &decl.body else { continue };
            let since = row.since;
            let inherited = row.base.map(|base| self.model.types[usize::from(base)].fields.clone());
            let mut list = inherited.unwrap_or_default();
            for field in own {
                if list.iter().any(|&f| self.model.fields[usize::from(f)].name == field.name) {
                    let message = format!("{} is already a field of {}", field.name, decl.name);
                    self.problems.push(Problem::new(&field.place, message));
                }
                list.extend(self.field(field, since));
            }
            self.model.types[index].fields = list;
        }
    }

    fn field(&mut self, decl: &FieldDecl, owner_since: u8) -> Option<u16> {
        let ty = self.lookup(&decl.place, decl)?;
        let fault = decl.note.fault.as_deref().and_then(|name| self.named(&decl.place, name));
        let flag = |text: &Option<String>| text.as_deref() == Some("true");
        let row = FieldRow {
            name: decl.name.clone(),
            ty,
            array: decl.array,
            optional: decl.optional,
            secret: flag(&decl.note.secret),
            link: flag(&decl.note.link),
            linkable: flag(&decl.note.linkable),
            since: self.since(&decl.place, decl.note.since.as_deref(), owner_since),
            privilege: decl.note.privilege.clone(),
            fault,
        };
        self.model.fields.push(row);
        Some(number(self.model.fields.len() - 1))
    }

    /// The type of a field: a scalar, a named type, or the managed type that it refers to.
    fn lookup(&mut self, place: &Place, decl: &FieldDecl) -> Option<u16> {
        let name = match xsd::local(&decl.ty) {
            REFERENCE => xsd::local(decl.note.reference.as_deref().unwrap_or(MANAGED_ROOT)),
            name => name,
        };
        self.named(place, name)
    }

    fn named(&mut self, place: &Place, name: &str) -> Option<u16> {
        let found = self.by_name.get(xsd::local(name)).copied();
        if found.is_none() {
            self.problems.push(Problem::new(place, format!("no type is called {name:?}")));
        }
        found
    }

    fn since(&mut self, place: &Place, text: Option<&str>, default: u8) -> u8 {
        let Some(text) = text else { return default };
        self.by_version.get(text).copied().unwrap_or_else(|| {
            self.problems.push(Problem::new(place, format!("no version is called {text:?}")));
            default
        })
    }

    /// Numbers the methods, grouped by owner.
    fn methods(&mut self, symbols: &Symbols) {
        let mut by_owner: BTreeMap<u16, Vec<&MethodDecl>> = BTreeMap::new();
        for method in symbols.methods.values() {
            if let Some(owner) = self.named(&method.place, &method.owner) {
                by_owner.entry(owner).or_default().push(method);
            }
        }
        for (owner, methods) in by_owner {
            let first = number(self.model.methods.len());
            let count = number(methods.len());
            self.model.types[usize::from(owner)].methods = (first, count);
            for decl in methods {
                let row = self.method(symbols, decl, owner);
                self.model.methods.push(row);
            }
        }
    }

    fn method(&mut self, symbols: &Symbols, decl: &MethodDecl, owner: u16) -> MethodRow {
        let owner_since = self.model.types[usize::from(owner)].since;
        let since = self.since(&decl.place, decl.since.as_deref(), owner_since);
        let result = match symbols.responses.get(&format!("{}Response", decl.name)) {
            Some(result) => result.clone(),
            None => {
                let message = format!("no element {}Response", decl.name);
                self.problems.push(Problem::new(&decl.place, message));
                None
            }
        };
        let mut faults = Vec::new();
        match symbols.faults.get(&decl.name) {
            Some(messages) => {
                for message in messages {
                    let element = symbols.messages.get(message);
                    match element.and_then(|element| symbols.elements.get(element)) {
                        Some(ty) => faults.extend(self.named(&decl.place, ty)),
                        None => {
                            let message = format!("fault message {message} leads to no type");
                            self.problems.push(Problem::new(&decl.place, message));
                        }
                    }
                }
            }
            None => {
                let message = format!("no operation {} in the WSDL", decl.name);
                self.problems.push(Problem::new(&decl.place, message));
            }
        }
        MethodRow {
            name: decl.name.clone(),
            vmodl: decl.vmodl.clone(),
            owner,
            since,
            namespace: namespace(&decl.namespace),
            privilege: decl.privilege.clone(),
            params: decl.params.iter().filter_map(|param| self.field(param, since)).collect(),
            result: result.and_then(|result| self.field(&result, since)),
            task_result: decl.task_result.as_ref().and_then(|result| self.field(result, since)),
            faults,
        }
    }
}

fn number(count: usize) -> u16 {
    u16::try_from(count).expect("rows count to 65,535")
}

fn namespace(uri: &str) -> u8 {
    u8::from(uri == xsd::REFLECT)
}
