//! Which program holds a port, for the user to read. Only asks; what cannot be found out is left away.

/// A sentence about a port that is taken.
pub(super) async fn taken(port: u16) -> String {
    let asked = tokio::task::spawn_blocking(move || holder(port)).await;
    match asked.ok().flatten() {
        Some((name, pid)) => format!("Port {port} is taken by {name} (process {pid})."),
        None => format!("Port {port} is taken."),
    }
}

/// Name and number of the process that listens on a port.
#[cfg(not(target_os = "macos"))]
fn holder(port: u16) -> Option<(String, u32)> {
    let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if sockets.is_empty() {
        return None;
    }
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    processes.into_iter().find_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        // Unreadable for processes of other users.
        let files = std::fs::read_dir(process.path().join("fd")).ok()?;
        let holds = |file: &std::path::Path| {
            std::fs::read_link(file)
                .is_ok_and(|to| sockets.iter().any(|s| to.as_os_str() == s.as_str()))
        };
        files.flatten().find(|file| holds(&file.path()))?;
        let name = std::fs::read_to_string(process.path().join("comm")).ok()?;
        Some((printable(&name), pid))
    })
}

/// Name and number of the process that listens on a port.
#[cfg(target_os = "macos")]
fn holder(port: u16) -> Option<(String, u32)> {
    let socket = format!("-iTCP:{port}");
    let output = std::process::Command::new("/usr/sbin/lsof")
        .args(["-nP", &socket, "-sTCP:LISTEN", "-Fpc"])
        .stdin(std::process::Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let field = |mark: char| text.lines().find_map(|line| line.strip_prefix(mark));
    Some((printable(field('c')?), field('p')?.parse().ok()?))
}

/// The inodes of the sockets that listen on a port, from a table of the kernel (proc(5), `/proc/net/tcp`).
#[cfg(not(target_os = "macos"))]
fn listening(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let rows = table.lines().skip(1).map(|row| row.split_whitespace());
    rows.filter_map(|row| {
        let fields: Vec<&str> = row.collect();
        let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
        let is_ours =
            u16::from_str_radix(local_port, 16) == Ok(port) && fields.get(3) == Some(&LISTEN);
        fields
            .get(9)
            .filter(|_| is_ours)
            .map(|inode| (*inode).to_owned())
    })
    .collect()
}

/// A process chooses its own name, so nothing but plain letters of it is shown.
fn printable(name: &str) -> String {
    name.trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(60)
        .collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn our_own_listener_is_found_by_name_and_number() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (name, pid) = holder(listener.local_addr().unwrap().port()).unwrap();
        assert_eq!(pid, std::process::id());
        assert!(name.starts_with("hearth_server"), "{name}");
    }

    #[test]
    fn only_listening_sockets_of_the_port_are_taken() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1FA4 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0\n\
             1: 0100007F:1FA4 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 20 4 30 10 -1\n\
             2: 0100007F:1FA5 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0\n\
             broken\n";
        assert_eq!(listening(table, 8100), ["111"]);
    }
}
