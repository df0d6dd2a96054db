//! The phase ahead of the inputs.

use linear::AheadProtocol;
use sharing::Party;

use super::Case;
use crate::{elements, run_sessions};

impl Case<'_> {
    /// Images of which the parties have no share yet in the phase ahead.
    pub(super) fn check_ahead(&self, ahead: &dyn AheadProtocol, images: usize) {
        let bits = self.protocol.layer().bits;
        let inputs = &self.inputs[..images];
        let parameters = self.parameters(1);
        let prepared = self.protocol.prepare(parameters);
        let prepared = prepared.expect("the parameters are the layer's");
        let (server, client, measured) = run_sessions(
            self.seed,
            |s| {
                self.ready(s);
                let early = async |party: &Party<'_>| {
                    let early = ahead.serve_ahead(party, parameters, &prepared, images);
                    early.await
                };
                let early = s.run(early).expect("the server succeeds ahead");
                assert_eq!(s.measured(), ahead.ahead_rounds(images).cost(), "ahead");
                let online = inputs.iter().zip(&early).map(|(input, early)| {
                    let x = &input.server;
                    let y =
                        s.run(async |party| ahead.serve_online(party, parameters, early, x).await);
                    y.expect("the server succeeds")
                });
                online.collect::<Vec<_>>()
            },
            |s| {
                self.ready(s);
                let mut draw = || elements(self.inputs[0].x.len(), bits, s.rng());
                let r: Vec<Vec<u64>> = (0..images).map(|_| draw()).collect();
                let early = s.run(async |party| ahead.request_ahead(party, &r).await);
                let early = early.expect("the client succeeds ahead");
                let online = inputs.iter().zip(r.iter().zip(&early));
                let online = online.map(|(input, (r, early))| {
                    let x = &input.client;
                    let y = s.run(async |party| ahead.request_online(party, r, early, x).await);
                    y.expect("the client succeeds")
                });
                online.collect::<Vec<_>>()
            },
        );
        assert_eq!([server.len(), client.len()], [images; 2]);
        for (input, (server, client)) in server.iter().zip(&client).enumerate() {
            self.assert_result(input, 1, server, client);
        }
        let online = ahead.online_rounds().cost().repeat(images);
        let predicted = ahead.ahead_rounds(images).cost().then(online);
        assert_eq!(measured, predicted, "another cost: {:?}", self.protocol);
        if images > 1 && self.says_much() {
            assert_ne!(client[0], client[1], "the shares are not fresh");
        }
    }
}
