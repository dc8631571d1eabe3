//! Keeps the machine from going to sleep by itself while something is computed for somebody.
//!
//! It must not know what is computed, and it never keeps the screen on. How long the machine did sleep tells
//! [`crate::clock::SleepWatch`].

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::platform;

/// While it lives, the machine does not go to sleep by itself. Dropping it lets it; a program that ends, however it ends, lets it too.
pub struct Awake {
    _hold: platform::os::Hold,
}

impl fmt::Debug for Awake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Awake")
    }
}

/// That it is not possible here is said once.
static SAID: AtomicBool = AtomicBool::new(false);

/// Asks the system; the user can see `why` where it lists what keeps it awake. `None` when there is nobody to ask, such as on a Linux
/// without logind: the machine then sleeps when it wants. Blocks for some milliseconds, at worst for some seconds.
pub fn hold(why: &str) -> Option<Awake> {
    match platform::os::hold_awake(why) {
        Ok(hold) => Some(Awake { _hold: hold }),
        Err(reason) => {
            if !SAID.swap(true, Ordering::Relaxed) {
                tracing::info!(reason, "this machine may go to sleep while it computes");
            }
            None
        }
    }
}
