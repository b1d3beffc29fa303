//! The body of an answer: given at once, or at a byte a second.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// The time between two bytes.
const BETWEEN: Duration = Duration::from_secs(1);
/// A shorter body is filled up with spaces, which mean nothing in JSON and XML: its last byte takes longer than anybody waits.
const LEAST: usize = 3_600;

/// What is left of an answer's body.
#[derive(Debug)]
pub(super) struct Answer {
    left: Bytes,
    /// When the next byte is due, where they come one by one.
    next: Option<Pin<Box<Sleep>>>,
}

impl Answer {
    pub(super) fn at_once(body: Bytes) -> Self {
        Self { left: body, next: None }
    }

    pub(super) fn drip(body: Bytes) -> Self {
        let mut body = Vec::from(body);
        body.resize(body.len().max(LEAST), b' ');
        Self { left: body.into(), next: Some(Box::pin(sleep(BETWEEN))) }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let piece = match &mut self.next {
            None => self.left.len(),
            Some(due) => {
                ready!(due.as_mut().poll(cx));
                due.set(sleep(BETWEEN));
                1
            }
        };
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
