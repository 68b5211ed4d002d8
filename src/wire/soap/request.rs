//! Requests: the envelope, what its header says, and the call in its body.

use std::fmt;

use super::decode::{Decoder, Members, is_demanded, static_type};
use super::error::{DecodeError, Frame, Problem, Result, at};
use super::reader::{Limits, Ns, Reader, Tag};
use crate::schema::{Field, Method, Version};
use crate::value::{MoRef, Str, Value};

/// A call as a client made it.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// The object that is called.
    pub this: MoRef,
    /// The method.
    pub method: Method,
    /// The arguments, one slot for each of [`Method::params`].
    pub args: Box<[Option<Value>]>,
    /// The API version that the client speaks.
    pub version: Version,
    /// What the header says beside the call.
    pub header: Header,
}

/// Shows everything but secrets, passwords for example.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct(self.method.name());
        out.field("_this", &self.this);
        for (param, value) in self.method.params().iter().zip(&self.args) {
            match value {
                Some(_) if param.is_secret() => out.field(param.name(), &format_args!("…")),
                Some(value) => out.field(param.name(), value),
                None => &mut out,
            };
        }
        out.field("version", &self.version).finish_non_exhaustive()
    }
}

/// The entries of the SOAP header that vimsim knows; others are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// `operationID`: the client's name for the operation, for logs.
    pub operation_id: Option<Str>,
    /// `activationId`: the client's token on the tasks that the call makes.
    pub activation_id: Option<Str>,
    /// `changeTag`: the user's tag on the tasks and events of the call.
    pub change_tag: Option<Str>,
    /// `vcSessionCookie`: the session, for clients that send no HTTP cookie.
    pub session_cookie: Option<Str>,
    /// `Security`: the client has a token of single sign-on. What it says is not read.
    pub has_token: bool,
}

/// Reads a request. `soap_action` is the HTTP header of that name, which
/// carries the client's version; without it the newest version is assumed.
pub fn decode_request(body: &[u8], soap_action: Option<&str>, limits: Limits) -> Result<Request> {
    let version = soap_action.and_then(version_of);
    read(body, version, limits).map_err(|error| error.locate(body))
}

/// The version in `"urn:vim25/8.0.3.0"`, with quotes or without.
fn version_of(soap_action: &str) -> Option<Version> {
    let text = soap_action.trim().trim_matches('"');
    Version::at_most(text.rsplit_once('/')?.1)
}

fn read(body: &[u8], version: Option<Version>, limits: Limits) -> Result<Request> {
    let unknown = |error: DecodeError| error.within(Frame::Http(None));
    let xml = Reader::new(body, limits).map_err(unknown)?;
    let mut decoder = Decoder::new(xml, version.unwrap_or(Version::NEWEST));
    let root = decoder.xml.root().map_err(unknown)?;
    let mut method = None;
    let request = envelope(&mut decoder, &root, version.is_some(), &mut method);
    request
        .and_then(|request| decoder.xml.finish().map(|()| request))
        .map_err(|error| error.within(Frame::Envelope(at(root.at))).within(Frame::Http(method)))
}

fn envelope<'a>(
    decoder: &mut Decoder<'a>,
    root: &Tag<'a>,
    has_version: bool,
    method: &mut Option<Method>,
) -> Result<Request> {
    expect_soap(root, "Envelope")?;
    let end = root.at;
    let missing = |found: &str, at: usize| {
        DecodeError::new(Problem::Envelope { found: found.to_owned(), expected: "Body" }, at)
    };
    let mut next = decoder.xml.child()?;
    let mut header = Header::default();
    if let Some(tag) = next.filter(|tag| tag.ns == Ns::Soap && tag.name == "Header") {
        header = read_header(decoder, &tag)?;
        next = decoder.xml.child()?;
    }
    let body = next.ok_or_else(|| missing("/Envelope", end))?;
    expect_soap(&body, "Body")?;
    let within = |error: DecodeError| error.within(Frame::Body(at(body.at)));
    let call = decoder.xml.child().map_err(within)?;
    let call = call.ok_or_else(|| within(DecodeError::new(Problem::EmptyBody, body.at)))?;
    let mut request = read_call(decoder, &call, has_version, method).map_err(within)?;
    if let Some(extra) = decoder.xml.child().map_err(within)? {
        let problem = Problem::UnexpectedElement(extra.qualified.to_owned());
        return Err(within(DecodeError::new(problem, extra.at)));
    }
    if let Some(extra) = decoder.xml.child()? {
        let problem = Problem::UnexpectedElement(extra.qualified.to_owned());
        return Err(DecodeError::new(problem, extra.at));
    }
    request.header = header;
    Ok(request)
}

