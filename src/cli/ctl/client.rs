//! Talking to the control API: where it is, who asks, and what it answers.

use std::env;
use std::fs;
use std::io::Read;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use ureq::http::{Request, Response, StatusCode, Uri, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Body};

use super::Target;
use crate::wire::control::BASE;
use crate::wire::control::problem::Problem;

/// Where vimsim listens if nobody says otherwise.
const DEFAULT_URL: &str = "https://127.0.0.1:8989";

/// Somebody who listens answers sooner.
const CONNECT: Duration = Duration::from_secs(10);

/// Why a command has no result.
#[derive(Debug, Error)]
pub(super) enum CtlError {
    /// The command line or the environment makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Nobody answers, or not in the way of the control API.
    #[error("{0}")]
    Unreachable(String),
    /// The server says no.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// A task that was waited for has not ended well.
    #[error("{0}")]
    Failed(String),
    /// Standard output is gone.
    #[error("cannot write: {0}")]
    Output(#[from] std::io::Error),
}

impl CtlError {
    /// The exit status that says what went wrong.
    pub(super) fn status(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::Failed(_) | Self::Output(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
        }
    }
}

/// A server's control API.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    base: String,
    authorization: Option<String>,
}

/// What may stand in a path or a query as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as a part of a path or of a query.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

