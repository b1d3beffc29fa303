//! Listens, and hands each connection's calls on.

use super::carry_out::{Shared, answer};
use super::error::ProxyError;
use super::log::Log;
use super::script::Script;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A running proxy; it ends when this is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

impl FaultProxy {
    /// Listens on `listen` (port 0: any that is free), forwards to `to`, and appends each fault to the file `log`.
    ///
    /// # Errors
    /// When it cannot listen, `to` is no address of the form `http://HOST:PORT`, or the log cannot be written.
    pub fn start(listen: SocketAddr, to: &str, script: Script, log: Option<&Path>) -> Result<Self, ProxyError> {
        let uri: http::Uri = to.parse().map_err(|_| ProxyError::To(to.to_owned()))?;
        if uri.scheme_str() != Some("http") || uri.authority().is_none() {
            return Err(ProxyError::To(to.to_owned()));
        }
        let log = Log::open(log).map_err(|source| ProxyError::Log {
            path: log.map_or_else(String::new, |p| p.display().to_string()),
            source,
        })?;
        let failed = |source| ProxyError::Listen { addr: listen, source };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("fault-proxy")
            .enable_all()
            .build()
            .map_err(failed)?;
        let listener = runtime.block_on(TcpListener::bind(listen)).map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let shared = Arc::new(Shared { to: uri, client, script: Mutex::new(script), log });
        runtime.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { addr, shared, runtime: Some(runtime) })
    }

    /// Gives where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Gives where it listens as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Gives how often each kind of fault was carried out.
    pub fn faults(&self) -> BTreeMap<String, u64> {
        self.shared.log.counts()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // Without waiting for calls that are still under way.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => {
                tracing::warn!(error = %e, "a connection was not accepted");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let shared = Arc::clone(&shared);
                async move { answer(&shared, request).await }
            });
            // An error of the service closes the connection: that is how an answer is lost.
            if let Err(e) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(error = %e, "a connection ended");
            }
        });
    }
}
