//! Constants, and rearranging of their elements.

use std::borrow::Cow;

use nets::{MAX_ELEMENTS, MAX_PARAMETERS};

/// The values of a constant.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Data {
    Float(Vec<f32>),
    Int(Vec<i64>),
}

impl Data {
    /// Makes room for so many values more, and no more than these.
    pub(crate) fn reserve(&mut self, count: usize) {
        match self {
            Self::Float(values) => values.reserve_exact(count),
            Self::Int(values) => values.reserve_exact(count),
        }
    }

    /// Adds values of the same kind.
    ///
    /// # Panics
    /// If they are of the other kind.
    pub(crate) fn extend(&mut self, more: Self) {
        match (self, more) {
            (Self::Float(values), Self::Float(more)) => values.extend(more),
            (Self::Int(values), Self::Int(more)) => values.extend(more),
            _ => unreachable!("one tensor has values of one kind"),
        }
    }
}

/// A constant, row-major.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Array {
    pub(crate) dims: Vec<usize>,
    pub(crate) data: Data,
}

/// The most dimensions.
const MAX_RANK: usize = 16;
/// The most elements that a tensor in the file may have, as many as a layer's parameters.
const MAX_STORED: usize = MAX_PARAMETERS;

/// The number of elements of a shape, at most [`MAX_ELEMENTS`].
pub(crate) fn elements(dims: &[usize]) -> Result<usize, String> {
    at_most(MAX_ELEMENTS, dims)
}

/// The number of elements of a tensor that is in the file.
pub(crate) fn stored_elements(dims: &[usize]) -> Result<usize, String> {
    at_most(MAX_STORED, dims)
}

fn at_most(most: usize, dims: &[usize]) -> Result<usize, String> {
    if dims.len() > MAX_RANK {
        return Err(format!("{} dimensions are too many", dims.len()));
    }
    // A zero among huge sides is refused as well: no network needs it.
    let n = dims
        .iter()
        .try_fold(1_usize, |n, &d| n.checked_mul(d.max(1)));
    match n {
        Some(n) if n <= most => Ok(dims.iter().product()),
        _ => Err(format!(
            "shape {} is too large, beyond {most} values",
            show(dims)
        )),
    }
}

/// A shape for messages; of very many dimensions only their number.
pub(crate) fn show(dims: &[usize]) -> String {
    if dims.len() > 8 {
        format!("of {} dimensions", dims.len())
    } else {
        format!("{dims:?}")
    }
}

/// The distance of neighbours along each axis of a row-major array.
pub(crate) fn strides(dims: &[usize]) -> Vec<isize> {
    let mut strides = vec![1_isize; dims.len()];
    for axis in (1..dims.len()).rev() {
        let side = isize::try_from(dims[axis]).unwrap_or(isize::MAX);
        strides[axis - 1] = strides[axis].saturating_mul(side);
    }
    strides
}

/// The positions in the source of the elements of a view with shape `dims`, row-major, where each axis steps by
/// its stride.
fn walk(dims: &[usize], strides: &[isize], start: usize) -> Result<Vec<usize>, String> {
    let total = elements(dims)?;
    let mut positions = Vec::with_capacity(total);
    let mut index = vec![0; dims.len()];
    let mut at = start;
    for _ in 0..total {
        positions.push(at);
        for axis in (0..dims.len()).rev() {
            index[axis] += 1;
            at = at.wrapping_add_signed(strides[axis]);
            if index[axis] < dims[axis] {
                break;
            }
            index[axis] = 0;
            for _ in 0..dims[axis] {
                at = at.wrapping_add_signed(-strides[axis]);
            }
        }
    }
    Ok(positions)
}

