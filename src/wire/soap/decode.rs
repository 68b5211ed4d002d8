//! Reading data: elements to values, by the type that the place declares and
//! the type that `xsi:type` names.
//!
//! Fields in the making live on one stack that all nested objects share, so an
//! object costs one allocation, its own.

use super::error::{DecodeError, Frame, Problem, Result, at};
use super::reader::{Attrs, Ns, Reader, Tag};
use crate::schema::{Field, Kind, Primitive, Type, Version, ty};
use crate::value::{Array, EnumValue, MoRef, Object, Value};
use crate::wire::scalar;

/// Reads values from a stream of elements.
pub(super) struct Decoder<'a> {
    /// The stream.
    pub(super) xml: Reader<'a>,
    /// What the client speaks: fields newer than this are not demanded.
    pub(super) version: Version,
    /// Fields of the objects that are being read.
    slots: Vec<Option<Value>>,
    /// Elements of the arrays that are being read.
    items: Vec<Value>,
    /// How many fields all objects have so far.
    fields: usize,
}

/// What the children of an element are: fields of an object, or arguments.
pub(super) struct Members<'s> {
    pub(super) fields: &'static [Field],
    /// Says where a member's error happened.
    pub(super) frame: &'s dyn Fn(Field, Option<usize>) -> Frame,
}

/// Runs of an array's elements that stand apart from each other, by slot.
type Scattered = Vec<(usize, Vec<Value>)>;

impl<'a> Decoder<'a> {
    /// A decoder of the elements in `xml`.
    pub(super) fn new(xml: Reader<'a>, version: Version) -> Self {
        Self { xml, version, slots: Vec::new(), items: Vec::new(), fields: 0 }
    }

    /// Reads the element `tag` as a value that a place of type `declared` can
    /// hold; nothing if the element is nil.
    pub(super) fn value(&mut self, tag: &Tag<'a>, declared: Type) -> Result<Option<Value>> {
        if !tag.has_attrs {
            return match declared.kind() {
                Kind::Primitive(Primitive::Any) => {
                    Err(DecodeError::new(Problem::UntypedAny, tag.at))
                }
                _ => self.concrete(tag, declared, None).map(Some),
            };
        }
        let attrs = self.xml.take_attrs(tag);
        if attrs.nil {
            return match self.xml.text() {
                Ok(text) if scalar::trim(&text).is_empty() => Ok(None),
                _ => Err(DecodeError::new(Problem::NilWithContent, tag.at)),
            };
        }
        let Some(name) = &attrs.xsi_type else {
            return match declared.kind() {
                Kind::Primitive(Primitive::Any) if attrs.mo_type.is_none() => {
                    Err(DecodeError::new(Problem::UntypedAny, tag.at))
                }
                Kind::Primitive(Primitive::Any) => {
                    self.reference(tag, ty::ManagedObject, &attrs).map(Some)
                }
                _ => self.concrete(tag, declared, Some(&attrs)).map(Some),
            };
        };
        let named = self.named(name, tag)?;
        let actual = narrow(named, declared).ok_or_else(|| {
            let mismatch = Problem::TypeMismatch { found: named.name(), expected: declared.name() };
            DecodeError::new(mismatch, tag.at)
        })?;
        let value = self.concrete(tag, actual, Some(&attrs));
        match (value, declared.kind()) {
            (Err(error), Kind::Primitive(Primitive::Any)) => {
                Err(error.within(Frame::Any { ty: named.name(), place: at(tag.at) }))
            }
            (value, _) => value.map(Some),
        }
    }

    /// The type that an `xsi:type` names.
    fn named(&self, name: &str, tag: &Tag<'a>) -> Result<Type> {
        let name = scalar::trim(name);
        let unknown = || DecodeError::new(Problem::UnknownType(name.to_owned()), tag.at);
        let (ns, local) = self.xml.qname(name).ok_or_else(|| {
            let prefix = name.split(':').next().unwrap_or_default();
            DecodeError::new(Problem::UnboundPrefix(prefix.to_owned()), tag.at)
        })?;
        let found = Type::by_name(local).ok_or_else(unknown)?;
        let is_scalar = matches!(found.kind(), Kind::Primitive(_));
        match ns {
            Ns::Xsd if is_scalar => Ok(found),
            Ns::Api if !is_scalar => Ok(found),
            // Clients that qualify nothing.
            Ns::None => Ok(found),
            _ => Err(unknown()),
        }
    }

