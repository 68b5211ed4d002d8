//! Encryption: the certificate made at start, given ones, HTTP/2, the tunnel.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, CertifiedKey, KeyPair, PKCS_ED25519};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use vimsim::config::Tls;
use vimsim::server::{Server, ServerError};

use super::client::{Client, config_builder, encrypted, plain, start};
use super::echo;

#[tokio::test]
async fn the_certificate_is_good_for_this_machine() {
    let server = start(encrypted(), echo()).await;
    for name in ["localhost", "127.0.0.1", "::1"] {
        let mut client = server.tls(name, &[b"http/1.1"]).await;
        for _ in 0..2 {
            assert_eq!(client.get("/small").await.text(), "small");
        }
        assert!(client.get("/peer").await.text().contains("tls: true"));
    }
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
}

#[tokio::test]
async fn http_2_is_there_for_those_who_ask() {
    let server = start(encrypted(), echo()).await;
    let stream = server.tls("localhost", &[b"h2", b"http/1.1"]).await.stream;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let body = vec![b'x'; 3 << 20];
    let request = hyper::Request::post("https://localhost/length")
        .body(Full::new(axum::body::Bytes::from(body)))
        .unwrap();
    let reply = sender.send_request(request).await.unwrap();
    assert_eq!(reply.status(), 200);
    let text = reply.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, (3 << 20).to_string());
}

#[tokio::test]
async fn a_client_without_alpn_gets_http_1() {
    let server = start(encrypted(), echo()).await;
    let mut client = server.tls("localhost", &[]).await;
    assert_eq!(client.get("/small").await.text(), "small");
}

#[tokio::test]
async fn plain_http_at_the_tls_port_is_told_so() {
    let server = start(encrypted(), echo()).await;
    let mut client = server.client().await;
    // More than is looked at: none of it may turn the reply into a reset.
    let reply = client.post("/sdk", &[], &[b'x'; 20_000]).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("https"), "{}", reply.text());
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn what_is_neither_tls_nor_http_is_closed() {
    let server = start(encrypted(), echo()).await;
    let mut client = server.client().await;
    client.write(b"\x00\x01\x02\x03").await;
    assert!(client.is_closed().await);
    assert_eq!(server.tls("localhost", &[]).await.get("/small").await.status, 200);
}

/// A directory of its own for one test.
fn scratch(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn key_pair() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["vcenter.test".to_owned()]).unwrap()
}

#[tokio::test]
async fn a_given_certificate_is_used() {
    let dir = scratch("given-certificate");
    let pair = key_pair();
    let (certificate, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    fs::write(&certificate, pair.cert.pem()).unwrap();
    fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let mut config = encrypted();
    config.tls = Tls::Files { certificate, key };
    let server = start(config, echo()).await;
    assert_eq!(server.certificate.as_deref(), Some(pair.cert.der().as_ref()));
    let mut client = server.tls("vcenter.test", &[]).await;
    assert_eq!(client.get("/small").await.text(), "small");
}

#[tokio::test]
async fn a_wrong_certificate_is_refused_with_its_file_and_reason() {
    let dir = scratch("wrong-certificate");
    let (one, other) = (key_pair(), key_pair());
    let write = |name: &str, text: String| {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let certificate = write("one.pem", one.cert.pem());
    let key = write("one.key", one.signing_key.serialize_pem());
    let other_key = write("other.key", other.signing_key.serialize_pem());
    let text = write("text.pem", "not a certificate".to_owned());
    let absent = dir.join("absent.pem");

    let cases = [
        (&absent, &key, "absent.pem", "No such file"),
        (&text, &key, "text.pem", "no certificate"),
        (&certificate, &text, "text.pem", "no private key"),
        (&certificate, &absent, "absent.pem", "No such file"),
        (&certificate, &other_key, "other.key", ""),
    ];
    for (certificate, key, file, reason) in cases {
        let mut config = encrypted();
        config.tls = Tls::Files { certificate: certificate.clone(), key: key.clone() };
        let error = Server::bind(&config, echo()).await.unwrap_err();
        assert!(
            matches!(error, ServerError::Pem { .. } | ServerError::Certificate { .. }),
            "{error:?}"
        );
        let message = error.to_string();
        assert!(message.contains(file) && message.contains(reason), "{message}");
    }
}

/// Opens the tunnel and speaks TLS through it.
async fn through_tunnel(
    port: u16,
    config: rustls::ClientConfig,
) -> Client<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut proxy = Client::to(("127.0.0.1", port)).await;
    proxy.write(b"CONNECT sdkTunnel:8089 HTTP/1.1\r\nhost: sdkTunnel:8089\r\n\r\n").await;
    assert_eq!(proxy.reply().await.unwrap().status, 200);
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, proxy.stream).await.unwrap();
    Client::over(stream, proxy.local)
}

#[tokio::test]
async fn the_tunnel_hands_over_the_client_certificate() {
    let mut config = encrypted();
    config.tunnel = Some(0);
    let server = start(config, echo()).await;
    let port = server.tunnel.unwrap();
    assert!(server.url.ends_with(&format!("/sdk?GOVMOMI_TUNNEL_PROXY_PORT={port}")));

    let mut anonymous = through_tunnel(port, server.client_config()).await;
    assert!(anonymous.get("/peer").await.text().contains("certificate: None"));

    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let certificate =
        CertificateParams::new(["extension".to_owned()]).unwrap().self_signed(&key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(server.certificate.clone().unwrap())).unwrap();
    let config = config_builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let mut extension = through_tunnel(port, config).await;
    let peer = extension.get("/peer").await.text();
    assert!(peer.contains(&format!("certificate: Some({:?})", certificate.der().as_ref())));
    assert!(peer.contains(&extension.local.to_string()), "the client's own address: {peer}");
}

#[tokio::test]
async fn the_tunnel_only_tunnels() {
    let mut config = plain();
    config.tunnel = Some(0);
    let server = start(config, echo()).await;
    let mut client = Client::to(("127.0.0.1", server.tunnel.unwrap())).await;
    let reply = client.get("/small").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("CONNECT")));
    // Without TLS the tunnel leads to plain HTTP.
    client.write(b"CONNECT sdkTunnel:8089 HTTP/1.1\r\nhost: sdkTunnel:8089\r\n\r\n").await;
    assert_eq!(client.reply().await.unwrap().status, 200);
    assert_eq!(client.get("/small").await.text(), "small");
}