impl Array {
    pub(crate) fn ints(values: Vec<i64>) -> Self {
        Self {
            dims: vec![values.len()],
            data: Data::Int(values),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        match &self.data {
            Data::Float(v) => v.len(),
            Data::Int(v) => v.len(),
        }
    }

    /// The bytes that it occupies.
    pub(crate) const fn bytes(&self) -> usize {
        match &self.data {
            Data::Float(v) => 4 * v.len(),
            Data::Int(v) => 8 * v.len(),
        }
    }

    /// Its values as floats.
    #[expect(clippy::cast_precision_loss, reason = "as ONNX casts them")]
    pub(crate) fn floats(&self) -> Vec<f32> {
        match &self.data {
            Data::Float(v) => v.clone(),
            Data::Int(v) => v.iter().map(|&v| v as f32).collect(),
        }
    }

    /// As [`Array::floats`], and not copied where they are.
    pub(crate) fn as_floats(&self) -> Cow<'_, [f32]> {
        match &self.data {
            Data::Float(v) => Cow::Borrowed(v),
            Data::Int(_) => Cow::Owned(self.floats()),
        }
    }

    /// As [`Array::floats`], without a copy where they are floats.
    pub(crate) fn into_floats(self) -> Vec<f32> {
        match self.data {
            Data::Float(v) => v,
            Data::Int(_) => self.floats(),
        }
    }

    /// Its values in double precision.
    #[expect(clippy::cast_precision_loss, reason = "as ONNX casts them")]
    pub(crate) fn doubles(&self) -> Vec<f64> {
        match &self.data {
            Data::Float(v) => v.iter().map(|&v| v.into()).collect(),
            Data::Int(v) => v.iter().map(|&v| v as f64).collect(),
        }
    }

    /// Its values, if they are integers.
    pub(crate) const fn as_ints(&self) -> Option<&[i64]> {
        match &self.data {
            Data::Int(v) => Some(v.as_slice()),
            Data::Float(_) => None,
        }
    }

    /// One number.
    pub(crate) fn number(value: f32) -> Self {
        Self {
            dims: Vec::new(),
            data: Data::Float(vec![value]),
        }
    }

    /// A function of each of its values, as floats.
    pub(crate) fn mapped(&self, function: impl Fn(f32) -> f32) -> Self {
        Self {
            dims: self.dims.clone(),
            data: Data::Float(self.floats().into_iter().map(function).collect()),
        }
    }

    /// Its value, if all are the same.
    pub(crate) fn uniform(&self) -> Option<f32> {
        let values = self.as_floats();
        let first = values.first().copied()?;
        let same = values.iter().all(|v| v.to_bits() == first.to_bits());
        same.then_some(first)
    }

    /// Its value, if it has exactly one.
    pub(crate) fn scalar(&self) -> Option<f32> {
        (self.len() == 1).then(|| self.floats()[0])
    }

    /// The same values in another shape.
    pub(crate) fn reshaped(&self, dims: Vec<usize>) -> Result<Self, String> {
        if stored_elements(&dims)? != self.len() {
            return Err(format!("{} values do not fill {}", self.len(), show(&dims)));
        }
        Ok(Self {
            dims,
            data: self.data.clone(),
        })
    }

    /// The elements at these positions.
    fn pick(&self, dims: Vec<usize>, positions: &[usize]) -> Self {
        let data = match &self.data {
            Data::Float(v) => Data::Float(positions.iter().map(|&i| v[i]).collect()),
            Data::Int(v) => Data::Int(positions.iter().map(|&i| v[i]).collect()),
        };
        Self { dims, data }
    }

    /// The array with its axes in the order of `perm`, a permutation.
    pub(crate) fn transposed(&self, perm: &[usize]) -> Result<Self, String> {
        let old = strides(&self.dims);
        let dims: Vec<usize> = perm.iter().map(|&a| self.dims[a]).collect();
        let steps: Vec<isize> = perm.iter().map(|&a| old[a]).collect();
        let positions = walk(&dims, &steps, 0)?;
        Ok(self.pick(dims, &positions))
    }

