//! How plain Rust values become what a field of the schema holds.

use super::{Array, DateTime, EnumValue, MoRef, Object, Str, Value};
use crate::schema::{Field, Kind, Primitive};

/// Something that can be put into a field; the field says what it becomes
/// there: a number takes the field's width, text becomes the member of the
/// field's enumeration, a `Vec` becomes an array of the field's element type.
pub trait IntoSlot {
    /// The value as `field` holds it, or nothing to leave the field unset.
    fn into_slot(self, field: Field) -> Option<Value>;
}

impl IntoSlot for Value {
    fn into_slot(self, _: Field) -> Option<Value> {
        Some(self)
    }
}

impl IntoSlot for &Value {
    fn into_slot(self, _: Field) -> Option<Value> {
        Some(self.clone())
    }
}

impl<T: IntoSlot> IntoSlot for Option<T> {
    fn into_slot(self, field: Field) -> Option<Value> {
        self.and_then(|value| value.into_slot(field))
    }
}

macro_rules! as_is {
    ($($type:ty),+) => {$(
        impl IntoSlot for $type {
            fn into_slot(self, _: Field) -> Option<Value> {
                Some(Value::from(self))
            }
        }
    )+};
}
as_is!(bool, DateTime, MoRef, &MoRef, Object, Array);

impl IntoSlot for &Object {
    fn into_slot(self, _: Field) -> Option<Value> {
        Some(Value::Object(self.clone()))
    }
}

impl IntoSlot for i64 {
    fn into_slot(self, field: Field) -> Option<Value> {
        // A number too large for its field is clamped: it is vimsim's own.
        Some(match field.ty().kind() {
            Kind::Primitive(Primitive::Byte) => {
                Value::Byte(self.clamp(i8::MIN.into(), i8::MAX.into()) as i8)
            }
            Kind::Primitive(Primitive::Short) => {
                Value::Short(self.clamp(i16::MIN.into(), i16::MAX.into()) as i16)
            }
            Kind::Primitive(Primitive::Int) => {
                Value::Int(self.clamp(i32::MIN.into(), i32::MAX.into()) as i32)
            }
            Kind::Primitive(Primitive::Float) => Value::Float(self as f32),
            Kind::Primitive(Primitive::Double) => Value::Double(self as f64),
            _ => Value::Long(self),
        })
    }
}

impl IntoSlot for i32 {
    fn into_slot(self, field: Field) -> Option<Value> {
        if matches!(field.ty().kind(), Kind::Primitive(Primitive::Any)) {
            return Some(Value::Int(self));
        }
        i64::from(self).into_slot(field)
    }
}

impl IntoSlot for i16 {
    fn into_slot(self, field: Field) -> Option<Value> {
        i64::from(self).into_slot(field)
    }
}

impl IntoSlot for f64 {
    fn into_slot(self, field: Field) -> Option<Value> {
        Some(match field.ty().kind() {
            Kind::Primitive(Primitive::Float) => Value::Float(self as f32),
            _ => Value::Double(self),
        })
    }
}

impl IntoSlot for &str {
    fn into_slot(self, field: Field) -> Option<Value> {
        Some(match field.ty().kind() {
            Kind::Enum => match EnumValue::parse(field.ty(), self) {
                Some(member) => Value::Enum(member),
                // Not a member: let the type check of the setter refuse the text.
                None => Value::String(Str::from(self)),
            },
            _ => Value::String(Str::from(self)),
        })
    }
}

impl IntoSlot for String {
    fn into_slot(self, field: Field) -> Option<Value> {
        self.as_str().into_slot(field)
    }
}

impl IntoSlot for &String {
    fn into_slot(self, field: Field) -> Option<Value> {
        self.as_str().into_slot(field)
    }
}

impl IntoSlot for Str {
    fn into_slot(self, field: Field) -> Option<Value> {
        if field.ty().kind() == Kind::Enum {
            return self.as_str().into_slot(field);
        }
        Some(Value::String(self))
    }
}

impl IntoSlot for &Str {
    fn into_slot(self, field: Field) -> Option<Value> {
        self.clone().into_slot(field)
    }
}

impl IntoSlot for EnumValue {
    fn into_slot(self, field: Field) -> Option<Value> {
        // Many fields of the schema are strings that hold an enumeration's members.
        Some(match field.ty().kind() {
            Kind::Primitive(Primitive::String) => Value::String(Str::from(self.as_str())),
            _ => Value::Enum(self),
        })
    }
}

impl<T: IntoSlot> IntoSlot for Vec<T> {
    fn into_slot(self, field: Field) -> Option<Value> {
        let items = self.into_iter().filter_map(|item| item.into_slot(field)).collect();
        Some(Value::Array(Array::new(field.ty(), items)))
    }
}

impl<T: IntoSlot, const N: usize> IntoSlot for [T; N] {
    fn into_slot(self, field: Field) -> Option<Value> {
        let items = self.into_iter().filter_map(|item| item.into_slot(field)).collect();
        Some(Value::Array(Array::new(field.ty(), items)))
    }
}

impl<T: IntoSlot + Clone> IntoSlot for &[T] {
    fn into_slot(self, field: Field) -> Option<Value> {
        self.to_vec().into_slot(field)
    }
}
