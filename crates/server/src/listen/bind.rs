//! Sockets: both loopback addresses on one port, the wanted one or the next that is free.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hearth_app::{Code, Error, Result};
use tokio::net::TcpListener;

use super::holder;

/// How many ports after the wanted one are tried.
const MORE_PORTS: u16 = 20;

/// Sockets on one port.
pub(super) struct Bound {
    pub(super) listeners: Vec<TcpListener>,
    pub(super) port: u16,
    /// Why it is not the wanted port.
    pub(super) notice: Option<String>,
}

/// The wanted port, or the next that is free; 0 is any. No foreign process is touched.
pub(super) async fn first_free(wanted: u16, lan: bool) -> Result<Bound> {
    let mut first_problem = None;
    for port in wanted..=wanted.saturating_add(MORE_PORTS) {
        match exactly(port, lan).await {
            Ok(listeners) => {
                let bound = listeners.first().and_then(|l| l.local_addr().ok());
                let port = bound.map_or(port, |address| address.port());
                let notice = match first_problem {
                    None => None,
                    Some(_) => Some(format!(
                        "{} Hearth listens on port {port} instead.",
                        holder::taken(wanted).await
                    )),
                };
                return Ok(Bound {
                    listeners,
                    port,
                    notice,
                });
            }
            Err(error) => first_problem = first_problem.or(Some(error)),
        }
    }
    let reason = first_problem.map_or_else(String::new, |error| format!(" ({error})"));
    let message = format!(
        "{} The {MORE_PORTS} ports after it are not free either{reason}.",
        holder::taken(wanted).await
    );
    Err(Error::new(Code::Unsupported, message)
        .hint("Choose another port under Server, Ports and limits."))
}

/// This port on both loopback addresses; on a network, on every address. Both or none, but for machines without IPv6.
pub(super) async fn exactly(port: u16, lan: bool) -> io::Result<Vec<TcpListener>> {
    let v4 = if lan {
        Ipv4Addr::UNSPECIFIED
    } else {
        Ipv4Addr::LOCALHOST
    };
    let first = TcpListener::bind((IpAddr::from(v4), port)).await?;
    let port = first.local_addr()?.port();
    let second = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    match TcpListener::bind(second).await {
        Ok(second) => Ok(vec![first, second]),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(error),
        Err(error) => {
            tracing::debug!(%error, "there is no IPv6 here");
            Ok(vec![first])
        }
    }
}
