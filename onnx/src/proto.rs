//! The messages of a file that hold nodes. `rten-onnx` decodes what is in them, tensors and types; its own messages of nodes
//! lack what functions need.

use rten_onnx::onnx::{OperatorSetIdProto, TensorProto, ValueInfoProto};
use rten_onnx::protobuf::{DecodeMessage, Fields, OwnedValues, ProtobufError, ReadValue};

#[derive(Clone, Debug, Default)]
pub(crate) struct AttributeProto {
    pub(crate) name: Option<String>,
    /// The attribute of the function around the node that gives the value.
    pub(crate) reference: Option<String>,
    /// The number of its type in ONNX.
    pub(crate) kind: Option<i32>,
    pub(crate) f: Option<f32>,
    pub(crate) i: Option<i64>,
    pub(crate) s: Option<String>,
    pub(crate) t: Option<TensorProto>,
    pub(crate) g: Option<GraphProto>,
    pub(crate) floats: Vec<f32>,
    pub(crate) ints: Vec<i64>,
}

/// Types of attributes, by their numbers in ONNX.
const FLOAT: i32 = 1;
const INT: i32 = 2;
const STRING: i32 = 3;

impl AttributeProto {
    /// Whether it may be of a type: its own, if it tells one.
    fn may_be(&self, kind: i32) -> bool {
        self.kind.is_none_or(|own| own == 0 || own == kind)
    }

    /// A number, which writers leave out where it is zero.
    pub(crate) fn float(&self) -> Option<f32> {
        let left_out = (self.kind == Some(FLOAT)).then_some(0.0);
        self.f.filter(|_| self.may_be(FLOAT)).or(left_out)
    }

    /// An integer, which writers leave out where it is zero.
    pub(crate) fn int(&self) -> Option<i64> {
        let left_out = (self.kind == Some(INT)).then_some(0);
        self.i.filter(|_| self.may_be(INT)).or(left_out)
    }

