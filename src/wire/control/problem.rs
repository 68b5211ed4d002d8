//! [`Problem`]: what goes wrong, as RFC 9457 has it.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Response as Described, SchemaObject};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::ControlError;
use crate::fault::Fault;
use crate::schema::ty;

/// The media type of a problem.
const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not granted. Nothing has changed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What kind of problem it is; `about:blank` says that the status tells all.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, for people.
    pub detail: String,
    /// Which parts of the request are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Flaw>,
}

/// One part of a request that is wrong: either in its body or in its URL.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Flaw {
    /// What is wrong with it.
    pub detail: String,
    /// A JSON pointer (RFC 6901) to the part of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The name of the parameter in the path or the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}

impl Problem {
    /// A problem that its status and one sentence describe.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Unknown").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// A problem with a part of the body; `path` is as in `fault.type`.
    pub(super) fn in_body(status: StatusCode, path: &str, detail: &str) -> Self {
        let mut problem = Self::new(status, format!("{path}: {detail}"));
        problem.errors.push(Flaw {
            detail: detail.to_owned(),
            pointer: Some(pointer(path)),
            parameter: None,
        });
        problem
    }

    /// A problem with a parameter in the path or the query.
    pub(super) fn in_url(status: StatusCode, name: &str, detail: &str) -> Self {
        let mut problem = Self::new(status, format!("{name}: {detail}"));
        problem.errors.push(Flaw {
            detail: detail.to_owned(),
            pointer: None,
            parameter: Some(name.to_owned()),
        });
        problem
    }
}

/// `fault.fields[0].key` as a JSON pointer: `/fault/fields/0/key`.
fn pointer(path: &str) -> String {
    let steps = path.split(['.', '[', ']']).filter(|step| !step.is_empty());
    steps.map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect()
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            ControlError::Conflict(_) => Self::new(StatusCode::CONFLICT, error.to_string()),
            ControlError::Invalid { field, reason } => {
                Self::in_body(StatusCode::UNPROCESSABLE_ENTITY, &field, &reason)
            }
            ControlError::Fault(fault) => fault.into(),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let status = match fault.ty() {
            ty if ty.is_a(ty::ManagedObjectNotFound) => StatusCode::NOT_FOUND,
            ty if ty.is_a(ty::InvalidArgument) => StatusCode::UNPROCESSABLE_ENTITY,
            ty if ty.is_a(ty::SystemError) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::CONFLICT,
        };
        Self::new(status, fault.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = HeaderValue::from_static(PROBLEM_JSON);
        (status, [(CONTENT_TYPE, kind)], super::extract::text(&self)).into_response()
    }
}

impl OperationOutput for Problem {
    type Inner = Self;

    fn operation_response(context: &mut GenContext, _: &mut Operation) -> Option<Described> {
        let json_schema = context.schema.subschema_for::<Self>();
        let schema = SchemaObject { json_schema, example: None, external_docs: None };
        let media = MediaType { schema: Some(schema), ..MediaType::default() };
        Some(Described {
            description: "Why the request was not granted.".to_owned(),
            content: [(PROBLEM_JSON.to_owned(), media)].into_iter().collect(),
            ..Described::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::pointer;

    #[test]
    fn a_path_becomes_a_pointer() {
        assert_eq!(pointer("duration"), "/duration");
        assert_eq!(pointer("when.entity[2].a/b"), "/when/entity/2/a~1b");
    }
}
