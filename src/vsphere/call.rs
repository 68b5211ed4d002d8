//! The seam that every front end targets: one call, whoever sent it and in
//! whatever encoding.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use super::session::Session;
use crate::fault::Fault;
use crate::scenario::ReplyFate;
use crate::schema::{Method, Version};
use crate::value::{MoRef, Str, Value};

/// Who calls, as far as the transport can tell.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The session that the request's cookie or header names, if it is alive.
    pub session: Option<Arc<Session>>,
    /// The API version that the client speaks.
    pub version: Version,
    /// The client's network address, if it is known.
    pub address: Option<IpAddr>,
    /// What the client says it is.
    pub user_agent: Str,
    /// The client's name for the operation, for logs.
    pub operation_id: Option<Str>,
    /// The client's token that links the call with the tasks it makes: `activationId`.
    pub activation_id: Option<Str>,
    /// The user's tag on the call, its tasks and its events: `changeTag`.
    pub change_tag: Option<Str>,
    /// Whether the client has identified itself to the transport by a certificate.
    pub has_certificate: bool,
    /// Whether the message carries a token of single sign-on.
    pub has_token: bool,
    /// A session that this call began: the front end hands its token to the client.
    pub began: OnceLock<Arc<Session>>,
    /// What the front end makes of the reply, if a rule says so; otherwise it
    /// sends it.
    pub fate: OnceLock<ReplyFate>,
}

impl Caller {
    /// A caller without a session who speaks `version`.
    pub fn anonymous(version: Version) -> Self {
        Self {
            session: None,
            version,
            address: None,
            user_agent: Str::new(),
            operation_id: None,
            activation_id: None,
            change_tag: None,
            has_certificate: false,
            has_token: false,
            began: OnceLock::new(),
            fate: OnceLock::new(),
        }
    }

    /// The client's network address as text; empty if it is not known.
    pub fn address_text(&self) -> Str {
        self.address.map_or_else(Str::new, |address| Str::from(address.to_string()))
    }
}

/// A call of one method on one managed object.
#[derive(Clone, Debug)]
pub struct Call {
    /// The receiver.
    pub this: MoRef,
    /// The method.
    pub method: Method,
    /// The arguments, in the order of [`Method::params`]; the front end has
    /// checked them against the schema, required ones are there.
    pub args: Box<[Option<Value>]>,
    /// Who calls.
    pub caller: Caller,
}

impl Call {
    /// The argument at `slot`; see the macro `arg!` for the checked way.
    pub fn get(&self, slot: usize) -> Option<&Value> {
        self.args.get(slot)?.as_ref()
    }

    /// The argument at `slot`, or the fault that says it is not there.
    pub fn required(&self, slot: usize) -> Result<&Value, Fault> {
        self.get(slot).ok_or_else(|| {
            let name = self.method.params().get(slot).map_or("?", |field| field.name());
            Fault::invalid_argument(name)
        })
    }

    /// The text at `slot`; empty when it is not given.
    pub fn text(&self, slot: usize) -> &str {
        self.get(slot).and_then(Value::as_str).unwrap_or_default()
    }

    /// The truth value at `slot`; false when it is not given.
    pub fn flag(&self, slot: usize) -> bool {
        self.get(slot).and_then(Value::as_bool).unwrap_or_default()
    }

    /// The reference at `slot`, if it is given.
    pub fn moref(&self, slot: usize) -> Option<&MoRef> {
        self.get(slot).and_then(Value::as_moref)
    }

    /// The session; methods that need none of it do not ask.
    pub fn session(&self) -> Result<&Arc<Session>, Fault> {
        self.caller.session.as_ref().ok_or_else(|| Fault::not_authenticated(&self.this))
    }
}

/// The slot of a method's parameter, checked by the compiler: `arg!(FindChild.name)`.
macro_rules! arg {
    ($method:ident . $param:tt) => {
        const { $crate::schema::method::$method.param_slot(stringify!($param)) }
    };
}
pub(crate) use arg;
