//! The tables, and how those of an earlier version become those of this one.

use tokio_postgres::Client;

use super::Fault;
use crate::unusable;

/// One step for each version, from 1. A step that was released is never changed; what is to be another way is a further step.
const STEPS: [&str; 2] = [
    "\
CREATE TABLE blindray_lots (
    token bytea PRIMARY KEY,
    peer bytea NOT NULL,
    model bytea NOT NULL,
    plan bytea NOT NULL,
    expires bigint NOT NULL,
    bytes bigint NOT NULL
);
CREATE INDEX blindray_lots_owner ON blindray_lots (peer, model, plan, expires);
CREATE INDEX blindray_lots_expires ON blindray_lots (expires);
CREATE TABLE blindray_pieces (
    token bytea NOT NULL,
    number integer NOT NULL,
    piece bytea NOT NULL,
    PRIMARY KEY (token, number)
);
-- What is sealed has no redundancy that a compression could find.
ALTER TABLE blindray_pieces ALTER COLUMN piece SET STORAGE EXTERNAL;
CREATE TABLE blindray_accounts (
    client bytea PRIMARY KEY,
    account bytea NOT NULL
);
",
    "\
-- Since when the client is missing it, if it is.
ALTER TABLE blindray_lots ADD COLUMN doubt bigint;
",
];

/// Names the lock under which one process at a time does this.
const LOCK: i64 = 0x0062_6c69_6e64_7261;

/// Makes the tables, or takes the steps that they lack.
pub(super) async fn bring_up_to_date(client: &mut Client) -> Result<(), Fault> {
    let row = client.query_one("SHOW fsync", &[]).await?;
    let fsync: &str = super::column(&row, 0)?;
    if fsync != "on" {
        let what =
            "the database runs with fsync = off: what was taken out could be back after a crash";
        return Err(unusable(what).into());
    }
    let transaction = client.transaction().await?;
    let lock = "SELECT pg_advisory_xact_lock($1)";
    transaction.execute(lock, &[&LOCK]).await?;
    // The search of the name first: a user who may create nothing can use tables that are there.
    let row = transaction
        .query_one("SELECT to_regclass('blindray_schema') IS NOT NULL", &[])
        .await?;
    let exists: bool = super::column(&row, 0)?;
    if !exists {
        let create = "CREATE TABLE blindray_schema (version bigint PRIMARY KEY)";
        transaction.batch_execute(create).await?;
    }
    let row = transaction
        .query_one("SELECT coalesce(max(version), 0) FROM blindray_schema", &[])
        .await?;
    let found = super::unsigned(&row, 0)?;
    let known = STEPS.len() as u64;
    if found > known {
        let newer = format!(
            "the database has tables of version {found}, and this program knows version {known} and older: update it"
        );
        return Err(unusable(newer).into());
    }
    for (version, step) in (1_i64..).zip(STEPS) {
        if super::number(found) < version {
            transaction.batch_execute(step).await?;
            let insert = "INSERT INTO blindray_schema (version) VALUES ($1)";
            transaction.execute(insert, &[&version]).await?;
        }
    }
    transaction.commit().await?;
    Ok(())
}
