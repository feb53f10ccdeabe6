//! A connection to a server: TCP, and TLS if the URL asks for it.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::url::ServerUrl;
use crate::sink::Failure;
use crate::sink::tls_cure::tls_cure;

/// A connection, encrypted or not.
pub(in crate::sink) trait ServerStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ServerStream for T {}

/// Connects to the server. With `tls`, the server must have a certificate that `tls` believes. The caller limits the time.
///
/// # Errors
/// There is no connection. The reason names the address, the cause and the cure.
pub(in crate::sink) async fn connect(
    url: &ServerUrl,
    port_default: u16,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Box<dyn ServerStream>, Failure> {
    let shown = url.shown();
    let failed = |cause: String, cure: &str| Failure::outage(format!("{shown}: no connection: {cause}; {cure}"));
    // The name is resolved for every connection, so that the sink follows a server to another address.
    let stream = TcpStream::connect((url.host(), url.port(port_default))).await;
    let stream =
        stream.map_err(|error| failed(error.to_string(), "does the server run, and does it listen at `url`?"))?;
    stream.set_nodelay(true).map_err(|error| failed(error.to_string(), "try again"))?;
    let Some(tls) = tls else { return Ok(Box::new(stream)) };
    let name = ServerName::try_from(url.host().to_owned())
        .map_err(|error| failed(error.to_string(), "use a host name or an address in `url`"))?;
    let stream = TlsConnector::from(tls).connect(name, stream).await;
    let stream = stream.map_err(|error| {
        let cause = error.to_string();
        let cure = tls_cure(&cause).unwrap_or("does the server speak TLS on this port?");
        failed(cause, cure)
    })?;
    Ok(Box::new(stream))
}
