//! How fast a model would answer, guessed from how much of it each token reads.
//!
//! Decoding waits for memory. Of llama.cpp on ten of Apple's chips with a 7B model of three sizes (llama.cpp discussion 4167), a token
//! took 1.03 to 1.16 times as long as reading the weights at the chip's bandwidth, and 4.3 to 5.6 ms beside that for 32 layers.

use hearth_models::{Header, PerLayer};

/// Of the bandwidth that a chip is sold with, so much is lost.
const LOSS: f64 = 1.1;
/// What starting the work of a layer takes, in seconds.
const LAYER_SECONDS: f64 = 5e-3 / 32.0;

/// Tokens a second with a short context. `bandwidth` is that of the memory, in GB/s.
pub(super) fn tokens_per_second(header: &Header, bandwidth: u32) -> f64 {
    let reading = read_bytes(header) as f64 / (f64::from(bandwidth) * 1e9);
    1.0 / (reading * LOSS + header.block_count as f64 * LAYER_SECONDS)
}

/// Bytes of the weights that one token needs.
fn read_bytes(header: &Header) -> u64 {
    let (shape, bytes) = (&header.shape, &header.shape.tensors);
    let used = shape.expert_used_count.as_ref().map_or(0, PerLayer::most);
    let count = shape.expert_count.unwrap_or(0).max(used).max(1);
    let experts = u128::from(bytes.experts) * u128::from(used) / u128::from(count);
    // The embeddings are read whole only where they make the logits as well.
    let output = if bytes.output > 0 {
        bytes.output
    } else {
        bytes.embeddings
    };
    [
        bytes.layers,
        u64::try_from(experts).unwrap_or(u64::MAX),
        output,
        bytes.other,
    ]
    .into_iter()
    .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use hearth_models::{Shape, TensorBytes};

    use super::*;

    fn header(tensors: TensorBytes, experts: Option<(u64, u64)>) -> Header {
        Header {
            block_count: 32,
            shape: Shape {
                tensors,
                expert_count: experts.map(|(count, _)| count),
                expert_used_count: experts.map(|(_, used)| PerLayer::Same(used)),
                ..Shape::default()
            },
            ..Header::default()
        }
    }

    /// Llama 2 7B, as in the table that the constants are from: within a tenth of what was measured there.
    #[test]
    fn speeds_of_known_chips() {
        for (chip, bandwidth, bytes, measured) in [
            ("M1 Max Q4_0", 400, 3_825_000_000_u64, 61.19),
            ("M3 Max Q4_0", 400, 3_825_000_000, 66.31),
            ("M4 Q4_0", 120, 3_825_000_000, 24.11),
            ("M4 Pro Q8_0", 273, 7_160_000_000, 30.69),
            ("M4 Max F16", 546, 13_480_000_000, 31.64),
        ] {
            let layers = TensorBytes {
                layers: bytes,
                ..TensorBytes::default()
            };
            let guess = tokens_per_second(&header(layers, None), bandwidth);
            let off = (guess - measured) / measured;
            assert!(off.abs() < 0.1, "{chip}: {guess:.1} instead of {measured}");
        }
    }

    #[test]
    fn a_token_reads_the_experts_it_uses_and_tied_embeddings() {
        let tensors = TensorBytes {
            layers: 10,
            experts: 800,
            embeddings: 50,
            output: 0,
            other: 1,
        };
        assert_eq!(
            read_bytes(&header(tensors, Some((8, 2)))),
            10 + 200 + 50 + 1
        );
        let output = TensorBytes {
            output: 60,
            ..tensors
        };
        assert_eq!(read_bytes(&header(output, Some((8, 2)))), 10 + 200 + 60 + 1);
    }
}
