//! From bytes to a network.

use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::path::Path;

use nets::{FloatModel, Head};
use rten_onnx::onnx::OperatorSetIdProto;
use rten_onnx::protobuf::{DecodeMessage as _, ValueReader};

use crate::Error;
use crate::context::Context;
use crate::external::External;
use crate::functions::inline;
use crate::proto::{ModelProto, each};
use crate::qlinear::as_numbers;

/// The versions of the ONNX operator set that are read.
pub const OPSETS: RangeInclusive<i64> = 7..=24;

/// The longest file, the limit of its format.
pub const MAX_FILE_BYTES: usize = 1 << 31;

/// A network read from an ONNX file.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Network {
    /// The network. Its outputs are those of the file, one after the other, as logits: a softmax or sigmoid at the very end
    /// is not part of it. Its input has channels, rows and columns in this order, whatever order the file has.
    pub model: FloatModel,
    /// What the outputs are.
    pub outputs: Vec<Output>,
    /// What the user must know of how the file was read.
    pub notes: Vec<String>,
    /// The program that wrote the file.
    pub producer: String,
    /// The version of the ONNX operator set that the file uses.
    pub opset: i64,
}

impl Network {
    /// The head that stood at the end, if there was one and there is one output.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        match &self.outputs[..] {
            [one] => one.head,
            _ => None,
        }
    }
}

/// An output of the file.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Output {
    /// Its name.
    pub name: String,
    /// How many values it has.
    pub len: usize,
    /// The head that stood before it, if there was one.
    pub head: Option<Head>,
}

/// Reads an ONNX file. Its external data may lie in the same folder or below; if the file is a link, also in the folder
/// where it leads, or below that.
///
/// # Errors
/// [`Error::File`]; [`Error::InFile`] around any error of [`from_bytes`].
pub fn load(path: &Path) -> Result<Network, Error> {
    let unreadable = |source| Error::File {
        path: path.to_path_buf(),
        source,
    };
    let in_file = |e| Error::InFile {
        path: path.to_path_buf(),
        source: Box::new(e),
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    // Opening a pipe could wait forever.
    if !metadata.is_file() {
        return Err(unreadable(std::io::Error::other("it is no regular file")));
    }
    let size = metadata.len();
    if usize::try_from(size).is_ok_and(|n| n > MAX_FILE_BYTES) {
        return Err(in_file(Error::TooLarge {
            what: "bytes",
            limit: MAX_FILE_BYTES,
        }));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let proto = parse(&bytes).map_err(in_file)?;
    // The parsed file has all of it: large weights are not kept twice.
    drop(bytes);
    read(proto, External::beside(path)).map_err(in_file)
}

/// Reads the bytes of an ONNX file. External data come only from `folder`.
///
/// # Errors
/// [`Error::NotOnnx`], [`Error::TooLarge`], [`Error::Opset`] for the file as a whole;
/// [`Error::Graph`], [`Error::Tensor`], [`Error::Node`], [`Error::Function`], [`Error::Nets`] for what is wrong in it;
/// [`Error::Unsupported`] naming every kind of operator that Blindray does not have.
pub fn from_bytes(bytes: &[u8], folder: Option<&Path>) -> Result<Network, Error> {
    read(parse(bytes)?, External::new(folder))
}

fn parse(bytes: &[u8]) -> Result<ModelProto, Error> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Error::TooLarge {
            what: "bytes",
            limit: MAX_FILE_BYTES,
        });
    }
    crate::wire::check(bytes)?;
    ModelProto::decode(ValueReader::from_buf(bytes)).map_err(|e| Error::NotOnnx(e.to_string()))
}

fn read(mut proto: ModelProto, mut external: External) -> Result<Network, Error> {
    let graph = proto.graph.take();
    let mut graph = graph.ok_or_else(|| Error::NotOnnx("it has no graph".into()))?;
    let own = own_version(&proto.opset_import)?;
    let of_functions = proto
        .functions
        .iter()
        .map(|function| &function.opset_import);
    // A graph of nothing but calls may leave the version to its functions.
    let opset = match own {
        Some(version) => Some(version),
        None => of_functions
            .flat_map(|imports| own_version(imports))
            .flatten()
            .max(),
    };
    let opset = opset.ok_or_else(|| Error::NotOnnx("it names no opset".into()))?;
    if !OPSETS.contains(&opset) {
        return Err(Error::Opset { found: opset });
    }
    let Ok(()) = each(&mut graph.node, |node| {
        node.opset = own.unwrap_or(0);
        Ok::<(), Infallible>(())
    });
    inline(&mut graph, &mut proto.functions)?;
    as_numbers(&mut graph);
    let lowered = Context::new(&graph, &mut external)?.lower()?;
    let producer = proto
        .producer_name
        .as_deref()
        .map(crate::node::readable)
        .unwrap_or_default();
    Ok(Network {
        model: lowered.model,
        outputs: lowered.outputs,
        notes: lowered.notes,
        producer,
        opset,
    })
}

/// The version of the ONNX operator set that is imported, if there is one.
pub(crate) fn own_version(imports: &[OperatorSetIdProto]) -> Result<Option<i64>, Error> {
    let own = |domain: &Option<String>| matches!(domain.as_deref(), None | Some("" | "ai.onnx"));
    let mut versions = imports.iter().filter(|o| own(&o.domain)).map(|o| o.version);
    let first = versions.next().flatten();
    if versions.any(|version| version != first) {
        return Err(Error::NotOnnx("it names several opsets".into()));
    }
    Ok(first)
}
