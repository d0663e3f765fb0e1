//! TLS as libpq's `sslmode` means it, by rustls.
//!
//! One difference: a certificate must name its host as a subject alternative name. libpq also accepts the common name of a
//! certificate that has none.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::verify_server_name,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::{EngineError, EngineErrorKind};
use super::url::{Roots, SslMode, Target};

/// Makes the connector of a target.
pub(super) fn connector(target: &Target) -> Result<MakeRustlsConnect, EngineError> {
    let provider = Arc::new(ring::default_provider());
    let failed =
        |e: &dyn std::fmt::Display| EngineError::new(EngineErrorKind::Connect, format!("TLS cannot be set up: {e}"));
    let certificates = match &target.roots {
        Roots::None => None,
        Roots::File(path) => Some(read_certificates(path, "sslrootcert")?),
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                return Err(EngineError::new(
                    EngineErrorKind::Connect,
                    "this system has no trusted certificates to verify the server's by",
                )
                .hint("install the package ca-certificates, or name the authority's certificate: sslrootcert=FILE"));
            }
            Some(found.certs)
        }
    };
    let inner = match &certificates {
        None => None,
        Some(certificates) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates.iter().cloned());
            let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
            Some(built.map_err(|e| failed(&e))?)
        }
    };
    let verifier = Verifier {
        pinned: if matches!(target.roots, Roots::File(_)) { certificates.unwrap_or_default() } else { Vec::new() },
        inner,
        names: target.sslmode == SslMode::VerifyFull,
        provider: Arc::clone(&provider),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| failed(&e))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match &target.client_certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = read_certificates(certificate, "sslcert")?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|e| unreadable(key, "sslkey", &e))?;
            builder.with_client_auth_cert(chain, key).map_err(|e| failed(&e))?
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

fn read_certificates(path: &Path, parameter: &str) -> Result<Vec<CertificateDer<'static>>, EngineError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|e| unreadable(path, parameter, &e))?;
    if found.is_empty() {
        return Err(unreadable(path, parameter, &"it holds no certificate"));
    }
    Ok(found)
}

fn unreadable(path: &Path, parameter: &str, error: &dyn std::fmt::Display) -> EngineError {
    let message = format!("cannot read {parameter} {}: {error}", path.display());
    EngineError::new(EngineErrorKind::Connect, message).hint("name a file in PEM format")
}

#[derive(Debug)]
struct Verifier {
    /// Certificates that are trusted as they are. OpenSSL takes a server's own certificate for its authority's; webpki
    /// does not.
    pinned: Vec<CertificateDer<'static>>,
    /// Verifies chain and name; `None` to verify nothing.
    inner: Option<Arc<WebPkiServerVerifier>>,
    /// Whether the name matters.
    names: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        if self.pinned.iter().any(|p| p.as_ref() == end_entity.as_ref()) {
            if self.names {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last: the chain was good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.names => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
