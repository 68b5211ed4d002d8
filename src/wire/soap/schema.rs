//! The schema's own files, for clients that read them: WSDL, XSD and the list
//! of versions.

use std::fmt::Write as _;

use axum::Extension;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HOST, HeaderMap};
use axum::response::{IntoResponse, Response};

use crate::connection::Peer;
use crate::schema::Version;

const XML: &str = "text/xml; charset=utf-8";

/// The file that names the service's address.
const SERVICE: &str = "vimService.wsdl";

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../wsdl/", $name)))),+]
    };
}

/// The nine files, as they are in the repository.
const FILES: &[(&str, &str)] = files![
    "vimService.wsdl",
    "vim.wsdl",
    "vim-types.xsd",
    "vim-messagetypes.xsd",
    "core-types.xsd",
    "query-types.xsd",
    "query-messagetypes.xsd",
    "reflect-types.xsd",
    "reflect-messagetypes.xsd",
];

/// Serves `/sdk/{file}`. The service's address is the one that the client asked.
pub(crate) async fn file(
    Path(name): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Response {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    match FILES.iter().find(|(file, _)| *file == name) {
        Some((_, text)) if name == SERVICE => {
            let tls = peer.is_none_or(|Extension(peer)| peer.tls);
            let text = addressed(text, if tls { "https" } else { "http" }, host);
            ([(CONTENT_TYPE, XML)], text).into_response()
        }
        Some((_, text)) => ([(CONTENT_TYPE, XML)], *text).into_response(),
        None => (StatusCode::NOT_FOUND, format!("there is no {name} here\n")).into_response(),
    }
}

/// Serves `GET /sdk/vimService`, which clients ask for its WSDL by `?wsdl`.
pub(crate) async fn service(peer: Option<Extension<Peer>>, headers: HeaderMap) -> Response {
    file(Path(SERVICE.to_owned()), peer, headers).await
}

/// The service's file with the address under which the client reached it. A
/// host name that is none is left out of the document.
fn addressed(text: &str, scheme: &str, host: Option<&str>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    match host.filter(|host| !host.is_empty() && host.chars().all(plain)) {
        Some(host) => text.replace("https://localhost/sdk", &format!("{scheme}://{host}/sdk")),
        None => text.to_owned(),
    }
}

/// The text of `/sdk/vimServiceVersions.xml` for a server of `version`.
pub(crate) fn versions(version: Version) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<namespaces version=\"1.0\">\n <namespace>\n",
    );
    // Writing to a string does not fail.
    let _ = writeln!(out, "  <name>urn:vim25</name>\n  <version>{}</version>", version.as_str());
    out.push_str("  <priorVersions>\n");
    let four = Version::parse("4.0").unwrap_or(Version::OLDEST);
    let mut earlier: Vec<Version> =
        Version::all().filter(|prior| *prior < version && *prior >= four).collect();
    earlier.reverse();
    for prior in earlier {
        let _ = writeln!(out, "   <version>{}</version>", prior.as_str());
    }
    out.push_str("  </priorVersions>\n </namespace>\n</namespaces>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_one_that_was_asked() {
        let text = FILES.iter().find(|(name, _)| *name == SERVICE).map_or("", |(_, text)| *text);
        let own = addressed(text, "http", Some("[::1]:8989"));
        assert!(own.contains("location=\"http://[::1]:8989/sdk\""), "{own}");
        assert_eq!(addressed(text, "http", Some("a\"b")), text);
    }

    #[test]
    fn prior_versions_go_back_to_4_0() {
        let version = Version::parse("8.0.3.0").expect("a known version");
        let text = versions(version);
        assert!(text.contains("<version>8.0.3.0</version>\n  <priorVersions>"));
        assert!(text.contains("<version>4.0</version>"));
        assert!(!text.contains("<version>9"));
    }
}
