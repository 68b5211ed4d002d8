//! Macros that make values with names checked while compiling.

/// Makes an [`Object`](crate::value::Object) of a schema type. Type and field
/// names are checked by the compiler; each value goes through
/// [`IntoSlot`](crate::value::IntoSlot), so an `Option` leaves its field unset.
///
/// ```
/// use vimsim::object;
/// let message = object!(LocalizableMessage { key: "phase.copy", message: Some("Copying") });
/// assert_eq!(message.field("key").and_then(|v| v.as_str()), Some("phase.copy"));
/// ```
#[macro_export]
macro_rules! object {
    ($type:ident { $($field:tt : $value:expr),* $(,)? }) => {{
        #[allow(unused_mut)]
        let mut builder = $crate::value::ObjectBuilder::new($crate::schema::ty::$type);
        $(builder.set(
            const { $crate::schema::ty::$type.slot(stringify!($field)) },
            $value,
        );)*
        builder.finish()
    }};
}

/// A member of a schema enumeration, checked by the compiler:
/// `enum_value!(TaskInfoState::running)`.
#[macro_export]
macro_rules! enum_value {
    ($type:ident :: $member:tt) => {
        const {
            $crate::value::EnumValue::new(
                $crate::schema::ty::$type,
                $crate::schema::ty::$type.enum_index(stringify!($member)),
            )
        }
    };
}