    /// A text, which writers leave out where it is empty.
    pub(crate) fn text(&self) -> Option<&str> {
        let left_out = (self.kind == Some(STRING)).then_some("");
        let given = self.s.as_deref().filter(|_| self.may_be(STRING));
        given.or(left_out)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct NodeProto {
    pub(crate) input: Vec<String>,
    pub(crate) output: Vec<String>,
    pub(crate) name: Option<String>,
    pub(crate) op_type: Option<String>,
    pub(crate) attribute: Vec<AttributeProto>,
    pub(crate) domain: Option<String>,
    /// Which of several functions of one name is called.
    pub(crate) overload: Option<String>,
    /// The version of the ONNX operator set, which the graph or function around the node tells; 0 if it does not.
    pub(crate) opset: i64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct GraphProto {
    pub(crate) node: Vec<NodeProto>,
    pub(crate) initializer: Vec<TensorProto>,
    pub(crate) input: Vec<ValueInfoProto>,
    pub(crate) output: Vec<ValueInfoProto>,
    pub(crate) value_info: Vec<ValueInfoProto>,
}

#[derive(Debug, Default)]
pub(crate) struct FunctionProto {
    pub(crate) name: Option<String>,
    pub(crate) domain: Option<String>,
    pub(crate) overload: Option<String>,
    pub(crate) input: Vec<String>,
    pub(crate) output: Vec<String>,
    pub(crate) node: Vec<NodeProto>,
    /// Attributes that calls may leave out, with their values. Which others there are shows in the nodes.
    pub(crate) defaults: Vec<AttributeProto>,
    pub(crate) opset_import: Vec<OperatorSetIdProto>,
}

#[derive(Debug, Default)]
pub(crate) struct ModelProto {
    pub(crate) producer_name: Option<String>,
    pub(crate) graph: Option<GraphProto>,
    pub(crate) opset_import: Vec<OperatorSetIdProto>,
    pub(crate) functions: Vec<FunctionProto>,
}

/// How fields of a message are decoded: numbers in onnx.proto, and what is done with each. Others are passed over.
macro_rules! decode {
    ($message:ident, $field:ident, $to:ident, { $($number:literal => $read:expr,)* }) => {
        impl DecodeMessage for $message {
            type Types = OwnedValues;

            fn decode_fields<R>(mut fields: Fields<'_, R>) -> Result<Self, ProtobufError>
            where
                R: ReadValue<Types = Self::Types>,
            {
                let mut $to = Self::default();
                while let Some(mut $field) = fields.next()? {
                    match $field.number() {
                        $($number => $read,)*
                        _ => $field.skip()?,
                    }
                }
                Ok($to)
            }
        }
    };
}

decode!(AttributeProto, field, to, {
    1 => to.name = Some(field.read_string()?),
    2 => to.f = Some(field.get_float()?),
    3 => to.i = Some(field.get_int64()?),
    4 => to.s = Some(field.read_string()?),
    5 => to.t = Some(TensorProto::decode_field(&mut field)?),
    6 => to.g = Some(GraphProto::decode_field(&mut field)?),
    7 => extend(&mut to.floats, field.read_repeated_float()?)?,
    8 => extend(&mut to.ints, field.read_repeated_int64()?)?,
    20 => to.kind = Some(field.get_enum()?),
    21 => to.reference = Some(field.read_string()?),
});

decode!(NodeProto, field, to, {
    1 => to.input.push(field.read_string()?),
    2 => to.output.push(field.read_string()?),
    3 => to.name = Some(field.read_string()?),
    4 => to.op_type = Some(field.read_string()?),
    5 => to.attribute.push(AttributeProto::decode_field(&mut field)?),
    7 => to.domain = Some(field.read_string()?),
    8 => to.overload = Some(field.read_string()?),
});

decode!(GraphProto, field, to, {
    1 => to.node.push(NodeProto::decode_field(&mut field)?),
    5 => to.initializer.push(TensorProto::decode_field(&mut field)?),
    11 => to.input.push(ValueInfoProto::decode_field(&mut field)?),
    12 => to.output.push(ValueInfoProto::decode_field(&mut field)?),
    13 => to.value_info.push(ValueInfoProto::decode_field(&mut field)?),
});

decode!(FunctionProto, field, to, {
    1 => to.name = Some(field.read_string()?),
    4 => to.input.push(field.read_string()?),
    5 => to.output.push(field.read_string()?),
    7 => to.node.push(NodeProto::decode_field(&mut field)?),
    9 => to.opset_import.push(OperatorSetIdProto::decode_field(&mut field)?),
    10 => to.domain = Some(field.read_string()?),
    11 => to.defaults.push(AttributeProto::decode_field(&mut field)?),
    13 => to.overload = Some(field.read_string()?),
});

decode!(ModelProto, field, to, {
    2 => to.producer_name = Some(field.read_string()?),
    7 => to.graph = Some(GraphProto::decode_field(&mut field)?),
    8 => to.opset_import.push(OperatorSetIdProto::decode_field(&mut field)?),
    25 => to.functions.push(FunctionProto::decode_field(&mut field)?),
});

/// Takes in what one field has of a list: a number, or packed many.
fn extend<T>(
    list: &mut Vec<T>,
    numbers: impl Iterator<Item = Result<T, ProtobufError>>,
) -> Result<(), ProtobufError> {
    for number in numbers {
        list.push(number?);
    }
    Ok(())
}

/// Every node of a list, also within the graphs that nodes hold.
pub(crate) fn all(nodes: &[NodeProto]) -> impl Iterator<Item = &NodeProto> {
    let mut open = vec![nodes];
    std::iter::from_fn(move || {
        while let Some(list) = open.pop() {
            if let [first, rest @ ..] = list {
                open.push(rest);
                let graphs = first.attribute.iter().filter_map(|a| a.g.as_ref());
                open.extend(graphs.map(|graph| graph.node.as_slice()));
                return Some(first);
            }
        }
        None
    })
}

/// Visits every node of a list, also within the graphs that nodes hold; a node before those within it.
pub(crate) fn each<E>(
    nodes: &mut [NodeProto],
    mut visit: impl FnMut(&mut NodeProto) -> Result<(), E>,
) -> Result<(), E> {
    let mut open: Vec<&mut NodeProto> = nodes.iter_mut().collect();
    while let Some(node) = open.pop() {
        visit(node)?;
        let graphs = node.attribute.iter_mut().filter_map(|a| a.g.as_mut());
        open.extend(graphs.flat_map(|graph| &mut graph.node));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rten_onnx::protobuf::{DecodeMessage as _, ValueReader};

    use super::AttributeProto;

    /// Lists of numbers come one by one, packed, or in several packs.
    #[test]
    fn lists_are_read_however_they_are_packed() {
        let lists: [&[u8]; 3] = [
            &[64, 3, 64, 172, 2, 61, 0, 0, 128, 63, 61, 0, 0, 0, 64],
            &[66, 3, 3, 172, 2, 58, 8, 0, 0, 128, 63, 0, 0, 0, 64],
            &[58, 4, 0, 0, 128, 63, 64, 3, 66, 2, 172, 2, 61, 0, 0, 0, 64],
        ];
        for bytes in lists {
            let read = AttributeProto::decode(ValueReader::from_buf(bytes)).expect("a message");
            assert_eq!(
                (&read.ints[..], &read.floats[..]),
                (&[3, 300][..], &[1.0, 2.0][..])
            );
        }
    }
}