    /// Reads the element as exactly `actual`.
    fn concrete(
        &mut self,
        tag: &Tag<'a>,
        actual: Type,
        attrs: Option<&Attrs<'a>>,
    ) -> Result<Value> {
        match actual.kind() {
            Kind::Primitive(primitive) => {
                let text = self.xml.text()?;
                scalar::parse(primitive, &text).ok_or_else(|| invalid(&text, actual.name(), tag))
            }
            Kind::Enum => {
                let text = self.xml.text()?;
                EnumValue::parse(actual, scalar::trim(&text))
                    .map(Value::Enum)
                    .ok_or_else(|| invalid(&text, actual.name(), tag))
            }
            Kind::Data => self.object(tag, actual).map(Value::Object),
            Kind::Managed => match attrs {
                Some(attrs) => self.reference(tag, actual, attrs),
                None => self.reference(tag, actual, &Attrs::default()),
            },
            Kind::Array => self.array(actual).map(Value::Array),
        }
    }

    /// Reads a reference; without an attribute its type is the declared one.
    pub(super) fn reference(
        &mut self,
        tag: &Tag<'a>,
        declared: Type,
        attrs: &Attrs<'a>,
    ) -> Result<Value> {
        let within =
            |error: DecodeError| error.within(Frame::Reference { ty: declared, place: at(tag.at) });
        let actual = match &attrs.mo_type {
            None => declared,
            Some(name) => {
                let local = name.rsplit(':').next().unwrap_or(name);
                match Type::by_name(scalar::trim(local)) {
                    Some(named) if named.kind() == Kind::Managed => named,
                    _ => {
                        let problem = Problem::UnknownType(name.clone().into_owned());
                        return Err(within(DecodeError::new(problem, tag.at)));
                    }
                }
            }
        };
        if !actual.is_a(declared) {
            let (found, expected) = (actual.name(), declared.name());
            let problem = Problem::TypeMismatch { found, expected };
            return Err(within(DecodeError::new(problem, tag.at)));
        }
        let id = self.xml.text().map_err(within)?;
        Ok(Value::Ref(MoRef::new(actual, scalar::trim(&id))))
    }

    fn object(&mut self, tag: &Tag<'a>, ty: Type) -> Result<Object> {
        let within = |error: DecodeError| error.within(Frame::Object { ty, place: at(tag.at) });
        let fields = ty.fields();
        let base = self.slots.len();
        let members = Members { fields, frame: &property };
        self.members(&members).map_err(within)?;
        for (field, value) in fields.iter().zip(self.slots.iter().skip(base)) {
            if value.is_none() && is_demanded(*field, self.version) {
                let problem = Problem::MissingProperty { property: field.name(), ty: ty.name() };
                return Err(within(DecodeError::new(problem, self.xml.position())));
            }
        }
        Ok(Object::from_slots(ty, self.slots.drain(base..)))
    }

    /// Reads the children of the current element as `members`, and leaves one
    /// slot for each on the stack.
    pub(super) fn members(&mut self, members: &Members<'_>) -> Result<()> {
        let fields = members.fields;
        self.fields += fields.len();
        if self.fields > self.xml.limits.fields {
            return Err(DecodeError::new(Problem::Limit("fields"), self.xml.position()));
        }
        let base = self.slots.len();
        self.slots.resize_with(base + fields.len(), || None);
        let mut scattered = Scattered::new();
        let mut expected = 0;
        let mut next = self.xml.child()?;
        while let Some(tag) = next {
            let Some((slot, field)) = find(fields, expected, &tag) else {
                return Err(unexpected(&tag));
            };
            let is_set = self.slots.get(base + slot).is_some_and(Option::is_some);
            let value = if field.is_array() {
                let start = self.items.len();
                next = self.run(tag, field, members)?;
                if is_set {
                    self.scatter(&mut scattered, base, slot, start);
                    continue;
                }
                // Only nil elements: nothing is set.
                (self.items.len() > start)
                    .then(|| Value::Array(Array::from_items(field.ty(), self.items.drain(start..))))
            } else {
                if is_set {
                    return Err(unexpected(&tag));
                }
                let value = self
                    .value(&tag, field.ty())
                    .map_err(|error| error.within((members.frame)(field, None)))?;
                next = self.xml.child()?;
                value
            };
            if let Some(stored) = self.slots.get_mut(base + slot) {
                *stored = value;
            }
            expected = slot + 1;
        }
        for (slot, items) in scattered {
            if let (Some(stored), Some(field)) = (self.slots.get_mut(base + slot), fields.get(slot))
            {
                *stored = Some(Value::Array(Array::new(field.ty(), items)));
            }
        }
        Ok(())
    }

