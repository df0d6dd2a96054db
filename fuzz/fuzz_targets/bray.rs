//! Model files, with lengths and checksum mended so that what they cover is read too: an error, or a
//! model that writes itself back and runs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nets::Model;

/// Models beyond this are not run: it would only be slow.
const MAX_RUN: usize = 1 << 12;

/// Magic, version, length of the header, length of the tensors, checksum.
const PREFIX: [usize; 5] = [4, 4, 8, 8, 32];

fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let [magic, version, length, _, checksum] = PREFIX;
    let (at, start) = (magic + version, PREFIX.iter().sum::<usize>());
    if bytes.len() < start {
        return bytes;
    }
    let rest = bytes.len() - start;
    let claimed = u64::from_le_bytes(bytes[at..at + length].try_into().expect("8 bytes"));
    let header = usize::try_from(claimed).unwrap_or(usize::MAX).min(rest);
    bytes[at..at + length].copy_from_slice(&(header as u64).to_le_bytes());
    bytes[at + length..at + 2 * length].copy_from_slice(&((rest - header) as u64).to_le_bytes());
    let hash = blake3::hash(&bytes[start..]);
    bytes[start - checksum..start].copy_from_slice(hash.as_bytes());
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    for bytes in [bytes, &mended(bytes)] {
        let Ok(model) = Model::from_bytes(bytes) else {
            continue;
        };
        let again = Model::from_bytes(&model.to_bytes()).expect("what is written can be read");
        assert!(again == model, "it changes when written");
        let types = model.public.graph.types();
        if types.iter().map(|t| t.shape.len()).sum::<usize>() <= MAX_RUN {
            let input = vec![1; types[0].shape.len()];
            model.run_integer(&input).expect("a loaded model runs");
        }
    }
});