impl Client {
    /// The API that the flags name, or else the environment.
    pub(super) fn new(target: &Target) -> Result<Self, CtlError> {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let named = target.url.clone().or_else(|| set("VIMSIM_URL"));
        let url = named.or_else(|| set("GOVC_URL")).unwrap_or_else(|| DEFAULT_URL.to_owned());
        let place = Place::parse(&url)?;
        let user = place.user.or_else(|| set("GOVC_USERNAME"));
        let password = place.password.or_else(|| set("GOVC_PASSWORD"));
        let authorization = user.map(|user| {
            let login = format!("{user}:{}", password.unwrap_or_default());
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(login))
        });
        let insecure = set("GOVC_INSECURE").is_some_and(|value| value == "1" || value == "true");
        let authorities = match &target.ca {
            Some(path) => vec![path.clone()],
            None => set("GOVC_TLS_CA_CERTS")
                .map(|paths| env::split_paths(&paths).collect())
                .unwrap_or_default(),
        };
        let mut tls = TlsConfig::builder().provider(TlsProvider::Rustls);
        // Nobody signs certificates for loopback, and nobody listens in there.
        let trusting = target.insecure || insecure || (place.is_loopback && authorities.is_empty());
        tls = tls.disable_verification(trusting);
        if !authorities.is_empty() {
            let mut roots = Vec::new();
            for path in &authorities {
                let pem = fs::read(path).map_err(|error| {
                    CtlError::Usage(format!("cannot read {}: {error}", path.display()))
                })?;
                roots.extend(parse_pem(&pem).flatten().filter_map(certificate));
            }
            tls = tls.root_certs(RootCerts::Specific(Arc::new(roots)));
        }
        let mut config = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("vimsim/", env!("CARGO_PKG_VERSION")));
        if place.is_loopback {
            config = config.proxy(None);
        }
        Ok(Self { agent: config.build().new_agent(), base: place.base, authorization })
    }

    /// Asks for a document.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CtlError> {
        read(self.send("GET", path, None, &[])?)
    }

    /// Asks for something to be done.
    pub(super) fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, CtlError> {
        let body = body.map(serde_json::to_vec).transpose();
        let body = body.map_err(|error| CtlError::Usage(error.to_string()))?;
        read(self.send(method, path, body, &[])?)
    }

    /// Asks for something to be done that needs no further word.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, CtlError> {
        read(self.send("POST", path, None, &[])?)
    }

    /// Opens a stream of events, after the one with this id.
    pub(super) fn stream(
        &self,
        path: &str,
        last: Option<&str>,
    ) -> Result<impl Read + use<>, CtlError> {
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(last.map(|last| ("last-event-id", last)));
        Ok(self.send("GET", path, None, &headers)?.into_body().into_reader())
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
        headers: &[(&str, &str)],
    ) -> Result<Response<Body>, CtlError> {
        let url = format!("{}{path}", self.base);
        let mut request = Request::builder().method(method).uri(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let unreachable = |error: &dyn std::fmt::Display| {
            let text = error.to_string();
            let hint = if text.contains("certificate") {
                "; -k (or GOVC_INSECURE=true) trusts any certificate, --ca FILE those of an authority"
            } else {
                ""
            };
            CtlError::Unreachable(format!("{}: {text}{hint}", self.base))
        };
        let request =
            request.body(body.unwrap_or_default()).map_err(|error| unreachable(&error))?;
        let response = self.agent.run(request).map_err(|error| unreachable(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(refused(response)) }
    }
}

fn certificate(item: PemItem<'static>) -> Option<Certificate<'static>> {
    if let PemItem::Certificate(certificate) = item { Some(certificate) } else { None }
}

fn read<T: DeserializeOwned>(mut response: Response<Body>) -> Result<T, CtlError> {
    let text = response.body_mut().with_config().limit(u64::MAX).read_to_vec();
    let text = text.map_err(|error| CtlError::Unreachable(error.to_string()))?;
    serde_json::from_slice(&text)
        .map_err(|error| CtlError::Unreachable(format!("the reply is not understood: {error}")))
}

/// What a refusal says; who refuses may be something else than vimsim.
fn refused(mut response: Response<Body>) -> CtlError {
    let status = response.status();
    let text = response.body_mut().read_to_vec().unwrap_or_default();
    if let Ok(problem) = serde_json::from_slice::<Problem>(&text) {
        return CtlError::Refused(Box::new(problem));
    }
    if status == StatusCode::NOT_FOUND {
        let reason = "there is no control API: is it vimsim, and not started with -control=false \
                      or -control-listen?";
        return CtlError::Unreachable(reason.to_owned());
    }
    CtlError::Unreachable(format!("the server answers {status}"))
}

/// What a URL says.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    base: String,
    user: Option<String>,
    password: Option<String>,
    is_loopback: bool,
}

impl Place {
    /// Takes a URL apart as govc does: the scheme may be missing, and of the path
    /// nothing is taken.
    fn parse(url: &str) -> Result<Self, CtlError> {
        let wrong = |why: &str| {
            // The password stays out of messages.
            let shown = url.rsplit_once('@').map_or(url, |(_, place)| place);
            CtlError::Usage(format!("{shown:?} is not the URL of a server: {why}"))
        };
        let url = if url.contains("://") { url.to_owned() } else { format!("https://{url}") };
        let uri: Uri =
            url.parse().map_err(|error: ureq::http::uri::InvalidUri| wrong(&error.to_string()))?;
        let scheme = uri.scheme_str().unwrap_or("https");
        if !["http", "https"].contains(&scheme) {
            return Err(wrong("expected http or https"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?.as_str();
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, "")))
        {
            Some((user, "")) => (Some(decode(user)), None),
            Some((user, password)) => (Some(decode(user)), Some(decode(password))),
            None => (None, None),
        };
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = host == "localhost"
            || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        Ok(Self { base: format!("{scheme}://{place}{BASE}"), user, password, is_loopback })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_as_govc_reads_it() {
        for (url, base, user, password, is_loopback) in [
            (
                "https://user:pass@127.0.0.1:8989/sdk",
                "https://127.0.0.1:8989",
                "user",
                "pass",
                true,
            ),
            ("http://[::1]:80", "http://[::1]:80", "", "", true),
            ("a%40b:c%3Ad@vc.example", "https://vc.example", "a@b", "c:d", false),
            ("localhost:8989", "https://localhost:8989", "", "", true),
            ("https://root@vc/vimsim/v1?x=1", "https://vc", "root", "", false),
        ] {
            let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let expected = Place {
                base: format!("{base}{BASE}"),
                user: text(user),
                password: text(password),
                is_loopback,
            };
            assert_eq!(Place::parse(url).ok(), Some(expected), "{url}");
        }
        for url in ["ftp://vc", "https://", "https://u:secret@a b"] {
            let message = Place::parse(url).map(|_| ()).unwrap_err().to_string();
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