    /// The slots that [`members`](Self::members) left.
    pub(super) fn take_slots(&mut self, count: usize) -> Vec<Option<Value>> {
        self.slots.split_off(self.slots.len().saturating_sub(count))
    }

    /// Reads elements of one name onto the stack of items, and the tag after them.
    fn run(
        &mut self,
        first: Tag<'a>,
        field: Field,
        members: &Members<'_>,
    ) -> Result<Option<Tag<'a>>> {
        let start = self.items.len();
        let mut tag = first;
        loop {
            let value = self.value(&tag, field.ty()).map_err(|error| {
                error.within((members.frame)(field, Some(self.items.len() - start)))
            })?;
            self.items.extend(value);
            match self.xml.child()? {
                Some(next) if next.name == field.name() && next.ns.holds_fields() => tag = next,
                other => return Ok(other),
            }
        }
    }

    /// Joins a further run of an array's elements to those that stood apart.
    fn scatter(&mut self, scattered: &mut Scattered, base: usize, slot: usize, start: usize) {
        let run = self.items.drain(start..);
        if let Some((_, items)) = scattered.iter_mut().find(|(known, _)| *known == slot) {
            items.extend(run);
            return;
        }
        let mut items = match self.slots.get(base + slot) {
            Some(Some(value)) => value.items().to_vec(),
            _ => Vec::new(),
        };
        items.extend(run);
        scattered.push((slot, items));
    }

    /// Reads the elements of an `ArrayOf` type.
    fn array(&mut self, array: Type) -> Result<Array> {
        let element = array.element().unwrap_or(ty::ANY);
        let name = item_name(element);
        let start = self.items.len();
        while let Some(tag) = self.xml.child()? {
            if tag.name != name || !tag.ns.holds_fields() {
                return Err(unexpected(&tag));
            }
            let index = self.items.len() - start;
            let value = self
                .value(&tag, element)
                .map_err(|error| error.within(Frame::Item { name, index }))?;
            self.items.extend(value);
        }
        Ok(Array::from_items(element, self.items.drain(start..)))
    }
}

/// The element name of an array's items where the array is of declared type any.
pub(super) fn item_name(element: Type) -> &'static str {
    if element.kind() == Kind::Managed { "ManagedObjectReference" } else { element.name() }
}

/// The type to read when `named` is given where `declared` is; nothing if the
/// place cannot hold it.
fn narrow(named: Type, declared: Type) -> Option<Type> {
    match (declared.kind(), named.kind()) {
        (_, Kind::Primitive(Primitive::Any)) => None,
        (Kind::Primitive(Primitive::Any), _) => Some(named),
        // Any simple type's name before a simple value: the declared one decides.
        (Kind::Primitive(_) | Kind::Enum, Kind::Primitive(_)) => Some(declared),
        (Kind::Primitive(Primitive::String), Kind::Enum) => Some(declared),
        // References are called by one of three names; their own type is in `type`.
        (Kind::Managed, Kind::Managed) if named == ty::ManagedObject => Some(declared),
        _ => named.is_a(declared).then_some(named),
    }
}

/// Whether a request of `version` must have the field.
pub(in crate::wire) fn is_demanded(field: Field, version: Version) -> bool {
    !field.is_optional() && !field.is_array() && field.since() <= version
}

/// The member that `tag` is, most likely the one at `expected` or soon after.
fn find(fields: &'static [Field], expected: usize, tag: &Tag<'_>) -> Option<(usize, Field)> {
    if !tag.ns.holds_fields() {
        return None;
    }
    let (before, after) = fields.split_at_checked(expected)?;
    let is = |(_, field): &(usize, &Field)| field.name() == tag.name;
    let ahead = after.iter().enumerate().find(is).map(|(at, field)| (expected + at, *field));
    ahead.or_else(|| before.iter().enumerate().find(is).map(|(at, field)| (at, *field)))
}

fn property(field: Field, index: Option<usize>) -> Frame {
    Frame::Property { name: field.name(), index, ty: static_type(field) }
}

/// The declared type as messages name it.
pub(super) fn static_type(field: Field) -> &'static str {
    let element = field.ty();
    if field.is_array() { element.array().unwrap_or(element).name() } else { element.name() }
}

fn unexpected(tag: &Tag<'_>) -> DecodeError {
    DecodeError::new(Problem::UnexpectedElement(tag.qualified.to_owned()), tag.at)
}

fn invalid(text: &str, ty: &'static str, tag: &Tag<'_>) -> DecodeError {
    let value = text.chars().take(64).collect();
    DecodeError::new(Problem::InvalidValue { value, ty }, tag.at)
}
