//! [`Fault`]: what goes wrong in the terms of the API: a fault type of the
//! schema, its fields, and the message a person reads.
//!
//! Every layer above has small error enums of its own and folds them into
//! this type; `wire::faults` is the one place that knows how a fault travels.

use std::fmt;

use crate::object;
use crate::schema::{Field, Type, ty};
use crate::value::bridge::BridgeError;
use crate::value::{EnumValue, MoRef, Object, ObjectBuilder, Value};

/// A fault of the schema with its message.
#[derive(Clone, PartialEq)]
pub struct Fault(Box<Inner>);

#[derive(Clone, PartialEq)]
struct Inner {
    object: Object,
    message: String,
}

/// What a function of the upper layers returns.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

impl Fault {
    /// A fault from its schema object and message.
    pub fn new(object: Object, message: impl Into<String>) -> Self {
        debug_assert!(object.ty().is_a(ty::MethodFault), "{} is not a fault", object.ty().name());
        Self(Box::new(Inner { object, message: message.into() }))
    }

    /// A fault of a type without fields of its own.
    pub fn of(ty: Type, message: impl Into<String>) -> Self {
        Self::new(ObjectBuilder::new(ty).finish(), message)
    }

    /// The fault type.
    pub fn ty(&self) -> Type {
        self.0.object.ty()
    }

    /// The fault as a data object.
    pub fn object(&self) -> &Object {
        &self.0.object
    }

    /// The message a person reads.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether this is a fault of `ty` or of a type derived from it.
    pub fn is_a(&self, ty: Type) -> bool {
        self.ty().is_a(ty)
    }

    /// The fault as it stands inside data: fault and localized message.
    pub fn localized(&self) -> Object {
        object!(LocalizedMethodFault { fault: self.object(), localizedMessage: self.message() })
    }

    /// A parameter or property has a value it must not have; `property` names
    /// it, as in `specSet.objectSet`.
    pub fn invalid_argument(property: &str) -> Self {
        Self::new(
            object!(InvalidArgument { invalidProperty: property }),
            format!("A specified parameter was not correct: {property}"),
        )
    }

    /// The request does not fit the schema; `reason` names the place.
    pub fn invalid_request(reason: impl Into<String>) -> Self {
        Self::of(ty::InvalidRequest, reason)
    }

    /// A type name that the schema does not have.
    pub fn invalid_type(name: &str) -> Self {
        Self::new(
            object!(InvalidType { argument: name }),
            format!("The type '{name}' is not known."),
        )
    }

    /// A property path that its type does not have.
    pub fn invalid_property(name: &str) -> Self {
        Self::new(object!(InvalidProperty { name: name }), String::new())
    }

    /// The object does not support the operation.
    pub fn not_supported() -> Self {
        Self::of(ty::NotSupported, "The operation is not supported on the object.")
    }

    /// vimsim does not model the method; the message names it.
    pub fn not_modelled(method: &str) -> Self {
        Self::of(
            ty::NotSupported,
            format!(
                "The operation is not supported on the object: vimsim does not model {method}."
            ),
        )
    }

    /// The object's type has no such method.
    pub fn method_not_found(receiver: &MoRef, method: &str) -> Self {
        Self::new(
            object!(MethodNotFound { receiver: receiver, method: method }),
            format!("The method {method} is not one of {}.", receiver.ty().name()),
        )
    }

    /// The object is in a state that does not allow the operation.
    pub fn invalid_state() -> Self {
        Self::of(ty::InvalidState, "The operation is not allowed in the current state.")
    }

    /// The power state does not allow the operation.
    pub fn invalid_power_state(requested: Option<EnumValue>, existing: EnumValue) -> Self {
        let state = match existing.as_str() {
            "poweredOn" => "Powered on",
            "poweredOff" => "Powered off",
            _ => "Suspended",
        };
        Self::new(
            object!(InvalidPowerState {
                requestedState: requested.map(Value::Enum),
                existingState: Value::Enum(existing),
            }),
            format!("The attempted operation cannot be performed in the current state ({state})."),
        )
    }

    /// There is no such object, or no longer.
    pub fn not_found(obj: &MoRef) -> Self {
        Self::new(
            object!(ManagedObjectNotFound { obj: obj }),
            format!(
                "The object '{}' has already been deleted or has not been completely created",
                obj.vmodl()
            ),
        )
    }

    /// The call needs a login.
    pub fn not_authenticated(object: &MoRef) -> Self {
        Self::new(
            object!(NotAuthenticated { object: object, privilegeId: "System.View" }),
            "The session is not authenticated.",
        )
    }

    /// The caller lacks a privilege on an object.
    pub fn no_permission(object: &MoRef, privilege: &str) -> Self {
        let missing =
            object!(NoPermissionEntityPrivileges { entity: object, privilegeIds: vec![privilege] });
        Self::new(
            object!(NoPermission {
                object: object,
                privilegeId: privilege,
                missingPrivileges: vec![missing],
            }),
            "Permission to perform this operation was denied.",
        )
    }

    /// User name and password do not match.
    pub fn invalid_login() -> Self {
        Self::of(
            ty::InvalidLogin,
            "Cannot complete login due to an incorrect user name or password.",
        )
    }

    /// A client or its session asked for the operation to stop.
    pub fn request_canceled() -> Self {
        Self::of(ty::RequestCanceled, "The task was canceled by a user.")
    }

    /// Another task holds the object.
    pub fn task_in_progress(task: &MoRef) -> Self {
        Self::new(object!(TaskInProgress { task: task }), "Another task is already in progress.")
    }

    /// Another object in the place has the name already.
    pub fn duplicate_name(name: &str, object: &MoRef) -> Self {
        Self::new(
            object!(DuplicateName { name: name, object: object }),
            format!("The name '{name}' already exists."),
        )
    }

    /// The name is not one an object can have; `entity` is what was to be named.
    pub fn invalid_name(name: &str, entity: Option<&MoRef>) -> Self {
        Self::new(
            object!(InvalidName { name: name, entity: entity }),
            format!("The name '{name}' is invalid."),
        )
    }

    /// Something in vimsim itself went wrong.
    pub fn system_error(reason: &str) -> Self {
        Self::new(
            object!(SystemError { reason: reason }),
            format!("A general system error occurred: {reason}"),
        )
    }

    /// The server takes no more of this at the moment. vCenter has no fault for it, only
    /// HTTP's status.
    pub fn unavailable() -> Self {
        Self::new(
            object!(HttpFault { statusCode: 503, statusMessage: "Service Unavailable" }),
            "Service Unavailable",
        )
    }

    /// A required field of `field`'s owner is not set.
    pub fn missing(field: Field, owner: &str) -> Self {
        Self::invalid_request(format!("Required property {} is missing from {owner}", field.name()))
    }
}

/// A spec that lacks what its method needs.
impl From<BridgeError> for Fault {
    fn from(error: BridgeError) -> Self {
        Self::invalid_argument(&error.path())
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({})", self.0.object, self.0.message)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.ty().name(), self.message())
    }
}

impl std::error::Error for Fault {}
