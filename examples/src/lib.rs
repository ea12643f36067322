//! What more than one program here needs: a client of a server elsewhere.

pub mod remote;
