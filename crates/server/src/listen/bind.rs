//! Sockets: both loopback addresses on one port, the wanted one or the next that is free.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hearth_app::{Code, Error, Result};
use tokio::net::{TcpListener, TcpSocket};

use super::holder;

/// How many ports after the wanted one are tried.
const MORE_PORTS: u16 = 20;

/// Connections that the system keeps until they are accepted.
const BACKLOG: u32 = 1024;
/// What the system keeps of an answer for a client that does not read. Left to itself it takes megabytes for each.
const SEND_BUFFER_BYTES: u32 = 256 * 1024;

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
        match exactly(port, lan) {
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
pub(super) fn exactly(port: u16, lan: bool) -> io::Result<Vec<TcpListener>> {
    let v4 = if lan {
        Ipv4Addr::UNSPECIFIED
    } else {
        Ipv4Addr::LOCALHOST
    };
    let first = listen(SocketAddr::from((v4, port)))?;
    let port = first.local_addr()?.port();
    match listen(SocketAddr::from((Ipv6Addr::LOCALHOST, port))) {
        Ok(second) => Ok(vec![first, second]),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(error),
        Err(error) => {
            tracing::debug!(%error, "there is no IPv6 here");
            Ok(vec![first])
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A port that we left a moment ago is ours again; one that somebody listens on is not.
    socket.set_reuseaddr(true)?;
    // What it accepts inherits the bound.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
