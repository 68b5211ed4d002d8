//! Reading an `Action`: what a schedule or an alarm is to do, and on which
//! objects.

use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::path;
use crate::schema::{Field, Kind, Method, Primitive, Type, ty};
use crate::value::object::fits;
use crate::value::{Array, EnumValue, MoRef, Object, Value};
use crate::vsphere::descriptions::Description;
use crate::vsphere::{containment, extension_manager};

/// What is done.
#[derive(Clone, Debug)]
pub(in crate::vsphere) enum Action {
    /// Calls a method.
    Call {
        /// The method.
        method: Method,
        /// Its arguments, in the order of its parameters.
        args: Box<[Option<Value>]>,
    },
    /// Makes a task that its owner, an extension, drives.
    CreateTask {
        /// The task type.
        kind: Description,
        /// Whether the task can be cancelled.
        cancelable: bool,
    },
    /// A script, a mail or a trap: it leaves the server.
    Abroad,
}

/// What `action` means for `object`. What is wrong is named as a part of `spec`.
pub(in crate::vsphere) fn read(
    state: &Snapshot,
    action: &Object,
    object: &MoRef,
) -> Result<Action, Fault> {
    read_for(state, action, &types(object))
}

/// The same for any object of one of the types `of`, the likeliest first.
pub(in crate::vsphere) fn read_for(
    state: &Snapshot,
    action: &Object,
    objects: &[Type],
) -> Result<Action, Fault> {
    let of = action.ty();
    if of.is_a(ty::MethodAction) {
        return call(action, objects);
    }
    if of.is_a(ty::CreateTaskAction) {
        let kind = action.at(path!(CreateTaskAction, "taskTypeId")).and_then(Value::as_str);
        let kind = kind.and_then(|kind| extension_manager::task_type(state, kind));
        let kind = kind.ok_or_else(|| wrong("taskTypeId"))?;
        let cancelable = action.at(path!(CreateTaskAction, "cancelable")).and_then(Value::as_bool);
        return Ok(Action::CreateTask { kind, cancelable: cancelable.unwrap_or_default() });
    }
    if [ty::RunScriptAction, ty::SendEmailAction, ty::SendSNMPAction].contains(&of) {
        return Ok(Action::Abroad);
    }
    Err(Fault::invalid_argument("spec.action"))
}

fn call(action: &Object, objects: &[Type]) -> Result<Action, Fault> {
    let name = action.at(path!(MethodAction, "name")).and_then(Value::as_str).unwrap_or_default();
    let method = find(objects, name).filter(|it| is_allowed(*it)).ok_or_else(|| wrong("name"))?;
    let given = action.at(path!(MethodAction, "argument")).map(Value::items).unwrap_or_default();
    if given.len() > method.params().len() {
        return Err(wrong("argument"));
    }
    let mut given = given
        .iter()
        .map(|given| given.as_object().and_then(|it| it.at(path!(MethodActionArgument, "value"))));
    let args = method.params().iter().map(|param| argument(*param, given.next().flatten()));
    Ok(Action::Call { method, args: args.collect::<Result<_, _>>()? })
}

/// The types of an object and of what it contains.
fn types(object: &MoRef) -> Vec<Type> {
    let mut types = vec![object.ty()];
    if !containment::ways(object).is_empty() {
        types.extend([ty::VirtualMachine, ty::HostSystem, ty::ManagedEntity]);
    }
    types
}

/// The method called `name`, by its WSDL or its vmodl name, of one of the types.
fn find(types: &[Type], name: &str) -> Option<Method> {
    match Method::by_name(name) {
        Some(method) => types.iter().any(|of| of.is_a(method.owner())).then_some(method),
        None => {
            let called = |of: &Type| of.methods().find(|it| it.vmodl().eq_ignore_ascii_case(name));
            types.iter().find_map(called)
        }
    }
}

/// What happens by itself is what a user could do with the object. It does not
/// log in or out, and schedules do not call each other: that could go on for
/// ever.
fn is_allowed(method: Method) -> bool {
    let owners = [ty::SessionManager, ty::ScheduledTaskManager, ty::ScheduledTask];
    !owners.contains(&method.owner()) && method.privilege() != Some("System.Anonymous")
}

fn argument(param: Field, given: Option<&Value>) -> Result<Option<Value>, Fault> {
    let Some(given) = given else {
        let may_miss = param.is_optional() || param.is_array();
        return if may_miss { Ok(None) } else { Err(wrong("argument")) };
    };
    if fits(param, given) {
        return Ok(Some(given.clone()));
    }
    let value = match given {
        Value::Array(array) if param.is_array() => {
            let items: Option<Vec<Value>> =
                array.items().iter().map(|item| scalar(param.ty(), item)).collect();
            items.map(|items| Value::Array(Array::new(param.ty(), items)))
        }
        _ => scalar(param.ty(), given),
    };
    match value.filter(|value| fits(param, value)) {
        Some(value) => Ok(Some(value)),
        None => Err(wrong("argument")),
    }
}

/// The value as a `ty`: what travels as `anyType` has the type that the client
/// wrote, which need not be the parameter's.
fn scalar(ty: Type, given: &Value) -> Option<Value> {
    let number = given.as_i64();
    Some(match ty.kind() {
        Kind::Enum => Value::Enum(EnumValue::parse(ty, given.as_str()?)?),
        Kind::Primitive(Primitive::Byte) => Value::Byte(number?.try_into().ok()?),
        Kind::Primitive(Primitive::Short) => Value::Short(number?.try_into().ok()?),
        Kind::Primitive(Primitive::Int) => Value::Int(number?.try_into().ok()?),
        Kind::Primitive(Primitive::Long) => Value::Long(number?),
        Kind::Primitive(Primitive::String | Primitive::Uri) => Value::from(given.as_str()?),
        _ => given.clone(),
    })
}

/// The objects that a method is called on: the object itself, or if it is a
/// container without such a method, what it directly contains. The folders of
/// a datacenter count as the datacenter.
pub(super) fn targets(state: &impl Read, object: &MoRef, method: Method) -> Vec<MoRef> {
    if object.ty().is_a(method.owner()) {
        return vec![object.clone()];
    }
    let mut found = containment::children(state, object);
    if object.ty().is_a(ty::Datacenter) {
        found = found.iter().flat_map(|folder| containment::children(state, folder)).collect();
    }
    found.retain(|mo| mo.ty().is_a(method.owner()));
    found
}

fn wrong(field: &str) -> Fault {
    Fault::invalid_argument(&format!("spec.action.{field}"))
}