fn expect_soap(tag: &Tag<'_>, expected: &'static str) -> Result<()> {
    if tag.ns == Ns::Soap && tag.name == expected {
        return Ok(());
    }
    let found = tag.qualified.to_owned();
    Err(DecodeError::new(Problem::Envelope { found, expected }, tag.at))
}

fn read_header(decoder: &mut Decoder<'_>, tag: &Tag<'_>) -> Result<Header> {
    let mut header = Header::default();
    while let Some(entry) = decoder.xml.child()? {
        let known = match entry.name {
            "operationID" => &mut header.operation_id,
            "activationId" => &mut header.activation_id,
            "changeTag" => &mut header.change_tag,
            "vcSessionCookie" => &mut header.session_cookie,
            name => {
                header.has_token |= name == "Security";
                decoder.xml.skip()?;
                continue;
            }
        };
        let text = decoder.xml.text().map_err(|_| {
            let problem = Problem::UnexpectedElement(entry.qualified.to_owned());
            DecodeError::new(problem, tag.at)
        })?;
        *known = Some(Str::from(text.as_ref()));
    }
    Ok(header)
}

fn read_call<'a>(
    decoder: &mut Decoder<'a>,
    tag: &Tag<'a>,
    has_version: bool,
    found: &mut Option<Method>,
) -> Result<Request> {
    let namespace = match tag.ns {
        Ns::Api => "urn:vim25",
        Ns::None => "",
        Ns::Soap => "http://schemas.xmlsoap.org/soap/envelope/",
        Ns::Xsd => "http://www.w3.org/2001/XMLSchema",
        Ns::Xsi => "http://www.w3.org/2001/XMLSchema-instance",
        Ns::Other(uri) => uri,
    };
    let method = match tag.ns {
        Ns::Api => Method::by_name(tag.name),
        Ns::None => None,
        _ => {
            let problem = Problem::UnsupportedNamespace(namespace.to_owned());
            return Err(DecodeError::new(problem, tag.at));
        }
    };
    let Some(method) = method else {
        let (name, namespace) = (tag.name.to_owned(), namespace.to_owned());
        return Err(DecodeError::new(Problem::UnknownMethod { name, namespace }, tag.at));
    };
    *found = Some(method);
    let within = |error: DecodeError| error.within(Frame::Call { method, place: at(tag.at) });
    read_arguments(decoder, tag, method, has_version).map_err(within)
}

fn read_arguments<'a>(
    decoder: &mut Decoder<'a>,
    call: &Tag<'a>,
    method: Method,
    has_version: bool,
) -> Result<Request> {
    let first = decoder.xml.child()?;
    let Some(tag) = first.filter(|tag| tag.name == "_this" && tag.ns.holds_fields()) else {
        let problem = match first {
            Some(tag) => Problem::Envelope { found: tag.qualified.to_owned(), expected: "_this" },
            None => Problem::MissingParameter("_this".to_owned()),
        };
        return Err(DecodeError::new(problem, first.map_or(call.at, |tag| tag.at)));
    };
    let attrs = decoder.xml.take_attrs(&tag);
    if let (false, Some(version)) = (has_version, &attrs.version) {
        let text = version.rsplit('/').next().unwrap_or(version);
        decoder.version = Version::at_most(text).unwrap_or(decoder.version);
    }
    let this = match decoder.reference(&tag, method.owner(), &attrs)? {
        Value::Ref(this) => this,
        _ => MoRef::new(method.owner(), ""),
    };
    let params = method.params();
    decoder.members(&Members { fields: params, frame: &parameter })?;
    let args = decoder.take_slots(params.len());
    for (param, value) in params.iter().zip(&args) {
        if value.is_none() && is_demanded(*param, decoder.version) {
            let problem = Problem::MissingParameter(param.name().to_owned());
            return Err(DecodeError::new(problem, decoder.xml.position()));
        }
    }
    let version = decoder.version;
    Ok(Request { this, method, args: args.into(), version, header: Header::default() })
}

fn parameter(field: Field, index: Option<usize>) -> Frame {
    Frame::Parameter { name: field.name(), index, ty: static_type(field) }
}