    /// A part of the array, given for each axis the first position, the number of positions, and the step.
    pub(crate) fn sliced(&self, spec: &[(usize, usize, isize)]) -> Result<Self, String> {
        let old = strides(&self.dims);
        let dims: Vec<usize> = spec.iter().map(|s| s.1).collect();
        // A step that saturates is never taken: there is only one position then.
        let steps: Vec<isize> = spec
            .iter()
            .zip(&old)
            .map(|(s, o)| s.2.saturating_mul(*o))
            .collect();
        let steps = steps
            .iter()
            .zip(&dims)
            .map(|(s, &n)| if n < 2 { 0 } else { *s });
        let start = spec
            .iter()
            .zip(&old)
            .map(|(s, o)| s.0.saturating_mul(o.unsigned_abs()))
            .sum();
        let positions = walk(&dims, &steps.collect::<Vec<_>>(), start)?;
        Ok(self.pick(dims, &positions))
    }

    /// The slices at these positions of an axis; the axis is replaced by the shape of the indices.
    pub(crate) fn gathered(
        &self,
        axis: usize,
        shape: &[usize],
        indices: &[usize],
    ) -> Result<Self, String> {
        let inner: usize = self.dims[axis + 1..].iter().product();
        let outer: usize = self.dims[..axis].iter().product();
        let dims = [&self.dims[..axis], shape, &self.dims[axis + 1..]].concat();
        let mut positions = Vec::with_capacity(elements(&dims)?);
        for o in 0..outer {
            for &i in indices {
                let start = (o * self.dims[axis] + i) * inner;
                positions.extend(start..start + inner);
            }
        }
        Ok(self.pick(dims, &positions))
    }

    /// The array repeated along axes of length one until it fills `dims`.
    pub(crate) fn broadcast(&self, dims: &[usize]) -> Result<Self, String> {
        let missing = dims.len().checked_sub(self.dims.len());
        let missing = missing.ok_or_else(|| format!("{} does not fill it", show(&self.dims)))?;
        let mut steps = vec![0; dims.len()];
        for (axis, (&side, stride)) in self.dims.iter().zip(strides(&self.dims)).enumerate() {
            match dims[missing + axis] {
                wanted if wanted == side => steps[missing + axis] = stride,
                _ if side == 1 => {}
                _ => return Err(format!("{} does not fill {}", show(&self.dims), show(dims))),
            }
        }
        let positions = walk(dims, &steps, 0)?;
        Ok(self.pick(dims.to_vec(), &positions))
    }
}

#[cfg(test)]
mod tests {
    use super::{Array, Data};

    fn array(dims: &[usize]) -> Array {
        let n = dims.iter().product::<usize>();
        let data = Data::Int((0..i64::try_from(n).expect("small")).collect());
        Array {
            dims: dims.to_vec(),
            data,
        }
    }

    #[test]
    fn elements_move() {
        let a = array(&[2, 3]);
        let t = a.transposed(&[1, 0]).expect("it fits");
        assert_eq!(
            (t.dims.as_slice(), t.as_ints()),
            (&[3, 2][..], Some(&[0, 3, 1, 4, 2, 5][..]))
        );
        let s = a.sliced(&[(1, 2, -1), (0, 2, 2)]).expect("it fits");
        assert_eq!(
            (s.dims.as_slice(), s.as_ints()),
            (&[2, 2][..], Some(&[3, 5, 0, 2][..]))
        );
        let g = a.gathered(1, &[1], &[2]).expect("it fits");
        assert_eq!(
            (g.dims.as_slice(), g.as_ints()),
            (&[2, 1][..], Some(&[2, 5][..]))
        );
        let b = array(&[2, 1]).broadcast(&[2, 2, 2]).expect("it fits");
        assert_eq!(b.as_ints(), Some(&[0, 0, 1, 1, 0, 0, 1, 1][..]));
        assert!(a.broadcast(&[2, 2]).is_err());
    }

    #[test]
    fn sizes_are_bounded() {
        assert!(super::elements(&[1 << 40, 1 << 40]).is_err());
        assert!(super::elements(&[0, 1 << 40]).is_err());
        assert_eq!(super::elements(&[0, 3]), Ok(0));
        assert_eq!(super::elements(&[]), Ok(1));
    }
}
