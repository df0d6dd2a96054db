//! Decoding of the file's tensors into [`Array`]s.

use rten_onnx::onnx::{DataLocation, DataType, TensorProto};

use crate::Error;
use crate::array::{Array, Data, stored_elements};
use crate::external::External;

/// Reads a tensor, wherever its data are.
pub(crate) fn decode(tensor: &TensorProto, external: &mut External) -> Result<Array, Error> {
    let name = tensor.name.as_deref().unwrap_or_default();
    let fail = |problem: String| Error::tensor(name, problem);
    let dims: Option<Vec<usize>> = tensor
        .dims
        .iter()
        .map(|&d| usize::try_from(d).ok())
        .collect();
    let dims = dims.ok_or_else(|| fail("it has a negative dimension".into()))?;
    let count = stored_elements(&dims).map_err(fail)?;
    let kind = tensor.data_type.unwrap_or(DataType(0));
    let size = width(kind).ok_or_else(|| fail(format!("its type {kind} is not supported")))?;
    let data = if tensor.data_location == Some(DataLocation::EXTERNAL) {
        let mut data = convert(kind, &[]);
        data.reserve(count);
        external.read(tensor, count * size, |piece| {
            data.extend(convert(kind, piece));
        })?;
        data
    } else if let Some(raw) = &tensor.raw_data {
        // Each tensor is decoded once; its bytes go then.
        let raw = raw.take();
        if raw.len() != count * size {
            return Err(fail(format!("{} bytes do not fill it", raw.len())));
        }
        convert(kind, &raw)
    } else {
        typed(kind, tensor)
    };
    let array = Array { dims, data };
    if array.len() == count {
        Ok(array)
    } else {
        Err(fail(format!("{} values do not fill it", array.len())))
    }
}

/// Bytes of one value in packed form; `None` for types that are not supported.
const fn width(kind: DataType) -> Option<usize> {
    match kind {
        DataType::DOUBLE | DataType::INT64 | DataType::UINT64 => Some(8),
        DataType::FLOAT | DataType::INT32 | DataType::UINT32 => Some(4),
        DataType::FLOAT16 | DataType::BFLOAT16 | DataType::INT16 | DataType::UINT16 => Some(2),
        DataType::INT8 | DataType::UINT8 | DataType::BOOL => Some(1),
        _ => None,
    }
}

/// The values of packed little-endian bytes.
#[expect(clippy::cast_possible_truncation, reason = "networks compute in f32")]
fn convert(kind: DataType, bytes: &[u8]) -> Data {
    let floats = |v: Vec<f32>| Data::Float(v);
    match kind {
        DataType::FLOAT => floats(numbers(bytes, f32::from_le_bytes)),
        DataType::DOUBLE => floats(numbers(bytes, |b| f64::from_le_bytes(b) as f32)),
        DataType::FLOAT16 => floats(numbers(bytes, |b| half(u16::from_le_bytes(b)))),
        DataType::BFLOAT16 => floats(numbers(bytes, |b| brain(u16::from_le_bytes(b)))),
        DataType::INT64 => Data::Int(numbers(bytes, i64::from_le_bytes)),
        // Those beyond 63 bits wrap; nothing in a network is as large.
        DataType::UINT64 => Data::Int(numbers(bytes, i64::from_le_bytes)),
        DataType::INT32 => Data::Int(numbers(bytes, |b| i32::from_le_bytes(b).into())),
        DataType::UINT32 => Data::Int(numbers(bytes, |b| u32::from_le_bytes(b).into())),
        DataType::INT16 => Data::Int(numbers(bytes, |b| i16::from_le_bytes(b).into())),
        DataType::UINT16 => Data::Int(numbers(bytes, |b| u16::from_le_bytes(b).into())),
        DataType::INT8 => Data::Int(numbers(bytes, |b| i8::from_le_bytes(b).into())),
        _ => Data::Int(bytes.iter().map(|&b| b.into()).collect()),
    }
}

fn numbers<T, const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&b| read(b)).collect()
}

/// The values in the tensor's field for their type.
#[expect(clippy::cast_possible_truncation, reason = "networks compute in f32")]
fn typed(kind: DataType, tensor: &TensorProto) -> Data {
    let bits = |v: &i32| v.to_le_bytes();
    let low = |v: &i32| u16::from_le_bytes([bits(v)[0], bits(v)[1]]);
    match kind {
        DataType::FLOAT => Data::Float(tensor.float_data.clone()),
        DataType::DOUBLE => Data::Float(tensor.double_data.iter().map(|&v| v as f32).collect()),
        DataType::FLOAT16 => Data::Float(tensor.int32_data.iter().map(|v| half(low(v))).collect()),
        DataType::BFLOAT16 => {
            Data::Float(tensor.int32_data.iter().map(|v| brain(low(v))).collect())
        }
        DataType::INT64 => Data::Int(tensor.int64_data.clone()),
        // Their field is not read by the parser.
        DataType::UINT32 | DataType::UINT64 => Data::Int(Vec::new()),
        _ => Data::Int(tensor.int32_data.iter().map(|&v| v.into()).collect()),
    }
}

/// The value of an IEEE half-precision number.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, mantissa) = ((bits >> 10) & 31, f32::from(bits & 1023));
    sign * match exponent {
        0 => mantissa * 2f32.powi(-24),
        31 if mantissa == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        e => (1.0 + mantissa / 1024.0) * 2f32.powi(i32::from(e) - 15),
    }
}

/// The value of a bfloat16 number, which is the upper half of an `f32`.
fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::{brain, half};

    #[test]
    fn short_floats() {
        assert_eq!(
            [0x3c00, 0xc000, 0x3555, 1, 0x7c00].map(half)[..2],
            [1.0, -2.0]
        );
        assert!((half(0x3555) - 1.0 / 3.0).abs() < 1e-4);
        assert_eq!(half(1), 2f32.powi(-24));
        assert!(half(0x7c00).is_infinite() && half(0x7c01).is_nan());
        assert_eq!(brain(0x3f80), 1.0);
    }
}
