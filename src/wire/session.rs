//! Which session a request belongs to: cookies and headers.

use axum::http::header::{COOKIE, HeaderMap};

/// The cookie's name, as vCenter has it.
const NAME: &str = "vmware_soap_session";

/// The header that VI/JSON clients use instead of a cookie.
pub(super) const HEADER: &str = "vmware-api-session-id";

/// The token in the header of its own, which VI/JSON clients send.
pub(super) fn header_token(headers: &HeaderMap) -> Option<&str> {
    headers.get(HEADER)?.to_str().ok()
}

/// The token that a request carries. Clients send the cookie quoted or not,
/// alone or among others, and pyVmomi sends back the whole `Set-Cookie` line.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    let cookie = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(NAME)?.trim_start().strip_prefix('='))
        .map(|value| value.trim().trim_matches('"'))
        .find(|value| !value.is_empty());
    cookie.or_else(|| header_token(headers))
}

/// The `Set-Cookie` line that hands `token` to the client; `Secure` keeps it
/// from plain HTTP, where clients would never send it back.
pub(super) fn set_cookie(token: &str, secure: bool) -> String {
    let secure = if secure { " Secure;" } else { "" };
    format!("{NAME}=\"{token}\"; Path=/; HttpOnly;{secure}")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn every_form_of_the_cookie() {
        for (line, expected) in [
            ("vmware_soap_session=\"abc\"", Some("abc")),
            ("vmware_soap_session=abc", Some("abc")),
            ("a=b; vmware_soap_session=\"abc\"; Path=/; HttpOnly; Secure;", Some("abc")),
            ("vmware_soap_session=\"\"", None),
            ("other=abc", None),
        ] {
            let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(line))]);
            assert_eq!(token(&headers), expected, "{line}");
        }
    }

    #[test]
    fn what_is_set_can_be_read() {
        let line = set_cookie("abc", true);
        let value = HeaderValue::from_str(&line).expect("the line is a header's value");
        assert_eq!(token(&HeaderMap::from_iter([(COOKIE, value)])), Some("abc"));
    }
}
