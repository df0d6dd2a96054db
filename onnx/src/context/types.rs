//! The types of constants, which arrays do not keep.

use rten_onnx::onnx::DataType;

use super::Context;

impl Context<'_> {
    /// The type that the file gives a constant, if it holds it as a tensor.
    pub(crate) fn data_type(&self, name: &str) -> Option<DataType> {
        let named = |n: Option<&String>| n.is_some_and(|n| n == name);
        let stored = self.proto.initializer.iter();
        let stored = stored.filter(|tensor| named(tensor.name.as_ref()));
        let constants = self.proto.node.iter().filter(|node| {
            node.op_type.as_deref() == Some("Constant") && named(node.output.first())
        });
        let values = constants.flat_map(|node| &node.attribute);
        let values = values.filter_map(|attribute| attribute.t.as_ref());
        stored.chain(values).find_map(|tensor| tensor.data_type)
    }
}
