//! Handles one call: forwards it, or spoils it as the script says.

use super::drip::Answer;
use super::log::Log;
use super::operation::Operation;
use super::partial::{self, PUT_EVENTS, PUT_RECORDS, Shape};
use super::script::{Action, Script, Strike};
use super::{error::ProxyError, faults};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Longest body that is passed on, either way.
const LONGEST: usize = 256 << 20;
/// Headers that are about one connection, or about a body that may change on the way.
const OF_A_HOP: [header::HeaderName; 6] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::UPGRADE,
    header::TE,
];

/// What every connection of a proxy shares.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) to: Uri,
    pub(super) client: Client<HttpConnector, Full<Bytes>>,
    pub(super) script: Mutex<Script>,
    pub(super) log: Log,
}

/// A call with all of its body.
struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    operation: Operation,
}

/// Answers a call; an error closes the connection without an answer.
pub(super) async fn answer(shared: &Shared, request: Request<Incoming>) -> Result<Response<Answer>, ProxyError> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LONGEST).collect().await.map_err(ProxyError::Body)?.to_bytes();
    let path = head.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    let operation = Operation::of(head.method.as_str(), head.uri.path(), &head.headers, &body);
    let call = Call { method: head.method, path, headers: head.headers, body, operation };
    let strike = shared.script.lock().unwrap_or_else(PoisonError::into_inner).decide(&call.operation);
    let Some(strike) = strike else {
        return Ok(forward(shared, &call, call.body.clone()).await?.map(Answer::at_once));
    };
    let response = spoil(shared, &call, &strike).await?;
    Ok(response.map(if strike.action == Action::Drip { Answer::drip } else { Answer::at_once }))
}

async fn spoil(shared: &Shared, call: &Call, strike: &Strike) -> Result<Response<Bytes>, ProxyError> {
    let note = |entries| shared.log.note(&call.operation, strike, entries);
    match strike.action {
        Action::Throttle => {
            note(None);
            Ok(faults::throttle(&call.operation))
        }
        Action::Http(status) => {
            note(None);
            Ok(faults::failure(&call.operation, status))
        }
        Action::ExpireIterator => {
            note(None);
            Ok(faults::expired(&call.operation))
        }
        Action::Reset => {
            note(None);
            Err(ProxyError::Meant)
        }
        Action::LoseReply => {
            forward(shared, call, call.body.clone()).await?;
            note(None);
            Err(ProxyError::Meant)
        }
        Action::Silent => {
            note(None);
            std::future::pending().await
        }
        Action::Drip => {
            note(None);
            forward(shared, call, call.body.clone()).await
        }
        Action::Delay(ms) => {
            note(None);
            tokio::time::sleep(Duration::from_millis(ms)).await;
            forward(shared, call, call.body.clone()).await
        }
        Action::PartialPutRecords(share) => part(shared, call, strike, PUT_RECORDS, share).await,
        Action::PartialPutEvents(share) => part(shared, call, strike, PUT_EVENTS, share).await,
    }
}

/// Forwards some entries of a batch and answers for the others.
async fn part(
    shared: &Shared,
    call: &Call,
    strike: &Strike,
    shape: Shape,
    share: f64,
) -> Result<Response<Bytes>, ProxyError> {
    let Some(cut) = partial::cut(shape, &call.body, share, strike.seed) else {
        return forward(shared, call, call.body.clone()).await;
    };
    let mut response = match cut.forward {
        Some(body) => forward(shared, call, body.into()).await?,
        None => Response::builder().header(header::CONTENT_TYPE, "application/x-amz-json-1.1").body(Bytes::new())?,
    };
    let answered = (!response.body().is_empty()).then(|| response.body().clone());
    if response.status().is_success()
        && let Some(mended) = partial::mend(shape, answered.as_deref(), &cut.failing)
    {
        shared.log.note(&call.operation, strike, Some(cut.failing.len()));
        *response.body_mut() = mended.into();
    }
    Ok(response)
}

async fn forward(shared: &Shared, call: &Call, body: Bytes) -> Result<Response<Bytes>, ProxyError> {
    let mut to = shared.to.clone().into_parts();
    to.path_and_query = Some(call.path.parse()?);
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = Uri::from_parts(to)?;
    *request.headers_mut() = call.headers.clone();
    for name in OF_A_HOP {
        request.headers_mut().remove(name);
    }
    let (mut head, body) = shared.client.request(request).await?.into_parts();
    let body = Limited::new(body, LONGEST).collect().await.map_err(ProxyError::Body)?.to_bytes();
    for name in OF_A_HOP {
        // The length of what HEAD asks about is part of the answer.
        if name != header::CONTENT_LENGTH || call.method != Method::HEAD {
            head.headers.remove(name);
        }
    }
    Ok(Response::from_parts(head, body))
}
