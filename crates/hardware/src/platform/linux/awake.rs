//! An inhibitor lock of systemd-logind (org.freedesktop.login1, `Inhibit`), asked for over D-Bus.

use std::time::Duration;

use zbus::blocking::connection::Builder;
use zbus::zvariant::OwnedFd;

/// logind answers within milliseconds, or it is not there.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// The lock is this file: logind gives it up when the last copy is closed, so also when the process dies.
pub(crate) struct Hold {
    _lock: OwnedFd,
}

/// Why it cannot be done, for the log.
pub(crate) fn hold_awake(why: &str) -> Result<Hold, String> {
    let bus = Builder::system();
    bus.and_then(|bus| inhibit(bus, why))
        .map_err(|error| error.to_string())
}

fn inhibit(bus: Builder<'_>, why: &str) -> zbus::Result<Hold> {
    let bus = bus.method_timeout(ANSWERS_WITHIN).build()?;
    let answer = bus.call_method(
        Some("org.freedesktop.login1"),
        "/org/freedesktop/login1",
        Some("org.freedesktop.login1.Manager"),
        "Inhibit",
        // A user who asks for sleep is told who is in the way, and may insist; closing the lid goes first anyway.
        &("sleep:idle", "Hearth", why, "block"),
    )?;
    let lock: OwnedFd = answer.body().deserialize()?;
    Ok(Hold { _lock: lock })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};
    use std::os::fd::OwnedFd as StdFd;
    use std::process::{Child, Command, Stdio};
    use std::sync::mpsc::{Sender, channel};

    use zbus::blocking::Connection;

    use super::*;

    /// A message bus of the test's own.
    struct Bus {
        daemon: Child,
        address: String,
    }

    impl Bus {
        fn start() -> Self {
            let mut daemon = Command::new("dbus-daemon")
                .args(["--session", "--nofork", "--print-address"])
                .stdout(Stdio::piped())
                .spawn()
                .expect("dbus-daemon is there (apt install dbus)");
            let mut address = String::new();
            let output = daemon.stdout.take().unwrap();
            BufReader::new(output).read_line(&mut address).unwrap();
            Self {
                daemon,
                address: address.trim().to_owned(),
            }
        }

        fn builder(&self) -> Builder<'_> {
            Builder::address(self.address.as_str()).unwrap()
        }
    }

    impl Drop for Bus {
        fn drop(&mut self) {
            let _ = self.daemon.kill();
            let _ = self.daemon.wait();
        }
    }

    /// What was asked, and the other end of the lock.
    type Asked = ([String; 4], std::io::PipeReader);

    /// Stands in for logind.
    struct Logind(Sender<Asked>);

    #[zbus::interface(name = "org.freedesktop.login1.Manager")]
    impl Logind {
        fn inhibit(&self, what: String, who: String, why: String, mode: String) -> OwnedFd {
            let (reader, writer) = std::io::pipe().unwrap();
            self.0.send(([what, who, why, mode], reader)).unwrap();
            OwnedFd::from(StdFd::from(writer))
        }
    }

    fn serve(bus: &Bus) -> (Connection, std::sync::mpsc::Receiver<Asked>) {
        let (send, asked) = channel();
        let service = bus.builder().name("org.freedesktop.login1").unwrap();
        let service = service.serve_at("/org/freedesktop/login1", Logind(send));
        (service.unwrap().build().unwrap(), asked)
    }

    #[test]
    fn the_lock_is_held_until_it_is_dropped() {
        let bus = Bus::start();
        let (_service, asked) = serve(&bus);
        let hold = inhibit(bus.builder(), "writing an answer").unwrap();
        let (words, mut other_end) = asked.recv().unwrap();
        assert_eq!(
            words,
            ["sleep:idle", "Hearth", "writing an answer", "block"]
        );
        let (ended, end) = channel();
        std::thread::spawn(move || {
            // Reads the end of the file when the lock is closed.
            ended.send(other_end.read(&mut [0_u8; 1]).unwrap()).unwrap();
        });
        let still_held = end.recv_timeout(Duration::from_millis(200)).is_err();
        assert!(still_held, "the lock was given up at once");
        drop(hold);
        assert_eq!(end.recv_timeout(Duration::from_secs(5)), Ok(0));
    }

    #[test]
    fn without_logind_there_is_a_reason_and_no_lock() {
        let bus = Bus::start();
        let refused = inhibit(bus.builder(), "writing an answer").err().unwrap();
        assert!(refused.to_string().contains("login1"), "{refused}");
        let nowhere = Builder::address("unix:path=/nowhere/bus").unwrap();
        assert!(inhibit(nowhere, "writing an answer").is_err());
    }
}
