//! The server's certificate, made at start or read from files, and the TLS settings around it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ServerConfig, WantsServerCert};
use rustls::{ConfigBuilder, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use tokio_rustls::TlsAcceptor;

use super::ServerError;

/// A certificate chain and its key.
pub(super) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// Where both come from, for messages.
    files: Option<(Box<Path>, Box<Path>)>,
}

/// How to take TLS connections at the two doors.
pub(super) struct Acceptors {
    /// At the main port.
    pub(super) main: TlsAcceptor,
    /// Through the SDK tunnel, where clients are asked for a certificate.
    pub(super) tunnel: TlsAcceptor,
}

impl Identity {
    /// Makes a certificate for this machine, as seen from itself and at `ip` and `host`.
    pub(super) fn self_signed(ip: IpAddr, host: &str) -> Result<Self, ServerError> {
        make_certificate(ip, host).map_err(|error| ServerError::SelfSigned(error.to_string()))
    }

    /// Reads the certificate chain and the key from PEM files.
    pub(super) fn from_files(certificate: &Path, key: &Path) -> Result<Self, ServerError> {
        let failed = |what, path: &Path, error: pem::Error| ServerError::Pem {
            what,
            path: path.to_owned(),
            reason: match error {
                pem::Error::NoItemsFound => format!("there is no {what} in it (PEM is expected)"),
                pem::Error::Io(error) => error.to_string(),
                other => other.to_string(),
            },
        };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .and_then(
                |chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) },
            )
            .map_err(|error| failed("certificate", certificate, error))?;
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|error| failed("private key", key, error))?;
        Ok(Self { chain, key: private, files: Some((certificate.into(), key.into())) })
    }

    /// The server's own certificate.
    pub(super) fn leaf(&self) -> Option<Arc<[u8]>> {
        self.chain.first().map(|leaf| leaf.as_ref().into())
    }

    /// Checks that chain and key go together, and builds the TLS settings.
    pub(super) fn into_acceptors(self) -> Result<Acceptors, ServerError> {
        let failed = |source| match &self.files {
            Some((certificate, key)) => ServerError::Certificate {
                certificate: certificate.to_path_buf(),
                key: key.to_path_buf(),
                source,
            },
            None => ServerError::SelfSigned(source.to_string()),
        };
        let provider = Arc::new(ring::default_provider());
        let settings = |clients: Clients| {
            builder(&provider, clients)
                .and_then(|builder| {
                    builder.with_single_cert(self.chain.clone(), self.key.clone_key())
                })
                .map(|mut config| {
                    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
                    TlsAcceptor::from(Arc::new(config))
                })
                .map_err(failed)
        };
        Ok(Acceptors { main: settings(Clients::Anonymous)?, tunnel: settings(Clients::Asked)? })
    }
}

/// Are clients asked for a certificate?
#[derive(Clone, Copy)]
enum Clients {
    Anonymous,
    Asked,
}

fn builder(
    provider: &Arc<CryptoProvider>,
    clients: Clients,
) -> Result<ConfigBuilder<ServerConfig, WantsServerCert>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    Ok(match clients {
        Clients::Anonymous => builder.with_no_client_auth(),
        Clients::Asked => builder.with_client_cert_verifier(Arc::new(AnyClient {
            algorithms: provider.signature_verification_algorithms,
        })),
    })
}

/// Takes any client certificate, or none. Which extension a certificate belongs to is for the
/// session manager to say; TLS only proves that the client has its key.
#[derive(Debug)]
struct AnyClient {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// A P-256 key and certificate: the quickest to make of those that every client takes.
fn make_certificate(ip: IpAddr, host: &str) -> Result<Identity, rcgen::Error> {
    let mut names = vec!["localhost".to_owned()];
    let mut add = |name: String| {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    };
    add(Ipv4Addr::LOCALHOST.to_string());
    add(Ipv6Addr::LOCALHOST.to_string());
    for ip in [ip, super::reachable(ip)] {
        if !ip.is_unspecified() {
            add(ip.to_string());
        }
    }
    add(host_name());
    if host.parse::<IpAddr>().is_err() {
        add(host.to_owned());
    }

    let mut certificate = rcgen::CertificateParams::new(names)?;
    let mut subject = rcgen::DistinguishedName::new();
    subject.push(rcgen::DnType::OrganizationName, "vimsim");
    subject.push(rcgen::DnType::CommonName, "vimsim self-signed certificate");
    certificate.distinguished_name = subject;
    // A fixed span, because the certificate is only for tests and must not depend on the clock.
    certificate.not_before = rcgen::date_time_ymd(2020, 1, 1);
    certificate.not_after = rcgen::date_time_ymd(2049, 12, 31);
    certificate.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    certificate.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let chain = vec![certificate.self_signed(&key)?.der().clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok(Identity { chain, key, files: None })
}

/// The machine's name, or nothing where it cannot be had or does not fit into a certificate.
fn host_name() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    if name.is_ascii() { name } else { String::new() }
}
