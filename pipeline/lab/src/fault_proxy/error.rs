//! Says what the proxy cannot do.

use std::net::SocketAddr;

/// Explains why the proxy does not work.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// It cannot listen.
    #[error("cannot listen on {addr}")]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Where it forwards to is no address.
    #[error("{0:?} is no address to forward to; give http://HOST:PORT")]
    To(String),
    /// The log cannot be written.
    #[error("cannot write {path}")]
    Log {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A connection is closed on purpose.
    #[error("closed by the script")]
    Meant,
    /// A body did not come through.
    #[error("a body did not come through")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The other side does not answer.
    #[error("the service does not answer")]
    Forward(#[from] hyper_util::client::legacy::Error),
    /// A call cannot be written again.
    #[error("a call cannot be passed on")]
    Http(#[from] http::Error),
    /// A call's path is none.
    #[error("a call cannot be passed on")]
    Path(#[from] http::uri::InvalidUri),
    /// A call's address is none.
    #[error("a call cannot be passed on")]
    Uri(#[from] http::uri::InvalidUriParts),
}
