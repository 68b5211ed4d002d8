//! The schema's own files, for clients that read them: WSDL, XSD and the list
//! of versions.

use std::fmt::Write as _;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::schema::Version;

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

/// Serves `/sdk/{file}`.
pub(crate) async fn file(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(file, _)| *file == name) {
        Some((_, text)) => ([(CONTENT_TYPE, "text/xml; charset=utf-8")], *text).into_response(),
        None => (StatusCode::NOT_FOUND, format!("there is no {name} here\n")).into_response(),
    }
}

/// Serves `GET /sdk/vimService`, which clients ask for its WSDL by `?wsdl`.
pub(crate) async fn service() -> Response {
    file(Path("vimService.wsdl".to_owned())).await
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
    fn prior_versions_go_back_to_4_0() {
        let version = Version::parse("8.0.3.0").expect("a known version");
        let text = versions(version);
        assert!(text.contains("<version>8.0.3.0</version>\n  <priorVersions>"));
        assert!(text.contains("<version>4.0</version>"));
        assert!(!text.contains("<version>9"));
    }
}
