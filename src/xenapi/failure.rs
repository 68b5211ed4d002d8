//! [`Failure`]: what goes wrong in the terms of XenAPI: a code and its
//! parameters, all of them texts.

use crate::fault::Fault;
use crate::schema::ty;
use crate::value::{MoRef, Str};

/// What a call answers instead of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong, in capitals.
    pub code: Str,
    /// With what, and how.
    pub params: Vec<Str>,
}

impl Failure {
    /// A failure from its code and parameters.
    pub fn new<P: Into<Str>>(code: &str, params: impl IntoIterator<Item = P>) -> Self {
        Self { code: Str::from(code), params: params.into_iter().map(Into::into).collect() }
    }

    /// Code and parameters in one list, as they travel.
    pub fn description(&self) -> impl Iterator<Item = &Str> {
        std::iter::once(&self.code).chain(&self.params)
    }

    /// The failure that a list describes: the code and its parameters.
    pub fn from_description(mut list: Vec<Str>) -> Option<Self> {
        let code = (!list.is_empty()).then(|| list.remove(0))?;
        Some(Self { code, params: list })
    }

    /// There is no such message.
    pub fn method_unknown(name: &str) -> Self {
        Self::new("MESSAGE_METHOD_UNKNOWN", [name])
    }

    /// The message has other parameters.
    pub fn parameter_count(name: &str, expected: usize, received: isize) -> Self {
        let [expected, received] = [expected.to_string(), received.to_string()];
        Self::new("MESSAGE_PARAMETER_COUNT_MISMATCH", [name, &expected, &received])
    }

    /// The message has no asynchronous form.
    pub fn no_async(name: &str) -> Self {
        Self::new("Fault", [format!("No async mode for this operation (rpc: {name})")])
    }

    /// A value is none that its place takes; `reason` says why.
    pub fn invalid_value(what: &str, reason: &str) -> Self {
        Self::new("INVALID_VALUE", [what, reason])
    }

    /// Something that the server cannot make sense of, or that went wrong in it.
    pub fn internal_error(reason: &str) -> Self {
        Self::new("INTERNAL_ERROR", [reason])
    }

    /// There is no such session.
    pub fn session_invalid(session: &str) -> Self {
        Self::new("SESSION_INVALID", [session])
    }

    /// User name and password do not match.
    pub fn authentication_failed(user: &str) -> Self {
        Self::new("SESSION_AUTHENTICATION_FAILED", [user, "Authentication failure"])
    }

    /// The session has not registered for events.
    pub fn session_not_registered(session: &str) -> Self {
        Self::new("SESSION_NOT_REGISTERED", [session])
    }

    /// Events were dropped because nobody fetched them.
    pub fn events_lost() -> Self {
        Self::new("EVENTS_LOST", [""; 0])
    }

    /// The text is no token of an earlier reply.
    pub fn event_token(token: &str) -> Self {
        Self::new("EVENT_FROM_TOKEN_PARSE_FAILURE", [token])
    }

    /// The caller's roles do not have the permission.
    pub fn permission_denied(permission: &str, message: &str) -> Self {
        Self::new("RBAC_PERMISSION_DENIED", [permission, message])
    }

    /// The reference is to nothing, or to something else.
    pub fn handle_invalid(class: &str, reference: &str) -> Self {
        Self::new("HANDLE_INVALID", [class, reference])
    }

    /// No object of the class has the UUID.
    pub fn uuid_invalid(class: &str, uuid: &str) -> Self {
        Self::new("UUID_INVALID", [class, uuid])
    }

    /// The map has the key already.
    pub fn map_duplicate_key(class: &str, field: &str, reference: &str, key: &str) -> Self {
        Self::new("MAP_DUPLICATE_KEY", [class, field, reference, key])
    }

    /// The machine is in a power state that does not allow the operation.
    pub fn bad_power_state(vm: &str, expected: &str, actual: &str) -> Self {
        Self::new("VM_BAD_POWER_STATE", [vm, expected, actual])
    }

