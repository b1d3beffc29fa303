//! Serves an emulator over HTTP: what is asked, what becomes of it, and how the connection ends.

use super::cbor::decode;
use super::fault::{Fate, Mishaps};
use super::input::Fields;
use super::refusal::{Kind, Refusal};
use super::stats::Count;
use super::wire::Wire;
use super::{EmulateError, Emulator, ec2, get, list};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

/// Longest request, as it comes and decompressed: AWS takes 1 MB for `PutMetricData`.
const LONGEST: usize = 2 << 20;
/// Where RPC v2 has the operations of `CloudWatch`.
const OPERATIONS: &str = "/service/GraniteServiceVersion20100801/operation/";
/// How often it is looked at whether to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// Serves on `address` until `stop` is raised; `ready` is told the address, its port resolved.
///
/// # Errors
/// When the address cannot be listened on.
pub fn serve(
    emulator: &Arc<Emulator>,
    address: SocketAddr,
    stop: &forewarn_runtime::interrupt::Interrupt,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), EmulateError> {
    let failed = |source| EmulateError::Listen { address, source };
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("emulate")
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        ready(listener.local_addr().map_err(failed)?);
        while !stop.is_raised() {
            match tokio::time::timeout(GLANCE, listener.accept()).await {
                Ok(Ok((stream, _))) => {
                    // Small replies must not wait for one another; where that can't be had they just do.
                    stream.set_nodelay(true).ok();
                    tokio::spawn(connection(Arc::clone(emulator), stream));
                }
                Ok(Err(e)) => {
                    tracing::warn!("emulator: a connection was not taken: {e}");
                    tokio::time::sleep(GLANCE).await;
                }
                Err(_) => {}
            }
        }
        Ok::<(), EmulateError>(())
    })?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

/// Ends a connection without a reply.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends without a reply")]
struct HungUp;

async fn connection(emulator: Arc<Emulator>, stream: tokio::net::TcpStream) {
    let reset = Arc::new(AtomicBool::new(false));
    let io = TokioIo::new(Wire::new(stream, Arc::clone(&reset)));
    let service = service_fn(move |request| {
        let (emulator, reset) = (Arc::clone(&emulator), Arc::clone(&reset));
        async move { exchange(&emulator, &reset, request).await }
    });
    // A connection that ends in the middle is what this is for.
    hyper::server::conn::http1::Builder::new().serve_connection(io, service).await.ok();
}

