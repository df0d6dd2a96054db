//! The provider's side of one session.

use channel::Connection;
use nets::{Model, SecureNetwork};
use sharing::{Options, Session};

use crate::entropy;
use crate::failure::{Failure, Outcome};
use crate::greeting::{self, CONTROL};

/// Serves every image of one client; returns how many.
pub(crate) fn serve(connection: &Connection, model: &Model, max_images: u32) -> Outcome<u32> {
    let mut control = connection.open(CONTROL).map_err(Failure::run)?;
    let request = greeting::present(&mut control, &model.public, max_images)?;
    let mut session = Session::establish(connection, entropy::bytes()?, &Options::default())
        .map_err(Failure::run)?;
    let network = SecureNetwork::new(&model.public.graph, request.mode, session.cot_price())
        .map_err(Failure::run)?;
    for _ in 0..request.images {
        network
            .serve(&mut session, &model.weights, &mut |_| {})
            .map_err(Failure::run)?;
    }
    Ok(request.images)
}
