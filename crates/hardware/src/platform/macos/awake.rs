//! An activity of the process: while one runs, the Mac does not go to sleep by itself, and App Nap leaves the process alone.
#![allow(unsafe_code)]

use objc2::rc::Retained;
use objc2::runtime::ProtocolObject;
use objc2_foundation::{NSActivityOptions, NSObjectProtocol, NSProcessInfo, NSString};

/// The system's token of a running activity.
pub(crate) struct Hold {
    token: Retained<ProtocolObject<dyn NSObjectProtocol>>,
}

// SAFETY: NSProcessInfo is safe to use from any thread (Apple, "Thread Safety Summary"), and the token is used for nothing but
// handing it back to it, once.
unsafe impl Send for Hold {}
// SAFETY: as above; a shared reference gives no access to the token at all.
unsafe impl Sync for Hold {}

#[allow(clippy::unnecessary_wraps)] // Other systems can refuse.
pub(crate) fn hold_awake(why: &str) -> Result<Hold, String> {
    // `UserInitiated` contains `IdleSystemSleepDisabled`.
    let token = NSProcessInfo::processInfo().beginActivityWithOptions_reason(
        NSActivityOptions::UserInitiated,
        &NSString::from_str(why),
    );
    Ok(Hold { token })
}

impl Drop for Hold {
    fn drop(&mut self) {
        // SAFETY: the token comes from `beginActivityWithOptions_reason` and is ended once, here.
        unsafe { NSProcessInfo::processInfo().endActivity(&self.token) };
    }
}
