//! Backbones with X-operators, from state dicts of networks that were trained with them.

use nets::{MAX_ELEMENTS, Source, StateDict, Tensor};

use crate::Error;
use crate::metadata::dimensions;
use crate::replace::{XOpOptions, replace_with};

/// How the names of the 1 × 1 weights of X-operators end.
const POINTWISE: &str = ".pointwise.weight";

/// The backbone `base` with X-operators, whose parameters have the names of
/// [`crate::replace_convolutions`]; the metadata may have `xop_spatial`, `xop_groups` and
/// `xop_pointwise`.
pub(super) fn source(base: &str, mut dict: StateDict) -> Result<Source, Error> {
    let options = options(&dict)?;
    let plain = super::backbone(base, plain(&dict, &options)?)?;
    Ok(replace_with(&plain, &options, &mut dict)?.source)
}

fn options(dict: &StateDict) -> Result<XOpOptions, Error> {
    let usual = XOpOptions::default();
    let bad = |key: &str, problem: String| Error::Metadata {
        key: key.into(),
        problem,
    };
    let groups = |key: &str| match dict.numbers(key)?.as_deref() {
        None => Ok(None),
        Some([groups]) => Ok(Some(*groups)),
        Some(many) => Err(bad(key, format!("{} numbers instead of one", many.len()))),
    };
    let spatial = match dict.metadata.get("xop_spatial") {
        Some(text) => {
            (text.parse()).map_err(|e: ::xop::Error| bad("xop_spatial", e.to_string()))?
        }
        None => usual.spatial,
    };
    Ok(XOpOptions {
        spatial,
        groups: groups("xop_groups")?.unwrap_or(usual.groups),
        pointwise: groups("xop_pointwise")?,
    })
}

/// The dict as a dict of the plain backbone, in which zeros stand for the convolutions that will be replaced.
fn plain(dict: &StateDict, options: &XOpOptions) -> Result<StateDict, Error> {
    let mut plain = dict.clone();
    let names = dict.tensors.iter().map(|(name, _)| name);
    for prefix in names.filter_map(|name| name.strip_suffix(POINTWISE)) {
        let [c_out, per_group, ..] = dimensions::<4>(dict, &format!("{prefix}{POINTWISE}"))?;
        let depthwise = format!("{prefix}.depthwise.weight");
        let (kernel, groups) = if dict.tensors.contains(&depthwise) {
            let [_, _, rows, columns] = dimensions(dict, &depthwise)?;
            ([rows, columns], options.groups)
        } else {
            ([1; 2], options.pointwise.unwrap_or(1))
        };
        let shape = [
            c_out,
            per_group.saturating_mul(groups),
            kernel[0],
            kernel[1],
        ];
        let count = shape
            .iter()
            .fold(1_usize, |n, &side| n.saturating_mul(side));
        if count > MAX_ELEMENTS {
            let problem = "it stands for a convolution that is too large".into();
            let tensor = depthwise;
            return Err(nets::Error::TensorContent { tensor, problem }.into());
        }
        let zeros = Tensor::new(shape.to_vec(), vec![0.0; count]);
        plain.tensors.insert(format!("{prefix}.weight"), zeros);
        if dict.tensors.contains(&format!("{prefix}.pointwise.bias")) {
            let zeros = Tensor::new(vec![c_out], vec![0.0; c_out]);
            plain.tensors.insert(format!("{prefix}.bias"), zeros);
        }
    }
    Ok(plain)
}
