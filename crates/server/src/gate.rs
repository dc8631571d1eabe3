//! Who may talk to the server: decided once, before any route, whatever the route, the method or the bind address.
//!
//! A web page must not reach it: not by its own name bound to our address (the Host header gives it away), not by a request from
//! its origin. Programs on this machine send no Origin and a loopback Host. It must not know what a route does.

mod backoff;
mod key;
mod origin;
mod refuse;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hearth_app::keys::Keys;

use self::backoff::Backoff;
use self::refuse::Refused;

/// Both ends of the connection that a request came on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
}

/// Whom the gate lets in.
#[derive(Clone, Default)]
pub(crate) struct Rules {
    /// Where the server listens; a Host header must name one of them.
    pub(crate) ports: Vec<u16>,
    /// Whether addresses of the local network are ours.
    pub(crate) lan: bool,
    /// Further names of this machine, in lower case, with or without a port.
    pub(crate) hosts: Vec<String>,
    /// Origins of web pages that may use the server.
    pub(crate) origins: Vec<String>,
    /// `None` when no key is asked for; then any is accepted, because clients always send some.
    pub(crate) keys: Option<Arc<Keys>>,
}

/// The gate of one server. Clones are the same gate.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    rules: Arc<RwLock<Arc<Rules>>>,
    backoff: Arc<Backoff>,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pass,
    /// A listed page asks what it may do; answered here.
    Preflight,
    Refuse(Refused),
}

impl Gate {
    /// For programs on this machine, without keys.
    pub(crate) fn new(port: u16) -> Self {
        Self::with(Rules {
            ports: vec![port],
            ..Rules::default()
        })
    }

    pub(crate) fn with(rules: Rules) -> Self {
        let gate = Self::default();
        gate.set(rules);
        gate
    }

    /// New rules, for the next request on.
    pub(crate) fn set(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    fn rules(&self) -> Arc<Rules> {
        let rules = self.rules.read();
        rules.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The decision on a request, from its head alone.
    pub(crate) fn decide(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        connection: Option<Connection>,
        now: Instant,
    ) -> Outcome {
        let rules = self.rules();
        let listed = match check_host(&rules, headers, connection)
            .and_then(|()| origin::check(&rules.origins, method, headers))
        {
            Ok(listed) => listed,
            Err(refused) => return Outcome::Refuse(refused),
        };
        if listed && origin::is_preflight(method, headers) {
            return Outcome::Preflight;
        }
        let Some(keys) = &rules.keys else {
            return Outcome::Pass;
        };
        let peer = connection.map_or(IpAddr::from([127, 0, 0, 1]), |c| c.peer.ip());
        match key::check(keys, &self.backoff, (method, path, headers), peer, now) {
            Ok(()) => Outcome::Pass,
            Err(refused) => Outcome::Refuse(refused),
        }
    }
}

/// The layer around every route, also those that do not exist.
pub(crate) async fn check(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    let connection = request.extensions().get::<Connection>().copied();
    let headers = request.headers();
    let origin = headers.get(header::ORIGIN).cloned();
    match gate.decide(method, path, headers, connection, Instant::now()) {
        Outcome::Pass => {
            let mut response = next.run(request).await;
            origin::mark(response.headers_mut(), origin);
            response
        }
        Outcome::Preflight => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            origin::answer_preflight(headers, response.headers_mut());
            origin::mark(response.headers_mut(), origin);
            response
        }
        Outcome::Refuse(refused) => {
            tracing::debug!(reason = refused.reason, "a request was refused");
            refused.response(path)
        }
    }
}

/// The Host header must name this machine and our port, whatever address the server is bound to.
fn check_host(
    rules: &Rules,
    headers: &HeaderMap,
    connection: Option<Connection>,
) -> Result<(), Refused> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Refused::forbidden("exactly one Host header is needed"));
    };
    let host = host.to_str().unwrap_or_default().to_ascii_lowercase();
    let foreign = Err(Refused::forbidden("this Host is not one of this server"));
    let Some((name, port)) = host.rsplit_once(':') else {
        return if rules.hosts.contains(&host) {
            Ok(())
        } else {
            foreign
        };
    };
    // Digits only: `parse` would also take a sign.
    let is_digits = port.bytes().all(|b| b.is_ascii_digit());
    let is_ours = is_digits && port.parse().is_ok_and(|port| rules.ports.contains(&port));
    let is_listed = rules.hosts.contains(&host) || is_ours && rules.hosts.iter().any(|h| h == name);
    let is_loopback = matches!(name, "127.0.0.1" | "localhost" | "[::1]");
    let is_own_address = || {
        // An address cannot be a page's name, but only our own proves that the sender meant this machine.
        let local = connection.map(|c| c.local.ip());
        let named = name.trim_start_matches('[').trim_end_matches(']').parse();
        rules.lan && local.is_some_and(|ip| is_private(ip) && Ok(ip) == named)
    };
    if is_listed || is_ours && (is_loopback || is_own_address()) {
        Ok(())
    } else {
        foreign
    }
}

/// An address that only the local network reaches.
pub(crate) fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
