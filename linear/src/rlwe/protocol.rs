//! The algorithms and their protocol.

use ring_arith::{Bits, slices};
use sharing::{Party, Rounds};
use std::sync::Arc;
use zeroize::Zeroizing;

use super::client;
use super::keys::Keys;
use super::plan::Plan;
use super::server::{Server, ingest};
use super::tag::TAG;
use crate::{
    AheadProtocol, AheadTurn, Error, LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol,
    Prepared, Refusal, SetUp, Timing, Turn, Work, add_bias, clear,
};

/// Linear layers by ring-LWE: the client encrypts its share, the server multiplies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it has no other parameters")]
pub struct RingLwe {
    /// Whether results of several products may share a response, where that is cheaper.
    pub packed: bool,
}

impl LinearAlgorithm for RingLwe {
    fn name(&self) -> &'static str {
        if self.packed {
            "ring-lwe"
        } else {
            "ring-lwe-unpacked"
        }
    }

    fn guard_bits(&self) -> u32 {
        1
    }

    fn noisy(&self) -> bool {
        true
    }

    fn plan(&self, layer: &LinearLayer) -> Result<Box<dyn LinearProtocol>, Refusal> {
        let plan = Plan::new(layer, self.packed)?;
        Ok(Box::new(RingLweProtocol {
            algorithm: *self,
            layer: *layer,
            plan,
        }))
    }
}

/// The protocol of [`RingLwe`].
#[derive(Debug)]
struct RingLweProtocol {
    algorithm: RingLwe,
    layer: LinearLayer,
    plan: Plan,
}

impl RingLweProtocol {
    /// The server's shares of 2·W·x_C for some images.
    async fn serve_products(
        &self,
        party: &Party<'_>,
        weights: &[i32],
        images: usize,
    ) -> Result<Vec<Vec<u64>>, Error> {
        let (plan, id) = (&self.plan, party.session_id());
        let start = party.kept(|keys: &mut Keys| keys.serve(&id, plan, images))?;
        let said = party.recv(plan.bytes_up(images)).await?;
        if said[..TAG] != start.tag {
            return Err(Error::OtherRequests);
        }
        let ciphertexts = ingest(plan, &start.key, start.numbers, &said[TAG..])?;
        drop(said);
        let server = Server {
            plan,
            key: &start.key,
            weights,
            taps: &plan.layout.taps(),
            ciphertexts: &ciphertexts,
            images,
        };
        let (responses, shares) = server.respond();
        drop(ciphertexts);
        party.send(responses).await?;
        Ok(shares)
    }

    /// The client's shares of 2·W·x_C + e for some images.
    async fn request_products(
        &self,
        party: &Party<'_>,
        images: &[&[u64]],
    ) -> Result<Vec<Vec<u64>>, Error> {
        let (plan, id) = (&self.plan, party.session_id());
        let start = party.kept(|keys: &mut Keys| keys.request(&id, plan, images.len()))?;
        let key = Arc::clone(&start.key);
        party.send(client::requests(plan, start, images)).await?;
        let said = party.recv(plan.bytes_down(images.len())).await?;
        client::shares(plan, &key, &said, images.len())
    }
}

impl LinearProtocol for RingLweProtocol {
    fn name(&self) -> &'static str {
        self.algorithm.name()
    }

    fn layer(&self) -> &LinearLayer {
        &self.layer
    }

    fn output_bits(&self) -> Bits {
        self.plan.format.shares()
    }

    fn timing(&self) -> Timing {
        Timing::Rounds(self.plan.rounds(1))
    }

    fn work(&self) -> Work {
        self.plan.work()
    }

    fn set_up(&self) -> Vec<Arc<dyn SetUp>> {
        let items = self.plan.items().into_iter();
        items
            .map(|item| -> Arc<dyn SetUp> { Arc::new(item) })
            .collect()
    }

    fn prepare(&self, parameters: LayerParameters<'_>) -> Result<Prepared, Error> {
        self.layer.check_parameters(parameters)?;
        Ok(Prepared::nothing())
    }

    fn serve<'a>(
        &'a self,
        party: &'a Party<'_>,
        parameters: LayerParameters<'a>,
        _: &'a Prepared,
        x: &'a [u64],
    ) -> Turn<'a> {
        Box::pin(async move {
            let LayerParameters { weights, bias } = parameters;
            self.layer.check_parameters(parameters)?;
            self.layer.check_input(x)?;
            let shares = self.serve_products(party, weights, 1).await?;
            let mut y = clear::layer(&self.layer, weights, x);
            let ring = self.output_bits();
            slices::scale(ring, &mut y, 2);
            shares
                .iter()
                .for_each(|share| slices::add_assign(ring, &mut y, share));
            let bias = bias.iter().map(|bias| bias << 1);
            add_bias(ring, &mut y, &Zeroizing::new(bias.collect::<Vec<_>>()));
            Ok(y)
        })
    }

    fn request<'a>(&'a self, party: &'a Party<'_>, x: &'a [u64]) -> Turn<'a> {
        Box::pin(async move {
            self.layer.check_input(x)?;
            let mut shares = self.request_products(party, &[x]).await?;
            Ok(shares.pop().expect("one image"))
        })
    }

    fn ahead(&self) -> Option<&dyn AheadProtocol> {
        Some(self)
    }
}

impl AheadProtocol for RingLweProtocol {
    fn ahead_rounds(&self, images: usize) -> Rounds {
        self.plan.rounds(images)
    }

    fn serve_ahead<'a>(
        &'a self,
        party: &'a Party<'_>,
        parameters: LayerParameters<'a>,
        _: &'a Prepared,
        images: usize,
    ) -> AheadTurn<'a> {
        Box::pin(async move {
            self.layer.check_parameters(parameters)?;
            self.serve_products(party, parameters.weights, images).await
        })
    }

    fn request_ahead<'a>(&'a self, party: &'a Party<'_>, r: &'a [Vec<u64>]) -> AheadTurn<'a> {
        Box::pin(async move {
            r.iter().try_for_each(|r| self.layer.check_input(r))?;
            let images: Vec<&[u64]> = r.iter().map(Vec::as_slice).collect();
            self.request_products(party, &images).await
        })
    }
}
