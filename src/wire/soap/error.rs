//! What is wrong with a request, and where.
//!
//! The text of a [`DecodeError`] has vCenter's form: the problem, then what
//! was being read from the inside to the outside, each with its place. It
//! becomes the message of an `InvalidRequest` fault, or of `InvalidType` when
//! a type name is not in the schema.

use std::fmt;

use thiserror::Error;

use crate::fault::Fault;
use crate::object;
use crate::schema::{Method, Type, ty};

/// The result of reading.
pub(super) type Result<T, E = DecodeError> = std::result::Result<T, E>;

/// What is wrong.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Problem {
    /// Not XML.
    #[error("The document is not well-formed XML: {0}")]
    Malformed(String),
    /// Bytes that are not UTF-8.
    #[error("The document is not well-formed XML: not UTF-8")]
    NotUtf8,
    /// A document type declaration, and with it any entity declaration.
    #[error("A SOAP message must not have a document type declaration")]
    DocType,
    /// A reference to an entity that XML does not predefine.
    #[error("The document is not well-formed XML: undefined entity '{0}'")]
    UndefinedEntity(String),
    /// A prefix without a namespace.
    #[error("The document is not well-formed XML: unbound prefix '{0}'")]
    UnboundPrefix(String),
    /// More than the server reads.
    #[error("The document exceeds the server's limit on {0}")]
    Limit(&'static str),
    /// An element where the envelope has another one or none.
    #[error("Got <{found}> tag when expecting <{expected}> tag")]
    Envelope {
        /// The tag that stands there.
        found: String,
        /// The tag that should.
        expected: &'static str,
    },
    /// The body has no call in it.
    #[error("The SOAP body holds no call")]
    EmptyBody,
    /// The call's namespace is not one of the API's.
    #[error("Unsupported namespace \"{0}\" in content of SOAP body")]
    UnsupportedNamespace(String),
    /// No such method.
    #[error("Unable to resolve WSDL method name {name} for namespace name {namespace}")]
    UnknownMethod {
        /// The element's name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
    /// A required argument is not there.
    #[error("\nRequired parameter {0} is missing")]
    MissingParameter(String),
    /// A required field is not there.
    #[error("\nRequired property {property} is missing from data object of type {ty}")]
    MissingProperty {
        /// The field.
        property: &'static str,
        /// The data object's type.
        ty: &'static str,
    },
    /// An element that the type or method does not have here, or not twice.
    #[error("\nUnexpected element tag \"{0}\" seen")]
    UnexpectedElement(String),
    /// Text where only elements may be.
    #[error("Unexpected text seen between elements")]
    UnexpectedText,
    /// Text that the simple type does not allow.
    #[error("'{value}' is not a value of type {ty}")]
    InvalidValue {
        /// The text, cut short when it is long.
        value: String,
        /// The simple type or enumeration.
        ty: &'static str,
    },
    /// A type name that is not in the schema.
    #[error("The type '{0}' is not known")]
    UnknownType(String),
    /// A type that the place cannot hold.
    #[error("A value of type {found} cannot stand where {expected} is declared")]
    TypeMismatch {
        /// The type given.
        found: &'static str,
        /// The type declared.
        expected: &'static str,
    },
    /// Content of any type must say its type.
    #[error("A value of declared type anyType has no xsi:type")]
    UntypedAny,
    /// An element is marked as nil and has content.
    #[error("An element with xsi:nil has content")]
    NilWithContent,
}

/// A place in the document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Bytes from the start of the document.
    pub offset: usize,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 0.
    pub column: usize,
}

/// What was being read when something turned out to be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Property { name: &'static str, index: Option<usize>, ty: &'static str },
    Item { name: &'static str, index: usize },
    Object { ty: Type, place: Place },
    Reference { ty: Type, place: Place },
    Any { ty: &'static str, place: Place },
    Parameter { name: &'static str, index: Option<usize>, ty: &'static str },
    Call { method: Method, place: Place },
    Body(Place),
    Envelope(Place),
    Http(Option<Method>),
}

/// A request that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    problem: Problem,
    place: Place,
    frames: Vec<Frame>,
}

impl DecodeError {
    pub(super) fn new(problem: Problem, offset: usize) -> Self {
        Self(Box::new(Inner { problem, place: at(offset), frames: Vec::new() }))
    }

