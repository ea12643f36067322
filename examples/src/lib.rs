//! What more than one program here needs: a client of a server elsewhere, and the terminal one sits at.

pub mod answers;
pub mod escapes;
pub mod remote;
pub mod tty;
