//! What requests are made of, taken apart so that whatever does not fit is a
//! [`Problem`] that names the place.

use aide::generate::GenContext;
use aide::openapi::{
    MediaType, Operation, RequestBody, Response as Described, SchemaObject, StatusCode as Code,
};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema, set_body};
use aide::{OperationInput, OperationOutput};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as PlainError, MapDeserializer};

use super::problem::Problem;

const JSON: &str = "application/json";

/// A document as text. What is made of strings, numbers and lists cannot fail.
pub(super) fn text(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}

/// A JSON document. In a request one that is empty counts as `{}`, and no
/// content type is asked for: `curl -d` sends a wrong one.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))?;
        let body: &[u8] = if body.trim_ascii().is_empty() { b"{}" } else { &body };
        let mut reader = serde_json::Deserializer::from_slice(body);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            let detail = error.inner().to_string();
            // A question mark stands for a place that nobody came to.
            match path.trim_end_matches('?').trim_end_matches('.') {
                "" => Problem::new(StatusCode::BAD_REQUEST, detail),
                path => Problem::in_body(StatusCode::BAD_REQUEST, path, &detail),
            }
        })?;
        reader.end().map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        Ok(Self(value))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, HeaderValue::from_static(JSON))], text(&self.0)).into_response()
    }
}

impl<T: JsonSchema> OperationInput for Json<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        let json_schema = context.schema.subschema_for::<T>();
        let resolved = context.resolve_schema(&json_schema);
        let required = resolved.get("required").is_some();
        let body = RequestBody {
            description: None,
            content: [(JSON.to_owned(), media(json_schema))].into_iter().collect(),
            required,
            extensions: Default::default(),
        };
        set_body(context, operation, body);
    }
}

impl<T: JsonSchema> OperationOutput for Json<T> {
    type Inner = T;

    fn operation_response(context: &mut GenContext, _: &mut Operation) -> Option<Described> {
        let json_schema = context.schema.subschema_for::<T>();
        let resolved = context.resolve_schema(&json_schema);
        let description = resolved.get("description").and_then(|it| it.as_str());
        Some(Described {
            description: description.unwrap_or("Done.").to_owned(),
            content: [(JSON.to_owned(), media(json_schema))].into_iter().collect(),
            ..Described::default()
        })
    }

    fn inferred_responses(
        context: &mut GenContext,
        operation: &mut Operation,
    ) -> Vec<(Option<Code>, Described)> {
        let response = Self::operation_response(context, operation);
        response.map(|it| (Some(Code::Code(200)), it)).into_iter().collect()
    }
}

fn media(json_schema: schemars::Schema) -> MediaType {
    let schema = SchemaObject { json_schema, example: None, external_docs: None };
    MediaType { schema: Some(schema), ..MediaType::default() }
}

/// What stands after the `?`.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(reader)
            .map(Self)
            .map_err(|error| in_url(&error.path().to_string(), error.inner()))
    }
}

impl<T: JsonSchema> OperationInput for Query<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        let schema = context.schema.subschema_for::<T>();
        let parameters = parameters_from_schema(context, schema, ParamLocation::Query);
        add_parameters(context, operation, parameters);
    }
}

/// A part of the URL that is wrong, or the whole of it when something is missing.
fn in_url(path: &str, error: &impl std::fmt::Display) -> Problem {
    match path {
        "." => Problem::new(StatusCode::BAD_REQUEST, error.to_string()),
        path => Problem::in_url(StatusCode::BAD_REQUEST, path, &error.to_string()),
    }
}

/// What the path names.
#[derive(Debug)]
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let given = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))?;
        let reader = MapDeserializer::<_, PlainError>::new(given.iter());
        serde_path_to_error::deserialize(reader)
            .map(Self)
            .map_err(|error| in_url(&error.path().to_string(), error.inner()))
    }
}

impl<T: JsonSchema> OperationInput for Path<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        let schema = context.schema.subschema_for::<T>();
        let parameters = parameters_from_schema(context, schema, ParamLocation::Path);
        add_parameters(context, operation, parameters);
    }
}
