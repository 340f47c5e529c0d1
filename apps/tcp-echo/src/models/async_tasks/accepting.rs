//! The task that accepts, one a runtime.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::pin::pin;
use std::task::{Context, Poll};

use common::signals;
use tokio::time::sleep;

use super::crowd::Crowd;
use super::task::serve_one;
use crate::accept::{self, BackOff};
use crate::resumable::would_block;
use crate::seats::Seat;

/// Accepts for a runtime until nobody listens any more.
pub(super) async fn accept_all(number: usize, listener: TcpListener, crowd: &'static Crowd) {
    let server = crowd.server;
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(e) => return fail(e, crowd),
    };
    let take = |cx: &mut Context| {
        let accept = || match listener.poll_accept(cx) {
            Poll::Ready(accepted) => accepted,
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        };
        match Seat::take_with(server.counters, server.options.max_connections, accept) {
            Err(e) if would_block(&e) => {
                // for a moment this seat was not free
                crowd.seats.notify_waiters();
                Poll::Pending
            }
            taken => Poll::Ready(taken),
        }
    };
    let mut back_off = BackOff::default();
    loop {
        let mut taken = poll_fn(take).await;
        if let Ok(None) = taken {
            let mut free = pin!(crowd.seats.notified());
            free.as_mut().enable();
            // the last one may have left just before that was said
            taken = match poll_fn(|cx| Poll::Ready(take(cx))).await {
                Poll::Ready(taken) => taken,
                Poll::Pending => Ok(None),
            };
            if let Ok(None) = taken {
                free.await;
            }
        }
        match taken {
            Ok(None) => {}
            Ok(Some(((stream, peer), seat))) => {
                back_off.reset();
                drop(tokio::spawn(serve_one(number, stream, peer, seat, crowd)));
            }
            Err(e) if accept::is_over(&e, server) => return,
            Err(e) => match accept::judge(&e, server, &mut back_off) {
                Ok(None) => {}
                Ok(Some(wait)) => sleep(wait).await,
                Err(e) => return fail(e, crowd),
            },
        }
    }
}

fn fail(why: io::Error, crowd: &Crowd) {
    let _ = crowd.broken.set(why);
    signals::request_stop();
    signals::wake_poller();
}
