//! The types of constants that are computed: integers of few bits wrap, where those that they are computed as here would not.

use rten_onnx::onnx::DataType;

use crate::array::{Array, Data};
use crate::context::Context;
use crate::error::{Fault, invalid, unsupported};
use crate::node::Node;

/// The type of what an operator makes of constants, if it is known.
pub(super) fn of_result(context: &Context<'_>, node: &Node<'_>, op: &str) -> Option<DataType> {
    let input = |index| context.kind_of(node, index).map(DataType);
    match op {
        "Cast" => i32::try_from(node.int("to", 0).ok()?).ok().map(DataType),
        "CastLike" | "Where" => input(1),
        "Shape" | "Size" => Some(DataType::INT64),
        "And" | "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "Not" | "Or" => {
            Some(DataType::BOOL)
        }
        _ => input(0),
    }
}

/// Refuses what a type of integers does not hold.
pub(super) fn check(kind: DataType, array: &Array) -> Result<(), Fault> {
    let range = match kind {
        DataType::BOOL => 0..=1,
        DataType::INT8 => i8::MIN.into()..=i8::MAX.into(),
        DataType::UINT8 => 0..=u8::MAX.into(),
        DataType::INT16 => i16::MIN.into()..=i16::MAX.into(),
        DataType::UINT16 => 0..=u16::MAX.into(),
        DataType::INT32 => i32::MIN.into()..=i32::MAX.into(),
        DataType::UINT32 => 0..=u32::MAX.into(),
        DataType::INT64 | DataType::UINT64 => i64::MIN..=i64::MAX,
        _ => return Ok(()),
    };
    match &array.data {
        Data::Int(values) if values.iter().all(|value| range.contains(value)) => Ok(()),
        Data::Int(_) => invalid(format!("its integers do not fit type {kind}")),
        Data::Float(_) => unsupported(format!("of numbers to type {kind}")),
    }
}
