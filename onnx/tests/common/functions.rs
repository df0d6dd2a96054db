//! Functions of a file, encoded field by field: `rten-onnx` has no message of them.

use rten_onnx::protobuf::{EncodeMessage, ValueWriter};

use super::Attr;

pub fn encoded(message: &impl EncodeMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    message
        .encode(ValueWriter::new(&mut bytes))
        .expect("a list of bytes takes everything");
    bytes
}

fn number(mut value: usize, to: &mut Vec<u8>) {
    while value > 127 {
        to.push(u8::try_from(value & 127).expect("seven bits") | 128);
        value >>= 7;
    }
    to.push(u8::try_from(value).expect("seven bits"));
}

/// A field that holds bytes.
pub fn field(tag: usize, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    number(tag << 3 | 2, &mut bytes);
    number(content.len(), &mut bytes);
    bytes.extend(content);
    bytes
}

/// A field that holds a number.
pub fn count(tag: usize, value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    number(tag << 3, &mut bytes);
    number(value, &mut bytes);
    bytes
}

/// An attribute that has the value of an attribute of the function, of a type by its number in ONNX.
pub fn reference(name: &str, of: &str, kind: usize) -> Vec<u8> {
    let parts = [
        field(1, name.as_bytes()),
        field(21, of.as_bytes()),
        count(20, kind),
    ];
    field(5, &parts.concat())
}

/// A function, built piece by piece.
#[derive(Clone)]
pub struct Function(pub Vec<u8>);

impl Function {
    /// Domain and name, and the names of what it takes and gives, separated by blanks.
    pub fn new(name: &str, inputs: &str, outputs: &str) -> Self {
        let (domain, name) = name.split_once("::").expect("a domain");
        let function =
            Self(Vec::new()).with(&[field(10, domain.as_bytes()), field(1, name.as_bytes())]);
        let inputs = inputs
            .split_whitespace()
            .map(|name| field(4, name.as_bytes()));
        let outputs = outputs
            .split_whitespace()
            .map(|name| field(5, name.as_bytes()));
        function.with(&inputs.chain(outputs).collect::<Vec<_>>())
    }

    pub fn with(mut self, fields: &[Vec<u8>]) -> Self {
        self.0.extend(fields.concat());
        self
    }

    pub fn opset(self, version: usize) -> Self {
        self.with(&[field(9, &[field(1, b""), count(2, version)].concat())])
    }

    pub fn overload(self, name: &str) -> Self {
        self.with(&[field(13, name.as_bytes())])
    }

    pub fn default(self, attribute: Attr<'_>) -> Self {
        self.with(&[field(11, &encoded(&attribute.proto()))])
    }

    pub fn node(self, op: &str, inputs: &str, outputs: &str, attributes: &[Attr<'_>]) -> Self {
        self.node_with(op, inputs, outputs, attributes, &[])
    }

    /// A node with further fields.
    pub fn node_with(
        self,
        op: &str,
        inputs: &str,
        outputs: &str,
        attributes: &[Attr<'_>],
        more: &[Vec<u8>],
    ) -> Self {
        let node = encoded(&super::node(op, inputs, outputs, attributes));
        self.with(&[field(7, &[node, more.concat()].concat())])
    }

    /// The field of the model that holds it.
    pub fn bytes(&self) -> Vec<u8> {
        field(25, &self.0)
    }
}