    /// The same error, seen from one step further outside.
    pub(super) fn within(mut self, frame: Frame) -> Self {
        self.0.frames.push(frame);
        self
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// Where.
    pub fn place(&self) -> Place {
        self.0.place
    }

    /// The elements around the place, as in `CreateTask/obj`.
    pub fn path(&self) -> String {
        let mut path = Vec::new();
        for frame in self.0.frames.iter().rev() {
            match frame {
                Frame::Property { name, index, .. } | Frame::Parameter { name, index, .. } => {
                    path.push(match index {
                        Some(index) => format!("{name}[{index}]"),
                        None => (*name).to_owned(),
                    });
                }
                Frame::Item { name, index } => path.push(format!("{name}[{index}]")),
                Frame::Call { method, .. } => path.push(method.name().to_owned()),
                _ => {}
            }
        }
        path.join("/")
    }

    /// Counts lines and columns of all places, once the document is at hand.
    pub(super) fn locate(mut self, body: &[u8]) -> Self {
        let inner = &mut *self.0;
        locate(&mut inner.place, body);
        for frame in &mut inner.frames {
            match frame {
                Frame::Object { place, .. }
                | Frame::Reference { place, .. }
                | Frame::Any { place, .. }
                | Frame::Call { place, .. }
                | Frame::Body(place)
                | Frame::Envelope(place) => locate(place, body),
                Frame::Property { .. }
                | Frame::Item { .. }
                | Frame::Parameter { .. }
                | Frame::Http(_) => {}
            }
        }
        self
    }
}

/// The place at `offset`, whose line is not counted yet.
pub(super) fn at(offset: usize) -> Place {
    Place { offset, line: 1, column: 0 }
}

fn locate(place: &mut Place, body: &[u8]) {
    let before = body.get(..place.offset).unwrap_or(body);
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let line = before.get(line_start..).unwrap_or_default();
    place.line = 1 + before.iter().filter(|b| **b == b'\n').count();
    // Every byte that does not continue a character begins one.
    place.column = line.iter().filter(|b| **b & 0xc0 != 0x80).count();
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at line {}, column {}", self.line, self.column)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.problem)?;
        let mut frames = self.0.frames.iter().peekable();
        // The frames name what they read; a problem right in the text of an
        // argument or in the stream itself has only its own place to show.
        match frames.peek() {
            Some(Frame::Property { .. } | Frame::Parameter { .. } | Frame::Item { .. }) | None => {
                write!(f, "\n{}", self.0.place)?;
            }
            _ => {}
        }
        let mut innermost = true;
        for frame in frames {
            match frame {
                Frame::Property { name, ty, .. } => {
                    write!(f, "\n\nwhile parsing property \"{name}\" of static type {ty}")?;
                }
                Frame::Parameter { name, ty, .. } if innermost => {
                    write!(f, "\n\nwhile parsing parameter \"{name}\" of static type {ty}")?;
                }
                Frame::Parameter { .. } | Frame::Item { .. } => {}
                Frame::Object { ty, place } => {
                    let ty = ty.vmodl();
                    write!(f, "\n\nwhile parsing serialized DataObject of type {ty}\n{place}")?;
                }
                Frame::Reference { ty, place } => {
                    let ty = ty.vmodl();
                    write!(f, "\n\nwhile parsing MoRef for ManagedObject of type {ty}\n{place}")?;
                }
                Frame::Any { ty, place } => {
                    write!(f, "\n\nwhile parsing Any with xsiType {ty}\n{place}")?;
                }
                Frame::Call { method, place } => {
                    write!(f, "\n\nwhile parsing call information for method {method}\n{place}")?;
                }
                Frame::Body(place) => write!(f, "\n\nwhile parsing SOAP body\n{place}")?,
                Frame::Envelope(place) => write!(f, "\n\nwhile parsing SOAP envelope\n{place}")?,
                Frame::Http(Some(method)) => write!(
                    f,
                    "\n\nwhile parsing HTTP request for method {}\non object of type {}\n\
                     at line 1, column 0",
                    method.vmodl(),
                    method.owner().vmodl(),
                )?,
                Frame::Http(None) => write!(
                    f,
                    "\n\nwhile parsing HTTP request before method was determined\n\
                     at line 1, column 0"
                )?,
            }
            innermost = false;
        }
        Ok(())
    }
}

impl std::error::Error for DecodeError {}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        let message = error.to_string();
        match error.problem() {
            Problem::UnknownType(name) => {
                Self::new(object!(InvalidType { argument: name }), message)
            }
            _ => Self::of(ty::InvalidRequest, message),
        }
    }
}
