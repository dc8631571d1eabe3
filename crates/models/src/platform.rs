//! Where systems differ. `os` is the module of the system this is built for.

#[cfg(target_os = "linux")]
pub(crate) mod linux;
#[cfg(target_os = "macos")]
pub(crate) mod macos;

#[cfg(target_os = "linux")]
pub(crate) use linux as os;
#[cfg(target_os = "macos")]
pub(crate) use macos as os;

/// The property list that says who leaves a file out: the text `com.apple.backupd` in Apple's binary form, as `tmutil addexclusion`
/// writes it.
#[cfg(any(target_os = "macos", test))]
fn excluded_by_backups() -> Vec<u8> {
    const WHO: &[u8] = b"com.apple.backupd";
    let mut list = b"bplist00".to_vec();
    let first = list.len() as u8;
    // A text of ASCII whose length is the one-byte number behind it.
    list.extend([0x5f, 0x10, WHO.len() as u8]);
    list.extend(WHO);
    let table = list.len() as u64;
    // Where the one object is, and the trailer: five bytes of nothing, no sort version, one byte for each offset and each reference.
    list.push(first);
    list.extend([0, 0, 0, 0, 0, 0, 1, 1]);
    for number in [1, 0, table] {
        list.extend(u64::to_be_bytes(number));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_what_tmutil_writes() {
        // `xattr -px com.apple.metadata:com_apple_backup_excludeItem` of a folder that tmutil left out.
        let written = "62706c697374303 05f1011636f6d2e6170706c652e6261636b75706408000000000000010100000000000000010000000000000000000000000000001c";
        assert_eq!(crate::hex(&excluded_by_backups()), written.replace(' ', ""));
    }
}
