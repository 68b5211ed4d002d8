//! Random instances of whatever the schema has.

use std::sync::LazyLock;

use vimsim::schema::{Field, Kind, Primitive, Type, Version, ty};
use vimsim::value::{Array, Binary, DateTime, EnumValue, MoRef, Object, ObjectBuilder, Str, Value};

/// Random instances of schema types; the same seed makes the same ones.
pub(crate) struct Maker {
    state: u64,
}

impl Maker {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number of the splitmix64 sequence.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn text(&mut self) -> String {
        const PIECES: &[&str] = &[
            "a",
            "Z",
            "0",
            " ",
            "\t",
            "\n",
            "\r",
            "&",
            "<",
            ">",
            "\"",
            "'",
            "]]>",
            "&amp;",
            "ä",
            "日",
            "\u{1f600}",
            "\u{7f}",
            "\u{85}",
            "\u{fffd}",
            "/",
            "[ds] x.vmdk",
        ];
        (0..self.below(6)).map(|_| self.pick(PIECES)).collect()
    }

    pub(crate) fn primitive(&mut self, primitive: Primitive, depth: usize) -> Value {
        let bits = self.next();
        let few = self.below(2) == 0;
        match primitive {
            Primitive::Boolean => Value::Boolean(few),
            Primitive::Byte => Value::Byte(bits as i8),
            Primitive::Short => Value::Short(bits as i16),
            Primitive::Int if few => Value::Int((bits % 100) as i32),
            Primitive::Int => Value::Int(bits as i32),
            Primitive::Long if few => Value::Long((bits % 100) as i64),
            Primitive::Long => Value::Long(bits as i64),
            Primitive::Float => {
                let number = f32::from_bits(bits as u32);
                Value::Float(if number.is_nan() { f32::INFINITY } else { number })
            }
            Primitive::Double => {
                let number = f64::from_bits(bits);
                Value::Double(if number.is_nan() { f64::NEG_INFINITY } else { number })
            }
            Primitive::String | Primitive::Uri => Value::String(Str::from(self.text())),
            Primitive::DateTime => {
                // Up to the year 9999.
                let micros = (bits % 253_402_300_800_000_000) as i64;
                Value::DateTime(DateTime::from_micros(if few {
                    micros / 1_000_000 * 1_000_000
                } else {
                    micros
                }))
            }
            Primitive::Binary => Value::Binary(Binary::new(self.text().as_bytes())),
            Primitive::Any => self.any(depth),
        }
    }

    /// A value of any type but any.
    pub(crate) fn any(&mut self, depth: usize) -> Value {
        loop {
            let ty = self.pick(&ANY);
            if depth == 0 && ty.kind() == Kind::Data {
                continue;
            }
            return match ty.kind() {
                Kind::Array => self.array(ty.element().unwrap(), depth),
                _ => self.value(ty, depth),
            };
        }
    }

    pub(crate) fn array(&mut self, element: Type, depth: usize) -> Value {
        let items = (0..self.below(3)).map(|_| self.value(element, depth.saturating_sub(1)));
        Array::new(element, items.collect()).into()
    }

    /// A value that a place of declared type `ty` can hold.
    pub(crate) fn value(&mut self, ty: Type, depth: usize) -> Value {
        match ty.kind() {
            Kind::Primitive(primitive) => self.primitive(primitive, depth.saturating_sub(1)),
            Kind::Enum => EnumValue::new(ty, self.below(ty.enum_values().len()) as u16).into(),
            Kind::Data => {
                let types: Vec<_> = ty.derived().collect();
                // Half of the time just what is declared, deep down always.
                let actual = match (depth, self.below(2)) {
                    (0, _) | (_, 0) => ty,
                    _ => self.pick(&types),
                };
                self.object(actual, depth.saturating_sub(1)).into()
            }
            Kind::Managed => {
                let types: Vec<_> = ty.derived().collect();
                let id = self.text();
                MoRef::new(self.pick(&types), id.trim_matches([' ', '\t', '\r', '\n'])).into()
            }
            Kind::Array => panic!("no place is declared as {ty}"),
        }
    }

    pub(crate) fn field(&mut self, field: Field, depth: usize) -> Option<Value> {
        if field.is_array() {
            let count = if depth == 0 { 0 } else { self.below(3) };
            let items: Vec<_> = (0..count).map(|_| self.value(field.ty(), depth)).collect();
            return (!items.is_empty()).then(|| Array::new(field.ty(), items).into());
        }
        let wanted = !field.is_optional() || (depth > 0 && self.below(3) == 0);
        wanted.then(|| self.value(field.ty(), depth))
    }

    pub(crate) fn object(&mut self, ty: Type, depth: usize) -> Object {
        let mut object = ObjectBuilder::new(ty);
        for (slot, field) in ty.fields().iter().enumerate() {
            object.try_set(slot, self.field(*field, depth)).expect("made to fit");
        }
        object.finish()
    }
}

/// All types that a place of any type can hold.
static ANY: LazyLock<Vec<Type>> =
    LazyLock::new(|| Type::all().filter(|ty| *ty != ty::ANY && *ty != ty::URI).collect());

/// What of `value` a client of `version` knows.
pub(crate) fn known(value: &Value, is_any: bool, version: Version) -> Value {
    let nearest = |ty: Type| {
        let mut line = std::iter::successors(Some(ty), |ty| ty.base());
        line.find(|ty| ty.since() <= version || ty.base().is_none()).unwrap_or(ty)
    };
    match value {
        Value::Enum(member) if is_any && member.ty().since() > version => member.as_str().into(),
        Value::Ref(mo) => MoRef::new(nearest(mo.ty()), mo.id()).into(),
        Value::Object(object) => {
            let ty = nearest(object.ty());
            let mut seen = ObjectBuilder::new(ty);
            for (slot, field) in ty.fields().iter().enumerate() {
                let value = object.get(slot).filter(|_| field.since() <= version);
                let value = value.map(|value| known(value, field.ty() == ty::ANY, version));
                seen.try_set(slot, value).expect("a part of what fitted");
            }
            seen.finish().into()
        }
        Value::Array(array) => {
            let element = nearest(array.element());
            let items = array.items().iter().map(|v| known(v, element == ty::ANY, version));
            Array::new(element, items.collect()).into()
        }
        other => other.clone(),
    }
}
