//! Floats as decimal strings in JSON: they are read back bit for bit, so that digests agree.

use serde::{Deserialize, Deserializer, Serializer, de::Error as _, ser::SerializeSeq as _};

pub(crate) fn serialize<S: Serializer>(values: &[f64], s: S) -> Result<S::Ok, S::Error> {
    let mut seq = s.serialize_seq(Some(values.len()))?;
    for v in values {
        seq.serialize_element(&v.to_string())?;
    }
    seq.end()
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f64>, D::Error> {
    let texts = Vec::<String>::deserialize(d)?;
    texts
        .iter()
        .map(|t| t.parse().map_err(D::Error::custom))
        .collect()
}
