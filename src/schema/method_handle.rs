//! [`Method`]: a method of a managed object.

use std::fmt;

use super::tables::{self, METHODS, Row};
use super::{Field, Namespace, Type, Version};

/// A method of a managed object type. Its WSDL name is unique over all types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Method(pub(super) u16);

impl Method {
    const fn row(self) -> Row {
        METHODS.row(self.0)
    }

    /// The method with this WSDL name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Method> {
        tables::BY_METHOD.find(name, |number| Method(number).name() == name).map(Method)
    }

    /// All methods.
    pub fn all() -> impl Iterator<Item = Method> {
        (0..tables::METHOD_COUNT).map(Method)
    }

    /// How many methods there are.
    #[must_use]
    pub const fn count() -> usize {
        tables::METHOD_COUNT as usize
    }

    /// The WSDL name, which is also the request element: `PowerOnVM_Task`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        let row = self.row();
        tables::text(row.u32(0), row.u8(24) as usize)
    }

    /// The response element: `PowerOnVM_TaskResponse`.
    #[must_use]
    pub const fn response(self) -> &'static str {
        let row = self.row();
        tables::text(row.u32(0), row.u8(24) as usize + "Response".len())
    }

    /// The VMODL name: `powerOn`.
    #[must_use]
    pub const fn vmodl(self) -> &'static str {
        let row = self.row();
        tables::text(row.u32(4), row.u8(25) as usize)
    }

    /// The managed object type that declares the method.
    #[must_use]
    pub const fn owner(self) -> Type {
        Type(self.row().u16(16))
    }

    /// The version that introduced the method.
    #[must_use]
    pub const fn since(self) -> Version {
        Version(self.row().u8(28))
    }

    /// The privilege that the caller needs.
    #[must_use]
    pub fn privilege(self) -> Option<&'static str> {
        let number = self.row().u16_or_none(18)?;
        tables::PRIVILEGES.get(usize::from(number)).copied()
    }

    /// The parameters after `_this`.
    #[must_use]
    pub const fn params(self) -> &'static [Field] {
        let row = self.row();
        tables::field_list(row.u32(8), row.u8(26) as usize)
    }

    /// The parameter called `name`, with its slot.
    #[must_use]
    pub fn param(self, name: &str) -> Option<(usize, Field)> {
        self.params().iter().copied().enumerate().find(|(_, param)| param.name() == name)
    }

    /// The slot of the parameter called `name`. For names written in code: in a constant, a mistyped
    /// name does not compile.
    ///
    /// # Panics
    /// When the method has no such parameter.
    #[must_use]
    #[allow(clippy::panic, reason = "meant to fail in constants")]
    pub const fn param_slot(self, name: &str) -> usize {
        match tables::position(self.params(), name.as_bytes()) {
            Some(slot) => slot,
            None => panic!("the method has no parameter of this name"),
        }
    }

    /// The result; `None` for void.
    #[must_use]
    pub fn result(self) -> Option<Field> {
        self.row().u16_or_none(20).map(Field)
    }

    /// Whether the method answers with a task that does the work.
    #[must_use]
    pub fn is_task(self) -> bool {
        self.name().ends_with("_Task")
    }

    /// What the method's task leaves as its result; `None` for nothing.
    #[must_use]
    pub fn task_result(self) -> Option<Field> {
        self.row().u16_or_none(22).map(Field)
    }

    /// The faults that the method declares.
    #[must_use]
    pub const fn faults(self) -> &'static [Type] {
        let row = self.row();
        tables::fault_list(row.u32(12), row.u8(27) as usize)
    }

    /// The XML namespace of request and response.
    #[must_use]
    pub fn namespace(self) -> Namespace {
        Namespace::from_number(self.row().u8(29))
    }

    /// The method's number, below [`count`](Method::count); it may change with the schema.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
