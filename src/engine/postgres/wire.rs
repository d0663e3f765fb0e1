//! The driver, which is asynchronous, on a socket of ours: one statement at a time, and a request to stop it that waits.
//!
//! The driver's own request to cancel closes its connection as soon as it is written. libpq leaves it open until the server has closed
//! it, and servers count on that: PgBouncer 1.18 (Debian 12) ends, with the connections of all its clients, when a request that it is
//! still passing on is gone.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Config, Error, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::url::Host;

/// How long a request to cancel may take, the answer that the server closes its connection included.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the server may take to see that a connection ends.
const GOODBYE: Duration = Duration::from_secs(1);

/// Where a server listens.
#[derive(Clone, Debug)]
enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What is sent and received over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}
type Socket = Box<dyn Stream>;

/// Why there is no connection.
pub(super) enum Failure {
    /// The server cannot be reached.
    Socket(io::Error),
    /// It can, and something else is wrong.
    Driver(Error),
}

/// A connection.
pub(super) struct Client {
    runtime: Runtime,
    /// Both are there until the end.
    client: Option<tokio_postgres::Client>,
    /// What moves the bytes, while a statement is waited for.
    connection: Option<JoinHandle<Result<(), Error>>>,
    address: Address,
    tls: Option<(MakeRustlsConnect, String)>,
}

impl Client {
    /// Connects to a host: to the first of its addresses that answers, each in so much time.
    pub(super) fn connect(
        config: &Config,
        host: &Host,
        tls: Option<&MakeRustlsConnect>,
        limit: Option<Duration>,
    ) -> Result<Self, Failure> {
        let runtime = runtime().map_err(Failure::Socket)?;
        let (socket, address) = reach(host, limit, &runtime).map_err(Failure::Socket)?;
        let tls = tls.map(|tls| (tls.clone(), host.name.clone()));
        let (client, connection) = match &tls {
            None => {
                let made = runtime.block_on(config.connect_raw(socket, NoTls)).map_err(Failure::Driver)?;
                (made.0, runtime.spawn(made.1))
            }
            Some((tls, name)) => {
                let made = runtime.block_on(config.connect_raw(socket, handshake(tls, name)));
                let made = made.map_err(Failure::Driver)?;
                (made.0, runtime.spawn(made.1))
            }
        };
        Ok(Self { runtime, client: Some(client), connection: Some(connection), address, tls })
    }

    /// Sends one request and waits for the whole answer.
    pub(super) fn simple_query(&mut self, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        let Some(client) = &self.client else { return Ok(Vec::new()) };
        let result = self.runtime.block_on(client.simple_query(sql));
        let Err(error) = &result else { return result };
        // What the server said when it ended the connection, the connection knows.
        if error.is_closed()
            && let Some(connection) = self.connection.take()
            && let Ok(Err(reason)) = self.runtime.block_on(connection)
        {
            return Err(reason);
        }
        result
    }

    /// Returns what asks the server to stop the statement that runs, from any thread.
    pub(super) fn canceller(&self) -> impl Fn() + Send + Sync + 'static {
        let token = self.client.as_ref().map(tokio_postgres::Client::cancel_token);
        let (address, tls) = (self.address.clone(), self.tls.clone());
        move || {
            let (Some(token), Ok(runtime)) = (&token, runtime()) else { return };
            let Ok(socket) = address.connect(Some(PATIENCE), &runtime) else { return };
            let request = async {
                match &tls {
                    None => token.cancel_query_raw(UntilClosed(socket), NoTls).await,
                    Some((tls, name)) => token.cancel_query_raw(socket, Patient(handshake(tls, name))).await,
                }
            };
            // The server tells nothing about it, and there is nobody to tell it to.
            drop(runtime.block_on(async { timeout(PATIENCE, request).await }));
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The connection says goodbye once nobody can ask for more.
        drop(self.client.take());
        if let Some(connection) = self.connection.take() {
            drop(self.runtime.block_on(async { timeout(GOODBYE, connection).await }));
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

type Handshake = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;

fn handshake(tls: &MakeRustlsConnect, name: &str) -> Handshake {
    match MakeTlsConnect::<Socket>::make_tls_connect(&mut tls.clone(), name) {
        Ok(handshake) => handshake,
        Err(never) => match never {},
    }
}

fn reach(host: &Host, limit: Option<Duration>, runtime: &Runtime) -> io::Result<(Socket, Address)> {
    let addresses = match host.address {
        _ if host.is_socket() => vec![Address::Unix(PathBuf::from(&host.name).join(format!(".s.PGSQL.{}", host.port)))],
        Some(address) => vec![Address::Tcp(SocketAddr::new(address, host.port))],
        None => (host.name.as_str(), host.port).to_socket_addrs()?.map(Address::Tcp).collect(),
    };
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match address.connect(limit, runtime) {
            Ok(socket) => return Ok((socket, address)),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

impl Address {
    fn connect(&self, limit: Option<Duration>, runtime: &Runtime) -> io::Result<Socket> {
        let _inside = runtime.enter();
        Ok(match self {
            Self::Tcp(address) => {
                let stream = match limit {
                    Some(limit) => TcpStream::connect_timeout(address, limit)?,
                    None => TcpStream::connect(address)?,
                };
                stream.set_nodelay(true)?;
                SockRef::from(&stream).set_keepalive(true)?;
                stream.set_nonblocking(true)?;
                Box::new(tokio::net::TcpStream::from_std(stream)?)
            }
            Self::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_nonblocking(true)?;
                Box::new(tokio::net::UnixStream::from_std(stream)?)
            }
        })
    }
}

/// A stream that is shut down by the other side: it waits for that, and sends nothing.
struct UntilClosed<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for UntilClosed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for UntilClosed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut bytes = [0; 64];
            let mut buffer = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                // Closed, or broken, which is as good.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<S: TlsStream + Unpin> TlsStream for UntilClosed<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.0.channel_binding()
    }
}

/// A handshake whose stream is an [`UntilClosed`].
struct Patient<T>(T);

impl<S, T> TlsConnect<S> for Patient<T>
where
    T: TlsConnect<S>,
    T::Future: Send + 'static,
{
    type Stream = UntilClosed<T::Stream>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let handshake = self.0.connect(stream);
        Box::pin(async move { handshake.await.map(UntilClosed) })
    }
}
