//! Who may use the control API: everybody, unless the simulator checks
//! passwords; then administrators, by the login or the session that they have.

use std::convert::Infallible;
use std::sync::Arc;

use aide::OperationInput;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, ORIGIN, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::problem::Problem;
use crate::value::Str;
use crate::vsphere::Service;
use crate::wire::session;

/// The user who asks, if that is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Who(pub(super) Option<Str>);

impl OperationInput for Who {}

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// Lets a request through, or says why not.
pub(super) async fn check(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    if from_elsewhere(request.headers(), request.uri()) {
        let reason = "pages of other origins may not use the control API";
        return Problem::new(StatusCode::FORBIDDEN, reason).into_response();
    }
    match user(&service, request.headers()) {
        Ok(who) => {
            request.extensions_mut().insert(Who(who));
            next.run(request).await
        }
        Err(problem) => {
            let asks = problem.status == StatusCode::UNAUTHORIZED.as_u16();
            let mut response = problem.into_response();
            if asks {
                let basic = HeaderValue::from_static("Basic realm=\"vimsim\", charset=\"UTF-8\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, basic);
            }
            response
        }
    }
}

/// Whether a browser sends the request for a page that another server made: it
/// would send a session's cookie along, and reach what listens on loopback.
fn from_elsewhere(headers: &HeaderMap, uri: &Uri) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(Authority::as_str));
    origin.is_none_or(|(_, from)| Some(from) != host)
}

fn user(service: &Service, headers: &HeaderMap) -> Result<Option<Str>, Problem> {
    let basic = headers.get(AUTHORIZATION).and_then(basic);
    let session = session::token(headers).and_then(|token| service.session(token));
    let session = session.map(|session| session.user_name.clone());
    if !service.checks_logins() {
        return Ok(basic.map(|(user, _)| user).or(session));
    }
    let user = match basic {
        Some((user, password)) if service.accepts(&user, &password) => Some(user),
        Some(_) => None,
        None => session,
    };
    let user = user.ok_or_else(|| {
        Problem::new(StatusCode::UNAUTHORIZED, "a user name and a password are needed")
    })?;
    if service.is_administrator(&user) {
        Ok(Some(user))
    } else {
        Err(Problem::new(StatusCode::FORBIDDEN, format!("{user} is not an administrator")))
    }
}

/// The user name and the password of HTTP Basic.
fn basic(header: &HeaderValue) -> Option<(Str, String)> {
    let (scheme, credentials) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((Str::from(user), password.to_owned()))
}
