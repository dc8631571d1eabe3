//! The arithmetic on vectors: from tokens to a text, from windows to a long text, and to length 1.
//!
//! Done here and not in llama.cpp because one context then serves every kind of pooling. It must not know where vectors come from.

use super::Pooling;

/// One vector from those of a text's tokens, which lie one after the other in `rows`, each `dimensions` long.
///
/// [`Pooling::Rank`] needs a model's head; here it is the first token's, which is what such a head reads.
pub fn pool(rows: &[f32], dimensions: usize, pooling: Pooling) -> Vec<f32> {
    let tokens = rows.chunks_exact(dimensions);
    let one = match pooling {
        Pooling::Mean => return mean(rows, dimensions),
        Pooling::Cls | Pooling::Rank => tokens.clone().next(),
        Pooling::Last => tokens.clone().next_back(),
    };
    one.map_or_else(|| vec![0.0; dimensions], <[f32]>::to_vec)
}

fn mean(rows: &[f32], dimensions: usize) -> Vec<f32> {
    let mut sum = vec![0.0; dimensions];
    let mut count = 0.0_f32;
    for row in rows.chunks_exact(dimensions) {
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += value;
        }
        count += 1.0;
    }
    if count > 0.0 {
        sum.iter_mut().for_each(|sum| *sum /= count);
    }
    sum
}

/// Scales a vector to length 1 (L2 norm). A vector of zeros stays as it is.
pub fn normalize(vector: &mut [f32]) {
    let squares: f64 = vector.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
    if squares > 0.0 {
        let scale = (1.0 / squares.sqrt()) as f32;
        vector.iter_mut().for_each(|v| *v *= scale);
    }
}

/// Cosine of the angle between two vectors, -1 to 1; 0 when one of them is all zeros.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 {
        dot(a, b) / lengths
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pooling_takes_its_tokens() {
        let rows = [1.0, 2.0, 3.0, 4.0, 8.0, 0.0];
        assert_eq!(pool(&rows, 2, Pooling::Mean), [4.0, 2.0]);
        assert_eq!(pool(&rows, 2, Pooling::Cls), [1.0, 2.0]);
        assert_eq!(pool(&rows, 2, Pooling::Last), [8.0, 0.0]);
        assert_eq!(pool(&[], 2, Pooling::Last), [0.0, 0.0]);
    }

    #[test]
    fn normalizing_keeps_the_direction() {
        let mut vector = vec![3.0, -4.0];
        normalize(&mut vector);
        assert_eq!(vector, [0.6, -0.8]);
        let mut zeros = vec![0.0; 3];
        normalize(&mut zeros);
        assert_eq!(zeros, [0.0; 3]);
        // The square of this does not fit 32 bits.
        let mut large = vec![1e30_f32, 0.0];
        normalize(&mut large);
        assert_eq!(large, [1.0, 0.0]);
        assert!((cosine(&[1.0, 1.0], &[2.0, 2.0]) - 1.0).abs() < 1e-12);
        assert!(cosine(&[1.0, 0.0], &[0.0, 0.0]).abs() < 1e-12);
    }
}
