//! The provider's side of one session.

use channel::Connection;
use nets::Model;
use secure::{SecureNetwork, ServerWeights};
use sharing::{Session, default_extension};

use crate::entropy;
use crate::failure::{Failure, Outcome};
use crate::greeting::{self, CONTROL};

/// Serves every image of one client; returns how many.
pub(crate) fn serve(connection: &Connection, model: &Model, max_images: u32) -> Outcome<u32> {
    let mut control = connection.open(CONTROL).map_err(Failure::run)?;
    let request = greeting::present(&mut control, &model.public, max_images)?;
    let mut session = Session::establish(connection, entropy::bytes()?, default_extension())
        .map_err(Failure::run)?;
    let network = SecureNetwork::new(
        std::sync::Arc::new(model.public.graph.clone()),
        request.mode,
        session.cot_price(),
    )
    .map_err(Failure::run)?;
    let weights = ServerWeights::new(std::sync::Arc::new(model.weights.clone()));
    for _ in 0..request.images {
        network
            .serve(&mut session, &weights, &mut |_| {})
            .map_err(Failure::run)?;
    }
    Ok(request.images)
}
