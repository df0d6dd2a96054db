//! What a state dict says about its network besides the weights.

use nets::StateDict;

use crate::Error;

pub(crate) const CIFAR10: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

/// The shape of a tensor that must have `N` dimensions.
pub(crate) fn dimensions<const N: usize>(
    dict: &StateDict,
    name: &str,
) -> Result<[usize; N], Error> {
    let found = dict.tensors.tensor(name)?.shape();
    found.try_into().map_err(|_| {
        let (tensor, count) = (name.to_owned(), found.len());
        let problem = format!("it has {count} dimensions, not {N}");
        nets::Error::TensorContent { tensor, problem }.into()
    })
}

/// The labels of the metadata. If there are none, `default` if its length fits, else numbers.
pub(crate) fn labels(
    dict: &StateDict,
    outputs: usize,
    default: &[&str],
) -> Result<Vec<String>, Error> {
    match dict.list("labels") {
        Some(labels) if labels.len() == outputs => Ok(labels),
        Some(labels) => Err(Error::Metadata {
            key: "labels".into(),
            problem: format!("{} labels for {outputs} outputs", labels.len()),
        }),
        None if default.len() == outputs => Ok(default.iter().map(|&l| l.into()).collect()),
        None => Ok((0..outputs).map(|i| i.to_string()).collect()),
    }
}

/// Mean or standard deviation of the metadata; `default` if it is not there.
pub(crate) fn per_channel(dict: &StateDict, key: &str, default: &[f64]) -> Result<Vec<f64>, Error> {
    let values = dict.numbers(key)?.unwrap_or_else(|| default.to_vec());
    if values.len() == default.len() && values.iter().all(|v: &f64| v.is_finite()) {
        return Ok(values);
    }
    let problem = format!("{} values for {} channels", values.len(), default.len());
    Err(Error::Metadata {
        key: key.into(),
        problem,
    })
}
