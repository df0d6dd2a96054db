//! How the values of an ONNX tensor lie in the output of a node of the network.
//!
//! A tensor of the file has any number of axes, in any order; a node's output has channels, rows and columns. Both
//! hold the same values. Transpositions and reshapes therefore move nothing: they only change how the values are
//! numbered, until an operation needs them in an order of its own.

use crate::array::elements;

/// For each axis of an ONNX tensor its length and the distance of neighbours in the node's output. Every value of
/// that has exactly one place in the tensor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    pub(crate) dims: Vec<usize>,
    strides: Vec<usize>,
}

/// Axes that are longer than one, each with its length and stride.
pub(crate) type Parts = Vec<(usize, usize)>;

impl Layout {
    /// The values in the order of the node's output.
    pub(crate) fn row_major(dims: Vec<usize>) -> Self {
        let mut strides = vec![1; dims.len()];
        for axis in (1..dims.len()).rev() {
            strides[axis - 1] = strides[axis] * dims[axis];
        }
        Self { dims, strides }
    }

    /// The axes in another order.
    pub(crate) fn permuted(&self, order: &[usize]) -> Self {
        Self {
            dims: order.iter().map(|&a| self.dims[a]).collect(),
            strides: order.iter().map(|&a| self.strides[a]).collect(),
        }
    }

    /// Undoes [`Layout::permuted`].
    pub(crate) fn restored(&self, order: &[usize]) -> Self {
        let mut back = self.clone();
        for (from, &to) in order.iter().enumerate() {
            back.dims[to] = self.dims[from];
            back.strides[to] = self.strides[from];
        }
        back
    }

    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// The stride of an axis.
    pub(crate) fn stride(&self, axis: usize) -> usize {
        self.strides[axis]
    }

    /// Its axes, without those of length one, and with those as one that follow one another in the node's output.
    pub(crate) fn parts(&self) -> Parts {
        let mut parts: Parts = Vec::new();
        for (&size, &stride) in self.dims.iter().zip(&self.strides) {
            match parts.last_mut() {
                _ if size == 1 => {}
                Some(last) if last.1 == stride * size => *last = (last.0 * size, stride),
                _ => parts.push((size, stride)),
            }
        }
        parts
    }

    /// Whether the values have the order of the node's output.
    pub(crate) fn is_row_major(&self) -> bool {
        matches!(self.parts()[..], [] | [(_, 1)])
    }

    /// The same values with other dimensions in the same order, if no value has to move for that.
    pub(crate) fn reshaped(&self, dims: &[usize]) -> Option<Self> {
        let mut strides = vec![0; dims.len()];
        let mut axis = 0;
        for (size, stride) in self.parts() {
            let first = axis;
            let mut filled = 1;
            while filled < size {
                filled *= *dims.get(axis)?;
                axis += 1;
            }
            if filled != size {
                return None;
            }
            let mut step = stride;
            for at in (first..axis).rev() {
                strides[at] = step;
                step *= dims[at];
            }
        }
        dims[axis..].iter().all(|&d| d == 1).then(|| Self {
            dims: dims.to_vec(),
            strides,
        })
    }

    /// The place in the node's output of each value, in the order of the tensor.
    pub(crate) fn places(&self) -> Vec<usize> {
        let mut places = vec![0];
        for (&size, &stride) in self.dims.iter().zip(&self.strides) {
            let inner = |base: usize| (0..size).map(move |i| base + i * stride);
            places = places.into_iter().flat_map(inner).collect();
        }
        places
    }

    /// The axes in the order in which their values lie in the node's output; those of length one come first.
    pub(crate) fn by_stride(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.dims.len()).collect();
        order.sort_by_key(|&a| (self.dims[a] > 1, std::cmp::Reverse(self.strides[a])));
        order
    }
}

/// The dimensions to which two tensors are broadcast.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let rank = a.len().max(b.len());
    let side = |x: &[usize], axis: usize| (axis + x.len()).checked_sub(rank).map_or(1, |at| x[at]);
    let dims = (0..rank).map(|axis| match (side(a, axis), side(b, axis)) {
        (1, n) | (n, 1) => Ok(n),
        (n, m) if n == m => Ok(n),
        _ => Err(format!(
            "{} and {} do not fit together",
            crate::array::show(a),
            crate::array::show(b)
        )),
    });
    let dims = dims.collect::<Result<Vec<_>, _>>()?;
    elements(&dims)?;
    Ok(dims)
}

#[cfg(test)]
mod tests {
    use super::{Layout, broadcast};

    #[test]
    fn axes_move_and_come_back() {
        let image = Layout::row_major(vec![1, 2, 3, 4]);
        let last = image.permuted(&[0, 2, 3, 1]);
        assert_eq!(last.dims, [1, 3, 4, 2]);
        assert_eq!(last.places()[..3], [0, 12, 1]);
        assert!(!last.is_row_major());
        assert_eq!(last.restored(&[0, 2, 3, 1]), image);
        assert_eq!(last.by_stride(), [0, 3, 1, 2]);
        assert_eq!(last.parts(), [(12, 1), (2, 12)]);
    }

    #[test]
    fn reshapes_keep_the_order_or_are_refused() {
        let image = Layout::row_major(vec![1, 6, 2, 2]);
        let grouped = image.reshaped(&[1, 2, 3, 2, 2]).expect("it fits");
        assert_eq!(grouped, Layout::row_major(vec![1, 2, 3, 2, 2]));
        let shuffled = grouped.permuted(&[0, 2, 1, 3, 4]);
        assert_eq!(shuffled.reshaped(&[1, 6, 2, 2]), None);
        assert_eq!(
            shuffled.reshaped(&[3, 2, 4]).expect("it fits").places(),
            shuffled.places()
        );
        let vector = image.reshaped(&[1, 24, 1]).expect("it fits");
        assert_eq!(vector.parts(), [(24, 1)]);
        assert_eq!(image.reshaped(&[5, 5]), None);
    }

    #[test]
    fn shapes_are_broadcast() {
        assert_eq!(broadcast(&[2, 1, 3], &[4, 1]), Ok(vec![2, 4, 3]));
        assert!(broadcast(&[2], &[3]).is_err());
    }
}
