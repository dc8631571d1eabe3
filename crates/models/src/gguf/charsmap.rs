//! The character map of a SentencePiece tokenizer: a trie of what is replaced before a text is split.
//!
//! Apart from the other rules because it is a data structure with addresses of its own. llama.cpp follows them when it meets a text
//! and throws through C where one leads out of the map, so all of them are followed here. Read from `llm_tokenizer_ugm_session` in
//! `llama-vocab.cpp` of the llama.cpp that llama-cpp-sys-2 0.1.161 carries. It must not know what is replaced by what.

/// Bytes of one node.
const NODE_BYTES: usize = 4;

/// The two parts of a map: nodes of 32 bits, then texts that end with a zero byte.
struct Map<'a> {
    nodes: &'a [u8],
    texts: &'a [u8],
}

/// Fails with the reason when following a text through the map could lead out of it.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let map = split(bytes)?;
    let mut seen = vec![false; map.nodes.len() / NODE_BYTES];
    let mut open = Vec::new();
    if !seen.is_empty() {
        // The root is only ever left, never entered.
        open.push(base(map.node(0)?));
    }
    while let Some(from) = open.pop() {
        for byte in 1..=255_u32 {
            let index = from ^ byte;
            let node = map.node(index)?;
            // Bit 31 or another byte: not a child of this one.
            if node & (1 << 31 | 0xff) != byte || std::mem::replace(&mut seen[index as usize], true)
            {
                continue;
            }
            let next = index ^ base(node);
            if node >> 8 & 1 == 1 {
                map.text(map.node(next)? & !(1 << 31))?;
            }
            open.push(next);
        }
    }
    Ok(())
}

fn split(bytes: &[u8]) -> Result<Map<'_>, String> {
    let wrong = || {
        format!(
            "its first part does not lie within its {} bytes",
            bytes.len()
        )
    };
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(wrong)?;
    let length = u32::from_le_bytes(*length) as usize;
    // A text follows in any case.
    let (nodes, texts) = rest
        .split_at_checked(length)
        .filter(|(_, texts)| !texts.is_empty())
        .ok_or_else(wrong)?;
    Ok(Map { nodes, texts })
}

impl Map<'_> {
    fn node(&self, index: u32) -> Result<u32, String> {
        let start = index as usize * NODE_BYTES;
        let node = self
            .nodes
            .get(start..start + NODE_BYTES)
            .and_then(|node| node.first_chunk());
        let count = self.nodes.len() / NODE_BYTES;
        node.map(|node| u32::from_le_bytes(*node))
            .ok_or_else(|| format!("it leads to node {index} of {count}"))
    }

    fn text(&self, start: u32) -> Result<(), String> {
        let ends = self
            .texts
            .get(start as usize..)
            .is_some_and(|text| text.contains(&0));
        let reason = || {
            format!(
                "its text at {start} does not end within {} bytes",
                self.texts.len()
            )
        };
        if ends { Ok(()) } else { Err(reason()) }
    }
}

/// What the index of a child is made of: bits 10 to 30, shifted by eight more where bit 9 is set.
fn base(node: u32) -> u32 {
    (node >> 10) << ((node & 1 << 9) >> 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map of `count` nodes, all of them empty but these, and texts.
    fn map(count: usize, nodes: &[(usize, u32)], texts: &[u8]) -> Vec<u8> {
        let mut all = vec![0; count];
        for (index, node) in nodes {
            all[*index] = *node;
        }
        let mut bytes = ((count * 4) as u32).to_le_bytes().to_vec();
        bytes.extend(all.iter().flat_map(|node| node.to_le_bytes()));
        bytes.extend(texts);
        bytes
    }

    #[test]
    fn follows_every_byte() {
        // The root's children lie at 256 ^ byte; `a` is one, it ends a replaced text, and what replaces it is named by node 5 ^ it.
        let a = 0x100 ^ 0x61;
        let root = (0, 256 << 10);
        let leaf = (a, 0x61 | 1 << 8 | (0x200 ^ 0x161) << 10);
        let value = |text: u32| (a ^ (0x200 ^ 0x161), text);
        assert_eq!(
            check(&map(1024, &[root, leaf, value(2)], b"x\0yz\0")),
            Ok(())
        );
        for (wrong, reason) in [
            (map(256, &[root], b"\0"), "leads to node"),
            (
                map(1024, &[root, (a, 0x61 | 0x1388 << 10)], b"\0"),
                "leads to node",
            ),
            (map(1024, &[root, leaf, value(9)], b"x\0yz\0"), "text at 9"),
            (map(1024, &[root, leaf, value(2)], b"x\0yz"), "text at 2"),
            (map(1024, &[root], b""), "first part"),
            (vec![255; 64], "first part"),
            (vec![0; 3], "first part"),
        ] {
            assert!(
                check(&wrong).is_err_and(|found| found.contains(reason)),
                "{reason}: {:?}",
                check(&wrong)
            );
        }
    }

    #[test]
    fn a_circle_ends() {
        // Every node is a child of the one that leads to it, and leads back.
        let nodes: Vec<(usize, u32)> = (0..512)
            .map(|index| (index, (index as u32 & 0xff) | 256 << 10))
            .collect();
        let _ = check(&map(512, &nodes, b"\0"));
    }
}