/// One request: its fate, and the reply, if it gets one.
async fn exchange(
    it: &Emulator,
    reset: &AtomicBool,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, HungUp> {
    if request.method() == Method::GET && request.uri().path() == "/_emulator/stats" {
        return Ok(reply(200, "application/json", Bytes::from(it.stats.json().to_string()), &[]));
    }
    let (head, body) = request.into_parts();
    let is_clock = head.method == Method::PUT && head.uri.path() == "/_emulator/clock";
    let body = Limited::new(body, LONGEST).collect().await.map(http_body_util::Collected::to_bytes);
    if is_clock {
        return Ok(set_clock(it, body.ok().as_deref()));
    }
    let (fate, delay) = it.fates.next(it.now_ms());
    if delay > 0 {
        it.stats.add(Count::Slow, 1);
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let target = Target::of(&head);
    let name = match (target, &body) {
        (Target::Query, Ok(bytes)) => ec2::name(bytes),
        _ => target.name(),
    };
    it.stats.call(name);
    let (answer, lost) = match fate {
        Fate::Reset => {
            it.stats.add(Count::Resets, 1);
            reset.store(true, Ordering::Relaxed);
            return Err(HungUp);
        }
        Fate::Throttle => {
            it.stats.add(Count::Throttles, 1);
            (Err(Refusal::new(Kind::Throttling, "Rate exceeded")), false)
        }
        Fate::Fail(status) => {
            it.stats.add(Count::Errors, 1);
            let kind = if status == 500 { Kind::Internal } else { Kind::Unavailable };
            (Err(Refusal::new(kind, "We encountered an internal error. Please try again.")), false)
        }
        Fate::Answer(mishaps) => {
            let answer = body
                .map_err(|_| Refusal::new(Kind::TooLarge, format!("a request has at most {LONGEST} bytes")))
                .and_then(|bytes| inflate(&head, bytes))
                .and_then(|bytes| target.answer(it, &bytes, &mishaps));
            if answer.is_err() {
                it.stats.add(Count::Refused, 1);
            }
            (answer, mishaps.lost)
        }
    };
    if lost {
        it.stats.add(Count::Lost, 1);
        return Err(HungUp);
    }
    let mut response = target.reply(answer);
    // AWS tells the time; ours is the emulator's, or a client on the same quick clock would think its own wrong.
    if let Some(date) = http_date(it.now_ms()) {
        response.headers_mut().insert(header::DATE, date);
    }
    Ok(response)
}

/// Sets the clock to the time that a body says, milliseconds since 1970.
fn set_clock(it: &Emulator, body: Option<&[u8]>) -> Response<Full<Bytes>> {
    let to = body.and_then(|b| std::str::from_utf8(b).ok()?.trim().parse().ok());
    match to {
        Some(to) => {
            it.set_clock(to);
            reply(204, "text/plain", Bytes::new(), &[])
        }
        None => reply(400, "text/plain", Bytes::from_static(b"the body is a time, milliseconds since 1970\n"), &[]),
    }
}

/// Writes a time as the Date header does (RFC 9110, 5.6.7).
fn http_date(now_ms: i64) -> Option<http::HeaderValue> {
    let at = jiff::Timestamp::from_millisecond(now_ms).ok()?;
    let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()?;
    http::HeaderValue::from_str(&text).ok()
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    ListMetrics,
    GetMetricData,
    PutMetricData,
    /// Another operation of RPC v2.
    Unknown,
    /// The Query protocol of EC2 and STS.
    Query,
}

impl Target {
    fn of(head: &http::request::Parts) -> Self {
        let cbor = head.headers.get("smithy-protocol").is_some_and(|v| v == "rpc-v2-cbor");
        if head.method == Method::POST && head.uri.path() == "/" && !cbor {
            return Self::Query;
        }
        match head.uri.path().strip_prefix(OPERATIONS) {
            Some("ListMetrics") if cbor && head.method == Method::POST => Self::ListMetrics,
            Some("GetMetricData") if cbor && head.method == Method::POST => Self::GetMetricData,
            Some("PutMetricData") if cbor && head.method == Method::POST => Self::PutMetricData,
            Some(_) | None => Self::Unknown,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::ListMetrics => "ListMetrics",
            Self::GetMetricData => "GetMetricData",
            Self::PutMetricData => "PutMetricData",
            Self::Unknown => "unknown",
            Self::Query => "query",
        }
    }

    fn answer(self, it: &Emulator, bytes: &[u8], mishaps: &Mishaps) -> Result<Vec<u8>, Refusal> {
        let now = it.now_ms();
        match self {
            Self::Query => return ec2::answer(it, bytes, now),
            Self::Unknown => {
                let known = "ListMetrics, GetMetricData and PutMetricData are answered here";
                return Err(Refusal::new(Kind::UnknownOperation, known));
            }
            Self::ListMetrics | Self::GetMetricData | Self::PutMetricData => {}
        }
        let value = decode(bytes).map_err(|e| Refusal::new(Kind::Serialization, e))?;
        let input = Fields::of(&value, "")?;
        if self == Self::ListMetrics {
            return list::list(it, &input, now);
        }
        if self == Self::PutMetricData {
            let n = it.store().put(&input, now)?;
            it.stats.add(Count::Put, n as u64);
            return Ok(vec![0xA0]);
        }
        let (body, tally) = get::get(it, &input, now, mishaps)?;
        let billed = if tally.continued { Count::ContinuedQueries } else { Count::Queries };
        it.stats.add(billed, tally.queries);
        it.stats.add(Count::Points, tally.points);
        it.stats.add(Count::InternalErrors, tally.internal);
        it.stats.add(Count::Partials, u64::from(tally.partial));
        Ok(body)
    }

    fn reply(self, answer: Result<Vec<u8>, Refusal>) -> Response<Full<Bytes>> {
        const CBOR: &str = "application/cbor";
        const XML: &str = "text/xml;charset=UTF-8";
        let protocol = ("smithy-protocol", "rpc-v2-cbor".to_owned());
        match (self, answer) {
            (Self::Query, Ok(body)) => reply(200, XML, body.into(), &[]),
            (Self::Query, Err(refusal)) => {
                let (status, body) = ec2::refuse(&refusal);
                reply(status, XML, body.into(), &[])
            }
            (_, Ok(body)) => reply(200, CBOR, body.into(), &[protocol]),
            (_, Err(refusal)) => {
                let code = ("x-amzn-query-error", refusal.query_error());
                reply(refusal.kind.status(), CBOR, refusal.cbor().into(), &[protocol, code])
            }
        }
    }
}

fn reply(status: u16, content: &'static str, body: Bytes, more: &[(&'static str, String)]) -> Response<Full<Bytes>> {
    static REPLIES: AtomicU64 = AtomicU64::new(1);
    let n = REPLIES.fetch_add(1, Ordering::Relaxed);
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(content));
    let id = ("x-amzn-requestid", format!("00000000-0000-4000-8000-{n:012x}"));
    for (name, value) in std::iter::once(&id).chain(more) {
        if let Ok(value) = http::HeaderValue::from_str(value) {
            headers.insert(*name, value);
        }
    }
    response
}

/// Decompresses what clients compress, which they do with what they put.
fn inflate(head: &http::request::Parts, bytes: Bytes) -> Result<Bytes, Refusal> {
    let Some(encoding) = head.headers.get(header::CONTENT_ENCODING) else { return Ok(bytes) };
    if encoding != "gzip" {
        return Err(Refusal::new(Kind::Serialization, "Content-Encoding must be gzip"));
    }
    let mut out = Vec::new();
    let mut bounded = flate2::read::GzDecoder::new(bytes.as_ref()).take(LONGEST as u64 + 1);
    bounded.read_to_end(&mut out).map_err(|e| Refusal::new(Kind::Serialization, format!("not gzip: {e}")))?;
    if out.len() > LONGEST {
        return Err(Refusal::new(Kind::TooLarge, format!("a request has at most {LONGEST} bytes once decompressed")));
    }
    Ok(out.into())
}
