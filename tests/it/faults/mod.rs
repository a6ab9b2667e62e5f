//! What must hold when things break: the process, the database, the disk, the network, the clock.

mod outage;
mod proxy;