    /// The object has no such operation in this state, or at all.
    pub fn operation_not_allowed(reason: &str) -> Self {
        Self::new("OPERATION_NOT_ALLOWED", [reason])
    }

    /// Another operation is at work on the object.
    pub fn other_operation(class: &str, reference: &str, operation: &str, task: &str) -> Self {
        Self::new("OTHER_OPERATION_IN_PROGRESS", [class, reference, operation, task])
    }

    /// The task of a synchronous call was cancelled.
    pub fn task_cancelled(task: &str) -> Self {
        Self::new("TASK_CANCELLED", [task])
    }

    /// Too many operations wait for one object.
    pub fn too_many_pending() -> Self {
        Self::new("TOO_MANY_PENDING_TASKS", [""; 0])
    }

    /// The machine is a template, which the operation is not for.
    pub fn is_template(vm: &str) -> Self {
        Self::new("VM_IS_TEMPLATE", [vm])
    }

    /// The guest does not do what it is asked: nobody in it listens.
    pub fn lacks_feature(vm: &str) -> Self {
        Self::new("VM_LACKS_FEATURE", [vm])
    }

    /// No host can take the machine.
    pub fn no_hosts_available() -> Self {
        Self::new("NO_HOSTS_AVAILABLE", [""; 0])
    }

    /// A failure that says what a fault says. `refer` gives the class and the
    /// reference of an object; what only the object's own state can tell (which
    /// power state was expected, whose operation is in the way) is added by
    /// whoever knows the object.
    pub fn of(fault: &Fault, refer: &dyn Fn(&MoRef) -> (&'static str, Str)) -> Self {
        let object = |name: &str| fault.object().field(name).and_then(|value| value.as_moref());
        let referred = |name: &str| {
            let (class, reference) = object(name).map(refer).unwrap_or(("", Str::new()));
            [Str::from(class), reference]
        };
        let kind = |of| fault.is_a(of);
        if kind(ty::ManagedObjectNotFound) {
            Self::new("HANDLE_INVALID", referred("obj"))
        } else if kind(ty::InvalidPowerState) {
            let state = |name| fault.object().field(name).and_then(|it| it.as_str());
            let [wanted, existing] = ["requestedState", "existingState"]
                .map(|name| Str::from(state(name).map_or("", super::power::of_vsphere)));
            Self::new("VM_BAD_POWER_STATE", [Str::new(), wanted, existing])
        } else if kind(ty::TaskInProgress) {
            let [_, task] = referred("task");
            Self::new("OTHER_OPERATION_IN_PROGRESS", [Str::new(), Str::new(), Str::new(), task])
        } else if kind(ty::NoCompatibleHost) || kind(ty::HostNotConnected) {
            Self::no_hosts_available()
        } else if kind(ty::DuplicateName) || kind(ty::InvalidName) {
            // The one thing that XenAPI lets clients do and vSphere does not.
            Self::invalid_value("name_label", fault.message())
        } else if kind(ty::RequestCanceled) {
            Self::new("TASK_CANCELLED", [""; 0])
        } else if kind(ty::NoPermission) {
            let privilege = fault.object().field("privilegeId").and_then(|it| it.as_str());
            Self::permission_denied(
                &privilege.unwrap_or_default().to_ascii_lowercase(),
                fault.message(),
            )
        } else if kind(ty::NotAuthenticated) {
            Self::session_invalid("")
        } else if kind(ty::InvalidLogin) {
            Self::authentication_failed("")
        } else if kind(ty::NotSupported) || kind(ty::InvalidState) {
            Self::operation_not_allowed(fault.message())
        } else if kind(ty::InvalidArgument) {
            let property = fault.object().field("invalidProperty").and_then(|it| it.as_str());
            Self::invalid_value(property.unwrap_or_default(), fault.message())
        } else {
            Self::internal_error(&format!("{}: {}", fault.ty().name(), fault.message()))
        }
    }
}

impl From<Fault> for Failure {
    /// For faults that name no object that the client could know.
    fn from(fault: Fault) -> Self {
        Self::of(&fault, &|mo| (super::class_of(mo.ty()), Str::from(mo.id())))
    }
}
