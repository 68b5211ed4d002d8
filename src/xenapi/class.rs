//! [`Class`]: a kind of object: its fields, its messages, and where its objects
//! are. The messages that every class has (`get_all`, `get_record`, a getter
//! for each field …) follow from that.

use std::fmt;

use super::failure::Failure;
use super::filter::Filter;
use super::message::{Args, Message};
use super::value::{Type, Value};
use super::view::View;
use crate::value::{MoRef, Str};

/// One field of a class.
#[derive(Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub ty: Type,
    /// The release that brought it.
    pub since: &'static str,
    /// What it is for an object that exists.
    pub read: fn(&View<'_>, &MoRef) -> Value,
}

impl Field {
    /// A field that was there from the start.
    pub const fn new(name: &'static str, ty: Type, read: fn(&View<'_>, &MoRef) -> Value) -> Self {
        Self { name, ty, since: "rio", read }
    }

    /// The release that brought it.
    #[must_use]
    pub const fn since(self, since: &'static str) -> Self {
        Self { since, ..self }
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field").field("name", &self.name).field("ty", &self.ty).finish()
    }
}

/// A kind of object.
pub struct Class {
    /// Its name: `VM`.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
    /// Its messages, besides those that every class has.
    pub messages: &'static [Message],
    /// What stands for its objects in the inventory, in a fixed order.
    pub objects: fn(&View<'_>) -> Vec<MoRef>,
    /// Whether there is such an object; asked of any reference of the right type.
    pub exists: fn(&View<'_>, &MoRef) -> bool,
    /// The object with this UUID.
    pub by_uuid: fn(&View<'_>, &str) -> Option<MoRef>,
    /// Whether clients list its objects (`get_all`, `get_all_records`).
    pub listed: bool,
    /// Whether `get_all_records` and the like are among its own messages.
    pub own_getters: &'static [&'static str],
}

impl Class {
    /// The field called `name`.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The record of an object.
    pub fn record(&self, view: &View<'_>, mo: &MoRef) -> Value {
        let fields = self.fields.iter();
        Value::Map(fields.map(|field| (Str::from(field.name), (field.read)(view, mo))).collect())
    }

    /// The records of objects by their references.
    fn records(&self, view: &View<'_>, objects: &[MoRef]) -> Value {
        let objects = objects.iter();
        Value::Map(objects.map(|mo| (view.reference(mo), self.record(view, mo))).collect())
    }

    /// The objects that an expression wants.
    fn wanted(&self, view: &View<'_>, expression: &str) -> Result<Vec<MoRef>, Failure> {
        let filter = Filter::parse(expression)
            .map_err(|error| Failure::invalid_value(expression, &error.to_string()))?;
        if let Some(column) = filter.unknown_column(self) {
            let reason = format!("{} has no field {column}", self.name);
            return Err(Failure::internal_error(&reason));
        }
        let mut found = (self.objects)(view);
        found.retain(|mo| filter.matches(self, view, mo));
        Ok(found)
    }

    /// The object that a reference names.
    pub fn find(&self, view: &View<'_>, reference: &str) -> Result<MoRef, Failure> {
        view.resolve(self, reference).ok_or_else(|| Failure::handle_invalid(self.name, reference))
    }
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Class").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A message that follows from a class.
#[derive(Clone, Copy, Debug)]
pub(super) enum Getter {
    /// `get_all`: the references.
    All,
    /// `get_all_records`: the records by reference.
    AllRecords,
    /// `get_all_where`: the references of those that a filter wants.
    AllWhere,
    /// `get_all_records_where`: the records by reference, likewise.
    AllRecordsWhere,
    /// `get_record`.
    Record,
    /// `get_by_uuid`.
    ByUuid,
    /// `get_by_name_label`: the references of those with the name.
    ByNameLabel,
    /// `get_FIELD`.
    Field(&'static Field),
}

impl Getter {
    /// Those of a class, with the names of their messages.
    pub(super) fn of(class: &'static Class) -> Vec<(String, Self)> {
        let mut all: Vec<(String, Self)> = Vec::new();
        if class.listed {
            all.push(("get_all".into(), Self::All));
            all.push(("get_all_records".into(), Self::AllRecords));
            all.push(("get_all_where".into(), Self::AllWhere));
            all.push(("get_all_records_where".into(), Self::AllRecordsWhere));
        }
        all.push(("get_record".into(), Self::Record));
        all.push(("get_by_uuid".into(), Self::ByUuid));
        if class.field("name_label").is_some() {
            all.push(("get_by_name_label".into(), Self::ByNameLabel));
        }
        let fields = class.fields.iter();
        all.extend(fields.map(|field| (format!("get_{}", field.name), Self::Field(field))));
        all.retain(|(name, _)| !class.own_getters.contains(&name.as_str()));
        for (name, _) in &mut all {
            name.insert_str(0, &format!("{}.", class.name));
        }
        all
    }

    /// The type of its one parameter, if it has one.
    pub(super) fn param(self, class: &Class) -> Option<Type> {
        match self {
            Self::All | Self::AllRecords => None,
            Self::Record | Self::Field(_) => Some(Type::Ref(class.name)),
            Self::ByUuid | Self::ByNameLabel | Self::AllWhere | Self::AllRecordsWhere => {
                Some(Type::String)
            }
        }
    }

    /// Its answer.
    pub(super) fn answer(
        self,
        class: &Class,
        view: &View<'_>,
        args: &Args,
    ) -> Result<Value, Failure> {
        let refer = |mo: &MoRef| Value::String(view.reference(mo));
        Ok(match self {
            Self::All => Value::Set((class.objects)(view).iter().map(refer).collect()),
            Self::AllRecords => class.records(view, &(class.objects)(view)),
            Self::AllWhere => {
                Value::Set(class.wanted(view, args.text(0))?.iter().map(refer).collect())
            }
            Self::AllRecordsWhere => class.records(view, &class.wanted(view, args.text(0))?),
            Self::Record => class.record(view, &class.find(view, args.text(0))?),
            Self::Field(field) => (field.read)(view, &class.find(view, args.text(0))?),
            Self::ByUuid => {
                let uuid = args.text(0);
                let found = (class.by_uuid)(view, uuid);
                refer(&found.ok_or_else(|| Failure::uuid_invalid(class.name, uuid))?)
            }
            Self::ByNameLabel => {
                let Some(field) = class.field("name_label") else { return Ok(Value::Void) };
                let mut found = (class.objects)(view);
                found.retain(|mo| (field.read)(view, mo).as_str() == Some(args.text(0)));
                Value::Set(found.iter().map(refer).collect())
            }
        })
    }
}
