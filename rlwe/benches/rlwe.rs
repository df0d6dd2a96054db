//! What each operation of both parties takes, in one thread, for both sets.
//!
//! "Time" is the CPU time of the thread (Linux; elsewhere the wall time).

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng};
use ring_arith::Bits;
use rlwe::{
    Accumulator, Ciphertext, ClientKey, DEGREE, Demand, Format, Packer, Product, ServerKey, Set,
    Weights,
};

/// Terms of the weight polynomials: a convolution of 3×3 of 16 channels.
const TERMS: usize = 144;

/// Exponents of the weight polynomials are below that.
const SPAN: usize = 512;

/// The CPU time of this thread, or the wall time where the system does not tell.
struct Clock;

impl Clock {
    fn cpu() -> Option<Duration> {
        // Brings the counter up to date.
        std::thread::yield_now();
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(Duration::from_nanos(stat.split(' ').next()?.parse().ok()?))
    }
}

impl Measurement for Clock {
    type Intermediate = (Instant, Option<Duration>);
    type Value = Duration;

    fn start(&self) -> Self::Intermediate {
        (Instant::now(), Self::cpu())
    }

    fn end(&self, (wall, cpu): Self::Intermediate) -> Duration {
        match (cpu, Self::cpu()) {
            (Some(start), Some(now)) => now - start,
            _ => wall.elapsed(),
        }
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

struct Parties {
    format: Format,
    client: ClientKey,
    server: ServerKey,
    x: Vec<u64>,
}

impl Parties {
    fn new(set: Set) -> Self {
        let (ring, weight) = match set {
            Set::S1 => (26, 10),
            Set::S2 => (33, 13),
        };
        let demand = Demand {
            ring: Bits::of(ring),
            weight_bits: Bits::of(weight),
            fan_in: 1152,
            levels: 6,
        };
        let format = Format::choose(set, &demand).expect("it fits");
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let client = ClientKey::generate(set, b"bench", &mut rng);
        let key = client.public_key();
        let mut server = ServerKey::read(set, b"bench", &key, &mut rng).expect("a key");
        server
            .add_packing_key(&client.packing_key(0))
            .expect("a key");
        let x = (0..DEGREE).map(|_| rng.next_u64() & format.ring().mask());
        Self {
            format,
            client,
            server,
            x: x.collect(),
        }
    }

    fn request(&self) -> Vec<u8> {
        let mut request = vec![0; self.format.request_len()];
        self.encrypt(&mut request);
        request
    }

    fn encrypt(&self, request: &mut [u8]) {
        let number = self.client.numbers(1).next().expect("one");
        self.client.encrypt(&self.format, number, &self.x, request);
    }

    fn ingest(&self, request: &[u8]) -> Ciphertext {
        let number = self.server.numbers(1).next().expect("one");
        self.server
            .ingest(&self.format, number, request)
            .expect("a request")
    }

    fn product(&self, ciphertext: &Ciphertext, levels: u32) -> Product {
        let mut weights = Weights::new(self.format.set());
        fill(&mut weights);
        let mut sum = Accumulator::new(self.format.set());
        sum.add(ciphertext, &weights);
        sum.finish(SPAN, levels)
    }

    fn respond(&self, product: Product, own: &mut [u64], response: &mut [u8]) {
        let mask = self.server.masks(1).next().expect("one");
        self.server
            .respond(&self.format, mask, product, own, response);
    }
}

fn fill(weights: &mut Weights) {
    weights.fill(SPAN, (0..TERMS).zip(500..).map(|(i, w)| (i * 7 % SPAN, w)));
}

fn both_sets(criterion: &mut Criterion<Clock>) {
    for set in Set::ALL {
        let parties = Parties::new(set);
        let mut group = criterion.benchmark_group(format!("{set:?}"));
        requests(&mut group, &parties);
        products(&mut group, &parties);
        responses(&mut group, &parties);
        group.finish();
    }
}

fn requests(group: &mut BenchmarkGroup<'_, Clock>, parties: &Parties) {
    let mut request = parties.request();
    group.bench_function("encrypt", |b| b.iter(|| parties.encrypt(&mut request)));
    group.bench_function("ingest", |b| b.iter(|| black_box(parties.ingest(&request))));
}

fn products(group: &mut BenchmarkGroup<'_, Clock>, parties: &Parties) {
    let set = parties.format.set();
    let ciphertext = parties.ingest(&parties.request());
    let (mut weights, mut sum) = (Weights::new(set), Accumulator::new(set));
    group.bench_function("transform of weights", |b| b.iter(|| fill(&mut weights)));
    group.bench_function("product", |b| b.iter(|| sum.add(&ciphertext, &weights)));
    group.bench_function("product with a constant", |b| {
        b.iter(|| sum.add_scaled(&ciphertext, -321));
    });
    group.bench_function("finish", |b| b.iter(|| sum.finish(SPAN, 6)));
    group.bench_function("merge", |b| {
        b.iter_batched(
            || [0; 2].map(|_| parties.product(&ciphertext, 1)),
            |products| {
                let mut packer = Packer::new(&parties.server, 1);
                products
                    .into_iter()
                    .for_each(|product| packer.push(Some(product)));
                packer.finish()
            },
            BatchSize::SmallInput,
        );
    });
}

fn responses(group: &mut BenchmarkGroup<'_, Clock>, parties: &Parties) {
    let ciphertext = parties.ingest(&parties.request());
    let mut response = vec![0; parties.format.response_len()];
    let mut own = vec![0; DEGREE];
    group.bench_function("respond", |b| {
        b.iter_batched(
            || parties.product(&ciphertext, 0),
            |product| parties.respond(product, &mut own, &mut response),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("share", |b| {
        b.iter(|| {
            parties
                .client
                .share(&parties.format, &response, &mut own)
                .expect("a response");
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(Clock);
    targets = both_sets
}
criterion_main!(benches);
