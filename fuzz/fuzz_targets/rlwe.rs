//! A peer whose key, packing key, request or response is harmed: an error, or results that can be packed, answered and shared.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use ring_arith::Bits;
use rlwe::{Accumulator, ClientKey, DEGREE, Demand, Format, Packer, ServerKey, Set};

const SESSION: &[u8] = b"fuzz";

/// Harm to one byte: its place (3 bytes) and the mask.
const HARM: usize = 4;

/// Bytes of the right length, harmed at places of the fuzzer's choice.
fn harmed(good: &[u8], harms: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for harm in harms.chunks_exact(HARM) {
        let at = u32::from_le_bytes([harm[0], harm[1], harm[2], 0]);
        bytes[at as usize % good.len()] ^= harm[3];
    }
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, bytes)) = bytes.split_first() else {
        return;
    };
    let set = Set::ALL[usize::from(first & 1)];
    let demand = Demand {
        ring: Bits::of(20),
        weight_bits: Bits::of(8),
        fan_in: 16,
        levels: 1,
    };
    let format = Format::choose(set, &demand).expect("it fits");
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let client = ClientKey::generate(set, SESSION, &mut rng);
    assert!(
        ServerKey::read(set, SESSION, bytes, &mut rng).is_err()
            || bytes.len() == ServerKey::public_key_len(set)
    );
    let (key, packing) = (client.public_key(), client.packing_key(0));
    let harmed = |which: u8, good: &[u8]| match first >> 1 & 3 == which {
        true => self::harmed(good, bytes),
        false => good.to_vec(),
    };
    let Ok(mut server) = ServerKey::read(set, SESSION, &harmed(0, &key), &mut rng) else {
        return;
    };
    if server.add_packing_key(&harmed(1, &packing)).is_err() {
        return;
    }
    let mut request = vec![0; format.request_len()];
    let number = client.numbers(1).next().expect("one");
    client.encrypt(&format, number, &[5; DEGREE], &mut request);
    let number = server.numbers(1).next().expect("one");
    let Ok(ciphertext) = server.ingest(&format, number, &harmed(2, &request)) else {
        return;
    };
    let mut sum = Accumulator::new(set);
    let mut packer = Packer::new(&server, 1);
    for weight in [3, -100] {
        sum.add_scaled(&ciphertext, weight);
        packer.push(Some(sum.finish(0, 1)));
    }
    let product = packer.finish().expect("two products");
    let mut own = vec![0; DEGREE];
    let mut response = vec![0; format.response_len()];
    let mask = server.masks(1).next().expect("one");
    server.respond(&format, mask, product, &mut own, &mut response);
    let mut share = vec![0; DEGREE];
    let shared = client.share(&format, &harmed(3, &response), &mut share);
    shared.expect("every response has a share");
    assert!(share.iter().all(|&x| format.shares().reduce(x) == x));
});
