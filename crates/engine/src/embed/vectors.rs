//! Vectors on their way through the pipe: the numbers as base64, since as decimal text they would cost more than the model does.
//!
//! It must not know what the numbers mean.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Vectors of the next texts of a request, in the order of the texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vectors {
    /// Length of each vector; 1 when they are scores.
    pub dimensions: u32,
    /// The vectors one after the other.
    #[serde(serialize_with = "pack", deserialize_with = "unpack")]
    pub values: Vec<f32>,
    /// Tokens computed for each vector, special ones included.
    pub tokens: Vec<u32>,
}

impl Vectors {
    /// The vectors one by one.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        // A length of zero would panic; it cannot come from a model, but it can come through the pipe.
        self.values.chunks_exact(self.dimensions.max(1) as usize)
    }
}

fn pack<S: Serializer>(values: &[f32], to: S) -> Result<S::Ok, S::Error> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    to.serialize_str(&STANDARD.encode(bytes))
}

fn unpack<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f32>, D::Error> {
    let text = String::deserialize(from)?;
    let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(D::Error::custom("the vectors end inside a number"));
    }
    Ok(numbers.iter().map(|n| f32::from_le_bytes(*n)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_bit_by_bit() {
        let sent = Vectors {
            dimensions: 3,
            values: vec![0.1, -0.0, f32::MIN_POSITIVE, f32::MAX, 1.0, -7.25],
            tokens: vec![4, 5],
        };
        let json = serde_json::to_string(&sent).unwrap();
        let back: Vectors = serde_json::from_str(&json).unwrap();
        assert_eq!(back, sent);
        assert!(back.values[1].is_sign_negative());
        assert_eq!(back.rows().nth(1), Some([f32::MAX, 1.0, -7.25].as_slice()));
    }

    #[test]
    fn half_a_number_is_an_error() {
        let json = r#"{"dimensions":1,"values":"AAAAAAA=","tokens":[1]}"#;
        assert!(serde_json::from_str::<Vectors>(json).is_err());
        let none = r#"{"dimensions":0,"values":"AAAAAA==","tokens":[1]}"#;
        let none: Vectors = serde_json::from_str(none).unwrap();
        assert_eq!(none.rows().count(), 1);
    }
}
